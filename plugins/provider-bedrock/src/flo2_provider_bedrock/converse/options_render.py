"""Write how to draw the answer, the tools, how much to think, and the answer's shape.

What is no common field of the API goes into `additionalModelRequestFields`, in the words of the
model's own family. Pure. Imports: flo2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flo2 import OpaqueTool, Profile, ReasoningOptions, Request
from flo2.dialects.jsonio import dumps
from flo2_provider_bedrock.converse.block_render import Block, BlockWriter, render_cache
from flo2_provider_bedrock.converse.vocabulary import NAME

__all__ = ["render_output", "render_reasoning", "render_sampling", "render_tools"]

Body = dict[str, Any]

_EXTRA: Final = "additionalModelRequestFields"
_NOVA_EFFORTS: Final[Mapping[str, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
}
# How families take an effort: https://docs.aws.amazon.com/nova/latest/nova2-userguide/ (extended
# thinking), https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html, and
# recordings/bedrock/pydantic-ai-…-thinking-high-qwen-variant-86cf91-1 for Qwen; read 2026-11-25.
_NOVA_2: Final = re.compile(r"amazon\.nova-2")
_OPENAI: Final = re.compile(r"openai\.gpt-")
_QWEN: Final = re.compile(r"qwen\.|deepseek\.v3")


def _more(body: Body, fields: Mapping[str, Any]) -> None:
    body[_EXTRA] = {**body.get(_EXTRA, {}), **fields}


def render_sampling(request: Request, model: str, body: Body, out: BlockWriter) -> None:
    """Write `inferenceConfig`, and what the model takes besides."""
    sampling = request.sampling
    config: Body = {}
    if sampling.max_output_tokens is not None:
        config["maxTokens"] = sampling.max_output_tokens
    if sampling.temperature is not None:
        if out.own or sampling.temperature <= 1:
            config["temperature"] = sampling.temperature
        else:
            # 0 to 1 is all the API takes; a clamp would be another request.
            out.lose("temperature", f"{sampling.temperature} is above 1", "refuse")
    if sampling.top_p is not None:
        config["topP"] = sampling.top_p
    if sampling.stop:
        config["stopSequences"] = [*sampling.stop]
    if config:
        body["inferenceConfig"] = config
    if sampling.top_k is not None:
        _top_k(sampling.top_k, model, body, out)
    if sampling.n not in {None, 1}:
        out.lose("n", "one answer a request", "refuse")
    for name, wanted in (
        ("seed", sampling.seed is not None),
        ("presence_penalty", bool(sampling.presence_penalty)),
        ("frequency_penalty", bool(sampling.frequency_penalty)),
        ("logit_bias", bool(sampling.logit_bias)),
        ("logprobs", bool(sampling.logprobs)),
        ("top_logprobs", bool(sampling.top_logprobs)),
    ):
        if wanted:
            out.lose(name, "not known to this API")


def _top_k(top_k: int, model: str, body: Body, out: BlockWriter) -> None:
    if "anthropic.claude" in model:
        _more(body, {"top_k": top_k})
    elif "amazon.nova" in model:
        _more(body, {"inferenceConfig": {"topK": top_k}})
    else:
        out.lose("top_k", "has no common field")


def render_tools(request: Request, body: Body, out: BlockWriter, *, history: bool) -> None:
    """Write `toolConfig`.

    Args:
        request: The request.
        body: Gets the field.
        out: Takes the losses.
        history: Whether earlier turns hold calls or results, which need `toolConfig`.
    """
    tools = _tools(request, out)
    config: Body = {"tools": tools} if tools else {}
    choice = request.tool_choice
    mode = None if choice is None else choice.mode
    if choice is not None:
        out.extras(choice.extras, "tool_choice")
    if mode == "none" and tools:
        if history:
            out.lose("tool_choice", "tools cannot be forbidden once they were used; sent as 'auto'")
        else:
            out.lose("tool_choice", "'none' is sent by leaving the tools out", "note")
            return
    elif choice is not None and (tools or out.own):
        config["toolChoice"] = {
            "auto": {"auto": {}},
            "required": {"any": {}},
            "tool": {"tool": {"name": choice.name}},
            "none": {"auto": {}},
        }[choice.mode]
    if config:
        body["toolConfig"] = config


def _tools(request: Request, out: BlockWriter) -> list[Block]:
    tools: list[Block] = []
    for i, tool in enumerate(request.tools):
        path = f"tools[{i}]"
        if isinstance(tool, OpaqueTool):
            if tool.dialect == NAME:
                tools.append(dict(tool.data))
            else:
                kind = tool.data.get("type", "tool")
                out.lose(path, f"{kind!r} is a tool of {tool.dialect} only", "refuse")
            continue
        if tool.kind == "custom":
            out.lose(path, "free-text tools are not known", "refuse")
            continue
        spec: Block = {"name": tool.name}
        if tool.description is not None and (tool.description or out.own):
            spec["description"] = tool.description
        schema = tool.parameters
        if schema is None:
            schema = {"type": "object", "properties": {}}
            out.lose(f"{path}.parameters", "an empty schema is written out", "note")
        spec["inputSchema"] = {"json": schema}
        if tool.strict is not None and (tool.strict or out.own):
            spec["strict"] = tool.strict
        tools.append({"toolSpec": {**spec, **out.extras(tool.extras, path)}})
        if tool.cache is not None:
            tools.append(render_cache(tool.cache))
    return tools


def render_reasoning(
    request: Request, model: str, body: Body, out: BlockWriter, profile: Profile
) -> None:
    """Write how much to think, in the words of the model's family."""
    options = request.reasoning
    if options is None:
        return
    out.extras(options.extras, "reasoning")
    if options.display is not None:
        out.lose("reasoning.display", "has no field", "note")
    if out.own:
        if options.effort is not None:
            body["outputConfig"] = {"effort": options.effort}
        return
    effort = None if options.effort == "none" else options.effort
    off = options.mode == "off" or options.effort == "none"
    if "anthropic.claude" in model:
        _claude(options, body, out, profile, off=off, effort=effort)
    elif _NOVA_2.search(model):
        level = _NOVA_EFFORTS.get(effort or "medium", "high")
        word = {"type": "enabled", "maxReasoningEffort": level}
        _more(body, {"reasoningConfig": {"type": "disabled"} if off else word})
    elif effort is not None and _OPENAI.search(model):
        _more(body, {"reasoning_effort": effort})
    elif effort is not None and _QWEN.search(model):
        _more(body, {"reasoning_config": effort})
    elif not off:
        out.lose("reasoning", "how much to think has no field for this model")


