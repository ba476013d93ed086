"""Gemini's surface: the path names the model, the query says how a stream is written."""

from __future__ import annotations

import json

import pytest

from flo2.testing.harness import CANARY, running
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

ASK = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
CONFIG = {
    "providers": {
        "acme": {"kind": "openai-compatible", "base_url": "https://acme.invalid/v1"},
    }
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
HEAD = {"id": "c1", "created": 1, "model": "a/m1"}


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


USED = b"data: " + json.dumps({**HEAD, "choices": [], "usage": USAGE}).encode() + b"\n\n"
FRAMES = [chunk({"content": "On"}), chunk({"content": "e"}, "stop"), USED, b"data: [DONE]\n\n"]


def house(upstream):
    return running(CONFIG, credentials=["acme"], wire=Wire(upstream.transport()))


def text_of(parts):
    return "".join(
        part.get("text", "") for each in parts for part in each["candidates"][0]["content"]["parts"]
    )


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_a_model_of_any_provider_answers_in_geminis_words(version):
    upstream = FakeUpstream()
    message = {"role": "assistant", "content": "One"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    upstream.reply(json={**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    async with house(upstream) as h:
        path = f"/{version}/models/acme/a/m1:generateContent"
        answer = await h.driver.request(
            "POST", path, headers={"x-goog-api-key": h.key}, body=json.dumps(ASK).encode()
        )
        (entry,) = await h.entries()
    told = json.loads(answer.body)
    assert answer.status == 200
    assert text_of([told]) == "One"
    assert told["candidates"][0]["finishReason"] == "STOP"
    assert told["usageMetadata"]["totalTokenCount"] == 5
    assert upstream.last.json()["model"] == "a/m1"
    assert upstream.last.headers["authorization"] == f"Bearer {CANARY}"
    assert entry.intent.model == "a/m1"


@pytest.mark.parametrize("query", ["?alt=sse", "?$alt=sse", ""])
async def test_a_stream_is_events_or_one_array_as_it_was_asked_for(query):
    upstream = FakeUpstream()
    upstream.stream(FRAMES)
    async with house(upstream) as h:
        answer = await h.post(f"/v1beta/models/acme/m1:streamGenerateContent{query}", ASK)
    kind = dict(answer.headers)["content-type"]
    if query:
        assert kind == "text/event-stream"
        lines = [line for line in answer.body.decode().splitlines() if line]
        told = [json.loads(line.removeprefix("data: ")) for line in lines]
    else:
        assert kind == "application/json"
        told = json.loads(answer.body)
    assert text_of(told) == "One"
    assert told[-1]["usageMetadata"]["totalTokenCount"] == 5


async def test_a_stream_that_breaks_is_still_an_array_and_says_so():
    upstream = FakeUpstream()
    upstream.stream(FRAMES[:1])
    async with house(upstream) as h:
        answer = await h.post("/v1/models/acme/m1:streamGenerateContent", ASK)
    *_, last = json.loads(answer.body)
    assert last["error"]["code"] >= 500
    assert last["error"]["status"]


async def test_refusals_are_in_googles_envelope():
    async with house(FakeUpstream()) as h:
        unknown = await h.post("/v1beta/models/acme/m1:sing", ASK)
        nobody = await h.driver.request(
            "POST", "/v1beta/models/acme/m1:generateContent", body=json.dumps(ASK).encode()
        )
        missing = await h.post("/v1beta/models/none:generateContent", ASK)
        empty = await h.post("/v1beta/models/acme/m1:streamGenerateContent", {"contents": []})
    told = [json.loads(each.body)["error"] for each in (unknown, nobody, missing, empty)]
    assert [(each["code"], each["status"]) for each in told] == [
        (404, "NOT_FOUND"),
        (401, "UNAUTHENTICATED"),
        (404, "NOT_FOUND"),
        (400, "INVALID_ARGUMENT"),
    ]
    assert ":generateContent" in told[0]["message"]


async def test_the_list_of_models_is_in_googles_shape():
    async with house(FakeUpstream()) as h:
        await h.route("fast", "ordered", "acme/m1")
        await h.route("slow", "ordered", "acme/m2")
        page = json.loads((await h.get("/v1beta/models?pageSize=1")).body)
        by_header = await h.driver.request("GET", "/v1/models", headers={"x-goog-api-key": h.key})
        one = json.loads((await h.get("/v1beta/models/fast")).body)
        token = page["nextPageToken"]
        rest = json.loads((await h.get(f"/v1beta/models?pageToken={token}")).body)
    assert page["models"] == [one]
    assert one["name"] == "models/fast"
    assert [each["name"] for each in rest["models"]] == ["models/slow"]
    assert [each["name"] for each in json.loads(by_header.body)["models"]] == [
        "models/fast",
        "models/slow",
    ]
