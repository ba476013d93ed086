"""The surfaces of a gateway that the kit speaks to: a new one is one entry here.

Imports: attrs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from attrs import field, frozen

__all__ = ["SURFACES", "Surface"]

Body = dict[str, Any]


@frozen
class Surface:
    """One inbound API.

    Attributes:
        name: The dialect's name: of its validator, and of its reader.
        path: Where to POST, by model and whether a stream is wanted.
        ask: Makes a request: the model, whether a stream is wanted, names of tools to offer.
        key: The headers that carry an issued key; more than one where clients differ.
        headers: What its clients send beside it.
        odd_headers: What newer clients send, and a gateway must bear.
        query: A query string that clients send.
        says_model: Whether the model stands in the body.
        streams: Whether it has streams.
        has_refusals: Whether it tells a refusal by the model from other text.
    """

    name: str
    path: Callable[[str, bool], str]
    ask: Callable[[str, bool, Sequence[str]], Body]
    key: Sequence[Callable[[str], Mapping[str, str]]]
    headers: Mapping[str, str] = field(factory=dict)
    odd_headers: Mapping[str, str] = field(factory=dict)
    query: str = ""
    says_model: bool = True
    streams: bool = True
    has_refusals: bool = True


_PROMPT: Final = "Answer with one word."
_SCHEMA: Final[Body] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "additionalProperties": True,
}


def _bearer(key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {key}"}


def _x_api_key(key: str) -> Mapping[str, str]:
    return {"x-api-key": key}


def _x_goog_api_key(key: str) -> Mapping[str, str]:
    return {"x-goog-api-key": key}


def _at(path: str) -> Callable[[str, bool], str]:
    return lambda _model, _stream: path


def _chat(model: str, stream: bool, tools: Sequence[str]) -> Body:  # noqa: FBT001  # see Surface.ask
    body: Body = {"model": model, "messages": [{"role": "user", "content": _PROMPT}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if tools:
        body["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": _SCHEMA}}
            for name in tools
        ]
    return body


def _responses(model: str, stream: bool, tools: Sequence[str]) -> Body:  # noqa: FBT001  # as above
    body: Body = {"model": model, "input": _PROMPT, "store": False}
    if stream:
        body["stream"] = True
    if tools:
        body["tools"] = [
            {"type": "function", "name": name, "parameters": _SCHEMA, "strict": False}
            for name in tools
        ]
    return body


def _messages(model: str, stream: bool, tools: Sequence[str]) -> Body:  # noqa: FBT001  # as above
    body: Body = {
        "model": model,
        "max_tokens": 256,
        "messages": [{"role": "user", "content": _PROMPT}],
    }
    if stream:
        body["stream"] = True
    if tools:
        body["tools"] = [{"name": name, "input_schema": _SCHEMA} for name in tools]
    return body


def _generate(_model: str, _stream: bool, tools: Sequence[str]) -> Body:  # noqa: FBT001  # as above
    body: Body = {"contents": [{"role": "user", "parts": [{"text": _PROMPT}]}]}
    if tools:
        made = [{"name": name, "parametersJsonSchema": _SCHEMA} for name in tools]
        body["tools"] = [{"functionDeclarations": made}]
    return body


def _gemini_path(model: str, stream: bool) -> str:  # noqa: FBT001  # see Surface.path
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{quote(model)}:{verb}"


def _embed(model: str, _stream: bool, _tools: Sequence[str]) -> Body:  # noqa: FBT001  # as above
    return {"model": model, "input": ["a", "b"], "encoding_format": "float"}


_STAINLESS: Final = {"x-stainless-lang": "python", "x-stainless-retry-count": "0"}

SURFACES: Final[Mapping[str, Surface]] = {
    surface.name: surface
    for surface in (
        Surface(
            "openai.chat",
            _at("/v1/chat/completions"),
            _chat,
            (_bearer,),
            odd_headers={**_STAINLESS, "openai-beta": "brand-new=v9"},
        ),
        Surface(
            "openai.responses",
            _at("/v1/responses"),
            _responses,
            (_bearer,),
            odd_headers={**_STAINLESS, "session-id": "s", "originator": "codex_cli_rs"},
        ),
        Surface(
            "anthropic.messages",
            _at("/v1/messages"),
            _messages,
            (_x_api_key, _bearer),
            headers={"anthropic-version": "2023-06-01"},
            odd_headers={
                **_STAINLESS,
                "anthropic-version": "2026-10-21",
                "anthropic-beta": "claude-code-20250219,brand-new-2099-01-01",
            },
            query="?beta=true",
        ),
        Surface(
            "gemini",
            _gemini_path,
            _generate,
            (_x_goog_api_key,),
            odd_headers={"x-goog-api-client": "google-genai-sdk/9.9"},
            says_model=False,
            has_refusals=False,
        ),
        Surface(
            "openai.embeddings",
            _at("/v1/embeddings"),
            _embed,
            (_bearer,),
            odd_headers=_STAINLESS,
            streams=False,
        ),
    )
}
"""By name."""
