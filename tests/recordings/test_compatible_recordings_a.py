"""Recorded traffic of hosts with a plugin of their own, through that plugin's steps and decoder."""

from __future__ import annotations

import copy
import json

import pytest
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta.beta_message import BetaMessage
from msgspec.structs import replace
from pydantic import TypeAdapter

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.canonical import Failed, Reasoning, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.openai_compatible import CHAT, EMBEDDINGS
from flo2.testing.traces import recorded_traces
from flo2_provider_cerebras import Cerebras
from flo2_provider_deepseek import DeepSeek
from flo2_provider_groq import Groq
from flo2_provider_mistral import Mistral
from flo2_provider_together import Together

ANTHROPIC = AnthropicMessages()
EVENT = TypeAdapter(RawMessageStreamEvent)
HOSTS = {
    "cerebras": Cerebras,
    "deepseek": DeepSeek,
    "groq": Groq,
    "mistral": Mistral,
    "together": Together,
}
# A transcript filed under chat by its source, wrapped in an envelope of the source's own.
NO_CHAT = {"ai-groq-groq-transcription-text-1cb02c-0"}


def _of(provider, ending):
    """Give the traces of one operation; a middleman's path to Together is Together's traffic."""
    traces = [trace for trace in recorded_traces(provider) if trace.endpoint.endswith(ending)]
    if provider == "together":
        traces += [
            trace
            for trace in recorded_traces("huggingface")
            if trace.endpoint == f"/together/v1{ending}"
        ]
    return [(provider, trace) for trace in traces if trace.name not in NO_CHAT]


CHATS = [pair for provider in HOSTS for pair in _of(provider, "/chat/completions")]
ANSWERS = [pair for pair in CHATS if pair[1].status == 200 and pair[1].body]
VECTORS = _of("mistral", "/embeddings")

BROKEN_OFF = {"pydantic-ai-test-groq-test-tool-use-failed-error-streaming-06df2e-0"}
DOUBTFUL = {
    # Each of four models is said to have used what all of them used.
    "pydantic-ai-test-groq-test-groq-model-web-search-tool-stream-7e6ea6-0": (
        "the models of usage_breakdown do not add up to the usage"
    ),
    # More cached tokens than the prompt has.
    "prism-mistral-stream-reasoning-model-1-1-b3d209-0": (
        "the parts of the prompt exceed prompt_tokens 10 by 54"
    ),
}


def named(pairs):
    return pytest.mark.parametrize(
        ("provider", "trace"), pairs, ids=[f"{one}-{trace.name}" for one, trace in pairs]
    )


def make(provider):
    kind = HOSTS[provider]
    return kind(kind.Config(), Services(wire=Wire()))


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


