"""Read the match clauses of genai-prices: which names a model has, as one regular expression.

Pure; takes their objects as they are. Imports: nothing of this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flo2.errors import PricingError

__all__ = ["equals_of", "literals_of", "may_meet", "only_equals", "regex_of"]


def equals_of(match: Any) -> Iterator[str]:
    """Give the names that a clause names in whole."""
    if hasattr(match, "equals"):
        yield match.equals
    for part in getattr(match, "or_", ()):
        yield from equals_of(part)


def only_equals(match: Any) -> bool:
    """Say whether a clause does nothing else."""
    if hasattr(match, "or_"):
        return all(only_equals(part) for part in match.or_)
    return hasattr(match, "equals")


def literals_of(match: Any) -> list[str | None]:
    """Give the texts a clause looks for; None for a regular expression."""
    for key in ("equals", "starts_with", "ends_with", "contains"):
        if hasattr(match, key):
            return [str(getattr(match, key)).lower()]
    parts = getattr(match, "or_", None) or getattr(match, "and_", None) or ()
    return [text for part in parts for text in literals_of(part)] or [None]


def may_meet(earlier: list[str | None], later: list[str | None]) -> bool:
    """Say of two clauses, by their literals, whether they may match one name: order decides then.

    A miss here is safe: a name that both patterns match is ambiguous then, and stays unpriced.
    """
    return any(a is None or b is None or a in b or b in a for a in earlier for b in later)


def regex_of(match: Any) -> str:
    """Write a match clause as a regular expression for a whole name."""
    if hasattr(match, "equals"):
        return re.escape(str(match.equals))
    if hasattr(match, "starts_with"):
        return re.escape(str(match.starts_with)) + ".*"
    if hasattr(match, "ends_with"):
        return ".*" + re.escape(str(match.ends_with))
    if hasattr(match, "contains"):
        return ".*" + re.escape(str(match.contains)) + ".*"
    if hasattr(match, "regex"):
        return f".*(?:{match.regex}).*"
    if hasattr(match, "or_"):
        return "(?:" + "|".join(regex_of(part) for part in match.or_) + ")"
    if hasattr(match, "and_"):
        return "".join(f"(?={regex_of(part)}\\Z)" for part in match.and_) + ".*"
    raise PricingError(f"unknown clause {type(match).__name__}")
