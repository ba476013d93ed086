"""Gemini's surface: the model and what is wanted of it stand in the path.

    POST /v1beta/models/{model}:generateContent       and the same under /v1
    POST /v1beta/models/{model}:streamGenerateContent[?alt=sse]
    POST /v1beta/models/{model}:countTokens, :embedContent, :batchEmbedContents

Source: https://ai.google.dev/api/generate-content (read 2026-11-25).
Imports: surface, dispatch, dialects, starlette's types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from flo2.dialects.gemini import Gemini, GeminiCountTokens
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.dialects.sse import SSEParser
from flo2.errors import NotFound
from flo2.shell.dispatch import path_below_root
from flo2.shell.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive, Scope, Send

    from flo2.dialects.base import Dialect
    from flo2.gateway import Gateway

__all__ = ["GEMINI_PREFIXES", "GeminiSurface"]

GEMINI_PREFIXES: Final = ("/v1beta/models/", "/v1/models/")
_STREAM: Final = "streamGenerateContent"
# How the answer is written and who asks: the surface's own matters, no provider's.
_OURS: Final = frozenset({"alt", "$alt", "key", "$httpHeaders"})


class GeminiSurface:
    """Serve POSTs below `/models/`."""

    __slots__ = ("_surfaces", "_unknown")

    def __init__(self, gateway: Gateway) -> None:
        """Make one surface for each verb."""
        chat = Gemini()
        dialects: Mapping[str, Dialect] = {
            "generateContent": chat,
            _STREAM: chat,
            "countTokens": GeminiCountTokens(),
            "embedContent": GeminiEmbed(),
            "batchEmbedContents": GeminiBatchEmbed(),
        }
        self._surfaces = {verb: Surface(gateway, each) for verb, each in dialects.items()}
        self._unknown = Surface(gateway, chat)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        named = path_below_root(scope).partition("/models/")[2]
        model, _, verb = named.rpartition(":")
        surface = self._surfaces.get(verb)
        if surface is None or not model:
            known = ", ".join(f":{each}" for each in self._surfaces)
            msg = f"there is nothing at {scope['path'][:200]!r}; a model's path ends in {known}"
            await self._unknown.refuse(NotFound(msg, code="not_found"), scope, send)
            return
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if name not in _OURS])
        stream = verb == _STREAM
        if stream and not {("alt", "sse"), ("$alt", "sse")} & {*pairs}:
            send = _AsArray(send)
        await surface(scope, receive, send, query=query, model=model, stream=stream)


class _AsArray:
    """Send a stream of frames as the JSON array that a client without `alt=sse` reads."""

    __slots__ = ("_frames", "_lead", "_send", "_streams")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._frames = SSEParser()
        self._lead = b"["
        self._streams = False

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message; an answer that is no stream stays as it is."""
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._streams = headers.get(b"content-type") == b"text/event-stream"
            if self._streams:
                headers[b"content-type"] = b"application/json"
                message = {**message, "headers": [*headers.items()]}
        elif self._streams:
            message = {**message, "body": self._elements(message)}
        await self._send(message)

    def _elements(self, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        elements = b""
        for frame in self._frames.feed(body):
            if frame.data:
                elements += self._lead + frame.data
                self._lead = b",\r\n"
        if not message.get("more_body"):
            elements += b"]" if self._lead != b"[" else b"[]"
        return elements
