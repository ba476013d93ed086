"""`GET /v1/models` on one path in the shape its client expects.

That is the one its headers speak of (`flo2.shell.client`), for Mistral's SDKs with the fields that
they cannot do without; under `/v1beta` everybody gets Gemini's. Imports: gateway, starlette.
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
from flo2.shell.client import ANTHROPIC, GEMINI, OPENAI, refusal, spoken_by

if TYPE_CHECKING:
    from flo2.dialects.base import Dialect
    from flo2.gateway import Gateway

__all__ = ["Models"]

# Its SDKs in Python and TypeScript (mistralai 3.7, `_version.py`, read 2026-11-25).
_MISTRAL = "mistral-client-"
_PAGE = 20
_MAX_PAGE = 1000
_GEMINI_PAGE = 50


class Models:
    """The list, and one of it."""

    def __init__(self, gateway: Gateway) -> None:
        """Keep the gateway."""
        self._gateway = gateway

    async def answer(self, request: Request) -> Response:
        """Answer `GET /v1/models` and `GET /v1/models/{id}`."""
        return await self._answer(request, spoken_by(request.headers))

    async def answer_gemini(self, request: Request) -> Response:
        """Answer `GET /v1beta/models` and `GET /v1beta/models/{id}`."""
        return await self._answer(request, GEMINI)

    async def _answer(self, request: Request, dialect: Dialect) -> Response:
        one, page = {
            OPENAI: (_openai, _openai_list),
            ANTHROPIC: (_anthropic, _anthropic_page),
            GEMINI: (_gemini, _gemini_page),
        }[dialect]
        if one is _openai and request.headers.get("user-agent", "").startswith(_MISTRAL):
            one, page = _mistral, _mistral_list
        try:
            key = await self._gateway.authenticate(presented(request.scope["headers"]))
            models = await self._gateway.models(key)
            wanted = request.path_params.get("id")
            if wanted is None:
                return JSONResponse(page(models, request))
            return JSONResponse(one(_find(models, wanted)))
        except RefusedCall as exc:
            return refusal(exc, dialect)


def _find(models: Sequence[ModelInfo], wanted: str) -> ModelInfo:
    for model in models:
        if model.id == wanted or model.id.partition("/")[2] == wanted:
            return model
    msg = f"there is no model {wanted!r}; GET /v1/models lists them"
    raise NotFound(msg, code="model_not_found", param="model")


def _openai_list(models: Sequence[ModelInfo], _: Request) -> dict[str, Any]:
    return {"object": "list", "data": [_openai(model) for model in models]}


def _openai(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by or model.provider,
        **_described(model),
    }


def _mistral_list(models: Sequence[ModelInfo], _: Request) -> dict[str, Any]:
    return {"object": "list", "data": [_mistral(model) for model in models]}


def _mistral(model: ModelInfo) -> dict[str, Any]:
    """Write one model for an SDK that raises where `type` and a table of abilities are missing.

    Source: mistralai 3.7, `models/basemodelcard.py` and `models/modelcapabilities.py` (read
    2026-11-25).
    """
    facts = model.facts
    abilities = frozenset[str]() if facts is None else facts.abilities
    taken = frozenset[str]() if facts is None else facts.input
    return {
        **_openai(model),
        "type": "base",
        "name": model.display_name or model.id,
        **_limits(model, "max_context_length", "max_output_tokens"),
        "capabilities": {
            "completion_chat": facts is not None and "text" in facts.output,
            "function_calling": "tools" in abilities,
            "reasoning": "reasoning" in abilities,
            "vision": "image" in taken,
            "audio": "audio" in taken,
        },
    }


def _described(model: ModelInfo) -> dict[str, Any]:
    """What is known beyond the API's own fields; clients pass over what they do not know."""
    told: dict[str, Any] = _limits(model, "context_window", "max_output_tokens")
    if (facts := model.facts) is not None:
        told["input_modalities"] = sorted(facts.input)
        told["output_modalities"] = sorted(facts.output)
        told["capabilities"] = sorted(facts.abilities)
    if model.prices:
        told["pricing"] = {"currency": "USD", "per": 1_000_000, **model.prices}
    return told


def _limits(model: ModelInfo, window: str, output: str) -> dict[str, int]:
    facts = model.facts
    found = {} if facts is None else {window: facts.context_window, output: facts.max_output_tokens}
    return {name: value for name, value in found.items() if value is not None}


def _anthropic(model: ModelInfo) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name or model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).isoformat().replace("+00:00", "Z"),
        **_limits(model, "max_input_tokens", "max_tokens"),
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


def _gemini(model: ModelInfo) -> dict[str, Any]:
    """Write one model; https://ai.google.dev/api/models (read 2026-11-25)."""
    return {
        "name": f"models/{model.id}",
        "baseModelId": model.id,
        "version": "",
        "displayName": model.display_name or model.id,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        **_limits(model, "inputTokenLimit", "outputTokenLimit"),
    }


def _gemini_page(models: Sequence[ModelInfo], request: Request) -> dict[str, Any]:
    """Give a page as Google does: `pageSize`, `pageToken` (the last name of the page before)."""
    asked = request.query_params.get("pageSize") or str(_GEMINI_PAGE)
    size = page_size(asked, _MAX_PAGE, "pageSize")
    names = [model.id for model in models]
    token = request.query_params.get("pageToken")
    first = names.index(token) + 1 if token in names else 0
    page: dict[str, Any] = {"models": [_gemini(model) for model in models[first : first + size]]}
    if first + size < len(models):
        page["nextPageToken"] = names[first + size - 1]
    return page
