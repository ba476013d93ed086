"""Read Cohere's usage, which bills by units and counts tokens beside them. Pure. Imports: flo2.

Source: https://docs.cohere.com/docs/how-does-cohere-pricing-work (read 2026-11-25): what is billed
are `billed_units`; `tokens` hold Cohere's own preamble and templates too (recordings/cohere, wire
fact 41: 84 and 314 are billed of 1501 and 346).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from flo2 import Usage

__all__ = ["read_usage", "write_usage"]

_METER_OF: Final[Mapping[str, str]] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    # Embeddings of pictures: by the token or, for the older models, by the picture. Both are beside
    # the tokens of text (recordings/cohere, embed).
    "image_tokens": "input_image_tokens",
    "images": "input_images",
    "search_units": "search_units",
    "classifications": "classifications",
}


def read_usage(raw: Mapping[str, Any], dialect: str) -> Usage:
    """Normalise a usage object; never raises.

    Args:
        raw: `usage` of a chat, `meta` of embeddings.
        dialect: Whose it is.
    """
    quantities: dict[str, int | Decimal] = {}
    billed = raw.get("billed_units")
    if not isinstance(billed, Mapping):
        problem = f"billed_units is {billed!r}: what is billed is not told"
        return Usage({}, raw=raw, dialect=dialect, problem=problem)
    for name, value in billed.items():
        if value is None or value == 0:
            continue
        meter, count = _METER_OF.get(name), _exact(value)
        if meter is None or count is None:
            problem = f"billed_units.{name} is {value!r}, which no meter holds"
            return Usage({}, raw=raw, dialect=dialect, problem=problem)
        quantities[meter] = count
    return Usage(quantities, _told(raw), raw=raw, dialect=dialect)


def _exact(value: Any) -> int | Decimal | None:
    """Give a unit as it was written; Cohere declares them as decimal numbers."""
    if type(value) is int and value > 0:
        return value
    if type(value) is not float or not 0 < value < float("inf"):
        return None
    return int(value) if value.is_integer() else Decimal(repr(value))


def _told(raw: Mapping[str, Any]) -> dict[str, int]:
    """Give the counts that are not billed: what the model read and wrote, and what was cached."""
    tokens = raw.get("tokens")
    tokens = tokens if isinstance(tokens, Mapping) else {}
    counts = {
        "reasoning_tokens": _exact(tokens.get("reasoning_tokens")),
        "model_input_tokens": _exact(tokens.get("input_tokens")),
        "model_output_tokens": _exact(tokens.get("output_tokens")),
        "cached_tokens": _exact(raw.get("cached_tokens")),
    }
    return {name: int(count) for name, count in counts.items() if count is not None}


def write_usage(usage: Usage, dialect: str) -> dict[str, Any]:
    """Write a usage object: Cohere's own one where it is one."""
    if usage.dialect == dialect and usage.raw:
        return dict(usage.raw)
    told = usage.as_told
    counts = {"input_tokens": told.input_total, "output_tokens": told.output_total}
    return {"billed_units": counts, "tokens": dict(counts)}
