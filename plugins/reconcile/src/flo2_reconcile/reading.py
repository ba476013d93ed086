"""Open bills and find out what they are; a file that is given twice counts once.

Imports: bill.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, cast

from flo2 import BillingError, BillingRow, Importer
from flo2_reconcile.bill import Bill

__all__ = ["read_bills"]

_HEAD: Final = 64 * 1024
_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


def read_bills(
    bill: Bill,
    files: Iterable[Path],
    importers: Sequence[Importer],
    progress: Callable[[str, int], None] = lambda _name, _bytes: None,
) -> None:
    """Read files into a bill.

    Args:
        bill: Takes the rows.
        files: Files, plain or gzip.
        importers: Asked in order which one knows a file; a single one is taken unasked.
        progress: Told each file's name and how many bytes of it were read.

    Raises:
        BillingError: a file cannot be read, or nobody knows it.
    """
    seen: dict[bytes, Path] = {}
    for path in files:
        try:
            digest = _digest(path)
            if digest in seen:
                bill.note(f"{path.name} has the same content as {seen[digest].name}: read once")
                continue
            seen[digest] = path
            with path.open("rb") as raw:
                bill.take(_rows(path, raw, importers, progress))
        except (OSError, EOFError) as exc:
            raise BillingError(f"{path}: it cannot be read: {exc}") from exc


def _rows(
    path: Path,
    raw: io.BufferedReader,
    importers: Sequence[Importer],
    progress: Callable[[str, int], None],
) -> Iterator[BillingRow]:
    packed = raw.peek(2)[:2] == _GZIP
    file: BinaryIO = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
    opened = io.BufferedReader(_Raw(file), _HEAD)
    head = opened.peek(_HEAD)[:_HEAD]
    importer = _importer(path, head, importers)
    told = 0
    for number, row in enumerate(importer.rows(str(path), cast("BinaryIO", opened))):
        yield row
        if number % 1000 == 0:
            progress(path.name, raw.tell() - told)
            told = raw.tell()
    progress(path.name, path.stat().st_size - told)


def _importer(path: Path, head: bytes, importers: Sequence[Importer]) -> Importer:
    if not head.strip():
        raise BillingError(f"{path}: it is empty")
    if len(importers) == 1:
        return importers[0]
    for importer in importers:
        if importer.recognises(path.name, head):
            return importer
    known = ", ".join(importer.kind for importer in importers)
    raise BillingError(
        f"{path}: no importer knows this file (installed: {known}); say which with --format, or "
        "explain its columns with --mapping"
    )


def _digest(path: Path) -> bytes:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


class _Raw(io.RawIOBase):
    """Lets a buffered reader look ahead in any stream."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = cast("bytearray", buffer)
        data = self._file.read(len(view))
        view[: len(data)] = data
        return len(data)
