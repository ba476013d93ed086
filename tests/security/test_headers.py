"""Headers: an allow-list in each direction, and no line end in any."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flo2 import OpenAICompatible, hookimpl
from flo2.testing import FakeUpstream
from flo2.testing.harness import CANARY, House, running
from flo2.testing.suites.samples import SAMPLES
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = [{"role": "user", "content": "x"}]
ANSWER: dict[str, Any] = {
    "id": "r1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "ho"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}

CLIENT = {
    "accept": "application/json",
    "accept-encoding": "gzip, br",
    "accept-language": "de",
    "anthropic-beta": "b-1",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-version": "2023-06-01",
    "baggage": "a=b",
    "connection": "x-hop",
    "cookie": "session=secret",
    "dnt": "1",
    "expect": "100-continue",
    "from": "me@here.example",
    "keep-alive": "timeout=5",
    "openai-beta": "o-1",
    "openai-organization": "org-theirs",
    "openai-project": "proj-theirs",
    "origin": "https://here.example",
    "proxy-authorization": "Basic c2VjcmV0",
    "proxy-connection": "keep-alive",
    "referer": "https://here.example/secret",
    "te": "trailers",
    "traceparent": "00-1-2-00",
    "trailer": "x",
    "upgrade": "h2c",
    "user-agent": "client/1",
    "via": "1.1 here",
    "x-api-version": "9",
    "x-client-request-id": "c-1",
    "x-flo2-customer": "c",
    "x-flo2-feature": "f",
    "x-flo2-tags": "a=b",
    "x-forwarded-for": "10.0.0.1",
    "x-hop": "1",
    "x-real-ip": "10.0.0.1",
    "x-stainless-lang": "python",
}
OURS = {"accept-encoding", "content-type"}
SENT: Mapping[str, set[str]] = {
    "acme": OURS | {"authorization"},
    "openai": OURS | {"authorization", "openai-beta", "x-client-request-id"},
    "ant": OURS | {"x-api-key", "anthropic-beta", "anthropic-version"},
}
"""What may leave, by provider: everything else in `CLIENT` stays here."""

UPSTREAM = {
    "access-control-allow-origin": "*",
    "age": "1",
    "alt-svc": 'h3=":443"',
    "anthropic-organization-id": "org-owner",
    "anthropic-ratelimit-requests-limit": "5",
    "cf-ray": "1",
    "connection": "keep-alive",
    "content-disposition": "attachment; filename=x",
    "content-security-policy": "default-src *",
    "date": "Wed, 25 Nov 2026 00:00:00 GMT",
    "etag": "1",
    "keep-alive": "timeout=5",
    "link": "<https://x.example>; rel=preload",
    "location": "https://x.example",
    "openai-organization": "org-owner",
    "openai-processing-ms": "7",
    "openai-project": "proj-owner",
    "refresh": "0;https://x.example",
    "request-id": "req_1",
    "retry-after": "7",
    "server": "nginx/1.2",
    "set-cookie": "a=b",
    "strict-transport-security": "max-age=1",
    "trailer": "x",
    "via": "1.1 there",
    "www-authenticate": "Bearer",
    "x-powered-by": "php",
    "x-ratelimit-limit-requests": "5",
    "x-request-id": "req_2",
    "x-should-retry": "true",
}
FLO2 = {
    "cache-control",
    "content-length",
    "content-type",
    "x-accel-buffering",
    "x-flo2-attempts",
    "x-flo2-cache",
    "x-flo2-cost-status",
    "x-flo2-cost-usd",
    "x-flo2-losses",
    "x-flo2-model",
    "x-flo2-overhead-ms",
    "x-flo2-provider",
    "x-flo2-request-id",
    "x-should-retry",
}
PASSED = {
    "anthropic-ratelimit-requests-limit",
    "openai-processing-ms",
    "request-id",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-request-id",
}
"""What a client may see: flo2's own, and these of a provider's."""


@asynccontextmanager
async def house_of(upstream: FakeUpstream, **more: Any) -> AsyncIterator[House]:
    config: dict[str, Any] = {
        "providers": {
            "acme": {"kind": "openai-compatible", "base_url": "http://acme.example/v1"},
            "openai": {"base_url": "http://openai.example/v1"},
            "ant": {"kind": "anthropic", "base_url": "http://ant.example"},
        }
    }
    wire = Wire(transport=upstream.transport())
    names = ["acme", "openai", "ant"]
    async with running(config, credentials=names, wire=wire, **more) as house:
        yield house


def answer_of(provider: str, path: str) -> dict[str, Any]:
    if provider == "openai" and path == MESSAGES:  # translated, so it goes to Responses
        answer: dict[str, Any] = json.loads(SAMPLES["openai.responses"].plain)
        return answer
    return MESSAGE if provider == "ant" else ANSWER


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("provider", SENT)
async def test_only_listed_headers_of_a_client_go_on(provider: str, path: str) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        upstream.reply(json=answer_of(provider, path))
        headers = {**house.headers(), **CLIENT, "x-api-key": house.key}
        body = {"model": f"{provider}/m", "messages": HELLO, "max_tokens": 5}
        answer = await house.driver.request("POST", path, headers=headers, json=body)
    sent = upstream.last.headers
    assert answer.status == 200
    assert set(sent) == SENT[provider]
    assert sent.get("authorization", sent.get("x-api-key", "")).endswith(CANARY)
    assert not any(house.key in value or "secret" in value for value in sent.values())
    assert {name: sent[name] for name in sent.keys() & CLIENT.keys() - OURS} == {
        name: CLIENT[name] for name in sent.keys() & CLIENT.keys() - OURS
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("provider", SENT)
async def test_only_listed_headers_of_a_provider_come_back(
    provider: str, path: str, status: int, stream: bool
) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        if stream and status == 200:
            upstream.stream([b"data: [DONE]\n\n"], headers=UPSTREAM)
        else:
            upstream.reply(status, json=answer_of(provider, path), headers=UPSTREAM)
        body = {"model": f"{provider}/m", "messages": HELLO, "max_tokens": 5, "stream": stream}
        answer = await house.post(path, body)
    names = [name for name, _ in answer.headers]
    assert set(names) <= FLO2 | PASSED
    assert len(set(names)) == len(names)
    assert "org-owner" not in str(answer.headers)
    if status != 200:
        assert answer.header("x-should-retry") == "false"


class Open(OpenAICompatible):
    """A provider whose author passes everything on, in both directions."""

    kind = "open"
    base_url = "http://open.example/v1"
    forward_headers = frozenset({*CLIENT, "authorization", "x-api-key"})
    reply_headers = ("",)


class Opening:
    @hookimpl
    def flo2_register_providers(self, register: Any) -> None:
        register(Open)


@pytest.mark.parametrize("status", [200, 500])
async def test_no_provider_can_open_what_is_closed_to_all(status: int) -> None:
    upstream = FakeUpstream()
    config = {"providers": {"open": {}}}
    wire = Wire(transport=upstream.transport())
    plugins = {"opening": Opening()}
    async with running(config, credentials=["open"], wire=wire, plugins=plugins) as house:
        upstream.reply(status, json=ANSWER, headers=UPSTREAM | {"content-encoding": "identity"})
        own = {"expect", "connection", "te", "trailer", "upgrade", "keep-alive", "proxy-connection"}
        headers = {**house.headers(), **CLIENT, "x-api-key": house.key}
        answer = await house.driver.request(
            "POST",
            CHAT,
            headers={name: value for name, value in headers.items() if name not in own},
            json={"model": "open/m", "messages": HELLO},
        )
    sent = upstream.last.headers
    assert answer.status == status
    assert sent["authorization"] == f"Bearer {CANARY}"
    assert not {"cookie", "proxy-authorization", "x-api-key"} & set(sent)
    assert not any(house.key in value for value in sent.values())
    closed = {"set-cookie", "server", "location", "www-authenticate", "content-encoding", "date"}
    names = [name for name, _ in answer.headers]
    assert not closed & set(names)
    assert len(set(names)) == len(names)


async def test_what_a_host_hands_over_in_python_is_held_back_too() -> None:
    """A host that embeds flo2 may pass its own client's headers on as they came."""
    upstream = FakeUpstream()
    wire = Wire(transport=upstream.transport())
    plugins = {"opening": Opening()}
    config = {"providers": {"open": {}}}
    given = {"Cookie": "session=secret", "X-Api-Key": "secret", "DNT": "1", "Authorization": "x"}
    async with running(config, credentials=["open"], wire=wire, plugins=plugins) as house:
        upstream.reply(json=ANSWER)
        ask = {"model": "open/m", "messages": HELLO}
        async with house.gateway.chat(ask, key=house.key, headers=given) as answer:
            await answer.response()
    assert dict(upstream.last.headers) == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {CANARY}",
        "dnt": "1",
    }


