"""Read a stated charge with every digit that was sent.

JSON's numbers with a fraction are read as floats, which hold some 16 digits: enough for what they
are elsewhere, and not for money. So where a usage object states a charge, its answer is parsed once
more with decimals, and the charge alone is taken from it.
Pure. Imports: canonical, dialects.base.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from attrs import evolve

from flo2.canonical import Usage
from flo2.dialects.base import ReadUsage

__all__ = ["ANSWER", "exact_charge", "wants_answer"]

ANSWER: Final = "answer"
"""Under this key a usage object is given what stands beside it in its answer."""
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError)


def exact_charge(usage: Usage, read: ReadUsage, raw: Mapping[str, Any], data: bytes) -> Usage:
    """Give a usage whose charge is exact; the same where it states none, or a whole number.

    Args:
        usage: As `read` gave it.
        read: What reads a usage object of the host.
        raw: The object that was read.
        data: The answer, or the frame, that it stands in: at its top or in its `response`.
    """
    if usage.reported is None or not _has_fraction(raw):
        return usage
    try:
        answer = _decode(data)
    except _GARBAGE:
        return usage
    if isinstance(inner := answer.get("response"), dict):
        answer = inner
    found = answer.get("usage")
    if not isinstance(found, dict):
        return usage
    again = read({**raw, **found, **({ANSWER: answer} if ANSWER in raw else {})})
    return evolve(usage, reported=again.reported)


def wants_answer(read: ReadUsage) -> bool:
    """Say whether a reader of usage is given the whole answer as well, under `ANSWER`.

    It says so itself, by an attribute `wants_answer`, and keeps the answer out of `Usage.raw`.
    """
    return getattr(read, "wants_answer", False) is True


def _has_fraction(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_fraction, value.values()))
    return isinstance(value, float)
