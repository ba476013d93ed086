"""Count millions of entries out of rows, in place of records.

Says the same as counting records one by one; what a row does not tell (what other models used
inside an answer, corrections of a price) is counted from the records after all.
Imports: booked, words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from flo2 import REQUESTS, money_of
from flo2.billing import EntryColumns
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import add
from flo2_reconcile.booked import (
    ALL_INPUT,
    ALL_OUTPUT,
    Called,
    Key,
    Measures,
    Names,
    Tally,
    key_of,
)
from flo2_reconcile.words import SHORT_PROMPT

__all__ = ["count_rows"]

_EVERY: Final = 50_000
_WAITING: Final = frozenset({"open", "pending"})
_INPUT: Final = frozenset(INPUT_METERS)
_OUTPUT: Final = frozenset(OUTPUT_METERS)
_INSIDE: Final = '"model":'
"""Stands in the lines of an answer in which other models were used."""


class _Line(msgspec.Struct, gc=False):
    dimension: str
    amount: Decimal


_Place = tuple[str | None, str | None, str, str, str | None, str | None]

_meters: Final = msgspec.json.Decoder(dict[str, int | Decimal]).decode
_lines: Final = msgspec.json.Decoder(list[_Line]).decode
_context: Final = msgspec.json.Decoder(dict[str, str]).decode


def count_rows(
    tally: Tally,
    rows: Iterable[EntryColumns],
    names: Names,
    provider: str,
    *,
    apart: Collection[str],
    again: Callable[[Collection[str]], None],
    progress: Callable[[int], None],
) -> int:
    """Count rows into a tally.

    Args:
        tally: Takes them.
        rows: As a store gives them.
        names: The provider's names.
        provider: What its bills call the provider.
        apart: Entries that must be counted from their records.
        again: Counts these, and those that the rows do not tell in full.
        progress: Told how many were counted.

    Returns:
        How many.
    """
    width = tally.width_us
    seen: dict[_Place, tuple[Key, Key]] = {}
    money: dict[str, str] = {}
    left: list[str] = []
    number = 0
    for number, row in enumerate(rows, 1):
        entry_id, at, project, credential, role, model, billed, *ended = row
        status, total, meters, lines, context = ended
        if number % _EVERY == 0:
            progress(_EVERY)
        if role == "cache_hit" or status == "void":
            continue
        if entry_id in apart or (lines is not None and _INSIDE in lines):
            left.append(entry_id)
            continue
        place = (project, credential, role, model, billed, context)
        keys = seen.get(place)
        if keys is None:
            keys = seen[place] = _keys(place, names, provider)
        bucket = at - at % width
        if status in _WAITING:
            spot = (bucket, keys[0])
            tally.waiting[spot] = tally.waiting.get(spot, 0) + 1
            continue
        cell = _used(tally, bucket, keys, _meters(meters) if meters else {})
        if lines is not None and total is not None:
            _add_money(cell, money, total, lines)
    progress(number % _EVERY)
    again(left)
    return number


def _used(
    tally: Tally, bucket: int, keys: tuple[Key, Key], used: dict[str, int | Decimal]
) -> Measures:
    """Add what an entry used; gives the cell."""
    given = made = 0
    for meter, count in used.items():
        if meter in _INPUT:
            given += int(count)
        elif meter in _OUTPUT:
            made += int(count)
    spot = (bucket, keys[given > SHORT_PROMPT])
    cell = tally.cells.get(spot)
    if cell is None:
        cell = tally.cells[spot] = {REQUESTS: 0, ALL_INPUT: 0, ALL_OUTPUT: 0}
    cell[REQUESTS] += 1
    cell[ALL_INPUT] += given
    cell[ALL_OUTPUT] += made
    for meter, count in used.items():
        before = cell.get(meter, 0)
        both = type(count) is int and type(before) is int
        cell[meter] = before + count if both else add(before, count)
    return cell


def _add_money(cell: Measures, names: dict[str, str], total: str, lines: str) -> None:
    cell[_TOTAL] = add(cell.get(_TOTAL, 0), Decimal(total))
    for line in _lines(lines):
        name = names.get(line.dimension)
        if name is None:
            name = names[line.dimension] = money_of(line.dimension)
        cell[name] = add(cell.get(name, 0), line.amount)


def _keys(place: _Place, names: Names, provider: str) -> tuple[Key, Key]:
    """Give the keys of an entry, with a short prompt and with a long one."""
    project, credential, role, model, billed, context = place
    called = Called(project, credential, role, model, billed)
    said = _context(context) if context else {}
    short, long = (
        key_of(called, said, prompt, names, provider) for prompt in (0, SHORT_PROMPT + 1)
    )
    return short, long


_TOTAL: Final = money_of("")