@pytest.mark.parametrize("own", ["connection", "expect", "te", "trailer", "upgrade", "keep-alive"])
async def test_a_header_of_the_connection_is_refused_not_passed_on(own: str) -> None:
    upstream = FakeUpstream()
    wire = Wire(transport=upstream.transport())
    plugins = {"opening": Opening()}
    config = {"providers": {"open": {}}}
    async with running(config, credentials=["open"], wire=wire, plugins=plugins) as house:
        answer = await house.post(CHAT, {"model": "open/m", "messages": HELLO}, **{own: "x"})
    assert (answer.status, upstream.requests) == (400, [])


# ------------------------------------------------------------------------------------ line ends

SPLITS = (
    "m\r\nset-cookie: a=b",
    "m\nset-cookie: a=b",
    "m\r\n\r\n<script>",
    "m\x00",
    "m\x7f\x1b[2J",
    "m\u0085\u2028x",
    "\u00e4\u4e2d",
    "m\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
)


def check(answer: Any) -> None:
    for name, value in answer.headers:
        assert name.isascii() and name.isprintable()  # noqa: PT018  # one thing: fit for a wire
        assert value.isascii() and value.isprintable()  # noqa: PT018
        assert name != "set-cookie"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("model", SPLITS, ids=repr)
async def test_no_model_name_of_an_answer_begins_a_header(
    model: str, path: str, stream: bool
) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        for provider in SENT:
            given = {**answer_of(provider, path), "model": model, "id": model}
            if stream:
                chunk = {**given, "choices": [{"index": 0, "delta": {"content": "x"}}]}
                event = {"type": "message_start", "message": {**MESSAGE, "model": model}}
                named = b"event: message_start\n" if provider == "ant" else b""
                data = json.dumps(event if provider == "ant" else chunk).encode()
                upstream.stream([named + b"data: " + data + b"\n\n", b"data: [DONE]\n\n"])
            else:
                upstream.reply(json=given)
            body = {"model": f"{provider}/m", "messages": HELLO, "max_tokens": 5, "stream": stream}
            check(await house.post(path, body))
            upstream.forget()


