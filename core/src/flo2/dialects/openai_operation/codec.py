"""The base of OpenAI's dialects beside chat and embeddings: calls that only their own dialect says.

Such a call passes between equal dialects and is metered on the way. It has no canonical content:
`parse` keeps its fields in `extras`, a full decoder gives the answer as one opaque part.
Imports: canonical, base, splice, multipart, openai_chat's error envelope.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from flo2.canonical import Loss, Opaque, Request, Response, Usage
from flo2.dialects.base import (
    Decoder,
    Encoder,
    Operation,
    Peek,
    Profile,
    ReadUsage,
    Rendered,
    unsupported,
)
from flo2.dialects.multipart import Form, is_form, read_form
from flo2.dialects.openai_chat.envelope import OpenAIEnvelope
from flo2.dialects.openai_chat.peek import read_json
from flo2.dialects.openai_operation.answer import BYTES
from flo2.dialects.openai_operation.events import EventEncoder
from flo2.dialects.splice import splice
from flo2.errors import InvalidRequest, UnsupportedCall

__all__ = ["OpenAIOperation", "end_user", "flag", "needed"]

_FORM: Final = "multipart"


def needed(name: str, value: object) -> None:
    """Refuse an empty field.

    Raises:
        InvalidRequest: it is empty.
    """
    if not value:
        raise InvalidRequest(
            f"the field {name!r} is {value!r}; it must not be empty",
            code="missing_field",
            param=name,
        )


def flag(value: str | None) -> bool:
    """Read a form's yes or no."""
    return value is not None and value.strip().lower() in {"true", "1"}


def end_user(value: object) -> str | None:
    """Read `user`: attribution takes text only, the rest is the provider's to judge."""
    return value if isinstance(value, str) and value else None


class OpenAIOperation(OpenAIEnvelope, ABC):
    """Base of these dialects; a subclass sets the names and says what is in a request."""

    name: str
    api: str
    operation: Operation
    content_type: str = "application/json"
    stream_content_type: str = "text/event-stream"
    what: ClassVar[str]
    """What a request asks for, in two words, for errors."""

    @abstractmethod
    def peek(self, body: bytes) -> Peek:
        """Read the few fields every call needs; see `Dialect.peek`."""

    @abstractmethod
    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer."""

    @abstractmethod
    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises."""

    def peek_form(self, form: Form) -> Peek:
        """Read the same of a form, where the API takes one.

        Raises:
            InvalidRequest: it takes none, or a field is missing.
        """
        del form
        raise InvalidRequest(
            f"a request of {self.name} is JSON; send one JSON object", code="invalid_json"
        )

    def parse(self, body: bytes) -> Request:
        """Keep all fields, or the whole form, for a rendering of the same dialect."""
        extras: dict[str, Any]
        if is_form(body):
            form = read_form(body)
            peek, extras = self.peek_form(form), {_FORM: form}
        else:
            peek = self.peek(body)
            extras = {key: each for key, each in read_json(body).items() if key != "model"}
        return Request(
            peek.model,
            (),
            stream=peek.stream or None,
            end_user=peek.end_user,
            extras=extras,
            origin=self.name,
        )

    def check(self, request: Request, profile: Profile) -> tuple[Loss, ...]:
        """Lose nothing of its own, unless the host drops it; all else has no form here."""
        if request.origin == self.name:
            return tuple(
                Loss(key, "the model's host does not take it")
                for key in sorted(profile.drops & request.extras.keys())
            )
        return (Loss("request", f"there is no {self.what} in it for {self.name}", "refuse"),)

    def render(self, request: Request, *, model: str, profile: Profile) -> Rendered:
        """Write the request again.

        Raises:
            UnsupportedCall: it came from another dialect.
        """
        losses = self.check(request, profile)
        if request.origin != self.name:
            raise _refusal(losses)
        form = request.extras.get(_FORM)
        if isinstance(form, Form):
            return Rendered(form.replaced("model", model))
        kept = {key: each for key, each in request.extras.items() if key not in profile.drops}
        return Rendered(msgspec.json.encode({"model": model, **kept}), losses)

    def splice(self, body: bytes, peek: Peek, *, model: str) -> bytes:
        """Replace `model` in the client's own bytes."""
        if is_form(body):
            return read_form(body, until="model").replaced("model", model)
        return splice(body, old=peek.model, new=model)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode an answer; what does not stream is read whole."""
        del hide_usage
        return self.body_decoder(full=full, read_usage=read_usage)

    def encoder(self, *, include_usage: bool, asked: Request | None = None) -> Encoder:
        """Encode a stream of this same dialect, event by event."""
        del include_usage, asked
        return EventEncoder()

    def encode_response(self, response: Response) -> Rendered:
        """Encode an answer of this same dialect."""
        parts = [part for choice in response.choices for part in choice.parts]
        for part in parts:
            if isinstance(part, Opaque) and part.dialect == self.name:
                data = part.data.get(BYTES)
                whole = data if isinstance(data, bytes) else msgspec.json.encode(part.data)
                return Rendered(whole)
        raise _refusal((Loss("answer", f"it holds no {self.what} of {self.name}", "refuse"),))


def _refusal(losses: tuple[Loss, ...]) -> UnsupportedCall:
    return UnsupportedCall(unsupported(losses), losses=[str(loss) for loss in losses])
