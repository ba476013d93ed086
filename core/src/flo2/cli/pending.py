"""`flo2 ledger pending`: what is not known yet, and what it may come to.

Imports: records, stores, money, cli.bench.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import click
from attrs import define

from flo2.cli.bench import Bench
from flo2.cli.output import say_json, table
from flo2.cli.state import State, command
from flo2.cli.whose import one_account
from flo2.money import ZERO, add, text
from flo2.records import Entry, Pend
from flo2.stores import EntryFilter

__all__ = ["pending_command"]


@define
class _Sum:
    """What one provider's pending entries may come to; `high` None: no finite bound."""

    entries: int = 0
    low: Decimal = ZERO
    high: Decimal | None = ZERO

    def count(self, entry: Entry) -> None:
        low, high = _bounds(entry)
        self.entries += 1
        self.low = add(self.low, low or ZERO)
        self.high = None if self.high is None or high is None else add(self.high, high)


@command("pending")
@one_account("Whose entries.")
@click.option("--provider", metavar="NAME", help="Only this provider's.")
@click.option("--limit", default=100, show_default=True, metavar="N", help="List N, the oldest.")
@click.pass_obj
def pending_command(state: State, *, account: str, provider: str | None, limit: int) -> None:
    """List what is open or pending: bounds, age, why, and what each provider's comes to.

    Sums are of all of them, however many are listed.
    """
    listed: list[Entry] = []
    sums: dict[str, _Sum] = {}
    with Bench(state) as bench:
        now = bench.now_us()
        for status in ("pending", "open"):
            for entry in bench.store.scan(EntryFilter(account, status=status)):
                if provider in {None, entry.intent.provider}:
                    sums.setdefault(entry.intent.provider, _Sum()).count(entry)
                    listed.append(entry)
                    if len(listed) > 2 * limit:
                        listed = _oldest(listed, limit)
    listed = _oldest(listed, limit)
    if state.as_json:
        say_json(
            {
                "data": [_told(entry, now) for entry in listed],
                "providers": [
                    {"provider": name, "entries": each.entries, **_as_json(each.low, each.high)}
                    for name, each in sorted(sums.items())
                ],
            }
        )
        return
    table(
        state,
        ["entry", "status", "provider", "model", "age", "may cost, USD", "request id", "reason"],
        [
            [
                entry.intent.entry_id,
                entry.status,
                entry.intent.provider,
                entry.intent.model,
                _age(now - entry.intent.started_us),
                _span(*_bounds(entry)),
                _request_id(entry) or "–",
                _reason(entry),
            ]
            for entry in listed
        ],
        empty="nothing is open or pending",
    )
    if sums:
        table(
            state,
            ["provider", "entries", "may cost, USD"],
            [
                [name, str(each.entries), _span(each.low, each.high)]
                for name, each in sorted(sums.items())
            ],
            right=["entries"],
            empty="",
        )


def _oldest(entries: Iterable[Entry], limit: int) -> list[Entry]:
    return sorted(entries, key=lambda each: (each.intent.started_us, each.intent.entry_id))[:limit]


def _bounds(entry: Entry) -> tuple[Decimal | None, Decimal | None]:
    told = entry.end if isinstance(entry.end, Pend) else entry.intent
    return told.low, told.high


def _request_id(entry: Entry) -> str | None:
    return entry.end.provider_request_id if isinstance(entry.end, Pend) else None


def _reason(entry: Entry) -> str:
    return entry.end.reason if isinstance(entry.end, Pend) else "not ended yet"


def _told(entry: Entry, now_us: int) -> dict[str, Any]:
    intent = entry.intent
    return {
        "entry": intent.entry_id,
        "status": entry.status,
        "provider": intent.provider,
        "model": intent.model,
        "key": intent.key_id,
        "started_us": intent.started_us,
        "age_s": (now_us - intent.started_us) // 1_000_000,
        **_as_json(*_bounds(entry)),
        "provider_request_id": _request_id(entry),
        "reason": _reason(entry),
    }


def _as_json(low: Decimal | None, high: Decimal | None) -> dict[str, str | None]:
    return {"low": text(low or ZERO), "high": None if high is None else text(high)}


def _span(low: Decimal | None, high: Decimal | None) -> str:
    return f"{text(low or ZERO)} to {'no bound' if high is None else text(high)}"


def _age(us: int) -> str:
    age = timedelta(seconds=max(us, 0) // 1_000_000)
    hours, rest = divmod(age.seconds, 3600)
    return f"{age.days}d {hours}h" if age.days else f"{hours}h {rest // 60}min"
