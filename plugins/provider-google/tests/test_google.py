"""What Google does its own way."""

from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace

from flo2 import (
    Call,
    Credential,
    Inbound,
    ModelFacts,
    ModelInfo,
    Profile,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.dialects.gemini import (
    MEDIA_IN_RESULTS,
    PLACEHOLDER,
    THINKING_MINIMAL,
    THINKING_OFF,
    Gemini,
    GeminiCountTokens,
)
from flo2.testing import FakeUpstream
from flo2_provider_google import Google

CONTENT, COUNT = Gemini(), GeminiCountTokens()
BODY = b'{"contents":[{"parts":[{"text":"hi"}]}]}'
ANSWER = {
    "candidates": [
        {"content": {"parts": [{"text": "ho"}], "role": "model"}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    "modelVersion": "gemini-3.8-flash",
    "responseId": "r1",
}


def make(wire=None, **options):
    return Google(Google.Config(**options), Services(wire=wire or Wire()))


def a_call(dialect=CONTENT, *, model="gemini-3.8-flash", stream=False, query="", body=BODY):
    peek = replace(dialect.peek(body), model=model, stream=stream)
    inbound = Inbound(dialect, body, peek, query=query)
    credential = Credential("c", Secret("AIza-test"))
    return Call(inbound, dialect, model, credential, passthrough=True)


def ask(call, *, status=200, json=ANSWER, headers=None, by="chat"):
    """Give the request that Google got, and the reply or the error."""
    upstream = FakeUpstream()
    upstream.reply(status, json=json, headers=headers)
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with getattr(make(wire), by)(call) as reply:
                    async for _ in reply.chunks():
                        pass
                    outcome.append(reply)
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    return upstream.last, outcome[0]


def test_the_key_goes_into_its_own_header_and_never_into_the_address():
    received, _ = ask(a_call(query="key=flo2_sk_secret&alt=json&$alt=proto"))
    assert received.target == "/v1beta/models/gemini-3.8-flash:generateContent"
    assert received.headers["x-goog-api-key"] == "AIza-test"
    assert "authorization" not in received.headers
    assert received.body == BODY


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3.8-flash", "models/gemini-3.8-flash"),
        ("models/gemini-3.8-flash", "models/gemini-3.8-flash"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("a/b", "models/a%2Fb"),
        ("models/../../v1/files", "models/models%2F..%2F..%2Fv1%2Ffiles"),
        ("x?key=1#y", "models/x%3Fkey%3D1%23y"),
    ],
)
def test_the_model_and_the_verb_stand_in_the_path(model, path):
    google = make()
    assert google.url(a_call(model=model)) == f"/{path}:generateContent"
    assert google.url(a_call(model=model, stream=True)) == f"/{path}:streamGenerateContent?alt=sse"
    assert google.url(a_call(COUNT, model=model)) == f"/{path}:countTokens"


def test_counting_is_a_call_of_its_own_and_uses_nothing():
    received, reply = ask(a_call(COUNT), json={"totalTokens": 12}, by="count_tokens")
    assert received.target == "/v1beta/models/gemini-3.8-flash:countTokens"
    assert reply.observed.usage.quantities == {}
    assert reply.observed.usage.informational == {"input_tokens": 12}


def test_a_count_of_a_whole_request_names_the_model_that_is_asked():
    whole = b'{"generateContentRequest":{"model":"models/alias","contents":[{"parts":[]}]}}'
    received, _ = ask(a_call(COUNT, body=whole), json={"totalTokens": 1}, by="count_tokens")
    assert received.body == whole.replace(b"models/alias", b"models/gemini-3.8-flash")


@pytest.mark.parametrize(
    ("status", "inner", "kind", "retryable", "code"),
    [
        (429, {"status": "RESOURCE_EXHAUSTED"}, "rate_limit", True, "RESOURCE_EXHAUSTED"),
        (402, {"status": "RESOURCE_EXHAUSTED"}, "budget", False, "RESOURCE_EXHAUSTED"),
        (
            400,
            {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]},
            "authentication",
            False,
            "API_KEY_INVALID",
        ),
        (400, {"status": "FAILED_PRECONDITION"}, "invalid_request", False, "FAILED_PRECONDITION"),
        (403, {"status": "PERMISSION_DENIED"}, "permission", False, "PERMISSION_DENIED"),
        (404, {"status": "NOT_FOUND"}, "not_found", False, "NOT_FOUND"),
        (503, {"status": "UNAVAILABLE"}, "overloaded", True, "UNAVAILABLE"),
        (504, {"status": "DEADLINE_EXCEEDED"}, "timeout", True, "DEADLINE_EXCEEDED"),
    ],
)
def test_errors_in_its_own_words(status, inner, kind, retryable, code):
    body = {"error": {"code": status, "message": "no", **inner}}
    _, error = ask(a_call(), status=status, json=body)
    assert (error.provider, error.status, error.kind) == ("google", status, kind)
    assert (error.retryable, error.code, error.message) == (retryable, code, "no")


def test_an_error_of_a_stream_comes_in_a_list_and_tells_when_to_try_again():
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
    inner = {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [info]}
    _, error = ask(a_call(stream=True), status=429, json=[{"error": inner}])
    assert (error.message, error.retry_after_s, error.kind) == ("slow", 34.07, "rate_limit")


def test_it_declares_what_a_cancelled_call_costs():
    assert Google.facts.cancel_semantics == "runs_to_end"
    assert Google.facts.key_env == "GEMINI_API_KEY"


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gemini-9-flash", True),
        ("gemini-embedding-2", True),
        ("gemma-4-31b-it", True),
        ("imagen-5", True),
        ("veo-4", True),
        ("text-embedding-004", True),
        ("nano-banana-3", True),
        ("gemma2-9b-it", False),
        ("google/gemini-3.8-flash", False),
        ("text-embedding-3-small", False),
        ("claude-opus-5-5", False),
    ],
)
def test_bare_names_that_are_googles(model, known):
    assert make().knows(model) is known


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (
            "gemini-2.5-flash",
            Profile(65_536, drops=frozenset({PLACEHOLDER, MEDIA_IN_RESULTS})),
        ),
        (
            "gemini-2.5-pro",
            Profile(65_536, drops=frozenset({PLACEHOLDER, MEDIA_IN_RESULTS, THINKING_OFF})),
        ),
        ("gemini-2.0-flash", Profile(8192, drops=frozenset({PLACEHOLDER, MEDIA_IN_RESULTS}))),
        (
            "gemini-3-flash-preview",
            Profile(65_536, adaptive_thinking=True, drops=frozenset({THINKING_OFF})),
        ),
        (
            "models/gemini-3.1-pro-preview",
            Profile(
                65_536,
                adaptive_thinking=True,
                drops=frozenset({THINKING_OFF, THINKING_MINIMAL}),
            ),
        ),
        (
            "gemini-flash-latest",
            Profile(65_536, adaptive_thinking=True, drops=frozenset({THINKING_OFF})),
        ),
        ("gemma-4-31b-it", Profile(8192, drops=frozenset({PLACEHOLDER, MEDIA_IN_RESULTS}))),
    ],
)
def test_what_a_family_takes(model, profile):
    assert make().profile(model) == profile


