"""Parse the option objects of a request: tool choice, thinking, and the shape of the output.

What is not modelled stays in the mapping they are given, and so ends up in the request's `extras`.
Pure. Imports: canonical, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from flo2.canonical import ReasoningOptions, ResponseFormat, ToolChoice
from flo2.dialects.anthropic_messages.block_parse import expect, rest_of

__all__ = ["take_output", "take_tool_choice"]

Fields = dict[str, Any]

_MODES: Final[Mapping[Any, Literal["auto", "none", "required", "tool"]]] = {
    "auto": "auto",
    "any": "required",
    "tool": "tool",
    "none": "none",
}


def take_tool_choice(left: Fields) -> tuple[ToolChoice | None, bool | None]:
    """Take `tool_choice`: the choice, and whether tools may be called in parallel.

    Raises:
        InvalidRequest: a modelled field has the wrong type.
    """
    choice = left.get("tool_choice")
    if choice is None:
        return None, None
    kind = expect(choice, dict, "tool_choice").get("type")
    mode = _MODES.get(kind) if isinstance(kind, str) else None
    if mode is None:
        return None, None  # stays in `left`: a kind of choice that is not modelled
    del left["tool_choice"]
    known = {"type"}
    name = None
    if mode == "tool":
        known.add("name")
        name = expect(choice.get("name"), str, "tool_choice.name")
    disabled = choice.get("disable_parallel_tool_use")
    parallel = None
    if isinstance(disabled, bool) and mode != "none":
        known.add("disable_parallel_tool_use")
        parallel = not disabled
    return ToolChoice(mode, name, rest_of(choice, frozenset(known))), parallel


_THINKING_MODES: Final[Mapping[Any, Literal["off", "enabled", "adaptive"]]] = {
    "disabled": "off",
    "enabled": "enabled",
    "adaptive": "adaptive",
}


def take_output(left: Fields) -> tuple[ReasoningOptions | None, ResponseFormat | None]:
    """Take `thinking`, `output_config` and `output_format` apart.

    Raises:
        InvalidRequest: a modelled field has the wrong type.
    """
    mode = effort = budget = display = form = None
    extras: Fields = {}
    thinking = left.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if isinstance(thinking, dict) and isinstance(kind, str) and kind in _THINKING_MODES:
        mode = _THINKING_MODES[left.pop("thinking")["type"]]
        extras = rest_of(thinking, frozenset({"type", "budget_tokens", "display"}))
        if thinking.get("budget_tokens") is not None:
            budget = expect(thinking["budget_tokens"], int, "thinking.budget_tokens")
        if thinking.get("display") is not None:
            display = expect(thinking["display"], str, "thinking.display")
    config = left.get("output_config")
    if isinstance(config, dict):
        rest = dict(config)
        if isinstance(config.get("effort"), str):
            effort = rest.pop("effort")
        if form := _format(config.get("format")):
            del rest["format"]
        left["output_config"] = rest
        if not rest and (effort or form):
            del left["output_config"]
    if form is None and (form := _format(left.get("output_format"))):
        del left["output_format"]
    if (mode, effort) == (None, None):
        return None, form
    return ReasoningOptions(mode, effort, budget, display, extras), form


def _format(value: Any) -> ResponseFormat | None:
    if not isinstance(value, dict) or value.get("type") != "json_schema":
        return None
    schema = value.get("schema")
    if not isinstance(schema, dict):
        return None
    rest = rest_of(value, frozenset({"type", "schema"}))
    return ResponseFormat("json_schema", schema=schema, extras=rest)
