"""Read a Chat Completions request into the canonical form.

Imports: canonical, errors.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import (
    Audio,
    Message,
    Opaque,
    Part,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    Role,
    ToolResult,
)
from flo2.dialects.openai_chat.fields import Fields
from flo2.dialects.openai_chat.fit import is_thinking, thinking_text
from flo2.dialects.openai_chat.options_in import (
    read_response_format,
    read_sampling,
    read_tool,
    read_tool_choice,
)
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
        "random_seed",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
    }
)
_ESSENTIAL: Final = frozenset({"audio", "functions", "web_search_options"})
"""Asked for beside `tools`: without it the model cannot do, or does not say, what was asked."""
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
            read_tool(each, f"tools[{n}]") for n, each in enumerate(fields.get("tools", list) or ())
        ),
        tool_choice=read_tool_choice(fields.value.get("tool_choice")),
        parallel_tool_calls=fields.get("parallel_tool_calls", bool),
        response_format=read_response_format(fields, extras),
        sampling=read_sampling(fields, extras),
        reasoning=ReasoningOptions("off" if effort == "none" else None, effort) if effort else None,
        stream=stream,
        include_usage=options.get("include_usage") is True if stream else None,
        service_tier=fields.get("service_tier", str),
        end_user=fields.get("user", str),
        metadata=fields.get("metadata", dict),
        extras=extras,
        essential=frozenset(name for name in _ESSENTIAL if extras.get(name)),
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


def _thinking(part: Part) -> Part:
    """Read an earlier answer's thinking, where a host has it among the content (wire fact 33)."""
    if isinstance(part, Opaque) and is_thinking(part.data):
        return Reasoning(thinking_text(part.data), origin=DIALECT, extras={"part": part.data})
    return part


def _assistant(message: Any, path: str, content: tuple[Part, ...], *, plain: bool) -> Message:
    fields = Fields(message, path, _ASSISTANT)
    parts: list[Part] = []
    if reasoning := read_reasoning(message):
        parts.append(reasoning)
    parts += map(_thinking, content)
    if (refusal := fields.get("refusal", str)) is not None:
        parts.append(Refusal(refusal))
    if audio := fields.get("audio", dict):
        rest = {key: value for key, value in audio.items() if key != "id"}
        parts.append(Audio(audio_id=audio.get("id"), extras=rest))
    for number, call in enumerate(fields.get("tool_calls", list) or ()):
        parts.append(read_tool_call(call, f"{path}.tool_calls[{number}]"))
    return Message("assistant", tuple(parts), fields.get("name", str), plain, fields.rest())
