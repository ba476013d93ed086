"""Every recorded answer, read by the SDK of the other dialect: the same to whoever acts on it."""

from __future__ import annotations

import json

import pytest

from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

# These do not end as an answer must; test_*_passthrough says what comes of them.
BROKEN_OFF = {
    "ai-anthropic-anthropic-language-model-test-ts-e0720c-0",
    "overloaded_in_mid_stream",
    "broken_off",
    "cut_stream",
    "mid_stream_error",
    "go-openai-pull-396-6caad1-0",
}
UNREADABLE = {
    "data_lines_only": "anthropic itself wants the event lines that this trace leaves out",
    "ai-anthropic-anthropic-tool-search-bm25-1-70d853-0": "two answers in one file",
}
# The SDK calls the answer by the model that took over; here each chunk had its name before that.
FALLBACK_NAMES = {
    "fallback_to_another_model",
    "fallback_with_models",
    "anthropic-sdk-python-streaming-fallback-response-68105a-0",
}
# Audio and cached tokens, and no word on which were cached: only the sums are told on.
DOUBTFUL = {"openinference-test-instrumentor-test-token-counts-b9ea77-0"}
OF_ANTHROPIC = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
    if trace.endpoint == "/v1/messages" and trace.status == 200 and trace.name not in BROKEN_OFF
]
OF_OPENAI = [
    trace
    for trace in (*golden_traces("openai_chat"), *recorded_traces("openai"))
    if trace.endpoint == "/v1/chat/completions"
    and trace.status == 200
    and trace.name not in BROKEN_OFF
]
ASK = {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
FINISH_REASON = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
STOP_REASON = {
    None: None,  # old vision models gave `finish_details` in its place
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
CUT_SHORT = object()
CARRIED = {"text", "thinking", "redacted_thinking", "tool_use"}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def of_message(message):
    """Say what a client acts on in an Anthropic message."""
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    calls = [
        (block["name"], block["input"])
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    usage = message["usage"]
    read, write = usage["cache_read_input_tokens"] or 0, usage["cache_creation_input_tokens"] or 0
    return {
        "id": message["id"],
        "model": message["model"],
        "text": "".join(texts),
        "thought": "".join(b["thinking"] for b in message["content"] if b["type"] == "thinking"),
        "calls": calls,
        "prompt": usage["input_tokens"] + read + write,
        "cached": read,
        "answer": usage["output_tokens"],
    }


def of_completion(completion):
    """Say what a client acts on in an OpenAI completion."""
    message, usage = completion["choices"][0]["message"], completion["usage"]
    functions = [call["function"] for call in message["tool_calls"] or () if call.get("function")]
    if message["function_call"]:
        functions.append(message["function_call"])
    calls = [(each["name"], loads(each["arguments"])) for each in functions]
    usage = usage or {"prompt_tokens": 0, "completion_tokens": 0}
    return {
        "id": completion["id"],
        "model": completion["model"],
        "text": (message["content"] or "") + (message["refusal"] or ""),
        "thought": message.get("reasoning_content") or message.get("reasoning") or "",
        "calls": calls,
        "prompt": usage["prompt_tokens"],
        "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        "answer": usage["completion_tokens"],
    }


def loads(text):
    try:
        return json.loads(text or "{}")
    except ValueError:  # cut short: each SDK makes of it what it can
        return CUT_SHORT


@named([trace for trace in OF_ANTHROPIC if trace.name not in UNREADABLE])
async def test_the_openai_sdk_reads_what_anthropic_answered(
    trace, stage, openai_sdk, direct_anthropic_beta, count_replay
):
    count_replay("sdk replays")
    request = {**ASK, "model": "anthropic/claude-sonnet-4-5", "stream": trace.stream}
    stage.play(trace)
    theirs = await direct_anthropic_beta.answer_to(request)
    stage.play(trace)
    asked = {**request, "stream_options": {"include_usage": True}} if trace.stream else request
    mine = await openai_sdk.answer_to(asked)
    ours, original = of_completion(mine), of_message(theirs)
    if trace.name in FALLBACK_NAMES:
        original["model"] = ours["model"]
    assert ours == original
    finish = mine["choices"][0]["finish_reason"]
    assert finish == FINISH_REASON[theirs["stop_reason"]]
    call = await stage.call(openai_sdk.request_id)
    (entry,) = call.entries
    assert entry.status in {"settled", "unpriced", "pending"}
    foreign = [b["type"] for b in theirs["content"] if b["type"] not in CARRIED]
    named = [loss for loss in call.exchange.losses if "has no form in a chat answer" in loss]
    assert len(foreign) == len(named)


@named([trace for trace in OF_OPENAI if trace.name not in UNREADABLE])
async def test_the_anthropic_sdk_reads_what_openai_answered(
    trace, stage, anthropic_beta_sdk, direct_openai, count_replay
):
    count_replay("sdk replays")
    request = {**ASK, "model": "openai/gpt-4o", "stream": trace.stream}
    stage.play(trace)
    theirs = await direct_openai.answer_to(request)
    stage.play(trace)
    mine = await anthropic_beta_sdk.answer_to(request)
    ours, original = of_message(mine), of_completion(theirs)
    if trace.name in DOUBTFUL:
        original["cached"] = 0
    if any(given is CUT_SHORT for _, given in original["calls"]):
        assert theirs["choices"][0]["finish_reason"] == "length"
        original["calls"] = [(name, CUT_SHORT) for name, _ in original["calls"]]
        ours["calls"] = [(name, CUT_SHORT) for name, _ in ours["calls"]]
    assert ours == original
    assert mine["stop_reason"] == stop_reason(theirs["choices"][0])
    call = await stage.call(anthropic_beta_sdk.request_id)
    (entry,) = call.entries
    assert entry.status in {"settled", "unpriced", "pending"}
    others = [loss for loss in call.exchange.losses if loss.startswith("choices[")]
    assert len(others) == len(theirs["choices"]) - 1


def stop_reason(choice):
    """Translate, with what OpenAI says elsewhere: a refusal, and calls that a choice forced."""
    if choice["message"]["refusal"]:
        return "refusal"
    if choice["message"]["tool_calls"] and choice["finish_reason"] == "stop":
        return "tool_use"
    # A provider that does not say why it ended has ended all the same.
    return STOP_REASON[choice["finish_reason"] or "stop"]


BROKEN = [
    trace
    for trace in (
        *golden_traces("anthropic_messages"),
        *golden_traces("openai_chat"),
        *recorded_traces("anthropic"),
        *recorded_traces("openai"),
    )
    if trace.name in BROKEN_OFF
]


@named(BROKEN)
async def test_the_other_sdk_raises_where_an_answer_breaks_off(
    trace, stage, openai_sdk, anthropic_sdk, count_replay
):
    count_replay("sdk replays")
    before = len(stage.arrived())
    stage.play(trace)
    if trace.endpoint == "/v1/messages":
        sdk, model = openai_sdk, "anthropic/claude-sonnet-4-5"
    else:
        sdk, model = anthropic_sdk, "openai/gpt-4o"
    told = await sdk.result({**ASK, "model": model, "stream": True})
    assert isinstance(told, tuple), told
    name, status, _, message = told
    # An error before any content is an error status; later it is the last frame of the stream.
    assert (name, status) in {
        ("InternalServerError", 503),
        ("APIError", None),
        ("APIStatusError", 200),
    }
    assert message
    assert len(stage.arrived(before)) == 1
    call = await stage.call(sdk.request_id)
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]


async def test_usage_is_told_in_a_foreign_stream_only_when_asked_for(stage, openai_sdk):
    request = {**ASK, "model": "anthropic/claude-sonnet-4-5", "stream": True}
    golden = {trace.name: trace for trace in golden_traces("anthropic_messages")}
    for asked, times in ((False, 0), (True, 1)):
        stage.play(golden["data_lines_only"])
        options = {"stream_options": {"include_usage": True}} if asked else {}
        body, error = await openai_sdk.raw(request | options)
        assert (error, body.count(b'"prompt_tokens"')) == (None, times)
        call = await stage.call(openai_sdk.request_id)
        assert [entry.status for entry in call.entries] == ["settled"]
