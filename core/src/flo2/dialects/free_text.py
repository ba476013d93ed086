"""Tools of free text in dialects that know none: the text travels as the `input` of an object.

Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Request, Tool
from flo2.dialects.jsonio import dumps, loads

__all__ = ["FREE_TEXT", "free_text_input", "free_text_of", "free_text_tools"]

FREE_TEXT: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "description": "The tool's whole input, as free text."}
    },
    "required": ["input"],
}
"""What such a tool takes there. A grammar for the text cannot be enforced, and is lost by name."""


def free_text_input(text: str) -> str:
    """Write a call's text as the JSON text of such an object."""
    return dumps({"input": text}).decode()


def free_text_tools(asked: Request | None) -> frozenset[str]:
    """Name the tools that a client offered as tools of free text."""
    tools = asked.tools if asked is not None else ()
    return frozenset(
        tool.name for tool in tools if isinstance(tool, Tool) and tool.kind == "custom"
    )


def free_text_of(arguments: str) -> str:
    """Take the text out of the object that it travelled in."""
    try:
        value = loads(arguments)
    except ValueError:
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments
