"""What bears on a bill and stands beside the usage comes to its reader with it."""

from __future__ import annotations

import json

import pytest

from flo2.dialects.openai_chat import OpenAIChat

CHAT = OpenAIChat()
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
MODELS = {"models": [{"model": "a", "usage": USAGE}]}
HEAD = {"id": "1", "model": "m"}


def choice(finish=None, **delta):
    return {"index": 0, "delta": delta, "finish_reason": finish}


def tool(index, kind, **more):
    return {"index": index, "type": kind, **more}


STREAM = [
    {**HEAD, "choices": [choice(role="assistant", content="")]},
    {**HEAD, "choices": [choice(content="hi")]},
    {**HEAD, "choices": [choice(executed_tools=[tool(0, "search", output="")])]},
    {**HEAD, "choices": [choice(executed_tools=[tool(0, "search", output="found")])]},
    {**HEAD, "choices": [choice(executed_tools=[tool(1, "visit"), "odd", {"type": 5}])]},
    {**HEAD, "choices": [choice(executed_tools=[tool([], "search")])]},
]
ENDS = {
    "in the host's own corner": [
        {
            **HEAD,
            "choices": [choice("stop")],
            "x_groq": {"usage": USAGE, "usage_breakdown": MODELS},
        }
    ],
    "at the top, and said again": [
        {**HEAD, "choices": [choice("stop")], "usage": USAGE, "usage_breakdown": MODELS},
        {**HEAD, "choices": [], "usage": USAGE},
    ],
}


def decode(payloads, *, full):
    body = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in payloads)
    decoder = CHAT.decoder(full=full, hide_usage=False)
    for line in (body + b"data: [DONE]\n\n").splitlines(keepends=True):
        decoder.feed(line)
    decoder.close()
    return decoder.observed


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_models_and_tools_of_a_stream_are_in_the_evidence(end, full):
    observed = decode([*STREAM, *end], full=full)
    assert observed.complete
    assert observed.usage.raw == {
        **USAGE,
        "usage_breakdown": MODELS,
        "executed_tools": {"search": 1, "visit": 1},
    }


@pytest.mark.parametrize("full", [True, False])
def test_models_and_tools_of_a_plain_answer_are_in_the_evidence(full):
    message = {"role": "assistant", "content": "hi", "executed_tools": [tool(0, "search")]}
    answer = {
        **HEAD,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
        "usage_breakdown": MODELS,
    }
    decoder = CHAT.body_decoder(full=full)
    decoder.feed(json.dumps(answer).encode())
    decoder.close()
    assert decoder.observed.usage.raw == {
        **USAGE,
        "usage_breakdown": MODELS,
        "executed_tools": {"search": 1},
    }


@pytest.mark.parametrize("nothing", [None, {"models": None}, "odd"])
def test_an_answer_of_one_model_has_its_usage_alone(nothing):
    end = {**HEAD, "choices": [choice("stop")], "usage": USAGE, "usage_breakdown": nothing}
    assert decode([*STREAM[:2], end], full=True).usage.raw == USAGE
