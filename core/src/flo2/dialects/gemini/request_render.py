"""Write a canonical request as the body of `generateContent`, and name what is lost.

The model and the wish for a stream stand in the URL, so neither is in the body.
Pure. Imports: canonical, errors, base.

Source: https://ai.google.dev/api/generate-content, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flo2.canonical import Loss, OpaqueTool, Request, Severity, Tool
from flo2.dialects.base import Profile
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.free_text import FREE_TEXT
from flo2.dialects.gemini.message_render import render_messages
from flo2.dialects.gemini.options_render import render_generation, render_tool_config
from flo2.dialects.gemini.part_render import PartWriter
from flo2.dialects.gemini.schemas import SpelledSchema
from flo2.dialects.gemini.vocabulary import (
    MEDIA_IN_RESULTS,
    NAME,
    PLACEHOLDER,
    THINKING_MINIMAL,
    THINKING_OFF,
)
from flo2.dialects.offered import offered

__all__ = ["WORDS", "render_request"]

Body = dict[str, Any]

WORDS: Final = frozenset({MEDIA_IN_RESULTS, PLACEHOLDER, THINKING_MINIMAL, THINKING_OFF})
"""Words of `Profile.drops` that change how a foreign request is written and drop no field."""

_INNER: Final = ("generationConfig.", "toolConfig.")

_TIERS: Final[Mapping[str, str]] = {
    "default": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
    "standard": "standard",
}


def render_request(request: Request, *, profile: Profile) -> tuple[Body, tuple[Loss, ...]]:
    """Write a request.

    Args:
        request: What is asked.
        profile: What the model takes.
    """
    out = PartWriter(request.origin, profile, request.essential)
    body: Body = {}
    system, body["contents"] = render_messages(request.messages, out)
    if system is not None:
        body["systemInstruction"] = system
    if tools := _tools(request.tools, out):
        body["tools"] = tools
    if config := render_tool_config(request, out, offered=bool(tools)):
        body["toolConfig"] = config
    if config := render_generation(request, out, profile):
        body["generationConfig"] = config
    _rest(request, body, out)
    _fit(body, profile, out)
    return body, tuple(out.losses)


def _tools(tools: Sequence[Tool | OpaqueTool], out: PartWriter) -> list[Body]:
    written: list[Body] = []
    for path, tool in offered(tools, NAME):
        if isinstance(tool, OpaqueTool):
            if out.own:
                written.append(dict(tool.data))
            else:
                # The model can do without: it answers with the tools that it is given.
                out.lose(path, f"{word_of(tool)!r} is a tool of {tool.dialect} only")
            continue
        if not written or "functionDeclarations" not in written[-1]:
            written.append({"functionDeclarations": []})
        written[-1]["functionDeclarations"].append(_declaration(tool, path, out))
    return written


def _declaration(tool: Tool, path: str, out: PartWriter) -> Body:
    entry: Body = {"name": tool.name}
    if tool.description is not None:
        entry["description"] = tool.description
    if tool.kind == "custom":
        # The encoder of a dialect that has such tools takes the text out again.
        out.lose(f"{path}.kind", "a free-text tool takes {'input': text} here", "note")
        entry["parametersJsonSchema"] = FREE_TEXT
    elif isinstance(tool.parameters, SpelledSchema):
        entry["parameters"] = tool.parameters.spelling
    elif tool.parameters is not None:
        # A JSON Schema as it is: nothing of it has to fit into the OpenAPI subset.
        entry["parametersJsonSchema"] = tool.parameters
    if tool.strict:
        out.lose(f"{path}.strict", "calls cannot be held to their schema one by one")
    if tool.cache is not None:
        out.lose(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
    return {**entry, **out.extras(tool.extras, path)}


def _rest(request: Request, body: Body, out: PartWriter) -> None:
    if request.metadata is not None:
        if out.own:
            body["labels"] = request.metadata
        else:
            out.lose("metadata", "the client's own notes are not sent", "note")
    if request.end_user is not None:
        out.lose("end_user", "an end user's id is not taken", "note")
    if request.cache is not None:
        out.lose("cache", "cached by the provider's own rules, not by marks", "note")
    tier = request.service_tier
    if tier is not None and (out.own or tier in _TIERS):
        body["serviceTier"] = tier if out.own else _TIERS[tier]
        if body["serviceTier"] != tier:
            out.lose("service_tier", f"{tier!r} is sent as 'standard'", "note")
    elif tier is not None:
        severity: Severity = "note" if tier == "auto" else "drop"
        out.lose("service_tier", f"{tier!r} is no tier of this API", severity)
    for path, value in out.extras(request.extras, "").items():
        _put(body, path, value)


def _put(body: Body, path: str, value: Any) -> None:
    """Write a field at its dotted path."""
    *outer, name = path.split(".") if path.startswith(_INNER) else [path]
    holder: Any = body
    for key in outer:
        holder = holder.setdefault(key, {})
    holder[name] = value


def _fit(body: Body, profile: Profile, out: PartWriter) -> None:
    """Leave out and rename what this model does not take (`a.b` is a field inside `a`)."""
    for path in sorted(profile.drops - WORDS):
        outer, _, inner = path.partition(".")
        holder = body.get(outer)
        if not inner and outer in body:
            del body[outer]
        elif inner and isinstance(holder, dict) and inner in holder:
            body[outer] = {key: value for key, value in holder.items() if key != inner}
            if not body[outer]:
                del body[outer]
        else:
            continue
        out.lose(path, "not taken by this model")
    for name, other in profile.renames.items():
        if name in body:
            body[other] = body.pop(name)
