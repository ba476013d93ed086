"""Any console's CSV, by a mapping file; and OpenAI's dashboard export, which is one of them.

Imports: importers.reading, importers.tables, words, times.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import field, fields, frozen

from flo2 import BILLING_KEYS, EVERY_METER, REQUESTS, BillingError, BillingRow, Services
from flo2.instants import microseconds
from flo2.money import ZERO, multiply, subtract
from flo2_reconcile.importers.reading import Plain, columns_of, lines_of, number
from flo2_reconcile.times import WIDTHS, instant_us
from flo2_reconcile.words import geo, tier_and_processing

__all__ = ["Columns", "DashboardExport", "MappedFile", "mapped_rows", "mapping_of"]

_YES: Final = frozenset({"true", "1", "yes", "batch"})


@frozen
class Columns:
    """What the columns of a CSV file mean.

    Attributes:
        provider: Whose bill it is.
        report: Name of the report.
        time: Column of the bucket's beginning.
        width: `1m`, `1h` or `1d`.
        timezone: IANA name, for times that say none.
        time_format: As `datetime.strptime` takes it; "": ISO 8601.
        keys: Key of `BILLING_KEYS` → column; besides these `batch`, a column that is true or false.
        meters: Meter (or `requests`) → column.
        units: Meter → what one of the column is, 1000 for thousands.
        input_total: The column `input_tokens` holds what was read from a cache as well.
        amounts: Meter, or "" for all of them together → column of money.
        currency: Column of the currency, or a currency.
        noisy: Money is written as binary floats.
        delimiter: Between cells.
        whole: A meter that is not named was not used.
        models: The file's name of a model → the ledger's.
    """

    provider: str
    time: str
    width: str = "1d"
    report: str = ""
    timezone: str = ""
    time_format: str = ""
    keys: Mapping[str, str] = field(factory=dict)
    meters: Mapping[str, str] = field(factory=dict)
    units: Mapping[str, int] = field(factory=dict)
    amounts: Mapping[str, str] = field(factory=dict)
    currency: str = "USD"
    input_total: bool = False
    noisy: bool = False
    whole: bool = False
    delimiter: str = ","
    models: Mapping[str, str] = field(factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that must be there."""
        return (self.time, *self.keys.values(), *self.meters.values(), *self.amounts.values())


def mapping_of(document: Mapping[str, Any], where: str) -> Columns:
    """Read a mapping out of a parsed TOML file.

    Raises:
        BillingError: something is missing, not known, or of another type.
    """
    known = {each.name for each in fields(Columns)}
    if unknown := sorted(document.keys() - known):
        raise BillingError(
            f"{where}: {unknown[0]!r} is not known; known: {', '.join(sorted(known))}"
        )
    if missing := [name for name in ("provider", "time") if name not in document]:
        raise BillingError(f"{where}: it lacks {missing[0]!r}")
    made = Columns(**document)
    if made.width not in WIDTHS:
        raise BillingError(f"{where}: width {made.width!r} is none of {', '.join(WIDTHS)}")
    if strange := sorted(made.keys.keys() - {*BILLING_KEYS, "batch"}):
        raise BillingError(f"{where}: key {strange[0]!r} is none of {', '.join(BILLING_KEYS)}")
    if not made.meters and not made.amounts:
        raise BillingError(f"{where}: it names no meter and no amount, so nothing can be compared")
    return made


