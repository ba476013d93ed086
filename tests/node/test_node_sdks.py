"""The official Node SDKs as clients of the gateway, measured by what they make of the upstream.

`python3 noxfile.py -s deep` installs them, pinned, into a folder of its own and names it in
FLO2_NODE_SDKS.
"""

from __future__ import annotations

import json
import random

import pytest

from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = [pytest.mark.anyio, pytest.mark.deep]

PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
}
# The chats of a host that has nothing else: at OpenAI a translated call would go to Responses.
MODELS = {
    "openai": "chats/gpt-4o",
    "responses": "openai/gpt-5-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
}
HELLO = {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
# Every recording is replayed by the Python SDKs; these show that the Node SDKs are no different.
SAMPLE, SEED = 20, 2026


def sample(provider, surface=None):
    """Draw the same recordings each time."""
    path = PATHS[surface or provider]
    found = [trace for trace in recorded_traces(provider) if trace.endpoint == path]
    return random.Random(SEED).sample(found, min(SAMPLE, len(found)))


OPENAI = [
    trace
    for trace in (*golden_traces("openai_chat"), *sample("openai"))
    if trace.endpoint == PATHS["openai"]
]
ANTHROPIC = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *sample("anthropic"))
    if trace.endpoint == PATHS["anthropic"]
]
RESPONSES = [
    trace
    for trace in (*golden_traces("openai_responses"), *sample("openai", "responses"))
    if trace.endpoint == PATHS["responses"]
    # What these go on from, or wait for, lies at the provider.
    and not {"previous_response_id", "background"} & (trace.request or {}).keys()
]
# Of status 200 and raised all the same: what went wrong stands inside.
RESPONSE_FAILED = {"failed", "failed_stream", "failed_after_text_stream"}
# Streams that do not end as a stream must.
BROKEN_OFF = {"cut_stream", "mid_stream_error", "broken_off", "overloaded_in_mid_stream"}
# The Node SDK of Anthropic raises on these, from the provider and from flo2; what they hold.
UNREADABLE = {
    # It goes by the event lines that this stream leaves out.
    "data_lines_only": ("One two", 3),
    # It drops the last event, which no blank line ends.
    "no_blank_line_at_the_end": ("Hi", 2),
}


def named(traces):
    chosen = [trace for trace in traces if trace.name not in BROKEN_OFF]
    return pytest.mark.parametrize("trace", chosen, ids=lambda trace: trace.name)


def asked(trace, provider, sdk):
    """Give the recorded request for the gateway; a stand-in where the source kept none."""
    hello = {"input": "Hello"} if sdk == "responses" else HELLO
    stand_in = {**hello, "model": MODELS[sdk].partition("/")[2], "stream": trace.stream}
    request = trace.request or stand_in
    if sdk == "openai" and request.get("stream"):
        # Who does not ask for usage gets none, and the answers would differ by that frame.
        options = request.get("stream_options") or {}
        request = {**request, "stream_options": {**options, "include_usage": True}}
    return {**request, "model": f"{provider}/{request['model']}"}


# Passthrough --------------------------------------------------------------------------------------


async def the_same_as_from_the_provider(
    trace, provider, stage, ask, ask_upstream, *, sdk=None, **more
):
    request, before = asked(trace, provider, sdk or provider), len(stage.arrived())
    stage.play(trace)
    mine = await ask(sdk or provider, request, **more)
    (arrived,) = stage.arrived(before)
    (sent,) = mine["sent"]
    assert sent["body"] == request
    assert arrived.json() == {**request, "model": request["model"].removeprefix(f"{provider}/")}
    stage.play(trace)
    # Unlike the gateway's, the provider's own errors make an SDK try again.
    theirs = await ask_upstream(sdk or provider, request, retries=0, **more)
    if trace.status == 401:
        # The provider's words on a refused credential may quote it.
        assert mine["error"]["name"] == theirs["error"]["name"] == "AuthenticationError"
        return
    assert ("value" in mine) is (trace.status == 200 and trace.name not in UNREADABLE)
    assert mine.get("error") == theirs.get("error")
    assert mine.get("value") == theirs.get("value")
    call = await stage.call(mine["headers"]["x-flo2-request-id"])
    assert [entry.status == "void" for entry in call.entries] == [trace.status != 200]


@named(OPENAI)
async def test_openai_reads_what_it_reads_from_openai(
    trace, stage, ask, ask_upstream, count_replay
):
    count_replay(trace.kind)
    count_replay("node sdk replays")
    await the_same_as_from_the_provider(trace, "openai", stage, ask, ask_upstream)


@named([trace for trace in RESPONSES if trace.name not in RESPONSE_FAILED])
async def test_responses_read_what_they_read_from_openai(
    trace, stage, ask, ask_upstream, count_replay
):
    count_replay(trace.kind)
    count_replay("node sdk replays")
    await the_same_as_from_the_provider(trace, "openai", stage, ask, ask_upstream, sdk="responses")


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
@named(ANTHROPIC)
async def test_anthropic_reads_what_it_reads_from_anthropic(
    trace, beta, stage, ask, ask_upstream, count_replay
):
    if not beta:
        count_replay(trace.kind)
    count_replay("node sdk replays")
    await the_same_as_from_the_provider(trace, "anthropic", stage, ask, ask_upstream, beta=beta)


