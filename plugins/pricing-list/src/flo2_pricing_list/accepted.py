"""Prices that the operator accepted, by `flo2 prices update`: a folder of files, each written once.

A file is named by its instant and the hash of its content, and holds all rows of the models it is
about, ended ones too. Of a model the newest file counts; the older ones stay, as they were.
Imports: schema, write.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from attrs import frozen

from flo2 import Services
from flo2.errors import PricingError
from flo2.prices import Defaults, Layer, PriceRow
from flo2_pricing_list.schema import parse
from flo2_pricing_list.write import write_rows

__all__ = ["AcceptedPrices"]

_NAME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z-([0-9a-f]{16})\.toml")
_FOLDER: Final = "prices"


class AcceptedPrices:
    """The rows of the files; none where there is no folder.

    Raises on reading:
        PricingError: a file is not as it was written, or is none of these.
    """

    kind: ClassVar[str] = "accepted"
    precedence: ClassVar[int] = 5
    """After the operator's own file (0), before what comes along (10, 20)."""

    @frozen
    class Config:
        """Where the files lie: `path`, or `prices` in the data folder."""

        path: str = ""

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        self.config = config or self.Config()
        data_dir = None if services is None else services.data_dir
        self.folder: Path | None = None if data_dir is None else data_dir / _FOLDER
        if self.config.path:
            self.folder = Path(self.config.path)

    def rows(self) -> Iterable[PriceRow]:
        """Give each model's rows, of the newest file that has it."""
        return self._rows

    def defaults(self) -> Defaults:
        """Give none: rows say all that they ask for."""
        return {}

    def layer(self) -> Layer:
        """Give the rows as a layer of a book."""
        return Layer(self.kind, self.rows())

    @cached_property
    def _rows(self) -> tuple[PriceRow, ...]:
        newest: dict[tuple[str, str], list[PriceRow]] = {}
        folder = self.folder
        if folder is None or not folder.is_dir():
            return ()
        for file in sorted(folder.iterdir()):
            found: dict[tuple[str, str], list[PriceRow]] = {}
            for row in _read(file):
                for name in row.models:
                    found.setdefault((row.provider, name), []).append(row)
            newest.update(found)
        return tuple(row for rows in newest.values() for row in rows)

    def accept(self, rows: Iterable[PriceRow], remarks: Iterable[str], at: datetime) -> str:
        """Write a file.

        Args:
            rows: All rows of the models that it is about, one exact name each.
            remarks: What it is and where from, for who opens it.
            at: Now (aware).

        Returns:
            The file's path.

        Raises:
            PricingError: there is no folder, or it cannot be written.
        """
        if self.folder is None:
            raise PricingError("there is no data folder; give [pricing.accepted] a path")
        data = write_rows(rows, remarks).encode()
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
        file = self.folder / f"{stamp}-{_hash(data)}.toml"
        parse(tomllib.loads(data.decode(), parse_float=Decimal), file=file.name)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Never over another one: what was accepted stays.
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as exc:
            raise PricingError(f"{str(file)!r} cannot be written: {exc}") from exc
        return str(file)


def _read(file: Path) -> Iterable[PriceRow]:
    match = _NAME.fullmatch(file.name)
    try:
        data = file.read_bytes()
        if match is None or _hash(data) != match[1]:
            raise PricingError(
                f"{str(file)!r} is not as `flo2 prices update` wrote it; rows of your own belong "
                "into the file that [pricing.file] names"
            )
        document = tomllib.loads(data.decode(), parse_float=Decimal)
    except (OSError, ValueError) as exc:
        raise PricingError(f"{str(file)!r} cannot be read: {exc}") from exc
    return parse(document, file=file.name, prefix="accepted:").rows


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
