"""`flo2 calls`: the calls that were made, and the receipt of each.

Imports: gateway, ledger, stores, cli.bench.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import harmless, say_json, table
from flo2.cli.parse import instant_us
from flo2.cli.price_files import pricer
from flo2.cli.state import State, group
from flo2.cli.whose import one_account
from flo2.errors import NotFound
from flo2.gateway import receipt_json
from flo2.gateway.elsewhere import price_names
from flo2.ledger import Receipt
from flo2.prices import PriceRow
from flo2.repricing import Alternative, alternatives
from flo2.stores import EntryFilter, Store

__all__ = ["calls"]

_ACCOUNT = one_account("Whose calls.")


@group("calls", default="list")
def calls() -> None:
    """List calls and show receipts."""


@calls.command("list")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--since", metavar="TIME", help="Begun since: 7d (ago), 2026-11-01 or RFC 3339.")
@click.option("--key", help="Only this issued key's (its id).")
@_ACCOUNT
@click.pass_obj
def list_(state: State, *, limit: int, since: str | None, key: str | None, account: str) -> None:
    """List calls, the newest first."""
    with Bench(state) as bench:
        where = EntryFilter(
            account,
            key_id=key,
            since_us=None if since is None else instant_us(since, bench.now_us()),
            limit=limit,
            newest_first=True,
        )
        receipts = [
            receipt_json(_receipt(bench.store, account, exchange.exchange_id))
            for exchange in bench.store.exchanges(where)
        ]
    if state.as_json:
        say_json(receipts)
        return
    table(
        state,
        ["call", "started", "model", "answered by", "http", "cost", "status", "ms"],
        [
            [
                receipt["id"],
                receipt["started_at"][:19] + "Z",
                receipt["model_requested"],
                _answered_by(receipt),
                str(receipt["status"]),
                _cost(receipt),
                _statuses(receipt),
                f"{receipt['duration_ms']:.0f}",
            ]
            for receipt in receipts
        ],
        right=["cost", "ms"],
        empty='no calls yet; make one: flo2 chat "hi"',
    )


@calls.command("show")
@click.argument("id_", metavar="[ID]", required=False)
@_ACCOUNT
@click.pass_obj
def show(state: State, *, id_: str | None, account: str) -> None:
    """Show the receipt of call ID (x-flo2-request-id); without ID that of the newest one."""
    with Bench(state) as bench:
        if id_ is None:
            newest = bench.store.exchanges(EntryFilter(account, limit=1, newest_first=True))
            if not newest:
                raise NotFound('there are no calls yet; make one: flo2 chat "hi"')
            id_ = newest[0].exchange_id
        found = _receipt(bench.store, account, id_)
        if found.exchange is None and not found.entries:
            raise NotFound(
                f"account {account!r} has no call {id_!r}; see: flo2 calls list (a call shows here "
                "half a second after its end)"
            )
        others: Mapping[str, Sequence[Alternative]] = {}
        if found.exchange is not None and found.exchange.candidates:
            price = pricer(bench, bench.book, account)
            others = alternatives(found, price, price_names(bench.providers))
        receipt = receipt_json(found, others)
        rows = bench.book.rows if any(a.get("lines") for a in receipt["attempts"]) else {}
    if state.as_json:
        say_json(receipt)
        return
    for line in receipt_lines(receipt, rows):
        click.echo(harmless(line))


def receipt_lines(receipt: Mapping[str, Any], rows: Mapping[str, PriceRow]) -> Iterable[str]:
    """Write a receipt for people.

    Args:
        receipt: As `receipt_json` gives it.
        rows: Price rows by id, for their sources; one that is not here is named only.
    """
    yield f"call       {receipt['id']}"
    if receipt["state"] == "crashed":
        yield "state      cut off: flo2 ended before it did"
    elif receipt["state"] == "running":
        yield "state      running, or cut off; it has not ended"
    else:
        yield f"asked for  {receipt['model_requested']} ({receipt['surface']}" + (
            ", stream)" if receipt["stream"] else ")"
        )
        yield f"answer     HTTP {receipt['status']}, {receipt['client']}"
        yield f"time       {receipt['started_at']}, {receipt['duration_ms']:.1f} ms, of these"
        yield f"           {receipt['overhead_ms']:.3f} ms flo2's own before the first byte"
        if receipt["route"]:
            yield f"route      {receipt['route']} ({receipt['strategy']})"
        if receipt["plan"]:
            yield f"why        {receipt['plan']}"
    yield f"key        {receipt['key']}"
    whom = {k: v for k, v in receipt["attribution"].items() if v}
    if whom:
        yield "for        " + ", ".join(f"{name} {value}" for name, value in whom.items())
    for loss in receipt.get("losses", ()):
        yield f"lost       {loss}"
    if receipt.get("error"):
        yield f"error      {receipt['error']}"
    yield f"cost       {_cost(receipt)} ({_statuses(receipt)})"
    for attempt in receipt["attempts"]:
        yield ""
        yield from _attempt_lines(attempt, rows)


def _attempt_lines(attempt: Mapping[str, Any], rows: Mapping[str, PriceRow]) -> Iterable[str]:
    head = f"attempt {attempt['attempt']}  {attempt['provider']}/{attempt['model']}"
    yield f"{head}  {attempt['role']}, {attempt.get('outcome', 'running')}, {attempt['status']}"
    if attempt["why"]:
        yield f"  why      {attempt['why']}"
    if "duration_ms" in attempt:
        first = attempt["time_to_first_token_ms"]
        told = "" if first is None else f", first byte after {first:.1f} ms"
        yield f"  time     {attempt['duration_ms']:.1f} ms{told}"
    billed = attempt.get("model_billed")
    if billed and billed != attempt["model"]:
        yield f"  billed   as {billed}"
    for loss in attempt["losses"]:
        yield f"  lost     {loss}"
    for line in attempt.get("lines", ()):
        yield from _line_lines(line, rows)
    if attempt.get("price_book"):
        yield f"  book     {attempt['price_book']}"
    bounds = attempt.get("bounds_usd")
    if bounds:
        yield f"  bounds   {bounds['low'] or '0'} to {bounds['high'] or 'no bound'} USD"
    if attempt.get("reason"):
        yield f"  reason   {attempt['reason']}"
    if attempt.get("rule"):
        yield f"  rule     {attempt['rule']}"
    yield from _sum_lines(attempt, rows)


def _sum_lines(attempt: Mapping[str, Any], rows: Mapping[str, PriceRow]) -> Iterable[str]:
    """Write what an attempt cost, what was corrected of that, and what it would have elsewhere."""
    currency = attempt.get("currency", "USD")
    if attempt.get("cost_usd") is not None:
        yield f"  sum      {attempt['cost_usd']} {currency}"
    if attempt.get("reported_usd") is not None:
        yield (
            f"  stated   {attempt['reported_usd']} {currency} by the provider, of that "
            f"{attempt['provider_difference_usd']} beside our lines"
        )
    for adjust in attempt.get("adjustments", ()):
        yield (
            f"  adjusted {adjust['amount']} {adjust['currency']}, {adjust['at'][:19]}Z: "
            f"{adjust['cause']}, {adjust['source']}"
        )
        for line in adjust["lines"]:
            yield from _line_lines(line, rows)
    if attempt.get("adjusted_cost_usd") is not None:
        yield f"  costs    {attempt['adjusted_cost_usd']} {currency}, corrections included"
    for other in attempt.get("alternatives", ()):
        yield f"  instead  {_instead(other)}"


def _instead(other: Mapping[str, Any]) -> str:
    if other["cost"] is None:
        return f"{other['target']}: unpriced ({other['reason']})"
    more = other["difference"]
    told = "" if more is None else f" ({more if more.startswith('-') else f'+{more}'})"
    return f"{other['target']}: {other['cost']} {other['currency']}{told}"


def _line_lines(line: Mapping[str, Any], rows: Mapping[str, PriceRow]) -> Iterable[str]:
    rounded = " (rounded)" if line["rounded"] else ""
    model = f" of {line['model']}" if line["model"] else ""
    factors = "".join(f" × {factor}" for factor in line["factors"].values())
    yield (
        f"  {line['dimension']}{model}: {line['quantity']} × {line['unit_price']} / "
        f"{line['per']}{factors} = {line['amount']} {line['currency']}{rounded}"
    )
    row = rows.get(line["row"])
    told = "" if row is None else f", {row.evidence}, {row.source}, read {row.read_on}"
    yield f"    row {line['row']}{told}"
    for name, factor in line["factors"].items():
        yield f"    × {factor} {name}"
    if line["contract"]:
        listed = f"{line['list_amount']} {line['currency']}"
        yield f"    at list price {listed}; contract {line['contract']}"


def _receipt(store: Store, account: str, exchange_id: str) -> Receipt:
    where = EntryFilter(account, exchange_id=exchange_id)
    exchanges = store.exchanges(where)
    return Receipt(
        exchanges[0] if exchanges else None,
        tuple(store.entries(where)),
        tuple(store.adjustments(where)),
    )


def _cost(receipt: Mapping[str, Any]) -> str:
    cost = receipt["cost"]
    if cost["total_usd"] is not None:
        return f"{cost['total_usd']} USD"
    known = "" if cost["known_usd"] == "0" else f"{cost['known_usd']} USD + "
    return f"{known}not known"


def _statuses(receipt: Mapping[str, Any]) -> str:
    counts = receipt["cost"]["statuses"]
    return ", ".join(f"{n} {s}" if n > 1 else s for s, n in counts.items()) or "no attempt"


def _answered_by(receipt: Mapping[str, Any]) -> str:
    attempts = receipt["attempts"]
    answered = [a for a in attempts if a.get("outcome") == "answered"] or attempts[-1:]
    return f"{answered[0]['provider']}/{answered[0]['model']}" if answered else "–"
