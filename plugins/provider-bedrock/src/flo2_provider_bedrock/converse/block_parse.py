"""Turn content blocks into canonical parts; the same for requests and for answers.

A block is an object with one key, its kind. One that holds anything this module does not know is an
`Opaque` part and loses nothing. A `cachePoint` belongs to the part before it. Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve

from flo2 import (
    Audio,
    CacheHint,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.block_parse import expect
from flo2.dialects.jsonio import dumps
from flo2_provider_bedrock.converse.vocabulary import DOCUMENTS, NAME

__all__ = ["parse_block", "parse_blocks", "parse_cache_point"]

Block = Mapping[str, Any]

_DOCUMENT: Final = frozenset({"format", "name", "source", "context", "citations"})


def parse_blocks(value: Any, path: str) -> tuple[Part, ...]:
    """Parse the content of one message.

    Raises:
        InvalidRequest: no list of objects; `param` names the path.
    """
    parts: list[Part] = []
    for i, item in enumerate(expect(value, list, path)):
        block = expect(item, dict, f"{path}[{i}]")
        last = parts[-1] if parts else None
        hint = parse_cache_point(block)
        if (
            hint is not None
            and isinstance(last, Text | Image | File | ToolCall | ToolResult)
            and last.cache is None
        ):
            parts[-1] = evolve(last, cache=hint)
        else:
            parts.append(parse_block(block))
    return tuple(parts)


def parse_cache_point(block: Block) -> CacheHint | None:
    """Read a cache point; None: it is none, or of no known form."""
    match block:
        case {"cachePoint": {"type": "default", "ttl": str() as ttl, **extra}, **rest}:
            return None if extra or rest else CacheHint(ttl)
        case {"cachePoint": {"type": "default", **extra}, **rest}:
            return None if extra or rest else CacheHint()
        case _:
            return None


def parse_block(block: Block) -> Part:
    """Parse one block."""
    if len(block) == 1:
        ((kind, value),) = block.items()
        part = _known(kind, value)
        if part is not None:
            return part
    return Opaque(NAME, block)


def _known(kind: str, value: Any) -> Part | None:
    if kind == "text":
        return Text(value) if isinstance(value, str) else None
    if kind == "json":
        return Text(dumps(value).decode(), extras={"json": value})
    read = _READERS.get(kind)
    return None if read is None or not isinstance(value, dict) else read(value)


def _tool_use(value: Block) -> Part | None:
    match value:
        case {"toolUseId": str() as id_, "name": str() as name, "input": given, **rest}:
            # `server_tool_use` is a tool that Bedrock runs itself; Nova's answers write `tool_use`
            # for the client's own (recordings, nova-2-lite).
            if rest.keys() - {"type"} or rest.get("type", "tool_use") != "tool_use":
                return None
            return ToolCall(id_, name, dumps(given).decode(), extras=rest)
        case _:
            return None


def _tool_result(value: Block) -> Part | None:
    match value:
        case {"toolUseId": str() as id_, "content": list() as content, **rest}:
            status = rest.pop("status", None)
            if rest or status not in {None, "success", "error"}:
                return None
            if not all(isinstance(block, dict) for block in content):
                return None
            is_error = None if status is None else status == "error"
            return ToolResult(id_, tuple(map(parse_block, content)), is_error)
        case _:
            return None


def _reasoning(value: Block) -> Part | None:
    match value:
        case {"reasoningText": {"text": str() as text, **inner}, **rest} if not rest:
            signature = inner.pop("signature", None)
            if inner or not isinstance(signature, str | None):
                return None
            return Reasoning(text, signature, origin=NAME)
        case {"redactedContent": str() as data, **rest} if not rest:
            return Reasoning(encrypted=data, origin=NAME)
        case _:
            return None


def _cited(value: Block) -> Part | None:
    """Read text with citations; those of a web search stand in blocks without any text."""
    texts, citations = value.get("content", []), value.get("citations", [])
    if value.keys() - {"content", "citations"}:
        return None
    if not isinstance(texts, list) or not isinstance(citations, list):
        return None
    words: list[str] = []
    for each in texts:
        match each:
            case {"text": str() as text}:
                words.append(text)
            case _:
                return None
    if not all(isinstance(each, dict) for each in citations):
        return None
    return Text("".join(words), tuple(citations))


def _document(value: Block) -> Part | None:
    form, name, context = (value.get(key) for key in ("format", "name", "context"))
    known = form is None or form in DOCUMENTS
    if value.keys() - _DOCUMENT or not known or not isinstance(name, str):
        return None
    citations = value.get("citations")
    if "citations" in value and (not isinstance(citations, dict) or set(citations) != {"enabled"}):
        return None
    if not isinstance(context, str | None):
        return None
    data: str | None = None
    text: str | None = None
    match value.get("source"):
        case {"bytes": str() as data, **rest} if not rest and form is not None:
            pass
        case {"text": str() as text, **rest} if not rest:
            pass
        case _:
            return None
    return File(
        data,
        text=text,
        media_type=None if form is None else DOCUMENTS[form],
        filename=name,
        context=context,
        citations=None if citations is None else bool(citations["enabled"]),
    )


def _image(value: Block) -> Part | None:
    found = _media(value)
    return None if found is None else Image(found[1], media_type=f"image/{found[0]}")


def _audio(value: Block) -> Part | None:
    found = _media(value)
    return None if found is None else Audio(found[1], found[0])


def _media(value: Block) -> tuple[str, str] | None:
    """Give format and base64 of what is sent by value."""
    match value:
        case {"format": str() as form, "source": {"bytes": str() as data, **inner}, **rest}:
            return None if inner or rest else (form, data)
        case _:
            return None


_READERS: Final[Mapping[str, Callable[[Block], Part | None]]] = {
    "audio": _audio,
    "citationsContent": _cited,
    "document": _document,
    "image": _image,
    "reasoningContent": _reasoning,
    "toolResult": _tool_result,
    "toolUse": _tool_use,
}
