"""The official Node SDKs as clients of the gateway, measured by what they make of the upstream.

`python3 noxfile.py -s deep` installs them, pinned, into a folder of its own and names it in
FLO2_NODE_SDKS.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from flo2.testing.replay import staged
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = [pytest.mark.anyio, pytest.mark.deep]

DRIVER = Path(__file__).with_name("driver.mjs")
ANSWER_LIMIT = 64 * 2**20
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODELS = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-sonnet-4-5"}
HELLO = {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
# Every recording is replayed by the Python SDKs; these show that the Node SDKs are no different.
SAMPLE, SEED = 20, 2026


def sample(provider):
    """Draw the same recordings each time."""
    found = [trace for trace in recorded_traces(provider) if trace.endpoint == PATHS[provider]]
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
# Streams that do not end as a stream must.
BROKEN_OFF = {"cut_stream", "mid_stream_error", "broken_off", "overloaded_in_mid_stream"}
# The Node SDK of Anthropic raises on these, from the provider and from flo2; what they hold.
UNREADABLE = {
    # It goes by the event lines that this stream leaves out.
    "data_lines_only": ("One two", 3),
    # It drops the last event, which no blank line ends.
    "no_blank_line_at_the_end": ("Hi", 2),
}


def named(traces, *, broken=False):
    chosen = [trace for trace in traces if (trace.name in BROKEN_OFF) is broken]
    return pytest.mark.parametrize("trace", chosen, ids=lambda trace: trace.name)


class Node:
    """The driver as a running program."""

    def __init__(self, process):
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def do(self, **command):
        await self._process.stdin.send(json.dumps(command).encode() + b"\n")
        with anyio.fail_after(60):
            return json.loads(await self._lines.receive_until(b"\n", ANSWER_LIMIT))


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(anyio_backend):
    def providers(url):
        return {
            "openai": {"kind": "openai", "base_url": f"{url}/v1"},
            "anthropic": {"kind": "anthropic", "base_url": url},
        }

    async with staged(providers) as made:
        yield made


@pytest.fixture(scope="module")
async def node(anyio_backend):
    folder, program = os.environ.get("FLO2_NODE_SDKS"), shutil.which("node")
    assert folder, "FLO2_NODE_SDKS names no folder; run: python3 noxfile.py -s deep"
    assert program, "no 'node' on PATH; install Node.js 20 or newer"
    # A clean environment: both SDKs take keys, addresses and log levels from variables.
    command = [program, str(DRIVER), folder]
    env = {"PATH": os.environ["PATH"]}
    async with await anyio.open_process(command, env=env, stderr=sys.stderr) as process:
        yield Node(process)
        await process.stdin.aclose()
        assert await process.wait() == 0


@pytest.fixture(scope="module")
def ask(node, stage):
    """Ask through the gateway."""

    async def ask(sdk, request, *, do="ask", key=stage.key, **more):
        given = {"sdk": sdk, "base_url": stage.url, "key": key, "do": do, "request": request}
        return await node.do(**given, **more)

    return ask


@pytest.fixture(scope="module")
def ask_upstream(node, stage):
    """Ask the upstream itself, whose answer is the measure."""

    async def ask(sdk, request, **more):
        address = {"base_url": stage.upstream_url, "key": "none"}
        return await node.do(sdk=sdk, do="ask", request=request, **address, **more)

    return ask


def asked(trace, provider):
    """Give the recorded request for the gateway; a stand-in where the source kept none."""
    stand_in = {**HELLO, "model": MODELS[provider].partition("/")[2], "stream": trace.stream}
    request = trace.request or stand_in
    if provider == "openai" and request.get("stream"):
        # Who does not ask for usage gets none, and the answers would differ by that frame.
        options = request.get("stream_options") or {}
        request = {**request, "stream_options": {**options, "include_usage": True}}
    return {**request, "model": f"{provider}/{request['model']}"}


# Passthrough --------------------------------------------------------------------------------------


async def the_same_as_from_the_provider(trace, provider, stage, ask, ask_upstream, **more):
    request, before = asked(trace, provider), len(stage.arrived())
    stage.play(trace)
    mine = await ask(provider, request, **more)
    (arrived,) = stage.arrived(before)
    (sent,) = mine["sent"]
    assert sent["body"] == request
    assert arrived.json() == {**request, "model": request["model"].removeprefix(f"{provider}/")}
    stage.play(trace)
    # Unlike the gateway's, the provider's own errors make an SDK try again.
    theirs = await ask_upstream(provider, request, retries=0, **more)
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


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
@named([*OPENAI, *ANTHROPIC], broken=True)
async def test_both_raise_where_an_answer_breaks_off(trace, surface, stage, ask, count_replay):
    count_replay("node sdk replays")
    provider = "openai" if trace in OPENAI else "anthropic"
    before = len(stage.arrived())
    stage.play(trace)
    mine = await ask(surface, {**HELLO, "model": MODELS[provider], "stream": True})
    assert mine["error"]["name"] in {"APIError", "InternalServerError"}
    assert mine["error"]["message"]
    assert (len(mine["sent"]), len(stage.arrived(before))) == (1, 1)
    call = await stage.call(mine["headers"]["x-flo2-request-id"])
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]


COMMON_CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}
CLASSES = {
    "openai": COMMON_CLASSES,
    "anthropic": {**COMMON_CLASSES, 503: "ServiceUnavailableError", 529: "OverloadedError"},
}
BODIES = {
    "openai": {"error": {"message": "no such luck", "type": "t", "param": None, "code": "c"}},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "no such luck"}},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("surface", ["openai", "anthropic"])
@pytest.mark.parametrize("status", COMMON_CLASSES)
async def test_an_error_is_the_sdks_own_class_and_not_tried_again(
    status, surface, provider, stream, stage, ask, count_replay
):
    count_replay("node sdk errors")
    before = len(stage.arrived())
    # The provider invites to try again; a gateway that has done so itself must not pass that on.
    headers = {"retry-after": "7", "x-should-retry": "true"}
    stage.upstream.reply(status, json=BODIES[provider], headers=headers)
    mine = await ask(surface, {**HELLO, "model": MODELS[provider], "stream": stream})
    assert (mine["error"]["name"], mine["error"]["status"]) == (CLASSES[surface][status], status)
    assert (len(mine["sent"]), len(stage.arrived(before))) == (1, 1)
    assert (mine["headers"]["x-should-retry"], mine["headers"]["retry-after"]) == ("false", "7")
    expected = "flo2 providers add" if status == 401 else "no such luck"
    assert expected in mine["error"]["message"]


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
async def test_a_wrong_key_and_an_unknown_model(surface, stage, ask):
    before = len(stage.arrived())
    wrong = stage.key[:-1] + ("a" if stage.key[-1] != "a" else "b")
    request = {**HELLO, "model": MODELS[surface]}
    refused = await ask(surface, request, key=wrong)
    assert (refused["error"]["name"], refused["error"]["status"]) == ("AuthenticationError", 401)
    assert wrong not in json.dumps(refused["error"])
    unknown = await ask(surface, {**request, "model": "no-such-model"})
    assert (unknown["error"]["name"], unknown["error"]["status"]) == ("NotFoundError", 404)
    assert "no-such-model" in unknown["error"]["message"]
    assert (len(refused["sent"]), len(unknown["sent"])) == (1, 1)
    assert stage.arrived(before) == []


# Models -------------------------------------------------------------------------------------------


async def test_both_list_the_same_models(node, stage):
    address = {"base_url": stage.url, "key": stage.key, "do": "models"}
    mine = (await node.do(sdk="openai", **address))["value"]
    theirs = (await node.do(sdk="anthropic", **address))["value"]
    ids = [model["id"] for model in mine["listed"]]
    assert ids == [model["id"] for model in theirs["listed"]]
    assert set(MODELS.values()) <= set(ids)
    assert mine["first"] == mine["listed"][0]
    assert theirs["first"] == theirs["listed"][0]


# The SDKs' own loops and codings ------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
async def test_vectors_are_decoded_whichever_coding_is_asked_for(asked, stage, ask):
    """The SDK asks for base64 unless told, and decodes it; this upstream has floats alone."""
    model, vector = "text-embedding-3-small", [0.5, -0.25, 1.0]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    made = {"object": "list", "data": data, "model": model, "usage": usage}
    stage.upstream.reply(json=made)
    mine = await ask("openai", {"model": f"openai/{model}", "input": "Hi", **asked}, do="embed")
    (sent,) = mine["sent"]
    assert sent["body"]["encoding_format"] == asked.get("encoding_format", "base64")
    assert mine["value"] == made


async def test_the_tool_runner_goes_on_without_threads_on_another_provider(stage, ask):
    """It opens a message thread, is told that there is none, and sends the whole conversation."""
    before, golden = len(stage.arrived()), {trace.name: trace for trace in OPENAI}["plain_text"]
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    stage.upstream.reply(json={**json.loads(golden.body), "choices": [choice]})
    stage.play(golden)
    mine = await ask("anthropic", {**HELLO, "model": MODELS["openai"]}, do="run_tool")
    first, second = stage.arrived(before)
    assert "thread" in mine["sent"][0]["body"]
    assert "thread" not in first.json()
    sent = second.json()["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "tool"]
    assert sent[-1]["content"] == "Oslo: sun"
    expected = json.loads(golden.body)["choices"][0]["message"]["content"]
    assert mine["value"]["content"] == [{"type": "text", "text": expected}]
