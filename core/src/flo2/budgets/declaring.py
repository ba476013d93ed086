"""Budgets as the store keeps them: declare, list, see where they stand, remove.

Blocking. Imports: declared, model, report, stores, errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flo2.budgets.model import KIND, Budget, budget_json, read_budget
from flo2.budgets.report import BudgetReport, reports
from flo2.declared import check_account, declare, find_declaration
from flo2.errors import ConfigError, InvalidRequest, NotFound
from flo2.stored import Declaration
from flo2.stores import Store

__all__ = ["budget_reports", "declared_budget", "put_budget", "remove_budget"]


def put_budget(
    store: Store, account: str, name: str, document: Mapping[str, Any], now_us: int
) -> tuple[Budget, bool]:
    """Check and declare a budget; the same once more changes nothing.

    What was spent in the running period under a budget of this name still counts.

    Returns:
        The budget, and whether anything changed.

    Raises:
        InvalidRequest: everything that is wrong with it, each with its path.
        NotFound: there is no such account.
    """
    check_account(store, account)
    told = Declaration(account, KIND, name, document, now_us)
    try:
        budget = read_budget(told, store.keys(account))
    except ConfigError as exc:
        raise InvalidRequest(str(exc), code="invalid_budget") from exc
    kept = Declaration(account, KIND, name, budget_json(budget), now_us)
    return budget, declare(store, kept)


def declared_budget(store: Store, account: str, name: str) -> Budget:
    """Give a budget.

    Raises:
        NotFound: the account has none of this name.
        ConfigError: it cannot be read.
    """
    found = find_declaration(store, KIND, account, name)
    if found is None:
        raise NotFound(f"account {account!r} has no budget {name!r}; see: flo2 budgets list")
    return read_budget(found)


def remove_budget(store: Store, account: str, name: str) -> None:
    """Remove a budget; calls that run are settled under it still.

    Raises:
        NotFound: the account has none of this name.
    """
    if not store.delete_declaration(account, KIND, name):
        raise NotFound(f"account {account!r} has no budget {name!r}; see: flo2 budgets list")


def budget_reports(
    store: Store, now_us: int, account: str | None = None, names: Iterable[str] | None = None
) -> list[BudgetReport]:
    """Say where budgets stand in the period of an instant, by account and name.

    Raises:
        ConfigError: one cannot be read.
    """
    wanted = None if names is None else set(names)
    by_account: dict[str, list[Budget]] = {}
    for each in store.declarations(KIND, account):
        if wanted is None or each.name in wanted:
            by_account.setdefault(each.account, []).append(read_budget(each))
    return [
        report
        for owner, budgets in by_account.items()
        for report in reports(budgets, store.standings(owner), now_us)
    ]
