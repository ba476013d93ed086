"""What OpenAI does its own way."""

from __future__ import annotations

import anyio
import pytest

from flo2 import Call, Credential, Inbound, ModelInfo, ProviderError, Secret, Services, Wire
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_images import OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.testing import FakeUpstream
from flo2_provider_openai import OpenAI

CHAT = OpenAIChat()
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def make(wire=None, **options):
    return OpenAI(OpenAI.Config(**options), Services(wire=wire or Wire()))


def a_call(*, dialect=CHAT, body=BODY, credential=None, headers=None):
    inbound = Inbound(dialect, body, dialect.peek(body), headers=headers)
    mine = credential or Credential("c", Secret("sk-test"))
    return Call(inbound, dialect, "gpt-4o", mine, passthrough=True)


def ask(call, *, status=200, json_=ANSWER, headers=None, **options):
    """Give the request that OpenAI got, and the reply or the error."""
    upstream = FakeUpstream()
    upstream.reply(status, json=json_, headers=headers)
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with make(wire, **options).chat(call) as reply:
                    async for _ in reply.chunks():
                        pass
                    outcome.append(reply)
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    return upstream.last, outcome[0]


@pytest.mark.parametrize(
    ("dialect", "body", "path"),
    [
        (CHAT, BODY, "/v1/chat/completions"),
        (OpenAIEmbeddings(), b'{"model":"e","input":"x"}', "/v1/embeddings"),
        (OpenAICompletions(), b'{"model":"e","prompt":"x"}', "/v1/completions"),
        (OpenAIImages(), b'{"model":"e","prompt":"x"}', "/v1/images/generations"),
        (OpenAIModerations(), b'{"model":"e","input":"x"}', "/v1/moderations"),
    ],
)
def test_each_dialect_has_its_path_and_a_bearer_key(dialect, body, path):
    answer = {"data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}} | ANSWER
    received, _ = ask(a_call(dialect=dialect, body=body), json_=answer)
    assert (received.method, received.target) == ("POST", path)
    assert received.headers["authorization"] == "Bearer sk-test"


def test_organisation_and_project_come_from_the_credential_only():
    credential = Credential("c", Secret("sk-test"), "proj_1", {"organization": "org_1"})
    headers = {"openai-organization": "org_of_client", "openai-project": "proj_of_client"}
    received, _ = ask(a_call(credential=credential, headers=headers))
    assert received.headers["openai-organization"] == "org_1"
    assert received.headers["openai-project"] == "proj_1"
    received, _ = ask(a_call(headers=headers))
    assert {"openai-organization", "openai-project"} & received.headers.keys() == set()


def test_beta_flags_go_on_and_answer_headers_come_back():
    received, reply = ask(
        a_call(headers={"openai-beta": "x=v1", "x-client-request-id": "mine"}),
        headers={
            "openai-organization": "org-secretive",
            "openai-processing-ms": "12",
            "x-ratelimit-remaining-tokens": "9",
            "x-request-id": "req_1",
        },
    )
    assert received.headers["openai-beta"] == "x=v1"
    assert received.headers["x-client-request-id"] == "mine"
    assert dict(reply.headers) == {
        "openai-processing-ms": "12",
        "x-ratelimit-remaining-tokens": "9",
        "x-request-id": "req_1",
    }


@pytest.mark.parametrize(
    ("base_url", "region"),
    [
        ("", None),
        ("https://eu.api.openai.com/v1", "eu"),
        ("https://us.api.openai.com/v1", "us"),
        ("https://proxy.example/v1", None),
        ("https://notapi.openai.com/v1", None),
    ],
)
def test_a_regional_host_says_so_in_the_usage(base_url, region):
    _, reply = ask(a_call(), base_url=base_url)
    usage = reply.observed.usage
    expected = {"service_tier": "default"} | ({} if region is None else {"region": region})
    assert usage.context == expected
    assert usage.quantities == {"input_tokens": 3, "output_tokens": 2}


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "insufficient_quota", "code": "insufficient_quota"},
        {"type": "requests", "code": "credit_balance_exhausted"},
        {"type": "billing_hard_limit_reached", "code": None},
    ],
)
def test_an_empty_account_is_no_rate_limit(inner):
    _, error = ask(a_call(), status=429, json_={"error": {"message": "no money", **inner}})
    assert (error.kind, error.retryable, error.status) == ("budget", False, 429)


def test_a_rate_limit_is_one():
    error_body = {"error": {"message": "slow", "type": "tokens", "code": "rate_limit_exceeded"}}
    _, error = ask(a_call(), status=429, json_=error_body, headers={"retry-after-ms": "250"})
    assert (error.kind, error.retryable, error.retry_after_s) == ("rate_limit", True, 0.25)


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-4o-mini", True),
        ("gpt-6.1-sol", True),
        ("chatgpt-4o-latest", True),
        ("chat-latest", True),
        ("o1", True),
        ("o3-mini", True),
        ("o4-mini-deep-research", True),
        ("text-embedding-3-small", True),
        ("ft:gpt-4o-mini:acme::abc", True),
        ("codex-mini-latest", True),
        ("computer-use-preview", True),
        ("omni-moderation-latest", True),
        ("gpt-image-2", True),
        ("tts-1-hd", True),
        ("whisper-1", True),
        ("davinci-002", True),
        ("davinci-003", False),
        ("gpt-oss-120b", False),
        ("claude-opus-5-5", False),
        ("llama-3", False),
        ("openai", False),
        ("o10ish", False),
        ("", False),
    ],
)
def test_it_knows_its_names(model, known):
    assert make().knows(model) is known