def _claude(
    options: ReasoningOptions,
    body: Body,
    out: BlockWriter,
    profile: Profile,
    *,
    off: bool,
    effort: str | None,
) -> None:
    if off:
        _more(body, {"thinking": {"type": "disabled"}})
    elif options.budget_tokens is not None and options.mode == "enabled":
        _more(body, {"thinking": {"type": "enabled", "budget_tokens": options.budget_tokens}})
    elif profile.adaptive_thinking:
        _more(body, {"thinking": {"type": "adaptive"}})
        if effort is not None:
            body["outputConfig"] = {"effort": "low" if effort == "minimal" else effort}
    else:
        out.lose("reasoning", "thinking needs a budget for this model")


def render_output(request: Request, body: Body, out: BlockWriter) -> None:
    """Write the shape of the output."""
    form = request.response_format
    if form is None or form.kind == "text":
        return
    if form.kind == "json_object":
        out.lose("response_format", "JSON mode without a schema is not known")
        return
    out.extras(form.extras, "response_format")
    if form.strict is not None:
        reason = "a schema is always strict here"
        out.lose("response_format.strict", reason, "note" if form.strict else "drop")
    # The schema is a text here (API_runtime_JsonSchemaDefinition, read 2026-11-25).
    schema: Body = {"schema": dumps(form.schema or {}).decode()}
    if form.name is not None:
        schema["name"] = form.name
    if form.description is not None:
        schema["description"] = form.description
    text = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    body["outputConfig"] = {**body.get("outputConfig", {}), "textFormat": text}
