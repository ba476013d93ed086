"""Google's official SDK as a client: its recordings replayed, by Google itself."""

from __future__ import annotations

import json
import random

import pytest
from google.genai import types

from flo2.records import Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

GOLDEN = {trace.name: trace for trace in golden_traces("gemini")}
RECORDED = [
    trace
    for trace in recorded_traces("google")
    if trace.endpoint.endswith((":generateContent", ":streamGenerateContent"))
    # Firebase's samples keep answers of countTokens under the path of generateContent.
    and b'"totalTokens"' not in trace.body
]
SHORT = {trace.name for trace in random.Random(2026).sample(RECORDED, min(90, len(RECORDED)))}
TRACES = [
    trace
    for trace in (*GOLDEN.values(), *RECORDED)
    if trace.endpoint.endswith((":generateContent", ":streamGenerateContent"))
]
# Streams that do not end as a stream must.
BROKEN_OFF = {
    "bare_error_in_mid_stream",
    "cut_stream",
    "error_in_mid_stream",
    "continue-issue-10639-624e6c-0",
}
# Told in flo2's own words: a page of HTML, and the provider's on a refused credential.
REWORDED = {"bad_gateway_page"} | {
    trace.name for trace in TRACES if trace.status in {401, 403} or b"API_KEY_" in trace.body
}
# The SDK sends this to Vertex alone.
NOT_SAID = {"streamed_arguments"}
MODEL = "gemini-2.5-flash"


def named(traces):
    return pytest.mark.parametrize(
        "trace",
        [
            pytest.param(
                trace,
                id=trace.name,
                marks=()
                if trace.kind == "golden traces" or trace.name in SHORT
                else pytest.mark.deep,
            )
            for trace in traces
        ],
    )


def frames_of(trace):
    """Give the body; a stream that was asked for without `alt=sse` is a list, and we ask for it."""
    if not trace.stream or not trace.body.lstrip().startswith(b"["):
        return trace.body
    chunks = map(json.dumps, json.loads(trace.body))
    return "".join(f"data: {chunk}\r\n\r\n" for chunk in chunks).encode()


@pytest.fixture(scope="module")
async def sdk(genai, wide_stage):
    return genai(wide_stage.url, wide_stage.key)


@pytest.fixture(scope="module")
async def direct(genai, wide_stage):
    """Speaks to the upstream itself, so that its reading of an answer is the measure."""
    return genai(wide_stage.upstream_url, "none", api_version="v1beta")


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


NOT_GENERATION = {"systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent"}


def asked(trace):
    """Give the recorded request as the SDK's arguments; None where its types do not know it all."""
    request = trace.request or {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    given = {key: request[key] for key in NOT_GENERATION if request.get(key)}
    config = {**(request.get("generationConfig") or {}), **given}
    try:
        contents = [types.Content.model_validate(each) for each in request["contents"]]
        return contents, types.GenerateContentConfig.model_validate(config)
    except ValueError:
        return None


@named(TRACES)
async def test_bytes_pass_through(trace, wide_stage, sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    stage, verb = wide_stage, "streamGenerateContent" if trace.stream else "generateContent"
    request = trace.request or {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    before = len(stage.arrived())
    stage.play(trace, body=frames_of(trace))
    answer = await sdk.http.post(
        f"{stage.url}/v1beta/models/google/{MODEL}:{verb}?alt=sse",
        headers={"x-goog-api-key": stage.key},
        json=request,
    )
    (arrived,) = stage.arrived(before)
    assert arrived.path == f"/v1beta/models/{MODEL}:{verb}"
    if "model" in request:  # said once more than the path does
        request = {**request, "model": f"models/{MODEL}"}
    assert arrived.json() == request
    assert stage.key not in str(arrived.headers) + arrived.target
    call = await stage.call(sdk.request_id)
    (entry,) = call.entries
    assert answer.status_code == (trace.status if trace.name not in BROKEN_OFF else 200)
    if trace.status != 200:
        assert isinstance(entry.end, Void)
    elif trace.name in BROKEN_OFF:
        assert (entry.status, entry.end.outcome) == ("pending", "broken")
        assert b'"error"' in answer.content.rstrip().rpartition(b"\n\n")[2]
        return
    else:
        assert entry.status in {"settled", "unpriced", "pending"}
        count_replay(f"{entry.status} entries")
    if trace.name not in REWORDED:
        assert answer.content == frames_of(trace)


@named([trace for trace in TRACES if trace.name not in BROKEN_OFF])
async def test_the_sdk_reads_it_as_it_reads_google(trace, wide_stage, sdk, direct, count_replay):
    count_replay("sdk replays")
    stage, given = wide_stage, asked(trace)
    contents, config = ("Hello", None) if trace.name in NOT_SAID else given or ("Hello", None)
    before = len(stage.arrived())
    stage.play(trace, body=frames_of(trace))
    mine = await sdk.result(f"google/{MODEL}", contents, config, stream=trace.stream)
    assert len(stage.arrived(before)) == 1
    stage.play(trace, body=frames_of(trace))
    theirs = await direct.result(MODEL, contents, config, stream=trace.stream)
    through, straight = stage.arrived(before)
    assert (through.target, through.body) == (straight.target, straight.body)
    if trace.name in REWORDED:
        assert mine[0] == theirs[0]
        return
    assert mine == theirs


@named([trace for trace in TRACES if trace.name in BROKEN_OFF])
async def test_the_sdk_raises_where_an_answer_breaks_off(trace, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    wide_stage.play(trace, body=frames_of(trace))
    told = await sdk.result(f"google/{MODEL}", "Hello", stream=True)
    assert isinstance(told, tuple)
    # The one is cancelled by the provider, which Google counts among a client's errors.
    assert told[0] == ("ClientError" if b"CANCELLED" in trace.body else "ServerError")
    assert told[3]
