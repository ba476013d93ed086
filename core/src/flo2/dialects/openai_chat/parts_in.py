"""Read the content of Chat Completions messages into canonical parts.

Imports: canonical, errors.

Source: https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-20).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flo2.canonical import (
    Audio,
    CacheHint,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["REASONING_FIELDS", "read_content", "read_reasoning", "read_tool_call"]

REASONING_FIELDS: Final = frozenset({"reasoning_content", "reasoning", "reasoning_details"})

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_TEXT: Final = frozenset({"type", "text"})
_IMAGE: Final = frozenset({"type", "image_url"})
_IMAGE_URL: Final = frozenset({"url", "detail"})
_AUDIO: Final = frozenset({"type", "input_audio"})
_AUDIO_DATA: Final = frozenset({"data", "format"})
_FILE: Final = frozenset({"type", "file"})
_FILE_DATA: Final = frozenset({"file_data", "file_id", "filename"})
_REFUSAL: Final = frozenset({"type", "refusal"})
_CALL: Final = frozenset({"id", "type", "function", "custom"})
_FUNCTION: Final = frozenset({"name", "arguments"})
_CUSTOM: Final = frozenset({"name", "input"})


def split_data_url(url: str) -> tuple[str, str] | None:
    """Split a base64 data URL into media type and data; None for any other address."""
    found = _DATA_URL.fullmatch(url) if url.startswith("data:") else None
    return (found[1], found[2]) if found else None


def read_content(content: Any, path: str) -> Iterator[Part]:
    """Read text, or a list of content parts."""
    if isinstance(content, str):
        yield Text(content)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield _read_part(part, f"{path}[{number}]")
    elif content is not None:
        raise wrong(path, content, "text or an array of content parts")


def _read_part(part: Any, path: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        raise wrong(path, part, "a content part")
    kind = part.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    found = reader(part, path) if reader else None
    return found if found is not None else Opaque(DIALECT, part)


def _cache(rest: dict[str, Any]) -> CacheHint | None:
    """Take the cache mark that Anthropic-serving hosts accept in this dialect (OpenRouter docs)."""
    found = rest.get("cache_control")
    if not isinstance(found, dict) or found.get("type") != "ephemeral":
        return None
    del rest["cache_control"]
    others = {key: value for key, value in found.items() if key not in {"type", "ttl"}}
    return CacheHint(found.get("ttl"), others)


def _text(part: dict[str, Any], path: str) -> Part | None:
    fields = Fields(part, path, _TEXT)
    rest = fields.rest()
    cache = _cache(rest)
    return Text(fields.need("text", str), cache=cache, extras=rest)


def _image(part: dict[str, Any], path: str) -> Part | None:
    fields = Fields(part, path, _IMAGE)
    if isinstance(part.get("image_url"), str):  # Mistral's form
        inner = Fields({"url": part["image_url"]}, path, _IMAGE_URL)
    else:
        inner = Fields(fields.need("image_url", dict), fields.at("image_url"), _IMAGE_URL)
    url, detail = inner.need("url", str), inner.get("detail", str)
    rest = fields.rest()
    cache = _cache(rest)
    if nested := inner.rest():
        rest["image_url"] = nested
    if split := split_data_url(url):
        media_type, data = split
        return Image(data=data, media_type=media_type, detail=detail, cache=cache, extras=rest)
    return Image(url=url, detail=detail, cache=cache, extras=rest)


def _audio(part: dict[str, Any], path: str) -> Part | None:
    fields = Fields(part, path, _AUDIO)
    if not isinstance(part.get("input_audio"), dict):  # Mistral sends a bare string
        return None
    inner = Fields(part["input_audio"], fields.at("input_audio"), _AUDIO_DATA)
    rest = fields.rest()
    if nested := inner.rest():
        rest["input_audio"] = nested
    return Audio(data=inner.need("data", str), format=inner.get("format", str), extras=rest)


def _file(part: dict[str, Any], path: str) -> Part | None:
    fields = Fields(part, path, _FILE)
    if not isinstance(part.get("file"), dict):
        return None
    inner = Fields(part["file"], fields.at("file"), _FILE_DATA)
    rest = fields.rest()
    cache = _cache(rest)
    if nested := inner.rest():
        rest["file"] = nested
    data, media_type, url = inner.get("file_data", str), None, None
    if data is not None and (split := split_data_url(data)):
        media_type, data = split
    elif data is not None and data.startswith(("http://", "https://")):  # OpenRouter
        data, url = None, data
    return File(
        data=data,
        url=url,
        file_id=inner.get("file_id", str),
        media_type=media_type,
        filename=inner.get("filename", str),
        cache=cache,
        extras=rest,
    )


def _refusal(part: dict[str, Any], path: str) -> Part | None:
    fields = Fields(part, path, _REFUSAL)
    return Refusal(fields.need("refusal", str), fields.rest())


_READERS: Final = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "refusal": _refusal,
}


def read_tool_call(call: Any, path: str) -> Part:
    """Read one of an assistant's `tool_calls`; an unknown kind stays opaque."""
    fields = Fields(call, path, _CALL)
    call_id = fields.get("id", str) or ""
    if isinstance(fields.value.get("custom"), dict):
        inner = Fields(fields.value["custom"], fields.at("custom"), _CUSTOM)
        rest = fields.rest()
        if nested := inner.rest():
            rest["custom"] = nested
        return ToolCall(
            call_id, inner.need("name", str), inner.get("input", str) or "", "custom", extras=rest
        )
    if not isinstance(fields.value.get("function"), dict):
        return Opaque(DIALECT, {"tool_calls": [call]})
    inner = Fields(fields.value["function"], fields.at("function"), _FUNCTION)
    rest = fields.rest()
    if nested := inner.rest():
        rest["function"] = nested
    return ToolCall(
        call_id, inner.need("name", str), inner.get("arguments", str) or "", extras=rest
    )


def read_reasoning(message: Mapping[str, Any]) -> Reasoning | None:
    """Read what compatible hosts put beside `content`: DeepSeek, Groq, vLLM, OpenRouter.

    The field's name goes into `extras`, so that the same host gets its own word back.
    """
    extras: dict[str, Any] = {}
    text = ""
    for field in ("reasoning", "reasoning_content"):
        found = message.get(field)
        if isinstance(found, str):
            # Some hosts say it twice, under both names.
            text = found
            extras[field] = True
        elif found is not None:
            extras[field] = found
    if message.get("reasoning_details"):
        extras["reasoning_details"] = message["reasoning_details"]
    if not text and not extras:
        return None
    return Reasoning(text, origin=DIALECT, extras=extras)
