"""Recorded traffic of xAI, OpenRouter, Azure and servers of one's own, through their plugins."""

from __future__ import annotations

import copy
import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.canonical import Failed, Reasoning, Refusal, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.openai_compatible import CHAT, EMBEDDINGS, RESPONSES
from flo2.testing.traces import recorded_traces
from flo2.testing.validators import VALIDATORS
from flo2_provider_azure import Azure
from flo2_provider_ollama import Ollama
from flo2_provider_openrouter import OpenRouter
from flo2_provider_vllm import VLLM
from flo2_provider_xai import XAI

ANTHROPIC = AnthropicMessages()
HOSTS = {
    "azure": (Azure, {"base_url": "https://mine.openai.azure.com"}),
    # A server that vLLM's plugin speaks to as well: both keep to OpenAI's API.
    "llamacpp": (VLLM, {"base_url": "http://127.0.0.1:8080/v1"}),
    "ollama": (Ollama, {"base_url": "http://127.0.0.1:11434/v1"}),
    "openrouter": (OpenRouter, {}),
    "xai": (XAI, {}),
}
KIND = {"llamacpp": "vllm"}


def _of(ending):
    return [
        (provider, trace)
        for provider in HOSTS
        for trace in recorded_traces(provider)
        if trace.endpoint.endswith(ending)
    ]


CHATS, VECTORS = _of("/chat/completions"), _of("/embeddings")
ANSWERS = [pair for pair in CHATS if pair[1].status == 200]
# A chat's answer, filed under responses by its source.
NO_RESPONSE = {"ai-azure-azure-deepseek-reasoning-1-89e900-0"}
RESPONDED = [pair for pair in _of("/responses") if pair[1].name not in NO_RESPONSE]
RESPONSES_200 = [pair for pair in RESPONDED if pair[1].status == 200]

BROKEN_OFF = {
    "agent-os-issue-2214-3da7e1-0": ("upstream", "server_error"),
    "omniroute-pull-8210-369346-0": ("upstream", "502"),
    "pydantic-ai-test-openrouter-test-openrouter-stream-error-6ef5a2-0": (
        "invalid_request",
        "400",
    ),
}
# The source sent a request without `stream_options`, or kept a part of the stream.
NO_USAGE = {
    "activeagent-native-format-test-test-agent-streaming-b9edff-0",
    "openllmetry-test-azure-test-chat-streaming-with-events-with-no-content-04933b-0",
    "openllmetry-test-azure-test-chat-streaming-with-events-with-no-content-04933b-1",
    "prism-openrouter-structured-missing-usage-1-153df5-0",
    "prism-xai-stream-with-tools-responses-2-fc4991-0",
    "prism-xai-stream-with-tools-responses-3-e62951-0",
}
NO_FINISH = {"crewai-crewai-test-deepseek-r1-with-open-router-463817-0"}
ASK = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'


def named(pairs):
    return pytest.mark.parametrize(
        ("provider", "trace"), pairs, ids=[f"{one}-{trace.name}" for one, trace in pairs]
    )


def make(provider):
    kind, options = HOSTS[provider]
    return kind(kind.Config(**options), Services(wire=Wire()))


def a_call(provider, body, *, dialect=CHAT, full=True):
    peek = dialect.peek(body)
    return Call(
        Inbound(dialect, body, peek),
        dialect,
        peek.model,
        Credential("c"),
        provider.profile(peek.model),
        passthrough=True,
        full=full,
    )


def asked(trace):
    """Give what was asked; Azure's dated URLs tell the model, flo2's clients always do."""
    return {"model": "m", **trace.request}


def decode(provider, trace, *, full, chunks=None, dialect=CHAT):
    """Read a recorded answer as the driver does."""
    request = {"model": "m", "messages": [{"role": "user", "content": "x"}], "input": "x"}
    if trace.stream and dialect is RESPONSES:
        request["stream"] = True
    elif trace.stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    host = make(provider)
    call = a_call(host, json.dumps(request).encode(), dialect=dialect, full=full)
    decoder = host.decoder_of(call, trace.headers)
    out = [*map(decoder.feed, chunks or [trace.body]), decoder.close()]
    return [event for chunk in out for event in chunk.events], decoder.observed


