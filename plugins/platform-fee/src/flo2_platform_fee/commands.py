"""`flo2 fees`: plans, assignments, and the documents made of them.

Imports: assigning, documents, months, page.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flo2.cli.output import say, say_json, table
from flo2.cli.state import State, group
from flo2.contracts.calendar import read_month
from flo2.errors import ConfigError
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
from flo2_platform_fee.page import as_csv, as_html, title

if TYPE_CHECKING:
    from flo2.cli.bench import Bench

__all__ = ["fees"]

T = TypeVar("T")
_ACCOUNT = click.option("--account", default="default", show_default=True, help="Whose fee.")
_MONTH = click.option("--month", metavar="YYYY-MM", required=True, help="Which month.")
_CSV = click.option("--csv", "csv", is_flag=True, help="Answer in CSV.")
_HTML = click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a page that prints.",
)


def _bench(state: State) -> Bench:
    """Open the store; what that needs is loaded when a command runs, not by `flo2 --help`."""
    from flo2.cli.bench import Bench  # noqa: PLC0415  # see above

    return Bench(state)


@group("fees", default="list")
def fees() -> None:
    """Charge accounts for the gateway, never for tokens."""


@group("plans", default="list")
def plans_() -> None:
    """Declare fee plans and assign them to accounts."""


fees.add_command(plans_)


@plans_.command("set")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.pass_obj
def set_(state: State, *, name: str, file: Path) -> None:
    """Declare plan NAME, from a TOML or JSON file; one that is assigned does not change."""
    given = _read_file(file)
    with _bench(state) as bench:
        changed = put_plan(bench.store, name, given)
    if state.as_json:
        say_json({"name": name, "changed": changed})
    else:
        say(f"plan {name} {'is set' if changed else 'was so already'}")


@plans_.command("list")
@click.pass_obj
def list_plans(state: State) -> None:
    """List plans, and which accounts have them."""
    with _bench(state) as bench:
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


@plans_.command("show")
@click.argument("name")
@click.pass_obj
def show_plan(state: State, *, name: str) -> None:
    """Show plan NAME as it was read."""
    with _bench(state) as bench:
        say_json({"name": name, **find_plan(bench.store, name).document})


@plans_.command("assign")
@click.argument("name")
@click.option("--from", "since", metavar="DATE", required=True, help="First day.")
@click.option("--until", metavar="DATE", help="First day past it [no end].")
@click.option("--seats", type=int, default=0, help="Seats that are paid for.")
@_ACCOUNT
@click.pass_obj
def assign_(
    state: State, *, name: str, since: str, until: str | None, seats: int, account: str
) -> None:
    """Charge an account by plan NAME from a day on; the plan before ends there."""
    first = _given("--from", since, date.fromisoformat)
    end = None if until is None else _given("--until", until, date.fromisoformat)
    with _bench(state) as bench:
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


@fees.command("preview")
@_MONTH
@_ACCOUNT
@_CSV
@_HTML
@click.pass_obj
def preview(state: State, *, month: str, account: str, csv: bool, html: Path | None) -> None:
    """Show what a month comes to so far; nothing is issued."""
    with _bench(state) as bench:
        body = month_body(bench.store, account, _month(month), bench.now_us())
    _tell(state, [body], csv=csv, html=html)


@fees.command("issue")
@_MONTH
@click.option("--account", help="Only this account's [every one that has a plan].")
@click.option("--preview", "only_show", is_flag=True, help="As `flo2 fees preview`.")
@click.pass_obj
def issue_(state: State, *, month: str, account: str | None, only_show: bool) -> None:
    """Issue the invoices of a month that is over; once more gives the same ones."""
    first = _month(month)
    with _bench(state) as bench:
        store, now = bench.store, bench.now_us()
        names = [account] if account is not None else _charged(bench, first)
        if only_show:
            found = [month_body(store, name, first, now) for name in names]
        else:
            found = [issue(store, name, first, now).as_json() for name in names]
    if not found:
        say(f"no account has a fee plan in {month}")
    _tell(state, found)


@fees.command("list")
@click.option("--account", help="Only this account's.")
@_CSV
@click.pass_obj
def list_(state: State, *, account: str | None, csv: bool) -> None:
    """List invoices and credit notes."""
    with _bench(state) as bench:
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


@fees.command("show")
@click.argument("number", type=int)
@_CSV
@_HTML
@click.pass_obj
def show(state: State, *, number: int, csv: bool, html: Path | None) -> None:
    """Show document NUMBER."""
    with _bench(state) as bench:
        found = document(bench.store, number)
        notes = credits_of(bench.store, number)
    _tell(state, [found.as_json()], csv=csv, html=html)
    for note in notes:
        say(f"corrected by credit note {note.number}: {note.body['amount']}")


@fees.command("credit")
@click.argument("number", type=int)
@click.option("--amount", required=True, help="How much, in the invoice's currency.")
@click.option("--reason", required=True, help="Why; the account reads it.")
@click.option("--reference", required=True, help="Your own id of it: it is credited once.")
@click.pass_obj
def credit_(state: State, *, number: int, amount: str, reason: str, reference: str) -> None:
    """Correct invoice NUMBER by a credit note; the invoice stays as it is."""
    given = _given("--amount", amount, exact)
    with _bench(state) as bench:
        note = credit(bench.store, number, given, reason, reference, bench.now_us())
    _tell(state, [note.as_json()])


@fees.command("verify")
@click.pass_obj
def verify_(state: State) -> None:
    """Check that every document is what was issued."""
    with _bench(state) as bench:
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
                [f"{line['plan']}: {line['charge']}", f"{line['quantity']}", _days(line),
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


def _days(line: Mapping[str, Any]) -> str:
    return "" if line["days"] == line["of_days"] else f"{line['days']} of {line['of_days']}"


def _month(written: str) -> date:
    return _given("--month", written, read_month)


def _given(option: str, written: str, read: Callable[[str], T]) -> T:
    try:
        return read(written)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint=option) from exc


def _read_file(file: Path) -> Mapping[str, Any]:
    try:
        written = file.read_text("utf-8")
        if file.suffix == ".json":
            found = json.loads(written, parse_float=Decimal)
        else:
            found = tomllib.loads(written, parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as exc:
        raise ConfigError([f"{str(file)!r} cannot be read as TOML or JSON: {exc}"]) from exc
    if not isinstance(found, Mapping):
        raise ConfigError([f"{str(file)!r} holds no table"])
    return found
