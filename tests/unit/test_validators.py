"""Each validator catches what is wrong with a stream, frame by frame and field by field."""

from __future__ import annotations

import copy
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.testing.validators import VALIDATORS
from flo2.testing.validators.samples import ANSWERS, STREAMS, written

each_stream = pytest.mark.parametrize("name", STREAMS)


def check(name, frames):
    return VALIDATORS[name].stream(written(frames))


def is_free(name, frame):
    """Whether a stream without this frame, or with it twice, may still be a right one."""
    kind, value = frame
    if name == "openai.chat" and isinstance(value, dict) and value["choices"]:
        return "content" in value["choices"][0]["delta"] and "role" not in str(value)
    if name == "anthropic.messages":
        # More than one message_delta has been recorded.
        return kind in {"ping", "message_delta"} or value.get("delta", {}).get("type") in {
            "text_delta",
            "thinking_delta",
            "signature_delta",
        }
    if name == "openai.completions" and isinstance(value, dict):
        return value["choices"][0]["finish_reason"] is None
    return name == "gemini" and "finishReason" not in value["candidates"][0]


@each_stream
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_right_stream_has_no_violation(name, end):
    comment = f": a comment{end}{end}".encode()
    assert VALIDATORS[name].stream(comment + written(STREAMS[name], end)) == []


@each_stream
def test_a_missing_frame_is_caught(name):
    frames = STREAMS[name]
    missed = [
        frames[i]
        for i in range(len(frames))
        if not check(name, [*frames[:i], *frames[i + 1 :]]) and not is_free(name, frames[i])
    ]
    assert missed == []


@each_stream
def test_a_doubled_frame_is_caught(name):
    frames = STREAMS[name]
    missed = [
        frames[i]
        for i in range(len(frames))
        if not check(name, [*frames[: i + 1], *frames[i:]]) and not is_free(name, frames[i])
    ]
    assert missed == []


@each_stream
def test_two_frames_in_the_wrong_order_are_caught(name):
    frames = STREAMS[name]
    missed = [
        (first, second)
        for i, (first, second) in enumerate(itertools.pairwise(frames))
        if not check(name, [*frames[:i], second, first, *frames[i + 2 :]])
        and not (is_free(name, first) or is_free(name, second))
    ]
    assert missed == []


@each_stream
def test_a_stream_cut_after_any_frame_is_caught(name):
    frames = STREAMS[name]
    assert [n for n in range(len(frames)) if not check(name, frames[:n])] == []


@each_stream
def test_a_second_stream_behind_the_first_is_caught(name):
    assert check(name, STREAMS[name] * 2) != []


@each_stream
def test_a_stream_cut_inside_of_a_frame_is_caught(name):
    body = written(STREAMS[name]).rstrip()
    assert [n for n in range(len(body)) if not VALIDATORS[name].stream(body[:n])] == []


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    yield path


def changed(value, path, change):
    """Give a copy in which `change(holder, key)` was done at the path."""
    copied = copy.deepcopy(value)
    holder = copied
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return copied


def spoil(holder, key):
    holder[key] = {"odd": [3.5]} if not isinstance(holder[key], dict) else "odd"


def drop(holder, key):
    del holder[key]


# Only an application knows them, or any value is right.
ANY_VALUE = {"tool_choice", "args", "at", "logprobs"}
# What may be left out.
OPTIONAL = {
    "openai.chat": {
        "prompt_tokens_details",
        "completion_tokens_details",
        "completion_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "content",
        "arguments",
    },
    "anthropic.messages": {"partial_json"},
    "openai.responses": {"error", "incomplete_details", "usage", "cached_tokens"},
    "gemini": {
        "index",
        "role",
        "parts",
        "content",
        "text",
        "thoughtSignature",
        "id",
        "modelVersion",
        "responseId",
        "functionCall",
        "args",
        "totalTokenCount",
        "candidates",
        "usageMetadata",
    },
    "openai.completions": {0},
}


@each_stream
def test_a_value_of_a_wrong_type_is_caught_at_each_field(name):
    missed = []
    frames = STREAMS[name]
    for number, (kind, value) in enumerate(frames):
        for path in leaves(value) if isinstance(value, dict) else ():
            if path and not ANY_VALUE & {*path}:
                spoiled = [*frames[:number], (kind, changed(value, path, spoil))]
                if not check(name, [*spoiled, *frames[number + 1 :]]):
                    missed.append((number, path))
    assert missed == []


@each_stream
def test_a_missing_field_is_caught(name):
    missed = []
    frames = STREAMS[name]
    for number, (kind, value) in enumerate(frames):
        for path in leaves(value) if isinstance(value, dict) else ():
            if path and not (ANY_VALUE | OPTIONAL[name]) & {*path}:
                spoiled = [*frames[:number], (kind, changed(value, path, drop))]
                if not check(name, [*spoiled, *frames[number + 1 :]]):
                    missed.append((number, path))
    assert missed == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["", "text"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@each_stream
@given(data=st.data())
def test_no_garbage_makes_a_validator_raise(name, data):
    frames = [*STREAMS[name]]
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(frames) - 1))
        kind, value = frames[number]
        paths = [path for path in leaves(value) if path] if isinstance(value, dict) else []
        if not paths:
            continue
        path = data.draw(st.sampled_from(paths))
        other = data.draw(JSON_VALUES)

        def change(holder, key, other=other):
            holder[key] = other

        frames[number] = (kind, changed(value, path, change))
    body = written(frames) + data.draw(st.sampled_from([b"", b"data: [1]\n\n", b"\xff", b"data"]))
    for level in ("strict", "compatible"):
        assert isinstance(VALIDATORS[name].stream(body, level=level), list)
        for _, value in frames:
            answered = json.dumps(value).encode()
            assert isinstance(VALIDATORS[name].answer(200, {}, answered, level=level), list)
            assert isinstance(VALIDATORS[name].answer(400, {}, answered, level=level), list)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_value_of_a_wrong_type_is_caught_at_each_field_of_an_answer(name):
    value = ANSWERS[name]
    missed = [
        path
        for path in leaves(value)
        if path
        and not ANY_VALUE & {*path}
        and not VALIDATORS[name].answer(
            200,
            {"content-type": "application/json"},
            json.dumps(changed(value, path, spoil)).encode(),
        )
    ]
    assert missed == []
