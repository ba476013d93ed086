"""The journal: one worker's append-only file, where a record is durable before the call goes on.

An append is one `write` on an `O_APPEND` descriptor: it survives `kill -9` of the process, because
the bytes are the kernel's from then on. A power cut may lose the last seconds unless `fsync` is on;
a lost disk loses the journal. Knows nothing of stores. Imports: ledger.frames, errors.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

from flo2.errors import StoreError
from flo2.ledger.frames import Damage, Header, Segment, frames, header_frame, read_segment
from flo2.ledger.locks import FileLock
from flo2.records import Record

__all__ = ["Journal", "new_writer_id", "segment_paths"]

_WRITER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PROBE: Final = b"\xff" * 8192
"""A frame that cannot end: whoever reads it sees a torn write. Larger than a usual record."""
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def new_writer_id() -> str:
    """Make an id that no other worker has or had: host, process, chance."""
    host = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:32].strip("-") or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(6)}"


def segment_paths(directory: Path, writer: str) -> list[Path]:
    """Name a writer's segments, in the order written."""
    return sorted(directory.glob(f"{writer}.*.journal"))


@define
class _Written:
    path: Path
    first: int
    last: int = field(default=0)


class Journal:
    """One worker's journal; not thread-safe: append from one thread only.

    Args:
        directory: Where journals lie; made with mode 0700 when it is missing.
        writer_id: The worker; a journal of that name is continued.
        fsync: Wait for the disk at each append (milliseconds instead of microseconds).
        segment_bytes: Begin a new file past this size, so that stored ones can be removed.

    Attributes:
        writer: The worker.
        salt: Salts the digests of attributions; erased with the journal.
        last_seq: Sequence number of the last record.
        damage: What was not readable when an existing journal was continued.

    Raises:
        StoreError: the folder cannot be written, or another process has this journal open.
    """

    def __init__(
        self,
        directory: Path | str,
        writer_id: str,
        *,
        fsync: bool = False,
        segment_bytes: int = 8 << 20,
    ) -> None:
        if not _WRITER.fullmatch(writer_id):
            raise ValueError(
                f"writer id {writer_id!r} must be 1 to 64 letters, digits, hyphens or underscores"
            )
        self.directory: Path = Path(directory)
        self.writer = writer_id
        self.salt: bytes = secrets.token_bytes(16)
        self.last_seq: int = 0
        self.damage: tuple[Damage, ...] = ()
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._segments: list[_Written] = []
        self._fd: int | None = None
        self._size = 0
        self._full = 0
        self._unsound = False
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._acquire()
            self._recover()
            self._begin_segment()
        except OSError as exc:
            raise StoreError(
                f"the journal in {str(self.directory)!r} cannot be written ({exc.strerror}); "
                "make room, or let this user write there"
            ) from exc

    def append(self, *records: Record) -> range:
        """Write records, all or none, and give their sequence numbers.

        Raises:
            StoreError: nothing was written: the disk is full or failing, or the journal is closed.
                The journal stays readable, and a later append tries again.
        """
        data = frames(records)
        if self._size >= self._full or self._unsound:
            self._prepare()
        fd, size = self._fd, len(data)
        if fd is None:
            raise StoreError(f"the journal of {self.writer!r} is closed; start a new one")
        try:
            written = os.write(fd, data)
            if self._fsync and written == size:
                os.fdatasync(fd)
        except OSError as exc:
            self._undo()
            raise StoreError(self._trouble(exc.strerror)) from exc
        if written != size:
            self._undo()
            raise StoreError(self._trouble(f"{written} of {size} bytes fitted"))
        self._size += size
        before = self.last_seq
        self.last_seq = last = before + len(records)
        return range(before + 1, last + 1)

    def check(self) -> None:
        """See that its file is still in its folder: what is written to a removed one is lost.

        Raises:
            StoreError: it is not.
        """
        if self._fd is not None and os.fstat(self._fd).st_nlink == 0:
            raise StoreError(
                f"the journal's file in {str(self.directory)!r} was removed while in use; no call "
                "is sent until flo2 is started again"
            )

    def probe(self) -> None:
        """See whether it would take a record: write something, and cut it off again.

        Raises:
            StoreError: it would not.
        """
        if self._size >= self._full or self._unsound:
            self._prepare()
        if self._fd is None:
            return
        try:
            written = os.write(self._fd, _PROBE)
        except OSError as exc:
            self._undo()
            raise StoreError(self._trouble(exc.strerror)) from exc
        self._undo()
        if written != len(_PROBE):
            raise StoreError(self._trouble(f"{written} of {len(_PROBE)} bytes fitted"))

    @property
    def first_seq(self) -> int:
        """Sequence number of the oldest record in the files, or of the next one."""
        return self._segments[0].first

    def resume_after(self, seq: int) -> None:
        """Number what comes from `seq` + 1 on, when a store already has records up to there.

        Raises:
            StoreError: a new segment cannot be begun.
        """
        if seq > self.last_seq:
            self.last_seq = seq
            self._rotate()

    def read(self, after: int, limit: int) -> Sequence[tuple[int, Record]]:
        """Read records back from the files.

        Args:
            after: The sequence number before the first one wanted.
            limit: How many at most.

        Raises:
            StoreError: a file is gone or damaged.
        """
        found: list[tuple[int, Record]] = []
        for segment in tuple(self._segments):
            if len(found) >= limit:
                break
            if segment.last and segment.last <= after:
                continue
            try:
                part = read_segment(segment.path, after=after, limit=limit - len(found))
            except OSError as exc:
                raise StoreError(
                    f"the journal file {str(segment.path)!r} cannot be read ({exc.strerror})"
                ) from exc
            if part.damage is not None and part.damage.cause == "corrupt":
                raise StoreError(
                    f"the journal file {str(segment.path)!r} is damaged at byte "
                    f"{part.damage.offset}: {part.damage.detail}"
                )
            found.extend(part.records)
        return found

    def stored(self, seq: int) -> list[Path]:
        """Forget the segments that hold nothing past `seq`, and name their files for removal."""
        done = [each for each in self._segments[:-1] if each.last <= seq]
        self._segments = [each for each in self._segments if each not in done]
        return [each.path for each in done]

    def close(self, *, remove: bool = False) -> None:
        """Close; with `remove` (everything in it is stored) the files go too.

        Files that cannot be removed stay, with their lock file, for an adopter.
        """
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        if remove:
            try:
                for path in segment_paths(self.directory, self.writer):
                    path.unlink()
            except OSError:
                remove = False
        self._lock.release(remove=remove)

    def _acquire(self) -> FileLock:
        path = self.directory / f"{self.writer}.lock"
        lock = FileLock.create(path) or FileLock.take(path)
        if lock is None:
            raise StoreError(
                f"the journal of writer {self.writer!r} is open in another process; "
                "give each process a writer id of its own"
            )
        return lock

    def _recover(self) -> None:
        damage: list[Damage] = []
        for path in segment_paths(self.directory, self.writer):
            segment = read_segment(path)
            if segment.damage is not None:
                damage.append(segment.damage)
                _set_aside(segment)
            if segment.header is None:
                continue
            self.salt = bytes.fromhex(segment.header.salt)
            last = segment.records[-1][0] if segment.records else segment.header.first - 1
            self.last_seq = max(self.last_seq, last)
            self._segments.append(_Written(path, segment.header.first, last))
        self.damage = tuple(damage)

    def _begin_segment(self) -> None:
        number = 1 + max(
            (int(path.name.split(".")[-2]) for path in segment_paths(self.directory, self.writer)),
            default=0,
        )
        path = self.directory / f"{self.writer}.{number:08d}.journal"
        header = header_frame(Header(self.writer, self.last_seq + 1, self.salt.hex()))
        fd = os.open(path, _FLAGS | os.O_EXCL, 0o600)
        try:
            if os.write(fd, header) != len(header):
                raise OSError(28, "No space left on device")  # noqa: TRY301  # as errors below
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        if self._fd is not None:
            os.close(self._fd)
        if self._segments:
            self._segments[-1].last = self.last_seq
        self._segments.append(_Written(path, self.last_seq + 1))
        self._fd = fd
        self._size = len(header)
        self._full = max(self._segment_bytes, self._size + 1)
        self._unsound = False

    def _prepare(self) -> None:
        """Cut off what a failed write left behind, or go on in a new segment."""
        if self._unsound:
            self._undo()
        if self._unsound:
            raise StoreError(self._trouble("a broken write cannot be cut off"))
        if self._size >= self._full:
            self._rotate()

    def _rotate(self) -> None:
        try:
            self._begin_segment()
        except OSError as exc:
            raise StoreError(self._trouble(exc.strerror)) from exc

    def _undo(self) -> None:
        """Cut the file back to its last whole frame."""
        if self._fd is None:
            return
        try:
            os.ftruncate(self._fd, self._size)
            self._unsound = False
        except OSError:
            self._unsound = True

    def _trouble(self, cause: object) -> str:
        return (
            f"the journal in {str(self.directory)!r} takes no record ({cause}); "
            "make room on that disk: no call is sent until it can be written down"
        )


def _set_aside(segment: Segment) -> None:
    """Cut a torn tail off; keep a copy first where bytes changed that were once written."""
    if segment.damage is None:
        return
    if segment.damage.cause == "corrupt":
        copy = segment.path.with_suffix(".damaged")
        copy.write_bytes(segment.path.read_bytes())
    if segment.header is None:
        segment.path.unlink()
    else:
        os.truncate(segment.path, segment.damage.offset)
