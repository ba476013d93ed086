"""Write canonical parts as the content of Chat Completions messages.

Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-20): a tool message
takes text and text parts only; an image is a URL or a data URL; a file is data or an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flo2.canonical import (
    Audio,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.bookkeeping import lost_part, word_of
from flo2.dialects.free_text import free_text_input
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = [
    "content_of",
    "text_of",
    "write_part",
    "write_reasoning",
    "write_tool_call",
    "write_tool_result",
]

_JSON = dict[str, Any]


def content_of(parts: Sequence[_JSON], *, as_text: bool) -> str | list[_JSON]:
    """Write one bare text as text where that is wanted, anything else as a list.

    Args:
        parts: Written content parts.
        as_text: The client wrote it so, or comes from another dialect: every compatible host takes
            plain text, not every one a list.
    """
    if (
        as_text
        and len(parts) == 1
        and parts[0].keys() == {"type", "text"}
        and parts[0]["type"] == "text"
    ):
        return str(parts[0]["text"])
    return list(parts)


def write_part(part: Part, path: str, log: LossLog, *, made: bool = False) -> _JSON | None:
    """Write one content part; None when it is lost, which is then in the log.

    Args:
        part: What to write.
        path: Where it stands.
        log: Takes the losses.
        made: A model made it: what only its provider knows of bore on its answer, which stays, and
            is no question that would go unheard.
    """
    match part:
        case Text():
            return _text(part, path, log)
        case Image():
            return _image(part, path, log)
        case Audio():
            return _audio(part, path, log)
        case File():
            return _file(part, path, log)
        case Refusal():
            return log.put({"type": "refusal", "refusal": part.text}, part.extras, path)
        case Opaque():
            if part.dialect == DIALECT:
                return dict(part.data)
            return _foreign(part, path, log, made=made)
        case Reasoning() | ToolCall() | ToolResult():
            log.add(path, f"a {type(part).__name__} cannot stand in this role", "refuse")
            return None


def _foreign(part: Opaque, path: str, log: LossLog, *, made: bool) -> _JSON | None:
    if part.text:
        log.add(path, f"{word_of(part)!r} is sent as text", "note")
        return {"type": "text", "text": part.text}
    log.add(path, *lost_part(part, made=made))
    return None


def _text(part: Text, path: str, log: LossLog) -> _JSON:
    if part.citations:
        log.add(f"{path}.citations", "citations of an earlier answer have no field", "note")
    known: _JSON = {"type": "text", "text": part.text}
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _image(part: Image, path: str, log: LossLog) -> _JSON | None:
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


def _audio(part: Audio, path: str, log: LossLog) -> _JSON | None:
    if part.data is None:
        log.add(path, "audio by an earlier id; send it by value", "refuse")
        return None
    inner: _JSON = {"data": part.data}
    if part.format is not None:
        inner["format"] = part.format
    return log.put({"type": "input_audio", "input_audio": inner}, part.extras, path)


def text_of(part: File) -> str | None:
    """Give a document of text alone as plain text, its name and context before it."""
    body = part.text
    if part.content and all(isinstance(each, Text) for each in part.content):
        body = "\n".join(each.text for each in part.content if isinstance(each, Text))
    if body is None:
        return None
    head = "\n".join(each for each in (part.filename, part.context) if each)
    return f"{head}\n\n{body}" if head else body


def _file(part: File, path: str, log: LossLog) -> _JSON | None:
    if part.citations:
        log.add(f"{path}.citations", "citations cannot be asked for")
    if (text := text_of(part)) is not None:
        log.add(path, "a text document becomes plain text", "note")
        return _text(Text(text, cache=part.cache), path, log)
    if part.url is not None and not log.is_own:
        log.add(path, "a document by URL; send it by value or by file id", "refuse")
        return None
    if part.content:
        log.add(path, "a document made of parts; send them as parts of the message", "refuse")
        return None
    if part.file_id is not None and not log.is_own:
        log.add(path, "a file id of another provider; send the document by value", "refuse")
        return None
    if part.context is not None:
        log.add(f"{path}.context", "a document's context has no field")
    inner: _JSON = {}
    if part.filename is not None:
        inner["filename"] = part.filename
    elif part.data is not None and not log.is_own:
        inner["filename"] = "document.pdf"  # file_data is refused without a name
    if part.data is not None:
        prefix = f"data:{part.media_type};base64," if part.media_type else ""
        inner["file_data"] = prefix + part.data
    if part.url is not None:
        inner["file_data"] = part.url
    if part.file_id is not None:
        inner["file_id"] = part.file_id
    known: _JSON = {"type": "file", "file": inner}
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def write_reasoning(part: Reasoning, path: str, log: LossLog) -> _JSON:
    """Write reasoning back under the field it came in; another vendor's is left out, by name."""
    if part.origin != DIALECT:
        whose = f"reasoning of {part.origin}" if part.origin else "reasoning"
        if log.hands_on and part.text:
            log.add(path, f"{whose} is handed on as text, without a signature", "note")
            return {"reasoning_content": part.text}
        log.add(path, f"{whose} cannot be handed to another provider")
        return {}
    if part.signature or part.encrypted:
        log.add(f"{path}.signature", "a reasoning signature has no field")
    fields = {key: value for key, value in part.extras.items() if value is not True}
    marked = [key for key, value in part.extras.items() if value is True]
    if not part.extras:
        marked = ["reasoning_content"]
    return {**dict.fromkeys(marked, part.text), **fields}


