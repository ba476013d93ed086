"""Budgets: so much money in a day, a week, a month or ever, and not a digit more.

A call is held at its worst case before it is sent; what it did cost is counted when its end record
is stored (`flo2.spending`). Workers lease money, so that most holds ask nobody.
Imports: spending, admission, stores, wire, secrets.
"""

from flo2.budgets.alerts import Alert, Alerts
from flo2.budgets.gate import BudgetGate, Sizes
from flo2.budgets.keeper import Keeper
from flo2.budgets.model import KIND, Budget, budget_json, read_budget
from flo2.budgets.periods import Period, period_at
from flo2.budgets.purse import Purse
from flo2.budgets.report import BudgetReport, report_json, reports

__all__ = [
    "KIND",
    "Alert",
    "Alerts",
    "Budget",
    "BudgetGate",
    "BudgetReport",
    "Keeper",
    "Period",
    "Purse",
    "Sizes",
    "budget_json",
    "period_at",
    "read_budget",
    "report_json",
    "reports",
]
