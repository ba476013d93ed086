"""Read the two sums that these usage objects have. Imports: openai_chat's counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.dialects.openai_chat.counts import Unsound, count_of, refuse_unknown

__all__ = ["in_and_out"]


def in_and_out(raw: Mapping[str, Any], known: frozenset[str]) -> tuple[int, int]:
    """Read input and output tokens, check their total, and that nothing else is counted.

    Raises:
        Unsound: it does not add up.
    """
    if raw.get("input_tokens") is None:
        raise Unsound("it tells no input_tokens")
    refuse_unknown(raw, known)
    given, made = count_of(raw, "input_tokens"), count_of(raw, "output_tokens")
    total = raw.get("total_tokens")
    if total is not None and count_of(raw, "total_tokens") != given + made:
        raise Unsound(f"total_tokens {total} is not input {given} + output {made}")
    return given, made
