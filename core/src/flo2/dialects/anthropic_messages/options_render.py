"""Write how much to think and what shape the answer has.

Pure. Imports: canonical, base.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import ReasoningOptions, Request
from flo2.dialects.anthropic_messages.block_render import BlockWriter
from flo2.dialects.base import Profile

__all__ = ["render_format", "render_reasoning"]

Body = dict[str, Any]

_EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})


def render_reasoning(request: Request, body: Body, out: BlockWriter, profile: Profile) -> None:
    """Write `thinking` and the effort."""
    options = request.reasoning
    if options is None:
        return
    effort = options.effort
    mode = _thinking_mode(options, out, profile)
    if not out.own and effort is not None and effort not in _EFFORTS:
        if effort == "minimal":
            out.lose("reasoning_effort", "'minimal' is sent as 'low'", "note")
            effort = "low"
        elif effort == "none":
            out.lose("reasoning_effort", "'none' is sent as thinking switched off", "note")
            mode, effort = "disabled", None
        else:
            out.lose("reasoning_effort", f"{effort!r} is no effort of this API")
            effort = None
    extras = out.extras(options.extras, "reasoning")
    if mode is not None:
        body["thinking"] = thinking = {"type": mode, **extras}
        if options.budget_tokens is not None and mode == "enabled":
            thinking["budget_tokens"] = options.budget_tokens
        if options.display is not None:
            thinking["display"] = options.display
    if effort is not None:
        body["output_config"] = {"effort": effort}


def _thinking_mode(options: ReasoningOptions, out: BlockWriter, profile: Profile) -> str | None:
    """Choose the `type` of `thinking`; None: leave it to the model."""
    match options.mode:
        case "off":
            return "disabled"
        case "adaptive":
            return "adaptive"
        case "enabled" if out.own or options.budget_tokens is not None:
            return "enabled"
        case mode:
            if not out.own and profile.adaptive_thinking:
                return "adaptive"
            if mode == "enabled":
                out.lose("reasoning", "thinking needs a budget for this model")
            return None


def render_format(request: Request, body: Body, out: BlockWriter) -> None:
    """Write the shape of the output."""
    form = request.response_format
    if form is None or form.kind == "text":
        return
    if form.kind == "json_object":
        out.lose("response_format", "JSON mode without a schema is not known")
        return
    if not out.own:
        for name, value in (("name", form.name), ("description", form.description)):
            if value is not None:
                out.lose(f"response_format.{name}", "a schema has none here", "note")
        if form.strict is not None:
            # Output is always held to the schema here.
            reason = "a schema is always strict here"
            out.lose("response_format.strict", reason, "note" if form.strict else "drop")
    entry: Body = {"type": "json_schema", "schema": form.schema or {}}
    config = body.setdefault("output_config", {})
    config["format"] = {**entry, **out.extras(form.extras, "response_format")}
