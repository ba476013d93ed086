"""Counting rows says the same as counting records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flo2 import Account, EntryFilter, Intent, MemoryStore, Settle, Void
from flo2.billing import EntryColumns, ReadsColumns
from flo2.ledger import chain_links
from flo2.records import SubMeters
from flo2.stores import WriterHead
from flo2_reconcile.booked import Tally
from flo2_reconcile.books import Books
from flo2_reconcile.quickly import count_rows

from .traffic import (  # noqa: TID252  # tests have no package
    DAY,
    HOUR,
    NAMES,
    START,
    calls,
    price,
    records_of,
)


class Rowed(MemoryStore):
    """Gives rows, as a store in SQL does."""

    def columns(
        self, account: str, provider: str, since_us: int, until_us: int, *, lines: bool
    ) -> Iterator[EntryColumns]:
        where = EntryFilter(account, since_us=since_us, until_us=until_us)
        for entry in self.entries(where):
            begun, end = entry.intent, entry.end
            settled = end if isinstance(end, Settle) else None
            told = [
                {"dimension": line.dimension, "amount": str(line.amount)}
                | ({"model": line.model} if line.model else {})
                for line in (settled.lines if settled else ())
            ]
            inside = '"model":' if settled and any("model" in line for line in told) else None
            yield EntryColumns(
                *(begun.entry_id, begun.started_us),
                *(begun.project, begun.credential_id, begun.role, begun.model),
                getattr(end, "model_billed", None),
                entry.status,
                None if settled is None or settled.total is None else str(settled.total),
                None if settled is None else json.dumps(dict(settled.meters), default=str),
                json.dumps(told) if lines else inside,
                None if settled is None else json.dumps(dict(settled.context)),
            )
        assert provider == "openai"


@given(data=st.data())
def test_rows_and_records_give_the_same_sums(data: st.DataObject):
    records: list[Any] = []
    for call in data.draw(calls(low=2)):
        intent, end = records_of(call)
        assert isinstance(intent, Intent)
        assert isinstance(end, Settle)
        match data.draw(st.integers(0, 4)):
            case 0:
                records += [intent]
                continue
            case 1:
                records += [intent, Void(intent.entry_id, call.at_us, "refused", "", "")]
                continue
            case 2:  # another model ran inside the answer
                lines = (*end.lines, replace(end.lines[0], model="inner", amount=Decimal(2)))
                end = replace(end, lines=lines, subcalls=(SubMeters("inner", {"input_tokens": 7}),))
            case 3:
                end = replace(end, meters={**end.meters, "audio_seconds": Decimal("0.25")})
        records += [intent, end]
    store = Rowed()
    store.put_account(Account("default", "default", 0))
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"s"))
    where = EntryFilter("default", since_us=START, until_us=START + 2 * DAY)
    books = Books(
        *(store, where),
        provider="openai",
        billed_as="openai",
        names=NAMES,
        price=price,
        now_us=0,
        repriced={},
    )
    assert isinstance(store, ReadsColumns)
    plain, quick = Tally(HOUR), Tally(HOUR)
    for booked in books.read():
        plain.count(booked)

    def again(some: Any) -> None:
        for booked in books.read():
            if booked.entry_id in some:
                quick.count(booked)

    rows = books.rows(lines=True)
    assert rows is not None
    count = count_rows(quick, rows, NAMES, "openai", apart={}, again=again, progress=lambda _: None)
    assert count == len(store.entries(where))
    assert (quick.cells, quick.waiting) == (plain.cells, plain.waiting)
