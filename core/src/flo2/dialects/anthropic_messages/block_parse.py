"""Turn content blocks into canonical parts; the same for requests and for answers.

A block whose `type` is not modelled here becomes an `Opaque` part and loses nothing. Unknown keys
of a known block go to `extras`. Pure. Imports: canonical, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flo2.canonical import (
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
from flo2.dialects.anthropic_messages.vocabulary import NAME
from flo2.dialects.carrier import returned
from flo2.dialects.jsonio import dumps
from flo2.errors import InvalidRequest

__all__ = ["expect", "parse_block", "parse_cache", "parse_content", "rest_of"]

Block = Mapping[str, Any]
_T = TypeVar("_T")

_WORDS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
}


def expect(value: Any, kind: type[_T], path: str) -> _T:
    """Check the type of a field.

    Raises:
        InvalidRequest: it has another type; `param` is the path.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidRequest(
            f"{path}: expected {_WORDS[kind]}, got {type(value).__name__}", param=path
        )
    return value


def rest_of(block: Block, known: frozenset[str]) -> dict[str, Any]:
    """Pick the keys that are not modelled."""
    return {key: value for key, value in block.items() if key not in known}


def parse_cache(block: Block, rest: dict[str, Any]) -> CacheHint | None:
    """Read `cache_control`; a form that is not modelled stays in `rest`."""
    if "cache_control" not in block:
        return None
    value = block["cache_control"]
    if not isinstance(value, dict) or value.get("type") != "ephemeral":
        rest["cache_control"] = value
        return None
    ttl = value.get("ttl")
    known = frozenset({"type", "ttl"}) if isinstance(ttl, str) else frozenset({"type"})
    return CacheHint(ttl=ttl if isinstance(ttl, str) else None, extras=rest_of(value, known))


_TEXT: Final = frozenset({"type", "text", "citations", "cache_control"})


def _text(block: Block, path: str) -> Part:
    text = expect(block.get("text"), str, f"{path}.text")
    if len(block) == 2:
        return Text(text)
    rest = rest_of(block, _TEXT)
    cache = parse_cache(block, rest)
    citations: tuple[Mapping[str, Any], ...] = ()
    if "citations" in block:
        if block["citations"]:
            given = expect(block["citations"], list, f"{path}.citations")
            at = f"{path}.citations["
            citations = tuple(expect(each, dict, f"{at}{i}]") for i, each in enumerate(given))
        else:
            rest["citations"] = block["citations"]
    return Text(text, citations, cache, rest)


_IMAGE: Final = frozenset({"type", "source", "cache_control"})
_SOURCE: Final[Mapping[str, tuple[str, ...]]] = {
    "base64": ("data", "media_type"),
    "url": ("url",),
    "file": ("file_id",),
    "text": ("data", "media_type"),
}


def _source(block: Block, rest: dict[str, Any]) -> tuple[str, dict[str, str]] | None:
    """Give the kind of a source and its modelled fields; None: not modelled."""
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str) or kind not in _SOURCE:
        return None
    fields = {name: source[name] for name in _SOURCE[kind] if isinstance(source.get(name), str)}
    if len(fields) < len(_SOURCE[kind]):
        return None
    if left := rest_of(source, frozenset({"type", *fields})):
        rest["source"] = left
    return kind, fields


def _image(block: Block, path: str) -> Part:  # noqa: ARG001  # one signature for all readers
    rest = rest_of(block, _IMAGE)
    found = _source(block, rest)
    if found is None or found[0] == "text":
        return Opaque(NAME, block)
    return Image(**found[1], cache=parse_cache(block, rest), extras=rest)


_DOCUMENT: Final = frozenset({"type", "source", "title", "context", "citations", "cache_control"})


