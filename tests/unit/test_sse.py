from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.dialects.sse import Frame, SSEParser, frame
from flo2.errors import ResponseTooLarge


def parse(*chunks: bytes) -> list[Frame]:
    parser = SSEParser()
    return [each for chunk in chunks for each in parser.feed(chunk)] + parser.close()


@pytest.mark.parametrize(
    ("raw", "event", "data"),
    [
        (b"data: x\n\n", b"", b"x"),
        (b"data:x\n\n", b"", b"x"),
        (b"data:  x\n\n", b"", b" x"),
        (b"data: x\r\n\r\n", b"", b"x"),
        (b"data: x\r\r\n", b"", b"x"),
        (b"event: e\ndata: x\n\n", b"e", b"x"),
        (b"event:e\r\ndata:x\r\n\r\n", b"e", b"x"),
        (b"data: x\nevent: e\n\n", b"e", b"x"),
        (b"data: a\ndata: b\n\n", b"", b"a\nb"),
        (b"data: a\rdata: b\r\n\r\n", b"", b"a\nb"),
        (b"data\n\n", b"", b""),
        (b"data:\n\n", b"", b""),
        (b": OPENROUTER PROCESSING\n\n", b"", b""),
        (b": note\ndata: x\n\n", b"", b"x"),
        (b"id: 7\nretry: 10\ndata: x\n\n", b"", b"x"),
        (b"\xef\xbb\xbfdata: x\n\n", b"", b"x"),
        (b"\ndata: x\n\n", b"", b"x"),
        (b"event: a\nevent: b\ndata: x\n\n", b"b", b"x"),
        (b"event: a\n\n", b"a", b""),
        ("data: \u2028é\x0b\x0c\x85\n\n".encode(), b"", "\u2028é\x0b\x0c\x85".encode()),
    ],
)
def test_one_frame(raw, event, data):
    assert parse(raw) == [Frame(raw, event, data, True)]


def test_byte_order_mark_counts_at_the_start_only():
    second = b"\xef\xbb\xbfdata: y\n\n"
    assert parse(b"data: x\n\n" + second) == [
        Frame(b"data: x\n\n", b"", b"x"),
        Frame(second, b"", b""),
    ]


def test_a_rest_without_blank_line_is_given_as_incomplete():
    assert parse(b"data: x\n\ndata: [DONE]\n") == [
        Frame(b"data: x\n\n", b"", b"x"),
        Frame(b"data: [DONE]\n", b"", b"[DONE]", False),
    ]


def test_cr_waits_for_its_lf_and_ends_at_close():
    parser = SSEParser()
    assert parser.feed(b"data: x\r\r") == []
    assert parser.feed(b"\n") == [Frame(b"data: x\r\r\n", b"", b"x")]
    assert parser.feed(b"data: y\r\r") == []
    assert parser.close() == [Frame(b"data: y\r\r", b"", b"y")]


def test_frames_come_as_soon_as_they_are_complete():
    parser = SSEParser()
    assert parser.feed(b"data: x\n") == []
    assert parser.feed(b"\ndata: ") == [Frame(b"data: x\n\n", b"", b"x")]
    assert parser.feed(b"y\n\n") == [Frame(b"data: y\n\n", b"", b"y")]
    assert parser.close() == []


def test_endless_frame_is_refused():
    parser = SSEParser(max_frame_bytes=100)
    parser.feed(b"data: " + b"x" * 90)
    with pytest.raises(ResponseTooLarge, match="larger than 100 bytes"):
        parser.feed(b"x" * 10)


def test_a_long_line_in_small_chunks_takes_linear_time():
    # Quadratic handling of 2 MB in 64-byte chunks would copy 30 GB and take many seconds.
    line = b"data: " + b"x" * 2_000_000 + b"\n\n"
    began = time.process_time()
    frames = parse(*(line[at : at + 64] for at in range(0, len(line), 64)))
    assert frames == [Frame(line, b"", line[6:-2])]
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("data", "event", "written"),
    [
        (b"{}", b"", b"data: {}\n\n"),
        (b"{}", b"ping", b"event: ping\ndata: {}\n\n"),
        (b"a\nb", b"", b"data: a\ndata: b\n\n"),
        (b"a\r\nb\rc", b"e", b"event: e\ndata: a\ndata: b\ndata: c\n\n"),
    ],
)
def test_frame_is_written(data, event, written):
    assert frame(data, event) == written


_LINES = st.sampled_from(
    [b"data: x", b"data:", b"data", b"event: e", b": c", b"", b"id: 1", "data: é€🎈".encode(), b"?"]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_STREAMS = st.lists(st.tuples(_LINES, _ENDS), max_size=25).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def _reference(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Dispatched events as the HTML standard's own algorithm words it, one line at a time."""
    events, name, data = [], b"", []
    text = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, _ = text.split(b"\n")
    for line in lines:
        if not line:
            if data:
                events.append((name, b"\n".join(data)))
            name, data = b"", []
        elif not line.startswith(b":"):
            key, _, value = line.partition(b":")
            if key == b"data":
                data.append(value[1:] if value.startswith(b" ") else value)
            elif key == b"event":
                name = value[1:] if value.startswith(b" ") else value
    return events


@given(stream=_STREAMS)
def test_events_are_those_of_the_standard(stream):
    # Frames without data are no events; an empty `data:` line alone is told by its raw bytes.
    ours = [
        (each.event, each.data)
        for each in parse(stream)
        if each.complete and b"data" in each.raw.replace(b"data: ", b"data")
    ]
    assert ours == _reference(stream)


@given(stream=_STREAMS, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_any_chunking_gives_the_same_frames_and_every_byte(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert parse(*chunks) == parse(stream)
    assert b"".join(each.raw for each in parse(stream)) == stream
    single = [stream[at : at + 1] for at in range(len(stream))]
    assert parse(*single) == parse(stream)


@given(
    data=st.binary(max_size=30).filter(lambda data: b"\r" not in data),
    event=st.sampled_from([b"", b"e"]),
)
def test_a_written_frame_reads_back(data, event):
    raw = frame(data, event)
    assert parse(raw) == [Frame(raw, event, data)]
