"""The ledger's side: entries as bills count them, and their sums by bucket and keys.

Imports: words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from attrs import define, field, frozen

from flo2 import (
    BILLING_KEYS,
    REQUESTS,
    Adjust,
    Booked,
    CostLine,
    Entry,
    SealedCredential,
    Settle,
    Shift,
    Void,
    money_of,
)
from flo2.billing import plus
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import add
from flo2_reconcile.words import context_window, geo, tier_and_processing

__all__ = ["ALL_INPUT", "ALL_OUTPUT", "OURS", "Called", "Names", "Tally", "booked_of", "key_of"]

OURS: Final = "rec-"
"""What the ids of reconciliation's own adjustments begin with: they are no part of what a bill is
compared with, so that a second run finds the same as the first, and nothing to write."""

ALL_INPUT: Final = "all_input_tokens"
ALL_OUTPUT: Final = "all_output_tokens"
"""Sums over the classes of tokens, for bills that do not split them."""

Key = tuple[str, ...]
Measures = dict[str, int | Decimal]


@frozen
class Names:
    """What the provider calls the account's credentials.

    Attributes:
        projects: Credential → the provider's project or workspace.
        api_keys: Credential → the provider's own id of the key.
    """

    projects: Mapping[str, str] = field(factory=dict)
    api_keys: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, credentials: Iterable[SealedCredential], given: Mapping[str, str]) -> Names:
        """Read them off the credentials; `given`: credential (id or name) → the provider's id."""
        kept = list(credentials)
        keys = {each.id: each.settings.get("provider_key_id", "") for each in kept}
        keys |= {
            each.id: given[word] for each in kept for word in (each.name, each.id) if word in given
        }
        return cls(
            {each.id: each.project for each in kept if each.project},
            {name: key for name, key in keys.items() if key},
        )


class Called(NamedTuple):
    """What was called, as far as bills are split by it."""

    project: str | None
    credential_id: str | None
    role: str
    model: str
    model_billed: str | None


def key_of(
    called: Called, context: Mapping[str, str], prompt: int, names: Names, provider: str
) -> Key:
    """Give what bills split by, in the order of `BILLING_KEYS`.

    Args:
        called: The attempt.
        context: The circumstances that its answer told.
        prompt: How many tokens of input it had.
        names: The provider's names.
        provider: What its bills call the provider.
    """
    credential = called.credential_id or ""
    batch = called.role == "batch_item" or context.get("processing") == "batch"
    tier, processing = tier_and_processing(context.get("service_tier"), batch=batch)
    return (
        provider,
        called.project or names.projects.get(credential, ""),
        names.api_keys.get(credential, ""),
        called.model_billed or called.model,
        tier,
        processing,
        geo(context.get("inference_geo")),
        context_window(prompt),
    )


def booked_of(
    entry: Entry, names: Names, provider: str, repriced: Iterable[Adjust] = ()
) -> Booked | None:
    """Give an entry as the provider's bill should count it; None: no provider was asked.

    Args:
        entry: The entry.
        names: The provider's names.
        provider: What its bills call the provider.
        repriced: Adjustments of the entry that are not reconciliation's own.
    """
    intent, end = entry.intent, entry.end
    if intent.role == "cache_hit":
        return None
    context = end.context if isinstance(end, Settle) else {}
    meters = end.meters if isinstance(end, Settle) else {}
    prompt = sum(int(meters.get(meter, 0)) for meter in INPUT_METERS)
    billed = None if end is None or isinstance(end, Void) else end.model_billed
    called = Called(intent.project, intent.credential_id, intent.role, intent.model, billed)
    values = key_of(called, context, prompt, names, provider)
    keys = dict(zip(BILLING_KEYS, values, strict=True))
    return Booked(
        intent.entry_id,
        intent.exchange_id,
        intent.started_us,
        keys,
        measures_of(end, repriced, intent.entry_id) if isinstance(end, Settle) else {},
        intent,
        end,
    )


def measures_of(end: Settle, repriced: Iterable[Adjust] = (), entry_id: str = "") -> Measures:
    """Give what a settled attempt adds to a bill: itself, its meters, their money, all its money.

    What other models used inside the answer is not in it: see `inside`.
    """
    measures: Measures = {REQUESTS: 1, **end.meters}
    for name, classes in ((ALL_INPUT, INPUT_METERS), (ALL_OUTPUT, OUTPUT_METERS)):
        measures[name] = sum(int(end.meters.get(meter, 0)) for meter in classes)
    lines, whole = end.lines, end.total
    for adjust in repriced:
        lines = adjust.lines or lines
        if whole is not None:
            whole = add(whole, adjust.amounts.get(entry_id, Decimal(0)))
    add_money(measures, (line for line in lines if not line.model))
    if whole is not None:
        measures[money_of("")] = whole
    return measures


def add_money(measures: Measures, lines: Iterable[CostLine]) -> None:
    """Add cost lines to what they belong to."""
    for line in lines:
        name = money_of(line.dimension)
        measures[name] = add(measures.get(name, 0), line.amount)


def inside(booked: Booked) -> Iterable[tuple[Mapping[str, str], Measures]]:
    """Give what other models used inside an answer, each under its own name."""
    end = booked.end
    if not isinstance(end, Settle):
        return
    for sub in end.subcalls:
        model = sub.model or booked.keys["model"]
        measures: Measures = dict(sub.meters)
        add_money(measures, (line for line in end.lines if line.model == model))
        yield {**booked.keys, "model": model}, measures


@define
class Tally:
    """Sums of entries by bucket and keys, in memory that grows with these alone.

    Attributes:
        width_us: The buckets' width; they are aligned to UTC.
        cells: (bucket's start, keys in the order of `BILLING_KEYS`) → sums.
        waiting: Like `cells`: how many entries are open or pending.
    """

    width_us: int
    cells: dict[tuple[int, Key], Measures] = field(factory=dict)
    waiting: dict[tuple[int, Key], int] = field(factory=dict)

    def count(self, booked: Booked) -> None:
        """Add an entry."""
        place = self._place(booked.at_us, booked.keys)
        if booked.is_open:
            self.waiting[place] = self.waiting.get(place, 0) + 1
        elif booked.measures:
            self.put(place, booked.measures)
            for keys, measures in inside(booked):
                self.put(self._place(booked.at_us, keys), measures)

    def shift(self, shift: Shift) -> None:
        """Add what an explanation changes."""
        self.put(self._place(shift.at_us, shift.keys), shift.measures)

    def put(self, place: tuple[int, Key], measures: Mapping[str, int | Decimal]) -> None:
        """Add sums to a cell."""
        cell = self.cells.get(place)
        if cell is None:
            self.cells[place] = dict(measures)
            return
        for name, count in measures.items():
            cell[name] = plus(cell.get(name, 0), count)

    def known(self) -> Mapping[str, frozenset[str]]:
        """Give every value of every key that entries have."""
        found: dict[str, set[str]] = {key: set() for key in BILLING_KEYS}
        for _, keys in (*self.cells, *self.waiting):
            for name, value in zip(BILLING_KEYS, keys, strict=True):
                found[name].add(value)
        return {name: frozenset(values - {""}) for name, values in found.items()}

    def _place(self, at_us: int, keys: Mapping[str, str]) -> tuple[int, Key]:
        bucket = at_us - at_us % self.width_us
        return bucket, tuple(keys.get(name, "") for name in BILLING_KEYS)
