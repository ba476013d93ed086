"""The plugins of this repository through the whole house: calls, routes, receipts."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from flo2.testing import FakeUpstream
from flo2.testing.harness import CANARY, running
from flo2.testing.suites.samples import SAMPLES
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

CHAT = SAMPLES["openai.chat"]
RESPONSES = SAMPLES["openai.responses"]
MESSAGES = SAMPLES["anthropic.messages"]
SANDBOX = {"providers": {"sandbox": {"first_word_s": 0, "word_s": 0}}}
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def house_over(upstream, **config):
    wire = Wire(transport=upstream.transport())
    given = {**SANDBOX, **config}
    async with running(given, credentials=["openai", "anthropic"], wire=wire) as house:
        yield house


@pytest.mark.parametrize("stream", [False, True])
async def test_a_first_call_needs_no_key_of_a_provider(stream):
    async with running(SANDBOX) as house:
        answer = await house.post(
            "/v1/chat/completions", {"model": "sandbox-small", "stream": stream, **HELLO}
        )
        assert answer.status == 200
        assert answer.header("x-flo2-simulated") == "true"
        assert b"simulated" in answer.body
        (entry,) = await house.entries()
    # 5 characters are 2 tokens at 0.10 a million; the answer's 101 are 26 at 0.40.
    assert entry.end.meters == {"input_tokens": 2, "output_tokens": 26}
    assert (entry.status, str(entry.total)) == ("settled", "0.0000106")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "sample", "model", "key_header"),
    [
        ("/v1/chat/completions", CHAT, "gpt-4o-mini", "authorization"),
        ("/v1/messages", MESSAGES, "claude-haiku-4-5", "x-api-key"),
    ],
)
async def test_equal_dialects_pass_both_ways_untouched(path, sample, model, key_header, stream):
    upstream = FakeUpstream()
    upstream.stream([sample.stream if stream else sample.plain])
    async with house_over(upstream) as house:
        body = sample.body(model, stream=stream)
        answer = await house.post(path, body)
        assert (answer.status, answer.body) == (200, sample.stream if stream else sample.plain)
        assert upstream.last.body == body
        assert CANARY in upstream.last.headers[key_header]
        (entry,) = await house.entries()
    assert entry.end.meters == {
        "input_tokens": 21,
        "cache_read_tokens": 4,
        "output_tokens": 9,
    }
    # The answer names a model the book does not know: used, and unpriced rather than guessed.
    assert (entry.status, entry.total) == ("unpriced", None)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_openai_client_reaches_anthropic(stream):
    upstream = FakeUpstream()
    upstream.stream([MESSAGES.stream if stream else MESSAGES.plain])
    async with house_over(upstream) as house:
        ask = {"model": "claude-opus-5-5", "stream": stream, "temperature": 0.2, **HELLO}
        answer = await house.post("/v1/chat/completions", ask)
        assert answer.status == 200
        sent = upstream.last.json()
    assert upstream.last.target == "/v1/messages"
    assert (sent["model"], sent["max_tokens"]) == ("claude-opus-5-5", 128_000)
    assert "temperature" not in sent
    assert "temperature: not taken by this model" in str(answer.header("x-flo2-losses"))
    if not stream:
        assert answer.json()["choices"][0]["message"]["content"] == "Grüße 🌍, fertig."


@pytest.mark.parametrize(
    ("more", "answers", "path", "bound"),
    [
        ({}, RESPONSES, "/v1/responses", "max_output_tokens"),
        # Responses has no stop sequences: what chat completions say better goes there.
        ({"stop_sequences": ["END"]}, CHAT, "/v1/chat/completions", "max_completion_tokens"),
    ],
    ids=["responses", "chat"],
)
async def test_an_anthropic_client_reaches_openai_where_least_is_lost(more, answers, path, bound):
    upstream = FakeUpstream()
    upstream.reply(body=answers.plain)
    async with house_over(upstream) as house:
        ask = {"model": "gpt-4o", "max_tokens": 64, **HELLO, **more}
        answer = await house.post("/v1/messages", ask)
        (entry,) = await house.entries()
    assert upstream.last.target == path
    assert upstream.last.json()[bound] == 64
    assert answer.json()["content"] == [{"type": "text", "text": "Grüße 🌍, fertig."}]
    assert entry.intent.api == path.split("/")[2]
    assert entry.intent.losses == ()


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gpt-5.1-codex", "/v1/responses"),
        ("gpt-5.2-pro", "/v1/responses"),
        ("gpt-5.2-proo", "/v1/chat/completions"),
        ("gpt-4o-audio-preview", "/v1/chat/completions"),
        ("gpt-4o", "/v1/chat/completions"),
    ],
)
async def test_a_chat_goes_to_the_endpoint_that_its_model_is_at(model, path):
    upstream = FakeUpstream()
    upstream.reply(body=(CHAT if path.endswith("completions") else RESPONSES).plain)
    async with house_over(upstream) as house:
        answer = await house.post("/v1/chat/completions", {"model": f"openai/{model}", **HELLO})
    assert upstream.last.target == path
    assert answer.json()["choices"][0]["message"]["content"] == "Grüße 🌍, fertig."


async def test_what_goes_on_from_an_answer_is_bound_to_the_key_that_got_it():
    upstream = FakeUpstream()
    for _ in range(2):
        upstream.reply(body=RESPONSES.plain)
    ask = {"model": "gpt-4o", "input": "Hi"}
    async with house_over(upstream) as house:
        first = (await house.post("/v1/responses", ask)).json()
        follow = {**ask, "previous_response_id": first["id"]}
        mine = await house.post("/v1/responses", follow)
        issued, other = await house.gateway.issue_key("other")
        theirs = await house.post("/v1/responses", follow, authorization=f"Bearer {other.reveal()}")
        elsewhere = await house.post("/v1/responses", {**follow, "model": "claude-opus-5-5"})
        guessed = await house.post("/v1/responses", {**follow, "previous_response_id": "resp_9"})
        entries = await house.entries()
    assert issued.id != house.issued.id
    assert (mine.status, upstream.last.json()["previous_response_id"]) == (200, first["id"])
    for answer in (theirs, elsewhere, guessed):
        error = answer.json()["error"]
        assert (answer.status, error["code"]) == (400, "previous_response_not_found")
        assert error["param"] == "previous_response_id"
    assert len(entries) == len(upstream.requests) == 2


async def test_claude_s_own_query_and_flags_go_on():
    upstream = FakeUpstream()
    upstream.reply(body=b'{"input_tokens":25}')
    async with house_over(upstream) as house:
        answer = await house.post(
            "/v1/messages/count_tokens?beta=true",
            {"model": "claude-opus-5-5", **HELLO},
            anthropic_beta="invented-2099-01-01",
            anthropic_version="2023-06-01",
        )
    assert answer.body == b'{"input_tokens":25}'
    assert upstream.last.target == "/v1/messages/count_tokens?beta=true"
    assert upstream.last.headers["anthropic-beta"] == "invented-2099-01-01"


async def routed(house, strategy, *targets, stream=False, **options):
    await house.route("r", strategy, *targets, **options)
    answer = await house.post(
        "/v1/chat/completions", {"model": "r", "stream": stream, "max_tokens": 50, **HELLO}
    )
    return answer, await house.receipt(answer)


@pytest.mark.parametrize(
    ("strategy", "options"),
    [("fallback", {}), ("weighted", {}), ("cheapest", {}), ("fastest", {"explore": 0.0})],
)
async def test_what_fails_is_followed_by_what_works(strategy, options):
    async with running(SANDBOX) as house:
        targets = ("sandbox/sandbox-error-503", "sandbox/sandbox-small")
        answer, receipt = await routed(house, strategy, *targets, **options)
        assert answer.status == 200
        by_model = {attempt["model"]: attempt for attempt in receipt["attempts"]}
    assert by_model["sandbox-small"]["status"] == "settled"
    if "sandbox-error-503" in by_model:
        assert by_model["sandbox-error-503"]["status"] == "void"


async def test_cheapest_is_cheapest_with_and_without_a_bound():
    async with running(SANDBOX) as house:
        targets = ("sandbox/sandbox-large", "sandbox/sandbox-small")
        await house.route("r", "cheapest", *targets)
        for bound in ({"max_tokens": 50}, {}):
            answer = await house.post("/v1/chat/completions", {"model": "r", **bound, **HELLO})
            assert answer.header("x-flo2-model") == "sandbox-small"
            receipt = json.dumps(await house.receipt(answer))
            word = "at most" if bound else "usually"
            assert f"sandbox/sandbox-small costs least for this call: {word} $" in receipt
            assert "; sandbox/sandbox-large $" in receipt


@pytest.mark.parametrize("strategy", ["race", "hedge"])
async def test_a_race_has_one_answer_and_an_entry_for_each_that_started(strategy):
    async with running(SANDBOX) as house:
        targets = ("sandbox/sandbox-error-500", "sandbox/sandbox-large")
        answer, receipt = await routed(house, strategy, *targets, stream=True)
        assert answer.status == 200
        assert b"sandbox-large" in answer.body
        assert {attempt["model"] for attempt in receipt["attempts"]} == {
            "sandbox-error-500",
            "sandbox-large",
        }


async def test_a_stream_that_breaks_off_is_pending_and_says_so():
    async with running(SANDBOX) as house:
        answer = await house.post(
            "/v1/chat/completions", {"model": "sandbox-error-stream", "stream": True, **HELLO}
        )
        assert b"broke the answer off" in answer.body
        assert b"[DONE]" not in answer.body
        (entry,) = await house.entries()
    assert (entry.status, entry.total) == ("pending", None)
