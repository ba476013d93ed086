"""What is no chat through the whole house: bytes, content types, meters, and what stays unknown."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from attrs import field, frozen

from flo2 import Call, Facts, HttpProvider, Register, Wire, hookimpl
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.testing import FakeUpstream
from flo2.testing.harness import House, running
from flo2.testing.traces import Trace, golden_traces

pytestmark = pytest.mark.anyio

FOLDERS = (
    "openai_completions",
    "openai_embeddings",
    "openai_images",
    "openai_images_edits",
    "openai_moderations",
    "openai_speech",
    "openai_transcriptions",
    "openai_translations",
)
TRACES = [trace for folder in FOLDERS for trace in golden_traces(folder)]


TRANSCRIPTS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"
# What is settled at a sum of tokens is not listed; a sum is, where it shows what is counted.
BOOKED = {
    ("/v1/completions", "stream_without_include_usage"): ("pending", None),
    ("/v1/completions", "cut_stream"): ("pending", None),
    ("/v1/images/generations", "tokens"): ("settled", "0.008794"),
    ("/v1/images/generations", "per_image"): ("unpriced", None),
    ("/v1/images/edits", "form"): ("settled", "0.011313"),
    (SPEECH, "audio"): ("settled", "0.000285"),
    (SPEECH, "events"): ("settled", "0.0012204"),
    (TRANSCRIPTS, "tokens"): ("settled", "0.000342"),
    (TRANSCRIPTS, "duration"): ("settled", "0.0004"),
    (TRANSCRIPTS, "subtitles"): ("pending", None),
    ("/v1/audio/translations", "text"): ("pending", None),
    ("/v1/moderations", "flagged"): ("settled", "0"),
}


class Vectors(HttpProvider):
    """Speaks Google's embeddings alone."""

    kind: ClassVar[str] = "vectors"
    facts: Facts = Facts(dialects=(GeminiBatchEmbed(), GeminiEmbed()), priced_by_name=True)
    base_url: ClassVar[str] = "https://vectors.example/v1beta"

    @frozen(kw_only=True)
    class Config(HttpProvider.Config):
        """Nothing of its own."""

        unused: str = field(default="")

    def url(self, call: Call) -> str:
        verb = "embedContent" if call.dialect.name == "gemini.embed" else "batchEmbedContents"
        return f"/models/{call.model}:{verb}"

    def embed(self, call: Call) -> Any:
        return self.chat(call)


@hookimpl
def flo2_register_providers(register: Register) -> None:
    register(Vectors)


PLUGIN = SimpleNamespace(flo2_register_providers=flo2_register_providers)


@asynccontextmanager
async def house_of(upstream: FakeUpstream) -> AsyncIterator[House]:
    host = {"kind": "openai-compatible", "base_url": "https://host.example/v1"}
    async with (
        Wire(transport=upstream.transport()) as wire,
        running(
            {"providers": {"host": host}},
            credentials=["openai", "host", "vectors"],
            plugins={"vectors": PLUGIN},
            wire=wire,
        ) as made,
    ):
        yield made


def play(upstream: FakeUpstream, trace: Trace) -> None:
    if trace.stream:
        upstream.stream([trace.body[:40], trace.body[40:]], headers=trace.headers)
    else:
        upstream.reply(trace.status, body=trace.body, headers=trace.headers)


def asked(trace: Trace) -> tuple[bytes, str]:
    """Give the request as a client of the gateway sends it, and its content type."""
    if trace.text is not None:
        body = trace.text.replace('name="model"\r\n\r\n', 'name="model"\r\n\r\nopenai/')
        return body.encode(), "multipart/form-data; boundary=golden"
    model = trace.request.get("model")
    request = {**trace.request, **({} if model is None else {"model": f"openai/{model}"})}
    return json.dumps(request).encode(), "application/json"


