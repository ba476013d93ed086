"""What a host puts into an answer's message and nobody models comes out again, once."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import Opaque, Text, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat

CHAT = OpenAIChat()
HEAD = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
BEGUN = {"index": 0, "type": "search", "output": ""}
DONE = {"index": 0, "type": "search", "output": "found"}
SECOND = {"index": 1, "type": "visit", "output": "read"}
ASIDES = (
    Opaque("openai.chat", {"type": "images", "message": {"images": ["a", "b"]}}, aside=True),
    Opaque("openai.chat", {"type": "ran", "message": {"ran": [DONE, SECOND]}}, aside=True),
    Opaque("openai.chat", {"type": "state", "message": {"state": {"n": 2}}}, aside=True),
)


def chunk(finish=None, **delta):
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


STREAM = [
    chunk(role="assistant", content="hi", channel="final", token_id=5),
    chunk(ran=[BEGUN], images=["a"], state={"n": 1}, empty=[], nothing=None),
    chunk(ran=[DONE], images=["b"], state={"n": 2}),
    chunk(ran=[SECOND], content=" you"),
    chunk("stop"),
]
PLAIN = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "hi you",
                "images": ["a", "b"],
                "ran": [DONE, SECOND],
                "state": {"n": 2},
            },
            "finish_reason": "stop",
        }
    ],
}


def read(payloads):
    decoder = CHAT.decoder(full=True, hide_usage=False)
    frames = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in payloads]
    events = [event for each in frames for event in decoder.feed(each).events]
    return [*events, *decoder.feed(b"data: [DONE]\n\n").events], decoder.observed


def read_plain():
    decoder = CHAT.body_decoder(full=True)
    decoder.feed(json.dumps(PLAIN).encode())
    return list(decoder.close().events)


@pytest.mark.parametrize("events", [read(STREAM)[0], read_plain()], ids=["stream", "plain"])
def test_objects_and_lists_are_kept_as_they_were_at_the_end(events):
    assert fold(events).choices[0].parts == (Text("hi you"), *ASIDES)


def test_they_are_written_back_into_the_message():
    body = json.loads(CHAT.encode_response(fold(read(STREAM)[0], origin="openai.chat")).body)
    message = body["choices"][0]["message"]
    assert {key: message[key] for key in ("content", "images", "ran", "state")} == {
        key: PLAIN["choices"][0]["message"][key] for key in ("content", "images", "ran", "state")
    }


def test_they_are_written_back_into_a_stream():
    events, _ = read(STREAM)
    encoder = CHAT.encoder(include_usage=False)
    lines = (b"".join(map(encoder.feed, events)) + encoder.close()).decode().splitlines()
    again = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert encoder.losses == ()
    assert fold(read(again)[0]).choices == fold(events).choices


def test_for_another_dialect_each_is_a_named_loss():
    losses = AnthropicMessages().encode_response(fold(read(STREAM)[0])).losses
    assert [str(loss).partition(": ")[2] for loss in losses] == [
        f"{kind!r} is a part of openai.chat only" for kind in ("images", "ran", "state")
    ]


def test_what_stands_beside_is_no_content():
    _, observed = read([chunk(role="assistant", ran=[DONE]), chunk("stop")])
    assert (observed.has_content, observed.finish) == (False, "stop")
