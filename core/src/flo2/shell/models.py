"""`GET /v1/models` on one path in the shape its client expects.

Anthropic's SDKs send `anthropic-version`; all others get OpenAI's shape.
Imports: gateway, starlette.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flo2.errors import NotFound, RefusedCall
from flo2.keys import presented
from flo2.protocols import ModelInfo
from flo2.shell.api import page_size

if TYPE_CHECKING:
    from flo2.dialects.base import Dialect
    from flo2.gateway import Gateway

__all__ = ["Models"]

_ANTHROPIC = "anthropic-version"
_PAGE = 20
_MAX_PAGE = 1000


class Models:
    """The list, and one of it."""

    def __init__(self, gateway: Gateway, openai: Dialect, anthropic: Dialect) -> None:
        """Keep the dialects for their error envelopes."""
        self._gateway = gateway
        self._openai = openai
        self._anthropic = anthropic

    async def answer(self, request: Request) -> Response:
        """Answer `GET /v1/models` and `GET /v1/models/{id}`."""
        is_anthropic = _ANTHROPIC in request.headers
        try:
            key = await self._gateway.authenticate(presented(request.scope["headers"]))
            models = self._gateway.models(key)
            wanted = request.path_params.get("id")
            if wanted is not None:
                return JSONResponse(_one(models, wanted, is_anthropic=is_anthropic))
            if is_anthropic:
                return JSONResponse(_anthropic_page(models, request))
            return JSONResponse({"object": "list", "data": [_openai(m) for m in models]})
        except RefusedCall as exc:
            dialect = self._anthropic if is_anthropic else self._openai
            told = dialect.encode_error(exc)
            return Response(told.body, told.status, dict(told.headers), "application/json")


def _one(models: Sequence[ModelInfo], wanted: str, *, is_anthropic: bool) -> dict[str, Any]:
    for model in models:
        if model.id == wanted or model.id.partition("/")[2] == wanted:
            return _anthropic(model) if is_anthropic else _openai(model)
    msg = f"there is no model {wanted!r}; GET /v1/models lists them"
    raise NotFound(msg, code="model_not_found", param="model")


def _openai(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by or model.provider,
    }


def _anthropic(model: ModelInfo) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name or model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).isoformat().replace("+00:00", "Z"),
    }


def _anthropic_page(models: Sequence[ModelInfo], request: Request) -> dict[str, Any]:
    """Give a page as Anthropic does: `limit`, `after_id`, `before_id`."""
    limit = page_size(request.query_params.get("limit", str(_PAGE)), _MAX_PAGE)
    ids = [model.id for model in models]
    first, last = 0, len(ids)
    if (after := request.query_params.get("after_id")) in ids:
        first = ids.index(after) + 1
    if (before := request.query_params.get("before_id")) in ids:
        last = ids.index(before)
        first = max(first, last - limit)
    page = models[first : min(last, first + limit)]
    return {
        "data": [_anthropic(model) for model in page],
        "has_more": first + limit < last,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }
