"""What Bedrock does its own way."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import anyio
import pytest

from flo2 import (
    Call,
    ConfigError,
    Credential,
    Failed,
    Inbound,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing import FakeUpstream
from flo2_provider_bedrock import Bedrock
from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.count import BedrockCountTokens
from flo2_provider_bedrock.credentials import read_keys
from flo2_provider_bedrock.eventstream import encode_message
from flo2_provider_bedrock.invoke import BedrockMessages
from flo2_provider_bedrock.sigv4 import sign

CHAT, CONVERSE, MESSAGES = OpenAIChat(), BedrockConverse(), BedrockMessages()
COUNT = BedrockCountTokens()
NOVA, CLAUDE = "us.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-opus-4-6-v1"
SECRET, TOKEN = "s3cr3t/access+key/of/a/test", "t0k3n//of=a/test=="
KEYS = f"AKIA{'TEST' * 4}:{SECRET}"
ASKED = b'{"model":"x","messages":[{"role":"user","content":"hi"}]}'
CLAUDE_ASKED = (
    b'{"model":"x","max_tokens":9,"stream":false,"messages":[{"role":"user","content":"hi"}]}'
)
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ho"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
}
NOW_US = 1_793_000_000_000_000


def make(wire=None, environ=None, **options):
    services = Services(wire=wire or Wire(), environ=environ or {}, now_us=lambda: NOW_US)
    return Bedrock(Bedrock.Config(**options), services)


def a_call(dialect=CONVERSE, *, surface=CHAT, body=ASKED, model=NOVA, secret=KEYS, headers=None):
    inbound = Inbound(surface, body, surface.peek(body), headers=headers, query="beta=true")
    same = surface.name == dialect.name
    return Call(
        inbound, dialect, model, Credential("c", Secret(secret)), passthrough=same, full=not same
    )


def claude(**options):
    surface = AnthropicMessages()
    return a_call(MESSAGES, surface=surface, body=CLAUDE_ASKED, model=CLAUDE, **options)


def ask(call, answer=ANSWER, *, status=200, headers=None, body=b"", **options):
    """Give the request that Bedrock got, and the reply with its chunks, or the error."""
    upstream, outcome = FakeUpstream(), []
    if call.stream:
        upstream.stream([body], status=status, headers=headers)
    else:
        upstream.reply(status, json=answer, headers=headers)

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with make(wire, **options).chat(call) as reply:
                    outcome.extend([reply, [chunk async for chunk in reply.chunks()]])
            except ProviderError as exc:
                outcome.extend([exc, []])

    anyio.run(test)
    return upstream.last, *outcome


# Where it goes, and how it is signed ------------------------------------------------------------


def test_converse_names_the_model_in_the_url():
    received, _, _ = ask(a_call())
    assert received.target == "/model/us.amazon.nova-2-lite-v1%3A0/converse"
    assert received.json() == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert received.headers["accept"] == "*/*"


def test_a_request_is_signed_as_it_is_sent():
    received, _, _ = ask(a_call(secret=f"{KEYS}:{TOKEN}"), region="eu-central-1")
    signed = sign(
        "POST",
        received.target,
        {"host": "bedrock-runtime.eu-central-1.amazonaws.com"},
        received.body,
        keys=read_keys(f"{KEYS}:{TOKEN}"),
        region="eu-central-1",
        service="bedrock",
        at=datetime.fromtimestamp(NOW_US / 1e6, UTC),
    )
    assert {name: received.headers[name] for name in signed} == signed
    assert received.headers["x-amz-security-token"] == TOKEN
    assert SECRET not in str(received)


def test_an_api_key_is_a_bearer_token():
    received, _, _ = ask(a_call(secret="bedrock-api-key-test"))
    assert received.headers["authorization"] == "Bearer bedrock-api-key-test"
    assert "x-amz-date" not in received.headers


def test_the_path_of_an_address_in_front_is_signed_too():
    received, _, _ = ask(a_call(), base_url="https://proxy.example:8443/aws")
    assert received.target.startswith("/aws/model/")
    signed = sign(
        "POST",
        received.target,
        {"host": "proxy.example:8443"},
        received.body,
        keys=read_keys(KEYS),
        region="us-east-1",
        service="bedrock",
        at=datetime.fromtimestamp(NOW_US / 1e6, UTC),
    )
    assert received.headers["authorization"] == signed["authorization"]


@pytest.mark.parametrize(
    ("options", "environ", "host"),
    [
        ({}, {}, "bedrock-runtime.us-east-1.amazonaws.com"),
        ({}, {"AWS_DEFAULT_REGION": "eu-west-3"}, "bedrock-runtime.eu-west-3.amazonaws.com"),
        (
            {"region": "us-gov-west-1"},
            {"AWS_REGION": "x"},
            "bedrock-runtime.us-gov-west-1.amazonaws.com",
        ),
        ({"base_url": "https://vpce.example"}, {}, "vpce.example"),
    ],
)
def test_a_credential_is_bound_to_the_region_s_host(options, environ, host):
    assert make(environ=environ, **options).host == host


@pytest.mark.parametrize("region", ["eu-central-1.evil.example", "EU", "a b", "eu-west-1/x"])
def test_what_is_no_region_makes_no_host(region):
    with pytest.raises(ConfigError, match="is no AWS region"):
        make(region=region)


ARN = "arn:aws:bedrock:eu-west-1:123456789012"


# Claude ----------------------------------------------------------------------------------------


def test_claude_speaks_its_own_api_and_the_others_converse():
    provider = make()
    names = {
        model: tuple(dialect.name for dialect in provider.speaks(model))
        for model in (CLAUDE, "anthropic.claude-v2", NOVA, f"{ARN}:provisioned-model/x", "claude")
    }
    assert names == {
        CLAUDE: ("anthropic.messages", "bedrock.converse", "anthropic.count_tokens"),
        "anthropic.claude-v2": ("anthropic.messages", "bedrock.converse", "anthropic.count_tokens"),
        NOVA: ("bedrock.converse",),
        f"{ARN}:provisioned-model/x": ("bedrock.converse",),
        "claude": ("bedrock.converse",),
    }


def test_a_messages_call_goes_through_dressed_and_without_its_query():
    answer = {"type": "message", "id": "msg_1", "model": "claude-opus-4-6", "content": []}
    received, reply, chunks = ask(claude(), answer)
    assert received.target == f"/model/{CLAUDE}/invoke"
    assert received.body == (
        b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,'
        b'"messages":[{"role":"user","content":"hi"}]}'
    )
    assert json.loads(b"".join(chunk.raw for chunk in chunks)) == answer
    # Prices go by the inference profile, which the answer does not name.
    assert reply.observed.model == CLAUDE


def test_beta_flags_that_bedrock_knows_go_on_in_the_body():
    asked = {"anthropic-beta": "claude-code-20250219, effort-2025-11-24,,context-1m-2025-08-07"}
    received, _, _ = ask(claude(headers=asked))
    assert received.json()["anthropic_beta"] == ["effort-2025-11-24", "context-1m-2025-08-07"]
    assert "anthropic-beta" not in received.headers
    received, _, _ = ask(claude(headers=asked), betas=frozenset({"claude-code-20250219"}))
    assert received.json()["anthropic_beta"] == ["claude-code-20250219"]
    received, _, _ = ask(claude(headers={"anthropic-beta": "unknown"}))
    assert "anthropic_beta" not in received.json()


@pytest.mark.parametrize(
    ("model", "counted"),
    [
        (CLAUDE, "anthropic.claude-opus-4-6-v1"),
        (f"{ARN}:inference-profile/{CLAUDE}", "anthropic.claude-opus-4-6-v1"),
        ("anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6-v1"),
        ("us.unknown.claude", "us.unknown.claude"),
    ],
)
def test_a_count_is_asked_of_the_model_and_not_of_a_profile(model, counted):
    surface = AnthropicCountTokens()
    call = a_call(COUNT, surface=surface, body=ASKED, model=model)
    received, reply = ask(call, {"inputTokens": 12})[:2]
    assert received.target == f"/model/{counted}/count-tokens"
    inner = json.loads(b64decode(received.json()["input"]["invokeModel"]["body"]))
    assert inner == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert (reply.observed.usage.quantities, reply.observed.usage.informational) == (
        {},
        {"input_tokens": 12},
    )


def frame(**event):
    inner = b64encode(json.dumps(event).encode()).decode()
    return encode_message(
        {":event-type": "chunk", ":message-type": "event"}, json.dumps({"bytes": inner}).encode()
    )


def exception(name, message="slow down", kind="exception"):
    if kind == "error":
        named = {":error-code": name, ":error-message": message, ":message-type": "error"}
        return encode_message(named, b"")
    headers = {":exception-type": name, ":message-type": "exception"}
    return encode_message(headers, json.dumps({"message": message}).encode())


@pytest.mark.parametrize(
    ("name", "kind", "retryable"),
    [
        ("throttlingException", "rate_limit", True),
        ("serviceUnavailableException", "overloaded", True),
        ("internalServerException", "upstream", True),
        ("modelStreamErrorException", "upstream", True),
        ("modelTimeoutException", "timeout", True),
        ("validationException", "invalid_request", False),
        ("somethingNewException", "upstream", True),
    ],
)
def test_an_exception_inside_a_stream_is_its_failure(name, kind, retryable):
    for message in (exception(name), exception(name, kind="error")):
        for dialect in (CONVERSE, MESSAGES):
            for full in (True, False):
                decoder = dialect.decoder(full=full, hide_usage=False)
                events = [*decoder.feed(message).events, *decoder.close().events]
                error = decoder.observed.error
                assert [type(event) for event in events] == [Failed]
                assert (error.kind, error.retryable, error.message) == (
                    kind,
                    retryable,
                    "slow down",
                )
                assert not decoder.observed.complete


def test_an_anthropic_client_sees_the_exception_as_its_own_error_event():
    start = {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {}}}
    body = frame(**start) + exception("throttlingException") + frame(type="ping")
    decoder = MESSAGES.decoder(full=False, hide_usage=False)
    chunk = decoder.feed(body)
    names = [line for line in chunk.raw.decode().split("\n") if line.startswith("event: ")]
    assert names == ["event: message_start", "event: error"]
    assert b'"type":"rate_limit_error","message":"slow down"' in chunk.raw


@pytest.mark.parametrize(
    "payload", [b"{}", b'{"bytes":"!"}', b'{"bytes":1}', b"[]", b"x", b'{"bytes":"e30="}']
)
def test_a_message_without_an_event_is_a_failure(payload):
    decoder = MESSAGES.decoder(full=True, hide_usage=False)
    decoder.feed(encode_message({":event-type": "chunk"}, payload))
    assert "holds no event" in decoder.observed.error.message


# Answers ---------------------------------------------------------------------------------------


def test_an_answer_is_known_by_its_request_and_its_region():
    _, reply, _ = ask(a_call(), headers={"x-amzn-RequestId": "r-1"}, region="eu-central-1")
    assert (reply.observed.response_id, reply.observed.model) == ("r-1", NOVA)
    assert reply.observed.usage.context == {"region": "eu-central-1"}
    assert dict(reply.headers) == {"x-amzn-requestid": "r-1"}


@pytest.mark.parametrize(
    ("status", "name", "kind", "retryable"),
    [
        (429, "ThrottlingException", "rate_limit", True),
        (429, "ModelNotReadyException:http://internal.example/", "overloaded", True),
        (424, "ModelErrorException", "upstream", True),
        (400, "com.amazon.example#ServiceQuotaExceededException", "rate_limit", True),
        (403, "ExpiredTokenException", "authentication", False),
        (403, "AccessDeniedException", "permission", False),
        (404, "ResourceNotFoundException", "not_found", False),
        (418, "UnheardOfException", "invalid_request", False),
    ],
)
def test_errors_in_its_own_words(status, name, kind, retryable):
    for call in (a_call(), claude()):
        headers = {"x-amzn-ErrorType": name, "Retry-After": "3"}
        _, error, _ = ask(call, {"message": "no"}, status=status, headers=headers)
        assert (error.status, error.kind, error.retryable) == (status, kind, retryable)
        assert (error.message, error.retry_after_s, error.provider) == ("no", 3.0, "bedrock")
        assert error.error_type == name.partition(":")[0].rpartition("#")[2]


def test_no_part_of_a_credential_comes_back_in_an_error():
    said = {"message": f"signed with {SECRET} and {TOKEN}"}
    _, error, _ = ask(a_call(secret=f"{KEYS}:{TOKEN}"), said, status=403)
    assert error.message == "signed with *** and ***"
    assert SECRET not in repr(vars(error))