@pytest.mark.parametrize(
    "trace", TRACES, ids=lambda trace: f"{trace.endpoint.rpartition('/v1/')[2]}-{trace.name}"
)
async def test_golden_traces_pass(trace: Trace) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        play(upstream, trace)
        body, content_type = asked(trace)
        answer = await house.post(trace.endpoint, body, content_type=content_type)
        if trace.name == "no_number_of_dimensions":
            return  # which of the two refuses it does not matter
        told = dict(answer.headers)
        (received,) = upstream.requests
        (entry,) = await house.entries()

    assert received.path == trace.endpoint
    sent = body.replace(b"openai/", b"")
    if trace.text is not None:
        assert received.body == sent
        assert received.headers["content-type"] == content_type
    else:
        usage = {"stream_options": {"include_usage": True}}
        streams = trace.stream and trace.endpoint == "/v1/completions"
        default = {} if "model" in trace.request else {"model": "omni-moderation-latest"}
        assert json.loads(received.body) == json.loads(sent) | default | (usage if streams else {})
    assert answer.status == trace.status
    if trace.status != 200:
        assert json.loads(answer.body)["error"]["message"]
        assert told["content-type"] == "application/json"
        assert entry.status == "void"
        return
    assert trace.body.rpartition(b"data: {")[0] in answer.body
    if trace.name != "cut_stream":
        assert answer.body == trace.body
    assert told["content-type"].partition(";")[0] == trace.headers["content-type"].partition(";")[0]
    status, total = BOOKED.get((trace.endpoint, trace.name), ("settled", None))
    assert entry.status == status
    if total is not None:
        assert entry.end.total == Decimal(total)
    assert status == "settled" or entry.end.reason


async def test_speech_is_billed_by_the_character_and_moderation_not_at_all() -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(body=b"ID3", headers={"content-type": "audio/mpeg"})
        spoken = await house.post(
            "/v1/audio/speech", {"model": "openai/tts-1", "input": "Grüß dich", "voice": "alloy"}
        )
        upstream.reply(json={"id": "m", "model": "omni-moderation-latest", "results": []})
        moderated = await house.post("/v1/moderations", {"input": "Hello"})
        entries = await house.entries()

    assert dict(spoken.headers)["content-type"] == "audio/mpeg"
    assert json.loads(moderated.body)["id"] == "m"
    assert [entry.end.meters for entry in entries] == [{"input_characters": 9}, {}]
    assert [(entry.status, entry.end.total) for entry in entries] == [
        ("settled", Decimal("0.000135")),
        ("settled", Decimal(0)),
    ]


