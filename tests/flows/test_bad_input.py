"""Everything a client can do wrong: a clear error in its API's own envelope, nothing spent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from flo2.keys import generate, issue, revoke, rotate
from flo2.testing.harness import House, running

pytestmark = pytest.mark.anyio

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
HELLO = [{"role": "user", "content": "Hello"}]
GOOD: dict[str, dict[str, Any]] = {
    OPENAI: {"model": "sandbox/sandbox-small", "messages": HELLO},
    ANTHROPIC: {"model": "sandbox/sandbox-small", "messages": HELLO, "max_tokens": 64},
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running() as made:
        yield made


def envelope(path: str, body: bytes) -> dict[str, Any]:
    """Take an error apart, and check that it has the shape its API promises."""
    data: dict[str, Any] = json.loads(body)
    if path == OPENAI:
        assert set(data) == {"error"}
        assert set(data["error"]) == {"message", "type", "param", "code"}
    else:
        assert data["type"] == "error"
        assert {"type", "message"} <= set(data["error"])
    error: dict[str, Any] = data["error"]
    assert error["message"]
    return error


DEEP = b'{"model":"sandbox/sandbox-small","max_tokens":9,"messages":' + b"[" * 200_000

BODIES: list[tuple[str, bytes, int, str]] = [
    ("empty", b"", 400, "empty"),
    ("not json", b"hello", 400, "JSON"),
    ("cut off", b'{"model": "m", "messages": [', 400, "JSON"),
    ("a list", b"[]", 400, "object"),
    ("invalid utf-8", b'{"model": "\xff\xfe", "messages": []}', 400, "UTF-8"),
    ("deep nesting", DEEP, 400, ""),
    ("no model", b'{"messages":[{"role":"user","content":"x"}],"max_tokens":5}', 400, "model"),
    ("model is a number", b'{"model":5,"messages":[],"max_tokens":5}', 400, "model"),
    ("model is empty", b'{"model":"","messages":[{}],"max_tokens":5}', 400, "model"),
    ("no messages", b'{"model":"sandbox/sandbox-small","max_tokens":5}', 400, "messages"),
    (
        "messages is a text",
        b'{"model":"sandbox/sandbox-small","messages":"x","max_tokens":5}',
        400,
        "messages",
    ),
    (
        "messages is empty",
        b'{"model":"sandbox/sandbox-small","messages":[],"max_tokens":5}',
        400,
        "messages",
    ),
    (
        "a message is a number",
        b'{"model":"sandbox/sandbox-small","messages":[1],"max_tokens":5}',
        400,
        "messages",
    ),
    (
        "unknown role",
        json.dumps(
            {**GOOD["/v1/messages"], "messages": [{"role": "king", "content": "x"}]}
        ).encode(),
        400,
        "role",
    ),
    (
        "stream is a text",
        json.dumps({**GOOD["/v1/messages"], "stream": "yes"}).encode(),
        400,
        "stream",
    ),
    (
        "max_tokens is a text",
        json.dumps({**GOOD["/v1/messages"], "max_tokens": "many"}).encode(),
        400,
        "max_tokens",
    ),
    (
        "an unknown model",
        b'{"model":"no-such-model","max_tokens":5,"messages":[{"role":"user","content":"x"}]}',
        404,
        "no-such-model",
    ),
    (
        "a provider without credential",
        b'{"model":"openai/gpt-4o","max_tokens":5,"messages":[{"role":"user","content":"x"}]}',
        404,
        "flo2 providers add openai",
    ),
]


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize(
    ("body", "status", "word"),
    [pytest.param(*case[1:], id=case[0]) for case in BODIES],
)
async def test_a_bad_body_is_refused_in_words_and_costs_nothing(
    house: House, path: str, body: bytes, status: int, word: str
) -> None:
    answer = await house.post(path, body)

    error = envelope(path, answer.body)
    assert answer.status == status, error
    assert word.lower() in error["message"].lower()
    assert await house.entries() == []


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
async def test_a_body_over_the_limit_is_413(path: str) -> None:
    async with running({"server": {"max_body_bytes": 1 << 20}}) as house:
        answer = await house.post(path, b'{"x":"' + b"a" * (3 << 20) + b'"}')

    error = envelope(path, answer.body)
    assert answer.status == 413
    assert str(1 << 20) in error["message"]


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({}, 401, "key"),
        ({"authorization": "Basic abc"}, 401, "Bearer"),
        ({"authorization": "Bearer sk-proj-0123456789abcdef"}, 401, "provider"),
        ({"authorization": f"Bearer {generate().secret.reveal()}"}, 401, "key"),
        ({"authorization": "Bearer flo2_sk_" + "a" * 36}, 401, "key"),
        ({"authorization": "Bearer a", "x-api-key": "b"}, 401, "different"),
    ],
)
async def test_a_missing_or_wrong_key_is_401(
    house: House, path: str, headers: dict[str, str], status: int, word: str
) -> None:
    body = json.dumps(GOOD[path]).encode()
    answer = await house.driver.request("POST", path, headers=headers, body=body)

    error = envelope(path, answer.body)
    assert answer.status == status
    assert word.lower() in error["message"].lower()
    for value in headers.values():
        assert value.removeprefix("Bearer ") not in error["message"] or len(value) < 12
    assert error["type"] in {"authentication_error", "invalid_request_error"}


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_either_header_is_right_on_any_surface(house: House, path: str, header: str) -> None:
    value = f"Bearer {house.key}" if header == "authorization" else house.key
    body = json.dumps(GOOD[path]).encode()
    answer = await house.driver.request("POST", path, headers={header: value}, body=body)

    assert answer.status == 200


async def test_a_revoked_key_stops_working(house: House) -> None:
    now = house.gateway.services.now_us()
    revoke(house.gateway.store, house.issued, now_us=now)
    await house.gateway.refresh()

    answer = await house.post(OPENAI, GOOD[OPENAI])

    assert answer.status == 401
    assert "revoked" in envelope(OPENAI, answer.body)["message"]


async def test_a_rotated_key_stops_after_its_grace(house: House) -> None:
    pepper = house.gateway.runtime.vault.pepper()
    now = house.gateway.services.now_us()
    _, new = rotate(house.gateway.store, house.issued, grace_s=0, pepper=pepper, now_us=now)
    await house.gateway.refresh()

    old = await house.post(OPENAI, GOOD[OPENAI])
    headers = {"authorization": f"Bearer {new.reveal()}"}
    body = json.dumps(GOOD[OPENAI]).encode()
    fresh = await house.driver.request("POST", OPENAI, headers=headers, body=body)

    assert (old.status, fresh.status) == (401, 200)


async def test_a_key_may_be_kept_to_some_models(house: House) -> None:
    house.gateway.store.put_key(evolve(house.issued, models=("sandbox/*",)))
    await house.gateway.refresh()

    allowed = await house.post(OPENAI, GOOD[OPENAI])
    refused = await house.post(OPENAI, {**GOOD[OPENAI], "model": "openai/gpt-4o"})

    assert (allowed.status, refused.status) == (200, 403)
    assert "sandbox/*" in envelope(OPENAI, refused.body)["message"]


async def test_unknown_paths_and_methods_say_so(house: House) -> None:
    lost = await house.get("/v1/nothing")
    wrong = await house.get(OPENAI)

    assert (lost.status, wrong.status) == (404, 405)
    said, _, there = json.loads(lost.body)["error"]["message"].partition("; what is there: ")
    assert said == "there is nothing at '/v1/nothing'"
    assert {OPENAI, ANTHROPIC, "/v1/embeddings", "/v1/models"} <= set(there.split(", "))
    assert (
        json.loads(wrong.body)["error"]["message"] == f"GET is not possible at '{OPENAI}'; use POST"
    )
    assert dict(wrong.headers)["allow"] == "POST"


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("anthropic-version", {"type": "error", "error": {"type": "not_found_error"}}),
        ("x-goog-api-key", {"error": {"code": 404, "status": "NOT_FOUND"}}),
    ],
)
async def test_an_unknown_path_is_told_in_the_clients_own_words(
    house: House, header: str, shape: dict[str, Any]
) -> None:
    lost = await house.get("/v1/nothing", admin=False, **{header: "1"})

    body = json.loads(lost.body)
    assert lost.status == 404
    assert body.get("type") == shape.get("type")
    assert body["error"] | shape["error"] == body["error"]
    assert body["error"]["message"].startswith("there is nothing at '/v1/nothing'; what is there:")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "did you mean '/v1/chat/completions'? The base URL of OpenAI's SDK"),
        ("/models", "did you mean '/v1/models'? The base URL of OpenAI's SDK ends in /v1"),
        ("/v1/v1/chat/completions", "'/v1/chat/completions'? The base URL of OpenAI's SDK ends in"),
        ("/v1beta/openai/responses", "did you mean '/v1/responses'? The base URL of OpenAI's SDK"),
        ("/v1/response", "did you mean '/v1/responses'?"),
        ("/v1/messages/batches", "what is there: /v1/chat/completions, "),
        ("/v1/files", "/v1beta/models/MODEL:generateContent"),
        ("/v1/v1/messages", "did you mean '/v1/messages'? The base URL of Anthropic's SDK ends"),
    ],
)
async def test_a_wrong_base_url_is_recognised(house: House, path: str, hint: str) -> None:
    lost = await house.get(path)

    assert lost.status == 404
    assert hint in json.loads(lost.body)["error"]["message"]


async def test_only_the_admin_token_reads_what_is_not_ones_own(house: House) -> None:
    answer = await house.post(OPENAI, GOOD[OPENAI])
    request_id = dict(answer.headers)["x-flo2-request-id"]

    own = await house.get(f"/api/calls/{request_id}")
    as_admin = await house.get(f"/api/calls/{request_id}", admin=True)
    listed = await house.get("/api/calls")
    listed_by_admin = await house.get("/api/calls", admin=True)
    nobody = await house.driver.request("GET", "/api/usage")

    assert [a.status for a in (own, as_admin, listed, listed_by_admin, nobody)] == [
        200,
        200,
        403,
        200,
        401,
    ]


async def test_a_receipt_is_not_found_for_another_key(house: House) -> None:
    gateway = house.gateway
    answer = await house.post(OPENAI, GOOD[OPENAI])
    request_id = dict(answer.headers)["x-flo2-request-id"]
    pepper, now = gateway.runtime.vault.pepper(), gateway.services.now_us()
    _, other = issue(gateway.store, "default", "other", pepper=pepper, now_us=now)
    await gateway.refresh()

    headers = {"authorization": f"Bearer {other.reveal()}"}
    seen = await house.driver.request("GET", f"/api/calls/{request_id}", headers=headers)

    assert seen.status == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x_flo2_feature", "f" * 300),
        ("x_flo2_tags", "no-equals-sign"),
        ("x_flo2_tags", '{"a": 1}'),
        ("x_flo2_tags", "{"),
    ],
)
async def test_bad_attribution_is_refused(house: House, name: str, value: str) -> None:
    answer = await house.post(OPENAI, GOOD[OPENAI], **{name: value})

    assert answer.status == 400
    assert "x-flo2-" in envelope(OPENAI, answer.body)["message"]
