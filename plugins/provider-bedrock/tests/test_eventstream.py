"""Laws of the binary event stream."""

from __future__ import annotations

from itertools import pairwise
from struct import pack
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.eventstream import (
    MAX_MESSAGE_BYTES,
    EventStreamParser,
    Message,
    encode_message,
)
from flo2_provider_bedrock.invoke import BedrockMessages

HEADERS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=4)
MESSAGES = st.lists(st.tuples(HEADERS, st.binary(max_size=80)), min_size=1, max_size=5)


def parse(pieces):
    parser, found = EventStreamParser(), []
    for piece in pieces:
        messages, problem = parser.feed(piece)
        found += messages
        if problem is not None:
            return found, problem
    return found, None if parser.idle else "unfinished"


@given(MESSAGES, st.lists(st.integers(0, 2000), max_size=8))
def test_any_chunking_gives_the_messages_that_were_written(messages, places):
    written = [encode_message(headers, payload) for headers, payload in messages]
    body = b"".join(written)
    cuts = [0, *sorted(min(place, len(body)) for place in places), len(body)]
    pieces = [body[a:b] for a, b in pairwise(cuts)]
    expected = [
        Message(headers, payload, raw)
        for (headers, payload), raw in zip(messages, written, strict=True)
    ]
    assert parse(pieces) == (expected, None)
    assert parse([body[i : i + 1] for i in range(len(body))]) == (expected, None)


@given(MESSAGES, st.data())
def test_any_flipped_bit_is_found(messages, data):
    """Nothing at or after the damage is ever given out."""
    written = [encode_message(headers, payload) for headers, payload in messages]
    body = bytearray(b"".join(written))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    whole, size = 0, 0
    while size + len(written[whole]) <= at:
        size += len(written[whole])
        whole += 1
    found, problem = parse([bytes(body)])
    assert [message.raw for message in found] == written[:whole]
    assert problem is not None


def test_headers_of_other_types_are_passed_over():
    headers = b"".join(
        [
            bytes([2]) + b":t" + bytes([0]),
            bytes([1]) + b"i" + bytes([4]) + pack(">i", 7),
            bytes([1]) + b"b" + bytes([6]) + pack(">H", 3) + b"xyz",
            bytes([1]) + b"u" + bytes([9]) + bytes(16),
            bytes([1]) + b"s" + bytes([7]) + pack(">H", 2) + b"ok",
        ]
    )
    body = framed(headers, b"{}")
    assert parse([body]) == ([Message({"s": "ok"}, b"{}", body)], None)


def framed(headers: bytes, payload: bytes) -> bytes:
    lengths = pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + pack(">I", crc32(lengths)) + headers + payload
    return message + pack(">I", crc32(message))


@pytest.mark.parametrize(
    "headers",
    [b"\x01s\x07\x00\x09ok", b"\x01s\x2a", b"\x05s", b"\x01s\x04\x00", b"\x01\xff\x00"],
)
def test_headers_of_no_known_form_are_garbage(headers):
    found, problem = parse([framed(headers, b"")])
    assert found == []
    assert "headers of no known form" in str(problem)


@pytest.mark.parametrize(("total", "headers"), [(MAX_MESSAGE_BYTES + 1, 0), (15, 0), (40, 30)])
def test_an_impossible_length_is_not_waited_for(total, headers):
    lengths = pack(">II", total, headers)
    found, problem = parse([lengths + pack(">I", crc32(lengths))])
    assert found == []
    assert f"claims a length of {total} bytes" in str(problem)


@pytest.mark.parametrize("dialect", [BedrockConverse(), BedrockMessages()])
def test_a_garbled_stream_is_a_failure_that_may_be_tried_again(dialect):
    message = bytearray(encode_message({":event-type": "messageStart"}, b"{}"))
    message[-1] ^= 1
    for full in (True, False):
        decoder = dialect.decoder(full=full, hide_usage=False)
        chunk = decoder.feed(bytes(message))
        error = decoder.observed.error
        assert [event.error for event in chunk.events] == [error]
        assert (error.kind, error.retryable, error.status) == ("upstream", True, 200)
        assert "fails its checksum" in error.message
        assert not decoder.observed.complete
        assert decoder.feed(b"more").events == decoder.close().events == ()
