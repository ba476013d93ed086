"""Parse the body of `POST /v1/messages` into a canonical request.

Normal form, where two spellings mean the same and only one is written again: consecutive user
messages are one turn once tool results stand in them; `output_format` is `output_config.format`;
an empty `stop_sequences`, a tool result's empty content list and a null field are left out.
Pure. Imports: canonical, errors.

Source: https://platform.claude.com/docs/en/api/messages, read 2026-11-25.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from flo2.canonical import (
    Message,
    Opaque,
    OpaqueTool,
    Part,
    Request,
    Sampling,
    Text,
    Tool,
    ToolResult,
)
from flo2.dialects.anthropic_messages.block_parse import (
    expect,
    parse_cache,
    parse_content,
    rest_of,
)
from flo2.dialects.anthropic_messages.options_parse import take_output, take_tool_choice
from flo2.dialects.anthropic_messages.vocabulary import BILLING_HEADER, NAME
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest

__all__ = ["load_object", "parse_request"]

Fields = dict[str, Any]

_ESSENTIAL: Final = frozenset({"container", "thread"})
"""What the provider keeps for the client: without it the request means something else."""

_MODELLED: Final = frozenset(
    {
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)


def load_object(body: bytes) -> Fields:
    """Parse a body that must be a JSON object.

    Raises:
        InvalidRequest: it is not.
    """
    try:
        value = loads(body)
    except ValueError as exc:
        reason = str(exc) if body.strip() else "it is empty; send one JSON object"
        raise InvalidRequest(f"the request body is not valid JSON: {reason}") from exc
    if not isinstance(value, dict):
        raise InvalidRequest(f"the request body must be an object, not {type(value).__name__}")
    return value


def parse_request(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    # A null field says no more than an absent one; what is not modelled stays as it is.
    left = {
        key: value
        for key, value in load_object(body).items()
        if value is not None or key not in _MODELLED
    }
    take = left.pop

    def scalar(key: str, kind: type[Any]) -> Any:
        return expect(take(key), kind, key) if key in left else None

    model = expect(take("model", None), str, "model")
    messages = [*_system(take("system", None)), *_messages(take("messages", None))]
    end_user, metadata = _metadata(scalar("metadata", dict))
    tool_choice, parallel = take_tool_choice(left)
    reasoning, response_format = take_output(left)
    cache = parse_cache(left, left)
    if cache is not None:
        del left["cache_control"]
    stop = expect(take("stop_sequences", []), list, "stop_sequences")
    sampling = Sampling(
        max_output_tokens=scalar("max_tokens", int),
        temperature=_number(take("temperature", None), "temperature"),
        top_p=_number(take("top_p", None), "top_p"),
        top_k=scalar("top_k", int),
        stop=tuple(expect(word, str, f"stop_sequences[{i}]") for i, word in enumerate(stop)),
    )
    return Request(
        model=model,
        messages=tuple(messages),
        tools=_tools(expect(take("tools", []), list, "tools")),
        tool_choice=tool_choice,
        parallel_tool_calls=parallel,
        response_format=response_format,
        sampling=sampling,
        reasoning=reasoning,
        stream=scalar("stream", bool),
        service_tier=scalar("service_tier", str),
        end_user=end_user,
        metadata=metadata,
        cache=cache,
        extras=left,
        essential=_ESSENTIAL & left.keys(),
        origin=NAME,
    )


def _number(value: Any, path: str) -> float | None:
    if value is None:
        return None
    return value if isinstance(value, float) else expect(value, int, path)


def _system(value: Any) -> tuple[Message, ...]:
    if value is None:
        return ()
    content, plain = parse_content(value, "system")
    blocks = value if isinstance(value, list) else [{"type": "text", "text": value}]
    hidden = tuple(
        Opaque(NAME, block, aside=True)
        if isinstance(part, Text) and part.text.startswith(BILLING_HEADER)
        else part
        for part, block in zip(content, blocks, strict=True)
    )
    return (Message("system", hidden, plain=plain and hidden == content),)


_MESSAGE: Final = frozenset({"role", "content"})


def _messages(value: Any) -> list[Message]:
    messages: list[Message] = []
    for i, item in enumerate(expect(value, list, "messages")):
        path = f"messages[{i}]"
        message = expect(item, dict, path)
        role = message.get("role")
        if role not in ("user", "assistant", "system"):  # a tuple: it may be of any type
            raise InvalidRequest(
                f"{path}.role: expected 'user', 'assistant' or 'system', got {role!r}",
                param=f"{path}.role",
            )
        content, plain = parse_content(message.get("content"), f"{path}.content")
        extras = rest_of(message, _MESSAGE)
        if role == "system" and all(earlier.role == "system" for earlier in messages):
            # It stands in `messages` although nothing precedes it: `role` marks that, for the
            # renderer would take a leading system message for the `system` field.
            extras["role"] = role
        if role == "user" and any(isinstance(part, ToolResult) for part in content):
            messages += _split(content, extras)
        else:
            messages.append(Message(role, content, plain=plain, extras=extras))
    return messages


def _split(content: tuple[Part, ...], extras: Fields) -> list[Message]:
    """Part a user turn into `tool` messages (its results) and `user` messages (the rest)."""
    runs = groupby(content, lambda part: isinstance(part, ToolResult))
    turns = [Message("tool" if results else "user", tuple(run)) for results, run in runs]
    turns[0] = Message(turns[0].role, turns[0].content, extras=extras)
    return turns


def _metadata(value: Fields | None) -> tuple[str | None, Fields | None]:
    if value is None:
        return None, None
    user = value.get("user_id")
    if not isinstance(user, str):
        return None, value
    return user, rest_of(value, frozenset({"user_id"})) or None


_TOOL: Final = frozenset({"name", "description", "input_schema", "strict", "cache_control"})


def _tools(values: list[Any]) -> tuple[Tool | OpaqueTool, ...]:
    tools: list[Tool | OpaqueTool] = []
    for i, value in enumerate(values):
        path = f"tools[{i}]"
        tool = expect(value, dict, path)
        if tool.get("type", "custom") not in ("custom", None):
            tools.append(OpaqueTool(NAME, tool))
            continue
        rest = rest_of(tool, _TOOL)
        schema, strict, text = tool.get("input_schema"), tool.get("strict"), tool.get("description")
        tools.append(
            Tool(
                name=expect(tool.get("name"), str, f"{path}.name"),
                description=None if text is None else expect(text, str, f"{path}.description"),
                # `true` is a JSON Schema too; the API refuses it in its own words.
                parameters=schema if isinstance(schema, dict) else None,
                strict=None if strict is None else expect(strict, bool, f"{path}.strict"),
                cache=parse_cache(tool, rest),
                extras=rest
                if isinstance(schema, dict) or schema is None
                else {**rest, "input_schema": schema},
            )
        )
    return tuple(tools)
