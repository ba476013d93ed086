"""The parts a message is made of.

A part holds what every dialect can mean by it; what only its own dialect knows stays in `extras`
and goes out again to that dialect only. Content nobody has modelled is an `Opaque` part.
Pure data: no I/O. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

__all__ = [
    "Audio",
    "CacheHint",
    "Extras",
    "File",
    "Image",
    "Opaque",
    "Part",
    "Reasoning",
    "Refusal",
    "Text",
    "ToolCall",
    "ToolResult",
]

Extras = Mapping[str, Any]
"""Unmodelled JSON fields of the dialect a value came from, as parsed."""


@frozen(slots=False)
class CacheHint:
    """Ask the provider to cache the prompt up to here.

    Attributes:
        ttl: Lifetime as the dialect writes it (`5m`, `1h`), or None for the provider's default.
    """

    ttl: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Text:
    """Plain text. `citations` are the dialect's own JSON objects, kept as they came."""

    text: str
    citations: tuple[Mapping[str, Any], ...] = ()
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Image:
    """An image by value (`data`: base64 text) or by address (`url`), or by a provider's `file_id`.

    Exactly one of `data`, `url`, `file_id` is set; `media_type` goes with `data`.
    """

    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Audio:
    """Audio by value: base64 `data` and its `format` (`wav`, `mp3`, …), or an `audio_id`."""

    data: str | None = None
    format: str | None = None
    audio_id: str | None = None
    transcript: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class File:
    """A document: base64 `data`, `url`, provider `file_id`, or literal `text`.

    `content` holds nested parts where a dialect allows a document made of blocks.
    """

    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    text: str | None = None
    content: tuple[Part, ...] = ()
    media_type: str | None = None
    filename: str | None = None
    context: str | None = None
    citations: bool | None = None
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class ToolCall:
    """The model asks for a tool.

    Attributes:
        arguments: JSON text exactly as the model wrote it ("" only while streaming).
        kind: `function` has JSON arguments; `custom` has free text in `arguments`.
        qualified: Namespace and name, where the client's dialect knows the tool by two words;
            `name` is then the one word for dialects without namespaces.
    """

    id: str
    name: str
    arguments: str
    kind: Literal["function", "custom"] = "function"
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)
    qualified: tuple[str, str] | None = None


@frozen(slots=False)
class ToolResult:
    """What a tool answered.

    Attributes:
        is_error: None means that the dialect did not say.
        plain: The content came as one bare string (see `Message.plain`).
    """

    call_id: str
    content: tuple[Part, ...] = ()
    is_error: bool | None = None
    name: str | None = None
    plain: bool = False
    kind: Literal["function", "custom"] = "function"
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Reasoning:
    """The model's thinking.

    Attributes:
        text: What can be read ("" when the provider hides it).
        signature: The provider's seal over it; valid only for `origin`.
        encrypted: An opaque blob in place of the text (redacted or encrypted reasoning).
        origin: The dialect whose provider made the signature or blob.
        id: The provider's id of this item, where it has one.
    """

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    origin: str = ""
    id: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Refusal:
    """The model declines, in words."""

    text: str
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Opaque:
    """Content of one dialect that flo2 does not model; goes out to that dialect only, untouched.

    Attributes:
        aside: It is no content for a model, so that nothing is lost where it is left out.
        text: What can be read of it; other dialects are sent that in its place.
    """

    dialect: str
    data: Mapping[str, Any]
    aside: bool = False
    text: str = ""


Part = Text | Image | Audio | File | ToolCall | ToolResult | Reasoning | Refusal | Opaque
