"""What the commands do: declare and assign plans, issue documents, tell of them.

Imports: assigning, documents, months, page, and flo2.cli.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import declaration
from flo2.cli.state import State
from flo2.contracts.calendar import read_month
from flo2.money import exact
from flo2_platform_fee.assigning import (
    assign,
    assignment_json,
    assignments,
    find_plan,
    plans,
    put_plan,
)
from flo2_platform_fee.documents import credit, credits_of, document, documents, issue, verify
from flo2_platform_fee.fees import Assignment, stretches
from flo2_platform_fee.months import month_body
from flo2_platform_fee.page import as_csv, as_html, share, title

__all__ = [
    "assign_command",
    "credit_command",
    "issue_command",
    "list_command",
    "list_plans_command",
    "preview_command",
    "set_plan_command",
    "show_command",
    "show_plan_command",
    "verify_command",
]

T = TypeVar("T")


def set_plan_command(state: State, *, name: str, file: Path) -> None:
    """Declare a plan, as `flo2 fees plans set` says."""
    given = declaration(file)
    with Bench(state) as bench:
        changed = put_plan(bench.store, name, given)
    if state.as_json:
        say_json({"name": name, "changed": changed})
    else:
        say(f"plan {name} {'is set' if changed else 'was so already'}")


def list_plans_command(state: State) -> None:
    """List plans, as `flo2 fees plans list` says."""
    with Bench(state) as bench:
        known = plans(bench.store)
        held = {each.id: assignments(bench.store, each.id) for each in bench.store.accounts()}
    rows = [
        {
            "name": name,
            **plan.document,
            "accounts": [who for who, some in held.items() if name in {one.plan for one in some}],
        }
        for name, plan in sorted(known.items())
    ]
    if state.as_json:
        say_json(rows)
        return
    table(
        state,
        ["plan", "currency", "charges", "accounts"],
        [
            [
                row["name"],
                row["currency"],
                ", ".join(key for key in _CHARGED if key in row),
                ", ".join(row["accounts"]),
            ]
            for row in rows
        ],
        empty="no fee plans: nobody is charged; declare one: flo2 fees plans set NAME FILE",
    )


def show_plan_command(state: State, *, name: str) -> None:
    """Show a plan, as `flo2 fees plans show` says."""
    with Bench(state) as bench:
        say_json({"name": name, **find_plan(bench.store, name).document})


def assign_command(
    state: State, *, name: str, since: str, until: str | None, seats: int, account: str
) -> None:
    """Assign a plan, as `flo2 fees plans assign` says."""
    first = _given("--from", since, date.fromisoformat)
    end = None if until is None else _given("--until", until, date.fromisoformat)
    with Bench(state) as bench:
        bench.account(account)
        now = assign(bench.store, account, Assignment(name, first, end, seats), bench.now_us())
    if state.as_json:
        say_json({"account": account, "assignments": [assignment_json(each) for each in now]})
        return
    table(
        state,
        ["plan", "since", "until", "seats"],
        [[one.plan, f"{one.since}", f"{one.until or ''}", f"{one.seats or ''}"] for one in now],
    )


def preview_command(
    state: State, *, month: str, account: str, csv: bool, html: Path | None
) -> None:
    """Preview a month, as `flo2 fees preview` says."""
    with Bench(state) as bench:
        body = month_body(bench.store, account, _month(month), bench.now_us())
    _tell(state, [body], csv=csv, html=html)


def issue_command(state: State, *, month: str, account: str | None, only_show: bool) -> None:
    """Issue invoices, as `flo2 fees issue` says."""
    first = _month(month)
    with Bench(state) as bench:
        store, now = bench.store, bench.now_us()
        names = [account] if account is not None else _charged(bench, first)
        if only_show:
            found = [month_body(store, name, first, now) for name in names]
        else:
            found = [issue(store, name, first, now).as_json() for name in names]
    if not found:
        say(f"no account has a fee plan in {month}")
    _tell(state, found)


def list_command(state: State, *, account: str | None, csv: bool) -> None:
    """List documents, as `flo2 fees list` says."""
    with Bench(state) as bench:
        found = [each.as_json() for each in documents(bench.store, account)]
    if csv:
        click.echo(as_csv(found), nl=False)
    elif state.as_json:
        say_json(found)
    else:
        rows = [
            [title(each), each["account"], each["month"], each["issued_at"][:10], *_amount(each)]
            for each in found
        ]
        heads = ["document", "account", "month", "issued", "amount", "currency"]
        table(state, heads, rows, right=["amount"], empty="nothing was issued")


def show_command(state: State, *, number: int, csv: bool, html: Path | None) -> None:
    """Show a document, as `flo2 fees show` says."""
    with Bench(state) as bench:
        found = document(bench.store, number)
        notes = credits_of(bench.store, number)
    _tell(state, [found.as_json()], csv=csv, html=html)
    for note in notes:
        say(f"corrected by credit note {note.number}: {note.body['amount']}")


def credit_command(state: State, *, number: int, amount: str, reason: str, reference: str) -> None:
    """Credit an invoice, as `flo2 fees credit` says."""
    given = _given("--amount", amount, exact)
    with Bench(state) as bench:
        note = credit(bench.store, number, given, reason, reference, bench.now_us())
    _tell(state, [note.as_json()])


def verify_command(state: State) -> None:
    """Check documents, as `flo2 fees verify` says."""
    with Bench(state) as bench:
        number = verify(bench.store)
    if state.as_json:
        say_json({"documents": number, "intact": True})
    else:
        say(f"{number} documents, each as it was issued")


_CHARGED = ("free", "subscription", "seats", "requests", "active_keys", "trial_days")


def _charged(bench: Bench, month: date) -> list[str]:
    """Name the accounts that have a plan in a month."""
    known = plans(bench.store)
    return [
        each.id
        for each in bench.store.accounts()
        if stretches(assignments(bench.store, each.id), known, month)
    ]


def _tell(
    state: State, found: list[dict[str, Any]], *, csv: bool = False, html: Path | None = None
) -> None:
    if html is not None:
        html.write_text(as_html(found[0]), encoding="utf-8")
    if csv:
        click.echo(as_csv(found), nl=False)
        return
    if state.as_json:
        say_json(found if len(found) != 1 else found[0])
        return
    for each in found:
        amount, currency = _amount(each)
        say(f"{title(each)}: {each['account']}, {each['month']}")
        if each["kind"] == "credit_note":
            rows = [[each["reason"], "", "", amount]]
        else:
            rows = [
                [f"{line['plan']}: {line['charge']}", f"{line['quantity']}", share(line),
                 line["amount"]]
                for line in each["lines"]
            ] + [["due", "", "", amount]]  # fmt: skip
        table(state, ["", "quantity", "days", currency], rows, right=["quantity", currency])
        for row in each.get("tokens", {}).get("providers", ()):
            say(f"paid directly to {row['provider']}: {row['paid']} {row['currency']}")
        if "tokens" in each:
            say(f"markup on tokens: {each['tokens']['markup']}")


def _amount(each: Mapping[str, Any]) -> tuple[str, str]:
    if each["kind"] == "invoice":
        return each["total"], each["currency"]
    return f"-{each['amount']}", each["currency"]


def _month(written: str) -> date:
    return _given("--month", written, read_month)


def _given(option: str, written: str, read: Callable[[str], T]) -> T:
    try:
        return read(written)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint=option) from exc