@named(ANSWERS)
def test_an_answer_is_complete_and_its_usage_adds_up(provider, trace, count_replay):
    count_replay(trace.kind)
    events, observed = decode(provider, trace, full=True)
    if trace.name in BROKEN_OFF:
        assert isinstance(events[-1], Failed)
        assert (observed.error.kind, observed.error.code) == BROKEN_OFF[trace.name]
        assert not observed.complete
        return
    assert (observed.complete, observed.error) == (True, None)
    if trace.name in NO_USAGE:
        assert observed.usage is None
        return
    usage, raw = observed.usage, observed.usage.raw
    assert usage.problem is None
    told = usage.as_told
    assert told.input_total == raw["prompt_tokens"]
    assert told.input_total + told.output_total == raw["total_tokens"]
    thought = (raw.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    # xAI alone counts the thinking beside the words.
    beside = thought if provider == "xai" else 0
    assert told.output_total == raw["completion_tokens"] + beside
    assert all(count > 0 for count in usage.quantities.values())


@named(ANSWERS)
def test_light_and_full_decoders_agree(provider, trace):
    _, full = decode(provider, trace, full=True)
    for chunks in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light = decode(provider, trace, full=False, chunks=chunks)
        assert replace(light, error=None) == replace(full, error=None)
        assert (light.error and vars(light.error)) == (full.error and vars(full.error))


@named([pair for pair in ANSWERS if pair[1].name not in BROKEN_OFF])
@pytest.mark.parametrize("client", [CHAT, ANTHROPIC], ids=["openai", "anthropic"])
def test_an_answer_can_be_said_to_any_client(provider, trace, client):
    events, observed = decode(provider, trace, full=True)
    meant = fold(events)
    # A client of the host's own dialect is told usage in the host's own words.
    host = make(provider)
    reader = host.usage_reader(a_call(host, ASK)) if client is CHAT else None
    level = "compatible" if provider == "xai" and client is CHAT else "strict"
    if trace.stream:
        encoder = client.encoder(include_usage=True)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        decoder = client.decoder(full=True, hide_usage=False, read_usage=reader)
        violations = VALIDATORS[client.name].stream(body, level=level)
    else:
        body = client.encode_response(meant).body
        decoder = client.body_decoder(full=True, read_usage=reader)
        headers = {"content-type": client.content_type}
        violations = VALIDATORS[client.name].answer(200, headers, body, level=level)
    if trace.name not in NO_USAGE | NO_FINISH:
        assert violations == []
    again = [*decoder.feed(body).events, *decoder.close().events]
    assert decoder.observed.error is None
    assert _said(fold(again)) == _said(meant)
    if observed.usage is not None:
        assert decoder.observed.usage.as_told.output_total == observed.usage.as_told.output_total


def _said(response):
    parts = response.choices[0].parts
    return (
        "".join(part.text for part in parts if isinstance(part, Reasoning)),
        "".join(part.text for part in parts if isinstance(part, Text | Refusal)),
        [
            (part.id, part.name, json.loads(part.arguments or "{}"))
            for part in parts
            if isinstance(part, ToolCall)
        ],
    )


@named([pair for pair in CHATS if pair[1].request and pair[1].status == 200])
def test_a_request_that_its_host_took_goes_as_it_came(provider, trace):
    host = make(provider)
    call = a_call(host, json.dumps(asked(trace)).encode())
    expected = copy.deepcopy(asked(trace))
    if call.stream:
        expected["stream_options"] = {
            **(expected.get("stream_options") or {}),
            "include_usage": True,
        }
    if provider == "ollama":
        for message in expected["messages"]:
            message["role"] = "system" if message["role"] == "developer" else message["role"]
    if expected.get("tool_choice") == "any":  # Mistral's word, in everybody else's
        expected["tool_choice"] = "required"
    assert json.loads(host.body(call)) == expected


@named([pair for pair in CHATS if pair[1].request and pair[1].status == 200])
def test_a_request_rendered_anew_says_the_same(provider, trace):
    host = make(provider)
    call = replace(a_call(host, json.dumps(asked(trace)).encode()), passthrough=False)
    again = CHAT.parse(host.body(call))
    first = CHAT.parse(host.body(replace(call, passthrough=True)))
    assert again.messages == first.messages
    assert again.tools == first.tools
    assert again.sampling == first.sampling
    assert again.extras == first.extras


# What these answers cost depends on what they do not tell; see `openai_responses.usage`.
UNTOLD = {
    "ai-azure-azure-code-interpreter-tool-1-0d61b9-0": "code_interpreter_call",
    "ai-azure-azure-code-interpreter-tool-1-6e62e5-0": "code_interpreter_call",
    "ai-azure-azure-image-generation-tool-1-d9357b-0": "image_generation_call",
}


@named(RESPONSES_200)
def test_a_response_is_complete_and_its_usage_adds_up(provider, trace, count_replay):
    count_replay(trace.kind)
    _, observed = decode(provider, trace, full=True, dialect=RESPONSES)
    assert (observed.complete, observed.error) == (True, None)
    usage, raw = observed.usage, observed.usage.raw
    if trace.name in UNTOLD:
        assert usage.problem.startswith(UNTOLD[trace.name])
        return
    assert usage.problem is None
    told = usage.as_told
    assert (told.input_total, told.output_total) == (raw["input_tokens"], raw["output_tokens"])
    for chunks in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light = decode(provider, trace, full=False, chunks=chunks, dialect=RESPONSES)
        assert light == observed


@named([pair for pair in RESPONSES_200 if pair[0] == "xai"])
def test_what_xai_ran_itself_is_metered(provider, trace):
    _, observed = decode(provider, trace, full=False, dialect=RESPONSES)
    ran = observed.usage.raw["num_server_side_tools_used"]
    assert observed.usage.quantities.get("server_tool_calls", 0) == ran


@named(RESPONSES_200)
@pytest.mark.parametrize("client", [CHAT, ANTHROPIC], ids=["openai", "anthropic"])
def test_a_response_can_be_said_to_any_client(provider, trace, client):
    events, _ = decode(provider, trace, full=True, dialect=RESPONSES)
    meant = fold(events)
    if trace.stream:
        encoder = client.encoder(include_usage=True)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        decoder = client.decoder(full=True, hide_usage=False)
        assert VALIDATORS[client.name].stream(body) == []
    else:
        body = client.encode_response(meant).body
        decoder = client.body_decoder(full=True)
        headers = {"content-type": client.content_type}
        assert VALIDATORS[client.name].answer(200, headers, body) == []
    again = [*decoder.feed(body).events, *decoder.close().events]
    assert decoder.observed.error is None
    assert _said(fold(again))[1:] == _said(meant)[1:]


# What xAI says it charged, in 1e-10 USD, is exactly the sum of the lines.
PER_MILLION = {
    "grok-code-fast-1": ("0.2", "0.02", "1.5"),
    "grok-4-fast-reasoning": ("0.2", "0.05", "0.5"),
    "grok-3-mini": ("0.3", "0.075", "0.5"),
    "grok-3-mini-high": ("0.3", "0.075", "0.5"),
    "grok-4.3": ("1.25", "0.2", "2.5"),
}


def _billed():
    for provider, trace in [*ANSWERS, *RESPONSES_200]:
        if provider == "xai" and b"cost_in_usd_ticks" in trace.body:
            yield provider, trace


@named(list(_billed()))
def test_xai_s_own_bill_is_what_the_meters_cost(provider, trace):
    dialect = RESPONSES if trace.endpoint.endswith("/responses") else CHAT
    _, observed = decode(provider, trace, full=False, dialect=dialect)
    usage = observed.usage
    prices = dict(
        zip(
            ("input_tokens", "cache_read_tokens", "output_tokens"),
            map(Decimal, PER_MILLION[observed.model]),
            strict=True,
        )
    )
    cost = sum(count * prices[meter] for meter, count in usage.quantities.items())
    assert cost * 10**4 == usage.raw["cost_in_usd_ticks"]


def test_what_openrouter_charged_is_kept_and_own_keys_are_told():
    seen = {}
    for provider, trace in ANSWERS:
        if provider == "openrouter" and trace.name not in {*BROKEN_OFF, *NO_USAGE}:
            _, observed = decode(provider, trace, full=False)
            raw, context = observed.usage.raw, observed.usage.context
            assert ("byok" in context) is bool(raw.get("is_byok"))
            seen[raw.get("is_byok")] = "cost" in raw
    assert seen[False] is seen[True] is True


KINDS = {
    "cline-issue-4826-f38c17-0": ("rate_limit", True, "Too many tokens for team"),
    "crewai-openai-test-openai-is-default-provider-without-explicit-llm-set-on-agent-55389b-0": (
        "not_found",
        False,
        "Resource not found",
    ),
    "langchaingo-openai-testopenrouterstreaming-854bcf-1": (
        "rate_limit",
        True,
        "Rate limit exceeded: limit_rpm/meta-llama",
    ),
    "openllmetry-test-azure-test-chat-reasoning-c8d80d-1": (
        "not_found",
        False,
        "The API deployment for this resource does not exist",
    ),
    "openllmetry-test-embeddings-test-azure-openai-embeddings-2e5c44-2": (
        "authentication",
        False,
        "Access denied due to invalid subscription key",
    ),
    "pydantic-ai-test-openrouter-test-openrouter-errors-raised-62a137-0": (
        "rate_limit",
        True,
        "google/gemini-2.0-flash-exp:free is temporarily rate-limited upstream",
    ),
    "rig-embedding-matrix-error-preserves-provider-body-f01603-0": (
        "invalid_request",
        False,
        "Model no-such/embedding-model does not exist",
    ),
    "rig-error-matrix-context-overflow-streaming-71d9df-0": (
        "invalid_request",
        False,
        "exceeds the available context size",
    ),
    "rig-error-matrix-embeddings-input-past-the-batch-86ab53-0": (
        "upstream",
        True,
        "is too large to process",
    ),
    "rig-error-matrix-embeddings-with-pooling-none-58fb8d-0": (
        "invalid_request",
        False,
        "is not OAI compatible",
    ),
    "rig-response-identity-provider-error-classifies-with-contract-but-reports-no-id-86afaf-0": (
        "invalid_request",
        False,
        "Model not found",
    ),
    "rig-error-matrix-missing-api-key-is-401-4c4c12-0": (
        "authentication",
        False,
        "Invalid API Key",
    ),
    "ruby-llm-chat-error-handling-with-ollama-cloud-gpt-oss-120b-raises-appropriate-auth-error-"
    "0bd8a7-0": ("authentication", False, "Unauthorized"),
    "ruby-llm-chat-error-handling-with-openrouter-claude-haiku-4-5-raises-appropriate-auth-erro-"
    "b4cba2-0": ("authentication", False, "Missing Authentication header"),
    "ruby-llm-chat-real-error-scenarios-ollama-cloud-gpt-oss-120b-handles-context-length-exceed-"
    "f4146e-0": ("invalid_request", False, "exceeded max context length"),
}


@named([pair for pair in [*CHATS, *VECTORS, *RESPONDED] if pair[1].status >= 400])
def test_an_error_is_what_it_means(provider, trace, count_replay):
    count_replay(trace.kind)
    host = make(provider)
    call = a_call(host, ASK)
    error = host.error(call, trace.status, trace.headers, trace.body)
    kind, retryable, message = KINDS[trace.name]
    assert (error.kind, error.retryable) == (kind, retryable)
    assert error.provider == KIND.get(provider, provider)
    assert message in error.message


# The source put a picture in the vector's place.
NO_VECTOR = {"openllmetry-test-embeddings-test-azure-openai-embeddings-2e5c44-0"}


@named([pair for pair in VECTORS if pair[1].status == 200])
def test_vectors_are_metered(provider, trace, count_replay):
    count_replay(trace.kind)
    _, observed = decode(provider, trace, full=False, dialect=EMBEDDINGS)
    said = json.loads(trace.body)["usage"]
    assert (observed.complete, observed.usage.problem) == (True, None)
    assert observed.usage.quantities == {"input_tokens": said["prompt_tokens"]}
    events, full = decode(provider, trace, full=True, dialect=EMBEDDINGS)
    assert full.complete is (trace.name not in NO_VECTOR)
    if full.complete:
        assert full == observed
        assert len(fold(events).vectors) == len(json.loads(trace.body)["data"])
