"""Read content parts and reasoning items into canonical parts; alike in requests and answers.

A part whose `type` is not modelled here becomes an `Opaque` part and loses nothing.
Imports: canonical, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from flo2.canonical import Audio, File, Image, Opaque, Part, Reasoning, Refusal, Text
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.parts_in import split_data_url
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON, SUMMARY_BREAK

__all__ = ["read_content", "read_part", "read_reasoning"]

_TEXT: Final = frozenset({"type", "text", "annotations"})
_REFUSAL: Final = frozenset({"type", "refusal"})
_IMAGE: Final = frozenset({"type", "image_url", "file_id", "detail"})
_FILE: Final = frozenset({"type", "file_data", "file_url", "file_id", "filename"})
_AUDIO: Final = frozenset({"type", "input_audio"})
_AUDIO_DATA: Final = frozenset({"data", "format"})
_REASONING: Final = frozenset({"type", "id", "summary", "content", "encrypted_content"})


def read_content(content: Any, path: str, *, said: str = "input_text") -> Iterator[Part]:
    """Read text, or a list of content parts.

    Args:
        content: As parsed.
        path: Where it stands.
        said: The `type` that text has here as a rule.
    """
    if isinstance(content, str):
        yield Text(content)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield read_part(part, f"{path}[{number}]", said=said)
    elif content is not None:
        raise wrong(path, content, "text or an array of content parts")


def read_part(part: Any, path: str, *, said: str) -> Part:
    """Read one content part.

    Raises:
        InvalidRequest: a field of a known part is missing or has the wrong type.
    """
    if not isinstance(part, dict):
        raise wrong(path, part, "a content part")
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        return _text(part, path, said)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    found = reader(part, path) if reader else None
    # Content has a wrapper, for an item of the dialect goes by the same class.
    return found if found is not None else Opaque(DIALECT, {"content": [part]})


def _text(part: JSON, path: str, said: str) -> Part:
    text = part.get("text")
    if len(part) == 2 and isinstance(text, str) and part["type"] == said:
        return Text(text)
    fields = Fields(part, path, _TEXT)
    rest = fields.rest()
    if part["type"] != said:
        rest["type"] = part["type"]
    citations: tuple[Mapping[str, Any], ...] = ()
    if "annotations" in part:
        if part["annotations"]:
            citations = tuple(fields.need("annotations", list))
        else:
            rest["annotations"] = part["annotations"]
    return Text(fields.need("text", str), citations, extras=rest)


def _refusal(part: JSON, path: str) -> Part:
    fields = Fields(part, path, _REFUSAL)
    return Refusal(fields.need("refusal", str), fields.rest())


def _image(part: JSON, path: str) -> Part | None:
    fields = Fields(part, path, _IMAGE)
    url, file_id = part.get("image_url"), part.get("file_id")
    detail, rest = fields.get("detail", str), fields.rest()
    if isinstance(url, str) and file_id is None:
        if split := split_data_url(url):
            return Image(data=split[1], media_type=split[0], detail=detail, extras=rest)
        return Image(url=url, detail=detail, extras=rest)
    if isinstance(file_id, str) and url is None:
        return Image(file_id=file_id, detail=detail, extras=rest)
    return None


def _file(part: JSON, path: str) -> Part:
    fields = Fields(part, path, _FILE)
    data, media_type = fields.get("file_data", str), None
    if data is not None and (split := split_data_url(data)):
        media_type, data = split
    return File(
        data=data,
        url=fields.get("file_url", str),
        file_id=fields.get("file_id", str),
        media_type=media_type,
        filename=fields.get("filename", str),
        extras=fields.rest(),
    )


def _audio(part: JSON, path: str) -> Part:
    fields = Fields(part, path, _AUDIO)
    inner = Fields(fields.need("input_audio", dict), fields.at("input_audio"), _AUDIO_DATA)
    rest = fields.rest()
    if nested := inner.rest():
        rest["input_audio"] = nested
    return Audio(data=inner.need("data", str), format=inner.get("format", str), extras=rest)


_READERS: Final[Mapping[str, Callable[[JSON, str], Part | None]]] = {
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}


def _joined(parts: Any, break_: str) -> str:
    texts = (part.get("text") for part in parts or () if isinstance(part, Mapping))
    return break_.join(text for text in texts if isinstance(text, str))


def read_reasoning(item: JSON, path: str) -> Reasoning:
    """Read a reasoning item.

    The readable text is the model's own (`content`) where the host shows it, else the summary.
    """
    fields = Fields(item, path, _REASONING)
    extras = fields.rest()
    summary, content = fields.get("summary", list) or [], item.get("content")
    if "content" in item:
        extras["content"] = content
    text = _joined(content, "") if isinstance(content, list) else ""
    by_content = bool(text)
    if not by_content:
        text = _joined(summary, SUMMARY_BREAK)
    plain = [{"type": "summary_text", "text": text}] if text and not by_content else []
    if summary != plain:
        extras["summary"] = summary
    return Reasoning(
        text,
        encrypted=fields.get("encrypted_content", str),
        origin=DIALECT,
        id=fields.get("id", str),
        extras=extras,
    )
