"""Recorded traffic of Cohere, through its own dialects."""

from __future__ import annotations

import copy
import json

import pytest

from flo2.canonical import Reasoning, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.testing.traces import recorded_traces
from flo2.testing.validators import VALIDATORS
from flo2_provider_cohere import CohereChat, CohereEmbed
from flo2_provider_cohere.dialect.stream import BodyDecoder, StreamDecoder

CHAT, EMBED = CohereChat(), CohereEmbed()
OPENAI, ANTHROPIC, VECTORS = OpenAIChat(), AnthropicMessages(), OpenAIEmbeddings()
PROFILE, MODEL = Profile(), "a-model"
TRACES = recorded_traces("cohere")
# Filed under chat by its source; it is an answer of the older embeddings.
NO_CHAT = {"ai-cohere-cohere-embedding-89ac57-0"}
CHATS = [trace for trace in TRACES if trace.endpoint == "/v2/chat" and trace.name not in NO_CHAT]
EMBEDS = [trace for trace in TRACES if trace.endpoint == "/v2/embed"]
ANSWERS = [trace for trace in CHATS if trace.status == 200]
REQUESTS = [trace for trace in ANSWERS if trace.request]


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=[trace.name for trace in traces])


def decode(trace, *, full, chunks=None):
    kind = StreamDecoder if trace.stream else BodyDecoder
    decoder = kind(full=full, read_usage=CHAT.read_usage, model=MODEL)
    out = [*map(decoder.feed, chunks or [trace.body]), decoder.close()]
    assert b"".join(chunk.raw for chunk in out) == trace.body
    return [event for chunk in out for event in chunk.events], decoder.observed


def told(trace):
    """Read the end of an answer out of its bytes, by its own shape and nothing of ours."""
    if not trace.stream:
        return json.loads(trace.body)
    lines = trace.body.decode().splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return next(event["delta"] for event in events if event["type"] == "message-end")


@named(ANSWERS)
def test_an_answer_is_complete_and_billed_by_its_units(trace, count_replay):
    count_replay(trace.kind)
    events, observed = decode(trace, full=True)
    end = told(trace)
    assert (observed.complete, observed.error) == (True, None)
    assert observed.finish == end["finish_reason"]
    usage = observed.usage
    assert usage.problem is None
    billed = end["usage"]["billed_units"]
    assert usage.quantities == {meter: count for meter, count in billed.items() if count}
    if (read := end["usage"].get("tokens", {}).get("input_tokens")) is not None:
        assert usage.informational["model_input_tokens"] == read
        assert usage.input_total <= read
    assert fold(events).usage == usage


@named(ANSWERS)
def test_light_and_full_decoders_agree(trace):
    _, full = decode(trace, full=True)
    for chunks in ([trace.body], trace.body.splitlines(keepends=True)):
        _, light = decode(trace, full=False, chunks=chunks)
        assert light == full


def said(response):
    parts = response.choices[0].parts
    return (
        "".join(part.text for part in parts if isinstance(part, Reasoning)),
        "".join(part.text for part in parts if isinstance(part, Text)),
        [
            (part.id, part.name, json.loads(part.arguments or "{}"))
            for part in parts
            if isinstance(part, ToolCall)
        ],
    )


def answered(trace):
    """Read what was said out of the bytes, by their own shape and nothing of ours."""
    plan, thought, text = "", "", ""
    calls: dict[int, list[str]] = {}
    if trace.stream:
        lines = trace.body.decode().splitlines()
        for event in (json.loads(line[6:]) for line in lines if line.startswith("data: {")):
            message = (event.get("delta") or {}).get("message") or {}
            plan += message.get("tool_plan") or ""
            if event["type"].startswith("content-"):
                content = message.get("content") or {}
                thought += content.get("thinking") or ""
                text += content.get("text") or ""
            if event["type"] == "tool-call-start":
                call = message["tool_calls"]
                calls[event["index"]] = [call["id"], call["function"]["name"], ""]
            if event["type"].startswith("tool-call-") and message:
                calls[event["index"]][2] += message["tool_calls"]["function"]["arguments"]
    else:
        message = json.loads(trace.body)["message"]
        plan = message.get("tool_plan") or ""
        for content in message.get("content") or ():
            thought += content.get("thinking") or ""
            text += content.get("text") or ""
        for number, call in enumerate(message.get("tool_calls") or ()):
            calls[number] = [call["id"], *call["function"].values()]
    each = [
        (name, at, json.loads(arguments or "{}") or {}) for name, at, arguments in calls.values()
    ]
    return plan + thought, text, each


@named(ANSWERS)
def test_what_was_said_is_read(trace):
    events, _ = decode(trace, full=True)
    assert said(fold(events)) == answered(trace)


# Cohere says that a stop sequence ended the answer, and not which one it was.
UNTOLD = {
    ("anthropic.messages", "rig-agent-stop-sequences-are-forwarded-d503bf-0"): ["stop_sequence"]
}


def one_stop(client, finish):
    """OpenAI's word for an end is the same with and without a stop sequence."""
    return client is OPENAI and finish == "stop_sequence"


