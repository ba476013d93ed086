"""Price rows in words.

Pure. Imports: prices, money.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flo2.errors import InvalidRequest
from flo2.money import text
from flo2.prices import Cost, PriceBook, PriceRow, Tier

__all__ = ["conditions", "on_paper", "price", "row_json", "split_model", "validity"]

_MILLION = 1_000_000
_FEW = 3
_PER = {1: "", 1000: " / 1k", _MILLION: " / 1M"}


def row_json(row: PriceRow) -> dict[str, Any]:
    """Write a price row."""
    return {
        "id": row.id,
        "provider": row.provider,
        "models": sorted(row.models),
        "pattern": row.pattern,
        "meter": row.dimension,
        "unit_price": text(row.unit_price),
        "per": row.per,
        "currency": row.currency,
        "when": {key: sorted(values) for key, values in sorted(row.when.items())},
        "tier": None if row.tier is None else _tier_json(row.tier),
        "schedule": None if row.schedule is None else str(row.schedule),
        "minimum": None if row.minimum is None else text(row.minimum),
        "step": None if row.step is None else text(row.step),
        "valid_from": None if row.valid_from is None else row.valid_from.isoformat(),
        "valid_until": None if row.valid_until is None else row.valid_until.isoformat(),
        "source": row.source,
        "read_on": row.read_on.isoformat(),
        "evidence": row.evidence,
    }


def price(row: PriceRow) -> str:
    """Say what it costs: `1.25 / 1M`."""
    return text(row.unit_price) + _PER.get(row.per, f" / {row.per}")


def conditions(row: PriceRow, *, whole: bool = True) -> str:
    """Say when a row holds, besides the time; of many values the first few, unless `whole`."""
    parts = [f"{key}={_values(values, whole=whole)}" for key, values in sorted(row.when.items())]
    if row.tier is not None:
        stop = "" if row.tier.stop is None else str(row.tier.stop - 1)
        what = "units" if row.tier.graduated else "input"
        parts.append(f"{what} {row.tier.start}–{stop}")
    if row.schedule is not None:
        parts.append(str(row.schedule))
    if row.minimum is not None:
        parts.append(f"at least {text(row.minimum)}")
    if row.step is not None:
        parts.append(f"in steps of {text(row.step)}")
    return ", ".join(parts)


def _values(values: frozenset[str], *, whole: bool) -> str:
    listed = sorted(values)
    if whole or len(listed) <= _FEW:
        return "|".join(listed)
    return "|".join(listed[:_FEW]) + f"|… ({len(listed)})"


def split_model(model: str) -> tuple[str, str]:
    """Read `PROVIDER/MODEL`.

    Raises:
        InvalidRequest: it is not of that form.
    """
    provider, slash, name = model.partition("/")
    if not slash or not provider or not name:
        raise InvalidRequest(f"{model!r} is not PROVIDER/MODEL", param="model")
    return provider, name


def _tier_json(tier: Tier) -> dict[str, Any]:
    return {"start": tier.start, "stop": tier.stop, "graduated": tier.graduated}


def validity(row: PriceRow) -> str:
    """Say from when to when a row holds; "" when neither is known."""
    begin = "" if row.valid_from is None else row.valid_from.date().isoformat()
    end = "" if row.valid_until is None else row.valid_until.date().isoformat()
    return f"{begin} – {end}".strip() if begin or end else ""


def on_paper(cost: Cost, book: PriceBook) -> Iterator[str]:
    """Write a cost as a person would work it out: each line, where its price stands, the sum."""
    if cost.total is None:
        yield f"{cost.status}: {cost.reason}"
        return
    factors = [f"{line.quantity} × {text(line.unit_price)} / {line.per}" for line in cost.lines]
    amounts = [text(line.amount) for line in cost.lines]
    names = [f"{line.model} {line.dimension}".strip() for line in cost.lines]
    wide = [max(map(len, [*each, "total"]), default=0) for each in (names, factors, amounts)]
    for name, factor, amount, each in zip(names, factors, amounts, book.explain(cost), strict=True):
        rounded = "  rounded at 1e-12" if each.line.rounded else ""
        yield f"{name:<{wide[0]}}  {factor:>{wide[1]}}  = {amount:>{wide[2]}}{rounded}"
        yield f"    {_because(each.row)}"
        yield f"    {each.row.source}, read {each.row.read_on.isoformat()}, {each.row.evidence}"
    sums = " + ".join(amounts) if len(amounts) > 1 else ""
    yield f"{'total':<{wide[0]}}  {'':>{wide[1]}}  = {text(cost.total)} {cost.currency}"
    if sums:
        yield f"    {sums}"


def _because(row: PriceRow) -> str:
    """Say why this row and no other: its id, and what it asks for."""
    asked = [part for part in (conditions(row), validity(row)) if part]
    return f"row {row.id}" + (f" ({'; '.join(asked)})" if asked else "")
