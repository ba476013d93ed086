from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

import msgspec
import pytest
from attrs import evolve
from msgspec.structs import replace

from flo2.errors import StoreError
from flo2.ledger import chain_links, verify
from flo2.ledger.codec import canonical, encode_attribution
from flo2.records import Adjust, Attribution, Void
from flo2.stores import ChainLink, WriterHead
from flo2.testing.records import an_exchange, an_intent, linked, pend_of, settle_of, void_of

ADA = Attribution(customer="acme", end_user="ada@example.org")
INTENT = an_intent(1, attribution=ADA)
RECORDS = [
    INTENT,
    settle_of(INTENT),
    pend_of(INTENT),
    void_of(INTENT),
    an_exchange(1, attribution=ADA),
    Adjust("a1", "default", 9, "rounding", "invoice 7", {"x1.1": Decimal("-0.000001")}),
]
LINKS = linked(*RECORDS)


def test_a_chain_that_nobody_touched_is_sound():
    assert verify(LINKS) == []
    assert verify([]) == []
    assert verify(LINKS, expected=WriterHead("w1", 6, LINKS[-1].hash)) == []
    assert verify([*LINKS, *linked(an_intent(2), writer="w2")]) == []


def test_what_was_stored_once_verifies_for_ever():
    # Literal on purpose: whoever must change this breaks every ledger there is.
    payload = (
        b'{"ended_us":7,"entry_id":"x1.1","first_byte_us":null,"http_status":429,'
        b'"outcome":"refused","reason":"429","source":"https://acme.example/errors"}'
    )
    link = ChainLink(
        writer="w1",
        seq=1,
        prev_hash="",
        hash="2189576c8bfbaa8ce9c25b96f9e82f14d885fccd8be3fe0aefc883797e82af9d",
        record=Void("x1.1", 7, "refused", "429", "https://acme.example/errors", 429),
        payload=payload,
    )
    assert verify([link]) == []


def test_a_chain_grows_in_pieces():
    head = WriterHead("w1", 2, LINKS[1].hash)
    assert chain_links(head, enumerate(RECORDS[2:], 3), b"salt of a test..") == LINKS[2:]


def test_the_salt_decides_digests():
    other = chain_links(WriterHead("w1", 0, ""), enumerate(RECORDS, 1), b"another salt....")
    assert verify(other) == []
    assert other[0].attribution_digest != LINKS[0].attribution_digest


def test_equal_attributions_have_different_digests():
    assert LINKS[0].attribution_digest != LINKS[4].attribution_digest


@pytest.mark.parametrize(
    ("place", "changes", "problem"),
    [
        (0, {"record": replace(INTENT, provider="else")}, "is not what its payload says"),
        (0, {"payload": LINKS[0].payload.replace(b"acme", b"acne")}, "does not match its hash"),
        (1, {"record": settle_of(INTENT, total=Decimal(0))}, "is not what its payload says"),
        (3, {"seq": 9}, "records 4 to 8 are missing"),
        (2, {"attribution_digest": "00"}, "does not match its hash"),
        (0, {"attribution_digest": "00" * 32}, "does not match its hash"),
        (0, {"record": replace(INTENT, attribution=Attribution(team="x"))}, "attribution does not"),
        (0, {"attribution_salt": "00" * 16}, "attribution does not match its digest"),
        (0, {"attribution_salt": "no hex"}, "attribution does not match its digest"),
        (0, {"attribution_salt": ""}, "attribution does not match its digest"),
    ],
)
def test_an_edit_is_found(place, changes, problem):
    links = list(LINKS)
    links[place] = evolve(links[place], **changes)
    assert problem in verify(links)[0]


def test_an_edit_with_a_new_hash_is_found_by_the_next_record():
    forged = linked(an_intent(1, provider="elsewhere"))[0]
    assert verify([forged, *LINKS[1:]]) == [
        "writer 'w1', record 2: does not follow the record before it: one of the two was replaced"
    ]


def test_a_payload_of_an_older_version_verifies():
    # Written when what has its default was written as well; what counts is the text.
    old = LINKS[0].payload.replace(b"}", b',"losses":[],"why":""}')
    head = f"\nw1\n1\nintent\n{LINKS[0].attribution_digest}\n".encode()
    link = evolve(LINKS[0], payload=old, hash=sha256(head + old).hexdigest())
    assert len(old) > len(LINKS[0].payload)
    assert verify([link]) == []


def test_deletions_and_gaps_are_found():
    assert verify(LINKS[1:]) == ["writer 'w1': records 1 to 1 are missing"]
    assert verify([*LINKS[:2], *LINKS[4:]]) == ["writer 'w1': records 3 to 4 are missing"]


def test_a_cut_off_end_is_found_by_a_head_written_down_elsewhere():
    assert verify(LINKS[:-1]) == []
    (problem,) = verify(LINKS[:-1], expected=WriterHead("w1", 6, LINKS[-1].hash))
    assert "does not pass through record 6" in problem


def test_reordering_and_repeating_are_found():
    swapped = [LINKS[0], LINKS[2], LINKS[1], *LINKS[3:]]
    assert verify(swapped) == [
        "writer 'w1': records 2 to 2 are missing",
        "writer 'w1', record 2: comes after record 3: duplicated or reordered",
        "writer 'w1': records 3 to 3 are missing",
    ]
    assert verify([*LINKS, LINKS[-1]]) == [
        "writer 'w1', record 6: comes after record 6: duplicated or reordered"
    ]


def test_an_erased_attribution_verifies_by_its_digest():
    bare = evolve(LINKS[0], record=replace(INTENT, attribution=Attribution()), attribution_salt="")
    assert verify([bare, *LINKS[1:]]) == []


def test_a_record_that_cannot_be_read_is_a_problem_not_an_exception():
    def links():
        yield LINKS[0]
        raise StoreError("writer 'w1', record 2: cannot be read back")

    assert verify(links()) == ["writer 'w1', record 2: cannot be read back"]


@pytest.mark.parametrize("record", RECORDS)
def test_the_payload_is_the_record_in_order_of_name_without_its_attribution(record):
    fields = msgspec.to_builtins(record)
    fields.pop("attribution", None)
    assert canonical(record) == msgspec.json.encode(fields, order="sorted")


@pytest.mark.parametrize(
    ("attribution", "text"),
    [
        (Attribution(), b"{}"),
        (
            Attribution(team="red", tags={"b": "2", "a": "1"}),
            b'{"tags":{"a":"1","b":"2"},"team":"red"}',
        ),
        (
            Attribution(customer="", feature="x\ud800y"),
            '{"customer":"","feature":"x\ufffdy"}'.encode(),
        ),
    ],
)
def test_an_attribution_is_written_with_what_it_says_and_no_more(attribution, text):
    assert encode_attribution(attribution) == text
