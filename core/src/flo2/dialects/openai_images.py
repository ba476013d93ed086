"""OpenAI Images: `POST /v1/images/generations` and `POST /v1/images/edits`.

Models that work in tokens tell them; an answer that tells none is counted in images, at the size
and quality it says, for the prices that are per image. Imports: openai_operation.

Source: https://platform.openai.com/docs/api-reference/images (read 2026-11-25), and the official
SDK's `ImagesResponse` (openai-python 3.57.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from flo2.canonical import Event, SubUsage, Usage
from flo2.dialects.base import Decoder, Operation, Peek, ReadUsage
from flo2.dialects.multipart import Form, is_form, read_form
from flo2.dialects.openai_chat.counts import Unsound, count_of, details_of, non_zero, refuse_unknown
from flo2.dialects.openai_chat.peek import decode_body
from flo2.dialects.openai_operation import AnswerDecoder, EventDecoder, OpenAIOperation
from flo2.dialects.openai_operation.codec import end_user, flag, needed
from flo2.dialects.openai_operation.sums import in_and_out

__all__ = ["OpenAIImageEdits", "OpenAIImages"]

_TOP: Final = frozenset(
    {
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "total_tokens",
    }
)
_SIDES: Final = frozenset({"text_tokens", "image_tokens"})
_SAID: Final = ("size", "quality")
_IMAGES: Final = "images"


class _Fields(msgspec.Struct):
    model: str
    prompt: Any = None
    stream: bool | None = None
    n: int | None = None
    user: Any = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


def _meters(raw: Mapping[str, Any]) -> dict[str, int]:
    """Split tokens into text and image, or count the images."""
    if _IMAGES in raw:
        made = count_of(raw, _IMAGES)
        if not made:
            raise Unsound("it holds no image and tells no usage")
        return {"output_images": made}
    given, made = in_and_out(raw, _TOP)
    inside, out = details_of(raw, "input_tokens_details"), details_of(raw, "output_tokens_details")
    refuse_unknown(inside, _SIDES, "input_tokens_details.")
    refuse_unknown(out, _SIDES, "output_tokens_details.")
    text, seen = count_of(inside, "text_tokens"), count_of(inside, "image_tokens")
    if text + seen != given:
        raise Unsound(f"text {text} + image {seen} is not input_tokens {given}")
    # What comes out of an image model is an image, where nothing says otherwise.
    written = count_of(out, "text_tokens")
    drawn = count_of(out, "image_tokens") if out else made
    if written + drawn != made:
        raise Unsound(f"text {written} + image {drawn} is not output_tokens {made}")
    return non_zero(
        {
            "input_tokens": text,
            "input_image_tokens": seen,
            "output_tokens": written,
            "output_image_tokens": drawn,
        }
    )


class _Answer(AnswerDecoder):
    """A plain answer."""

    def told(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Take its tokens, else count its images: they are what was made."""
        usage = payload.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        if "input_tokens" not in usage:
            images = payload.get("data")
            counted = len(images) if isinstance(images, list) else 0
            usage = {_IMAGES: counted, **usage}
        said = {key: payload[key] for key in _SAID if isinstance(payload.get(key), str)}
        beside = payload.get("svg_usage")
        self.use({**said, **usage, **({"svg_usage": beside} if beside else {})}, events)


class OpenAIImages(OpenAIOperation):
    """Pictures out of words."""

    name: str = "openai.images"
    api: str = "images"
    operation: Operation = "make_images"
    what: ClassVar[str] = "image request"
    _of_events: ClassVar[str] = "image_generation"

    def peek(self, body: bytes) -> Peek:
        """Read model, number and stream, and check that there is a prompt."""
        if is_form(body):
            return self.peek_form(read_form(body))
        fields: _Fields = decode_body(body, _decode)
        needed("model", fields.model)
        needed("prompt", fields.prompt)
        return Peek(
            fields.model,
            stream=bool(fields.stream),
            n=max(fields.n or 1, 1),
            end_user=end_user(fields.user),
        )

    def peek_form(self, form: Form) -> Peek:
        """Read the same of a form."""
        model = form.text("model")
        needed("model", model)
        needed("prompt", form.text("prompt"))
        n = form.text("n") or ""
        return Peek(
            model or "",
            stream=flag(form.text("stream")),
            n=max(int(n), 1) if n.isdecimal() and len(n) < 4 else 1,
            end_user=end_user(form.text("user")),
        )

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""
        return _Answer(self.name, read_usage or self.read_usage, full=full, key="data")

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream of partial images; a host that does not stream answers plainly."""
        del hide_usage
        reader = read_usage or self.read_usage
        return EventDecoder(
            self.name,
            reader,
            full=full,
            content=frozenset({f"{self._of_events}.partial_image"}),
            end=frozenset({f"{self._of_events}.completed"}),
            many=True,
            plain=_Answer(self.name, reader, full=full, key="data"),
        )

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises.

        Args:
            raw: The provider's own, with `size` and `quality` where the answer says them; `images`
                stands in it where the answer tells no tokens.
        """
        # Tokens cost the same at any size; an image does not.
        context = {key: str(raw[key]) for key in _SAID if key in raw and _IMAGES in raw}
        counts = {key: each for key, each in raw.items() if key not in {*_SAID, "svg_usage"}}
        try:
            quantities, drawn = _meters(counts), _svg(raw.get("svg_usage"))
        except Unsound as exc:
            return Usage({}, {}, raw, self.name, context, problem=str(exc))
        return Usage(quantities, {}, raw, self.name, context, subcalls=drawn)


def _svg(raw: Any) -> tuple[SubUsage, ...]:
    """Read the usage of the model that writes an SVG, "separate from image rendering usage"."""
    if not isinstance(raw, Mapping):
        return ()
    quantities = {
        "input_tokens": count_of(raw, "input_tokens"),
        "output_tokens": count_of(raw, "output_tokens"),
    }
    model = raw.get("model")
    return (SubUsage(model if isinstance(model, str) else None, "svg", non_zero(quantities), raw),)


class OpenAIImageEdits(OpenAIImages):
    """Pictures out of pictures: a form with files, or JSON with addresses."""

    name: str = "openai.images.edits"
    what: ClassVar[str] = "image edit"
    _of_events: ClassVar[str] = "image_edit"
