"""Write the options of a request: tools, the shape of the answer, how much to think, sampling.

Imports: canonical.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import Reasoning, Request, ResponseFormat, Tool, ToolChoice
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.offered import offered
from flo2.dialects.openai_chat.options_out import effort_of
from flo2.dialects.openai_responses.losses import ResponsesLog
from flo2.dialects.openai_responses.vocabulary import DIALECT, ENCRYPTED, JSON

__all__ = ["put_include", "put_reasoning", "put_sampling", "put_text", "put_tools"]

_LEAST_OUTPUT: Final = 16
"""`Expected a value >= 16`, answers OpenAI to a smaller `max_output_tokens` (seen 2026-11-25)."""


def put_tools(body: JSON, request: Request, log: ResponsesLog) -> None:
    """Write tools and the two fields that go with them."""
    tools: list[JSON] = []
    for path, tool in offered(request.tools, DIALECT):
        if isinstance(tool, Tool):
            tools.append(_tool(tool, path, log))
        elif tool.dialect == DIALECT:
            tools.append(dict(tool.data))
        else:
            log.add(path, f"the tool {word_of(tool)!r} runs at {tool.dialect} only")
    if tools:
        body["tools"] = tools
    elif not log.is_own:
        return  # both fields mean nothing without tools
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice, request, log)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _tool(tool: Tool, path: str, log: ResponsesLog) -> JSON:
    known: JSON = {"type": tool.kind, "name": tool.name}
    if tool.description is not None:
        known["description"] = tool.description
    if tool.kind == "function":
        known["parameters"] = tool.parameters
        # Left out, it means true here, and a schema that is not strict is refused or rewritten.
        if tool.strict is not None or not log.is_own:
            known["strict"] = bool(tool.strict)
    log.put_cache(known, tool.cache, path)
    return log.put(known, tool.extras, path)


def _tool_choice(choice: ToolChoice, request: Request, log: ResponsesLog) -> Any:
    if log.is_own and "tool_choice" in choice.extras:
        return choice.extras["tool_choice"]
    log.put({}, choice.extras, "tool_choice")
    if choice.mode != "tool":
        return choice.mode
    kinds = {tool.name: tool.kind for tool in request.tools if isinstance(tool, Tool)}
    kind = "function" if log.is_own else kinds.get(choice.name or "", "function")
    return {"type": kind, "name": choice.name}


def put_text(body: JSON, request: Request, log: ResponsesLog) -> None:
    """Write the shape of the answer."""
    if request.response_format is not None:
        body["text"] = {"format": _format(request.response_format, log)}


def _format(wanted: ResponseFormat, log: ResponsesLog) -> JSON:
    known: JSON = {"type": wanted.kind}
    if wanted.kind == "json_schema":
        if wanted.name is not None or not log.is_own:
            known["name"] = wanted.name or "answer"  # required here, unknown to other dialects
        for key in ("description", "schema", "strict"):
            if (value := getattr(wanted, key)) is not None:
                known[key] = value
    return log.put(known, wanted.extras, "response_format")


def put_sampling(body: JSON, request: Request, log: ResponsesLog) -> None:
    """Write how to draw the answer, and name what this API has no field for."""
    sampling = request.sampling
    if (bound := sampling.max_output_tokens) is not None:
        if not log.is_own and bound < _LEAST_OUTPUT:
            log.add("max_tokens", f"the least bound here; set to {_LEAST_OUTPUT}", "note")
            bound = _LEAST_OUTPUT
        body["max_output_tokens"] = bound
    for key in ("temperature", "top_p", "top_logprobs"):
        if (value := getattr(sampling, key)) is not None:
            body[key] = value
    if sampling.n not in {None, 1}:
        log.add("n", "one answer a request", "refuse")
    for number in range(len(sampling.stop)):
        log.add(f"stop[{number}]", "stop sequences have no field")
    for name, wanted in (
        ("seed", sampling.seed is not None),
        ("top_k", sampling.top_k is not None),
        ("presence_penalty", bool(sampling.presence_penalty)),
        ("frequency_penalty", bool(sampling.frequency_penalty)),
        ("logit_bias", bool(sampling.logit_bias)),
    ):
        if wanted:
            log.add(name, "has no field")


def put_reasoning(body: JSON, request: Request, log: ResponsesLog) -> None:
    """Write how much to think, and whether a summary of it is wanted."""
    options = request.reasoning
    if options is None:
        return
    known: JSON = {}
    if (effort := effort_of(options, log)) is not None:
        known["effort"] = effort
    if options.display == "summarized":
        known["summary"] = "auto"
    elif options.display is not None:
        log.add("reasoning.display", f"{options.display!r} has no form here", "note")
    if log.is_own:
        known |= options.extras
    else:
        log.put({}, options.extras, "reasoning")
    if known:
        body["reasoning"] = known


def put_include(body: JSON, request: Request, log: ResponsesLog) -> None:
    """Ask for what the client's dialect gives unasked; keep nothing it does not know of.

    Reasoning is asked for in the form that can be sent back, where some is wanted: a model that
    does not reason refuses the wish.
    """
    if log.is_own:
        if "include" in request.extras and request.extras["include"] is None:
            body["include"] = [ENCRYPTED]
        return
    body["store"] = False
    include = ["message.output_text.logprobs"] if request.sampling.logprobs else []
    if _reasons(request):
        include.insert(0, ENCRYPTED)
    if include:
        body["include"] = include


def _reasons(request: Request) -> bool:
    options = request.reasoning
    if options is not None and options.mode != "off" and (options.mode or options.effort):
        return True
    parts = (part for message in request.messages for part in message.content)
    return any(isinstance(part, Reasoning) and part.origin == DIALECT for part in parts)
