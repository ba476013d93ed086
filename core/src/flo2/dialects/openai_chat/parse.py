"""Read a Chat Completions request into the canonical form.

Imports: canonical, errors.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import (
    Audio,
    Message,
    Opaque,
    OpaqueTool,
    Part,
    ReasoningOptions,
    Refusal,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Tool,
    ToolChoice,
    ToolResult,
)
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.parts_in import (
    REASONING_FIELDS,
    read_content,
    read_reasoning,
    read_tool_call,
)
from flo2.dialects.openai_chat.peek import read_json
from flo2.dialects.openai_chat.usage import DIALECT
from flo2.errors import InvalidRequest

__all__ = ["parse"]

_TOP: Final = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "stream",
        "stream_options",
        "service_tier",
        "user",
        "metadata",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "seed",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
    }
)
_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_MESSAGE: Final = frozenset({"role", "content", "name"})
_ASSISTANT: Final = _MESSAGE | REASONING_FIELDS | {"tool_calls", "refusal", "audio"}
_TOOL_MESSAGE: Final = _MESSAGE | {"tool_call_id"}
_TOOL: Final = frozenset({"type", "function"})
_FUNCTION: Final = frozenset({"name", "description", "parameters", "strict"})
_CUSTOM_TOOL: Final = frozenset({"type", "custom"})
_CUSTOM: Final = frozenset({"name", "description"})
_FORMAT: Final = frozenset({"type", "json_schema"})
_SCHEMA: Final = frozenset({"name", "schema", "strict", "description"})


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    fields = Fields(read_json(body), "", _TOP)
    extras = fields.rest()
    stream = fields.get("stream", bool)
    options = fields.get("stream_options", dict) or {}
    if others := {key: value for key, value in options.items() if key != "include_usage"}:
        extras["stream_options"] = others
    effort = fields.get("reasoning_effort", str)
    messages = fields.need("messages", list)
    if not messages:
        raise InvalidRequest(
            "the field 'messages' is empty; send at least one message",
            code="empty_messages",
            param="messages",
        )
    return Request(
        model=fields.need("model", str),
        messages=tuple(_message(each, f"messages[{n}]") for n, each in enumerate(messages)),
        tools=tuple(
            _tool(each, f"tools[{n}]") for n, each in enumerate(fields.get("tools", list) or ())
        ),
        tool_choice=_tool_choice(fields.value.get("tool_choice")),
        parallel_tool_calls=fields.get("parallel_tool_calls", bool),
        response_format=_response_format(fields, extras),
        sampling=_sampling(fields, extras),
        reasoning=ReasoningOptions("off" if effort == "none" else None, effort) if effort else None,
        stream=stream,
        include_usage=options.get("include_usage") is True if stream else None,
        service_tier=fields.get("service_tier", str),
        end_user=fields.get("user", str),
        metadata=fields.get("metadata", dict),
        extras=extras,
        origin=DIALECT,
    )


def _message(message: Any, path: str) -> Message:
    fields = Fields(message, path, _MESSAGE)
    word = fields.need("role", str)
    role = _ROLES.get(word)
    if word == "function":
        # The legacy answer to `function_call`: no id to answer to, so only its own dialect has it.
        return Message("tool", (Opaque(DIALECT, fields.value),))
    if role is None:
        raise InvalidRequest(
            f"the field {fields.at('role')!r} is {word!r}; send one of {', '.join(_ROLES)}",
            code="invalid_value",
            param=fields.at("role"),
        )
    name = fields.get("name", str)
    plain = isinstance(fields.value.get("content"), str)
    content = tuple(read_content(fields.value.get("content"), fields.at("content")))
    if role == "assistant":
        return _assistant(message, path, content, plain=plain)
    if role == "tool":
        fields = Fields(message, path, _TOOL_MESSAGE)
        call_id = fields.get("tool_call_id", str) or ""
        result = ToolResult(call_id, content, name=name, plain=plain, extras=fields.rest())
        return Message(role, (result,))
    return Message(role, content, name, plain, fields.rest())


def _assistant(message: Any, path: str, content: tuple[Part, ...], *, plain: bool) -> Message:
    fields = Fields(message, path, _ASSISTANT)
    parts: list[Part] = []
    if reasoning := read_reasoning(message):
        parts.append(reasoning)
    parts += content
    if (refusal := fields.get("refusal", str)) is not None:
        parts.append(Refusal(refusal))
    if audio := fields.get("audio", dict):
        rest = {key: value for key, value in audio.items() if key != "id"}
        parts.append(Audio(audio_id=audio.get("id"), extras=rest))
    for number, call in enumerate(fields.get("tool_calls", list) or ()):
        parts.append(read_tool_call(call, f"{path}.tool_calls[{number}]"))
    return Message("assistant", tuple(parts), fields.get("name", str), plain, fields.rest())


def _tool(tool: Any, path: str) -> Tool | OpaqueTool:
    fields = Fields(tool, path, _TOOL)
    if isinstance(fields.value.get("custom"), dict):
        fields = Fields(tool, path, _CUSTOM_TOOL)
        inner = Fields(fields.value["custom"], fields.at("custom"), _CUSTOM)
        extras = fields.rest()
        if nested := inner.rest():
            extras["custom"] = nested
        return Tool(
            inner.need("name", str),
            inner.get("description", str),
            kind="custom",
            extras=extras,
        )
    if not isinstance(fields.value.get("function"), dict):
        return OpaqueTool(DIALECT, fields.value)
    inner = Fields(fields.value["function"], fields.at("function"), _FUNCTION)
    extras = fields.rest()
    if nested := inner.rest():
        extras["function"] = nested
    return Tool(
        inner.need("name", str),
        inner.get("description", str),
        inner.get("parameters", dict),
        inner.get("strict", bool),
        extras=extras,
    )


def _tool_choice(choice: Any) -> ToolChoice | None:
    """Read `tool_choice`; a form without a canonical twin is kept whole in `extras`."""
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if choice == "any":  # Mistral's word
        return ToolChoice("required", extras={"tool_choice": choice})
    if not isinstance(choice, dict):
        raise wrong("tool_choice", choice, "'auto', 'none', 'required' or an object")
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if isinstance(inner, dict) and isinstance(name := inner.get("name"), str):
        plain = {"type": "function", "function": {"name": name}}
        return ToolChoice("tool", name, {} if choice == plain else {"tool_choice": choice})
    mode = inner.get("mode") if isinstance(inner, dict) else None
    return ToolChoice("required" if mode == "required" else "auto", extras={"tool_choice": choice})


def _response_format(fields: Fields, extras: dict[str, Any]) -> ResponseFormat | None:
    found = fields.get("response_format", dict)
    if found is None:
        return None
    kind = found.get("type")
    rest = {key: value for key, value in found.items() if key not in _FORMAT}
    if kind in ("text", "json_object"):
        return ResponseFormat(kind, extras=rest)
    if kind == "json_schema" and isinstance(found.get("json_schema"), dict):
        inner = Fields(found["json_schema"], "response_format.json_schema", _SCHEMA)
        if nested := inner.rest():
            rest["json_schema"] = nested
        return ResponseFormat(
            "json_schema",
            inner.get("name", str),
            inner.get("schema", dict),
            inner.get("strict", bool),
            inner.get("description", str),
            rest,
        )
    extras["response_format"] = found  # a grammar or another kind of one host
    return None


def _sampling(fields: Fields, extras: dict[str, Any]) -> Sampling:
    bound, bound_field = fields.get("max_completion_tokens", int), "max_completion_tokens"
    older = fields.get("max_tokens", int)
    if bound is None:
        bound, bound_field = older, "max_tokens"
    elif older is not None:
        extras["max_tokens"] = older
    stop = fields.value.get("stop")
    if isinstance(stop, list):
        for number, each in enumerate(stop):
            if not isinstance(each, str):
                raise wrong(f"stop[{number}]", each, "text")
    elif stop is not None and not isinstance(stop, str):
        raise wrong("stop", stop, "text or an array of texts")
    return Sampling(
        max_output_tokens=bound,
        max_output_field=bound_field if bound is not None else None,
        temperature=fields.get("temperature", float),
        top_p=fields.get("top_p", float),
        top_k=fields.get("top_k", int),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        stop_as_text=isinstance(stop, str),
        seed=fields.get("seed", int),
        n=fields.get("n", int),
        presence_penalty=fields.get("presence_penalty", float),
        frequency_penalty=fields.get("frequency_penalty", float),
        logit_bias=fields.get("logit_bias", dict),
        logprobs=fields.get("logprobs", bool),
        top_logprobs=fields.get("top_logprobs", int),
    )
