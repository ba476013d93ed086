"""Every recorded Responses exchange, replayed through the gateway by the official `openai` SDK."""

from __future__ import annotations

import json
import random

import openai
import pytest
from attrs import evolve
from pydantic import BaseModel

from flo2.canonical import Usage
from flo2.records import Pend, Settle, Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
GOLDEN = {trace.name: trace for trace in golden_traces("openai_responses")}
RECORDED = [trace for trace in recorded_traces("openai") if trace.endpoint == PATH]
COUNTS = [
    trace
    for trace in (*GOLDEN.values(), *recorded_traces("openai"))
    if trace.endpoint == f"{PATH}/input_tokens"
]
# The short suite replays these recordings, `nox -s deep` the others too.
SHORT = {trace.name for trace in random.Random(2026).sample(RECORDED, min(100, len(RECORDED)))}
TRACES = [trace for trace in (*GOLDEN.values(), *RECORDED) if trace.endpoint == PATH]

# Streams that do not end as a stream must: the gateway adds the events that say so.
CUT_SHORT = {"cut_stream": "half a frame at the end"}
FAILED = {
    "failed": "a plain answer of status `failed` is raised as the error that it holds",
}
BAD_KEY = {trace.name for trace in TRACES if trace.status == 401}
# Refused before anything is sent: what such an answer costs is known only after the call.
IN_BACKGROUND = {
    trace.name
    for trace in TRACES
    if trace.request and trace.request.get("background") and not trace.stream
}


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


def asked(trace) -> dict:
    """Give the recorded request for the gateway; a stand-in where the source kept none."""
    stand_in = {"model": "gpt-5-mini", "input": "Hello", "stream": trace.stream}
    request = trace.request or stand_in
    # One has its model in a prompt that the provider keeps.
    return {**request, "model": f"openai/{request.get('model', 'gpt-5-mini')}"}


@pytest.fixture(scope="module")
async def sdk(wide_stage, clients):
    return clients("responses", wide_stage.url, wide_stage.key)


@pytest.fixture(scope="module")
async def direct(wide_stage, clients):
    """Speaks to the upstream itself, so that its reading of an answer is the measure."""
    return clients("responses", wide_stage.upstream_url, "none", max_retries=0)


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


async def answered_before(stage, sdk, request):
    """Let the provider have given the answer that a request goes on from to the same key."""
    if (answer_id := request.get("previous_response_id")) is None:
        return
    body = {**json.loads(GOLDEN["plain_text"].body), "id": answer_id}
    stage.play(evolve(GOLDEN["plain_text"], body=json.dumps(body).encode()))
    answer = await sdk.create(model="openai/gpt-5-mini", input="Hello")
    assert answer.id == answer_id


def sound(entry):
    """Check an entry: settled to the last digit, or honestly not, with the reason."""
    end = entry.end
    if isinstance(end, Settle):
        usage, raw = Usage(end.meters), end.raw_usage
        assert usage.input_total == raw["input_tokens"]
        assert usage.output_total == raw["output_tokens"]
        assert usage.input_total + usage.output_total == raw["total_tokens"]
    if entry.status == "settled":
        assert end.total == sum(line.amount for line in end.lines)
        assert (end.total > 0) is bool(end.meters)
    else:
        assert entry.status in {"unpriced", "pending"}
        assert end.reason


@named([trace for trace in TRACES if trace.name not in IN_BACKGROUND])
async def test_bytes_pass_through(trace, wide_stage, sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    stage, request = wide_stage, asked(trace)
    await answered_before(stage, sdk, request)
    before = len(stage.arrived())
    stage.play(trace)
    body, error = await sdk.raw(request)

    assert sdk.sent == request
    (arrived,) = stage.arrived(before)
    assert arrived.path == PATH
    assert arrived.json() == {**request, "model": request["model"].removeprefix("openai/")}
    call = await stage.call(sdk.request_id)
    (entry,) = call.entries
    if trace.status != 200:
        assert isinstance(entry.end, Void)
        # The provider's words on a refused credential may quote it.
        if trace.name not in BAD_KEY:
            assert body == trace.body
        assert error[1] == trace.status
        return
    if trace.name in CUT_SHORT:
        assert isinstance(entry.end, Pend)
        assert body.startswith(trace.body.rpartition(b"\n\n")[0])
        assert b"event: response.failed" in body.rstrip().rpartition(b"\n\n")[2]
        return
    if trace.name in FAILED:
        assert (error[0], entry.status) == ("BadRequestError", "pending")
        return
    assert (body, error) == (trace.body, None)
    sound(entry)
    count_replay(f"{entry.status} entries")
    assert sdk.answer.headers["x-flo2-provider"] == "openai"


@named([t for t in TRACES if t.name not in IN_BACKGROUND | CUT_SHORT.keys() | FAILED.keys()])
async def test_the_sdk_reads_it_as_it_reads_the_provider(
    trace, wide_stage, sdk, direct, count_replay
):
    count_replay("sdk replays")
    stage, request = wide_stage, asked(trace)
    await answered_before(stage, sdk, request)
    before = len(stage.arrived())
    stage.play(trace)
    mine = await sdk.result(request)
    assert len(stage.arrived(before)) == 1
    stage.play(trace)
    theirs = await direct.result(request)
    if trace.name in BAD_KEY:
        assert mine[:2] == theirs[:2]
        return
    assert mine == theirs


@named([trace for trace in TRACES if trace.stream and trace.name not in CUT_SHORT])
async def test_every_event_of_a_stream_is_the_provider_s(trace, wide_stage, sdk, direct):
    stage, request = wide_stage, {**asked(trace), "stream": True}
    await answered_before(stage, sdk, request)
    stage.play(trace)
    mine = await sdk.events(request)
    stage.play(trace)
    assert mine == await direct.events(request)


async def test_a_stream_that_is_cut_short_is_raised_and_says_what_failed(wide_stage, sdk):
    stage = wide_stage
    stage.play(GOLDEN["cut_stream"])
    seen, error = await sdk.events({**asked(GOLDEN["cut_stream"]), "stream": True})
    assert [event["type"] for event in seen][:2] == ["response.created", "response.in_progress"]
    assert error[0] == "APIError"
    assert error[3]
    call = await stage.call(sdk.request_id)
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]


