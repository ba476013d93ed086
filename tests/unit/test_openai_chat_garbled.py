from __future__ import annotations

import json
import random

import pytest
from attrs import evolve

from flo2.canonical import fold
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import InvalidRequest
from flo2.testing.traces import golden_traces

DIALECT = OpenAIChat()
ODD = [None, True, 0, -1, 1.5, "", "x", [], {}, [None], [1], ["a"], {"a": 1}, [{}], 10**30]
TRACES = golden_traces("openai_chat")


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def garble(value, rng, share):
    """Put a value of another type in some places, leave some fields out."""
    if rng.random() < share:
        return rng.choice(ODD)
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if rng.random() > share / 3}
        return {key: garble(each, rng, share) for key, each in kept.items()}
    if isinstance(value, list):
        return [garble(each, rng, share) for each in value]
    return value


@named(TRACES)
def test_a_garbled_request_is_refused_or_written(trace):
    rng = random.Random(trace.name)
    for _ in range(40):
        raw = json.dumps(garble(trace.request, rng, 0.06)).encode()
        try:
            DIALECT.peek(raw)
            request = DIALECT.parse(raw)
        except InvalidRequest:
            continue
        json.loads(DIALECT.render(request, model="m", profile=Profile()).body)
        foreign = evolve(request, origin="other")
        json.loads(DIALECT.render(foreign, model="m", profile=Profile()).body)


def garbled_frames(body, rng):
    for frame in body.split(b"\n\n"):
        if frame.startswith(b"data: {") and frame.endswith(b"}"):
            yield b"data: " + json.dumps(garble(json.loads(frame[6:]), rng, 0.04)).encode()
        else:
            yield rng.randbytes(9) if rng.random() < 0.02 else frame


@named([trace for trace in TRACES if trace.status == 200])
@pytest.mark.parametrize("full", [True, False])
def test_a_garbled_answer_completes_or_fails_and_never_crashes(trace, full):
    rng = random.Random(trace.name)
    for _ in range(40):
        if trace.stream:
            body = b"\n\n".join(garbled_frames(trace.body, rng))
            decoder = DIALECT.decoder(full=full, hide_usage=True)
        else:
            body = json.dumps(garble(json.loads(trace.body), rng, 0.05)).encode()
            decoder = DIALECT.body_decoder(full=full)
        events = [*decoder.feed(body).events, *decoder.close().events]
        assert decoder.observed.complete == (decoder.observed.error is None)
        encoder = DIALECT.encoder(include_usage=True)
        assert isinstance(b"".join(map(encoder.feed, events)) + encoder.close(), bytes)
        json.loads(DIALECT.encode_response(fold(events)).body)
