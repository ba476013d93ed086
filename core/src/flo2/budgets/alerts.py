"""Tell a budget's webhook that a threshold was passed: once, whichever worker sees it first.

Whoever claims a threshold in the store tells of it. Should it die before it has, nobody does: at
most once was asked for. Imports: model, rules, webhook, spending, secrets.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import frozen

from flo2.budgets.model import Budget
from flo2.budgets.periods import Period
from flo2.budgets.webhook import deliver
from flo2.instants import timestamp
from flo2.money import add, multiply, text
from flo2.secrets import Secret
from flo2.spending import BudgetStore, Standing
from flo2.wire import Wire

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Alert", "Alerts"]

_log = logging.getLogger("flo2.budgets")


@frozen
class Alert:
    """A threshold that was passed."""

    budget: Budget
    period: Period
    percent: int
    standing: Standing

    @property
    def id(self) -> str:
        """The same for every try to tell of it, and for no other."""
        told = (self.budget.account, self.standing.counter, str(self.percent))
        return f"flo2_{sha256(chr(0).join(told).encode()).hexdigest()[:32]}"

    def body(self, now_us: int) -> bytes:
        """Write it."""
        budget, period, standing = self.budget, self.period, self.standing
        data = {
            "account": budget.account,
            "budget": budget.name,
            "allows": budget.sentence(),
            "for": standing.label,
            "percent": self.percent,
            "limit_usd": text(budget.limit),
            "spent_usd": text(standing.spent),
            "pending_usd": text(standing.pending),
            "hard": budget.hard,
            "period": period.key,
            "resets_at": None if period.end_us is None else timestamp(period.end_us),
        }
        message = {"type": "budget.threshold", "timestamp": timestamp(now_us), "data": data}
        return json.dumps(message).encode()


class Alerts:
    """Finds and tells the thresholds of this worker's counters."""

    def __init__(
        self,
        store: BudgetStore,
        wire: Wire,
        resolve: Callable[[str], Secret],
        now_us: Callable[[], int],
        group: TaskGroup,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """Keep what it works with.

        Args:
            store: Where thresholds are claimed.
            wire: The way to the network.
            resolve: Reads the secret a reference points to.
            now_us: Wall clock.
            group: Where deliveries run; it outlives every call.
            sleep: Waits between the tries of a delivery.
        """
        self._store = store
        self._wire = wire
        self._resolve = resolve
        self._now_us = now_us
        self._group = group
        self._sleep = sleep
        self._asking = CapacityLimiter(1)

    async def look(self, budget: Budget, period: Period, standing: Standing) -> None:
        """Claim and tell every threshold that a counter has passed.

        Raises:
            StoreError: the store does not answer.
        """
        used = add(standing.spent, standing.pending)
        for percent in budget.alerts:
            if percent <= standing.alerted or multiply(used, 100) < multiply(budget.limit, percent):
                continue
            first = await to_thread.run_sync(
                self._store.claim_alert,
                standing.account,
                standing.counter,
                percent,
                limiter=self._asking,
            )
            if first:
                self._group.start_soon(self._tell, Alert(budget, period, percent, standing))

    async def _tell(self, alert: Alert) -> None:
        webhook = alert.budget.webhook
        if webhook is None:
            return
        why = await deliver(
            self._wire,
            webhook.url,
            lambda: self._resolve(webhook.secret),
            alert.id,
            alert.body(self._now_us()),
            now_us=self._now_us,
            sleep=self._sleep,
        )
        if why is not None:
            _log.error(
                "budget %r of account %r passed %d %%, and its webhook was not told: %s",
                alert.budget.name, alert.budget.account, alert.percent, why,
            )  # fmt: skip
