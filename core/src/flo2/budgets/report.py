"""Where budgets stand, for people and programs. Imports: model, periods, rules, spending, money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from attrs import frozen

from flo2.budgets.model import Budget, budget_json
from flo2.budgets.periods import Period, period_at, zone
from flo2.budgets.rules import counter_name
from flo2.instants import timestamp
from flo2.money import ZERO, add, text
from flo2.spending import Standing

__all__ = ["BudgetReport", "report_json", "reports"]


@frozen
class BudgetReport:
    """A budget in one period, and the counters that somebody has spent from.

    Attributes:
        standings: One; or one for each value that has the budget for itself.
    """

    budget: Budget
    period: Period
    standings: tuple[Standing, ...]

    def left(self, standing: Standing) -> Decimal:
        """Say what is neither spent, nor perhaps spent, nor in the hands of workers."""
        return max(add(self.budget.limit, -standing.taken), ZERO)


def reports(
    budgets: Iterable[Budget], standings: Sequence[Standing], now_us: int
) -> list[BudgetReport]:
    """Say where budgets of an account stand in the period of an instant."""
    made = []
    for budget in budgets:
        period = period_at(budget.per, zone(budget.time_zone), now_us)
        name = counter_name(budget.name, period)
        if budget.each is None:
            none = Standing(budget.account, name, None, ZERO, ZERO)
            found = [each for each in standings if each.counter == name] or [none]
        else:
            found = [each for each in standings if each.counter.startswith(f"{name}:")]
        made.append(BudgetReport(budget, period, tuple(found)))
    return made


def report_json(report: BudgetReport) -> dict[str, Any]:
    """Write a report; money is text.

    Returns:
        The declaration, its `account` and `name`, and `counters`: `for` whom, `spent_usd`,
        `pending_usd` at its upper bound, `in_hand_usd` and of which `workers`, `left_usd`;
        `resets_at`.
    """
    budget, period = report.budget, report.period
    return {
        "account": budget.account,
        "name": budget.name,
        **budget_json(budget),
        "period": period.key,
        "resets_at": None if period.end_us is None else timestamp(period.end_us),
        "counters": [
            {
                "counter": standing.counter,
                "for": standing.label,
                "spent_usd": text(standing.spent),
                "pending_usd": text(standing.pending),
                "in_hand_usd": text(standing.leased),
                "workers": {name: text(each) for name, each in sorted(standing.leases.items())},
                "left_usd": text(report.left(standing)),
            }
            for standing in report.standings
        ],
    }