@pytest.mark.parametrize("model", SPLITS, ids=repr)
async def test_no_name_of_a_request_begins_a_header(model: str) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        for path in (CHAT, MESSAGES):
            for provider in (*SENT, "sandbox", "none"):
                upstream.forget()
                upstream.reply(json={**answer_of(provider, path), "model": None})
                body = {"model": f"{provider}/{model}", "messages": HELLO, "max_tokens": 5}
                odd = {model: {model: [model]}, "stop": [model], "user": model}
                check(await house.post(path, {**body, **odd}))
            check(await house.get(f"/v1/models/{model!r}"))


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nx: y", "\r\n\r\n", "a\x00", "\u00e4", "\x7f"])
async def test_no_line_end_in_a_header_of_a_client_gets_anywhere(value: str) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        for provider, name in (("ant", "anthropic-beta"), ("openai", "openai-beta")):
            body = {"model": f"{provider}/m", "messages": HELLO, "max_tokens": 5}
            answer = await house.driver.request(
                "POST", CHAT, headers={**house.headers(), name: value}, json=body
            )
            check(answer)
            assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_header")
        for name in ("x-flo2-feature", "x-flo2-customer", "x-flo2-route", "x-flo2-receipt"):
            headers = {**house.headers(), name: value}
            body = {"model": "sandbox/sandbox-small", "messages": HELLO}
            answer = await house.driver.request("POST", CHAT, headers=headers, json=body)
            check(answer)
    assert upstream.requests == []


@pytest.mark.parametrize("value", ["a\x01b", "\u00e4", "a\tb", "x" * 300, "a\x7fb", "\u0085"])
async def test_no_odd_byte_in_a_header_of_a_provider_comes_back(value: str) -> None:
    upstream = FakeUpstream()
    async with house_of(upstream) as house:
        for status in (200, 429, 500):
            for provider in SENT:
                names = ("retry-after", "x-ratelimit-a", "request-id", "x-request-id")
                headers = dict.fromkeys(names, value)
                upstream.reply(status, json=answer_of(provider, CHAT), headers=headers)
                body = {"model": f"{provider}/m", "messages": HELLO, "max_tokens": 5}
                answer = await house.post(CHAT, body)
                check(answer)
                assert answer.status == status
