"""Read a Responses request into the canonical form.

Normal form, where two spellings mean the same and only one is written again: a bare text as
`input` is one user message; every message says its `type`; null fields are left out.
Imports: canonical, errors.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import Message, Request, Text
from flo2.dialects.openai_chat.fields import Fields
from flo2.dialects.openai_chat.peek import read_json
from flo2.dialects.openai_responses.items_in import read_items
from flo2.dialects.openai_responses.namespaces import Names, read_tools
from flo2.dialects.openai_responses.options_in import (
    read_reasoning_options,
    read_sampling,
    read_text_options,
    read_tool_choice,
    take_include,
)
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON

__all__ = ["parse"]

_TOP: Final = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "stream",
        "service_tier",
        "user",
        "metadata",
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_logprobs",
    }
)
_ESSENTIAL: Final = frozenset({"background", "conversation", "previous_response_id", "prompt"})
"""What the provider keeps for the client, or does after the call."""


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    fields = Fields(read_json(body), "", _TOP)
    extras = {key: value for key, value in fields.rest().items() if value is not None}
    logprobs = take_include(extras)
    tools, names = read_tools(fields.get("tools", list) or [], fields.value.get("input"))
    return Request(
        model=fields.need("model", str),
        messages=tuple(_messages(fields, names)),
        tools=tools,
        tool_choice=read_tool_choice(fields.value.get("tool_choice")),
        parallel_tool_calls=fields.get("parallel_tool_calls", bool),
        response_format=read_text_options(fields, extras),
        sampling=read_sampling(fields, logprobs=logprobs),
        reasoning=read_reasoning_options(fields),
        stream=fields.get("stream", bool),
        service_tier=fields.get("service_tier", str),
        end_user=_end_user(fields, extras),
        metadata=fields.get("metadata", dict),
        extras=extras,
        essential=frozenset(name for name in _ESSENTIAL if extras.get(name)),
        origin=DIALECT,
    )


def _messages(fields: Fields, names: Names) -> list[Message]:
    messages = read_items(fields.value.get("input"), names)
    instructions = fields.get("instructions", str)
    if instructions is None:
        return messages
    if messages and "instructions" in (first := messages[0]).extras:
        rest = {key: each for key, each in first.extras.items() if key != "instructions"}
        messages[0] = Message(first.role, first.content, first.name, first.plain, rest)
    return [Message("system", (Text(instructions),), plain=True), *messages]


def _end_user(fields: Fields, extras: JSON) -> str | None:
    """Read who is at the client's end, under either name; None marks which one it was."""
    user = fields.get("user", str)
    named: Any = extras.get("safety_identifier")
    if user is None and isinstance(named, str):
        extras["safety_identifier"] = None
        return named
    return user
