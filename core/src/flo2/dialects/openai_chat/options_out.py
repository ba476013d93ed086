"""Write the options of a Chat Completions request: tools, format, sampling, reasoning.

Imports: canonical.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from flo2.canonical import (
    ReasoningOptions,
    Request,
    ResponseFormat,
    Tool,
    ToolChoice,
)
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.free_text import FREE_TEXT
from flo2.dialects.offered import offered
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["effort_of", "put_reasoning", "put_sampling", "put_tools", "write_response_format"]

_JSON = dict[str, Any]
_PENALTIES: Final = ("seed", "n", "presence_penalty", "frequency_penalty", "logit_bias")


def put_tools(body: _JSON, request: Request, log: LossLog) -> None:
    """Write tools and the two fields that go with them."""
    tools: list[_JSON] = []
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
        return  # both fields are refused without tools
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice, log)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _tool(tool: Tool, path: str, log: LossLog) -> _JSON:
    if tool.kind == "custom" and not log.is_own:
        # Of the hosts of this API hardly one but its vendor takes the kind `custom`.
        log.add(f"{path}.kind", "a free-text tool takes {'input': text} here", "note")
        tool = evolve(tool, kind="function", parameters=FREE_TEXT)
    inner: _JSON = {"name": tool.name}
    if tool.description is not None:
        inner["description"] = tool.description
    if tool.parameters is not None and tool.kind == "function":
        inner["parameters"] = tool.parameters
    if tool.strict is not None and tool.kind == "function":
        inner["strict"] = tool.strict
    known: _JSON = {"type": tool.kind, tool.kind: inner}
    log.put_cache(known, tool.cache, path)
    return log.put(known, tool.extras, path)


def _tool_choice(choice: ToolChoice, log: LossLog) -> Any:
    if log.is_own and "tool_choice" in choice.extras:
        return choice.extras["tool_choice"]
    log.put({}, choice.extras, "tool_choice")
    if choice.mode != "tool":
        return choice.mode
    # An own choice of a tool of free text has that word in its extras; see parse.
    return {"type": "function", "function": {"name": choice.name}}


def write_response_format(wanted: ResponseFormat, log: LossLog) -> _JSON:
    """Write `response_format`."""
    known: _JSON = {"type": wanted.kind}
    if wanted.kind == "json_schema":
        inner: _JSON = {}
        if wanted.name is not None or not log.is_own:
            inner["name"] = wanted.name or "answer"  # required here, unknown to other dialects
        for key in ("description", "schema", "strict"):
            if (value := getattr(wanted, key)) is not None:
                inner[key] = value
        known["json_schema"] = inner
    return log.put(known, wanted.extras, "response_format")


def put_sampling(body: _JSON, request: Request, log: LossLog) -> None:
    """Write how to draw the answer."""
    sampling = request.sampling
    if sampling.max_output_tokens is not None:
        own = sampling.max_output_field == "max_tokens"
        body["max_tokens" if own and log.is_own else "max_completion_tokens"] = (
            sampling.max_output_tokens
        )
    for key in ("temperature", "top_p", *_PENALTIES, "logprobs", "top_logprobs"):
        if (value := getattr(sampling, key)) is not None:
            body[key] = value
    if sampling.top_k is not None:
        if log.is_own:
            body["top_k"] = sampling.top_k
        else:
            log.add("top_k", "has no field")
    if sampling.stop or sampling.stop_as_text:
        as_text = sampling.stop_as_text and len(sampling.stop) == 1
        body["stop"] = sampling.stop[0] if as_text else list(sampling.stop)


def put_reasoning(body: _JSON, request: Request, log: LossLog) -> None:
    """Write how much to think, as an effort: the one word this dialect has for it."""
    options = request.reasoning
    if options is None:
        return
    if (effort := effort_of(options, log)) is not None:
        body["reasoning_effort"] = effort
    if options.display is not None:
        log.add("reasoning.display", "has no field", "note")
    log.put({}, options.extras, "reasoning")


def effort_of(options: ReasoningOptions, log: LossLog) -> str | None:
    """Say how much to think in one of OpenAI's words, a budget of tokens too."""
    if options.mode == "off":
        return "none"
    if options.effort is not None or options.budget_tokens is None:
        return options.effort
    # The vendor's own words for about these shares of thinking; no exact twin exists.
    words = ((2048, "low"), (16384, "medium"))
    effort = next((word for most, word in words if options.budget_tokens <= most), "high")
    log.add("reasoning.budget_tokens", f"becomes the effort {effort!r}", "note")
    return effort
