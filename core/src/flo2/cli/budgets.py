"""`flo2 budgets`: so much money in a day, a week, a month or ever.

Imports: budgets, cli.bench.
"""

from __future__ import annotations

from typing import Any, get_args

import click

from flo2.budgets import Budget, BudgetReport, budget_json, report_json
from flo2.budgets.declaring import budget_reports, declared_budget, put_budget, remove_budget
from flo2.budgets.model import Unbounded
from flo2.budgets.periods import PERIODS
from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import duration_s, pairs
from flo2.cli.state import State, group
from flo2.cli.whose import any_account, one_account
from flo2.errors import NotFound
from flo2.instants import timestamp
from flo2.money import text
from flo2.spending import Standing

__all__ = ["budgets"]

_DAY_S = 86_400
_UNBOUNDED = get_args(Unbounded)
_ACCOUNT = one_account("Account the budget belongs to.")


@group("budgets", default="list")
def budgets() -> None:
    """Limit what is spent, exactly."""


@budgets.command("list")
@any_account()
@click.pass_obj
def list_(state: State, *, account: str | None) -> None:
    """List budgets and where they stand."""
    with Bench(state) as bench:
        found = budget_reports(bench.store, bench.now_us(), account)
    if state.as_json:
        say_json([report_json(each) for each in found])
        return
    _table(state, found)


@budgets.command("show")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def show(state: State, *, name: str, account: str) -> None:
    """Show budget NAME, and where it stands."""
    with Bench(state) as bench:
        budget = declared_budget(bench.store, account, name)
        (report,) = budget_reports(bench.store, bench.now_us(), account, [name])
    if state.as_json:
        say_json(report_json(report))
        return
    say(f"budget {name}: {budget.sentence()}, {_kind(budget)}")
    for setting, value in budget_json(budget).items():
        say(f"  {setting} = {value}")
    _table(state, [report])
    for standing in report.standings:
        for worker, amount in sorted(standing.leases.items()):
            say(f"  in hand of worker {worker}: {text(amount)} USD")


@budgets.command("set")
@click.argument("name")
@click.option("--limit", required=True, metavar="USD", help="How much, like 100 or 0.50.")
@click.option("--per", type=click.Choice(PERIODS), default="month", show_default=True)
@click.option("--zone", metavar="ZONE", help="Whose midnight counts, like Europe/Berlin; else UTC.")
@click.option(
    "--for",
    "only",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Only calls of: team, key, customer, tag:<name>. Repeatable.",
)
@click.option("--each", metavar="DIMENSION", help="Every value has the budget for itself.")
@click.option(
    "--hard/--soft", default=True, show_default=True, help="Refuse what does not fit, or only say."
)
@click.option(
    "--unbounded",
    type=click.Choice(_UNBOUNDED),
    help="What becomes of a call whose cost has no bound: refuse it (so it is without this), set "
    "its max_tokens (cap), or hold the most its model can do (model_max).",
)
@click.option("--max-tokens", type=int, help="What cap sets.")
@click.option("--pending-after", metavar="DURATION", help="After so long (30d) …")
@click.option("--pending-share", metavar="SHARE", help="… unknown amounts count at this share.")
@click.option("--alert", "alerts", type=int, multiple=True, metavar="PERCENT", help="Repeatable.")
@click.option("--webhook", metavar="URL", help="Who is told when a threshold is passed.")
@click.option("--secret", metavar="REFERENCE", help="What that is signed with: env:NAME, file:/…")
@_ACCOUNT
@click.pass_obj
def set_(state: State, /, *, name: str, account: str, **given: Any) -> None:
    """Declare budget NAME, or declare it anew; what was spent still counts."""
    document = _document(**given)
    with Bench(state) as bench:
        bench.account(account)
        budget, changed = put_budget(bench.store, account, name, document, bench.now_us())
    if state.as_json:
        told = {"account": account, "name": name, "changed": changed, **budget_json(budget)}
        say_json(told)
        return
    as_it_was = "" if changed else " (as it was)"
    say(f"budget {name}: {budget.sentence()}, {_kind(budget)}{as_it_was}")


