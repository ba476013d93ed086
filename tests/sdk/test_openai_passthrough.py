"""Every recorded Chat Completions exchange, replayed through the gateway by the `openai` SDK."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from flo2.canonical import Usage
from flo2.records import Pend, Settle, Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"
TRACES = [
    trace
    for trace in (*golden_traces("openai_chat"), *recorded_traces("openai"))
    if trace.endpoint == PATH
]

# Streams that do not end as a stream must: the gateway adds the error that says so.
BROKEN_OFF = {
    "cut_stream": "half a frame at the end",
    "mid_stream_error": "an error frame from the provider",
    "go-openai-pull-396-6caad1-0": "an error frame from the provider",
}
# Refused by the gateway before anything is sent, as the provider did.
REFUSED = {
    "ai-gateway-testopenai-chat-no-messages-285eda-0": "an empty list of messages",
}
# Errors that the client gets in flo2's own words.
REWORDED = {
    "unverified-openai-502-html-8f354b-0": "a page of HTML is told in the envelope",
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def asked(trace) -> dict:
    """Give the recorded request for the gateway; a stand-in where the source kept none."""
    stand_in = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    request = trace.request or {**stand_in, "stream": trace.stream}
    return {**request, "model": f"openai/{request['model']}"}


def is_usage_frame(frame: bytes) -> bool:
    data = frame.strip().removeprefix(b"data:").strip()
    if not data.startswith(b"{"):
        return False
    chunk = json.loads(data)
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def expected_body(trace, request) -> bytes:
    """Give the recorded body, without the usage frame where the client did not ask for it."""
    options = request.get("stream_options") or {}
    if not trace.stream or options.get("include_usage"):
        return trace.body
    frames = trace.body.split(b"\n\n")
    return b"\n\n".join(frame for frame in frames if not is_usage_frame(frame))


def sound(entry) -> None:
    """Check an entry: settled to the last digit, or honestly not, with the reason."""
    end = entry.end
    if isinstance(end, Settle):
        usage, raw = Usage(end.meters), end.raw_usage
        assert usage.input_total == raw["prompt_tokens"]
        assert usage.output_total == raw["completion_tokens"]
        assert usage.input_total + usage.output_total == raw["total_tokens"]
    if entry.status == "settled":
        assert end.total == sum(line.amount for line in end.lines)
        assert end.total > 0
    else:
        assert entry.status in {"unpriced", "pending"}
        assert end.reason


@named(TRACES)
async def test_bytes_pass_through(trace, stage, openai_sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    request, before = asked(trace), len(stage.arrived())
    stage.play(trace)
    body, error = await openai_sdk.raw(request)
    if trace.name in REFUSED:
        stage.upstream.forget()
        assert (error[:2], stage.arrived(before)) == (("BadRequestError", 400), [])
        return

    assert openai_sdk.sent == request
    (arrived,) = stage.arrived(before)
    assert arrived.path == PATH
    upstream = {**request, "model": request["model"].removeprefix("openai/")}
    if request.get("stream"):
        options = request.get("stream_options") or {}
        upstream["stream_options"] = {**options, "include_usage": True}
    assert arrived.json() == upstream

    call = await stage.call(openai_sdk.request_id)
    (entry,) = call.entries
    if trace.status != 200:
        assert isinstance(entry.end, Void)
        # The provider's words on a refused credential may quote it.
        if trace.status != 401 and trace.name not in REWORDED:
            assert body == trace.body
        assert error[1] == trace.status
        return
    if trace.name in BROKEN_OFF:
        assert isinstance(entry.end, Pend)
        assert b'"error"' in body.rstrip().rpartition(b"\n\n")[2]
        return
    assert body == expected_body(trace, request)
    sound(entry)
    count_replay(f"{entry.status} entries")
    assert openai_sdk.answer.headers["x-flo2-provider"] == "openai"


@named([trace for trace in TRACES if trace.name not in BROKEN_OFF | REFUSED])
async def test_the_sdk_reads_it_as_it_reads_the_provider(
    trace, stage, openai_sdk, direct_openai, count_replay
):
    count_replay("sdk replays")
    request, before = asked(trace), len(stage.arrived())
    stage.play(trace)
    mine = await openai_sdk.result(request)
    assert len(stage.arrived(before)) == 1
    stage.play(evolve(trace, body=expected_body(trace, request)))
    theirs = await direct_openai.result(request)
    if trace.status == 401 or trace.name in REWORDED:
        assert mine[:2] == theirs[:2]
        return
    assert mine == theirs


@named([trace for trace in TRACES if trace.name in BROKEN_OFF])
async def test_the_sdk_raises_where_an_answer_breaks_off(trace, stage, openai_sdk, count_replay):
    count_replay("sdk replays")
    stage.play(trace)
    name, status, body, message = await openai_sdk.result(asked(trace))
    assert (name, status, body["message"]) == ("APIError", None, message)
    call = await stage.call(openai_sdk.request_id)
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]
