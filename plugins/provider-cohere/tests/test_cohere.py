"""What Cohere's API does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import (
    Call,
    Credential,
    Inbound,
    InvalidRequest,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.testing import FakeUpstream
from flo2_provider_cohere import Cohere, CohereChat, CohereEmbed

CHAT, EMBED = CohereChat(), CohereEmbed()
OPENAI, VECTORS = OpenAIChat(), OpenAIEmbeddings()

ANSWER = {
    "id": "1",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
    "finish_reason": "COMPLETE",
    "usage": {"billed_units": {"input_tokens": 1, "output_tokens": 1}},
}


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (400, {"id": "1", "message": "too long"}, None, "too long"),
        (498, {"message": "unsafe"}, "unsafe_request", "unsafe"),
        (422, {"message": "no tool", "error_type": "INVALID"}, "INVALID", "no tool"),
        (404, {"data": "x"}, None, "data"),
    ],
)
def test_errors_have_no_envelope(status, body, code, said):
    raw = json.dumps(body).encode()
    error = CHAT.decode_error(status, {}, raw)
    assert (error.status, error.code, error.body) == (status, code, raw)
    assert said in str(error)


def test_errors_are_written_without_an_envelope():
    own = CHAT.decode_error(400, {}, b'{"id":"1","message":"too long"}')
    assert CHAT.encode_error(own).body == own.body
    others = ProviderError(
        "busy", status=429, body=b'{"error":{"message":"busy"}}', retry_after_s=2.4
    )
    written = CHAT.encode_error(others, request_id="r1")
    assert (written.status, written.headers["retry-after"]) == (429, "2")
    assert json.loads(written.body)["id"] == "r1"
    refused = EMBED.encode_error(InvalidRequest("no", param="model"))
    assert (refused.status, json.loads(refused.body).keys()) == (400, {"message"})
    assert b"ERROR" in EMBED.encode_stream_error(others)


def over(upstream, doing):
    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            return await doing(Cohere(Cohere.Config(), Services(wire=wire)))

    return anyio.run(test)


def test_a_chat_and_an_embedding_go_where_they_belong():
    for client, body, dialect, path, answer in (
        (OPENAI, {"messages": [{"role": "user", "content": "a"}]}, CHAT, "/v2/chat", ANSWER),
        (VECTORS, {"input": "a"}, EMBED, "/v2/embed", {"embeddings": {"float": [[1]]}}),
    ):
        upstream = FakeUpstream()
        upstream.reply(
            200,
            json=answer,
            headers={
                "x-trial-endpoint-call-remaining": "9",
                "x-api-warning": "old",
                "x-other": "1",
            },
        )
        raw = json.dumps({"model": "m", **body}).encode()
        inbound = Inbound(client, raw, client.peek(raw), request=client.parse(raw))
        call = Call(inbound, dialect, "m", Credential("c", Secret("key")))

        async def ask(provider, call=call, operation=dialect.operation):
            async with getattr(provider, operation)(call) as reply:
                [_ async for _ in reply.chunks()]
                return reply

        reply = over(upstream, ask)
        assert (upstream.last.target, upstream.last.headers["authorization"]) == (
            path,
            "Bearer key",
        )
        assert (reply.observed.complete, reply.observed.model) == (True, "m")
        told = dict(reply.headers)
        assert told["x-trial-endpoint-call-remaining"] == "9"
        assert told["x-api-warning"] == "old"
        assert "x-other" not in told


def test_models_come_page_by_page():
    upstream = FakeUpstream()
    upstream.reply(
        200,
        json={
            "models": [
                {"name": "command-a-03-2025", "endpoints": ["generate", "chat"]},
                {"name": "rerank-v3.5", "endpoints": ["rerank"]},
                {"name": "odd", "endpoints": None},
            ],
            "next_page_token": "a b",
        },
    )
    upstream.reply(200, json={"models": [{"name": "embed-v4.0", "endpoints": ["embed"]}]})
    models = over(upstream, lambda provider: provider.models(Credential("c", Secret("key"))))
    assert [model.id for model in models] == ["command-a-03-2025", "embed-v4.0"]
    assert upstream.last.target == "/v1/models?page_size=1000&page_token=a%20b"


@pytest.mark.parametrize(
    ("name", "own", "thinks"),
    [
        ("command", True, False),
        ("command-light", True, False),
        ("command-r-plus-08-2024", True, False),
        ("command-r", True, False),
        ("command-r7b-12-2024", True, False),
        ("command-a-03-2025", True, False),
        ("command-a-vision-07-2025", True, False),
        ("command-a-translate-08-2025", True, False),
        ("command-a-reasoning-08-2025", True, True),
        ("command-a-plus-05-2026", True, True),
        ("command-z-01-2030", True, True),
        ("c4ai-aya-expanse-32b", True, False),
        ("embed-v4.0", True, True),
        ("embed-english-v3.0", True, True),
        ("commander", False, True),
        ("gpt-4o", False, True),
    ],
)
def test_its_models_are_known_by_their_names(name, own, thinks):
    provider = Cohere(Cohere.Config(), Services(wire=Wire()))
    assert provider.knows(name) is own
    assert ("thinking" not in provider.profile(name).drops) is thinks


def test_its_list_tells_the_window_and_the_table_the_rest():
    upstream = FakeUpstream()
    item = {"name": "command-a-03-2025", "endpoints": ["chat"], "context_length": 288_000.0}
    upstream.reply(200, json={"models": [item]})
    (found,) = over(upstream, lambda provider: provider.models(Credential("c", Secret("key"))))
    facts = found.facts
    assert (facts.context_window, facts.max_output_tokens) == (288_000, 8000)
    assert facts.source.startswith("the provider's own list; for what it leaves out, ")