# The other dialect --------------------------------------------------------------------------------

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
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
CUT_SHORT = object()


def of_message(message):
    """Say what a client acts on in a message."""
    content = message["content"]
    return {
        "text": "".join(each["text"] for each in content if each["type"] == "text"),
        "calls": [(each["name"], each["input"]) for each in content if each["type"] == "tool_use"],
        "answer": message["usage"]["output_tokens"],
    }


def of_completion(completion):
    """Say what a client acts on in a completion."""
    message = completion["choices"][0]["message"]
    functions = [each["function"] for each in message.get("tool_calls") or ()]
    functions += [message["function_call"]] if message.get("function_call") else []
    return {
        "text": (message.get("content") or "") + (message.get("refusal") or ""),
        "calls": [(each["name"], loads(each["arguments"])) for each in functions],
        "answer": (completion.get("usage") or {"completion_tokens": 0})["completion_tokens"],
    }


def of_response(response):
    """Say what a client acts on in a response."""
    text, calls = "", []
    for item in response["output"]:
        if item["type"] == "message":
            text += "".join(part.get("text") or part.get("refusal") for part in item["content"])
        elif item["type"] == "function_call":
            calls.append((item["name"], loads(item["arguments"])))
    return {"text": text, "calls": calls, "answer": response["usage"]["output_tokens"]}


def loads(text):
    try:
        return json.loads(text or "{}")
    except ValueError:  # cut short by the limit: each SDK makes of it what it can
        return CUT_SHORT


@named([trace for trace in ANTHROPIC if trace.status == 200 and trace.name not in UNREADABLE])
async def test_openai_reads_what_anthropic_answered(trace, stage, ask, ask_upstream, count_replay):
    count_replay("node sdk replays")
    request = {**HELLO, "model": MODELS["anthropic"], "stream": trace.stream}
    stage.play(trace)
    theirs = await ask_upstream("anthropic", request, beta=True)
    options = {"stream_options": {"include_usage": True}} if trace.stream else {}
    stage.play(trace)
    mine = await ask("openai", request | options)
    message, completion = theirs["value"]["final"], mine["value"]["final"]
    assert of_completion(completion) == of_message(message)
    finish = completion["choices"][0]["finish_reason"]
    assert finish == FINISH_REASON[message["stop_reason"]]


INCOMPLETE = {"max_tokens", "model_context_window_exceeded", "refusal"}


@named([trace for trace in ANTHROPIC if trace.status == 200 and trace.name not in UNREADABLE])
async def test_responses_read_what_anthropic_answered(
    trace, stage, ask, ask_upstream, count_replay
):
    count_replay("node sdk replays")
    request = {**HELLO, "model": MODELS["anthropic"], "stream": trace.stream}
    stage.play(trace)
    theirs = await ask_upstream("anthropic", request, beta=True)
    stage.play(trace)
    asked = {"input": "Hello", "model": MODELS["anthropic"], "stream": trace.stream}
    mine = await ask("responses", asked)
    message, response = theirs["value"]["final"], mine["value"]["final"]
    assert of_response(response) == of_message(message)
    cut = message["stop_reason"] in INCOMPLETE
    assert response["status"] == ("incomplete" if cut else "completed")


@named([trace for trace in ANTHROPIC if trace.name in UNREADABLE])
async def test_openai_reads_what_is_unreadable_to_anthropic(
    trace, stage, ask, ask_upstream, count_replay
):
    count_replay("node sdk replays")
    request = {**HELLO, "model": MODELS["anthropic"], "stream": True}
    stage.play(trace)
    theirs = await ask_upstream("anthropic", request)
    assert theirs["error"]["name"] == "AnthropicError"
    stage.play(trace)
    mine = await ask("openai", {**request, "stream_options": {"include_usage": True}})
    text, answer = UNREADABLE[trace.name]
    assert of_completion(mine["value"]["final"]) == {"text": text, "calls": [], "answer": answer}


@named([trace for trace in OPENAI if trace.status == 200])
async def test_anthropic_reads_what_openai_answered(trace, stage, ask, ask_upstream, count_replay):
    count_replay("node sdk replays")
    request = {**HELLO, "model": MODELS["openai"], "stream": trace.stream}
    stage.play(trace)
    theirs = await ask_upstream("openai", request)
    stage.play(trace)
    mine = await ask("anthropic", request)
    completion, message = theirs["value"]["final"], mine["value"]["final"]
    choice, ours, original = (
        completion["choices"][0],
        of_message(message),
        of_completion(completion),
    )
    if any(given is CUT_SHORT for _, given in original["calls"]):
        assert choice["finish_reason"] == "length"
        ours["calls"] = [(name, CUT_SHORT) for name, _ in ours["calls"]]
        original["calls"] = [(name, CUT_SHORT) for name, _ in original["calls"]]
    assert ours == original
    expected = STOP_REASON[choice["finish_reason"]]
    if choice["message"].get("refusal"):
        expected = "refusal"
    elif choice["message"].get("tool_calls") and expected == "end_turn":
        expected = "tool_use"  # OpenAI says `stop` where the request forced the call
    assert message["stop_reason"] == expected
