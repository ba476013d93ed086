"""Write a canonical request as the body of `POST /v1/messages`, and name what is lost.

Pure. Imports: canonical, errors, base.

Source: https://platform.claude.com/docs/en/api/messages, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flo2.canonical import Loss, OpaqueTool, Request, Tool
from flo2.dialects.anthropic_messages.block_render import BlockWriter
from flo2.dialects.anthropic_messages.message_render import render_messages
from flo2.dialects.anthropic_messages.options_render import render_format, render_reasoning
from flo2.dialects.anthropic_messages.values import render_cache
from flo2.dialects.anthropic_messages.vocabulary import NAME
from flo2.dialects.base import Profile
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.free_text import FREE_TEXT
from flo2.dialects.offered import offered

__all__ = ["render_request"]

Body = dict[str, Any]

_CHOICES: Final[Mapping[str, str]] = {
    "auto": "auto",
    "required": "any",
    "tool": "tool",
    "none": "none",
}


def render_request(
    request: Request, *, model: str, profile: Profile, bounded: bool = True
) -> tuple[Body, tuple[Loss, ...]]:
    """Write a request.

    Args:
        request: What is asked.
        model: The provider's name of the model.
        profile: What the model takes.
        bounded: Whether `max_tokens` must be present.
    """
    out = BlockWriter(request.origin, request.essential)
    body: Body = {"model": model}
    sampling = request.sampling
    if sampling.max_output_tokens is not None:
        body["max_tokens"] = sampling.max_output_tokens
    elif bounded:
        body["max_tokens"] = profile.max_output_tokens
        reason = f"this API demands a bound; set to {profile.max_output_tokens}"
        out.lose("max_tokens", reason, "note")
    system, messages = render_messages(request.messages, out, profile)
    if system is not None:
        body["system"] = system
    body["messages"] = messages
    tools = _tools(request.tools, out)
    if tools:
        body["tools"] = tools
    _tool_choice(request, body, out)
    _sampling(request, body, out)
    render_reasoning(request, body, out, profile)
    render_format(request, body, out)
    _rest(request, body, out)
    _fit(body, profile, out)
    return body, tuple(out.losses)


def _tools(tools: Sequence[Tool | OpaqueTool], out: BlockWriter) -> list[Body]:
    written: list[Body] = []
    for path, tool in offered(tools, NAME):
        if isinstance(tool, OpaqueTool):
            if tool.dialect == NAME:
                written.append(dict(tool.data))
            else:
                # The model can do without: it answers with the tools that it is given.
                out.lose(path, f"{word_of(tool)!r} is a tool of {tool.dialect} only")
            continue
        if tool.kind == "custom":
            written.append(_free_text_tool(tool, path, out))
            continue
        entry: Body = {"name": tool.name}
        if tool.description is not None:
            entry["description"] = tool.description
        if tool.parameters is not None:
            entry["input_schema"] = tool.parameters
        elif not out.own:
            entry["input_schema"] = {"type": "object", "properties": {}}
            out.lose(f"{path}.parameters", "an empty schema is written out", "note")
        if tool.strict is not None:
            entry["strict"] = tool.strict
        entry |= out.extras(tool.extras, path)
        if tool.cache is not None:
            entry["cache_control"] = render_cache(tool.cache)
        written.append(entry)
    return written


def _free_text_tool(tool: Tool, path: str, out: BlockWriter) -> Body:
    """Write a tool of free text as one that takes an object with the text as `input`.

    The encoder of a dialect that has such tools takes the text out again. A grammar for it cannot
    be enforced here; it is a field of the other dialect, and lost by name.
    """
    out.lose(f"{path}.kind", "a free-text tool takes {'input': text} here", "note")
    return {
        "name": tool.name,
        **({} if tool.description is None else {"description": tool.description}),
        "input_schema": FREE_TEXT,
        **out.extras(tool.extras, path),
    }


def _tool_choice(request: Request, body: Body, out: BlockWriter) -> None:
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if request.tools and "tools" not in body:
        return  # all of them were lost, and without tools the field is refused
    if choice is None:
        # Without tools there is nothing to call in parallel, and the field is refused.
        if parallel is False and request.tools:
            body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
        return
    entry: Body = {"type": _CHOICES[choice.mode]}
    if choice.name is not None:
        entry["name"] = choice.name
    if parallel is not None and choice.mode != "none":
        entry["disable_parallel_tool_use"] = not parallel
    body["tool_choice"] = {**entry, **out.extras(choice.extras, "tool_choice")}


def _sampling(request: Request, body: Body, out: BlockWriter) -> None:
    sampling = request.sampling
    if sampling.temperature is not None:
        if out.own or sampling.temperature <= 1:
            body["temperature"] = sampling.temperature
        else:
            # `temperature: range: 0..1` is what the API answers; a clamp would be another request.
            out.lose("temperature", f"{sampling.temperature} is above 1", "refuse")
    if sampling.top_p is not None:
        body["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        body["top_k"] = sampling.top_k
    stop = sampling.stop
    if not out.own:
        # `each stop sequence must contain non-whitespace`, says the API.
        for i, word in enumerate(stop):
            if not word.strip():
                out.lose(f"stop[{i}]", "stop sequences of white space are not taken", "refuse")
        stop = tuple(word for word in stop if word.strip())
    if stop:
        body["stop_sequences"] = [*stop]
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


def _rest(request: Request, body: Body, out: BlockWriter) -> None:
    if request.stream is not None:
        body["stream"] = request.stream
    metadata: Body = {}
    if request.metadata is not None:
        if out.own:
            metadata |= request.metadata
        elif request.metadata:
            out.lose("metadata", "only the end user's id is taken")
    if request.end_user is not None:
        metadata["user_id"] = request.end_user
    if metadata or (out.own and request.metadata is not None):
        body["metadata"] = metadata
    if request.cache is not None:
        body["cache_control"] = render_cache(request.cache)
    tier = request.service_tier
    if tier is not None:
        if out.own or tier in {"auto", "standard_only"}:
            body["service_tier"] = tier
        elif tier == "default":
            body["service_tier"] = "standard_only"
            out.lose("service_tier", "'default' is sent as 'standard_only'", "note")
        else:
            out.lose("service_tier", f"{tier!r} is no tier of this API")
    extras = dict(out.extras(request.extras, ""))
    if (config := extras.pop("output_config", None)) is not None:
        modelled = body.get("output_config", {})
        body["output_config"] = {**config, **modelled} if isinstance(config, dict) else config
    body |= extras


def _fit(body: Body, profile: Profile, out: BlockWriter) -> None:
    """Leave out and rename what this model's host does not take (`a.b` is a field inside `a`)."""
    for name in sorted(profile.drops):
        outer, _, inner = name.partition(".")
        holder = body.get(outer)
        if not inner and outer in body:
            del body[outer]
        elif inner and isinstance(holder, dict) and inner in holder:
            body[outer] = {key: value for key, value in holder.items() if key != inner}
            if not body[outer]:
                del body[outer]
        else:
            continue
        out.lose(name, "not taken by this model")
    for name, other in profile.renames.items():
        if name in body:
            body[other] = body.pop(name)
