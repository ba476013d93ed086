"""Turn canonical parts into content blocks, and name what does not fit.

What is of this dialect's own making (`extras`, opaque blocks, signatures) goes out only when the
request came in this dialect; of any other it is a `Loss`. Pure. Imports: canonical, errors.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from flo2.canonical import (
    Extras,
    File,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.values import allowed_id, render_cache, sent_arguments
from flo2.dialects.anthropic_messages.vocabulary import NAME
from flo2.dialects.bookkeeping import lost_part, severity_of, word_of

__all__ = ["Block", "BlockWriter"]

Block = dict[str, Any]


class BlockWriter:
    """Write blocks of one request and collect the losses.

    Args:
        origin: The dialect the request came from.
        essential: Top-level extras that must not be left out.
    """

    def __init__(self, origin: str, essential: frozenset[str] = frozenset()) -> None:
        self.own: bool = origin == NAME
        self.essential = essential
        self.losses: list[Loss] = []

    def lose(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Note a loss."""
        self.losses.append(Loss(path, reason, severity))

    def extras(self, extras: Extras, path: str) -> Mapping[str, Any]:
        """Give unmodelled fields of this dialect; lose those of another."""
        if self.own or not extras:
            return extras
        for key, value in extras.items():
            severity = severity_of(key, value, top=not path, essential=self.essential)
            if severity is not None:
                at = f"{path}.{key}" if path else key
                self.lose(at, "not a field of this API", severity)
        return {}

    def blocks(self, parts: Iterable[Part], path: str, *, made: bool = False) -> list[Block]:
        """Write the parts of one message; those that cannot be said are left out and lost.

        Args:
            parts: What to write.
            path: Where they stand.
            made: A model made them: what only its provider knows of (a search that it ran) bore on
                its answer, which stays, and is no question that would go unheard.
        """
        written = (self.block(part, f"{path}[{i}]", made=made) for i, part in enumerate(parts))
        return [block for block in written if block is not None]

    def block(self, part: Part, path: str, *, made: bool = False) -> Block | None:
        """Write one part, or lose it."""
        match part:
            case Text():
                return self._text(part, path)
            case Image():
                return self._image(part, path)
            case File():
                return self._document(part, path)
            case ToolCall():
                return self._tool_use(part, path)
            case ToolResult():
                return self._tool_result(part, path)
            case Reasoning():
                return self._thinking(part, path)
            case Opaque():
                return self._opaque(part, path, made=made)
            case Refusal():
                self.lose(path, "a refusal is sent as text", "note")
                return {"type": "text", "text": part.text} if part.text else None
            case _:
                self.lose(path, "audio is not taken", "refuse")
        return None

    def _opaque(self, part: Opaque, path: str, *, made: bool) -> Block | None:
        if part.dialect == NAME:
            return dict(part.data)
        if part.text:
            self.lose(path, f"{word_of(part)!r} is sent as text", "note")
            return {"type": "text", "text": part.text}
        self.lose(path, *lost_part(part, made=made))
        return None

    def _finish(self, block: Block, part: Any, path: str) -> Block:
        if part.extras:
            extras = dict(self.extras(part.extras, path))
            if (left := extras.pop("source", None)) and "source" in block:
                block["source"] = {**block["source"], **left}
            block |= extras
        if part.cache is not None:
            block["cache_control"] = render_cache(part.cache)
        return block

    def _text(self, part: Text, path: str) -> Block | None:
        if not part.text and not self.own:
            # The API refuses empty text blocks; other dialects use "" to say nothing.
            return None
        block: Block = {"type": "text", "text": part.text}
        if part.citations and self.own:
            block["citations"] = [*part.citations]
        elif part.citations:
            self.lose(f"{path}.citations", "annotations are not sent back")
        return self._finish(block, part, path)

    def _source(self, part: Image | File, path: str) -> Block | None:
        if part.file_id is not None:
            if self.own:
                return {"type": "file", "file_id": part.file_id}
            self.lose(path, "a file id of another provider", "refuse")
            return None
        if part.url is not None:
            return {"type": "url", "url": part.url}
        return {"type": "base64", "media_type": part.media_type, "data": part.data}

    def _image(self, part: Image, path: str) -> Block | None:
        source = self._source(part, path)
        if source is None:
            return None
        if part.detail not in {None, "auto"}:
            self.lose(f"{path}.detail", "image detail cannot be chosen")
        return self._finish({"type": "image", "source": source}, part, path)

    def _document(self, part: File, path: str) -> Block | None:
        source: Block | None
        if part.content:
            source = {"type": "content", "content": self.blocks(part.content, f"{path}.content")}
        elif part.text is not None:
            media_type = part.media_type or "text/plain"
            source = {"type": "text", "media_type": media_type, "data": part.text}
        elif part.data is not None and not self.own:
            source = self._foreign_data(part, path)
        else:
            source = self._source(part, path)
        if source is None:
            return None
        block: Block = {"type": "document", "source": source}
        if part.filename is not None:
            block["title"] = part.filename
        if part.context is not None:
            block["context"] = part.context
        if part.citations is not None:
            block["citations"] = {"enabled": part.citations}
        return self._finish(block, part, path)

    def _foreign_data(self, part: File, path: str) -> Block | None:
        media_type = part.media_type or ""
        if not media_type and (part.filename or "").lower().endswith(".pdf"):
            media_type = "application/pdf"
        if media_type == "application/pdf":
            return {"type": "base64", "media_type": media_type, "data": part.data}
        if media_type.startswith("text/"):
            try:
                text = b64decode(part.data or "", validate=True).decode()
            except (binascii.Error, ValueError):
                self.lose(path, "a text file that is not base64 of UTF-8", "refuse")
                return None
            return {"type": "text", "media_type": "text/plain", "data": text}
        self.lose(path, f"files of type {media_type or 'unknown'!r} are not taken", "refuse")
        return None

    def _id(self, value: str, path: str) -> str:
        allowed = value if self.own else allowed_id(value)
        if allowed != value:
            self.lose(path, "an id with characters this API refuses was rewritten", "note")
        return allowed

    def _tool_use(self, part: ToolCall, path: str) -> Block | None:
        block: Block = {
            "type": "tool_use",
            "id": self._id(part.id, f"{path}.id"),
            "name": part.name,
            "input": sent_arguments(part, path, self.lose),
        }
        return self._finish(block, part, path)

    def _tool_result(self, part: ToolResult, path: str) -> Block | None:
        block: Block = {
            "type": "tool_result",
            "tool_use_id": self._id(part.call_id, f"{path}.call_id"),
        }
        match part.content:
            case (Text(text=text, citations=(), cache=None, extras=extras),) if (
                part.plain and not extras
            ):
                block["content"] = text
            case ():
                pass
            case content:
                block["content"] = self.blocks(content, f"{path}.content")
        if part.name is not None:
            self.lose(f"{path}.name", "a result is known by the id of its call alone", "note")
        if part.is_error is not None:
            block["is_error"] = part.is_error
        return self._finish(block, part, path)

    def _thinking(self, part: Reasoning, path: str) -> Block | None:
        if part.origin != NAME:
            # Another provider's signature does not verify here, and bare text is refused.
            self.lose(path, f"reasoning of {part.origin or 'another provider'}")
            return None
        extras = self.extras(part.extras, path)
        if part.encrypted is not None:
            return {"type": "redacted_thinking", "data": part.encrypted, **extras}
        if part.signature == "":
            # flo2 itself writes "" when another provider's reasoning is shown in this dialect.
            self.lose(path, "reasoning without a signature")
            return None
        sealed = {} if part.signature is None else {"signature": part.signature}
        return {"type": "thinking", "thinking": part.text, **sealed, **extras}