def decode(provider, trace, *, full, chunks=None, dialect=CHAT):
    """Read a recorded answer as the driver does."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}], "input": "x"}
    if trace.stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    host = make(provider)
    call = a_call(host, json.dumps(asked).encode(), dialect=dialect, full=full)
    decoder = host.decoder_of(call, trace.headers)
    out = [*map(decoder.feed, chunks or [trace.body]), decoder.close()]
    return [event for chunk in out for event in chunk.events], decoder.observed


@named(ANSWERS)
def test_an_answer_is_complete_and_its_usage_adds_up(provider, trace, count_replay):
    count_replay(trace.kind)
    events, observed = decode(provider, trace, full=True)
    if trace.name in BROKEN_OFF:
        error = observed.error
        assert isinstance(events[-1], Failed)
        assert (error.kind, error.code, error.retryable) == ("upstream", "tool_use_failed", True)
        assert not observed.complete
        return
    usage = observed.usage
    assert (observed.complete, observed.error) == (True, None)
    assert usage.problem == DOUBTFUL.get(trace.name)
    raw = usage.raw
    if usage.problem is None:
        told = usage.as_told
        beside = usage.informational.get("audio_tokens", 0)
        assert told.input_total == raw["prompt_tokens"]
        assert told.output_total == raw["completion_tokens"]
        assert told.input_total + told.output_total + beside == raw["total_tokens"]
        assert all(count > 0 for count in usage.quantities.values())


@named(ANSWERS)
def test_light_and_full_decoders_agree(provider, trace):
    _, full = decode(provider, trace, full=True)
    for chunks in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light = decode(provider, trace, full=False, chunks=chunks)
        assert replace(light, error=None) == replace(full, error=None)
        assert (light.error and vars(light.error)) == (full.error and vars(full.error))


def test_a_compound_answer_is_each_model_s_own_and_its_tools_are_counted():
    name = "pydantic-ai-test-groq-test-groq-web-search-tool-domain-filters-fe2389-0"
    for trace in (trace for _, trace in ANSWERS if trace.name == name):
        _, observed = decode("groq", trace, full=False)
        usage = observed.usage
        assert usage.quantities == {"web_search_requests": 1, "web_fetch_requests": 1}
        assert [(sub.model, sub.quantities) for sub in usage.subcalls] == [
            (
                "meta-llama/llama-4-scout-17b-16e-instruct",
                {"input_tokens": 117, "output_tokens": 4},
            ),
            (
                "meta-llama/llama-4-scout-17b-16e-instruct",
                {"input_tokens": 520, "output_tokens": 77},
            ),
            (
                "meta-llama/llama-4-scout-17b-16e-instruct",
                {"input_tokens": 3816, "output_tokens": 99},
            ),
            (
                "meta-llama/llama-4-scout-17b-16e-instruct",
                {"input_tokens": 4893, "output_tokens": 123},
            ),
            ("openai/gpt-oss-120b", {"input_tokens": 4754, "output_tokens": 618}),
        ]


def _thought(trace):
    """Read the thinking out of a body, by its own shape and nothing of ours."""
    bodies = (
        [line[6:] for line in trace.body.decode().splitlines() if line.startswith("data: {")]
        if trace.stream
        else [trace.body]
    )
    thought = ""
    for choice in (choice for body in bodies for choice in json.loads(body)["choices"]):
        said = choice.get("delta") or choice.get("message") or {}
        content = said.get("content")
        for part in content if isinstance(content, list) else ():
            thought += "".join(each["text"] for each in part.get("thinking") or ())
        if choice["index"] == 0:
            thought += said.get("reasoning_content") or said.get("reasoning") or ""
    return thought


@named([pair for pair in ANSWERS if pair[1].name not in BROKEN_OFF])
def test_the_model_s_thinking_is_reasoning(provider, trace):
    events, _ = decode(provider, trace, full=True)
    parts = fold(events).choices[0].parts
    reasoning = "".join(part.text for part in parts if isinstance(part, Reasoning))
    assert reasoning == _thought(trace)


@named([pair for pair in ANSWERS if pair[1].name not in BROKEN_OFF])
def test_an_answer_can_be_said_to_an_anthropic_client(provider, trace):
    events, observed = decode(provider, trace, full=True)
    meant = fold(events)
    if trace.stream:
        encoder = ANTHROPIC.encoder(include_usage=True)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        for line in body.decode().splitlines():
            if line.startswith("data: "):
                EVENT.validate_python(json.loads(line[6:]))
        decoder = ANTHROPIC.decoder(full=True, hide_usage=False)
    else:
        body = ANTHROPIC.encode_response(meant).body
        BetaMessage.model_validate(json.loads(body))
        decoder = ANTHROPIC.body_decoder(full=True)
    again = [*decoder.feed(body).events, *decoder.close().events]
    assert decoder.observed.error is None
    assert _said(fold(again)) == _said(meant)
    if observed.usage.problem is None:
        assert decoder.observed.usage.output_total == observed.usage.as_told.output_total


def _said(response):
    parts = response.choices[0].parts
    return (
        "".join(part.text for part in parts if isinstance(part, Reasoning)),
        "".join(part.text for part in parts if isinstance(part, Text)),
        [
            (part.id, part.name, _arguments(part.arguments))
            for part in parts
            if isinstance(part, ToolCall)
        ],
    )


def _arguments(text):
    """Read arguments; those that were cut off are said as a text in a field of their name."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return text
    found = {} if found is None else found
    cut_off = isinstance(found, dict) and found.keys() == {"arguments"}
    return found["arguments"] if cut_off else found


def _ids_by_order(body):
    """Put the order of its first use in place of each tool call's id: sources have hidden some."""
    seen = {}
    body = copy.deepcopy(body)
    for message in body["messages"]:
        for holder, key in [
            (message, "tool_call_id"),
            *((call, "id") for call in message.get("tool_calls") or ()),
        ]:
            if key in holder:
                holder[key] = seen.setdefault(holder[key], len(seen))
    return body


# Tool calls of a model that did not think: an empty thought goes with them and is ignored.
PADDED = "reasoning_content"


@named([pair for pair in CHATS if pair[1].request and pair[1].status == 200])
def test_a_request_that_its_host_took_goes_as_it_came(provider, trace):
    host = make(provider)
    call = a_call(host, trace.request_body)
    assert CHAT.check(call.inbound.request, call.profile) == ()
    assert CHAT.check_body(trace.request_body, call.profile) == ()
    expected = copy.deepcopy(trace.request)
    if call.stream and provider != "mistral":
        expected["stream_options"] = {"include_usage": True}
    sent = json.loads(host.body(call))
    if provider == "deepseek" and "thinking" not in trace.request:
        for message in (*sent["messages"], *expected["messages"]):
            if message.get("tool_calls") and message.get(PADDED) == "":
                del message[PADDED]
    assert _ids_by_order(sent) == _ids_by_order(expected)