def write_tool_call(part: ToolCall, path: str, log: LossLog) -> _JSON:
    """Write one entry of `tool_calls`; a call without arguments gets the empty object."""
    known: _JSON = {"id": part.id} if part.id else {}
    if part.kind == "custom" and not log.is_own:
        function = {"name": part.name, "arguments": free_text_input(part.arguments)}
        known |= {"type": "function", "function": function}
    elif part.kind == "custom":
        known |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    else:
        function = {"name": part.name, "arguments": part.arguments or "{}"}
        known |= {"type": "function", "function": function}
    if part.cache is not None:
        log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _is_text(part: Part) -> bool:
    match part:
        case Text():
            return True
        case File():
            return text_of(part) is not None
        case Opaque(text=text):
            return bool(text)
        case _:
            return False


def write_tool_result(part: ToolResult, path: str, log: LossLog) -> _JSON:
    """Write a `tool` message, which holds text only; what else there is goes beside it."""
    content: list[_JSON] = []
    beside: list[_JSON] = []
    for number, each in enumerate(part.content):
        at = f"{path}.content[{number}]"
        if log.is_own or _is_text(each):
            # What the client wrote in this very dialect is the provider's to judge.
            written = write_part(each, at, log)
        else:
            written = None
            if (given := write_part(each, at, log)) is not None:
                kind = type(each).__name__.lower()
                log.add(at, f"a tool's {kind} follows in a message of the user", "note")
                if not beside:
                    beside.append({"type": "text", "text": f"From the tool call {part.call_id}:"})
                beside.append(given)
        if written is not None:
            content.append(written)
    log.beside += beside
    if beside and not content:
        content.append({"type": "text", "text": "See the message after the tools' results."})
    if part.is_error:
        log.add(f"{path}.is_error", "written as a leading 'Error: '", "note")
        content.insert(0, {"type": "text", "text": "Error: "})
        if len(content) > 1 and content[1].keys() == {"type", "text"}:
            content[:2] = [{"type": "text", "text": f"Error: {content[1]['text']}"}]
    known: _JSON = {"role": "tool", "tool_call_id": part.call_id}
    if not part.call_id:
        del known["tool_call_id"]
    if part.name is not None:
        known["name"] = part.name
    as_text = part.plain or not log.is_own
    known["content"] = content_of(content, as_text=as_text) if content or not as_text else ""
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)
