"""Locks between processes: `flock` on a file, released by the kernel however a process ends.

POSIX only; the data folder must lie on a local file system. Imports: nothing of flo2.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileLock"]


class FileLock:
    """A held lock on a file that exists by its name for as long as it is held."""

    def __init__(self, path: Path, fd: int) -> None:
        """Keep a descriptor that holds the lock; use `create` or `take`."""
        self.path = path
        self._fd: int | None = fd

    @classmethod
    def create(cls, path: Path) -> FileLock | None:
        """Create the file already locked, so that nobody can take it in between.

        Returns:
            The lock, or None when the file exists.
        """
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.link(draft, path)
        except FileExistsError:
            os.close(fd)
            return None
        finally:
            draft.unlink()
        return cls(path, fd)

    @classmethod
    def take(cls, path: Path) -> FileLock | None:
        """Lock an existing file.

        Returns:
            The lock, or None when somebody holds it or it does not exist (any more).
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the name: then this lock guards nothing.
            if os.path.samestat(os.fstat(fd), path.stat()):
                return cls(path, fd)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
        return None

    def release(self, *, remove: bool = False) -> None:
        """Let go; with `remove` the file goes first, while nobody else can hold it."""
        if self._fd is None:
            return
        if remove:
            with contextlib.suppress(OSError):  # gone already, or the folder is not ours any more
                self.path.unlink()
        os.close(self._fd)
        self._fd = None
