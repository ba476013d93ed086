"""One budget, made ready: whether it covers a call, and which counter the call falls under.

Imports: admission, model, periods, purse, errors.
"""

from __future__ import annotations

import hmac
from typing import Final

from flo2.admission import value_of
from flo2.budgets.model import Budget, storable
from flo2.budgets.periods import Period, period_at, zone
from flo2.budgets.purse import Claim, Purse
from flo2.errors import InvalidRequest
from flo2.records import Attribution
from flo2.stored import IssuedKey

__all__ = ["Rule", "budget_of", "counter_name"]

_KEPT: Final = 4096


def counter_name(budget: str, period: Period, digest: str | None = None) -> str:
    """Name a counter: of a budget, in a period, and of one value where each has its own.

    The value itself stands in no record: it may be a person's name, and records do not change.
    """
    name = f"{budget}:{period.key}"
    return name if digest is None else f"{name}:{digest}"


def budget_of(counter: str) -> str:
    """Say of which budget a counter is: no name of a budget has a colon."""
    return counter.partition(":")[0]


class Rule:
    """A budget that is asked.

    Attributes:
        period: The one of the last call.
    """

    def __init__(self, budget: Budget, purse: Purse, pepper: bytes) -> None:
        """Work out what does not depend on the call."""
        self.budget: Budget = budget
        self.period: Period = Period("", 0, 0)
        self._purse = purse
        self._pepper = pepper
        self._zone = zone(budget.time_zone)
        self._only = tuple(budget.only.items())
        self._needed = budget.labels if budget.hard else frozenset[str]()
        self._digests: dict[str, str] = {}

    def applies(self, key: IssuedKey, whom: Attribution) -> bool:
        """Say whether a call falls under it."""
        if any(value_of(name, key, whom) != value for name, value in self._only):
            return False
        each = self.budget.each
        return each is None or value_of(each, key, whom) is not None

    def claim(self, key: IssuedKey, whom: Attribution, now_us: int) -> Claim | None:
        """Give the counter a call falls under; None: under none.

        Raises:
            InvalidRequest: it does not say whom it is for, so nobody can tell.
        """
        budget = self.budget
        if self._only or budget.each is not None:
            if self._needed and budget.covers(key):
                self._demand(key, whom)
            if not self.applies(key, whom):
                return None
        if not self.period.holds(now_us):
            self.period = period_at(budget.per, self._zone, now_us)
        label = digest = None
        if budget.each is not None:
            value = storable(value_of(budget.each, key, whom) or "")
            label, digest = f"{budget.each}={value}", self._digest(value)
        counter = counter_name(budget.name, self.period, digest)
        return Claim(self._purse.pot(budget.account, counter, label), budget.limit, budget.hard)

    def _demand(self, key: IssuedKey, whom: Attribution) -> None:
        for name in sorted(self._needed):
            if value_of(name, key, whom) is None:
                header = "x-flo2-customer" if name == "customer" else "x-flo2-tags"
                raise InvalidRequest(
                    f"budget {self.budget.name!r} ({self.budget.sentence()}) cannot tell whether "
                    f"this call is its own: it names no {name}; send the header {header}",
                    code="label_required",
                    param=header,
                )

    def _digest(self, value: str) -> str:
        found = self._digests.get(value)
        if found is None:
            if len(self._digests) >= _KEPT:
                self._digests.clear()
            told = "\0".join((self.budget.account, self.budget.each or "", value)).encode()
            found = hmac.new(self._pepper, told, "sha256").hexdigest()[:24]
            self._digests[value] = found
        return found
