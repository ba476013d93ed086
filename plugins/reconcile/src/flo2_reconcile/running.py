"""What the commands do: read a bill or fetch it, reconcile, tell, write.

Imports: everything of this plugin, and flo2.cli.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import click

from flo2 import (
    BillingError,
    BillWindow,
    EntryFilter,
    Explainer,
    FetchesBills,
    Importer,
    NotFound,
    SealedCredential,
)
from flo2.billing import ADMIN_ROLE, is_money, meter_of
from flo2.cli.bench import Bench
from flo2.cli.key_input import ON_ARGV, may_be_key, read_key
from flo2.cli.output import harmless, say, say_json, table
from flo2.cli.parse import instant_us, pair
from flo2.cli.price_files import pricer
from flo2.cli.state import State
from flo2.contracts.calendar import month_of, next_month, read_month
from flo2.instants import instant, microseconds
from flo2.ledger import Corrections, adjusted_entries
from flo2.money import exact, text
from flo2_reconcile.applying import Planned, apply, plan
from flo2_reconcile.audit import audited
from flo2_reconcile.bill import Bill
from flo2_reconcile.booked import Names
from flo2_reconcile.fetching import BillFetch, forget
from flo2_reconcile.page import html_page
from flo2_reconcile.progress import Progress
from flo2_reconcile.reading import read_bills
from flo2_reconcile.reconciler import Outcome, Reconciler
from flo2_reconcile.report import outcome_json, short_keys, summary, write_csv
from flo2_reconcile.statement import Statement, make_statement
from flo2_reconcile.times import WIDTHS, stamp

__all__ = [
    "audit_command",
    "credential_command",
    "fetch_command",
    "reconcile_command",
    "statement_command",
]

_UNEXPLAINED: Final = 3
_SHOWN: Final = 40


def reconcile_command(state: State, /, **given: Any) -> int:
    """Reconcile, as `flo2 reconcile` says."""
    with Bench(state) as bench, Progress(bench.environ, quiet=state.as_json) as progress:
        account, provider = bench.account(given["account"]), given["provider"]
        now = bench.now_us()
        since, until = given["since"], given["until"]
        if since is None and until is not None:
            raise click.UsageError("--until needs --since")
        span = None if since is None else _span(since, until, now)
        # Before the first entry is read: whoever corrects one meanwhile is noticed.
        corrections = Corrections(bench.store) if given["apply"] else None
        bill = Bill(dict(_rates(given["rates"])), span)
        if given["fetch"]:
            if span is None:
                raise click.UsageError("--fetch needs --since")
            pages = _fetch(bench, progress, account, provider, span, given)
            own = bench.plugins.get("importer", _kind(bench, provider))
            read_bills(bill, pages, [own(own.Config(), bench.services)], progress.read)
        elif not given["bills"]:
            raise click.UsageError("give the bill: --bill FILE, or --fetch (needs an admin key)")
        read_bills(bill, given["bills"], _importers(bench, given), progress.read)
        mine = [c for c in bench.store.credentials(account) if c.provider == provider]
        names = Names.of(mine, dict(map(pair, given["keys"])))
        reconciler = Reconciler(
            bench.store,
            _explainers(bench),
            pricer(bench, bench.book, account),
            names,
            progress.entries,
        )
        billed_as = given["billed_as"] or _kind(bench, provider)
        outcome = reconciler.run(bill, account, provider, now, billed_as)
        planned = plan(outcome, bench.store)
        if given["html"] is not None:
            given["html"].write_text(html_page(outcome), encoding="utf-8")
        written = 0
        if corrections is not None and not planned.nothing:
            written = apply(planned, bench.store, corrections)
    if state.as_json:
        say_json({**outcome_json(outcome, planned), "applied": given["apply"], "written": written})
    elif given["as_csv"]:
        write_csv(outcome, sys.stdout)
    else:
        _tell(state, outcome, planned, applied=given["apply"], written=written)
    return 0 if outcome.is_proven else _UNEXPLAINED


def fetch_command(state: State, /, **given: Any) -> None:
    """Fetch, as `flo2 reconcile fetch` says."""
    with Bench(state) as bench, Progress(bench.environ, quiet=state.as_json) as progress:
        account = bench.account(given["account"])
        span = _span(given["since"], given["until"], bench.now_us())
        pages = _fetch(bench, progress, account, given["provider"], span, given)
    if state.as_json:
        say_json({"pages": [str(page) for page in pages]})
    else:
        for folder in sorted({page.parent for page in pages}):
            click.echo(harmless(str(folder)))
        say(f"{len(pages)} pages; compare them: flo2 reconcile --provider {given['provider']} …")


def credential_command(state: State, /, **given: Any) -> None:
    """Keep an admin credential, as `flo2 reconcile credential` says."""
    provider = given["provider"]
    words = (provider, given["file"], given["env"], given["project"])
    if any(word is not None and may_be_key(word) for word in words):
        raise click.UsageError(ON_ARGV)
    if sum([given["from_stdin"], given["file"] is not None, given["env"] is not None]) > 1:
        raise click.UsageError("give one of --stdin, --file and --env")
    with Bench(state) as bench:
        importer = _fetching(bench, _kind(bench, provider))
        account = bench.account(given["account"])
        host = importer.base_url.removeprefix("https://")
        role, label = _role(provider), f"{provider} bill"
        for old in _admin(bench, account, provider):
            bench.store.delete_credential(account, old.id)
        where: dict[str, Any] = {"now_us": bench.now_us(), "project": given["project"]}
        if given["env"] is not None:
            made = bench.vault.add_reference(
                account, role, host, label, f"env:{given['env']}", **where
            )
        else:
            secret = read_key(provider, from_stdin=given["from_stdin"], file=given["file"])
            made = bench.vault.add(account, role, host, label, secret, **where)
    if state.as_json:
        say_json({"id": made.id, "provider": provider, "host": made.host})
    else:
        say(f"kept {made.id} for {provider}'s bill, bound to {made.host}")


def statement_command(state: State, /, **given: Any) -> None:
    """Show a month, as `flo2 statement` says."""
    with Bench(state) as bench:
        account = bench.account(given["account"])
        month, since, until = _month(given["month"], bench.now_us())
        where = EntryFilter(account, since_us=since, until_us=until)
        made = make_statement(account, month, adjusted_entries(bench.store, where))
    if state.as_json:
        say_json(made.as_json())
    elif given["as_csv"]:
        rows = made.as_json()["providers"]
        heads = list(rows[0]) if rows else ["provider"]
        writer = csv.DictWriter(sys.stdout, ["account", "month", *heads], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"account": account, "month": month, **row} for row in rows)
    else:
        _tell_statement(state, made)


def audit_command(state: State, /, **given: Any) -> None:
    """Show the spread of resellers, as `flo2 audit` says."""
    with Bench(state) as bench:
        account, now = bench.account(given["account"]), bench.now_us()
        since, until = _span(given["since"] or "30d", given["until"], now)
        where = EntryFilter(account, since_us=since, until_us=until)
        known = bench.bare_providers
        resellers = {name for name, bound in known.items() if bound.provider.facts.reseller}
        spreads = audited(adjusted_entries(bench.store, where), resellers, bench.book)
    heads = ["reseller", "model", "calls", "paid", "at list", "spread", "%", "paid without list"]
    rows = [
        [
            each.reseller,
            each.model,
            str(each.calls),
            text(each.paid),
            text(each.at_list) if each.priced else "",
            text(each.spread) if each.priced else "",
            "" if each.percent is None else str(each.percent),
            text(each.paid_unpriced) if each.calls > each.priced else "",
        ]
        for each in spreads
    ]
    if state.as_json:
        say_json([dict(zip(heads, row, strict=True)) for row in rows])
    elif given["as_csv"]:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([heads, *rows])
    else:
        named = ", ".join(sorted(resellers)) or "none"
        empty = f"no calls through a reseller (configured: {named})"
        table(state, heads, rows, right=heads[2:], empty=empty)


# What they share ------------------------------------------------------------------------------


def _importers(bench: Bench, given: Mapping[str, Any]) -> Sequence[Importer]:
    plugins = bench.plugins
    kinds = plugins.kinds("importer")
    if given["kind"] is not None:
        kinds = (given["kind"],)
    elif given["mapping"] is not None:
        kinds = ("mapped",)
    made: list[Importer] = []
    for kind in kinds:
        importer = plugins.get("importer", kind)
        names = {each.name for each in attrs.fields(importer.Config)}
        settings = {
            name: given[name]
            for name in ("mapping", "table")
            if name in names and given[name] is not None
        }
        made.append(importer(importer.Config(**settings), bench.services))
    return made


def _explainers(bench: Bench) -> list[Explainer]:
    kinds = [bench.plugins.get("explainer", kind) for kind in bench.plugins.kinds("explainer")]
    return [kind(kind.Config(), bench.services) for kind in kinds]


def _kind(bench: Bench, provider: str) -> str:
    bound = bench.bare_providers.get(provider)
    return provider if bound is None else bound.provider.kind


def _fetching(bench: Bench, kind: str) -> FetchesBills:
    able = []
    for name in bench.plugins.kinds("importer"):
        importer = bench.plugins.get("importer", name)
        made = importer(importer.Config(), bench.services)
        if isinstance(made, FetchesBills):
            able.append(name)
            if name == kind:
                return made
    raise NotFound(
        f"the bill of {kind!r} cannot be fetched (it can for: {', '.join(able)}); download it from "
        "the provider's console and give it with --bill"
    )


def _role(provider: str) -> str:
    return f"{provider}{ADMIN_ROLE}"


def _admin(bench: Bench, account: str, provider: str) -> list[SealedCredential]:
    return [c for c in bench.store.credentials(account) if c.provider == _role(provider)]


def _fetch(
    bench: Bench,
    progress: Progress,
    account: str,
    provider: str,
    span: tuple[int, int],
    given: Mapping[str, Any],
) -> list[Path]:
    importer = _fetching(bench, _kind(bench, provider))
    kept = _admin(bench, account, provider)
    if not kept:
        raise NotFound(
            f"account {account!r} has no admin credential for {provider!r}; add it: "
            f"flo2 reconcile credential {provider}"
        )
    width = WIDTHS[given["width"]]
    start = span[0] - span[0] % WIDTHS["1d"]
    end = min(span[1] + -span[1] % WIDTHS["1d"], bench.now_us() - bench.now_us() % width)
    if end <= start:
        raise BillingError(f"nothing of {stamp(start)} is over yet; ask for an earlier time")
    window = BillWindow(start, end, given["width"], kept[0].project or "")
    secret = bench.vault.reveal(kept[0], importer.base_url.removeprefix("https://"))
    folder = bench.data_dir / "bills" / account / provider
    if given["again"]:
        forget(folder, window)

    async def run() -> list[Path]:
        async with bench.wire:
            fetch = BillFetch(importer, bench.wire, folder, secret, progress=progress.page)
            return await fetch.run(window)

    return anyio.run(run)


def _span(since: str, until: str | None, now: int) -> tuple[int, int]:
    start = instant_us(since, now)
    end = now if until is None else instant_us(until, now)
    minute = WIDTHS["1m"]
    start, end = start - start % minute, end - end % minute
    if end <= start:
        raise click.UsageError("--until lies before --since")
    return start, end


def _rates(given: Sequence[str]) -> Iterator[tuple[str, Decimal]]:
    for word in given:
        currency, value = pair(word)
        try:
            rate = exact(value)
        except ValueError as exc:
            raise click.BadParameter(str(exc), param_hint="--rate") from exc
        if rate <= 0:
            raise click.BadParameter(f"{word!r} must be above 0", param_hint="--rate")
        yield currency.upper(), rate


def _month(month: str | None, now: int) -> tuple[str, int, int]:
    try:
        first = _last_month(now) if month is None else read_month(month)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--month") from exc
    since, until = (datetime.combine(day, time(), UTC) for day in (first, next_month(first)))
    return f"{first:%Y-%m}", microseconds(since), microseconds(until)


def _last_month(now: int) -> date:
    return (month_of(instant(now), "UTC") - timedelta(days=1)).replace(day=1)


def _tell(state: State, outcome: Outcome, planned: Planned, *, applied: bool, written: int) -> None:
    if outcome.unexplained:
        click.echo("UNEXPLAINED")
        rows = [
            [gap.report, stamp(gap.start_us), short_keys(gap.keys), name, text(Decimal(count))]
            for gap in outcome.unexplained
            for name, count in sorted(gap.left.items())
        ]
        columns = ["report", "bucket", "of", "measure", "bill minus ledger"]
        table(state, columns, rows[:_SHOWN], right=columns[-1:])
        if len(rows) > _SHOWN:
            say(f"… and {len(rows) - _SHOWN} more; --json or --csv shows all")
        click.echo()
    causes = [
        [cause, str(count), text(amount)] for cause, (count, amount) in summary(outcome).items()
    ]
    if causes:
        table(state, ["explained by", "times", "USD"], causes, right=["times", "USD"])
    sums = [
        [one.sheet.report, _measure(name), _shown(one.billed, name), _shown(one.booked, name)]
        for one in outcome.compared
        for name in sorted(one.billed.keys() | one.booked.keys())
    ]
    if causes:
        click.echo()
    table(state, ["report", "measure", "billed", "ledger"], sums, right=["billed", "ledger"])
    for each in outcome.charges:
        if each.charge != "usage":
            say(f"{each.report}: {each.charge} {text(each.amount)} {each.currency} {each.invoice}")
    for notice, count in outcome.notices.items():
        say(f"note: {notice}" + (f" ({count} times)" if count > 1 else ""))
    verdict = "nothing is unexplained" if outcome.is_proven else "see above"
    say(f"{outcome.entries} entries of {outcome.provider}; {verdict}")
    if applied:
        say(f"{written} records written")
    elif not planned.nothing:
        say(f"{len(planned.records)} records would be written; to write: --apply")


def _measure(name: str) -> str:
    return f"USD {meter_of(name)}".strip() if is_money(name) else name


def _shown(figures: Mapping[str, int | Decimal], name: str) -> str:
    return text(Decimal(figures.get(name, 0)))


def _tell_statement(state: State, made: Statement) -> None:
    heads = ["provider", "calls", "paid", "at list", "discounts kept", "cache savings"]
    heads += ["race cost", "judge cost", "pending", "unpriced"]
    rows = [
        [
            f"{each.provider} ({each.currency})",
            str(each.calls),
            text(each.paid),
            text(each.listed),
            text(each.discounts),
            text(each.cache_saved),
            text(each.races),
            text(each.judges),
            str(each.pending),
            str(each.unpriced),
        ]
        for each in made.providers
    ]
    click.echo(f"{made.account}, {made.month}: paid to the providers directly")
    table(state, heads, rows, right=heads[1:], empty="no calls in this month")
    fee = "none" if made.platform_fee is None else text(made.platform_fee)
    click.echo(f"platform fee: {fee}   markup on tokens: {made.markup:.2f}")