async def test_a_page_is_never_served_in_a_files_place() -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(body=b"\x00\x01", headers={"content-type": "text/html"})
        answer = await house.post(
            "/v1/audio/speech", {"model": "openai/tts-1", "input": "Hi", "voice": "alloy"}
        )
        upstream.reply(body=b"<html>", headers={"content-type": "text/html"})
        refused = await house.post(
            "/v1/audio/speech", {"model": "openai/tts-1", "input": "Hi", "voice": "alloy"}
        )
    assert (answer.status, dict(answer.headers)["content-type"]) == (
        200,
        "application/octet-stream",
    )
    assert refused.status == 502
    assert dict(refused.headers)["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["stream", "stream_ignored"])
async def test_a_receipt_trails_events_and_no_file(name: str) -> None:
    (trace,) = (each for each in golden_traces("openai_transcriptions") if each.name == name)
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        play(upstream, trace)
        body, content_type = asked(trace)
        answer = await house.post(
            trace.endpoint, body, content_type=content_type, x_flo2_receipt="trailer"
        )
    trailer = answer.body.removeprefix(trace.body)
    assert trailer.startswith(b": flo2 {") == trace.stream
    assert trace.stream or trailer == b""


async def test_what_a_host_does_not_serve_is_said() -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        refused = await house.post(
            "/v1/images/generations", {"model": "host/m", "prompt": "a red circle"}
        )
    assert refused.status == 400
    assert "host cannot serve openai.images calls" in json.loads(refused.body)["error"]["message"]
    assert upstream.requests == []


CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


async def test_a_chat_answers_a_text_completion() -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(json=CHAT)
        request = {"model": "host/m", "prompt": "Say hi", "max_tokens": 5}
        answer = await house.post("/v1/completions", request)
        refused = await house.post("/v1/completions", {**request, "prompt": ["a", "b"]})
    assert upstream.last.path == "/v1/chat/completions"
    assert json.loads(upstream.last.body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say hi"}],
        "max_completion_tokens": 5,
    }
    assert json.loads(answer.body) == {
        "id": "chatcmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m-1",
        "choices": [{"text": "Hi", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": CHAT["usage"],
    }
    assert (refused.status, len(upstream.requests)) == (400, 1)
    assert "prompt" in json.loads(refused.body)["error"]["message"]


async def test_a_chats_stream_answers_a_text_completion() -> None:
    def chunk(**fields: Any) -> bytes:
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
        return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"

    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.stream(
            [
                chunk(choices=[{"index": 0, "delta": {"content": "H"}, "finish_reason": None}]),
                chunk(choices=[{"index": 0, "delta": {"content": "i"}, "finish_reason": "stop"}]),
                chunk(choices=[], usage=CHAT["usage"]) + b"data: [DONE]\n\n",
            ]
        )
        request = {"model": "host/m", "prompt": "Say hi", "stream": True}
        answer = await house.post("/v1/completions", request)
        (entry,) = await house.entries()
    *frames, done, rest = answer.body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert "".join(each["choices"][0]["text"] for each in chunks) == "Hi"
    assert {each["object"] for each in chunks} == {"text_completion"}
    assert entry.end.meters == {"input_tokens": 3, "output_tokens": 2}


FLOATS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "model": "m-1",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


@pytest.mark.parametrize(
    ("encoding", "written"), [("base64", "AAAAPwAAgL4="), ("float", [0.5, -0.25])]
)
async def test_a_host_of_floats_serves_base64_too(encoding: str, written: object) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(json=FLOATS)
        request = {"model": "host/m", "input": "a", "encoding_format": encoding}
        answer = await house.post("/v1/embeddings", request)
        (entry,) = await house.entries()
    assert json.loads(upstream.last.body) == {**request, "model": "m"}
    data = [{**FLOATS["data"][0], "embedding": written}]
    assert json.loads(answer.body) == {**FLOATS, "data": data}
    assert entry.end.meters == {"input_tokens": 3}


async def test_an_openai_client_embeds_at_google() -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(
            json={
                "embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 2]}],
                "usageMetadata": {"promptTokenCount": 3},
            }
        )
        request = {"model": "vectors/m", "input": ["a", "b"], "encoding_format": "base64"}
        answer = await house.post("/v1/embeddings", request)
        (entry,) = await house.entries()
        refused = await house.post("/v1/embeddings", {**request, "input": [[1, 2]]})
    assert upstream.last.path == "/v1beta/models/m:batchEmbedContents"
    assert json.loads(upstream.last.body) == {
        "requests": [{"model": "models/m", "content": {"parts": [{"text": text}]}} for text in "ab"]
    }
    assert json.loads(answer.body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": "AAAAPwAAgL4="},
            {"object": "embedding", "index": 1, "embedding": "AACAPwAAAEA="},
        ],
        "model": "vectors/m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert entry.end.meters == {"input_tokens": 3}
    assert (refused.status, len(upstream.requests)) == (400, 1)


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1"])
async def test_a_google_client_embeds_at_openai_and_at_google(prefix: str) -> None:
    upstream = FakeUpstream()
    one = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2}
    async with house_of(upstream) as house:
        upstream.reply(json=FLOATS)
        many = {"requests": [{**one, "model": "models/host/m", "taskType": "CLUSTERING"}]}
        answer = await house.post(f"{prefix}/models/host/m:batchEmbedContents", many)
        upstream.reply(json=FLOATS)
        single = await house.post(f"{prefix}/models/host/m:embedContent", one)
        upstream.reply(body=b'{"embeddings": [{"values": [1.0]}]}')
        own = {"requests": [{**one, "model": "models/vectors/m"}]}
        passed = await house.post(f"{prefix}/models/vectors/m:batchEmbedContents", own)
        entries = await house.entries()
    told = {"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}
    assert json.loads(answer.body) == {"embeddings": [{"values": [0.5, -0.25]}], **told}
    assert dict(answer.headers)["x-flo2-losses"] == "input[0].task: has no field"
    assert json.loads(single.body) == {"embedding": {"values": [0.5, -0.25]}, **told}
    assert [json.loads(request.body) for request in upstream.requests[:2]] == [
        {"model": "m", "input": ["a"], "dimensions": 2}
    ] * 2
    assert passed.body == b'{"embeddings": [{"values": [1.0]}]}'
    assert upstream.last.json() == {"requests": [{**one, "model": "models/m"}]}
    assert [entry.status for entry in entries][-1] == "pending"


async def test_a_large_recording_is_sent_without_copies_of_copies() -> None:
    upstream = FakeUpstream()
    size = 24 << 20
    body = b"".join(
        (
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai/whisper-1\r\n',
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n',
            bytes(size),
            b"\r\n--b--\r\n",
        )
    )
    async with house_of(upstream) as house:
        limit = house.gateway.config.server.max_body_bytes
        assert limit > size
        upstream.reply(json={"text": "Hi", "usage": {"type": "duration", "seconds": 9}})
        tracemalloc.start()
        try:
            content_type = "multipart/form-data; boundary=b"
            answer = await house.post("/v1/audio/transcriptions", body, content_type=content_type)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        too_large = await house.post("/v1/audio/transcriptions", bytes(limit + 1))
    assert (answer.status, json.loads(answer.body)["text"]) == (200, "Hi")
    assert len(upstream.last.body) == len(body) - len("openai/")
    assert peak < 1.5 * size  # the one with the other model
    assert too_large.status == 413
