"""Write a canonical request as a Chat Completions body, and name what does not fit.

Imports: canonical, base.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from flo2.canonical import (
    Audio,
    Message,
    Opaque,
    OpaqueTool,
    Reasoning,
    Request,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flo2.dialects.base import Profile, Rendered
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.parts_out import (
    content_of,
    write_part,
    write_reasoning,
    write_tool_call,
    write_tool_result,
)
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["render"]

_JSON = dict[str, Any]
_END_USER_CHARS: Final = 64
_PENALTIES: Final = ("seed", "n", "presence_penalty", "frequency_penalty", "logit_bias")


def render(request: Request, *, model: str, profile: Profile) -> Rendered:
    """Write a request. A stream always asks for usage, whatever the client said."""
    log = LossLog(request.origin)
    body: _JSON = {"model": model, "messages": _messages(request, log)}
    _put_tools(body, request, log)
    if request.response_format is not None:
        body["response_format"] = _response_format(request.response_format, log)
    _put_sampling(body, request, log)
    _put_reasoning(body, request, log)
    _put_rest(body, request, log)
    body = log.put(body, request.extras, "")
    for key in sorted(profile.drops & body.keys()):
        del body[key]
        log.add(key, "the model's host does not take it")
    for old, new in profile.renames.items():
        if old in body:
            body[new] = body.pop(old)
    return Rendered(msgspec.json.encode(body), tuple(log.losses))


def _messages(request: Request, log: LossLog) -> list[_JSON]:
    out: list[_JSON] = []
    for number, message in enumerate(request.messages):
        path = f"messages[{number}]"
        if message.role == "assistant":
            if written := _assistant(message, path, log):
                out.append(written)
        else:
            out += _turn(message, path, log)
    return out


def _turn(message: Message, path: str, log: LossLog) -> list[_JSON]:
    """Write a turn that is not the model's: tool results become messages of their own, first."""
    results: list[_JSON] = []
    content: list[_JSON] = []
    for number, part in enumerate(message.content):
        at = f"{path}.content[{number}]"
        if isinstance(part, ToolResult):
            results.append(write_tool_result(part, at, log))
        elif message.role == "tool" and isinstance(part, Opaque) and "role" in part.data:
            # A whole legacy message (`role: function`) that only this dialect knows.
            if part.dialect == DIALECT:
                results.append(dict(part.data))
            else:
                log.add(at, f"a message of {part.dialect} has no form here")
        elif (written := write_part(part, at, log)) is not None:
            content.append(written)
    if message.role == "tool":
        if not content:
            return results
        log.add(path, "content beside a tool result becomes a user message", "note")
    elif not content and message.content:
        return results
    role = "user" if message.role == "tool" else message.role
    known: _JSON = {
        "role": role,
        "content": content_of(content, as_text=message.plain or not log.is_own),
    }
    if message.name is not None:
        known["name"] = message.name
    return [*results, log.put(known, message.extras, path)]


def _assistant(message: Message, path: str, log: LossLog) -> _JSON | None:
    known: _JSON = {"role": "assistant", "content": None}
    content = _assistant_parts(known, message, path, log)
    bare = [each for each in content if each.keys() == {"type", "refusal"}]
    if len(bare) == 1 and (message.plain or len(content) == 1):
        known["refusal"] = bare[0]["refusal"]
        content.remove(bare[0])
    if content:
        known["content"] = content_of(content, as_text=message.plain or not log.is_own)
    if message.name is not None:
        known["name"] = message.name
    known = log.put(known, message.extras, path)
    if known == {"role": "assistant", "content": None} and message.content:
        return None  # all of it was lost, and an empty turn is refused by the provider
    return known