@named([pair for pair in CHATS if pair[1].request and pair[1].status == 200])
def test_a_request_rendered_anew_says_the_same(provider, trace):
    host = make(provider)
    call = replace(a_call(host, trace.request_body), passthrough=False)
    again = CHAT.parse(host.body(call))
    first = CHAT.parse(host.body(replace(call, passthrough=True)))
    assert again.messages == first.messages
    assert again.tools == first.tools
    assert again.sampling == first.sampling
    assert again.extras == first.extras


KINDS = {
    "aider-issue-4851-ce6dc5-0": ("budget", False, "Insufficient Balance"),
    "continue-issue-6185-7a94cf-0": ("rate_limit", True, "Service tier capacity exceeded"),
    "crush-issue-1590-afb509-0": ("invalid_request", False, "extra_forbidden"),
    "openinterpreter-issue-408-40c550-0": ("rate_limit", True, "Rate limit reached"),
    "pydantic-ai-issue-1885-67b886-0": ("rate_limit", True, "Requests rate limit exceeded"),
    "pydantic-ai-test-groq-test-tool-regular-error-96097d-0": (
        "not_found",
        False,
        "The model `non-existent` does not exist",
    ),
    "pydantic-ai-test-groq-test-tool-use-failed-error-d83944-0": (
        "upstream",
        True,
        "Tool call validation failed",
    ),
    "ragflow-issue-9858-9143e4-0": ("overloaded", True, "currently over capacity"),
    "rig-logprobs-rejection-matrix-streaming-ministral-3b-062558-0": (
        "invalid_request",
        False,
        "Logprobs are not enabled for this model",
    ),
    "rig-response-identity-edge-blocking-unauthorized-carries-the-correlation-id-bf59ae-0": (
        "authentication",
        False,
        "Invalid API Key",
    ),
    "rig-response-identity-edge-provider-error-response-carries-request-id-1aa850-0": (
        "not_found",
        False,
        "does not exist or you do not have access to it",
    ),
    "rig-response-identity-edge-streaming-error-carries-the-correlation-id-2bc0a5-0": (
        "invalid_request",
        False,
        "Invalid model: definitely-not-a-model",
    ),
    "rig-wire-shape-matrix-blocking-audio-part-reaches-the-wire-6994a9-0": (
        "invalid_request",
        False,
        "unknown variant `input_audio`",
    ),
    "rig-wire-shape-matrix-blocking-image-only-message-reaches-the-wire-6947da-0": (
        "invalid_request",
        False,
        "unknown variant `image_url`",
    ),
    "rig-wire-shape-matrix-blocking-video-part-reaches-the-wire-e55485-0": (
        "invalid_request",
        False,
        "unknown variant `video_url`",
    ),
    "rig-wire-shape-matrix-chat-completion-rejects-a-bogus-key-with-the-provider-body-074ded-0": (
        "authentication",
        False,
        "Authentication Fails",
    ),
    "rig-wire-shape-matrix-chat-completion-rejects-an-unknown-model-with-the-provider-body-"
    "fa15e5-0": ("invalid_request", False, "The supported API model names are"),
    "rig-wire-shape-matrix-forced-tool-choice-under-thinking-is-rejected-upstream-34b45a-0": (
        "invalid_request",
        False,
        "Thinking mode does not support this tool_choice",
    ),
    "unverified-groq-498-29c80d-0": ("overloaded", True, "Capacity exceeded for flex tier"),
}


@named([pair for pair in CHATS if pair[1].status >= 400])
def test_an_error_is_what_it_means(provider, trace, count_replay):
    count_replay(trace.kind)
    host = make(provider)
    call = a_call(host, b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    error = host.error(call, trace.status, trace.headers, trace.body)
    kind, retryable, message = KINDS[trace.name]
    assert (error.kind, error.retryable, error.provider) == (kind, retryable, provider)
    assert message in error.message
    retry_after = trace.headers.get("retry-after")
    assert error.retry_after_s == (None if retry_after is None else float(retry_after))


@named(VECTORS)
def test_vectors_are_metered(provider, trace, count_replay):
    count_replay(trace.kind)
    if trace.status >= 400:
        call = a_call(make(provider), b'{"model":"m","input":"x"}', dialect=EMBEDDINGS)
        error = make(provider).error(call, trace.status, trace.headers, trace.body)
        assert (error.kind, error.retryable) == ("invalid_request", False)
        return
    _, observed = decode(provider, trace, full=False, dialect=EMBEDDINGS)
    said = json.loads(trace.body)["usage"]
    assert (observed.complete, observed.usage.problem) == (True, None)
    assert observed.usage.quantities == {"input_tokens": said["prompt_tokens"]}
