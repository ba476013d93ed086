"""What explainers may know of the ledger: the entries behind gaps, and what they would cost.

Imports: booked, words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from flo2 import Adjust, Booked, Cost, EntryFilter, Finding, Gap, Pend, Settle, Store, Usage
from flo2.billing import EntryColumns, ReadsColumns
from flo2.instants import instant
from flo2.money import total
from flo2.prices import PricingContext
from flo2_reconcile.booked import OURS, Names, booked_of
from flo2_reconcile.words import tier_and_processing

__all__ = ["Books", "Pricer", "repriced_by_others"]

Pricer = Callable[[Usage, PricingContext], Cost]

_APART_US: Final = 3_600_000_000
"""Windows that lie closer are read in one go."""


class Books:
    """The ledger of one account and provider, as explainers see it.

    Args:
        store: Where the ledger is; read by windows, in bounded memory.
        where: Whose entries.
        provider: Its name in the configuration.
        billed_as: Its name on the bill.
        names: What it calls the credentials.
        price: Prices a usage.
        now_us: When the bill was pulled.
        repriced: Entry → its adjustments that are not reconciliation's own.
    """

    def __init__(
        self,
        store: Store,
        where: EntryFilter,
        *,
        provider: str,
        billed_as: str,
        names: Names,
        price: Pricer,
        now_us: int,
        repriced: Mapping[str, Sequence[Adjust]],
    ) -> None:
        self.now_us: int = now_us
        self._store = store
        self._where = where
        self._provider = provider
        self.billed_as: str = billed_as
        self._names = names
        self._price = price
        self.repriced: Mapping[str, Sequence[Adjust]] = repriced
        self._known: Mapping[str, frozenset[str]] = {}
        self._members: dict[int, list[Booked]] = {}
        self._closed: set[str] = set()

    def close(self, found: Finding) -> None:
        """Take note of pending entries that a report has accounted for: no other one does again."""
        self._closed.update(end.entry_id for end in found.ends)
        self._closed.update(found.parts)

    def rows(self, *, lines: bool) -> Iterable[EntryColumns] | None:
        """Give every entry of the provider as a row; None where the store has no such way."""
        since, until = self._where.since_us, self._where.until_us
        if not isinstance(self._store, ReadsColumns) or since is None or until is None:
            return None
        return self._store.columns(self._where.account, self._provider, since, until, lines=lines)

    def read(self) -> Iterable[Booked]:
        """Give every entry of the provider, one after the other."""
        yield from self._entries(self._where.since_us, self._where.until_us)

    def learn(self, known: Mapping[str, frozenset[str]]) -> None:
        """Take which values of each key the account uses."""
        self._known = known

    def gather(self, gaps: Sequence[Gap]) -> None:
        """Keep the entries of these gaps, and of no others."""
        self._members = {id(gap): [] for gap in gaps}
        cells: dict[tuple[int, tuple[tuple[str, str], ...]], Gap] = {}
        for gap in gaps:
            cells[gap.start_us, tuple(sorted(gap.keys.items()))] = gap
        if not gaps:
            return
        names = sorted(gaps[0].keys)
        spans = sorted({(gap.start_us, gap.end_us) for gap in gaps})
        starts = _Starts(spans)
        for since, until in _windows(spans):
            for each in self._entries(since, until):
                start = starts.of(each.at_us)
                if start is not None:
                    place = (start, tuple((name, each.keys[name]) for name in names))
                    mine = cells.get(place)
                    if mine is not None and not (each.is_open and each.entry_id in self._closed):
                        self._members[id(mine)].append(each)

    def within(self, gap: Gap) -> Sequence[Booked]:
        """Give the entries of a gap."""
        return self._members.get(id(gap), [])

    def knows(self, key: str, value: str) -> bool:
        """Say whether the account uses this value of a key."""
        return value in self._known.get(key, frozenset())

    def priced(
        self, like: Booked, meters: Mapping[str, int | Decimal], keys: Mapping[str, str]
    ) -> Settle | None:
        """Price meters in an entry's circumstances, as far as the keys do not say otherwise."""
        if not meters:
            return None
        intent, end = like.intent, like.end
        context = dict(end.context) if isinstance(end, Settle) else {}
        _follow(context, keys)
        model = keys.get("model") or like.keys["model"]
        usage = Usage(meters, context=context)
        at = instant(intent.started_us)
        asked = PricingContext(intent.provider_kind, intent.api, intent.model, model, at, context)
        cost = self._price(usage, asked)
        pend = end if isinstance(end, Pend) else None
        priced = cost.status == "settled"
        return Settle(
            like.entry_id,
            intent.started_us if end is None else end.ended_us,
            "settled" if priced else "unpriced",
            "crashed" if end is None else end.outcome,
            meters,
            cost.lines,
            cost.total,
            total(line.list_amount for line in cost.lines) if priced else None,
            cost.currency,
            cost.book,
            model,
            None if pend is None else pend.provider_request_id,
            context=context,
            reason=cost.reason,
        )

    def _entries(self, since_us: int | None, until_us: int | None) -> Iterable[Booked]:
        where = EntryFilter(self._where.account, since_us=since_us, until_us=until_us)
        for entry in self._store.scan(where):
            if self._provider in {entry.intent.provider, entry.intent.provider_kind}:
                repriced = self.repriced.get(entry.intent.entry_id, ())
                booked = booked_of(entry, self._names, self.billed_as, repriced)
                if booked is not None:
                    yield booked


class _Starts:
    """Finds the bucket of an instant among buckets that do not overlap."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._width = spans[0][1] - spans[0][0]
        self._offset = spans[0][0] % self._width
        self._starts = {start for start, _ in spans}

    def of(self, at_us: int) -> int | None:
        start = at_us - (at_us - self._offset) % self._width
        return start if start in self._starts else None


def _windows(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start - found[-1][1] <= _APART_US:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _follow(context: dict[str, str], keys: Mapping[str, str]) -> None:
    """Let circumstances say what the bill says."""
    tier, processing = tier_and_processing(context.get("service_tier"))
    if context.get("processing") == "batch":
        processing = "batch"
    if keys.get("service_tier", tier) != tier:
        context.pop("service_tier", None)
        if keys["service_tier"] != "standard":
            context["service_tier"] = keys["service_tier"]
    if keys.get("processing", processing) != processing:
        context.pop("processing", None)
        if context.get("service_tier") == "batch":
            del context["service_tier"]
        if keys["processing"] == "batch":
            context["processing"] = "batch"
    place = keys.get("inference_geo")
    if place is not None and place != context.get("inference_geo", "global"):
        context.pop("inference_geo", None)
        if place != "global":
            context["inference_geo"] = place


def repriced_by_others(adjustments: Iterable[Adjust]) -> dict[str, list[Adjust]]:
    """Give the adjustments of each entry that are not reconciliation's own."""
    found: dict[str, list[Adjust]] = {}
    for each in adjustments:
        if not each.entry_id.startswith(OURS):
            for entry_id in each.amounts:
                found.setdefault(entry_id, []).append(each)
    return found
