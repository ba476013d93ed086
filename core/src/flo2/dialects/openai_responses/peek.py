"""Read the few fields of a request that every call needs, without building the rest.

Imports: base, errors, carrier.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2.dialects.base import Peek
from flo2.dialects.carrier import holds_carrier
from flo2.dialects.openai_chat.peek import ABSENT, decode_body, labels, text_of
from flo2.errors import InvalidRequest

__all__ = ["peek", "peek_count"]

_NO_INPUT: Final = (b"[]", b'""', b"null", b"")


class _Fields(msgspec.Struct):
    model: str
    # Items are the provider's to judge; Raw checks that they are JSON and builds nothing.
    input: msgspec.Raw = msgspec.Raw(b"")
    stream: bool | None = None
    background: bool | None = None
    max_output_tokens: int | float | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    user: Any = None
    safety_identifier: Any = None
    metadata: msgspec.Raw = ABSENT


_decode: Final = msgspec.json.Decoder(_Fields).decode


def peek(body: bytes) -> Peek:
    """Read and check the top level of a request.

    Raises:
        InvalidRequest: a wrong shape, or `background` without a stream: such an answer ends after
            the call that started it, so nobody would see what it used.
    """
    fields = _fields(body)
    if fields.background and not fields.stream:
        raise InvalidRequest(
            "the field 'background' is true: what such an answer costs is known only after this "
            "call; send 'stream': true with it, or leave it out",
            code="unsupported_background",
            param="background",
        )
    return _peek(fields, body)


def peek_count(body: bytes) -> Peek:
    """Read and check the top level of a counting request, which is never a stream."""
    return _peek(_fields(body), body)


def _fields(body: bytes) -> _Fields:
    fields: _Fields = decode_body(body, _decode)
    if not fields.model:
        raise InvalidRequest(
            "the field 'model' is ''; name a model or a route", code="missing_field", param="model"
        )
    if bytes(fields.input).strip() in _NO_INPUT and not (
        fields.previous_response_id or fields.conversation or fields.prompt
    ):
        raise InvalidRequest(
            "the field 'input' is missing or empty; send text or at least one item",
            code="empty_input",
            param="input",
        )
    return fields


def _peek(fields: _Fields, body: bytes) -> Peek:
    return Peek(
        model=fields.model,
        stream=bool(fields.stream),
        max_output_tokens=_whole(fields.max_output_tokens),
        end_user=text_of(fields.user) or text_of(fields.safety_identifier),
        metadata=None if fields.metadata is ABSENT else labels(fields.metadata),
        needs_render=holds_carrier(body),
        continues=fields.previous_response_id or None,
    )


def _whole(value: float | None) -> int | None:
    if value is None or (type(value) is int and value > 0):
        return value
    if value != value // 1 or value < 1:
        raise InvalidRequest(
            f"the field 'max_output_tokens' is {value!r}; send a whole number above 0",
            code="invalid_value",
            param="max_output_tokens",
        )
    return int(value)