def _assistant_parts(known: _JSON, message: Message, path: str, log: LossLog) -> list[_JSON]:
    """Put calls, reasoning and audio into the message; return what is its content."""
    content: list[_JSON] = []
    calls: list[Any] = []
    for number, part in enumerate(message.content):
        at = f"{path}.content[{number}]"
        match part:
            case Reasoning():
                known |= write_reasoning(part, at, log)
            case ToolCall():
                calls.append(write_tool_call(part, at, log))
            case Opaque(dialect=dialect, data=data) if dialect == DIALECT and "tool_calls" in data:
                calls += data["tool_calls"]
            case Audio(audio_id=str() as audio_id):
                known["audio"] = log.put({"id": audio_id}, part.extras, at)
            case _:
                if (written := write_part(part, at, log)) is not None:
                    content.append(written)
    if calls:
        known["tool_calls"] = calls
    return content


def _put_tools(body: _JSON, request: Request, log: LossLog) -> None:
    tools: list[_JSON] = []
    for number, tool in enumerate(request.tools):
        path = f"tools[{number}]"
        if isinstance(tool, Tool):
            tools.append(_tool(tool, path, log))
        elif tool.dialect == DIALECT:
            tools.append(dict(tool.data))
        else:
            log.add(path, _opaque_tool(tool))
    if tools:
        body["tools"] = tools
    elif not log.is_own:
        return  # both fields are refused without tools
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice, request, log)
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _opaque_tool(tool: OpaqueTool) -> str:
    word = tool.data.get("type") or tool.data.get("name") or "?"
    return f"the tool {word!r} runs at {tool.dialect} only"


def _tool(tool: Tool, path: str, log: LossLog) -> _JSON:
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


def _tool_choice(choice: ToolChoice, request: Request, log: LossLog) -> Any:
    if log.is_own and "tool_choice" in choice.extras:
        return choice.extras["tool_choice"]
    log.put({}, choice.extras, "tool_choice")
    if choice.mode != "tool":
        return choice.mode
    kinds = {tool.name: tool.kind for tool in request.tools if isinstance(tool, Tool)}
    kind = kinds.get(choice.name or "", "function")
    # Only an own choice may name a tool of either kind by its own word; see parse.
    kind = "function" if log.is_own else kind
    return {"type": kind, kind: {"name": choice.name}}


def _response_format(wanted: ResponseFormat, log: LossLog) -> _JSON:
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


def _put_sampling(body: _JSON, request: Request, log: LossLog) -> None:
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


def _put_reasoning(body: _JSON, request: Request, log: LossLog) -> None:
    options = request.reasoning
    if options is None:
        return
    effort = options.effort
    if options.mode == "off":
        effort = "none"
    elif effort is None and options.budget_tokens is not None:
        # The vendor's own words for about these shares of thinking; no exact twin exists.
        effort = next(
            (
                word
                for most, word in ((2048, "low"), (16384, "medium"))
                if options.budget_tokens <= most
            ),
            "high",
        )
        log.add("reasoning.budget_tokens", f"becomes the effort {effort!r}", "note")
    if effort is not None:
        body["reasoning_effort"] = effort
    if options.display is not None:
        log.add("reasoning.display", "has no field", "note")
    log.put({}, options.extras, "reasoning")


def _put_rest(body: _JSON, request: Request, log: LossLog) -> None:
    if request.stream is not None:
        body["stream"] = request.stream
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.service_tier is not None:
        if log.is_own:
            body["service_tier"] = request.service_tier
        else:
            log.add(
                "service_tier", f"{request.service_tier!r} is a word of {request.origin}", "note"
            )
    if request.end_user is not None:
        body["user"] = request.end_user
        if len(request.end_user) > _END_USER_CHARS and not log.is_own:
            # A cut would leave only the device of a session id: every user would be one.
            body["user"] = hashlib.sha256(request.end_user.encode()).hexdigest()
            log.add("end_user", "longer than 64 characters: written as its SHA-256", "note")
    if request.metadata is not None:
        if log.is_own:
            body["metadata"] = request.metadata
        else:
            log.add("metadata", "the client's own notes are not sent", "note")
    if request.cache is not None:
        log.put_cache(body, request.cache, "request")
