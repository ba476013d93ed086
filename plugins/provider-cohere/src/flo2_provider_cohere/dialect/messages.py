"""Write canonical messages as Cohere's. Imports: flo2.

Source: https://docs.cohere.com/reference/chat (read 2026-11-25): users send text and pictures,
tools answer with text or documents. "system turn must be the first in the list" and "message must
not be empty in a turn" are errors of https://docs.cohere.com/errors-reference. Command A was seen
to take a later one (recordings/cohere, replaces-previous-system); nothing says which models do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flo2 import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.canonical import Severity
from flo2_provider_cohere.dialect.losses import Losses
from flo2_provider_cohere.dialect.words import CHAT

__all__ = ["write_messages"]

_JSON = dict[str, Any]


def write_messages(messages: Sequence[Message], log: Losses) -> list[_JSON]:
    """Write all turns; a later instruction of another dialect becomes a user's turn."""
    out: list[_JSON] = []
    begun = False
    for number, message in enumerate(messages):
        path = f"messages[{number}]"
        if message.name is not None:
            log.add(f"{path}.name", "messages have no author's name")
        if message.role == "assistant":
            if written := _assistant(message, path, log):
                out.append(written)
        elif message.role in {"system", "developer"} and (log.is_own or not begun):
            _instruct(out, message, path, log)
            continue
        else:
            out += _turn(message, path, log)
        begun = True
    return out


def _instruct(out: list[_JSON], message: Message, path: str, log: Losses) -> None:
    """Write a leading instruction; several of another dialect are joined into one."""
    if message.role == "developer":
        log.add(f"{path}.role", "developer instructions are sent as system", "note")
    content = _content(message.content, message, path, log)
    if out and not log.is_own:
        log.add(path, "joined with the system message before it", "note")
        out[-1]["content"] = _joined(out[-1]["content"], content)
    else:
        out.append(log.put({"role": "system", "content": content}, message.extras, path))


def _joined(first: str | list[_JSON], second: str | list[_JSON]) -> str | list[_JSON]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    parts = [
        [{"type": "text", "text": each}] if isinstance(each, str) else each
        for each in (first, second)
    ]
    return [*parts[0], *parts[1]]


def _turn(message: Message, path: str, log: Losses) -> list[_JSON]:
    """Write a turn that is not the model's: tool results become messages of their own, first."""
    results = [
        _tool_result(part, f"{path}.content[{number}]", log)
        for number, part in enumerate(message.content)
        if isinstance(part, ToolResult)
    ]
    rest = [part for part in message.content if not isinstance(part, ToolResult)]
    if results and not rest:
        return results
    if message.role == "tool":
        log.add(path, "content beside a tool result becomes a user message", "note")
    elif message.role != "user":
        log.add(f"{path}.role", "instructions stand only at the start; sent as user")
    content = _content(message.content, message, path, log)
    return [*results, log.put({"role": "user", "content": content}, message.extras, path)]


def _content(parts: Sequence[Part], message: Message, path: str, log: Losses) -> str | list[_JSON]:
    written = [
        each
        for number, part in enumerate(parts)
        if not isinstance(part, ToolResult)
        and (each := _part(part, f"{path}.content[{number}]", log)) is not None
    ]
    return _bare(written, as_text=message.plain or not log.is_own)


def _bare(parts: list[_JSON], *, as_text: bool) -> str | list[_JSON]:
    """Write one bare text as text where that is wanted, anything else as a list."""
    match parts:
        case [{"type": "text", "text": str() as text, **rest}] if as_text and not rest:
            return text
        case [] if as_text:
            return ""
    return parts


def _assistant(message: Message, path: str, log: Losses) -> _JSON | None:
    known: _JSON = {"role": "assistant"}
    content: list[_JSON] = []
    calls: list[_JSON] = []
    for number, part in enumerate(message.content):
        at = f"{path}.content[{number}]"
        match part:
            case Reasoning():
                _reasoning(known, content, part, at, log)
            case ToolCall():
                calls.append(_tool_call(part, at, log))
            case _:
                if (written := _part(part, at, log)) is not None:
                    content.append(written)
    if content or not calls:
        known["content"] = _bare(content, as_text=message.plain or not log.is_own)
    if calls:
        known["tool_calls"] = calls
    known = log.put(known, message.extras, path)
    if known.get("content") == "" and not calls and message.content:
        return None  # all of it was lost, and "message must not be empty in a turn"
    return known


