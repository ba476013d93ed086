"""Turn canonical parts into content blocks, and name what does not fit. Pure. Imports: flo2."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flo2 import (
    Audio,
    CacheHint,
    File,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.canonical import Extras, Severity
from flo2.dialects.anthropic_messages.values import tool_arguments
from flo2.dialects.jsonio import loads
from flo2_provider_bedrock.converse.vocabulary import AUDIO, DOCUMENTS, IMAGES, NAME

__all__ = ["Block", "BlockWriter", "render_cache"]

Block = dict[str, Any]

# The service model's own patterns (botocore 1.44.8, read 2026-11-25): `[a-zA-Z0-9_.:-]+` of at most
# 64 characters for the id of a call; a document's name has letters, digits, single blanks, hyphens,
# parentheses and brackets (API_runtime_DocumentBlock).
_BAD_ID: Final = re.compile(r"[^a-zA-Z0-9_.:-]")
_ID_LIMIT: Final = 64
_BAD_NAME: Final = re.compile(r"[^a-zA-Z0-9\-()\[\]]+")
_NAME_LIMIT: Final = 200
_FORMATS: Final[Mapping[str, str]] = {media_type: form for form, media_type in DOCUMENTS.items()}


def render_cache(hint: CacheHint) -> Block:
    """Write a cache point."""
    return {"cachePoint": {"type": "default", **({} if hint.ttl is None else {"ttl": hint.ttl})}}


class BlockWriter:
    """Write the blocks of one request or answer and collect the losses.

    Args:
        origin: The dialect it came from.
        essential: Top-level extras that must not be left out.
    """

    def __init__(self, origin: str, essential: frozenset[str] = frozenset()) -> None:
        self.own: bool = origin == NAME
        self.essential = essential
        self.losses: list[Loss] = []
        self._documents: set[str] = set()

    def lose(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Note a loss."""
        self.losses.append(Loss(path, reason, severity))

    def extras(self, extras: Extras, path: str) -> Mapping[str, Any]:
        """Give unmodelled fields of this dialect; lose those of another."""
        if self.own or not extras:
            return extras
        for key in extras:
            severity: Severity = "refuse" if not path and key in self.essential else "drop"
            self.lose(f"{path}.{key}" if path else key, "not a field of this API", severity)
        return {}

    def blocks(self, parts: Iterable[Part], path: str) -> list[Block]:
        """Write parts, each with the cache point after it; what cannot be said is lost."""
        written: list[Block] = []
        for i, part in enumerate(parts):
            block = self.block(part, f"{path}[{i}]")
            if block is None:
                continue
            written.append(block)
            if (hint := getattr(part, "cache", None)) is not None:
                self.extras(hint.extras, f"{path}[{i}].cache")
                written.append(render_cache(hint))
        return written

    def block(self, part: Part, path: str) -> Block | None:
        """Write one part, or lose it."""
        match part:
            case Text():
                return self._text(part, path)
            case Image():
                return self._image(part, path)
            case Audio():
                return self._audio(part, path)
            case File():
                return self._document(part, path)
            case ToolCall():
                return self._tool_use(part, path)
            case ToolResult():
                return self._tool_result(part, path)
            case Reasoning():
                return self._reasoning(part, path)
            case Opaque():
                return self._opaque(part, path)
            case Refusal():
                self.lose(path, "a refusal is sent as text", "note")
                return {"text": part.text} if part.text else None

    def _opaque(self, part: Opaque, path: str) -> Block | None:
        if part.dialect == NAME:
            return dict(part.data)
        kind = part.data.get("type", "content")
        reason = f"{kind!r} is a part of {part.dialect} only"
        self.lose(path, reason, "note" if part.aside else "refuse")
        return None

    def _text(self, part: Text, path: str) -> Block | None:
        if self.own and "json" in part.extras:
            return {"json": part.extras["json"]}
        self.extras(part.extras, path)
        if part.citations:
            if self.own:
                content = {"content": [{"text": part.text}]} if part.text else {}
                return {"citationsContent": {**content, "citations": [*part.citations]}}
            self.lose(f"{path}.citations", "annotations are not sent back")
        # Blank text is refused (`text field is blank`); other dialects use "" to say nothing.
        return {"text": part.text} if part.text or self.own else None

    def _image(self, part: Image, path: str) -> Block | None:
        self.extras(part.extras, path)
        if part.detail not in {None, "auto"}:
            self.lose(f"{path}.detail", "image detail cannot be chosen")
        form = (part.media_type or "").removeprefix("image/")
        if part.url is not None and part.url.startswith("s3://"):
            form = form or part.url.rpartition(".")[2].lower()
            source: Block = {"s3Location": {"uri": part.url}}
        elif part.data is None:
            where = "URL" if part.url is not None else "file id"
            self.lose(path, f"an image by {where}; send it by value", "refuse")
            return None
        else:
            source = {"bytes": part.data}
        form = "jpeg" if form == "jpg" else form
        if form not in IMAGES and not self.own:
            self.lose(path, f"images of type {part.media_type or 'unknown'!r}", "refuse")
            return None
        return {"image": {"format": form, "source": source}}

    def _audio(self, part: Audio, path: str) -> Block | None:
        self.extras(part.extras, path)
        if part.data is None or (part.format not in AUDIO and not self.own):
            self.lose(path, "audio by an earlier id, or of an unknown format", "refuse")
            return None
        return {"audio": {"format": part.format, "source": {"bytes": part.data}}}

    def _document(self, part: File, path: str) -> Block | None:
        self.extras(part.extras, path)
        if part.content or (part.data is None and part.text is None):
            self.lose(path, "a document by address, by id or in parts; send it by value", "refuse")
            return None
        name = part.filename if self.own else self._name(part, path)
        form = _FORMATS.get(part.media_type or "")
        if form is None and not self.own:
            ending = (part.filename or "").rpartition(".")[2].lower()
            form = ending if ending in DOCUMENTS else "txt" if part.text is not None else None
        if form is None and part.text is None:
            self.lose(path, f"files of type {part.media_type or 'unknown'!r}", "refuse")
            return None
        block: Block = {} if form is None else {"format": form}
        block["name"] = name
        block["source"] = {"text": part.text} if part.text is not None else {"bytes": part.data}
        if part.context is not None:
            block["context"] = part.context
        if part.citations is not None:
            block["citations"] = {"enabled": part.citations}
        return {"document": block}

    def _name(self, part: File, path: str) -> str:
        """Give a document a name that is allowed, and its own in this request."""
        stem = (part.filename or "Document").rpartition(".")[0] or part.filename or "Document"
        name = _BAD_NAME.sub(" ", stem).strip()[: _NAME_LIMIT - 8] or "Document"
        base, number = name, 2
        while name in self._documents:
            name, number = f"{base} {number}", number + 1
        self._documents.add(name)
        if part.filename is not None and name != part.filename:
            self.lose(f"{path}.filename", f"sent as {name!r}", "note")
        return name

    def _id(self, value: str, path: str) -> str:
        if self.own or (value and len(value) <= _ID_LIMIT and not _BAD_ID.search(value)):
            return value
        self.lose(path, "an id that this API refuses was rewritten", "note")
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{_BAD_ID.sub('_', value)[: _ID_LIMIT - 9]}_{digest}"

    def _tool_use(self, part: ToolCall, path: str) -> Block | None:
        if part.kind == "custom":
            self.lose(path, "calls of free-text tools are not known", "refuse")
            return None
        at = f"{path}.arguments"
        given = loads(part.arguments) if self.own else tool_arguments(part.arguments, at)
        call = {"toolUseId": self._id(part.id, f"{path}.id"), "name": part.name, "input": given}
        return {"toolUse": {**call, **self.extras(part.extras, path)}}

    def _tool_result(self, part: ToolResult, path: str) -> Block | None:
        if part.kind == "custom":
            self.lose(path, "results of free-text tools are not known", "refuse")
            return None
        self.extras(part.extras, path)
        if part.name is not None:
            self.lose(f"{path}.name", "a result is known by the id of its call alone", "note")
        content = [
            block
            for i, inner in enumerate(part.content)
            if (block := self.block(inner, f"{path}.content[{i}]")) is not None
        ]
        result: Block = {
            "toolUseId": self._id(part.call_id, f"{path}.call_id"),
            # A result must have content, and text must not be blank.
            "content": content if content or self.own else [{"text": "(no output)"}],
        }
        if not content and not self.own:
            self.lose(f"{path}.content", "an empty result is sent as '(no output)'", "note")
        if part.is_error is not None:
            result["status"] = "error" if part.is_error else "success"
        return {"toolResult": result}

    def _reasoning(self, part: Reasoning, path: str) -> Block | None:
        if part.origin != NAME:
            self.lose(path, f"reasoning of {part.origin or 'another provider'}")
            return None
        if part.encrypted is not None:
            return {"reasoningContent": {"redactedContent": part.encrypted}}
        sealed = {} if part.signature is None else {"signature": part.signature}
        return {"reasoningContent": {"reasoningText": {"text": part.text, **sealed}}}
