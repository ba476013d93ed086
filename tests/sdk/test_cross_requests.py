"""Every recorded request, sent by its own SDK to a provider of the other dialect."""

from __future__ import annotations

import typing

import pytest
from anthropic.types.message_create_params import (
    MessageCreateParams,
    MessageCreateParamsStreaming,
)
from openai.types.chat.completion_create_params import (
    CompletionCreateParams,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

OF_OPENAI = [
    trace
    for trace in (*golden_traces("openai_chat"), *recorded_traces("openai"))
    if trace.endpoint == "/v1/chat/completions" and trace.request
]
OF_ANTHROPIC = [
    trace
    for trace in (*golden_traces("anthropic_messages"), *recorded_traces("anthropic"))
    if trace.endpoint == "/v1/messages" and trace.request
]
# One of each family, since each takes other fields.
CLAUDES = ("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-8")
# The SDK's types name these no more (2.13); models before Opus 4.7 take them still.
SAMPLING, SAMPLED = {"temperature", "top_k", "top_p"}, CLAUDES[:2]
GPTS = ("gpt-4o", "gpt-5-mini", "o3-mini")
ANSWERS = {trace.name: trace for trace in golden_traces("anthropic_messages")} | {
    trace.name: trace for trace in golden_traces("openai_chat")
}
# Text inside of these has no form in the other dialect; the receipt names each.
NAMED_LOSSES = {"compaction", "thinking"}
DIALECTS = {"openai": OpenAIChat(), "anthropic": AnthropicMessages()}
ANTHROPIC_PARAMS = TypeAdapter(MessageCreateParams)
OPENAI_PARAMS = TypeAdapter(CompletionCreateParams)


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def one_of(models, trace):
    """Pick a model, the same for the same trace."""
    return models[sum(trace.name.encode()) % len(models)]


def drain(value):
    """The SDKs' `Iterable` fields validate as they are read."""
    if isinstance(value, dict):
        return {key: drain(each) for key, each in value.items()}
    if isinstance(value, list | tuple) or type(value).__name__ == "ValidatorIterator":
        return [drain(each) for each in value]
    return value


# Refused before any plan is made: no call, so no receipt.
MALFORMED = {
    "ai-gateway-testopenai-chat-no-messages-285eda-0": "an empty list of messages",
    "dd-trace-py-anthropic-anthropic-completion-error-717eb4-0": "a message that is a string",
}


async def sent_across(stage, sdk, request, answer, count_replay):
    """Send a request; give what reached the provider, or None where it was refused.

    It is refused exactly where the target's dialect would lose what must not be lost, and then
    nothing was sent; what is lost otherwise is named in the receipt and in a header.
    """
    before = len(stage.arrived())
    stage.play(ANSWERS[answer])
    _, error = await sdk.raw(request)
    arrived = stage.arrived(before)
    losses = lost(stage, sdk.requests[-1].content, sdk.surface)
    refused = [str(loss) for loss in losses if loss.severity == "refuse"]
    call = await stage.call(sdk.request_id)
    if refused:
        stage.upstream.forget()
        assert (error[:2], arrived, call.entries) == (("BadRequestError", 400), [], ())
        assert "cannot express: " + "; ".join(refused) in sdk.answer.json()["error"]["message"]
        count_replay("refused across dialects")
        return None
    assert error is None
    (seen,), (entry,) = arrived, call.entries
    assert (entry.status, entry.intent.losses) == ("settled", tuple(map(str, losses)))
    header = sdk.answer.headers.get("x-flo2-losses", "")
    told = "; ".join(call.exchange.losses)[:1024].encode("ascii", "replace").decode()
    assert (header, call.exchange.losses[: len(losses)]) == (told, entry.intent.losses)
    return seen


def lost(stage, body, surface):
    """Ask the codecs themselves what a request would lose."""
    request = DIALECTS[surface].parse(body)
    provider, _, model = request.model.partition("/")
    profile = stage.house.gateway.providers[provider].provider.profile(model)
    return DIALECTS[provider].check(request, profile)


def tools_of(body):
    """Name the functions and free-text tools that a request of either dialect offers."""
    ours = {"custom", "function", "input_schema"}
    offered = [tool for tool in body.get("tools") or () if ours & tool.keys()]
    return [(tool.get("function") or tool.get("custom") or tool)["name"] for tool in offered]


def texts_of(value):
    """Give the text of every message, block and tool result, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in texts_of(each)]
    if not isinstance(value, dict) or value.get("type") in NAMED_LOSSES:
        return []
    return texts_of(value.get("content")) + texts_of(value.get("text"))


async def is_refused(stage, sdk, request):
    before = len(stage.arrived())
    _, error = await sdk.raw(request)
    assert (error[:2], stage.arrived(before)) == (("BadRequestError", 400), [])


@named(OF_OPENAI)
async def test_an_openai_request_is_one_that_anthropic_takes(
    trace, stage, openai_sdk, count_replay
):
    count_replay("sdk replays")
    model = one_of(CLAUDES, trace)
    request = {**trace.request, "model": f"anthropic/{model}"}
    if trace.name in MALFORMED:
        await is_refused(stage, openai_sdk, request)
        return
    answer = "data_lines_only" if request.get("stream") else "plain_with_everything"
    seen = await sent_across(stage, openai_sdk, request, answer, count_replay)
    if seen is None:
        return
    body = seen.json()
    assert (seen.path, body["model"]) == ("/v1/messages", model)
    drain(ANTHROPIC_PARAMS.validate_python(body))
    untyped = body.keys() - typing.get_type_hints(MessageCreateParamsStreaming).keys()
    assert untyped <= (SAMPLING if model in SAMPLED else set())
    assert tools_of(body) == tools_of(request)
    told = "\n".join(texts_of(body.get("system")) + texts_of(body["messages"]))
    assert [text for text in texts_of(request["messages"]) if text.rstrip() not in told] == []


@named(OF_ANTHROPIC)
async def test_an_anthropic_request_is_one_that_openai_takes(
    trace, stage, anthropic_beta_sdk, count_replay
):
    count_replay("sdk replays")
    model = one_of(GPTS, trace)
    request = {**trace.request, "model": f"openai/{model}"}
    if trace.name in MALFORMED:
        await is_refused(stage, anthropic_beta_sdk, request)
        return
    answer = "stream" if request.get("stream") else "plain_text"
    seen = await sent_across(stage, anthropic_beta_sdk, request, answer, count_replay)
    if seen is None:
        return
    body = seen.json()
    assert (seen.path, body["model"]) == ("/v1/chat/completions", model)
    drain(OPENAI_PARAMS.validate_python(body))
    assert body.keys() <= typing.get_type_hints(CompletionCreateParamsStreaming).keys()
    assert tools_of(body) == tools_of(request)
    told = "\n".join(texts_of(body["messages"]))
    asked = texts_of(request.get("system")) + texts_of(request["messages"])
    assert [text for text in asked if text.rstrip() not in told] == []


async def test_functions_of_the_old_kind_are_refused_not_forgotten(stage, openai_sdk):
    request = {
        "model": "anthropic/claude-haiku-4-5",
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "functions": [{"name": "weather", "parameters": {"type": "object", "properties": {}}}],
    }
    _, error = await openai_sdk.raw(request)
    assert error[2]["code"] == "unsupported_feature"
    assert error[2]["message"] == (
        "the chosen target cannot express: functions: not a field of this API"
    )