class MappedFile:
    """A CSV file whose columns a mapping file explains."""

    kind: ClassVar[str] = "mapped"

    @frozen
    class Config:
        """Where the mapping is.

        Attributes:
            mapping: A TOML file.
        """

        mapping: str = ""

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        """Read the mapping.

        Raises:
            BillingError: it cannot be read.
        """
        self.mapping: Columns | None = None
        if config is not None and config.mapping:
            try:
                document = tomllib.loads(Path(config.mapping).read_text(encoding="utf-8"))
            except (OSError, ValueError) as exc:
                msg = f"mapping {config.mapping!r} cannot be read: {exc}"
                raise BillingError(msg) from exc
            self.mapping = mapping_of(document, config.mapping)

    def recognises(self, name: str, head: bytes) -> bool:
        """Know what has every column of the mapping."""
        return self.mapping is not None and set(self.mapping.columns) <= columns_of(
            head, self.mapping.delimiter
        )

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read lines, one by one."""
        if self.mapping is None:
            raise BillingError(f"{name}: this format needs a mapping file (--mapping FILE)")
        yield from mapped_rows(self.mapping, name, file)


class DashboardExport(Plain):
    """OpenAI's usage as its dashboard exports it: by day, model, project, key and tier.

    Tiers appear as `default`, `flex-tier`, `incentivized-tier`, batches as a column of true and
    false (pydantic/genai-prices#115, read 2026-11).
    """

    kind: ClassVar[str] = "openai-csv"
    mapping: ClassVar[Columns] = Columns(
        provider="openai",
        report="openai.dashboard",
        time="start_time_iso",
        width="1d",
        keys={
            "project": "project_id",
            "api_key": "api_key_id",
            "model": "model",
            "service_tier": "service_tier",
            "batch": "batch",
        },
        meters={
            REQUESTS: "num_model_requests",
            "input_tokens": "input_tokens",
            "cache_read_tokens": "input_cached_tokens",
            "output_tokens": "output_tokens",
        },
        input_total=True,
    )

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its columns."""
        return {"start_time_iso", "num_model_requests", "input_tokens"} <= columns_of(head)

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read lines, one by one."""
        yield from mapped_rows(self.mapping, name, file)


def mapped_rows(mapping: Columns, name: str, file: BinaryIO) -> Iterator[BillingRow]:
    """Read a CSV file by a mapping."""
    report = mapping.report or f"{mapping.provider}.csv"
    width = WIDTHS[mapping.width]
    for where, line in lines_of(name, file, mapping.columns, delimiter=mapping.delimiter):
        start = _start(mapping, line[mapping.time], where)
        span = (start, start + width)
        keys = _keys(mapping, line)
        if mapping.whole:
            yield BillingRow(report, where, *span, keys, EVERY_METER)
        counts = {
            meter: multiply(number(line[column] or "0", where, column), mapping.units.get(meter, 1))
            for meter, column in mapping.meters.items()
        }
        if mapping.input_total and "input_tokens" in counts:
            for part in ("cache_read_tokens", "cache_write_tokens"):
                counts["input_tokens"] = subtract(counts["input_tokens"], counts.get(part, ZERO))
        for meter, count in counts.items():
            if count < 0:
                raise BillingError(f"{where}: {meter} is {count}, below zero")
            whole = int(count) if count == int(count) else count
            yield BillingRow(report, where, *span, keys, meter, whole)
        currency = line.get(mapping.currency, mapping.currency).upper()
        for meter, column in mapping.amounts.items():
            amount = number(line[column] or "0", where, column)
            yield BillingRow(
                *(report, where, *span, keys, meter, None, amount, currency),
                charge="credit" if amount < 0 else "usage",
                noisy=mapping.noisy,
            )


def _start(mapping: Columns, text: str, where: str) -> int:
    width = WIDTHS[mapping.width]
    if re.fullmatch(r"\d{10}", text):
        return int(text) * 1_000_000
    if not mapping.timezone and not mapping.time_format:
        start = instant_us(text, where)
    else:
        try:
            zone = ZoneInfo(mapping.timezone or "UTC")
            when = (
                datetime.strptime(text, mapping.time_format)  # noqa: DTZ007  # the zone follows
                if mapping.time_format
                else datetime.fromisoformat(text)
            )
        except (ValueError, ZoneInfoNotFoundError) as exc:
            raise BillingError(f"{where}: {text!r} is no time of this mapping: {exc}") from exc
        when = when.replace(tzinfo=zone) if when.tzinfo is None else when
        start = microseconds(when)
        if width == WIDTHS["1d"]:
            return start
    return start - start % min(width, WIDTHS["1h"])


def _keys(mapping: Columns, line: Mapping[str, str]) -> dict[str, str]:
    keys = {"provider": mapping.provider}
    for key, column in mapping.keys.items():
        if key in BILLING_KEYS:
            keys[key] = line[column]
    if "model" in keys:
        keys["model"] = mapping.models.get(keys["model"], keys["model"])
    batch = "batch" in mapping.keys and line[mapping.keys["batch"]].strip().lower() in _YES
    if "service_tier" in keys or "batch" in mapping.keys:
        tier, processing = tier_and_processing(keys.get("service_tier"), batch=batch)
        if "service_tier" in keys:
            keys["service_tier"] = tier
        if "batch" in mapping.keys:
            keys["processing"] = processing
    if "inference_geo" in keys:
        keys["inference_geo"] = geo(keys["inference_geo"])
    return keys