def _reasoning(known: _JSON, content: list[_JSON], part: Reasoning, path: str, log: Losses) -> None:
    """Write the model's own plan or thinking back; another vendor's is left out, by name."""
    if part.origin != CHAT:
        whose = f"reasoning of {part.origin}" if part.origin else "reasoning"
        log.add(path, f"{whose} cannot be handed to another provider")
    elif part.extras.get("tool_plan"):
        known["tool_plan"] = known.get("tool_plan", "") + part.text
    else:
        extras = {key: each for key, each in part.extras.items() if key != "tool_plan"}
        content.append({"type": "thinking", "thinking": part.text, **extras})


def _tool_call(part: ToolCall, path: str, log: Losses) -> _JSON:
    if part.kind == "custom":
        log.add(path, "a call of a free-text tool", "refuse")
    function = {"name": part.name, "arguments": part.arguments or "{}"}
    known: _JSON = {"id": part.id, "type": "function", "function": function}
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _tool_result(part: ToolResult, path: str, log: Losses) -> _JSON:
    content: list[_JSON] = []
    for number, each in enumerate(part.content):
        at = f"{path}.content[{number}]"
        if log.is_own or isinstance(each, Text) or (isinstance(each, File) and each.text):
            written = _part(each, at, log)
        else:
            kind = type(each).__name__.lower()
            log.add(at, f"a tool result takes text only, this is {kind}", "refuse")
            written = None
        if written is not None:
            content.append(written)
    if part.is_error:
        log.add(f"{path}.is_error", "written as a leading 'Error: '", "note")
        content.insert(0, {"type": "text", "text": "Error: "})
        if len(content) > 1 and content[1].keys() == {"type", "text"}:
            content[:2] = [{"type": "text", "text": f"Error: {content[1]['text']}"}]
    log.put_cache({}, part.cache, path)
    if part.name is not None:
        log.add(f"{path}.name", "the call's id tells it", "note")
    known: _JSON = {"role": "tool", "tool_call_id": part.call_id}
    known["content"] = _bare(content, as_text=part.plain or not log.is_own)
    return log.put(known, part.extras, path)


def _part(part: Part, path: str, log: Losses) -> _JSON | None:
    """Write one content part; None when it is lost, which is then in the log."""
    match part:
        case Text():
            return _text(part, path, log)
        case Image():
            return _image(part, path, log)
        case File(text=str() as text):
            log.add(path, "a text document becomes plain text", "note")
            head = "\n".join(each for each in (part.filename, part.context) if each)
            return _text(Text(f"{head}\n\n{text}" if head else text, cache=part.cache), path, log)
        case Refusal():
            log.add(path, "a refusal becomes plain text", "note")
            return {"type": "text", "text": part.text}
        case Opaque(dialect=dialect, data=data) if dialect == CHAT:
            return dict(data)
        case Opaque():
            kind = part.data.get("type", "content")
            severity: Severity = "note" if part.aside else "drop"
            log.add(path, f"{kind!r} of {part.dialect} has no form here", severity)
        case Audio() | File():
            log.add(
                path, f"{type(part).__name__.lower()} is not taken, only text and images", "refuse"
            )
        case _:
            log.add(path, f"a {type(part).__name__} cannot stand in this role", "refuse")
    return None


def _text(part: Text, path: str, log: Losses) -> _JSON:
    if part.citations:
        log.add(f"{path}.citations", "citations of an earlier answer have no field", "note")
    known: _JSON = {"type": "text", "text": part.text}
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _image(part: Image, path: str, log: Losses) -> _JSON | None:
    if part.data is not None:
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    elif part.url is not None:
        url = part.url
    else:
        log.add(path, "an image by a provider's file id; send it by URL or by value", "refuse")
        return None
    inner: _JSON = {"url": url}
    if part.detail is not None:
        inner["detail"] = part.detail
    known: _JSON = {"type": "image_url", "image_url": inner}
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)