def list_models(*pages):
    upstream = FakeUpstream()
    for page in pages:
        upstream.reply(200, json=page)
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential("c", Secret("AIza-test"))))

    anyio.run(test)
    return upstream, found


def test_models_come_page_by_page():
    upstream, found = list_models(
        {"models": [{"name": "models/gemini-a", "displayName": "A"}], "nextPageToken": "t/1"},
        {"models": [{"name": "models/gemini-b"}]},
    )
    assert found == [
        ModelInfo("gemini-a", "google", display_name="A", owned_by="google"),
        ModelInfo("gemini-b", "google", owned_by="google"),
    ]
    first, second = (request.target for request in upstream.requests)
    assert first == "/v1beta/models?pageSize=1000"
    assert second == "/v1beta/models?pageSize=1000&pageToken=t%2F1"
    assert upstream.last.headers["x-goog-api-key"] == "AIza-test"


def test_no_models_at_all_are_an_empty_list():
    assert list_models({})[1] == []


def test_a_model_list_without_an_end_ends():
    page = {"models": [{"name": "models/a"}], "nextPageToken": "again"}
    upstream, found = list_models(*[page] * 25)
    assert (len(upstream.requests), len(found)) == (20, 20)


@pytest.mark.parametrize("page", [[], {"models": [{}]}, {"models": ["x"]}, {"models": 3}])
def test_an_odd_model_list_is_an_error(page):
    with pytest.raises(ProviderError, match="answered its model list with something else"):
        list_models(page)


def test_a_refused_model_list_is_googles_error():
    upstream = FakeUpstream()
    upstream.reply(403, json={"error": {"code": 403, "message": "no", "status": "X"}})

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            await make(wire).models(Credential("c", Secret("AIza-test")))

    with pytest.raises(ProviderError, match="no") as refused:
        anyio.run(test)
    assert (refused.value.provider, refused.value.kind) == ("google", "permission")


def test_its_list_tells_what_a_model_can_do():
    chats = {
        "name": "models/gemini-9-pro",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
    }
    embeds = {
        "name": "models/gemini-embedding-001",
        "inputTokenLimit": 2048,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent"],
    }
    _, (first, second) = list_models({"models": [chats, embeds]})
    assert first.facts == ModelFacts(
        "gemini-9-pro",
        "the provider's own list",
        first.facts.read,
        context_window=1_048_576,
        max_output_tokens=65_536,
        abilities=["reasoning"],
    )
    facts = second.facts
    assert (facts.context_window, facts.max_output_tokens, facts.output) == (
        2048,
        None,
        {"embedding"},
    )
