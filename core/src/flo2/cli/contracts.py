"""`flo2 contracts`: what accounts have agreed with their providers, and what a month comes to.

Imports: gateway, contracts, cli.bench.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.parse import declaration
from flo2.cli.state import State, group
from flo2.contracts.calendar import read_month
from flo2.contracts.invoice import ExchangeRate, Invoice, make_invoice
from flo2.contracts.statement import Statement
from flo2.errors import NotFound
from flo2.gateway.agreeing import (
    account_contracts,
    check_contract,
    declared,
    put_contract,
    remove_contract,
)
from flo2.gateway.contract_json import declared_json, invoice_json, statement_json, terms_of
from flo2.gateway.settling import close_month, month_name, statement_of
from flo2.instants import instant
from flo2.money import exact, text

__all__ = ["contracts"]

_ACCOUNT = click.option("--account", default="default", show_default=True, help="Whose contracts.")
_MONTH = click.option("--month", metavar="YYYY-MM", help="Which month [this one, of UTC].")
_FILE = click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@group("contracts", default="list")
def contracts() -> None:
    """Declare what was agreed with providers; see what a month comes to, and close it."""


@contracts.command("list")
@click.option("--account", help="Only this account's.")
@click.pass_obj
def list_(state: State, *, account: str | None) -> None:
    """List contracts, each version with the time in which it is in force."""
    found = _versions(state, account)
    if state.as_json:
        say_json(found)
        return
    table(
        state,
        ["contract", "in force from", "until", "terms", "version", "account"],
        [
            [
                each["name"],
                _day(each["in_force_from"]),
                _day(each["in_force_until"]),
                ", ".join(f"{len(names)} {kind}" for kind, names in each["terms"].items())
                or "ended",
                each["id"],
                each["account"],
            ]
            for each in found
        ],
        empty="no contracts: calls cost list prices; declare one: flo2 contracts set NAME FILE",
    )


@contracts.command("show")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def show(state: State, *, name: str, account: str) -> None:
    """Show every version of contract NAME, or the one of that id, as it was declared."""
    found = [each for each in _versions(state, account) if name in {each["name"], each["id"]}]
    if not found:
        raise NotFound(f"account {account!r} has no contract {name!r}; see: flo2 contracts list")
    say_json(found)


@contracts.command("set")
@click.argument("name")
@_FILE
@_ACCOUNT
@click.pass_obj
def set_(state: State, *, name: str, file: Path, account: str) -> None:
    """Declare a version of contract NAME, from a TOML or JSON file.

    It is in force from its `valid_from` on; earlier versions keep what they priced. All that is
    wrong with it is told at once, and nothing is declared then.
    """
    document = declaration(file)
    with Bench(state) as bench:
        now = bench.now_us()
        bench.account(account)
        contract, advice = check_contract(bench.store, bench.book, account, name, document, now)
        new = put_contract(bench.store, account, contract, document, now)
    if state.as_json:
        say_json({"id": contract.id, "new": new, "advice": advice, "terms": terms_of(contract)})
        return
    since = contract.validity.since
    say(f"{contract.id} {'is' if new else 'was already'} in force from {_day(_iso(since))}")
    _advise(advice)
    if new and since <= instant(now):
        say(
            "calls made since then keep their lines; to correct them: "
            f"flo2 ledger reprice --since {_day(_iso(since))}"
        )


@contracts.command("check")
@click.argument("name")
@_FILE
@_ACCOUNT
@click.pass_obj
def check(state: State, *, name: str, file: Path, account: str) -> None:
    """Say what `set` would say, and declare nothing."""
    document = declaration(file)
    with Bench(state) as bench:
        now = bench.now_us()
        contract, advice = check_contract(bench.store, bench.book, account, name, document, now)
    if state.as_json:
        say_json({"id": contract.id, "advice": advice, "terms": terms_of(contract)})
        return
    click.echo(f"✓ {contract.id} goes with the price book and the account's other contracts")
    _advise(advice)


@contracts.command("remove")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def remove(state: State, *, name: str, account: str) -> None:
    """End contract NAME now; what it priced keeps its terms."""
    with Bench(state) as bench:
        end = remove_contract(bench.store, account, name, bench.now_us())
    since = None if end is None else _iso(end.validity.since)
    if state.as_json:
        say_json({"account": account, "name": name, "ended": since})
    elif since is None:
        say(f"withdrew {name}; it had not begun")
    else:
        say(f"{name} ends {since}")


@contracts.command("statement")
@_MONTH
@_ACCOUNT
@click.option("--in", "currency", metavar="CURRENCY", help="In another currency; needs --rate.")
@click.option("--rate", metavar="NUMBER", help="What one unit is in that currency.")
@click.option("--rate-on", metavar="DATE", help="The day of the rate.")
@click.option("--rate-source", metavar="TEXT", help="Who says so: an invoice, a central bank.")
@click.pass_obj
def statement(
    state: State,
    *,
    month: str | None,
    account: str,
    currency: str | None,
    rate: str | None,
    rate_on: str | None,
    rate_source: str | None,
) -> None:
    """Show what a month comes to, so far: calls, terms, fees, cost and cash."""
    with Bench(state) as bench:
        now = bench.now_us()
        found = statement_of(bench.store, account, _month(month, now), now)
    given = None
    if any(each is not None for each in (currency, rate, rate_on, rate_source)):
        if currency is None or rate is None or rate_on is None or rate_source is None:
            raise click.UsageError("give --in, --rate, --rate-on and --rate-source together")
        given = _rate(found.currency, currency, rate, rate_on, rate_source)
    invoice = make_invoice(found, given)
    if state.as_json:
        say_json({**statement_json(found), "invoice": invoice_json(invoice)})
    else:
        _tell(state, found, invoice)


@contracts.command("close")
@click.option("--month", metavar="YYYY-MM", required=True, help="Which month; it must be over.")
@_ACCOUNT
@click.pass_obj
def close(state: State, *, month: str, account: str) -> None:
    """Book what a month's terms make of its calls, and its fees; records are only added.

    It may be closed again when something came late: only what differs is booked then.
    """
    with Bench(state) as bench:
        now = bench.now_us()
        done = close_month(bench.store, account, _month(month, now), now)
    if state.as_json:
        say_json({"written": done.written, **statement_json(done.statement)})
        return
    _tell(state, done.statement, make_invoice(done.statement))
    say(f"{done.written} records written" if done.written else "nothing was left to be booked")
    if done.statement.waiting:
        say(f"{done.statement.waiting} calls are not known yet; close it again when they are")


def _versions(state: State, account: str | None) -> list[dict[str, Any]]:
    with Bench(state) as bench:
        found = declared(bench.store, account)
        held = {
            (name, each.id): each
            for name in {each.account for each in found}
            for each in account_contracts(bench.store, name).versions
        }
    rows = [declared_json(each, held[each.account, each.contract.id]) for each in found]
    return sorted(rows, key=lambda row: (row["account"], row["name"], row["in_force_from"]))


def _month(written: str | None, now_us: int) -> date:
    if written is None:
        return instant(now_us).date().replace(day=1)
    try:
        return read_month(written)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--month") from exc


def _rate(of: str, currency: str, rate: str, on: str, source: str) -> ExchangeRate:
    try:
        number, day = exact(rate), date.fromisoformat(on)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--rate, --rate-on") from exc
    if number <= 0:
        raise click.BadParameter(f"{rate} is no rate: it must be above 0", param_hint="--rate")
    return ExchangeRate(of, currency, number, day, source)


def _tell(state: State, found: Statement, invoice: Invoice) -> None:
    ids = ", ".join(found.contracts) or "no contract in force"
    say(f"{found.account}, {month_name(found.month)}{'' if found.over else ' so far'}: {ids}")
    for used in found.used:
        facts = ", ".join(f"{name} {text(value)}" for name, value in used.facts.items())
        say(f"{used.kind} {used.name}: {facts}")
    rows = [[line.text, text(line.amount)] for line in invoice.lines]
    rows += [["due", f"{invoice.due:f}"]]
    table(state, ["", invoice.currency], rows, right=[invoice.currency])
    say(f"{found.entries} calls, at list price {text(found.listed)} {found.currency}")
    say(f"cost {text(found.cost)} {found.currency}, cash {text(found.cash)} {found.currency}")
    if (rate := invoice.rate) is not None:
        say(f"1 {rate.of} = {text(rate.rate)} {rate.currency} on {rate.on}, {rate.source}")
    if found.waiting:
        say(f"+ {found.waiting} calls whose cost is not known yet")
    if found.foreign:
        say(f"+ {found.foreign} calls in another currency")


def _advise(advice: list[str]) -> None:
    for line in advice:
        say(f"note: {line}")


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _day(at: str | None) -> str:
    return "" if at is None else at.removesuffix("T00:00:00Z")
