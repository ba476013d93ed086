"""Two clouds through the gateway: signed requests, binary streams, exchanged tokens."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flo2.secrets import Secret
from flo2.testing.harness import running
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire
from flo2_provider_bedrock.eventstream import encode_message

pytestmark = pytest.mark.anyio

CLAUDE, NOVA = "eu.anthropic.claude-sonnet-4-6", "eu.amazon.nova-lite-v1:0"
AWS_SECRET = "canary/aws+secret/1f9c0b7d5e3a"
AWS_KEY = f"AKIA{'TEST' * 4}:{AWS_SECRET}"
CONFIG = {
    "providers": {
        "bedrock": {"kind": "bedrock", "region": "eu-central-1"},
        "vertex": {"kind": "google-vertex", "location": "europe-west4"},
    }
}
ASK = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
SSE = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_bdrk_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 12, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Grüß dich 🌍"},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 12}},
]
USAGE = {"inputTokens": 12, "outputTokens": 7, "totalTokens": 19}
CONVERSED = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüß dich 🌍"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 9}}),
]


def message(kind, fields, of="event"):
    headers = {f":{of}-type": kind, ":content-type": "application/json", ":message-type": of}
    return encode_message(headers, json.dumps(fields).encode())


def invoked():
    inner = (b64encode(json.dumps(event, ensure_ascii=False).encode()).decode() for event in SSE)
    return [message("chunk", {"bytes": each, "p": "abcd"}) for each in inner]


def house(upstream, provider="bedrock", secret=AWS_KEY):
    return _House(running(CONFIG, wire=Wire(upstream.transport())), provider, secret)


class _House:
    """A running gateway with one credential that is not the canary of all others."""

    def __init__(self, opening, provider, secret):
        self._opening, self._provider, self._secret = opening, provider, secret

    async def __aenter__(self):
        h = await self._opening.__aenter__()
        vault, host = h.gateway.runtime.vault, h.gateway.providers[self._provider].host
        now = h.gateway.services.now_us()
        vault.add("default", self._provider, host, "test", Secret(self._secret), now_us=now)
        await h.gateway.refresh(force=True)
        return h

    async def __aexit__(self, *exc_info):
        await self._opening.__aexit__(*exc_info)


def cut(pieces, size):
    body = b"".join(pieces)
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("size", [7, 1000])
async def test_an_anthropic_client_streams_claude_on_bedrock_as_from_anthropic(size):
    upstream = FakeUpstream()
    upstream.stream(cut(invoked(), size))
    async with house(upstream) as h:
        answer = await h.post(
            "/v1/messages",
            {"model": f"bedrock/{CLAUDE}", "stream": True, **ASK},
            anthropic_beta="effort-2025-11-24,claude-code-20250219",
        )
        (entry,) = await h.entries()
    expected = "".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in SSE
    )
    assert answer.body.decode() == expected
    sent = upstream.last
    assert sent.target == f"/model/{CLAUDE}/invoke-with-response-stream"
    assert sent.json() == {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["effort-2025-11-24"],
        **ASK,
    }
    assert f"Credential=AKIA{'TEST' * 4}/" in sent.headers["authorization"]
    assert "/eu-central-1/bedrock/aws4_request" in sent.headers["authorization"]
    assert entry.end.meters == {"input_tokens": 12, "output_tokens": 7}
    assert entry.end.context == {"region": "eu-central-1"}
    # The profile is what costs; the answer calls itself by the model's own name.
    assert entry.end.model_billed == CLAUDE


async def test_another_client_of_claude_is_translated_into_its_own_api():
    upstream = FakeUpstream()
    upstream.stream(invoked())
    async with house(upstream) as h:
        body = {"model": f"bedrock/{CLAUDE}", "stream": True, **ASK}
        answer = await h.post("/v1/chat/completions", body)
    assert upstream.last.target.endswith("/invoke-with-response-stream")
    assert "anthropic_version" in upstream.last.json()
    lines = [line[6:] for line in answer.body.decode().split("\n") if line.startswith("data: {")]
    deltas = [json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines]
    assert "".join(deltas) == "Grüß dich 🌍"
    assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_other_models_are_spoken_to_in_converse(path):
    upstream = FakeUpstream()
    upstream.stream(
        cut([message(*each) for each in CONVERSED], 11), headers={"x-amzn-requestid": "r-1"}
    )
    async with house(upstream) as h:
        answer = await h.post(path, {"model": f"bedrock/{NOVA}", "stream": True, **ASK})
        (entry,) = await h.entries()
    assert upstream.last.target == "/model/eu.amazon.nova-lite-v1%3A0/converse-stream"
    assert upstream.last.json() == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "inferenceConfig": {"maxTokens": 9},
    }
    assert "Grüß dich 🌍" in answer.body.decode()
    assert entry.end.meters == {"input_tokens": 12, "output_tokens": 7}
    assert (entry.end.model_billed, entry.end.provider_request_id) == (NOVA, "r-1")


@pytest.mark.parametrize(
    ("path", "model", "told"),
    [
        ("/v1/messages", CLAUDE, '"type":"rate_limit_error","message":"slow down"'),
        ("/v1/messages", NOVA, '"type":"rate_limit_error","message":"slow down"'),
        ("/v1/chat/completions", NOVA, '"message":"slow down"'),
    ],
)
async def test_an_exception_inside_a_stream_reaches_the_client_in_its_own_form(path, model, told):
    begun = invoked()[:3] if model == CLAUDE else [message(*each) for each in CONVERSED[:2]]
    broken = message("throttlingException", {"message": "slow down"}, of="exception")
    upstream = FakeUpstream()
    upstream.stream([*begun, broken])
    async with house(upstream) as h:
        answer = await h.post(path, {"model": f"bedrock/{model}", "stream": True, **ASK})
        (entry,) = await h.entries()
    text = answer.body.decode()
    assert text.count(told) == 1
    assert "message_stop" not in text
    assert "[DONE]" not in text
    assert entry.status == "pending"


async def test_an_access_key_shows_nowhere():
    upstream = FakeUpstream()
    upstream.reply(
        400,
        json={"message": f"signed with {AWS_SECRET}"},
        headers={"x-amzn-errortype": "ValidationException"},
    )
    async with house(upstream) as h:
        answer = await h.post("/v1/messages", {"model": f"bedrock/{CLAUDE}", **ASK})
        (entry,) = await h.entries()
        receipt = await h.receipt(answer)
    assert json.loads(answer.body)["error"]["message"] == "signed with ***"
    assert AWS_SECRET not in f"{answer} {entry} {receipt} {upstream.requests}"
    assert entry.status == "void"


async def test_a_name_that_leaves_its_place_in_the_url_is_refused_and_costs_nothing():
    upstream = FakeUpstream()
    async with house(upstream) as h:
        answer = await h.post("/v1/messages", {"model": "bedrock/../../x", **ASK})
        entries = await h.entries()
    assert answer.status == 400
    assert "no name of a Bedrock model" in answer.body.decode()
    assert upstream.requests == []
    assert [entry.status for entry in entries] in ([], ["void"])


# Vertex AI --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service_account():
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "a-project",
            "private_key_id": "k1",
            "private_key": text,
            "client_email": "robot@a-project.example",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


GEMINI_ASK = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
GEMINI_ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "One"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    "modelVersion": "gemini-2.5-pro",
}


async def test_a_gemini_client_passes_through_to_vertex_with_a_token_of_its_key(service_account):
    upstream = FakeUpstream()
    upstream.reply(json={"access_token": "ya29.canary-token", "expires_in": 3599})
    for _ in range(2):
        upstream.reply(json=GEMINI_ANSWER)
    async with house(upstream, "vertex", service_account) as h:
        for _ in range(2):
            path = "/v1beta/models/vertex/gemini-2.5-pro:generateContent"
            answer = await h.post(path, GEMINI_ASK)
            assert json.loads(answer.body) == GEMINI_ANSWER
        entries = await h.entries()
    place = "/v1beta1/projects/a-project/locations/europe-west4/publishers/google/models"
    url = f"{place}/gemini-2.5-pro:generateContent"
    assert [request.path for request in upstream.requests] == ["/token", url, url]
    assert upstream.last.json() == GEMINI_ASK
    assert upstream.last.headers["authorization"] == "Bearer ya29.canary-token"
    assert [entry.end.meters for entry in entries] == [{"input_tokens": 3, "output_tokens": 2}] * 2


async def test_an_anthropic_client_passes_through_to_claude_on_vertex(service_account):
    upstream = FakeUpstream()
    upstream.reply(json={"access_token": "ya29.canary-token", "expires_in": 3599})
    frames = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in SSE]
    upstream.stream(frames)
    async with house(upstream, "vertex", service_account) as h:
        body = {"model": "vertex/claude-sonnet-4-6", "stream": True, **ASK}
        answer = await h.post("/v1/messages", body)
        (entry,) = await h.entries()
    assert answer.body == b"".join(frames)
    assert upstream.last.path.endswith(
        "/publishers/anthropic/models/claude-sonnet-4-6:streamRawPredict"
    )
    assert upstream.last.json() == {"anthropic_version": "vertex-2023-10-16", "stream": True, **ASK}
    assert entry.end.context == {"region": "europe-west4"}


async def test_a_key_that_gets_no_token_costs_nothing_and_shows_nowhere(service_account):
    upstream = FakeUpstream()
    upstream.reply(400, json={"error": "invalid_grant", "error_description": "deleted"})
    async with house(upstream, "vertex", service_account) as h:
        answer = await h.post("/v1/messages", {"model": "vertex/claude-sonnet-4-6", **ASK})
        (entry,) = await h.entries()
    assert answer.status == 401
    assert "refused this account's credential" in answer.body.decode()
    assert "PRIVATE KEY" not in f"{answer} {entry}"
    assert entry.status == "void"
