"""Ledger records for tests: plain ones to start from, and Hypothesis strategies of any.

Imports: records, prices, stores, ledger, hypothesis.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from flo2.ledger.chain import chain_links
from flo2.prices.cost import CostLine
from flo2.records import Attribution, Exchange, Intent, Pend, Record, Settle, Void
from flo2.stores import ChainLink, WriterHead

__all__ = [
    "an_exchange",
    "an_intent",
    "attributions",
    "calls",
    "linked",
    "pend_of",
    "settle_of",
    "settles",
    "unpriced_of",
    "void_of",
]


def an_intent(number: int = 1, **changes: Any) -> Intent:
    """Make the intent of the first attempt of exchange `x<number>`; `changes` replace fields."""
    fields: dict[str, Any] = {
        "entry_id": f"x{number}.1",
        "exchange_id": f"x{number}",
        "attempt": 1,
        "role": "primary",
        "account": "default",
        "key_id": "key_1",
        "credential_id": "cred_1",
        "provider": "acme",
        "provider_kind": "sandbox",
        "api": "chat",
        "model_requested": "small",
        "model": "acme-small-1",
        "started_us": 1_000_000 + number,
        "low": Decimal("0.000010"),
        "high": Decimal("0.0300"),
    }
    return Intent(**fields | changes)


def settle_of(intent: Intent, **changes: Any) -> Settle:
    """Make the record that settles an intent at 0.000123 USD."""
    line = CostLine(
        dimension="output",
        quantity=82,
        unit_price=Decimal("1.50"),
        per=1_000_000,
        amount=Decimal("0.000123"),
        list_amount=Decimal("0.000123"),
        currency="USD",
        row="acme/small/output",
        book="b1",
    )
    fields: dict[str, Any] = {
        "entry_id": intent.entry_id,
        "ended_us": intent.started_us + 250_000,
        "status": "settled",
        "outcome": "answered",
        "meters": {"input": 10, "output": 82},
        "lines": (line,),
        "total": line.amount,
        "list_total": line.list_amount,
        "currency": "USD",
        "book": "b1",
        "model_billed": intent.model,
        "raw_usage": {"prompt_tokens": 10, "completion_tokens": 82, "rate": 0.25},
        "http_status": 200,
    }
    return Settle(**fields | changes)


def unpriced_of(intent: Intent, **changes: Any) -> Settle:
    """Make the record that says what an intent used, for which the book has no price."""
    fields: dict[str, Any] = {
        "status": "unpriced",
        "lines": (),
        "total": None,
        "list_total": None,
        "reason": "no price row",
    }
    return settle_of(intent, **fields | changes)


def pend_of(intent: Intent, **changes: Any) -> Pend:
    """Make the record that says an intent may have been billed."""
    fields: dict[str, Any] = {
        "entry_id": intent.entry_id,
        "ended_us": intent.started_us + 250_000,
        "outcome": "broken",
        "reason": "the connection broke",
        "low": Decimal(0),
        "high": intent.high,
    }
    return Pend(**fields | changes)


def void_of(intent: Intent, **changes: Any) -> Void:
    """Make the record that says an intent was not billed."""
    fields: dict[str, Any] = {
        "entry_id": intent.entry_id,
        "ended_us": intent.started_us + 250_000,
        "outcome": "refused",
        "reason": "429",
        "source": "https://acme.example/errors, read 2026-11-20",
        "http_status": 429,
    }
    return Void(**fields | changes)


def an_exchange(number: int = 1, **changes: Any) -> Exchange:
    """Make exchange `x<number>`, served by one attempt."""
    fields: dict[str, Any] = {
        "exchange_id": f"x{number}",
        "account": "default",
        "key_id": "key_1",
        "surface": "openai.chat",
        "model_requested": "small",
        "stream": False,
        "status": 200,
        "started_us": 1_000_000 + number,
        "ended_us": 1_300_000 + number,
        "overhead_us": 180,
        "attempts": 1,
        "client": "served",
    }
    return Exchange(**fields | changes)


def linked(*records: Record, writer: str = "w1", head: WriterHead | None = None) -> list[ChainLink]:
    """Chain records after `head`, or from a writer's beginning."""
    head = head or WriterHead(writer, 0, "")
    return chain_links(head, enumerate(records, head.seq + 1), b"salt of a test..")


_words = st.text(max_size=12)
_surrogates = st.text(st.characters(), max_size=6)
_maybe = st.none() | _words
money: st.SearchStrategy[Decimal] = st.decimals(
    min_value=0, max_value=10_000, places=12, allow_nan=False
)


def attributions() -> st.SearchStrategy[Attribution]:
    """Give attributions, with any text a client may send."""
    return st.builds(
        Attribution,
        team=st.sampled_from([None, "red", "blue"]),
        feature=st.sampled_from([None, "search", "chat", "sümmary"]),
        customer=_maybe,
        end_user=st.none() | _surrogates,
        tags=st.dictionaries(st.sampled_from(["env", "job", "ü"]), _words, max_size=2),
    )


def settles(intent: Intent) -> st.SearchStrategy[Settle]:
    """Give records that settle an intent, at any cost."""

    def build(amounts: list[Decimal], meters: dict[str, Any], raw: Any, reason: Any) -> Settle:
        lines = tuple(
            CostLine(
                "output",
                1,
                amount,
                1,
                amount,
                amount,
                "USD",
                f"row{place}",
                "b1",
                factors=(("deal@1/d", amount),) * (place % 2),  # as under a contract
                contract="deal@1" * (place % 2),
            )
            for place, amount in enumerate(amounts)
        )
        total = sum(amounts, Decimal(0))
        return settle_of(
            intent,
            lines=lines,
            total=total,
            list_total=total,
            meters=meters,
            raw_usage=raw,
            reason=reason,
        )

    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
        max_leaves=6,
    )
    return st.builds(
        build,
        st.lists(money, max_size=3),
        st.dictionaries(
            st.sampled_from(["input", "output", "seconds"]), st.integers(0, 10**9) | money
        ),
        st.dictionaries(_words, json, max_size=3),
        _maybe,
    )


@st.composite
def calls(draw: st.DrawFn, *, size: int = 6) -> list[list[Record]]:
    """Give calls, each as its records in the order written: ended, ended twice, or open."""
    made: list[list[Record]] = []
    for number in range(1, draw(st.integers(0, size)) + 1):
        attribution = draw(attributions())
        intent = an_intent(
            number,
            attribution=attribution,
            started_us=draw(st.integers(0, 2**40)),
            model=draw(st.sampled_from(["m1", "m2"])),
        )
        settle = draw(settles(intent))
        ends: list[list[Record]] = [
            [],
            [settle],
            [pend_of(intent)],
            [void_of(intent)],
            [pend_of(intent), settle],
            [settle, pend_of(intent)],
            [unpriced_of(intent)],
            [unpriced_of(intent), settle],
        ]
        exchange = an_exchange(number, attribution=attribution)
        made.append([intent, *draw(st.sampled_from(ends)), exchange])
    return made