@named([trace for trace in TRACES if trace.name in IN_BACKGROUND])
async def test_an_answer_in_the_background_is_refused_unsent(trace, wide_stage, sdk):
    before = len(wide_stage.arrived())
    name, status, body, _ = await sdk.result(asked(trace))
    assert (name, status, body["code"]) == ("BadRequestError", 400, "unsupported_background")
    assert wide_stage.arrived(before) == []


# What the SDK has beside `create` -----------------------------------------------------------------


class Capital(BaseModel):
    city: str
    country: str


def answer_of(text):
    body = json.loads(GOLDEN["plain_text"].body)
    (message,) = [item for item in body["output"] if item["type"] == "message"]
    message["content"][0]["text"] = text
    return evolve(GOLDEN["plain_text"], body=json.dumps(body).encode())


async def test_parse_gives_the_object_that_was_asked_for(wide_stage, sdk):
    wide_stage.play(answer_of('{"city": "Oslo", "country": "Norway"}'))
    answer = await sdk.client.responses.parse(
        model="openai/gpt-5-mini", input="Where?", text_format=Capital
    )
    assert answer.output_parsed == Capital(city="Oslo", country="Norway")
    sent = wide_stage.arrived()[-1].json()["text"]["format"]
    assert (sent["type"], sent["name"], sent["strict"]) == ("json_schema", "Capital", True)


async def test_a_conversation_goes_on_where_its_answer_lies_and_for_no_other_key(
    wide_stage, sdk, clients
):
    stage = wide_stage
    stage.play(GOLDEN["plain_text"])
    first = await sdk.create(model="openai/gpt-5-mini", input="Hello")
    stage.play(GOLDEN["continued"])
    # The name alone might be another provider's: the answer's home decides.
    second = await sdk.create(
        model="openai/gpt-5-mini", input="And?", previous_response_id=first.id
    )
    assert second.output_text
    assert stage.arrived()[-1].json()["previous_response_id"] == first.id

    before = len(stage.arrived())
    with pytest.raises(openai.BadRequestError) as elsewhere:
        await sdk.create(
            model="anthropic/claude-haiku-4-5", input="And?", previous_response_id=first.id
        )
    with pytest.raises(openai.BadRequestError) as unknown:
        await sdk.create(model="openai/gpt-5-mini", input="?", previous_response_id="resp_none")
    told = {caught.value.body["code"] for caught in (elsewhere, unknown)}
    assert told == {"previous_response_not_found"}
    _, secret = await stage.house.gateway.issue_key("another")
    await stage.house.gateway.refresh(force=True)
    other = clients("responses", stage.url, secret.reveal())
    with pytest.raises(openai.BadRequestError) as stranger:
        await other.create(model="openai/gpt-5-mini", input="?", previous_response_id=first.id)
    assert stranger.value.body["code"] == "previous_response_not_found"
    assert stage.arrived(before) == []


@named(COUNTS)
async def test_input_tokens_are_counted_by_openai(trace, wide_stage, sdk, count_replay):
    count_replay(trace.kind)
    count_replay("sdk replays")
    request = {**trace.request, "model": f"openai/{trace.request['model']}"}
    wide_stage.play(trace)
    count = await sdk.client.responses.input_tokens.count(**request)
    assert count.input_tokens == json.loads(trace.body)["input_tokens"]
    arrived = wide_stage.arrived()[-1]
    assert (arrived.path, arrived.json()) == (f"{PATH}/input_tokens", trace.request)
    call = await wide_stage.call(sdk.request_id)
    assert [(entry.status, entry.total) for entry in call.entries] == [("settled", 0)]


async def test_input_tokens_of_another_dialect_are_counted_by_its_provider(wide_stage, sdk):
    wide_stage.upstream.reply(json={"input_tokens": 14})
    count = await sdk.client.responses.input_tokens.count(
        model="anthropic/claude-haiku-4-5", input="Hello", instructions="Be brief."
    )
    assert count.input_tokens == 14
    arrived = wide_stage.arrived()[-1]
    assert arrived.path == "/v1/messages/count_tokens"
    assert arrived.json()["system"]
