"""Parse the body of `generateContent` into a canonical request.

Normal form, where two spellings mean the same and only one is written again: camel case, no nulls,
no `thought: false`; base64 in the standard alphabet, `audio/mp3` and `audio/wav`; the role of
`systemInstruction` says nothing; the role `function` is `user`; a content that mixes function
results with other parts becomes contents of one kind each; function declarations in a row are one
tool; asking for text alone (`responseModalities`) says nothing; a `model` in the body is the URL's.
Pure. Imports: canonical, errors.

Source: https://ai.google.dev/api/generate-content, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from flo2.canonical import (
    Message,
    OpaqueTool,
    Part,
    Request,
    Role,
    Text,
    Tool,
    ToolResult,
)
from flo2.dialects.anthropic_messages.block_parse import expect, rest_of
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.gemini.call_ids import Calls
from flo2.dialects.gemini.options_parse import take_generation, take_tool_config
from flo2.dialects.gemini.part_parse import parse_parts
from flo2.dialects.gemini.schemas import spelled
from flo2.dialects.gemini.spelling import items, message
from flo2.dialects.gemini.vocabulary import NAME
from flo2.errors import InvalidRequest

__all__ = ["parse_request", "read_request"]

Fields = dict[str, Any]

_ESSENTIAL: Final = frozenset(
    {
        "cachedContent",  # most of the prompt is kept by the provider
        "generationConfig.responseModalities",  # an image or speech is wanted
        "generationConfig.responseSchema",  # of a kind that is not modelled
    }
)
_ROLES: Final[Mapping[Any, Role]] = {
    None: "user",
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
}


def parse_request(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    return read_request(load_object(body))


def read_request(fields: Fields) -> Request:
    """Read a request out of parsed JSON.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    left = dict(message(fields, "body"))
    take = left.pop
    take("model", None)
    messages = (*_system(take("systemInstruction", None)), *_contents(take("contents", None)))
    sampling, response_format, reasoning = take_generation(left)
    labels, tier = take("labels", None), take("serviceTier", None)
    return Request(
        model="",
        messages=messages,
        tools=_tools(take("tools", None)),
        tool_choice=take_tool_config(left),
        response_format=response_format,
        sampling=sampling,
        reasoning=reasoning,
        service_tier=None if tier is None else expect(tier, str, "serviceTier"),
        metadata=None if labels is None else expect(labels, dict, "labels"),
        extras=left,
        essential=_ESSENTIAL & left.keys(),
        origin=NAME,
    )


_CONTENT: Final = frozenset({"role", "parts"})


def _system(value: Any) -> tuple[Message, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (Message("system", (Text(value),)),)
    content = message(value, "systemInstruction")
    parts = parse_parts(content.get("parts"), "systemInstruction.parts", Calls())
    return (Message("system", parts, extras=rest_of(content, _CONTENT)),)


def _contents(value: Any) -> list[Message]:
    calls = Calls()
    messages: list[Message] = []
    for i, each in enumerate(items(value, "contents")):
        path = f"contents[{i}]"
        content = message(each, path)
        word = content.get("role")
        role = _ROLES.get(word) if word is None or isinstance(word, str) else None
        if role is None:
            raise InvalidRequest(
                f"{path}.role: expected 'user' or 'model', got {word!r}", param=f"{path}.role"
            )
        if role == "assistant" and messages and messages[-1].role != "assistant":
            calls.new_turn()
        parts = parse_parts(content.get("parts"), f"{path}.parts", calls)
        messages += _split(role, parts, rest_of(content, _CONTENT))
    return messages


def _split(role: Role, parts: tuple[Part, ...], extras: Fields) -> Iterable[Message]:
    """Part a user's content into results (a `tool` message) and the rest."""
    if role != "user" or not any(isinstance(part, ToolResult) for part in parts):
        return (Message(role, parts, extras=extras),)
    runs = groupby(parts, lambda part: isinstance(part, ToolResult))
    turns = [Message("tool" if results else "user", tuple(run)) for results, run in runs]
    turns[0] = Message(turns[0].role, turns[0].content, extras=extras)
    return turns


_DECLARATION: Final = frozenset({"name", "description", "parameters", "parametersJsonSchema"})


def _tools(value: Any) -> tuple[Tool | OpaqueTool, ...]:
    tools: list[Tool | OpaqueTool] = []
    for i, each in enumerate(items(value, "tools")):
        raw = expect(each, dict, f"tools[{i}]")
        for key, inner in raw.items():
            if key in {"functionDeclarations", "function_declarations"}:
                path = f"tools[{i}].functionDeclarations"
                declared = enumerate(items(inner, path))
                tools += [_tool(one, f"{path}[{k}]") for k, one in declared]
            elif inner is not None:
                tools.append(OpaqueTool(NAME, {key: inner}))
    return tuple(tools)


def _tool(value: Any, path: str) -> Tool:
    tool = message(value, path)
    rest = rest_of(tool, _DECLARATION)
    text = tool.get("description")
    parameters: Mapping[str, Any] | None = None
    if "parametersJsonSchema" in tool:
        schema = tool["parametersJsonSchema"]
        parameters = expect(schema, dict, f"{path}.parametersJsonSchema")
    elif "parameters" in tool:
        schema = expect(tool["parameters"], dict, f"{path}.parameters")
        parameters = spelled(schema, f"{path}.parameters")
    return Tool(
        name=expect(tool.get("name"), str, f"{path}.name"),
        description=None if text is None else expect(text, str, f"{path}.description"),
        parameters=parameters,
        extras=rest,
    )
