"""One limit, made ready: whether a call falls under it, and under which counter.

Pure. Imports: admission, spec.
"""

from __future__ import annotations

import hashlib
import hmac

from flo2.admission import Asked, value_of
from flo2.limits.spec import OF_ATTEMPTS, Limit

__all__ = ["Rule"]


class Rule:
    """A limit that is asked.

    Attributes:
        unit: What is counted, as a part of a header's name.
        amount: How much, as headers say it.
    """

    __slots__ = ("_name", "_only", "_pepper", "amount", "limit", "unit")

    def __init__(self, limit: Limit, pepper: bytes) -> None:
        """Work out what does not depend on the call.

        Args:
            limit: What was declared.
            pepper: Keys the digests by which counters of customers and the like are named.
        """
        self.limit: Limit = limit
        self.amount: str = limit.told(limit.amount)
        parallel = limit.unit == "parallel"
        self.unit: str = "parallel-requests" if parallel else limit.unit.replace("_", "-")
        self._only = tuple(pair for pair in limit.only.items() if pair[0] not in OF_ATTEMPTS)
        self._name = f"limit:{limit.name}:{limit.unit}:{limit.per or ''}"
        self._pepper = pepper

    def applies(self, asked: Asked) -> bool:
        """Say whether a call is one of those that it is for."""
        return not self._only or all(_value(name, asked) == want for name, want in self._only)

    def counter(self, asked: Asked) -> str:
        """Name the counter that a call falls under.

        Not by the value itself: it may be a person's name.
        """
        each = self.limit.each
        if each is None:
            return self._name
        value = (_value(each, asked) or "").encode("utf-8", "replace")
        return f"{self._name}:{hmac.new(self._pepper, value, hashlib.sha256).hexdigest()[:32]}"


def _value(dimension: str, asked: Asked) -> str | None:
    """Say what a call is for; None: it does not say."""
    if dimension == "route":
        return asked.route
    return value_of(dimension, asked.key, asked.attribution)
