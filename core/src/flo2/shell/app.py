"""The ASGI app: the data plane in front, ordinary Starlette behind it.

    app = create_app(gateway)                              # stand-alone: runs the gateway itself
    Mount("/llm", create_app(gateway, lifespan=False))     # inside a host that has entered it

Imports: gateway, starlette.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_images import OpenAIImageEdits, OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from flo2.errors import NotFound, WrongMethod
from flo2.shell.api import api_routes
from flo2.shell.client import refusal, spoken_by
from flo2.shell.dispatch import Dispatch
from flo2.shell.gemini import GEMINI_PREFIXES, GeminiSurface
from flo2.shell.guard import Guard
from flo2.shell.models import Models
from flo2.shell.plugin_routes import plugin_routes
from flo2.shell.surface import Surface

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from flo2.dialects.base import Dialect
    from flo2.gateway import Gateway

__all__ = ["create_app"]

_BACKSTOP = 64 << 20
_SURFACES: Mapping[str, Callable[[], Dialect]] = {
    "/v1/chat/completions": OpenAIChat,
    "/v1/responses": OpenAIResponses,
    "/v1/responses/input_tokens": OpenAIInputTokens,
    "/v1/completions": OpenAICompletions,
    "/v1/embeddings": OpenAIEmbeddings,
    "/v1/images/generations": OpenAIImages,
    "/v1/images/edits": OpenAIImageEdits,
    "/v1/audio/speech": OpenAISpeech,
    "/v1/audio/transcriptions": OpenAITranscriptions,
    "/v1/audio/translations": OpenAITranslations,
    "/v1/moderations": OpenAIModerations,
    "/v1/messages": AnthropicMessages,
    "/v1/messages/count_tokens": AnthropicCountTokens,
}
_CALLS = tuple(_SURFACES)
_MODELS = "/v1/models"
_GEMINI_CALL = "/v1beta/models/MODEL:generateContent"
# Groq's SDKs put it before every path of OpenAI's API (groq 1.7, `resources`, read 2026-11-25), and
# so does whoever has OpenAI's API at Azure (https://learn.microsoft.com/azure/ai-foundry/openai/
# api-version-lifecycle, the v1 API, read 2026-11-25).
_BEFORE_OPENAI = "/openai"


def create_app(gateway: Gateway, *, lifespan: bool = True) -> ASGIApp:
    """Make the app.

    Args:
        gateway: The gateway it serves; reached by closure, so several apps live in one process.
        lifespan: Enter and leave the gateway with the app. A mounted app's lifespan does not run
            (Starlette), so a host passes False and enters the gateway in its own.
    """
    models = Models(gateway)
    below = dict.fromkeys(GEMINI_PREFIXES, GeminiSurface(gateway))
    hot: dict[tuple[str, str], ASGIApp] = {
        ("POST", path): Surface(gateway, make()) for path, make in _SURFACES.items()
    }
    hot |= {
        (method, _BEFORE_OPENAI + path): app
        for (method, path), app in hot.items()
        if not path.startswith("/v1/messages")
    }

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        if not gateway.started:
            return JSONResponse({"status": "not started"}, 503)
        ledger = gateway.runtime.ledger
        if ledger.journal_trouble is not None:
            return JSONResponse({"status": "the ledger cannot be written"}, 503)
        if not ledger.healthy:
            return JSONResponse({"status": "ledger is behind"}, 503)
        if ledger.trouble is not None:  # calls go on, so this is no reason to send none
            return JSONResponse({"status": "ready", "store": "down", "waiting": ledger.lag})
        return JSONResponse({"status": "ready"})

    @asynccontextmanager
    async def run(_: Starlette) -> AsyncIterator[None]:
        async with gateway:
            yield

    ordinary = Starlette(
        routes=[
            *(Route(path, app, methods=[method]) for (method, path), app in hot.items()),
            Route("/v1/models", models.answer, methods=["GET"]),
            Route("/v1/models/{id:path}", models.answer, methods=["GET"]),
            Route(f"{_BEFORE_OPENAI}/v1/models", models.answer, methods=["GET"]),
            Route(f"{_BEFORE_OPENAI}/v1/models/{{id:path}}", models.answer, methods=["GET"]),
            Route("/v1beta/models", models.answer_gemini, methods=["GET"]),
            Route("/v1beta/models/{id:path}", models.answer_gemini, methods=["GET"]),
            Route("/livez", livez),
            Route("/healthz", livez),
            Route("/readyz", readyz),
            *plugin_routes(gateway),
            *api_routes(gateway),
        ],
        lifespan=run if lifespan else None,
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    server = gateway.config.server
    # The surfaces refuse large bodies in their own envelopes; the guard stands behind them.
    return Guard(
        Dispatch(hot, ordinary, below), max_body_bytes=max(_BACKSTOP, 2 * server.max_body_bytes)
    )


async def _not_found(request: Request, _: Exception) -> Response:
    path = request.scope["path"]
    hint = _hint(path, request.scope.get("root_path", ""))
    error = NotFound(f"there is nothing at {path[:200]!r}; {hint}", code="not_found")
    return refusal(error, spoken_by(request.headers))


def _hint(path: str, root: str) -> str:
    """Say what to do about a path that is not there; a wrong base URL is the usual reason."""
    below = path.removeprefix(root)[:200]
    known = (*_CALLS, _MODELS)
    # The longest first: /v1/completions ends what /v1/chat/completions ends.
    for each in sorted(known, key=len, reverse=True):
        if below.endswith(each.removeprefix("/v1")):
            ends = "Anthropic's SDK ends before" if "messages" in each else "OpenAI's SDK ends in"
            return f"did you mean {root + each!r}? The base URL of {ends} /v1"
    if near := difflib.get_close_matches(below, known, 1, 0.85):
        return f"did you mean {root + near[0]!r}?"
    return f"what is there: {', '.join(root + each for each in (*known, _GEMINI_CALL))}"


async def _wrong_method(request: Request, _: Exception) -> Response:
    path = request.scope["path"]
    use = "POST" if path.endswith(_CALLS) else "GET"
    message = f"{request.method} is not possible at {path[:200]!r}; use {use}"
    error = WrongMethod(message, code="method_not_allowed", headers={"allow": use})
    return refusal(error, spoken_by(request.headers))
