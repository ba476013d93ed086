"""Turn parts of a content into canonical parts; the same for requests and for answers.

A part whose kind is not modelled becomes an `Opaque` part and loses nothing. Unknown keys of a
known part go to `extras`. A `thoughtSignature` on anything but a thought becomes a `Reasoning`
without words, marked with the part it seals, so that it travels wherever reasoning does.
Pure. Imports: canonical, errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import (
    Audio,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.block_parse import expect, rest_of
from flo2.dialects.gemini.call_ids import Calls
from flo2.dialects.gemini.media import audio_format
from flo2.dialects.gemini.seals import BESIDE, ON_NEXT, ON_PREVIOUS, seal, unseal
from flo2.dialects.gemini.spelling import alphabet, items, message
from flo2.dialects.gemini.vocabulary import NAME, PLACEHOLDER
from flo2.dialects.jsonio import dumps

__all__ = ["parse_part", "parse_parts"]

Fields = Mapping[str, Any]

_TEXT: Final = frozenset({"text", "thought", "thoughtSignature"})
_INLINE: Final = frozenset({"inlineData", "thought", "thoughtSignature"})
_FILE: Final = frozenset({"fileData", "thought", "thoughtSignature"})
_CALL: Final = frozenset({"functionCall", "thought", "thoughtSignature"})
_CALL_FIELDS: Final = frozenset({"id", "name", "args"})
_RESULT: Final = frozenset({"functionResponse", "thought"})
_RESULT_FIELDS: Final = frozenset({"id", "name", "response", "parts"})
_BLOB: Final = frozenset({"data", "mimeType"})
_LINK: Final = frozenset({"fileUri", "mimeType"})

# What nobody but Google can fetch: its file store, its cloud's buckets, videos by their page.
_GOOGLES: Final = re.compile(
    r"gs://|files/|https://generativelanguage\.googleapis\.com/|"
    r"https://(?:www\.)?(?:youtube\.com|youtu\.be)/"
)


def parse_parts(value: Any, path: str, calls: Calls) -> tuple[Part, ...]:
    """Parse the parts of one content.

    Raises:
        InvalidRequest: a field of a known part is missing or has the wrong type.
    """
    parts: list[Part] = []
    for i, raw in enumerate(items(value, path)):
        found = parse_part(raw, f"{path}[{i}]", calls)
        if isinstance(first := found[0], Reasoning) and first.origin != NAME:
            # What a carrier brings back whole was also shown piece by piece.
            while parts and isinstance(shown := parts[-1], Reasoning) and not shown.signature:
                parts.pop()
        parts += found
    return tuple(parts)


def parse_part(raw: Any, path: str, calls: Calls) -> tuple[Part, ...]:
    """Parse one part, and what its signature becomes.

    Raises:
        InvalidRequest: a field of a known part is missing or has the wrong type.
    """
    part = message(raw, path)
    if "text" in part:
        return _text(part, path)
    if "functionCall" in part:
        return _sealed(part, path, _call(part, path, calls))
    if "functionResponse" in part:
        return (_result(part, path, calls),)
    if "inlineData" in part:
        return _sealed(part, path, _inline(part, path))
    if "fileData" in part:
        return _sealed(part, path, _link(part, path))
    if "thoughtSignature" in part and part.keys() <= _TEXT:
        return _text({"text": "", **part}, path)
    return (Opaque(NAME, raw),)


def _signature(part: Fields, path: str) -> str | None:
    signature = part.get("thoughtSignature")
    return expect(signature, str, f"{path}.thoughtSignature") if signature else None


def _text(part: Fields, path: str) -> tuple[Part, ...]:
    text = expect(part["text"], str, f"{path}.text")
    if len(part) == 1:
        return (Text(text),)
    rest = rest_of(part, _TEXT)
    signature = _signature(part, path)
    if part.get("thought") is True:
        return (unseal(text, signature, rest),)
    if signature is None:
        return (Text(text, extras=rest),)
    if not text:
        return (seal(signature, BESIDE, rest),)
    return (Text(text, extras=rest), seal(signature, ON_PREVIOUS))


def _sealed(part: Fields, path: str, found: Part) -> tuple[Part, ...]:
    signature = _signature(part, path)
    if signature == PLACEHOLDER:  # it stands for a signature that nobody has made
        return Opaque(NAME, {"thoughtSignature": signature}, aside=True), found
    return (found,) if signature is None else (seal(signature, ON_NEXT), found)


def _call(part: Fields, path: str, calls: Calls) -> Part:
    at = f"{path}.functionCall"
    call = message(part["functionCall"], at)
    rest = rest_of(part, _CALL)
    if inner := rest_of(call, _CALL_FIELDS):
        rest["functionCall"] = inner
    name = expect(call.get("name", ""), str, f"{at}.name")
    call_id = call.get("id")
    arguments = expect(call.get("args", {}), dict, f"{at}.args")
    return ToolCall(
        id=calls.called(call_id and expect(call_id, str, f"{at}.id"), name),
        name=name,
        arguments=dumps(arguments).decode(),
        extras=rest,
    )


def _result(part: Fields, path: str, calls: Calls) -> Part:
    at = f"{path}.functionResponse"
    result = message(part["functionResponse"], at)
    rest = rest_of(part, _RESULT)
    if inner := rest_of(result, _RESULT_FIELDS):
        rest["functionResponse"] = inner
    name = expect(result.get("name", ""), str, f"{at}.name")
    call_id = result.get("id")
    content, is_error, plain = _output(result.get("response", {}), f"{at}.response")
    media = parse_parts(result.get("parts"), f"{at}.parts", calls)
    return ToolResult(
        call_id=calls.answered(call_id and expect(call_id, str, f"{at}.id"), name),
        content=(*content, *media),
        is_error=is_error,
        name=name,
        plain=plain,
        extras=rest,
    )


def _output(response: Any, path: str) -> tuple[tuple[Text, ...], bool | None, bool]:
    """Read what a function gave: its content, whether it is an error, whether it is one bare text.

    "Use "output" key to specify function output and "error" key to specify error details (if any).
    If [they] are not specified, then whole "response" is treated as function output" (docstring of
    `FunctionResponse.response`, google-genai 3.6.1).
    """
    match expect(response, dict, path):
        case {"output": str() as text, **others} if not others:
            return (Text(text),), None, True
        case {"error": str() as text, **others} if not others:
            return ((Text(text),) if text else ()), True, bool(text)
        case {"output": [str(), str(), *_] as texts, **others} if not others and _all_text(texts):
            return tuple(Text(text) for text in texts), None, False
        case {"error": [str(), str(), *_] as texts, **others} if not others and _all_text(texts):
            return tuple(Text(text) for text in texts), True, False
        case {} as nothing if not nothing:
            return (), None, False
        case whole:
            return (Text(dumps(whole).decode()),), None, False


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _inline(part: Fields, path: str) -> Part:
    at = f"{path}.inlineData"
    blob = message(part["inlineData"], at)
    data = alphabet(expect(blob.get("data", ""), str, f"{at}.data"))
    media_type = expect(blob.get("mimeType", ""), str, f"{at}.mimeType")
    rest = rest_of(part, _INLINE)
    kind, _, form = media_type.partition("/")
    if kind in {"image", "audio"}:
        if inner := rest_of(blob, _BLOB):
            rest["inlineData"] = inner
        if kind == "image":
            return Image(data=data, media_type=media_type, extras=rest)
        return Audio(data=data, format=audio_format(form), extras=rest)
    name = _name(rest, blob, "inlineData", _BLOB)
    return File(data=data, media_type=media_type or None, filename=name, extras=rest)


def _link(part: Fields, path: str) -> Part:
    at = f"{path}.fileData"
    link = message(part["fileData"], at)
    uri = expect(link.get("fileUri", ""), str, f"{at}.fileUri")
    media_type = link.get("mimeType")
    if media_type is not None:
        media_type = expect(media_type, str, f"{at}.mimeType")
    rest = rest_of(part, _FILE)
    file_id, url = (uri, None) if _GOOGLES.match(uri) else (None, uri)
    if media_type is not None and media_type.startswith("image/"):
        if inner := rest_of(link, _LINK):
            rest["fileData"] = inner
        return Image(file_id=file_id, url=url, media_type=media_type, extras=rest)
    name = _name(rest, link, "fileData", _LINK)
    return File(file_id=file_id, url=url, media_type=media_type, filename=name, extras=rest)


def _name(rest: dict[str, Any], inner: Fields, key: str, known: frozenset[str]) -> str | None:
    """Take the name that a file is shown under; what else is unknown of it goes to `rest`."""
    left = rest_of(inner, known)
    name = left.get("displayName")
    if isinstance(name, str):
        del left["displayName"]
    if left:
        rest[key] = left
    return name if isinstance(name, str) else None
