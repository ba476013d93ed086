"""What a provider of one dialect is asked in the provider suite, and what it answers.

Texts hold characters of two and four bytes, unescaped, so that cuts fall inside them; requests hold
a field and a content part that flo2 does not model. Imports: dialects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import frozen

from flo2.dialects.base import Dialect

__all__ = ["TEXT", "UNKNOWN_FIELD", "UNKNOWN_PART", "Sample", "dump"]

_BOUNDARY = "sample-boundary"
TEXT = "Grüße 🌍, fertig."
UNKNOWN_FIELD = "x_invented_last_week"
UNKNOWN_PART: dict[str, Any] = {"type": "x_hologram", "x_hologram": {"depth": 3}}


@frozen
class Sample:
    """What a provider of one dialect is asked, and what it answers.

    Attributes:
        dialect: The dialect.
        request: The request; `model` and `stream` are set by `body`.
        plain: The plain answer.
        stream: The streamed answer, or b"" where there are no streams.
        unasked: The frame a client does not see unless it asked for usage, or b"".
        ask: What a client adds to ask for that frame.
        error: The error envelope.
        input_total: Tokens of the prompt that the answer tells.
        output_total: Tokens of the answer that it tells.
        in_url: Model and stream stand in the URL: no body has them.
        sent: What the host is sent for a client's bytes, where it wants them otherwise.
        shown: What a client of the dialect sees of `stream` (of `plain`, where there are no
            streams), where the host writes it otherwise.
        asks_stream: What a client adds to ask for a stream.
        is_form: The request is a form with a file, `model` one of its fields.
        has_parts: Its content is made of parts, as a conversation's is.
        tells_usage: The plain answer has a place for its usage.
        beside_json: What else the plain answer may be: any `text`, any `bytes`.
    """

    dialect: Dialect
    request: Mapping[str, Any]
    plain: bytes
    error: bytes
    stream: bytes = b""
    unasked: bytes = b""
    ask: Mapping[str, Any] = {}
    input_total: int = 0
    output_total: int = 0
    in_url: bool = False
    sent: Callable[[bytes], bytes] = bytes
    shown: bytes = b""
    asks_stream: Mapping[str, Any] = {"stream": True}
    is_form: bool = False
    has_parts: bool = True
    tells_usage: bool = True
    beside_json: Literal["", "text", "bytes"] = ""

    @property
    def content_type(self) -> str:
        """Type of the request."""
        return f"multipart/form-data; boundary={_BOUNDARY}" if self.is_form else "application/json"

    @property
    def seen(self) -> bytes:
        """What a client that asked for everything sees of the stream."""
        return self.shown or self.stream

    def body(self, model: str, *, stream: bool = False, asks: bool = True) -> bytes:
        """Write the request as a client would.

        Args:
            model: As the client names it.
            stream: Whether it wants a stream.
            asks: Whether it asks for the usage of a stream, where there is a choice.
        """
        fields = {**({} if self.in_url else {"model": model}), **self.request}
        if stream and not self.in_url:
            fields |= self.asks_stream
            if asks:
                fields |= self.ask
        if self.is_form:
            return _form(fields)
        return json.dumps(fields, ensure_ascii=False).encode()


def _form(fields: Mapping[str, Any]) -> bytes:
    """Write a form: the fields as text, and a file with bytes of every kind."""
    disposition = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [
        f'{disposition}"{name}"\r\n\r\n{"true" if value is True else value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'{disposition}"file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'.encode()
    return b"".join(
        [*parts, head, b"RIFF\r\n", bytes(range(256)), f"\r\n--{_BOUNDARY}--\r\n".encode()]
    )


def dump(value: Any) -> bytes:
    """Write JSON as providers do: compact, nothing escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
