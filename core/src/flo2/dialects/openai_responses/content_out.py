"""Write canonical parts as content of a Responses request.

Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25).
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
from flo2.dialects.openai_chat.parts_out import text_of
from flo2.dialects.openai_responses.losses import ResponsesLog
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON

__all__ = ["content_of", "reasoning_item", "write_part", "write_reasoning"]


def content_of(parts: Sequence[JSON], *, plain: bool) -> str | list[JSON]:
    """Write one bare text as text where that is wanted, anything else as a list."""
    if plain and len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return list(parts)


def write_part(part: Part, path: str, log: ResponsesLog, *, said: str) -> JSON | None:
    """Write one content part; None when it is lost, which is then in the log.

    Args:
        part: What to write.
        path: Where it stands.
        log: Takes the losses.
        said: The `type` that text has here.
    """
    match part:
        case Text():
            return _text(part, path, log, said)
        case Image():
            return _image(part, path, log)
        case File():
            return _file(part, path, log, said)
        case Audio():
            return _audio(part, path, log)
        case Refusal():
            return log.put({"type": "refusal", "refusal": part.text}, _part_extras(part), path)
        case Opaque(dialect=dialect, data={"content": [dict(data)]}) if dialect == DIALECT:
            return dict(data)
        case Opaque(text=text) if text:
            log.add(path, f"{word_of(part)!r} is sent as text", "note")
            return {"type": said, "text": text}
        case Opaque():
            log.add(path, *lost_part(part, made=said == "output_text"))
        case Reasoning() | ToolCall() | ToolResult():
            log.add(path, f"a {type(part).__name__} cannot stand in this role", "refuse")
    return None


def _part_extras(part: Text | Refusal) -> dict[str, Any]:
    return {key: value for key, value in part.extras.items() if key != "item"}


def _text(part: Text, path: str, log: ResponsesLog, said: str) -> JSON:
    extras = _part_extras(part) if log.is_own else part.extras
    known: JSON = {"type": said, "text": part.text}
    if log.is_own and "type" in extras:
        known["type"] = extras["type"]
    if part.citations:
        if log.is_own:
            known["annotations"] = [*part.citations]
        else:
            log.add(f"{path}.citations", "citations of an earlier answer are not sent", "note")
    log.put_cache(known, part.cache, path)
    return log.put(known, extras, path) if extras else known


def _image(part: Image, path: str, log: ResponsesLog) -> JSON | None:
    known: JSON = {"type": "input_image"}
    if part.data is not None:
        known["image_url"] = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    elif part.url is not None:
        known["image_url"] = part.url
    elif log.is_own:
        known["file_id"] = part.file_id
    else:
        log.add(path, "an image by another provider's file id; send it by value", "refuse")
        return None
    if part.detail is not None:
        known["detail"] = part.detail
    elif not log.is_own:
        known["detail"] = "auto"  # required by the API's own types
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _file(part: File, path: str, log: ResponsesLog, said: str) -> JSON | None:
    if part.citations:
        log.add(f"{path}.citations", "citations cannot be asked for")
    if (text := text_of(part)) is not None:
        log.add(path, "a text document becomes plain text", "note")
        return _text(Text(text, cache=part.cache), path, log, said)
    if part.content:
        log.add(path, "a document made of parts; send them as parts of the message", "refuse")
        return None
    if part.file_id is not None and not log.is_own:
        log.add(path, "a file id of another provider; send the document by value", "refuse")
        return None
    if part.context is not None:
        log.add(f"{path}.context", "a document's context has no field")
    known: JSON = {"type": "input_file"}
    if part.filename is not None:
        known["filename"] = part.filename
    elif part.data is not None and not log.is_own:
        known["filename"] = "document.pdf"  # file_data is refused without a name
    if part.data is not None:
        prefix = f"data:{part.media_type};base64," if part.media_type else ""
        known["file_data"] = prefix + part.data
    if part.url is not None:
        known["file_url"] = part.url
    if part.file_id is not None:
        known["file_id"] = part.file_id
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


def _audio(part: Audio, path: str, log: ResponsesLog) -> JSON | None:
    if part.data is None:
        log.add(path, "audio by an earlier id; send it by value", "refuse")
        return None
    inner: JSON = {"data": part.data}
    if part.format is not None:
        inner["format"] = part.format
    return log.put({"type": "input_audio", "input_audio": inner}, part.extras, path)


def write_reasoning(part: Reasoning, path: str, log: ResponsesLog) -> JSON | None:
    """Write a reasoning item; another vendor's is left out, by name.

    Without its encrypted form an item is found by its id, and only where it was stored: a client of
    another dialect stores nothing.
    """
    if part.origin != DIALECT:
        log.add(
            path, f"reasoning of {part.origin or 'nobody'} cannot be handed to another provider"
        )
        return None
    if part.encrypted is None and not log.is_own:
        log.add(path, "reasoning that the provider did not encrypt")
        return None
    return reasoning_item(part)


def reasoning_item(part: Reasoning) -> JSON:
    """Write this dialect's own reasoning as an item."""
    by_content = bool(part.extras.get("content"))
    known: JSON = {"type": "reasoning"}
    if part.id is not None:
        known["id"] = part.id
    known["summary"] = (
        [{"type": "summary_text", "text": text} for text in (part.text,) if text]
        if not by_content
        else []
    )
    if part.encrypted is not None:
        known["encrypted_content"] = part.encrypted
    return {**known, **part.extras}
