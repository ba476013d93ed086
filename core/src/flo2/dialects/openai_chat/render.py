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
    Reasoning,
    Request,
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.base import Profile, Rendered
from flo2.dialects.openai_chat.fit import fit
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.options_out import (
    put_reasoning,
    put_sampling,
    put_tools,
    write_response_format,
)
from flo2.dialects.openai_chat.parts_out import (
    content_of,
    write_part,
    write_reasoning,
    write_tool_call,
    write_tool_result,
)
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["lose_prefill", "lose_tier", "render", "short_user"]

_JSON = dict[str, Any]
_END_USER_CHARS: Final = 64


def render(request: Request, *, model: str, profile: Profile) -> Rendered:
    """Write a request. A stream always asks for usage, whatever the client said."""
    log = LossLog(request.origin, request.essential, hands_on=profile.chat.takes_reasoning)
    body: _JSON = {"model": model, "messages": _messages(request, log)}
    if not profile.chat.marks_prefix:
        lose_prefill(request, log)
    refused = request.essential or any(loss.severity == "refuse" for loss in log.losses)
    if not (body["messages"] or log.is_own or refused):
        log.add("messages", "no turn is left to answer", "refuse")
    put_tools(body, request, log)
    if request.response_format is not None:
        body["response_format"] = write_response_format(request.response_format, log)
    put_sampling(body, request, log)
    put_reasoning(body, request, log)
    _put_rest(body, request, log)
    body = log.put(body, request.extras, "")
    body = fit(body, profile, log.add)
    return Rendered(msgspec.json.encode(body), tuple(log.losses))


def _messages(request: Request, log: LossLog) -> list[_JSON]:
    out: list[_JSON] = []
    for number, message in enumerate(request.messages):
        path = f"messages[{number}]"
        if message.role != "tool":
            out += _beside(log)
        if message.role == "assistant":
            if written := _assistant(message, path, log):
                out.append(written)
        else:
            out += _turn(message, path, log)
    return out + _beside(log)


def _beside(log: LossLog) -> list[_JSON]:
    """Write what tools gave beside text, now that all results of the turn are told.

    A tool message takes text only; models are shown such content as a user's (Claude Code reads
    pictures with a tool of its own).
    """
    parts, log.beside = log.beside, []
    return [{"role": "user", "content": parts}] if parts else []


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
            case Reasoning(extras={"part": dict(thinking)}) if part.origin == DIALECT:
                content.append(dict(thinking))
            case Reasoning():
                _add_reasoning(known, write_reasoning(part, at, log))
            case ToolCall():
                calls.append(write_tool_call(part, at, log))
            case Opaque(dialect=dialect, data=data) if dialect == DIALECT and "tool_calls" in data:
                calls += data["tool_calls"]
            case Audio(audio_id=str() as audio_id):
                known["audio"] = log.put({"id": audio_id}, part.extras, at)
            case _:
                if (written := write_part(part, at, log, made=True)) is not None:
                    content.append(written)
    if calls:
        known["tool_calls"] = calls
    return content


def _add_reasoning(known: _JSON, fields: _JSON) -> None:
    """Put reasoning into the message; another dialect may have several pieces of it."""
    for key, value in fields.items():
        before = known.get(key)
        more = isinstance(before, str) and isinstance(value, str)
        known[key] = f"{before}\n\n{value}" if more else value


def _put_rest(body: _JSON, request: Request, log: LossLog) -> None:
    if request.stream is not None:
        body["stream"] = request.stream
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.service_tier is not None:
        if log.is_own:
            body["service_tier"] = request.service_tier
        else:
            lose_tier(request.service_tier, log)
    if request.end_user is not None:
        body["user"] = short_user(request.end_user, log)
    if request.metadata is not None:
        if log.is_own:
            body["metadata"] = request.metadata
        else:
            log.add("metadata", "the client's own notes are not sent", "note")
    if request.cache is not None:
        log.put_cache(body, request.cache, "request")


def lose_prefill(request: Request, log: LossLog) -> None:
    """Say that a last turn of the assistant's, for the model to go on from, is a turn like any."""
    match request.messages:
        case (*before, Message(role="assistant", content=(*_, Text()))) if not log.is_own:
            reason = "the answer may begin anew, and not go on from this turn"
            log.add(f"messages[{len(before)}].prefill", reason)
        case _:
            pass


def lose_tier(tier: str, log: LossLog) -> None:
    """Lose the word for a tier, which is another vendor's or a host's; the usual one is no loss."""
    weight: Severity = (
        "note" if tier in {"auto", "default", "standard", "standard_only"} else "drop"
    )
    log.add("service_tier", f"{tier!r} is a word of {log.origin}", weight)


def short_user(end_user: str, log: LossLog) -> str:
    """Write an end user's id as OpenAI takes it; a longer one of another dialect by its hash."""
    if len(end_user) <= _END_USER_CHARS or log.is_own:
        return end_user
    # A cut would leave only the device of a session id: every user would be one.
    log.add("end_user", "longer than 64 characters: written as its SHA-256", "note")
    return hashlib.sha256(end_user.encode()).hexdigest()
