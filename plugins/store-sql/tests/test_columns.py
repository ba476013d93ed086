"""Entries as rows say what entries say."""

from __future__ import annotations

import json
from pathlib import Path

from flo2 import Account
from flo2.billing import ReadsColumns
from flo2.ledger import chain_links
from flo2.stores import WriterHead
from flo2.testing.records import an_intent, pend_of, settle_of, void_of
from flo2_store_sql import SqlStore

HOUR = 3_600_000_000


def test_rows_of_a_provider_begun_in_a_span(tmp_path: Path):
    store = SqlStore(SqlStore.Config(path=str(tmp_path / "flo2.db")))
    store.open()
    store.put_account(Account("default", "default", 0))
    intents = [
        an_intent(1, started_us=HOUR, project="proj"),
        an_intent(2, started_us=3 * HOUR),
        an_intent(3, started_us=2 * HOUR, provider="other", provider_kind="other"),
        an_intent(4, started_us=4 * HOUR),
        an_intent(5, started_us=HOUR + 1),
    ]
    ends = [settle_of(intents[0]), pend_of(intents[1]), settle_of(intents[2])]
    records = [*intents, *ends, void_of(intents[4])]
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"salt"))

    assert isinstance(store, ReadsColumns)
    rows = {row[0]: row for row in store.columns("default", "acme", HOUR, 4 * HOUR, lines=True)}
    assert set(rows) == {"x1.1", "x5.1", "x2.1"}
    assert {name: row[7] for name, row in rows.items()} == {
        "x1.1": "settled",
        "x2.1": "pending",
        "x5.1": "void",
    }
    first = rows["x1.1"]
    assert first[1:7] == (HOUR, "proj", "cred_1", "primary", "acme-small-1", first[6])
    assert first[8] == "0.000123"
    assert [line["amount"] for line in json.loads(first[10] or "")] == ["0.000123"]
    # By its kind as well, without the lines; of nobody else's account.
    kind = list(store.columns("default", "sandbox", 0, 2 * HOUR, lines=False))
    assert [(row[0], row[10]) for row in kind] == [("x1.1", None), ("x5.1", None)]
    assert list(store.columns("elsewhere", "acme", 0, 9 * HOUR, lines=True)) == []
    store.close()
