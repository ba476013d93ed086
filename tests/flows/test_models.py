"""`GET /v1/models`: one list, in the shape its client expects."""

from __future__ import annotations

import json

import pytest

from flo2.testing.harness import running

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
