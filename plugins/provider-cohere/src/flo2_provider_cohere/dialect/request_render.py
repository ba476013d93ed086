"""Write a canonical request as a Cohere chat, and name what does not fit. Imports: flo2.

Source: https://docs.cohere.com/reference/chat and the SDK's own bounds (cohere-python 5,
`v2/client.py`, read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flo2 import Profile, Request, ResponseFormat, Sampling, Tool
from flo2.dialects.base import Rendered
from flo2_provider_cohere.dialect.losses import Losses
from flo2_provider_cohere.dialect.messages import write_messages
from flo2_provider_cohere.dialect.words import CHAT

__all__ = ["render"]

_JSON = dict[str, Any]
_CHOICES: Final[Mapping[str, str]] = {"required": "REQUIRED", "tool": "REQUIRED", "none": "NONE"}
_TOP_P: Final = 0.99
"""The most `p` may be; 1 would be the same and is refused."""


def render(request: Request, *, model: str, profile: Profile) -> Rendered:
    """Write a request; a stream tells its usage unasked."""
    log = Losses(request)
    body: _JSON = {"model": model, "messages": write_messages(request.messages, log)}
    _put_tools(body, request, log)
    if request.response_format is not None:
        _put_format(body, request.response_format, log)
    _put_sampling(body, request.sampling, log)
    _put_thinking(body, request, log)
    _put_rest(body, request, log)
    body = log.put(body, request.extras, "")
    for key in sorted(profile.drops & body.keys()):
        del body[key]
        log.add(key, "not taken by this model")
    return Rendered(msgspec.json.encode(body), tuple(log.losses))


def _put_tools(body: _JSON, request: Request, log: Losses) -> None:
    choice = request.tool_choice
    # One tool cannot be forced by name, but it can be the only one there is.
    only = choice.name if choice is not None and choice.mode == "tool" else None
    tools: list[_JSON] = []
    for number, tool in enumerate(request.tools):
        path = f"tools[{number}]"
        if not isinstance(tool, Tool):
            if tool.dialect == CHAT:
                tools.append(dict(tool.data))
            else:
                word = tool.data.get("type") or tool.data.get("name") or "?"
                log.add(path, f"the tool {word!r} runs at {tool.dialect} only", "refuse")
        elif tool.kind == "custom":
            log.add(path, "free-text tools are not known", "refuse")
        elif only is None or tool.name == only:
            tools.append(_tool(tool, path, log))
    if tools:
        body["tools"] = tools
    elif not log.is_own:
        return
    if choice is not None:
        log.put({}, choice.extras, "tool_choice")
        if choice.mode in _CHOICES:
            body["tool_choice"] = _CHOICES[choice.mode]
        if only is not None:
            log.add("tool_choice", f"{only!r} is forced by being the only tool sent", "note")
    if request.parallel_tool_calls is False:
        log.add("parallel_tool_calls", "has no field")


def _tool(tool: Tool, path: str, log: Losses) -> _JSON:
    inner: _JSON = {"name": tool.name}
    if tool.description is not None:
        inner["description"] = tool.description
    if tool.parameters is not None:
        inner["parameters"] = tool.parameters
    elif not log.is_own:
        inner["parameters"] = {"type": "object", "properties": {}}
        log.add(f"{path}.parameters", "an empty schema is written out", "note")
    if tool.strict:
        log.add(f"{path}.strict", "a single tool cannot be strict here")
    known: _JSON = {"type": "function", "function": inner}
    log.put_cache(known, tool.cache, path)
    return log.put(known, tool.extras, path)


def _put_format(body: _JSON, wanted: ResponseFormat, log: Losses) -> None:
    if wanted.kind == "text" and not log.is_own:
        return
    known: _JSON = {"type": "text" if wanted.kind == "text" else "json_object"}
    if wanted.kind == "json_schema":
        known["json_schema"] = wanted.schema or {}
        for name in ("name", "description"):
            if getattr(wanted, name) is not None:
                log.add(f"response_format.{name}", "a schema has none here", "note")
        if wanted.strict is not None:
            reason = "a schema is always strict here"
            log.add("response_format.strict", reason, "note" if wanted.strict else "drop")
    body["response_format"] = log.put(known, wanted.extras, "response_format")


def _put_sampling(body: _JSON, sampling: Sampling, log: Losses) -> None:
    for key, value in (
        ("max_tokens", sampling.max_output_tokens),
        ("temperature", sampling.temperature),
        ("k", sampling.top_k),
        ("seed", sampling.seed),
        ("logprobs", sampling.logprobs),
    ):
        if value is not None:
            body[key] = value
    if sampling.top_p is not None:
        body["p"] = sampling.top_p
        if sampling.top_p > _TOP_P and not log.is_own:
            body["p"] = _TOP_P
            log.add("top_p", f"the most there is here is {_TOP_P}", "note")
    if sampling.stop:
        body["stop_sequences"] = list(sampling.stop)
    for key in ("presence_penalty", "frequency_penalty"):
        penalty = getattr(sampling, key)
        if penalty is None:
            continue
        if log.is_own or 0 <= penalty <= 1:
            body[key] = penalty
        else:
            log.add(key, f"{penalty} is not between 0 and 1")
    if sampling.n not in {None, 1}:
        log.add("n", "one answer a request", "refuse")
    for key in ("logit_bias", "top_logprobs"):
        if getattr(sampling, key):
            log.add(key, "has no field")


def _put_thinking(body: _JSON, request: Request, log: Losses) -> None:
    """Write whether to think: it is on for models that can, so only off and a budget are said."""
    options = request.reasoning
    if options is None:
        return
    if options.mode == "off" or options.effort == "none":
        known: _JSON = {"type": "disabled"}
    elif log.is_own or options.budget_tokens is not None:
        known = {"type": "enabled"}
    else:
        known = {}
    if options.budget_tokens is not None:
        known["token_budget"] = options.budget_tokens
    if options.effort not in {None, "none"}:
        log.add("reasoning.effort", f"{options.effort!r} has no field; a budget has")
    if options.display is not None:
        log.add("reasoning.display", "has no field", "note")
    known = log.put(known, options.extras, "reasoning")
    if known:
        body["thinking"] = known


def _put_rest(body: _JSON, request: Request, log: Losses) -> None:
    if request.stream is not None:
        body["stream"] = request.stream
    for name in ("service_tier", "end_user", "metadata"):
        if getattr(request, name):
            log.add(name, "has no field", "note")
    log.put_cache(body, request.cache, "request")
