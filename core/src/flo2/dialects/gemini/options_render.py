"""Write `generationConfig` and `toolConfig`. Pure. Imports: canonical, base.

Source: https://ai.google.dev/api/generate-content#generationconfig,
https://ai.google.dev/gemini-api/docs/thinking and https://ai.google.dev/gemini-api/docs/openai
("Thinking": which level and which budget stand for an effort), read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import ReasoningOptions, Request, ResponseFormat
from flo2.dialects.base import Profile
from flo2.dialects.gemini.part_render import PartWriter
from flo2.dialects.gemini.schemas import SpelledSchema
from flo2.dialects.gemini.vocabulary import THINKING_MINIMAL, THINKING_OFF

__all__ = ["render_generation", "render_tool_config"]

Body = dict[str, Any]

_MODES: Final[Mapping[str, str]] = {
    "auto": "AUTO",
    "none": "NONE",
    "required": "ANY",
    "tool": "ANY",
}
_LEVELS: Final = frozenset({"minimal", "low", "medium", "high"})
_HIGHEST: Final = frozenset({"xhigh", "max"})
_BUDGET_OF: Final[Mapping[str, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
}


def render_tool_config(request: Request, out: PartWriter, *, offered: bool) -> Body:
    """Write `toolConfig`.

    Args:
        request: What is asked.
        out: Takes the losses.
        offered: Some tool is left; else there is nothing to choose from.
    """
    if request.parallel_tool_calls is False and offered:
        out.lose("parallel_tool_calls", "calls at once cannot be forbidden")
    choice = request.tool_choice
    if choice is None or not (offered or out.own):
        return {}
    calling: Body = {"mode": _MODES[choice.mode]}
    if choice.name is not None:
        calling["allowedFunctionNames"] = [choice.name]
    return {"functionCallingConfig": {**calling, **out.extras(choice.extras, "tool_choice")}}


def render_generation(request: Request, out: PartWriter, profile: Profile) -> Body:
    """Write `generationConfig`."""
    sampling = request.sampling
    known = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "candidateCount": sampling.n,
        "maxOutputTokens": sampling.max_output_tokens,
        "stopSequences": [*sampling.stop] or None,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "responseLogprobs": sampling.logprobs,
        "logprobs": sampling.top_logprobs,
    }
    config: Body = {key: value for key, value in known.items() if value is not None}
    if sampling.logit_bias:
        out.lose("logit_bias", "not known to this API")
    if request.response_format is not None:
        config |= _format(request.response_format, out)
    if request.reasoning is not None:
        thinking = _thinking(request.reasoning, out, profile)
        if thinking:
            config["thinkingConfig"] = thinking
    return config


def _format(form: ResponseFormat, out: PartWriter) -> Body:
    if form.kind == "text":
        return {"responseMimeType": "text/plain"} if out.own else {}
    config: Body = {"responseMimeType": "application/json"}
    out.extras(form.extras, "response_format")
    if form.kind == "json_object":
        return config
    if not out.own:
        for name, value in (("name", form.name), ("description", form.description)):
            if value is not None:
                out.lose(f"response_format.{name}", "a schema has none here", "note")
        if form.strict is not None:
            reason = "a schema is always strict here"
            out.lose("response_format.strict", reason, "note" if form.strict else "drop")
    if isinstance(form.schema, SpelledSchema):
        return {**config, "responseSchema": form.schema.spelling}
    return {**config, "responseJsonSchema": form.schema or {}}


def _thinking(options: ReasoningOptions, out: PartWriter, profile: Profile) -> Body:
    if out.own:
        return _thinking_as_said(options)
    out.extras(options.extras, "reasoning")
    if options.mode == "off" or options.effort == "none":
        if THINKING_OFF not in profile.drops:
            return {"thinkingBudget": 0}
        out.lose("reasoning", "this model always thinks; sent as the effort 'low'")
        return {"thinkingLevel": "LOW"} if profile.adaptive_thinking else {}
    return {**_how_much(options, out, profile), **_shown(options, out)}


def _how_much(options: ReasoningOptions, out: PartWriter, profile: Profile) -> Body:
    """Write an effort as a level where the model knows levels, else as a budget of tokens."""
    effort = options.effort
    if effort in _HIGHEST:
        out.lose("reasoning_effort", f"{effort!r} is sent as 'high'", "note")
        effort = "high"
    elif effort is not None and effort not in _LEVELS:
        out.lose("reasoning_effort", f"{effort!r} is no effort of this API")
        effort = None
    if effort == "minimal" and THINKING_MINIMAL in profile.drops:
        out.lose("reasoning_effort", "'minimal' is sent as 'low'", "note")
        effort = "low"
    if options.budget_tokens is not None:
        if effort is not None:
            out.lose("reasoning_effort", "the budget of tokens is sent alone", "note")
        return {"thinkingBudget": options.budget_tokens}
    if effort is not None and profile.adaptive_thinking:
        return {"thinkingLevel": effort.upper()}
    if effort is not None:
        reason = f"{effort!r} is sent as a budget of {_BUDGET_OF[effort]} tokens"
        out.lose("reasoning_effort", reason, "note")
        return {"thinkingBudget": _BUDGET_OF[effort]}
    return {} if options.mode is None else {"thinkingBudget": -1}  # the model decides


def _shown(options: ReasoningOptions, out: PartWriter) -> Body:
    """Write whether thoughts are part of the answer."""
    if options.display is not None:
        if options.display not in {"omitted", "summarized"}:
            out.lose("reasoning.display", f"{options.display!r} is sent as a summary", "note")
        return {"includeThoughts": options.display != "omitted"}
    if options.mode is None:
        return {}
    # Where thinking is switched on by name, its text is part of the answer.
    out.lose("reasoning.display", "thoughts are asked for by name here", "note")
    return {"includeThoughts": True}


def _thinking_as_said(options: ReasoningOptions) -> Body:
    thinking: Body = {}
    budget = {"off": 0, "adaptive": -1}.get(options.mode or "", options.budget_tokens)
    if budget is not None:
        thinking["thinkingBudget"] = budget
    if options.effort is not None:
        thinking["thinkingLevel"] = options.effort.upper()
    if options.display is not None:
        thinking["includeThoughts"] = options.display != "omitted"
    return thinking
