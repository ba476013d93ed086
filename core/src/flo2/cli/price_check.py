"""Compare price sources with each other; for `flo2 prices check` and `flo2 prices diff`.

Imports: prices, config, cli.bench.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from flo2.cli.bench import Bench
from flo2.cli.price_files import CONFIGURED, read_layer
from flo2.cli.price_text import conditions, price, row_json, validity
from flo2.errors import PricingError
from flo2.money import text
from flo2.prices import Layer, PriceRow
from flo2.prices.diff import Change, changes
from flo2.prices.disagree import Accepted, Disagreement, disagreements

__all__ = ["Checked", "change_json", "check", "checked_json", "compare", "read_accepted"]


@frozen
class Checked:
    """What a look at the sources showed.

    Attributes:
        open: Disagreements that nobody has looked into.
        accepted: How many somebody has.
        unused: Reasons for what is no disagreement any more.
        ending: Rows that end soon, with nothing after them.
    """

    open: tuple[Disagreement, ...]
    accepted: int
    unused: tuple[Accepted, ...]
    ending: tuple[PriceRow, ...]


def check(
    layers: Sequence[Layer], accepted: Sequence[Accepted], at: datetime, soon: timedelta
) -> Checked:
    """Compare the sources with each other, and look for prices that end."""
    # A reason about a source that is not there says nothing now.
    names = {layer.name for layer in layers}
    unused = dict.fromkeys(each for each in accepted if each.source in {"*", *names})
    left, known = [], 0
    for found in disagreements(layers, at):
        reasons = [each for each in accepted if each.covers(found)]
        for each in reasons:
            unused.pop(each, None)
        known += bool(reasons)
        if not reasons:
            left.append(found)
    rows = [row for layer in layers for row in layer.rows]
    return Checked(tuple(left), known, tuple(unused), tuple(_ending(rows, at, at + soon)))


def _ending(rows: Sequence[PriceRow], at: datetime, until: datetime) -> Iterable[PriceRow]:
    """Give the rows that end in a stretch of time, and that no row of their kind follows."""
    follow: defaultdict[tuple[str, str, datetime], list[PriceRow]] = defaultdict(list)
    for row in rows:
        if row.valid_from is not None:
            follow[row.provider, row.dimension, row.valid_from].append(row)
    for row in rows:
        end = row.valid_until
        if end is None or not at < end <= until:
            continue
        if not any(
            other.when == row.when
            and (other.models & row.models or (row.pattern and row.pattern == other.pattern))
            for other in follow[row.provider, row.dimension, end]
        ):
            yield row


def read_accepted(path: Path) -> tuple[Accepted, ...]:
    """Read a list of disagreements that were looked into: `[[accept]]` tables.

    Raises:
        PricingError: the file cannot be read, or an entry has no reason.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise PricingError(f"{str(path)!r} cannot be read: {exc}") from exc
    found = []
    for index, entry in enumerate(document.get("accept", [])):
        given = {"meter": "*", "source": "*", **entry} if isinstance(entry, Mapping) else {}
        names = [field.name for field in attrs.fields(Accepted)]
        if sorted(given) != sorted(names) or not all(
            isinstance(each, str) and each for each in given.values()
        ):
            raise PricingError(
                f"expected the texts {', '.join(names)}, got {entry!r} @ {path.name}: "
                f"accept[{index}]"
            )
        found.append(Accepted(**given))
    return tuple(found)


def compare(bench: Bench, old: str, new: str) -> list[Change]:
    """Compare two price files; of the book, only models that the file names.

    Raises:
        PricingError: a file cannot be read.
    """
    before, after = _rows_of(bench, old), _rows_of(bench, new)
    if old == CONFIGURED:
        before = _of_models(bench, after)
    elif new == CONFIGURED:
        after = _of_models(bench, before)
    return list(changes(before, after))


def _rows_of(bench: Bench, name: str) -> Iterable[PriceRow]:
    return () if name == CONFIGURED else read_layer(bench, name).rows


def _of_models(bench: Bench, rows: Iterable[PriceRow]) -> Sequence[PriceRow]:
    """Give the book's rows for the models of these rows: what they would take the place of."""
    found: dict[str, PriceRow] = {}
    for row in rows:
        for name in row.models:
            for each in bench.book.rows_for(row.provider, name):
                kept = attrs.evolve(each, models=row.models & (each.models | {name}), pattern=None)
                found[f"{each.id} {name}"] = kept
    return tuple(found.values())


def checked_json(checked: Checked, book: str) -> dict[str, Any]:
    """Write what a check showed."""
    return {
        "book": book,
        "disagreements": [
            {
                "provider": each.provider,
                "model": each.model,
                "meter": each.meter,
                "context": dict(each.context),
                "input_total": each.input_total,
                "per_million": {
                    source: text(amount)
                    for source, amount in zip(each.sources, each.prices, strict=True)
                },
                "rows": list(each.rows),
            }
            for each in checked.open
        ],
        "accepted": checked.accepted,
        "unused": [attrs.asdict(each) for each in checked.unused],
        "ending": [row_json(row) for row in checked.ending],
    }


def change_json(change: Change) -> dict[str, Any]:
    """Write a change."""
    row = change.new or change.old
    return {
        "kind": change.kind,
        "provider": change.provider,
        "model": change.model,
        "meter": change.meter,
        "when": "" if row is None else "; ".join(filter(None, (conditions(row), validity(row)))),
        "old": None if change.old is None else price(change.old),
        "new": None if change.new is None else price(change.new),
        "ratio": None if change.ratio is None else text(change.ratio),
    }
