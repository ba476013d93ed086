"""What a provider can send wrong, as a client of each API sees it: all of it, or an error.

Every surface stands before every provider dialect. An answer is whole, or it is an error in the
client's own form; it is never half an answer that looks whole, and never a fault of flo2's.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import AsyncIterator

import pytest

from flo2.canonical import Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing.harness import CANARY, running
from flo2.testing.suites.gemini_samples import GEMINI_SAMPLES
from flo2.testing.suites.sample import TEXT
from flo2.testing.suites.samples import SAMPLES
from flo2.testing.upstream import FakeUpstream
from flo2.testing.validators import VALIDATORS
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

DIALECTS = {
    dialect.name: dialect
    for dialect in (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), Gemini())
}
OK = {**SAMPLES, **GEMINI_SAMPLES}
MODELS = {
    "openai.chat": "acme/m1",
    "openai.responses": "openai/o1-pro",  # which is at that endpoint alone
    "anthropic.messages": "anthropic/m1",
    "gemini": "google/m1",
}
CONFIG = {
    "providers": {
        "acme": {"kind": "openai-compatible", "base_url": "https://acme.invalid/v1"},
    }
}
HELLO = [{"role": "user", "content": "Hi"}]
PAIRS = [(client, provider) for client in DIALECTS for provider in DIALECTS]


@pytest.fixture
async def kitchen(caplog) -> AsyncIterator[tuple]:
    """A gateway, and the provider behind all of its names."""
    upstream = FakeUpstream()
    names = [model.partition("/")[0] for model in MODELS.values()]
    async with running(CONFIG, credentials=names, wire=Wire(upstream.transport())) as house:
        yield house, upstream
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def asked(house, client, provider, *, stream):
    """Ask in one dialect for a model of another."""
    model = MODELS[provider]
    if client == "gemini":
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        return await house.post(f"/v1beta/models/{model}:{verb}", body)
    body = {"model": model, "stream": stream}
    if client == "openai.responses":
        return await house.post("/v1/responses", {**body, "input": "Hi"})
    if client == "anthropic.messages":
        return await house.post("/v1/messages", {**body, "messages": HELLO, "max_tokens": 99})
    more = {"stream_options": {"include_usage": True}} if stream else {}
    return await house.post("/v1/chat/completions", {**body, "messages": HELLO, **more})


def understood(client, provider, answer, *, stream):
    """Give the answer as its client reads it, or None for an error; check its form."""
    assert CANARY not in answer.body.decode("utf-8", "replace")
    dialect, valid, headers = DIALECTS[client], VALIDATORS[client], dict(answer.headers)
    own = client == provider  # what passes through is the provider's own
    if answer.status >= 400:
        assert answer.status != 500, answer.body
        # An error of the same API is the provider's own, in its words.
        assert own or valid.answer(answer.status, headers, answer.body) == []
        return None
    if stream:
        decoder = dialect.decoder(full=True, hide_usage=False)
        violations = valid.stream(answer.body, level="compatible")
    else:
        decoder = dialect.body_decoder(full=True)
        violations = valid.answer(200, headers, answer.body, level="compatible")
    events = [*decoder.feed(answer.body).events, *decoder.close().events]
    if decoder.observed.error is not None:
        assert stream, answer.body
        assert own or violations == []
        return None
    assert decoder.observed.complete
    assert own or violations == []
    return fold(events)


def text_of(response):
    return "".join(part.text for part in response.choices[0].parts if isinstance(part, Text))


def frames(provider):
    """Give the events of a provider's good stream, each with its blank line."""
    raw = OK[provider].stream.replace(b"\r\n", b"\n")
    return [frame + b"\n\n" for frame in raw.split(b"\n\n") if frame]


def changed(frame, edit):
    """Give a frame with its JSON edited."""
    lines = frame.split(b"\n")
    for place, line in enumerate(lines):
        if line.startswith(b"data: {"):
            lines[place] = b"data: " + json.dumps(edit(json.loads(line[6:]))).encode()
    return b"\n".join(lines)


def crlf(provider):
    return [b": a comment\r\n\r\n", *(f.replace(b"\n", b"\r\n") for f in frames(provider))]


