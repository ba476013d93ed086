"""Every recorded Messages exchange, replayed through the gateway by the `anthropic` SDK."""

from __future__ import annotations

import pytest

from flo2.canonical import Usage
from flo2.records import Pend, Settle, Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

PATH = "/v1/messages"
TRACES = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
    if trace.endpoint == PATH
]

# Streams that do not end as a stream must.
BROKEN_OFF = {
    "ai-anthropic-anthropic-language-model-test-ts-e0720c-0": "an error is all it holds",
    "overloaded_in_mid_stream": "an error event from the provider",
    "broken_off": "half a frame at the end",
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def asked(trace) -> dict:
    """Give the recorded request for the gateway; a stand-in where the source kept none."""
    stand_in = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    request = trace.request or {**stand_in, "stream": trace.stream}
    return {**request, "model": f"anthropic/{request['model']}"}


def sound(entry) -> None:
    """Check an entry: settled to the last digit, or honestly not, with the reason."""
    end = entry.end
    if isinstance(end, Settle):
        usage, raw = Usage(end.meters), end.raw_usage
        caches = ("cache_creation_input_tokens", "cache_read_input_tokens")
        if "iterations" not in raw:
            told = raw["input_tokens"] + sum(raw.get(cache) or 0 for cache in caches)
            assert usage.input_total == told
            assert usage.output_total == raw["output_tokens"]
    if entry.status == "settled":
        assert end.total == sum(line.amount for line in end.lines)
        assert end.total > 0
    else:
        assert entry.status in {"unpriced", "pending"}
        assert end.reason


@named(TRACES)
async def test_bytes_pass_through(trace, stage, anthropic_sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    request, before = asked(trace), len(stage.arrived())
    stage.play(trace)
    body, error = await anthropic_sdk.raw(request)
    assert anthropic_sdk.sent == request
    (arrived,) = stage.arrived(before)
    assert arrived.path == PATH
    assert arrived.json() == {**request, "model": request["model"].removeprefix("anthropic/")}
    assert (
        arrived.headers["anthropic-version"]
        == (anthropic_sdk.requests[-1].headers["anthropic-version"])
    )

    call = await stage.call(anthropic_sdk.request_id)
    (entry,) = call.entries
    if trace.status != 200:
        assert isinstance(entry.end, Void)
        # The provider's words on a refused credential may quote it.
        if trace.status != 401:
            assert body == trace.body
        assert error[1] == trace.status
        return
    if trace.name in BROKEN_OFF:
        assert isinstance(entry.end, Pend)
        assert b'"error"' in body.rstrip().rpartition(b"\n\n")[2]
        return
    assert body == trace.body
    sound(entry)
    count_replay(f"{entry.status} entries")
    assert anthropic_sdk.answer.headers["x-flo2-provider"] == "anthropic"


@named([trace for trace in TRACES if trace.name not in BROKEN_OFF])
async def test_the_sdk_reads_it_as_it_reads_the_provider(
    trace, stage, anthropic_beta_sdk, direct_anthropic_beta, count_replay
):
    count_replay("sdk replays")
    request, before = asked(trace), len(stage.arrived())
    stage.play(trace)
    mine = await anthropic_beta_sdk.result(request)
    (arrived,) = stage.arrived(before)
    assert arrived.target == anthropic_beta_sdk.requests[-1].url.raw_path.decode()
    stage.play(trace)
    theirs = await direct_anthropic_beta.result(request)
    if trace.status == 401:
        assert mine[:2] == theirs[:2]
        return
    assert mine == theirs


@named([trace for trace in TRACES if trace.stream and trace.name not in BROKEN_OFF])
async def test_the_stable_stream_helper_reads_it_too(
    trace, stage, anthropic_sdk, direct_anthropic, count_replay
):
    count_replay("sdk replays")
    request = asked(trace)
    stage.play(trace)
    mine = await anthropic_sdk.result(request)
    stage.play(trace)
    assert mine == await direct_anthropic.result(request)


@named([trace for trace in TRACES if trace.name in BROKEN_OFF])
async def test_the_sdk_raises_where_an_answer_breaks_off(trace, stage, anthropic_sdk, count_replay):
    count_replay("sdk replays")
    stage.play(trace)
    told = await anthropic_sdk.result(asked(trace))
    assert told[2]["type"] == "error"
    call = await stage.call(anthropic_sdk.request_id)
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]