@budgets.command("release")
@click.argument("worker")
@click.pass_obj
def release(state: State, *, worker: str) -> None:
    """Free what a WORKER has in hand that will never come back: its disk is lost.

    What it had begun and not stored is then counted nowhere. A worker that only crashed needs no
    such thing: the next one that starts beside its journal takes it over.
    """
    with Bench(state) as bench:
        held = {
            name
            for account in bench.store.accounts()
            for standing in bench.store.standings(account.id)
            for name in standing.leases
        }
        if worker not in held:
            raise NotFound(f"no worker {worker!r} has anything in hand; see: flo2 budgets --json")
        bench.store.end_leases(worker)
    if state.as_json:
        say_json({"worker": worker, "released": True})
    else:
        say(f"what {worker} had in hand is free")


@budgets.command("remove")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def remove(state: State, *, name: str, account: str) -> None:
    """Remove budget NAME."""
    with Bench(state) as bench:
        remove_budget(bench.store, account, name)
    if state.as_json:
        say_json({"account": account, "name": name, "removed": True})
    else:
        say(f"removed budget {name}")


def _document(
    *,
    limit: str,
    per: str,
    zone: str | None,
    only: tuple[str, ...],
    each: str | None,
    hard: bool,
    unbounded: str | None,
    max_tokens: int | None,
    pending_after: str | None,
    pending_share: str | None,
    alerts: tuple[int, ...],
    webhook: str | None,
    secret: str | None,
) -> dict[str, Any]:
    """Write options as a declaration; what was not given is left out, and checked with the rest."""
    pending: dict[str, Any] | None = None
    if pending_after is not None or pending_share is not None:
        pending = {"after_days": _days(pending_after), "share": pending_share}
    told = None
    if webhook is not None or secret is not None:
        told = {"url": webhook, "secret": secret}
    document = {
        "limit_usd": limit,
        "per": per,
        "time_zone": zone,
        "for": pairs(only) or None,
        "each": each,
        "hard": hard,
        "unbounded": unbounded,
        "max_tokens": max_tokens,
        "pending": pending,
        "alerts": list(alerts) or None,
        "webhook": told,
    }
    return {name: value for name, value in document.items() if value is not None}


def _days(duration: str | None) -> float | None:
    """Give a duration in days: a whole number, unless it is refused for being none."""
    if duration is None:
        return None
    days, rest = divmod(duration_s(duration), _DAY_S)
    return days + rest / _DAY_S if rest else days


def _table(state: State, found: list[BudgetReport]) -> None:
    table(
        state,
        ["budget", "for", "period", "limit", "spent", "pending", "in hand", "left", "", "account"],
        [_row(report, standing) for report in found for standing in report.standings or (None,)],
        right=("limit", "spent", "pending", "in hand", "left"),
        empty="no budgets; declare one: flo2 budgets set NAME --limit USD",
    )


def _row(report: BudgetReport, standing: Standing | None) -> list[str]:
    budget, period = report.budget, report.period
    until = "" if period.end_us is None else f" until {timestamp(period.end_us)}"
    amounts = ["", "", "", ""]
    whom = f"each {budget.each}" if budget.each else ""
    if standing is not None:
        amounts = [
            text(standing.spent),
            text(standing.pending),
            text(standing.leased),
            text(report.left(standing)),
        ]
        whom = standing.label or ", ".join(f"{k}={v}" for k, v in budget.only.items())
    when, limit = f"{period.key}{until}", text(budget.limit)
    return [budget.name, whom, when, limit, *amounts, _kind(budget), budget.account]


def _kind(budget: Budget) -> str:
    return "hard" if budget.hard else "soft"
