"""What Anthropic does its own way."""

from __future__ import annotations

import anyio
import pytest
from attrs import evolve

from flo2 import (
    Call,
    Credential,
    Inbound,
    ModelInfo,
    Profile,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing import FakeUpstream
from flo2_provider_anthropic import Anthropic

MESSAGES, COUNT = AnthropicMessages(), AnthropicCountTokens()
BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "ho"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def make(wire=None, **options):
    return Anthropic(Anthropic.Config(**options), Services(wire=wire or Wire()))


def a_call(dialect=MESSAGES, *, headers=None, query=""):
    inbound = Inbound(dialect, BODY, dialect.peek(BODY), headers=headers, query=query)
    credential = Credential("c", Secret("sk-ant-test"))
    return Call(inbound, dialect, "claude-opus-5-5", credential, passthrough=True)


def ask(call, *, status=200, json=ANSWER, headers=None, by="chat"):
    """Give the request that Anthropic got, and the reply or the error."""
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


def test_the_key_goes_into_its_own_header():
    received, _ = ask(a_call())
    assert received.target == "/v1/messages"
    assert received.headers["x-api-key"] == "sk-ant-test"
    assert "authorization" not in received.headers


def test_version_and_beta_are_the_client_s_where_it_has_them():
    received, _ = ask(a_call())
    assert received.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in received.headers
    theirs = {"anthropic-version": "2099-01-01", "anthropic-beta": "invented-2099-01-01,other"}
    received, _ = ask(a_call(headers=theirs))
    assert {name: received.headers[name] for name in theirs} == theirs


def test_the_operator_s_beta_flags_stand_beside_the_client_s():
    provider = make(headers={"anthropic-beta": "ours"})
    assert provider.headers(a_call(headers={"anthropic-beta": "theirs"}))["anthropic-beta"] == (
        "ours,theirs"
    )
    assert provider.headers(a_call())["anthropic-beta"] == "ours"


def test_the_query_goes_on():
    received, _ = ask(a_call(query="beta=true"))
    assert received.target == "/v1/messages?beta=true"


def test_counting_is_a_call_of_its_own_and_uses_nothing():
    received, reply = ask(
        a_call(COUNT, query="beta=true"), json={"input_tokens": 12}, by="count_tokens"
    )
    assert received.target == "/v1/messages/count_tokens?beta=true"
    assert reply.observed.usage.quantities == {}
    assert reply.observed.usage.informational == {"input_tokens": 12}


def test_answer_headers_tell_limits_and_hide_the_organisation():
    _, reply = ask(
        a_call(),
        headers={
            "anthropic-organization-id": "org-secretive",
            "anthropic-ratelimit-tokens-remaining": "9",
            "request-id": "req_1",
            "retry-after": "3",
        },
    )
    assert dict(reply.headers) == {
        "anthropic-ratelimit-tokens-remaining": "9",
        "request-id": "req_1",
        "retry-after": "3",
    }


@pytest.mark.parametrize(
    ("status", "inner", "kind", "retryable"),
    [
        (529, {"type": "overloaded_error"}, "overloaded", True),
        (429, {"type": "rate_limit_error"}, "rate_limit", True),
        (
            429,
            {
                "type": "rate_limit_error",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
            "budget",
            False,
        ),
        (402, {"type": "billing_error"}, "budget", False),
    ],
)
def test_errors_in_its_own_words(status, inner, kind, retryable):
    body = {"type": "error", "error": {"message": "no", **inner}}
    _, error = ask(a_call(), status=status, json=body)
    assert (error.status, error.kind, error.retryable) == (status, kind, retryable)


@pytest.mark.parametrize(
    ("model", "longest", "adaptive", "turns", "fixed"),
    [
        ("claude-fable-5-2", 128_000, True, True, True),
        ("claude-opus-5-5", 128_000, True, True, True),
        ("claude-haiku-5-5", 128_000, True, True, True),
        ("claude-sonnet-5", 128_000, True, True, True),
        ("claude-opus-4-8", 128_000, True, True, True),
        ("claude-opus-4-7", 128_000, True, False, True),
        ("claude-sonnet-4-6", 128_000, True, False, False),
        ("claude-opus-4-5-20251101", 64_000, False, False, False),
        ("claude-sonnet-4-5", 64_000, False, False, False),
        ("claude-haiku-4-5-20251001", 64_000, False, False, False),
        ("claude-opus-4-1-20250805", 32_000, False, False, False),
        ("claude-opus-4-20250514", 32_000, False, False, False),
        ("claude-opus-4-0", 32_000, False, False, False),
        ("claude-sonnet-4-20250514", 64_000, False, False, False),
        ("claude-3-7-sonnet-latest", 64_000, False, False, False),
        ("claude-3-5-haiku-20241022", 8192, False, False, False),
        ("claude-3-opus-20240229", 4096, False, False, False),
        ("claude-next", 128_000, True, True, True),
    ],
)
def test_profiles_of_families(model, longest, adaptive, turns, fixed):
    assert make().profile(model) == Profile(
        max_output_tokens=longest,
        adaptive_thinking=adaptive,
        system_turns=turns,
        drops=frozenset({"temperature", "top_k", "top_p"}) if fixed else frozenset(),
    )


def test_a_translated_call_gets_the_longest_bound_and_loses_sampling_by_name():
    chat = OpenAIChat()
    body = b'{"model":"x","messages":[{"role":"user","content":"hi"}],"temperature":0.2}'
    profile = make().profile("claude-opus-5-5")
    losses = [str(loss) for loss in MESSAGES.check(chat.parse(body), profile)]
    assert losses == [
        "max_tokens: this API demands a bound; set to 128000",
        "temperature: not taken by this model",
    ]


def test_it_knows_its_names():
    known = {name: make().knows(name) for name in ("claude-opus-5-5", "claude", "gpt-4o", "")}
    assert known == {"claude-opus-5-5": True, "claude": False, "gpt-4o": False, "": False}


def list_models(*pages):
    upstream = FakeUpstream()
    for page in pages:
        upstream.reply(json=page)
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            found.extend(await make(wire).models(Credential("c", Secret("sk-ant-test"))))

    anyio.run(test)
    return upstream, found


def test_the_model_list_is_read_page_by_page():
    first = {
        "id": "claude-a b",
        "type": "model",
        "display_name": "Claude A",
        "created_at": "2025-02-19T00:00:00Z",
    }
    upstream, found = list_models(
        {"data": [first], "has_more": True}, {"data": [{"id": "claude-b"}], "has_more": False}
    )
    assert found == [
        ModelInfo("claude-a b", "anthropic", 1_739_923_200, "Claude A", "anthropic"),
        ModelInfo("claude-b", "anthropic", 0, None, "anthropic"),
    ]
    assert [request.target for request in upstream.requests] == [
        "/v1/models?limit=1000",
        "/v1/models?limit=1000&after_id=claude-a%20b",
    ]
    assert upstream.last.headers["x-api-key"] == "sk-ant-test"
    assert upstream.last.headers["anthropic-version"] == "2023-06-01"


def test_a_model_list_without_an_end_ends():
    page = {"data": [{"id": "claude-a"}], "has_more": True}
    upstream, found = list_models(*[page] * 25)
    assert (len(upstream.requests), len(found)) == (20, 20)


@pytest.mark.parametrize(
    "page",
    [{"data": [{}]}, {"data": [], "has_more": True}, {"data": [{"id": "a", "created_at": "x"}]}],
)
def test_an_odd_model_list_is_an_error(page):
    with pytest.raises(ProviderError, match="answered its model list with something else"):
        list_models(page)


def test_its_list_tells_what_a_model_can_do():
    yes, no = {"supported": True}, {"supported": False}
    item = {
        "id": "claude-opus-5",
        "max_input_tokens": 1_000_000,
        "max_tokens": 64_000,
        "capabilities": {
            "image_input": yes,
            "pdf_input": no,
            "structured_outputs": no,
            "thinking": yes | {"types": {"adaptive": yes}},
        },
    }
    _, (found,) = list_models({"data": [item], "has_more": False})
    known = make().describe("claude-opus-5")
    assert found.facts == evolve(
        known,
        source="the provider's own list; for what it leaves out, "
        f"{known.source}, read {known.read.isoformat()}",
        read=found.facts.read,
        max_output_tokens=64_000,
        input=["text", "image"],
        abilities=known.abilities - {"json_schema"},
    )


@pytest.mark.parametrize(
    "model",
    [
        "claude-fable-5",
        "claude-opus-4-8",
        "claude-sonnet-4-5-20250929",
        "claude-haiku-4-5@20251001",
        "claude-opus-4-1-20250805",
        "claude-opus-4-20250514",
        "claude-sonnet-4@20250514",
        "claude-3-7-sonnet-20250219",
        "claude-3-5-haiku-20241022",
        "claude-3-opus-20240229",
    ],
)
def test_the_table_and_the_profile_know_the_same_longest_answer(model):
    known = make().describe(model)
    assert known.max_output_tokens == make().profile(model).max_output_tokens
