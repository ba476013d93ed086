"""`GET /v1/models`: one list, in the shape its client expects."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from flo2 import OpenAICompatible, hookimpl
from flo2.testing.harness import CANARY, running
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HOST = {"acme": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1"}}


async def test_each_client_gets_its_own_shape_and_only_what_its_key_may_call():
    async with running(
        {"providers": HOST, "plugins": {"only": []}, "pricing": {}}, credentials=["acme"]
    ) as h:
        await h.route("fast", "ordered", "acme/m1")
        openai = json.loads((await h.get("/v1/models")).body)
        anthropic = json.loads((await h.get("/v1/models", anthropic_version="2023-06-01")).body)
        one = json.loads((await h.get("/v1/models/fast")).body)
        none = await h.get("/v1/models/slow")
        refused = await h.driver.request("GET", "/v1/models")

    assert openai == {"object": "list", "data": [one]}
    assert one == {"id": "fast", "object": "model", "created": 0, "owned_by": "flo2"}
    assert anthropic == {
        "data": [
            {
                "type": "model",
                "id": "fast",
                "display_name": "route: ordered",
                "created_at": "1970-01-01T00:00:00Z",
            }
        ],
        "has_more": False,
        "first_id": "fast",
        "last_id": "fast",
    }
    assert (none.status, json.loads(none.body)["error"]["code"]) == (404, "model_not_found")
    assert refused.status == 401


LISTED = {
    "object": "list",
    "data": [
        {"id": "m-old", "object": "model", "created": 1_700_000_000, "owned_by": "acme"},
        {"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "acme"},
    ],
}
OPENAI = {"acme": {"kind": "openai", "base_url": "https://acme.invalid/v1"}}


async def test_what_the_accounts_credential_reaches_is_listed_with_its_prices_and_kept():
    upstream = FakeUpstream()
    upstream.reply(json=LISTED)
    async with running(
        {"providers": OPENAI}, credentials=["acme"], wire=Wire(upstream.transport())
    ) as h:
        first, again = [json.loads((await h.get("/v1/models")).body) for _ in range(2)]
    assert first == again
    assert [each["id"] for each in first["data"]] == ["acme/gpt-4o", "acme/m-old"]
    assert first["data"][0]["owned_by"] == "acme"
    assert first["data"][0]["pricing"] == {
        "currency": "USD",
        "per": 1_000_000,
        "input_tokens": "2.5",
        "output_tokens": "10",
    }
    assert "pricing" not in first["data"][1]
    (asked,) = upstream.requests
    assert (asked.method, asked.path) == ("GET", "/v1/models")
    assert asked.headers["authorization"] == f"Bearer {CANARY}"


async def test_a_provider_that_gives_no_list_is_shown_by_its_prices():
    upstream = FakeUpstream()
    upstream.reply(500, json={"error": {"message": "no"}})
    async with running(
        {"providers": OPENAI}, credentials=["acme"], wire=Wire(upstream.transport())
    ) as h:
        shown = [
            {each["id"] for each in json.loads((await h.get("/v1/models")).body)["data"]}
            for _ in range(2)
        ]
    assert "acme/gpt-4o" in shown[0]
    assert shown[0] == shown[1]
    assert len(upstream.requests) == 1  # left alone for a while


FACTS = {
    "object": "list",
    "data": [
        {
            "id": "gpt-4o",
            "created": 1_715_367_049,
            "context_length": 64_000,
            "supported_features": ["tools"],
        },
        {"id": "gpt-4.1", "created": 1_744_316_542},
        {"id": "m-new", "created": 1_700_000_000},
    ],
}


async def test_what_a_model_can_do_is_told_in_each_shape_and_by_its_providers_list_first():
    upstream = FakeUpstream()
    upstream.reply(json=FACTS)
    async with running(
        {"providers": OPENAI}, credentials=["acme"], wire=Wire(upstream.transport())
    ) as h:
        openai = json.loads((await h.get("/v1/models")).body)["data"]
        anthropic = json.loads((await h.get("/v1/models", anthropic_version="2023-06-01")).body)
        gemini = json.loads((await h.get("/v1beta/models")).body)["models"]
    limits = {"acme/gpt-4.1": (1_047_576, 32_768), "acme/gpt-4o": (64_000, 16_384)}
    table, listed, unknown = openai
    for shown in (table, listed):
        assert (shown["context_window"], shown["max_output_tokens"]) == limits[shown["id"]]
        assert shown["input_modalities"] == ["file", "image", "text"]
        assert shown["output_modalities"] == ["text"]
    assert table["capabilities"] == ["json_schema", "parallel_tools", "prompt_caching", "tools"]
    assert listed["capabilities"] == ["parallel_tools", "prompt_caching", "tools"]
    assert unknown == {
        "id": "acme/m-new",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "acme",
    }
    assert [
        (each["id"], each.get("max_input_tokens"), each.get("max_tokens"))
        for each in anthropic["data"]
    ] == [(name, *both) for name, both in limits.items()] + [("acme/m-new", None, None)]
    assert [
        (each["name"], each.get("inputTokenLimit"), each.get("outputTokenLimit")) for each in gemini
    ] == [(f"models/{name}", *both) for name, both in limits.items()] + [
        ("models/acme/m-new", None, None)
    ]


async def test_a_plugin_that_cannot_say_what_a_model_does_leaves_the_list_whole(caplog):
    class Odd(OpenAICompatible):
        kind: ClassVar[str] = "odd"
        base_url: ClassVar[str] = "https://odd.invalid/v1"
        facts_in: ClassVar[tuple[str, ...]] = ("flo2.no_such_package",)

    class Plugin:
        @hookimpl
        def flo2_register_providers(self, register):
            register(Odd)

    upstream = FakeUpstream()
    upstream.reply(json=LISTED)
    config = {"acme": {"kind": "odd", "base_url": "https://acme.invalid/v1"}}
    async with running(
        {"providers": config},
        credentials=["acme"],
        wire=Wire(upstream.transport()),
        plugins={"odd": Plugin()},
    ) as h:
        shown = json.loads((await h.get("/v1/models")).body)["data"]
    assert [each["id"] for each in shown] == ["acme/gpt-4o", "acme/m-old"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "provider 'acme' raised when asked about model 'gpt-4o'"
    ]
