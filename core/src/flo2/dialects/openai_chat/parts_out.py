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
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["content_of", "write_part", "write_reasoning", "write_tool_call", "write_tool_result"]

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


def write_part(part: Part, path: str, log: LossLog) -> _JSON | None:
    """Write one content part; None when it is lost, which is then in the log."""
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
            kind = part.data.get("type", "content")
            severity: Severity = "note" if part.aside else "drop"
            log.add(path, f"{kind!r} of {part.dialect} has no form here", severity)
            return None
        case Reasoning() | ToolCall() | ToolResult():
            log.add(path, f"a {type(part).__name__} cannot stand in this role", "refuse")
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


def _file(part: File, path: str, log: LossLog) -> _JSON | None:
    if part.citations:
        log.add(f"{path}.citations", "citations cannot be asked for")
    if part.text is not None:
        log.add(path, "a text document becomes plain text", "note")
        head = "\n".join(each for each in (part.filename, part.context) if each)
        return _text(
            Text(f"{head}\n\n{part.text}" if head else part.text, cache=part.cache), path, log
        )
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
    if part.kind == "custom":
        known |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    else:
        function = {"name": part.name, "arguments": part.arguments or "{}"}
        known |= {"type": "function", "function": function}
    if part.cache is not None:
        log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def write_tool_result(part: ToolResult, path: str, log: LossLog) -> _JSON:
    """Write a `tool` message, which holds text only."""
    content: list[_JSON] = []
    for number, each in enumerate(part.content):
        at = f"{path}.content[{number}]"
        if isinstance(each, Text) or (isinstance(each, File) and each.text is not None):
            written = write_part(each, at, log)
        elif log.is_own:
            # What the client wrote in this very dialect is the provider's to judge.
            written = write_part(each, at, log)
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
    known: _JSON = {"role": "tool", "tool_call_id": part.call_id}
    if not part.call_id:
        del known["tool_call_id"]
    if part.name is not None:
        known["name"] = part.name
    as_text = part.plain or not log.is_own
    known["content"] = content_of(content, as_text=as_text) if content or not as_text else ""
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)
