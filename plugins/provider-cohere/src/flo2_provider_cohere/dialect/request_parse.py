"""Read a Cohere chat request into the canonical form. Imports: flo2.

Source: https://docs.cohere.com/reference/chat (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from flo2 import (
    Image,
    InvalidRequest,
    Message,
    Opaque,
    OpaqueTool,
    Part,
    Peek,
    Reasoning,
    ReasoningOptions,
    Request,
    ResponseFormat,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.parts_in import split_data_url
from flo2.dialects.openai_chat.peek import decode_body, read_json
from flo2_provider_cohere.dialect.words import CHAT, PLAN

__all__ = ["parse", "peek"]

_TOP: Final = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "thinking",
        "stream",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "k",
        "p",
        "logprobs",
    }
)
_MESSAGE: Final = frozenset({"role", "content"})
_ASSISTANT: Final = _MESSAGE | {"tool_calls", "tool_plan"}
_TOOL_MESSAGE: Final = _MESSAGE | {"tool_call_id"}
_CALL: Final = frozenset({"id", "type", "function"})
_FUNCTION_CALL: Final = frozenset({"name", "arguments"})
_TOOL: Final = frozenset({"type", "function"})
_FUNCTION: Final = frozenset({"name", "description", "parameters"})
_IMAGE_URL: Final = frozenset({"url", "detail"})
_FORMAT: Final = frozenset({"type", "json_schema"})
_THINKING: Final = frozenset({"type", "token_budget"})
_MODES: Final[Mapping[str, Literal["required", "none"]]] = {"REQUIRED": "required", "NONE": "none"}
_ROLES: Final = ("system", "user", "assistant", "tool")
_GROUNDING: Final = "documents"
"""What the answer is to be drawn from: without it another question is asked."""


class _Fields(msgspec.Struct):
    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    max_tokens: int | None = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


def peek(body: bytes) -> Peek:
    """Read and check the top level; usage comes unasked at the end of every stream."""
    fields: _Fields = decode_body(body, _decode)
    for name, value in (("model", fields.model), ("messages", fields.messages)):
        if not value:
            raise InvalidRequest(
                f"the field {name!r} is {value!r}; it must not be empty",
                code="missing_field",
                param=name,
            )
    return Peek(fields.model, stream=bool(fields.stream), max_output_tokens=fields.max_tokens)


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    seen = peek(body)
    fields = Fields(read_json(body), "", _TOP)
    extras = fields.rest()
    return Request(
        model=seen.model,
        messages=tuple(
            _message(each, f"messages[{n}]") for n, each in enumerate(fields.need("messages", list))
        ),
        tools=tuple(
            _tool(each, f"tools[{n}]") for n, each in enumerate(fields.get("tools", list) or ())
        ),
        tool_choice=_tool_choice(fields),
        response_format=_response_format(fields, extras),
        sampling=_sampling(fields),
        reasoning=_thinking(fields),
        stream=fields.get("stream", bool),
        extras=extras,
        essential=frozenset({_GROUNDING} if extras.get(_GROUNDING) else ()),
        origin=CHAT,
    )


def _message(message: Any, path: str) -> Message:
    fields = Fields(message, path, _MESSAGE)
    role = fields.need("role", str)
    content = fields.value.get("content")
    plain = isinstance(content, str)
    parts = tuple(_content(content, fields.at("content")))
    if role == "assistant":
        return _assistant(message, path, parts, plain=plain)
    if role == "tool":
        fields = Fields(message, path, _TOOL_MESSAGE)
        call_id = fields.get("tool_call_id", str) or ""
        return Message("tool", (ToolResult(call_id, parts, plain=plain, extras=fields.rest()),))
    if role == "system":
        return Message("system", parts, plain=plain, extras=fields.rest())
    if role == "user":
        return Message("user", parts, plain=plain, extras=fields.rest())
    at = fields.at("role")
    raise InvalidRequest(
        f"the field {at!r} is {role!r}; send one of {', '.join(_ROLES)}",
        code="invalid_value",
        param=at,
    )


def _assistant(message: Any, path: str, content: tuple[Part, ...], *, plain: bool) -> Message:
    fields = Fields(message, path, _ASSISTANT)
    parts: list[Part] = []
    if plan := fields.get("tool_plan", str):
        parts.append(Reasoning(plan, origin=CHAT, extras=PLAN))
    parts += content
    for number, call in enumerate(fields.get("tool_calls", list) or ()):
        parts.append(_tool_call(call, f"{path}.tool_calls[{number}]"))
    return Message("assistant", tuple(parts), plain=plain, extras=fields.rest())


def _tool_call(call: Any, path: str) -> ToolCall:
    fields = Fields(call, path, _CALL)
    inner = Fields(fields.need("function", dict), fields.at("function"), _FUNCTION_CALL)
    extras = fields.rest()
    if nested := inner.rest():
        extras["function"] = nested
    return ToolCall(
        fields.get("id", str) or "",
        inner.need("name", str),
        inner.get("arguments", str) or "",
        extras=extras,
    )


def _content(content: Any, path: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield _part(part, f"{path}[{number}]")
    elif content is not None:
        raise wrong(path, content, "text or an array of content parts")


def _part(part: Any, path: str) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    fields = Fields(part, path, frozenset({"type", str(kind)}))
    match part:
        case {"type": "text", "text": str() as text}:
            return Text(text, extras=fields.rest())
        case {"type": "thinking", "thinking": str() as text}:
            return Reasoning(text, origin=CHAT, extras=fields.rest())
        case {"type": "image_url", "image_url": {"url": str() as url} as image}:
            extras = fields.rest()
            if nested := {key: each for key, each in image.items() if key not in _IMAGE_URL}:
                extras["image_url"] = nested
            detail = image.get("detail")
            if split := split_data_url(url):
                media_type, data = split
                return Image(data=data, media_type=media_type, detail=detail, extras=extras)
            return Image(url=url, detail=detail, extras=extras)
        case _:  # a document, or what nobody models
            return Opaque(CHAT, part)


def _tool(tool: Any, path: str) -> Tool | OpaqueTool:
    fields = Fields(tool, path, _TOOL)
    if not isinstance(fields.value.get("function"), dict):
        return OpaqueTool(CHAT, fields.value)
    inner = Fields(fields.value["function"], fields.at("function"), _FUNCTION)
    extras = fields.rest()
    if nested := inner.rest():
        extras["function"] = nested
    return Tool(
        inner.need("name", str),
        inner.get("description", str),
        inner.get("parameters", dict),
        extras=extras,
    )


def _tool_choice(fields: Fields) -> ToolChoice | None:
    word = fields.get("tool_choice", str)
    if word is None:
        return None
    if word not in _MODES:
        raise wrong("tool_choice", word, " or ".join(_MODES))
    return ToolChoice(_MODES[word])


def _response_format(fields: Fields, extras: dict[str, Any]) -> ResponseFormat | None:
    found = fields.get("response_format", dict)
    if found is None:
        return None
    rest = {key: value for key, value in found.items() if key not in _FORMAT}
    match found:
        case {"type": "json_object", "json_schema": dict() as schema}:
            return ResponseFormat("json_schema", schema=schema, extras=rest)
        case {"type": "json_object" | "text" as kind}:
            return ResponseFormat("text" if kind == "text" else "json_object", extras=rest)
        case _:
            extras["response_format"] = found
            return None


def _sampling(fields: Fields) -> Sampling:
    stop = fields.get("stop_sequences", list) or []
    for number, each in enumerate(stop):
        if not isinstance(each, str):
            raise wrong(f"stop_sequences[{number}]", each, "text")
    return Sampling(
        max_output_tokens=fields.get("max_tokens", int),
        temperature=fields.get("temperature", float),
        top_p=fields.get("p", float),
        top_k=fields.get("k", int),
        stop=tuple(stop),
        seed=fields.get("seed", int),
        presence_penalty=fields.get("presence_penalty", float),
        frequency_penalty=fields.get("frequency_penalty", float),
        logprobs=fields.get("logprobs", bool),
    )


def _thinking(fields: Fields) -> ReasoningOptions | None:
    found = fields.get("thinking", dict)
    if found is None:
        return None
    inner = Fields(found, "thinking", _THINKING)
    off = inner.need("type", str) == "disabled"
    return ReasoningOptions(
        "off" if off else "enabled",
        budget_tokens=inner.get("token_budget", int),
        extras=inner.rest(),
    )