@named(ANSWERS)
@pytest.mark.parametrize("client", [OPENAI, ANTHROPIC, CHAT], ids=["openai", "anthropic", "own"])
def test_an_answer_can_be_said_to_any_client(trace, client):
    events, observed = decode(trace, full=True)
    meant = fold(events)
    if trace.stream:
        encoder = client.encoder(include_usage=True)
        body = b"".join(map(encoder.feed, events)) + encoder.close()
        decoder = client.decoder(full=True, hide_usage=False)
    else:
        body = client.encode_response(meant).body
        decoder = client.body_decoder(full=True)
    if client is not CHAT:
        check = VALIDATORS[client.name]
        headers = {"content-type": client.content_type}
        found = check.stream(body) if trace.stream else check.answer(200, headers, body)
        assert [violation.where for violation in found] == UNTOLD.get((client.name, trace.name), [])
    again = [*decoder.feed(body).events, *decoder.close().events]
    back = fold(again)
    assert decoder.observed.error is None
    assert said(back) == said(meant)
    finish = meant.choices[0].finish
    assert back.choices[0].finish == ("stop" if one_stop(client, finish) else finish)
    usage = decoder.observed.usage.as_told
    assert usage.input_total == observed.usage.input_total
    assert usage.output_total == observed.usage.output_total
    if client is CHAT:
        assert back.choices[0].parts == meant.choices[0].parts


def normal(body):
    """Leave out what says nothing: plans, contents and calls that are null or empty."""
    body = copy.deepcopy(body)
    for message in body["messages"]:
        for key in ("tool_plan", "content", "tool_calls"):
            if message.get(key, "") in (None, []):
                del message[key]
    return body


@named(REQUESTS)
def test_a_request_rendered_anew_says_the_same(trace):
    request = CHAT.parse(trace.request_body)
    assert CHAT.check(request, PROFILE) == ()
    rendered = CHAT.render(request, model=request.model, profile=PROFILE)
    assert rendered.losses == ()
    assert normal(json.loads(rendered.body)) == normal(trace.request)


@named(REQUESTS)
def test_a_request_passes_with_the_model_replaced(trace):
    body = trace.request_body
    spliced = CHAT.splice(body, CHAT.peek(body), model="another")
    assert json.loads(spliced) == {**trace.request, "model": "another"}


# Cohere took an instruction in the middle here, though it documents an error for that; so those of
# other clients are sent as a user's, which is never refused.
LATER_SYSTEM = {
    (
        "ruby-llm-chat-basic-chat-functionality-cohere-command-a-03-2025-replaces-previous-system-m-"
        "f66692-1"
    )
}


@named(REQUESTS)
def test_what_others_ask_is_what_cohere_s_own_clients_asked(trace):
    """Ask the same in OpenAI's words, where those can say it: Cohere gets what it got then."""
    request = CHAT.parse(trace.request_body)
    asked = OPENAI.render(request, model=request.model, profile=PROFILE)
    if any(loss.severity == "refuse" for loss in asked.losses):
        assert request.essential or "documents" in trace.request
        return
    lost = {loss.path for loss in asked.losses}
    rendered = CHAT.render(OPENAI.parse(asked.body), model=request.model, profile=PROFILE)
    expected, sent = plain(trace.request), plain(json.loads(rendered.body))
    if trace.name in LATER_SYSTEM:
        assert any(loss.path == "messages[2].role" for loss in rendered.losses)
        expected["messages"][2]["role"] = "user"
    for key in expected.keys() - sent.keys():
        assert any(path.startswith(key) or key in path for path in lost), (key, lost)
        del expected[key]
    assert sent == expected


def plain(body):
    """Give a request without plans and thinking, which OpenAI's words leave out; text as text."""
    body = normal(body)
    if not body.get("tools"):
        body.pop("tool_choice", None)
    for message in body["messages"]:
        content = message.pop("content", [])
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        kept = [part for part in content if part["type"] != "thinking" and part.get("text") != ""]
        if kept:
            message["content"] = kept
        for key in ("tool_plan", "citations"):
            message.pop(key, None)
    return body


ERRORS = {
    "pydantic-ai-test-embeddings-testcohere-test-embed-error-816bfc-0": (
        "not_found",
        None,
        "model 'nonexistent' not found",
    ),
    "rig-errors-completion-error-preserves-status-and-body-4fec53-0": (
        "not_found",
        None,
        "model 'command-does-not-exist' not found",
    ),
    "ruby-llm-chat-real-error-scenarios-cohere-command-a-03-2025-handles-context-length-exceede-"
    "fe2373-0": ("invalid_request", "TOO_MANY_TOKENS", "too many tokens"),
}


@named([trace for trace in [*CHATS, *EMBEDS] if trace.status >= 400])
def test_an_error_is_what_it_means(trace, count_replay):
    count_replay(trace.kind)
    dialect = CHAT if trace.endpoint == "/v2/chat" else EMBED
    error = dialect.decode_error(trace.status, trace.headers, trace.body)
    kind, code, message = ERRORS[trace.name]
    assert (error.kind, error.code, error.retryable) == (kind, code, False)
    assert message in error.message
    assert dialect.encode_error(error).body == trace.body


@named([trace for trace in EMBEDS if trace.status == 200])
def test_vectors_are_metered(trace, count_replay):
    count_replay(trace.kind)
    request = EMBED.parse(trace.request_body)
    assert EMBED.check(request, PROFILE) == ()
    rendered = EMBED.render(request, model=request.model, profile=PROFILE)
    assert json.loads(rendered.body) == trace.request
    observed = []
    for full in (True, False):
        decoder = EMBED.body_decoder(full=full)
        events = [*decoder.feed(trace.body).events, *decoder.close().events]
        observed.append(decoder.observed)
        if full:
            said = json.loads(trace.body)
            response = fold(events)
            assert [list(v.values) for v in response.vectors] == said["embeddings"]["float"]
            assert VECTORS.encode_response(response).losses == ()
    assert observed[0] == observed[1]
    billed = json.loads(trace.body)["meta"]["billed_units"]
    names = {"image_tokens": "input_image_tokens", "images": "input_images"}
    assert observed[0].usage.quantities == {
        names.get(unit, unit): count for unit, count in billed.items() if count
    }
