"""Parse the body of a Converse request into a canonical one.

Model and stream stand in the URL. Normal form: consecutive user messages are one turn once tool
results stand in them; an empty `system`, `inferenceConfig` or list of stop sequences and a null
field are left out. Pure. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, read
2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from attrs import evolve

from flo2 import (
    Message,
    OpaqueTool,
    Part,
    ReasoningOptions,
    Request,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
    ToolResult,
)
from flo2.dialects.anthropic_messages.block_parse import expect
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest
from flo2_provider_bedrock.converse.block_parse import parse_blocks, parse_cache_point
from flo2_provider_bedrock.converse.vocabulary import NAME

__all__ = ["check_messages", "parse_request"]

Fields = dict[str, Any]

_ROLES: Final = frozenset({"user", "assistant", "system"})
_ESSENTIAL: Final = frozenset({"guardrailConfig", "promptVariables"})
"""What is kept at Bedrock: without it the request means something else."""


def parse_request(body: bytes) -> Request:
    """Parse a whole request; its model is "", as it stands in the URL.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    left = {key: value for key, value in load_object(body).items() if value is not None}
    take = left.pop
    system = expect(take("system", []), list, "system")
    messages = [Message("system", parse_blocks(system, "system"))] if system else []
    messages += _messages(check_messages(take("messages", None)))
    sampling = _sampling(left)
    tools, tool_choice = _tools(left)
    response_format, reasoning = _output(left)
    tier, metadata = _tier(left), left.get("requestMetadata")
    if isinstance(metadata, dict):
        del left["requestMetadata"]
    return Request(
        model="",
        messages=tuple(messages),
        tools=tools,
        tool_choice=tool_choice,
        response_format=response_format,
        sampling=sampling,
        reasoning=reasoning,
        service_tier=tier,
        metadata=metadata if isinstance(metadata, dict) else None,
        extras=left,
        essential=_ESSENTIAL & left.keys(),
        origin=NAME,
    )


def check_messages(value: Any) -> list[Any]:
    """Check that there are messages.

    Raises:
        InvalidRequest: there are none. A prompt kept at Bedrock, which may stand for them, is
            nothing that flo2 could route or bound.
    """
    messages = expect(value, list, "messages") if value is not None else []
    if not messages:
        raise InvalidRequest("messages: at least one message is required", param="messages")
    return messages


def _messages(values: list[Any]) -> list[Message]:
    messages: list[Message] = []
    for i, item in enumerate(values):
        path = f"messages[{i}]"
        message = expect(item, dict, path)
        role = message.get("role")
        if role not in _ROLES:
            raise InvalidRequest(
                f"{path}.role: expected 'user', 'assistant' or 'system', got {role!r}",
                param=f"{path}.role",
            )
        content = parse_blocks(message.get("content"), f"{path}.content")
        extras = {key: value for key, value in message.items() if key not in {"role", "content"}}
        if role == "system" and all(earlier.role == "system" for earlier in messages):
            extras["role"] = role  # it stands in `messages`, not in the `system` field
        if role == "user" and any(isinstance(part, ToolResult) for part in content):
            messages += _split(content, extras)
        else:
            messages.append(Message(role, content, extras=extras))
    return messages


def _split(content: tuple[Part, ...], extras: Fields) -> list[Message]:
    """Part a user turn into `tool` messages (its results) and `user` messages (the rest)."""
    runs = groupby(content, lambda part: isinstance(part, ToolResult))
    turns = [Message("tool" if results else "user", tuple(run)) for results, run in runs]
    turns[0] = evolve(turns[0], extras=extras)
    return turns


def _sampling(left: Fields) -> Sampling:
    config = expect(left.pop("inferenceConfig", {}), dict, "inferenceConfig")

    def number(key: str) -> float | None:
        value = config.pop(key, None)
        if value is None or isinstance(value, float):
            return value
        return expect(value, int, f"inferenceConfig.{key}")

    config = dict(config)
    bound = config.pop("maxTokens", None)
    stop = expect(config.pop("stopSequences", []), list, "inferenceConfig.stopSequences")
    sampling = Sampling(
        max_output_tokens=None
        if bound is None
        else expect(bound, int, "inferenceConfig.maxTokens"),
        temperature=number("temperature"),
        top_p=number("topP"),
        stop=tuple(
            expect(word, str, f"inferenceConfig.stopSequences[{i}]") for i, word in enumerate(stop)
        ),
    )
    if config:
        left["inferenceConfig"] = config
    return sampling


def _tools(left: Fields) -> tuple[tuple[Tool | OpaqueTool, ...], ToolChoice | None]:
    config = dict(expect(left.pop("toolConfig", {}), dict, "toolConfig"))
    tools: list[Tool | OpaqueTool] = []
    for i, item in enumerate(expect(config.pop("tools", []), list, "toolConfig.tools")):
        entry = expect(item, dict, f"toolConfig.tools[{i}]")
        hint, last = parse_cache_point(entry), tools[-1] if tools else None
        if hint is not None and isinstance(last, Tool) and last.cache is None:
            tools[-1] = evolve(last, cache=hint)
        else:
            tools.append(_tool(entry))
    choice = _tool_choice(config.get("toolChoice"))
    if choice is not None:
        del config["toolChoice"]
    if config:
        left["toolConfig"] = config
    return tuple(tools), choice


def _tool(entry: Fields) -> Tool | OpaqueTool:
    match entry:
        case {
            "toolSpec": {"name": str() as name, "inputSchema": {"json": dict() as schema}} as spec
        }:
            rest = {k: v for k, v in spec.items() if k not in {"name", "inputSchema"}}
            text, strict = rest.pop("description", None), rest.pop("strict", None)
            simple = len(entry) == len(spec["inputSchema"]) == 1
            if simple and isinstance(text, str | None) and isinstance(strict, bool | None):
                return Tool(name, text, schema, strict, extras=rest)
        case _:
            pass
    return OpaqueTool(NAME, entry)


def _tool_choice(value: Any) -> ToolChoice | None:
    match value:
        case {"auto": {**extra}, **rest} if not extra and not rest:
            return ToolChoice("auto")
        case {"any": {**extra}, **rest} if not extra and not rest:
            return ToolChoice("required")
        case {"tool": {"name": str() as name, **extra}, **rest} if not extra and not rest:
            return ToolChoice("tool", name)
        case _:
            return None


def _output(left: Fields) -> tuple[ResponseFormat | None, ReasoningOptions | None]:
    config = dict(expect(left.pop("outputConfig", {}), dict, "outputConfig"))
    form = _format(config.get("textFormat"))
    if form is not None:
        del config["textFormat"]
    effort = config.get("effort")
    reasoning = ReasoningOptions(effort=config.pop("effort")) if isinstance(effort, str) else None
    if config:
        left["outputConfig"] = config
    return form, reasoning


def _format(value: Any) -> ResponseFormat | None:
    match value:
        case {
            "type": "json_schema",
            "structure": {"jsonSchema": {"schema": str() as text, **named}},
        }:
            try:
                schema = loads(text)
            except ValueError:
                return None
            name, said = named.pop("name", None), named.pop("description", None)
            if isinstance(schema, Mapping) and not named:
                return ResponseFormat("json_schema", _text(name), schema, description=_text(said))
        case _:
            pass
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _tier(left: Fields) -> str | None:
    match left.get("serviceTier"):
        case {"type": str() as tier, **rest} if not rest:
            del left["serviceTier"]
            return tier
        case _:
            return None