def _document(block: Block, path: str) -> Part:
    rest = rest_of(block, _DOCUMENT)
    source = block.get("source")
    content: tuple[Part, ...] = ()
    if isinstance(source, dict) and source.get("type") == "content":
        fields: dict[str, str] = {}
        content, _ = parse_content(source.get("content"), f"{path}.source.content")
        if left := rest_of(source, frozenset({"type", "content"})):
            rest["source"] = left
    else:
        found = _source(block, rest)
        if found is None:
            return Opaque(NAME, block)
        kind, fields = found
        if kind == "text":
            fields["text"] = fields.pop("data")
    citations = block.get("citations")
    enabled = None
    if isinstance(citations, dict) and set(citations) == {"enabled"}:
        enabled = bool(citations["enabled"])
    elif "citations" in block:
        rest["citations"] = citations
    named: dict[str, str | None] = {}
    for key, name in (("title", "filename"), ("context", "context")):
        value = block.get(key)
        if isinstance(value, str):
            named[name] = value
        elif key in block:
            rest[key] = value
    cache = parse_cache(block, rest)
    return File(**fields, **named, content=content, citations=enabled, cache=cache, extras=rest)


_TOOL_USE: Final = frozenset({"type", "id", "name", "input", "cache_control"})


def _tool_use(block: Block, path: str) -> Part:
    rest = rest_of(block, _TOOL_USE)
    return ToolCall(
        id=expect(block.get("id"), str, f"{path}.id"),
        name=expect(block.get("name"), str, f"{path}.name"),
        arguments=dumps(expect(block.get("input"), dict, f"{path}.input")).decode(),
        cache=parse_cache(block, rest),
        extras=rest,
    )


_TOOL_RESULT: Final = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})


def _tool_result(block: Block, path: str) -> Part:
    rest = rest_of(block, _TOOL_RESULT)
    content: tuple[Part, ...] = ()
    plain = False
    if block.get("content") is not None:
        content, plain = parse_content(block["content"], f"{path}.content")
    is_error = block.get("is_error")
    return ToolResult(
        call_id=expect(block.get("tool_use_id"), str, f"{path}.tool_use_id"),
        content=content,
        is_error=None if is_error is None else expect(is_error, bool, f"{path}.is_error"),
        plain=plain,
        cache=parse_cache(block, rest),
        extras=rest,
    )


_THINKING: Final = frozenset({"type", "thinking", "signature"})


def _thinking(block: Block, path: str) -> Part:
    signature = block.get("signature")
    return Reasoning(
        text=expect(block.get("thinking"), str, f"{path}.thinking"),
        signature=None if signature is None else expect(signature, str, f"{path}.signature"),
        origin=NAME,
        extras=rest_of(block, _THINKING),
    )


_REDACTED: Final = frozenset({"type", "data"})


def _redacted(block: Block, path: str) -> Part:
    return Reasoning(
        encrypted=expect(block.get("data"), str, f"{path}.data"),
        origin=NAME,
        extras=rest_of(block, _REDACTED),
    )


_READERS: Final[Mapping[Any, Callable[[Block, str], Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}


def _readable(block: Block) -> str:
    """Give the text of a block that is not modelled, where that is all it says."""
    match block:
        case {"type": "search_result", "content": list(content)}:
            head = [block.get("title"), block.get("source")]
            texts = [each.get("text") for each in content if isinstance(each, dict)]
            return "\n".join(word for word in [*head, *texts] if isinstance(word, str))
        case {"type": "tool_reference", "tool_name": str(name)}:
            # What a client's own search for tools found; the tool itself stands among `tools`.
            return f"Found the tool {name}."
        case _:
            return ""


def parse_block(block: Any, path: str) -> Part:
    """Turn one block into a part.

    Raises:
        InvalidRequest: a field of a known block is missing or has the wrong type.
    """
    kind = expect(block, dict, path).get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return reader(block, path) if reader else Opaque(NAME, block, text=_readable(block))


def parse_content(content: Any, path: str) -> tuple[tuple[Part, ...], bool]:
    """Parse a string or a list of blocks; also say whether it was a bare string."""
    if isinstance(content, str):
        return (Text(content),), True
    blocks = expect(content, list, path)
    parts = (parse_block(block, f"{path}[{i}]") for i, block in enumerate(blocks))
    return tuple(returned(part) if isinstance(part, Reasoning) else part for part in parts), False