def unknown(provider):
    brand_new = b'event: brand.new\ndata: {"type":"brand.new","object":"brand.new","x":1}\n\n'
    first, *rest = frames(provider)
    return [first, brand_new, *rest]


def empty_lines(provider):
    return [
        each for frame in frames(provider) for each in (b"\n", frame, b"data\n\n", b"id: 1\n\n")
    ]


def fields_nobody_knows(provider):
    return [
        changed(each, lambda value: {**value, "invented": {"x": [None]}})
        for each in frames(provider)
    ]


def usage_twice(provider):
    return [
        each for frame in frames(provider) for each in ([frame] * (1 + (b'"choices":[]' in frame)))
    ]


def piecewise(provider):
    whole = b"".join(frames(provider))
    return [whole[place : place + 3] for place in range(0, len(whole), 3)]


WHOLE = {
    "CR LF and comments": crlf,
    "an event of an unknown type": unknown,
    "blank lines and fields without data": empty_lines,
    "unknown fields": fields_nobody_knows,
    "three bytes at a time": piecewise,
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("provider", DIALECTS)
async def test_an_odd_stream_is_read_whole(kitchen, provider, case):
    house, upstream = kitchen
    for client in DIALECTS:
        upstream.stream(WHOLE[case](provider))
        answer = await asked(house, client, provider, stream=True)
        assert text_of(understood(client, provider, answer, stream=True)) == TEXT, client


async def test_usage_that_is_told_twice_counts_once(kitchen):
    house, upstream = kitchen
    provider = "openai.chat"
    for client in DIALECTS:
        upstream.stream(usage_twice(provider))
        answer = await asked(house, client, provider, stream=True)
        assert text_of(understood(client, provider, answer, stream=True)) == TEXT, client
    told = OK[provider].input_total + OK[provider].output_total
    for entry in await house.entries():
        meters = entry.end.meters
        assert sum(meters[name] for name in meters if name.endswith("_tokens")) == told


@pytest.mark.parametrize("provider", ["openai.chat", "gemini"])
async def test_an_answer_without_usage_is_whole_and_never_free(kitchen, provider):
    house, upstream = kitchen
    for client in DIALECTS:
        without = [
            changed(each, lambda value: {k: v for k, v in value.items() if "usage" not in k})
            for each in frames(provider)
            if b'"choices":[]' not in each
        ]
        upstream.stream(without)
        answer = await asked(house, client, provider, stream=True)
        assert text_of(understood(client, provider, answer, stream=True)) == TEXT, client
    assert {entry.status for entry in await house.entries()} == {"pending"}


def cut(provider):
    return frames(provider)[: -2 if provider == "openai.chat" else -1][:2]


def no_json(provider):
    first, *rest = frames(provider)
    return [first, b"data: {not json\n\n", *rest]


BROKEN = {
    "cut": (cut, "text/event-stream"),
    "a frame that is no JSON": (no_json, "text/event-stream"),
    "HTML": (lambda _: [b"<html><body>Bad gateway</body></html>"], "text/html"),
    "nothing": (lambda _: [], "text/event-stream"),
    "an error in place of a stream": (lambda p: [OK[p].error], "application/json"),
    "JSON that is no answer": (lambda _: [b"[1, 2]"], "application/json"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("provider", DIALECTS)
async def test_a_broken_stream_never_ends_as_success(kitchen, provider, case):
    house, upstream = kitchen
    made, content_type = BROKEN[case]
    for client in DIALECTS:
        upstream.stream(made(provider), headers={"content-type": content_type})
        answer = await asked(house, client, provider, stream=True)
        assert understood(client, provider, answer, stream=True) is None, (client, answer.body)
        upstream.forget()


@pytest.mark.parametrize("provider", DIALECTS)
async def test_one_json_body_in_place_of_a_stream_is_whole_or_an_error(kitchen, provider):
    house, upstream = kitchen
    for client in DIALECTS:
        upstream.reply(body=OK[provider].plain)
        answer = await asked(house, client, provider, stream=True)
        found = understood(client, provider, answer, stream=True)
        assert found is None or text_of(found) == TEXT, client
        upstream.forget()


PLAIN = {
    "HTML": lambda _: (200, b"<html>Hello</html>", "text/html"),
    "HTML of a proxy": lambda _: (502, b"<html>Bad gateway</html>", "text/html"),
    "nothing": lambda _: (200, b"", "application/json"),
    "an error with status 200": lambda p: (200, OK[p].error, "application/json"),
    "half an answer": lambda p: (200, OK[p].plain[:-9], "application/json"),
    "a list": lambda _: (200, b"[]", "application/json"),
    "a stream": lambda p: (200, OK[p].stream, "text/event-stream"),
}


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("provider", DIALECTS)
async def test_a_plain_answer_that_is_none_is_an_error(kitchen, provider, case):
    house, upstream = kitchen
    status, body, content_type = PLAIN[case](provider)
    for client in DIALECTS:
        for _ in range(4):  # an attempt that may help is made again
            upstream.reply(status, body=body, headers={"content-type": content_type})
        answer = await asked(house, client, provider, stream=False)
        assert understood(client, provider, answer, stream=False) is None, (client, answer.body)
        upstream.forget()


def chat_calls(*calls):
    message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def call(arguments="{}", **more):
    return {"type": "function", "function": {"name": "f", "arguments": arguments}, **more}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["openai.responses", "anthropic.messages", "gemini"])
async def test_calls_without_ids_or_with_the_same_can_be_answered(kitchen, client, stream):
    house, upstream = kitchen
    given = chat_calls(call(), call(id=None), call(id="a"), call(id="a"), call(None, id="b"))
    if stream:
        (choice,) = given["choices"]
        pieces = [{**each, "index": n} for n, each in enumerate(choice["message"]["tool_calls"])]
        delta = {"index": 0, "delta": {"tool_calls": pieces}, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": None}
        head = {**given, "object": "chat.completion.chunk"}
        chunks = [{**head, "choices": [each]} for each in (delta, end)]
        told = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks]
        upstream.stream([*told, b"data: [DONE]\n\n"])
    else:
        upstream.reply(json=given)
    answer = await asked(house, client, "openai.chat", stream=stream)
    response = understood(client, "openai.chat", answer, stream=stream)
    calls = [part for part in response.choices[0].parts if isinstance(part, ToolCall)]
    assert len({each.id for each in calls}) == len(calls) == 5
    assert [each.arguments for each in calls] == ["{}"] * 5
    assert response.choices[0].finish == "tool_calls"


@pytest.mark.parametrize("client", ["openai.responses", "anthropic.messages", "gemini"])
async def test_arguments_that_are_no_json_are_told_as_they_are(kitchen, client):
    house, upstream = kitchen
    upstream.reply(json=chat_calls(call("find it", id="a")))
    answer = await asked(house, client, "openai.chat", stream=False)
    assert answer.status == 200
    assert "find it" in answer.body.decode()


@pytest.mark.parametrize("provider", DIALECTS)
async def test_nulls_in_an_answer_say_nothing(kitchen, provider):
    house, upstream = kitchen
    plain = json.loads(OK[provider].plain)
    nulls = dict.fromkeys(("error", "usage", "usageMetadata", "service_tier", "invented"))
    for client in DIALECTS:
        upstream.reply(json={**plain, **nulls})
        answer = await asked(house, client, provider, stream=False)
        assert text_of(understood(client, provider, answer, stream=False)) == TEXT, client


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_a_coding_nobody_asked_for_is_undone_or_an_error(coding, stream):
    """The wire asks for no coding; gzip is undone all the same, br is named."""
    upstream = FakeUpstream()
    sample = OK["openai.chat"]
    data = gzip.compress(sample.stream if stream else sample.plain)
    kind = "text/event-stream" if stream else "application/json"
    async with upstream.serving() as url:
        host = {"kind": "openai-compatible", "base_url": f"{url}/v1"}
        async with running({"providers": {"acme": host}}, credentials=["acme"]) as house:
            for client in DIALECTS:
                headers = {"content-encoding": coding, "content-type": kind}
                upstream.reply(body=data, headers=headers)
                answer = await asked(house, client, "openai.chat", stream=stream)
                found = understood(client, "openai.chat", answer, stream=stream)
                if coding == "gzip":
                    assert text_of(found) == TEXT, client
                else:
                    assert found is None, client
                    assert b"'br'" in answer.body
                upstream.forget()
