"""Read the options of a request: tools, the shape of the answer, how much to think, sampling.

Imports: canonical, errors.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import (
    OpaqueTool,
    ReasoningOptions,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_responses.vocabulary import DIALECT, ENCRYPTED, JSON

__all__ = [
    "read_reasoning_options",
    "read_sampling",
    "read_text_options",
    "read_tool",
    "read_tool_choice",
    "take_include",
]

_FUNCTION: Final = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM: Final = frozenset({"type", "name", "description"})
_SCHEMA: Final = frozenset({"type", "name", "schema", "strict", "description"})


def read_tool(tool: Any, path: str) -> Tool | OpaqueTool:
    """Read one entry of `tools`; a kind that is not the client's own function stays opaque."""
    fields = Fields(tool, path, _FUNCTION)
    kind = fields.value.get("type")
    if kind == "custom":
        fields = Fields(tool, path, _CUSTOM)
        return Tool(
            fields.need("name", str),
            fields.get("description", str),
            kind="custom",
            extras=fields.rest(),
        )
    if kind != "function" or not isinstance(fields.value.get("name"), str):
        return OpaqueTool(DIALECT, fields.value)
    return Tool(
        fields.need("name", str),
        fields.get("description", str),
        fields.get("parameters", dict),
        fields.get("strict", bool),
        extras=fields.rest(),
    )


def read_tool_choice(choice: Any) -> ToolChoice | None:
    """Read `tool_choice`; a form without a canonical twin is kept whole in `extras`."""
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if not isinstance(choice, dict):
        raise wrong("tool_choice", choice, "'auto', 'none', 'required' or an object")
    kind, name = choice.get("type"), choice.get("name")
    if kind in ("function", "custom") and isinstance(name, str):
        plain = choice == {"type": "function", "name": name}
        return ToolChoice("tool", name, {} if plain else {"tool_choice": choice})
    mode = choice.get("mode")
    return ToolChoice("required" if mode == "required" else "auto", extras={"tool_choice": choice})


def read_text_options(fields: Fields, extras: JSON) -> ResponseFormat | None:
    """Read `text`: the shape of the answer; verbosity and the like go to `extras`."""
    text = fields.get("text", dict)
    if text is None:
        return None
    rest = {key: value for key, value in text.items() if key != "format" and value is not None}
    found = text.get("format")
    form: ResponseFormat | None = None
    if isinstance(found, dict):
        kind = found.get("type")
        if kind in ("text", "json_object"):
            form = ResponseFormat(kind, extras={k: v for k, v in found.items() if k != "type"})
        elif kind == "json_schema":
            inner = Fields(found, "text.format", _SCHEMA)
            form = ResponseFormat(
                "json_schema",
                inner.get("name", str),
                inner.get("schema", dict),
                inner.get("strict", bool),
                inner.get("description", str),
                inner.rest(),
            )
        else:
            rest["format"] = found  # a grammar or another kind of one host
    if rest:
        extras["text"] = rest
    return form


def read_reasoning_options(fields: Fields) -> ReasoningOptions | None:
    """Read `reasoning`.

    A summary that is wanted is what other dialects call summarized thinking; `auto` is the plain
    form of it, another word is kept beside.
    """
    found = fields.get("reasoning", dict)
    if found is None:
        return None
    inner = Fields(found, "reasoning", frozenset({"effort", "summary"}))
    effort, summary = inner.get("effort", str), inner.get("summary", str)
    extras = {key: value for key, value in inner.rest().items() if value is not None}
    if summary is not None and summary != "auto":
        extras["summary"] = summary
    if effort is None and summary is None and not extras:
        return None
    return ReasoningOptions(
        "off" if effort == "none" else None,
        effort,
        display="summarized" if summary is not None else None,
        extras=extras,
    )


def take_include(extras: JSON) -> bool:
    """Look at `include`; say whether it asks for the tokens' log probabilities.

    Encrypted reasoning alone becomes None: other dialects give it unasked, and lose nothing.
    """
    include = extras.get("include")
    if include is None:
        extras.pop("include", None)
        return False
    if include == [ENCRYPTED]:
        extras["include"] = None
        return False
    return isinstance(include, list) and "message.output_text.logprobs" in include


def read_sampling(fields: Fields, *, logprobs: bool) -> Sampling:
    """Read how to draw the answer."""
    return Sampling(
        max_output_tokens=fields.get("max_output_tokens", int),
        temperature=fields.get("temperature", float),
        top_p=fields.get("top_p", float),
        logprobs=True if logprobs else None,
        top_logprobs=fields.get("top_logprobs", int),
    )