@pytest.mark.parametrize(
    ("model", "fixed"),
    [
        ("o1", True),
        ("o3-mini", True),
        ("gpt-5", True),
        ("gpt-5-nano", True),
        ("gpt-5-2025-08-07", True),
        ("ft:o4-mini:acme::abc", True),
        ("gpt-5-chat-latest", False),
        ("gpt-5.1", False),
        ("gpt-6-sol", False),
        ("gpt-4o", False),
    ],
)
def test_reasoning_models_take_no_sampling(model, fixed):
    drops = make().profile(model).drops
    assert ("temperature" in drops) is fixed
    body = b'{"model":"x","messages":[{"role":"user","content":"hi"}],"temperature":0.2}'
    losses = [str(loss) for loss in CHAT.check(CHAT.parse(body), make().profile(model))]
    assert losses == (["temperature: the model's host does not take it"] if fixed else [])


def test_the_model_list():
    upstream = FakeUpstream()
    upstream.reply(
        json={"data": [{"id": "gpt-4o", "object": "model", "created": 5, "owned_by": "system"}]}
    )
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential("c", Secret("sk-test"))))

    anyio.run(test)
    assert found == [ModelInfo("gpt-4o", "openai", 5, owned_by="system")]
    assert (upstream.last.method, upstream.last.target) == ("GET", "/v1/models")
    assert upstream.last.headers["authorization"] == "Bearer sk-test"


def test_a_passed_through_body_is_the_client_s_own_whatever_the_model_takes():
    body = BODY.replace(b"gpt-4o", b"alias")[:-1] + b',"temperature":0.2}'
    received, _ = ask(a_call(body=body))
    assert received.body == body.replace(b"alias", b"gpt-4o")


@pytest.mark.parametrize(
    ("model", "continues"),
    [
        ("gpt-3.5-turbo-instruct", True),
        ("gpt-3.5-turbo-instruct-0914", True),
        ("ft:davinci-002:org::id", True),
        ("babbage-002", True),
        ("gpt-3.5-turbo", False),
        ("gpt-4o", False),
        ("a-model-of-next-year", False),
    ],
)
def test_a_model_holds_a_conversation_or_continues_a_text(model, continues):
    names = {dialect.name for dialect in make().speaks(model)}
    assert ("openai.completions" in names) == continues
    assert ("openai.chat" in names) != continues
    assert {"openai.embeddings", "openai.images", "openai.speech"} <= names


SPEECH = OpenAISpeech()


def speak(model, **options):
    body = b'{"model":"tts-1","input":"Gr\xc3\xbc\xc3\x9f dich","voice":"alloy"}'
    inbound = Inbound(SPEECH, body, SPEECH.peek(body))
    call = Call(inbound, SPEECH, model, Credential("c", Secret("sk-test")), passthrough=True)
    upstream = FakeUpstream()
    upstream.reply(body=b"ID3", headers={"content-type": "audio/mpeg"})
    seen = []

    async def test():
        async with (
            Wire(transport=upstream.transport()) as wire,
            make(wire, **options).speak(call) as reply,
        ):
            seen.append((await reply.whole()).raw)
            seen.append(dict(reply.headers))
            seen.append(reply.observed.usage)

    anyio.run(test)
    return seen


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "tts-1-1106"])
def test_speech_is_counted_in_characters_where_it_is_billed_so(model):
    raw, headers, usage = speak(model)
    assert (raw, headers) == (b"ID3", {"content-type": "audio/mpeg"})
    assert (usage.quantities, usage.problem) == ({"input_characters": 9}, None)
    assert usage.raw == {"input_characters": 9}
    there = speak(model, base_url="https://eu.api.openai.com/v1")[2]
    assert (there.quantities, there.context) == (usage.quantities, {"region": "eu"})


def test_speech_that_is_billed_in_tokens_is_not_counted():
    usage = speak("gpt-4o-mini-tts")[2]
    assert (usage.quantities, usage.problem) == ({}, "it tells no input_tokens")


@pytest.mark.parametrize(
    ("model", "window", "output"),
    [
        ("gpt-4o-mini", 128_000, 16_384),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 128_000, 16_384),
        ("gpt-5-2025-08-07", 400_000, 128_000),
        ("gpt-5-chat-latest", 128_000, 16_384),
        ("gpt-3.5-turbo-instruct", None, None),
        ("text-embedding-3-large", 8192, None),
    ],
)
def test_what_its_models_can_do_is_known(model, window, output):
    facts = make().describe(model)
    assert (facts.context_window, facts.max_output_tokens) == (window, output)
    assert make().describe("acme-1") is None
