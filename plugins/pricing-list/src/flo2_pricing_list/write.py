"""Write rows as a price file: TOML that `schema.parse` reads back to the same rows.

Pure. Imports: nothing of this package.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Final

from flo2.errors import PricingError
from flo2.money import text
from flo2.prices import PriceRow, Schedule

__all__ = ["write_rows"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def write_rows(rows: Iterable[PriceRow], remarks: Iterable[str] = ()) -> str:
    """Write rows of models that each have one exact name.

    Args:
        rows: In any order; the file is sorted.
        remarks: Lines of a comment at its top.
    """
    lines = [f"# {_one_line(each)}" for each in remarks]
    ordered = sorted(rows, key=lambda row: (row.provider, row.currency, sorted(row.models), row.id))
    for (provider, currency), of_provider in groupby(
        ordered, key=lambda row: (row.provider, row.currency)
    ):
        lines += ["", "[[providers]]", f"provider = {_text(provider)}"]
        lines.append(f"currency = {_text(currency)}")
        for names, of_model in groupby(of_provider, key=lambda row: sorted(row.models)):
            lines += ["  [[providers.model]]", f"  name = {_text(names[0])}"]
            if names[1:]:
                lines.append(f"  aliases = {_texts(names[1:])}")
            for row in of_model:
                lines += ["    [[providers.model.price]]", *_price(row)]
    return "\n".join(lines) + "\n"


def _price(row: PriceRow) -> Iterator[str]:
    yield f"    source = {_text(row.source)}"
    yield f"    read_on = {row.read_on.isoformat()}"
    yield f"    evidence = {_text(row.evidence)}"
    yield f"    per = {row.per}"
    if row.when:
        yield f"    when = {_table(row.when)}"
    if row.tier is not None:
        yield f"    at_least = {row.tier.start}"
        if row.tier.stop is not None:
            yield f"    below = {row.tier.stop}"
        if row.tier.graduated:
            yield "    graduated = true"
    for key, instant in (("valid_from", row.valid_from), ("valid_until", row.valid_until)):
        if instant is not None:
            yield f"    {key} = {_instant(instant)}"
    if row.schedule is not None:
        yield f"    schedule = {_schedule(row.schedule)}"
    for key, units in (("minimum", row.minimum), ("step", row.step)):
        if units is not None:
            yield f'    {key} = "{text(units)}"'
    yield f'    rates = {{ {_text(row.dimension)} = "{text(row.unit_price)}" }}'


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _schedule(schedule: Schedule) -> str:
    """Write a schedule, window by window: each has its day."""
    windows = ", ".join(
        f'"{_DAYS[each.day]} {_clock(each.start)}-{_clock(each.stop)}"' for each in schedule.windows
    )
    holidays = ", ".join(sorted(each.isoformat() for each in schedule.holidays))
    return (
        f"{{ windows = [{windows}], zone = {_text(schedule.zone)}, holidays = [{holidays}], "
        f"outside = {str(schedule.outside).lower()} }}"
    )


def _clock(second: int) -> str:
    if second % 60:
        raise PricingError(f"a price file has no seconds in its hours; {second} s is no minute")
    hours, rest = divmod(second, 3600)
    return f"{hours:02}:{rest // 60:02}"


def _table(values: Mapping[str, frozenset[str]]) -> str:
    return "{ " + ", ".join(f"{_text(k)} = {_texts(v)}" for k, v in sorted(values.items())) + " }"


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, sorted(values))) + "]"


def _text(value: str) -> str:
    # A TOML basic string has JSON's escapes, but for DEL, which JSON leaves as it is.
    return json.dumps(value).replace("\x7f", "\\u007f")


def _one_line(value: str) -> str:
    return "".join(char if char.isprintable() else " " for char in value)
