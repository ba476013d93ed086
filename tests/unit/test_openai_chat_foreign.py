"""What an answer of another dialect becomes for a Chat Completions client."""

from __future__ import annotations

import json

from flo2.canonical import (
    Annotation,
    Audio,
    Finish,
    LogprobsDelta,
    Loss,
    PartDelta,
    PartStart,
    PartStop,
    Start,
    Text,
    ToolCall,
    fold,
)
from flo2.dialects.openai_chat import OpenAIChat

DIALECT = OpenAIChat()


def encode(*events):
    encoder = DIALECT.encoder(include_usage=False)
    out = b"".join(map(encoder.feed, events)) + encoder.close()
    return [line[6:] for line in out.decode().split("\n\n") if line], encoder.losses


def choices(frames):
    return [json.loads(each)["choices"][0] for each in frames[:-1]]


def whole(*events):
    rendered = DIALECT.encode_response(fold(events))
    return json.loads(rendered.body)["choices"][0], rendered.losses


def pieces(frames):
    """Give index, id and arguments of each piece of a call."""
    return [
        (piece["index"], piece.get("id"), piece["function"]["arguments"])
        for choice in choices(frames)
        for piece in choice["delta"].get("tool_calls", ())
    ]


def test_calls_that_alternate_come_out_one_after_the_other():
    frames, _ = encode(
        PartStart(0, ToolCall("a", "f", "")),
        PartStart(1, ToolCall("b", "g", "")),
        PartDelta(1, "{}"),
        PartStart(2, ToolCall("c", "h", "")),
        PartDelta(0, '{"x":'),
        PartStop(1),
        PartDelta(0, "1}"),
        PartStop(0),
        Finish("tool_calls"),
    )
    assert pieces(frames) == [
        (0, "a", ""),
        (0, None, '{"x":'),
        (0, None, "1}"),
        (1, "b", ""),
        (1, None, "{}"),
        (2, "c", ""),
        (2, None, "{}"),
    ]


def test_a_whole_call_does_not_hold_the_next_one_back():
    encoder = DIALECT.encoder(include_usage=False)
    encoder.feed(PartStart(0, ToolCall("a", "f", '{"x":')))
    encoder.feed(PartDelta(0, "1}"))
    assert b'"id":"b"' in encoder.feed(PartStart(1, ToolCall("b", "g", "")))
    assert encoder.feed(PartStart(2, ToolCall("c", "h", "{}"))) == b""  # b may yet get arguments
    ended = encoder.feed(PartStop(1))
    assert (ended.count(b'"arguments":"{}"'), ended.count(b'"id":"c"')) == (2, 1)


def test_free_text_is_never_taken_for_whole():
    encoder = DIALECT.encoder(include_usage=False)
    encoder.feed(PartStart(0, ToolCall("a", "f", "{}", "custom")))
    assert encoder.feed(PartStart(1, ToolCall("b", "g", ""))) == b""


def test_text_after_a_call_does_not_end_its_arguments():
    frames, _ = encode(
        PartStart(0, ToolCall("a", "f", "")),
        PartStart(1, Text("so")),
        PartDelta(0, "{}"),
        Finish("tool_calls"),
    )
    assert pieces(frames) == [(0, "a", ""), (0, None, "{}")]


TOKENS = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]


def test_logprobs_of_responses_are_those_of_a_chat():
    events = (
        Start("i", "m", origin="openai.responses"),
        LogprobsDelta({"content": TOKENS}),
        PartStart(0, Text("a")),
        Finish("stop"),
    )
    frames, losses = encode(*events)
    assert choices(frames)[0]["logprobs"] == {"content": TOKENS, "refusal": None}
    assert whole(*events)[0]["logprobs"] == {"content": TOKENS, "refusal": None}
    assert losses == ()


def test_logprobs_of_another_kind_are_lost_by_name():
    events = (
        Start("i", "m", origin="gemini"),
        LogprobsDelta({"chosenCandidates": []}),
        LogprobsDelta({"chosenCandidates": []}),
        PartStart(0, Text("a")),
        Finish("stop"),
    )
    frames, losses = encode(*events)
    choice, same = whole(*events)
    assert "logprobs" not in choices(frames)[0]
    assert choice["logprobs"] is None
    lost = Loss("choices[0].logprobs", "log probabilities of this kind have no form here")
    assert losses == same == (lost,)


def test_a_citation_of_a_file_has_no_form():
    note = {"type": "file_citation", "file_id": "f", "filename": "a.txt", "index": 0}
    events = (
        Start("i", "m", origin="openai.responses"),
        PartStart(0, Text("a")),
        Annotation(0, note),
        Finish("stop"),
    )
    frames, losses = encode(*events)
    choice, same = whole(*events)
    assert [each["delta"].get("annotations") for each in choices(frames)] == [None, None]
    assert "annotations" not in choice["message"]
    reason = "a citation of kind 'file_citation' has no form here"
    assert losses == same == (Loss("choices[0].parts[0].citations", reason),)


def test_spoken_answers_have_all_fields_of_their_type():
    choice, _ = whole(Start("i", "m"), PartStart(0, Audio(data="AA==")), Finish("stop"))
    assert choice["message"]["audio"] == {
        "id": "",
        "data": "AA==",
        "expires_at": 0,
        "transcript": "",
    }
