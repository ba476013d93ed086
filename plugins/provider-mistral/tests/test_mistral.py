"""What Mistral does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import (
    Call,
    Credential,
    Inbound,
    ListedFacts,
    ProviderError,
    Reasoning,
    Secret,
    Services,
    Usage,
    Wire,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.openai_compatible import CHAT, EMBEDDINGS
from flo2.testing import FakeUpstream
from flo2_provider_mistral import Mistral
from flo2_provider_mistral.usage import read_transcript, read_usage

HI = [{"role": "user", "content": "hi"}]
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


def make(**options):
    return Mistral(Mistral.Config(**options), Services(wire=Wire()))


def a_call(*, dialect=CHAT, full=True, **fields):
    given = (
        {"model": "m", "messages": HI, **fields} if dialect is CHAT else {"model": "m", **fields}
    )
    body = json.dumps(given).encode()
    inbound = Inbound(dialect, body, dialect.peek(body))
    credential = Credential("c", Secret("key-test"))
    return Call(inbound, dialect, "mistral-large-latest", credential, passthrough=True, full=full)


def sent(**fields):
    return json.loads(make().body(a_call(**fields)))


def test_fields_are_written_by_its_own_names():
    assert sent(max_completion_tokens=9, seed=4, n=2, prompt_cache_key="k") == {
        "model": "mistral-large-latest",
        "messages": HI,
        "max_tokens": 9,
        "random_seed": 4,
        "n": 2,
        "prompt_cache_key": "k",
    }
    call = a_call(dialect=EMBEDDINGS, input="x", dimensions=256)
    assert json.loads(make().body(call)) == {
        "model": "mistral-large-latest",
        "input": "x",
        "output_dimension": 256,
    }


def test_what_its_schema_forbids_is_left_out_by_name():
    fields = {
        "logit_bias": {"5": 1},
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "store": False,
        "user": "u",
        "verbosity": "low",
    }
    call = a_call(**fields)
    assert json.loads(make().body(call)) == {"model": "mistral-large-latest", "messages": HI}
    losses = CHAT.check(call.inbound.request, make().profile("m"))
    assert [loss.path for loss in losses] == sorted(fields)


def test_a_stream_is_not_asked_for_what_it_tells_anyway():
    assert sent(stream=True) == {"model": "mistral-large-latest", "messages": HI, "stream": True}
    call = a_call(stream=True, stream_options={"include_usage": True})
    assert "stream_options" not in json.loads(make().body(call))
    assert CHAT.check(call.inbound.request, make().profile("m")) == ()


def test_turns_are_as_its_schema_has_them():
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ada", "content": "hi"},
        {
            "role": "assistant",
            "content": "ho",
            "reasoning_content": "hm",
            "refusal": None,
            "annotations": [],
        },
    ]
    assert sent(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [THINKING, {"type": "text", "text": "ho"}],
            "prefix": True,
        },
    ]


def test_a_foreign_call_and_its_result_get_one_id_of_nine_characters():
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "call_abcdef", "type": "function", "function": function}]
    messages = [
        *HI,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_abcdef", "name": "f", "content": "1"},
    ]
    _, called, answered = sent(messages=messages)["messages"]
    assert called["tool_calls"] == [{"id": "4tX7VR8om", "type": "function", "function": function}]
    assert answered == {**messages[2], "tool_call_id": "4tX7VR8om"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            {"type": "input_audio", "input_audio": "UklG"},
        ),
        (
            {"type": "input_audio", "input_audio": "UklG"},
            {"type": "input_audio", "input_audio": "UklG"},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
            {"type": "document_url", "document_url": "data:application/pdf;base64,JVBE"},
        ),
        (
            {"type": "file", "file": {"file_data": "data:x/y;base64,AA", "filename": "a.pdf"}},
            {
                "type": "document_url",
                "document_url": "data:x/y;base64,AA",
                "document_name": "a.pdf",
            },
        ),
        ({"type": "file", "file": {"file_id": "f1"}}, {"type": "file", "file_id": "f1"}),
        ({"type": "file", "file_id": "f1"}, {"type": "file", "file_id": "f1"}),
        ({"type": "file", "file": {}}, {"type": "file", "file": {}}),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        ),
    ],
)
def test_parts_are_written_in_its_own_form(part, expected):
    messages = [{"role": "user", "content": [{"type": "text", "text": "look"}, part]}]
    assert sent(messages=messages)["messages"][0]["content"][1] == expected


def test_thinking_of_another_dialect_comes_back_to_it():
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "text", "text": "ho"},
                ],
            },
            {"role": "user", "content": "and?"},
        ],
    }
    dialect = AnthropicMessages()
    raw = json.dumps(body).encode()
    inbound = Inbound(dialect, raw, dialect.peek(raw))
    mistral = make()
    call = Call(inbound, CHAT, "magistral", Credential("c"), mistral.profile("magistral"))
    assert json.loads(mistral.body(call)) == {
        "model": "magistral",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [THINKING, {"type": "text", "text": "ho"}]},
            {"role": "user", "content": "and?"},
        ],
        "max_tokens": 5,
    }


ANSWER = {
    "id": "1",
    "model": "mistral-large-2512",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": [THINKING, {"type": "text", "text": "ho"}],
                "tool_calls": None,
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "service_tier": "standard",
    },
}


def ask(status=200, json_=None, headers=None, **options):
    upstream = FakeUpstream()
    upstream.reply(status, json=ANSWER if json_ is None else json_, headers=headers)
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            mistral = Mistral(Mistral.Config(**options), Services(wire=wire))
            try:
                async with mistral.chat(a_call()) as reply:
                    outcome.extend((reply, await reply.whole()))
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    return upstream.last, outcome


def test_an_answer_with_its_thinking_tier_and_headers():
    received, (reply, chunk) = ask(
        headers={
            "mistral-correlation-id": "c1",
            "ratelimitbysize-remaining": "9",
            "x-ratelimit-remaining-tokens-minute": "5",
            "x-kong-request-id": "k1",
        }
    )
    assert received.target == "/v1/chat/completions"
    assert dict(reply.headers) == {
        "mistral-correlation-id": "c1",
        "ratelimitbysize-remaining": "9",
        "x-ratelimit-remaining-tokens-minute": "5",
    }
    parts = [event.part for event in chunk.events if hasattr(event, "part")]
    assert parts[0] == Reasoning("hm", origin="openai.chat")
    assert reply.observed.usage.context == {"service_tier": "standard"}


def test_a_regional_host_is_named_in_the_usage():
    _, (reply, _) = ask(base_url="https://api.eu.mistral.ai/v1")
    assert reply.observed.usage.context == {"service_tier": "standard", "region": "eu"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"detail": "Invalid API Key"}, "authentication", "Invalid API Key"),
        (429, {"message": "Requests rate limit exceeded"}, "rate_limit", "Requests rate limit"),
        (
            422,
            {"object": "error", "message": {"detail": [{"type": "extra_forbidden"}]}},
            "invalid_request",
            "extra_forbidden",
        ),
        (
            400,
            {"object": "error", "message": "Invalid model: x", "code": "1500"},
            "invalid_request",
            "Invalid model: x",
        ),
    ],
)
def test_errors_of_any_of_its_shapes_are_read(status, body, kind, message):
    _, (error,) = ask(status, body)
    assert (error.status, error.kind, error.provider) == (status, kind, "mistral")
    assert message in error.message


def counts(**more):
    return {"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 26, **more}


@pytest.mark.parametrize(
    "cached",
    [
        {"num_cached_tokens": 4},
        {"prompt_token_details": {"cached_tokens": 4}},
        {"prompt_tokens_details": {"cached_tokens": 4}},
        {"num_cached_tokens": 4, "prompt_tokens_details": {"cached_tokens": 4}},
    ],
)
def test_cached_tokens_are_found_under_each_of_their_names(cached):
    raw = counts(**cached)
    assert read_usage(raw) == Usage(
        {"input_tokens": 7, "cache_read_tokens": 4, "output_tokens": 15}, {}, raw, "openai.chat"
    )


def test_audio_is_metered_in_seconds_beside_the_prompt():
    details = {"audio_tokens": 375, "cached_tokens": 9}
    raw = counts(total_tokens=401, prompt_audio_seconds=5, prompt_tokens_details=details)
    assert read_usage(raw) == Usage(
        {"input_tokens": 2, "cache_read_tokens": 9, "output_tokens": 15, "input_seconds": 5},
        {"audio_tokens": 375},
        raw,
        "openai.chat",
    )


def test_audio_without_seconds_is_metered_in_tokens():
    raw = counts(total_tokens=401, prompt_tokens_details={"audio_tokens": 375})
    assert read_usage(raw).quantities == {
        "input_tokens": 11,
        "input_audio_tokens": 375,
        "output_tokens": 15,
    }


def test_audio_that_does_not_add_up_is_a_problem():
    raw = counts(total_tokens=400, prompt_tokens_details={"audio_tokens": 375})
    assert read_usage(raw).problem == "total_tokens 400 is not prompt 11 + completion 15"


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("mistral-large-latest", True),
        ("ministral-8b-latest", True),
        ("codestral-2508", True),
        ("open-mistral-nemo", True),
        ("open-mixtral-8x22b", True),
        ("magistral-medium-2509", True),
        ("voxtral-small-latest", True),
        ("mistral-embed", True),
        ("labs-devstral-small-2512", True),
        ("ft:mistral-small:abc:20260101:x", True),
        ("mistral-7b-instruct", False),
        ("mistral", False),
        ("mistralai/mistral-large", False),
        ("gpt-4o", False),
        ("", False),
    ],
)
def test_it_knows_its_names(model, known):
    assert make().knows(model) is known


@pytest.mark.parametrize(
    ("raw", "quantities", "problem"),
    [
        (
            {
                "prompt_audio_seconds": 3,
                "prompt_tokens": 5,
                "completion_tokens": 20,
                "total_tokens": 400,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
            },
            {"input_tokens": 5, "output_tokens": 20, "input_seconds": 3},
            None,
        ),
        ({"input_tokens": 5}, {}, "audio 0 + text 0 is not input_tokens 5"),
    ],
)
def test_a_transcript_is_counted_as_a_chat_with_audio_is(raw, quantities, problem):
    usage = read_transcript(raw)
    assert (usage.quantities, usage.problem) == (quantities, problem)
    assert (usage.dialect, usage.raw) == ("openai.transcriptions", raw)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {
                "max_context_length": 262_144,
                "capabilities": {"function_calling": True, "reasoning": False, "vision": True},
            },
            ListedFacts(
                context_window=262_144,
                input=["text", "image"],
                abilities={"tools": True, "reasoning": False},
            ),
        ),
        (
            {
                "max_context_length": 16_384,
                "capabilities": {"audio_transcription": True, "function_calling": False},
            },
            ListedFacts(context_window=16_384, input=["audio"], abilities={"tools": False}),
        ),
        ({"max_context_length": 8192}, ListedFacts(context_window=8192)),
        ({}, ListedFacts()),
    ],
)
def test_its_list_tells_what_a_model_can_do(item, expected):
    assert make().said_of(item) == expected


@pytest.mark.parametrize(
    ("model", "window", "takes"),
    [
        ("codestral-2508", 256_000, {"text"}),
        ("mistral-large-2512", 262_144, {"text", "image"}),
        ("mistral-medium-2505", 131_072, {"text", "image"}),
        ("voxtral-mini-2602", 16_384, {"audio"}),
    ],
)
def test_what_its_models_can_do_is_known(model, window, takes):
    facts = make().describe(model)
    assert (facts.context_window, facts.input) == (window, takes)
