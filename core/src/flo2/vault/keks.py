"""The key-encryption keys: several versions, of which the newest wraps and all unwrap.

They live outside the store, in a file or an environment variable of the operator, one a line, the
newest last. Imports: vault.seal, secrets, errors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flo2.errors import SecretError
from flo2.secrets import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flo2.secrets import ReferenceResolver

__all__ = ["Kek", "KekRing", "append_kek", "generate_kek_file"]

_PREFIX = "flo2_kek_"  # so that a scanner, and our own log filter, knows one when it sees it
_BYTES = 32
_MIN_DISTINCT = 12  # 32 random bytes have 30 distinct ones; fewer than 12 is a placeholder
_HEADER = (
    "# Key-encryption keys of flo2, the newest last. Who has this file and the database can read\n"
    "# every provider key; without it nobody can. Keep a copy apart from the database's backups.\n"
)


@frozen
class Kek:
    """One version of the key-encryption key; the key itself stays inside the cipher.

    Attributes:
        id: Derived from the key, so that the same key has the same id everywhere.
        cipher: AES-256-GCM under the key.
    """

    id: str
    cipher: AESGCM = field(repr=False, eq=False)


class KekRing:
    """All versions that this process may use.

    Args:
        keks: Oldest first.
        source: The reference they came from, for messages.

    Raises:
        SecretError: There is none.
    """

    def __init__(self, keks: tuple[Kek, ...], *, source: str) -> None:
        if not keks:
            raise SecretError(
                f"key-encryption key {source!r} holds no key; run flo2 init to make one, or "
                "restore the file from its backup"
            )
        self.source = source
        self.newest: Kek = keks[-1]
        self._by_id = {kek.id: kek for kek in keks}

    @classmethod
    def from_reference(
        cls,
        reference: str,
        *,
        environ: Mapping[str, str],
        resolver: ReferenceResolver | None = None,
    ) -> KekRing:
        """Read the ring from `env:NAME`, `file:/path` or a plugin's reference.

        Raises:
            SecretError: It cannot be read, or holds no key, or something else than keys.
        """
        text = resolve(reference, environ=environ, resolver=resolver, multiline=True).reveal()
        return cls.parse(text, source=reference)

    @classmethod
    def parse(cls, text: str, *, source: str) -> KekRing:
        """Read keys, one a line or separated by commas; `#` begins a comment.

        A key is `flo2_kek_` and base64url of 32 random bytes; plain base64 works too.

        Raises:
            SecretError: Naming the source and the line, never the line's text.
        """
        keks: list[Kek] = []
        for number, line in enumerate(text.splitlines(), start=1):
            where = f"line {number} of key-encryption key {source!r}"
            words = line.partition("#")[0].replace(",", " ").split()
            keks.extend(_kek(word, where) for word in words)
        if len({kek.id for kek in keks}) != len(keks):
            raise SecretError(f"key-encryption key {source!r} holds one key twice; remove one")
        return cls(tuple(keks), source=source)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids, oldest first."""
        return tuple(self._by_id)

    def get(self, kek_id: str) -> Kek:
        """Give a version.

        Raises:
            SecretError: It is not in the ring: the process was started with the wrong one.
        """
        kek = self._by_id.get(kek_id)
        if kek is None:
            raise SecretError(
                f"the store is sealed under key-encryption key {kek_id!r}, and {self.source!r} "
                f"holds {', '.join(map(repr, self._by_id))}; put the key that belongs to this "
                "store back (as an earlier line, if it was replaced), or point flo2 at the store "
                "that belongs to this key"
            )
        return kek


def generate_kek_file(path: Path) -> str:
    """Make a new key-encryption key in a new file that only its owner may read (mode 0600).

    The file appears whole or not at all, and one that exists is never touched: replacing it would
    make every credential unreadable.

    Returns:
        The key's id.

    Raises:
        SecretError: The file exists, or cannot be written.
    """
    text, kek_id = _new_key()
    try:
        made = _write_aside(path, _HEADER + text + "\n")
        try:
            os.link(made, path)  # unlike a rename, this fails when the name is taken
        finally:
            made.unlink()
        _sync_folder(path.parent)
    except FileExistsError as exc:
        raise SecretError(
            f"key-encryption key file {str(path)!r} exists and is not overwritten, as that would "
            "make every stored credential unreadable; to rotate, run: flo2 keys rewrap"
        ) from exc
    except OSError as exc:
        raise SecretError(_not_written(path, exc)) from exc
    return kek_id


def append_kek(path: Path) -> str:
    """Add a new version to a key file; it wraps from the next start on, all still unwrap.

    With several nodes: give all of them the new file before one of them rewraps.

    Returns:
        The new key's id.

    Raises:
        SecretError: The file cannot be read or written, or holds something else than keys.
    """
    try:
        before = path.read_text(encoding="utf-8", errors="replace")
        KekRing.parse(before, source=f"file:{path}")
        text, kek_id = _new_key()
        made = _write_aside(path, before.rstrip("\n") + "\n" + text + "\n")
        made.replace(path)
        _sync_folder(path.parent)
    except OSError as exc:
        raise SecretError(_not_written(path, exc)) from exc
    return kek_id


def _kek(word: str, where: str) -> Kek:
    # Both alphabets, with or without padding: `openssl rand -base64 32` gives the other one.
    body = word.removeprefix(_PREFIX).rstrip("=").replace("+", "-").replace("/", "_")
    key = b""
    if body.isascii() and len(body) == 43:  # 32 bytes in base64
        try:
            key = base64.b64decode(body + "=", altchars=b"-_", validate=True)
        except binascii.Error:
            key = b""
    if len(key) != _BYTES:
        raise SecretError(
            f"{where} is not a key (32 random bytes in base64, as flo2 init writes them); the "
            "text is not shown, as it may be a secret"
        )
    if len(set(key)) < _MIN_DISTINCT:
        raise SecretError(
            f"{where} is not random: it uses {len(set(key))} different bytes; make one with flo2 "
            "init, or with: openssl rand -base64 32"
        )
    # 48 bits of a hash of 256 random bits: names the key, says nothing about it.
    kek_id = "kek_" + hashlib.blake2b(key, digest_size=6, person=b"flo2 kek id").hexdigest()
    return Kek(kek_id, AESGCM(key))


def _new_key() -> tuple[str, str]:
    text = _PREFIX + base64.urlsafe_b64encode(os.urandom(_BYTES)).decode().rstrip("=")
    return text, _kek(text, "the new key").id


def _write_aside(path: Path, text: str) -> Path:
    """Write a file beside `path`, readable by its owner only from its first moment, and sync it."""
    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, exc: OSError) -> str:
    return (
        f"key-encryption key file {str(path)!r} cannot be written ({exc.strerror}); check that its "
        "folder exists and that the user who runs flo2 may write there"
    )
