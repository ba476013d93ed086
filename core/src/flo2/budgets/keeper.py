"""What goes on beside the calls: money not needed goes back, thresholds are told, old doubts age.

Imports: purse, gate, alerts, spending, errors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import anyio
from anyio import to_thread

from flo2.budgets.alerts import Alerts
from flo2.budgets.gate import BudgetGate
from flo2.budgets.model import Budget
from flo2.budgets.periods import period_at, zone
from flo2.budgets.purse import Pot, Purse
from flo2.budgets.rules import budget_of, counter_name
from flo2.errors import StoreError
from flo2.money import ZERO
from flo2.spending import BudgetStore

__all__ = ["Keeper"]

_EVERY_S: Final = 1.0
_IDLE_S: Final = 5.0
_FORGET_S: Final = 60.0
_AGE_S: Final = 60.0
_DAY_US: Final = 86_400_000_000
_log = logging.getLogger("flo2.budgets")


class Keeper:
    """Looks after this worker's budgets, every second.

    Attributes:
        gates: By account; replaced whole when declarations change.
    """

    def __init__(
        self,
        store: BudgetStore,
        purse: Purse,
        alerts: Alerts,
        now_us: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """Begin with no budgets."""
        self.gates: Mapping[str, BudgetGate] = {}
        self.purse: Purse = purse
        self._store = store
        self._alerts = alerts
        self._now_us = now_us
        self._clock = clock
        self._aged_s = -_AGE_S
        self._told = False

    async def run(self) -> None:
        """Look after them for ever; cancel it to stop. A store that fails is tried again."""
        while True:
            await anyio.sleep(_EVERY_S)
            try:
                await self.once()
            except StoreError as exc:
                if not self._told:
                    _log.error("budgets wait for the store: %s", exc)  # once
                self._told = True
            else:
                self._told = False

    async def once(self) -> None:
        """Look after them once.

        Raises:
            StoreError: the store fails.
        """
        pots = self.purse.pots
        if pots:
            await self._alert(pots)
            await self.purse.give_back(idle_s=_IDLE_S, forget_s=_FORGET_S)
        if self._clock() - self._aged_s >= _AGE_S:
            self._aged_s = self._clock()
            await self._age()

    async def _alert(self, pots: Iterable[Pot]) -> None:
        """Look at the counters that calls have ended under since the last time, and a while on."""
        now_us, now_s = self._now_us(), self._clock()
        watched: dict[Pot, Budget] = {}
        for pot in pots:
            gate = self.gates.get(pot.account)
            if gate is None:
                continue
            name = budget_of(pot.counter)
            for budget in gate.budgets:
                # What ended lately may not be stored yet; a store that was down takes it later.
                recent = now_s - pot.used_s < _FORGET_S
                if budget.name == name and budget.alerts and (pot.running or recent):
                    watched[pot] = budget
        if not watched:
            return
        await self.purse.look(watched)
        for pot, budget in watched.items():
            period = period_at(budget.per, zone(budget.time_zone), now_us)
            name = counter_name(budget.name, period)
            current = pot.counter == name or pot.counter.startswith(f"{name}:")
            if pot.standing is not None and current:
                await self._alerts.look(budget, period, pot.standing)

    async def _age(self) -> None:
        """Count what has been pending for long at the share that its budget says."""
        for account, gate in self.gates.items():
            aging = {each.name: each for each in gate.budgets if each.pending_share is not None}
            if not aging:
                continue
            for standing in await to_thread.run_sync(self._store.standings, account, None):
                budget = aging.get(budget_of(standing.counter))
                if budget is None or budget.pending_days is None or budget.pending_share is None:
                    continue
                if standing.pending > ZERO:
                    before_us = self._now_us() - budget.pending_days * _DAY_US
                    await to_thread.run_sync(
                        self._store.age_pending,
                        account,
                        standing.counter,
                        before_us,
                        budget.pending_share,
                    )
