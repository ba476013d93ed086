"""Read the few fields of a chat request that every call needs, without building the rest.

Imports: base, errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from flo2.dialects.base import Peek
from flo2.errors import InvalidRequest

__all__ = ["ABSENT", "decode_body", "labels", "labels_of", "peek", "read_json", "text_of"]

T = TypeVar("T")

_AT: Final = re.compile(r" - at `\$\.?(.*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")
_NUMBER = int | float


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


ABSENT: Final = msgspec.Raw()
"""A field that a request does not have, or that is null."""

_ANY: Final = msgspec.Raw(b'"any"')


class _Fields(msgspec.Struct):
    model: str
    # Elements are the provider's to judge; Raw checks that they are JSON and builds nothing.
    messages: list[msgspec.Raw]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _NUMBER | None = None
    max_completion_tokens: _NUMBER | None = None
    n: _NUMBER | None = None
    user: Any = None
    safety_identifier: Any = None
    metadata: msgspec.Raw = ABSENT
    # As Mistral's own clients write (mistralai 3.7, read 2026-11-25).
    random_seed: msgspec.Raw = ABSENT
    tool_choice: msgspec.Raw = ABSENT


_decode: Final = msgspec.json.Decoder(_Fields).decode
_decode_any: Final = msgspec.json.Decoder().decode


def decode_body(body: bytes, decode: Any) -> Any:
    """Decode a request body, with every way it can be wrong as an `InvalidRequest`.

    Args:
        body: As it came.
        decode: A msgspec decoder's `decode`.
    """
    try:
        # msgspec does not look into strings it skips.
        body if body.isascii() else body.decode()
        return decode(body)
    except UnicodeDecodeError as exc:
        raise InvalidRequest(
            f"the request body is not UTF-8 (byte {exc.start}); encode the JSON as UTF-8",
            code="invalid_utf8",
        ) from exc
    except RecursionError as exc:
        raise InvalidRequest(
            "the request body is nested too deeply; flatten it", code="nested_too_deeply"
        ) from exc
    except msgspec.ValidationError as exc:
        _refuse(str(exc), exc)
    except msgspec.DecodeError as exc:
        reason = "it is empty" if not body.strip() else str(exc)
        raise InvalidRequest(
            f"the request body is not valid JSON: {reason}; send one JSON object",
            code="invalid_json",
        ) from exc


def _refuse(reason: str, exc: Exception) -> NoReturn:
    if missing := _MISSING.search(reason):
        inner = _AT.search(reason)
        param = f"{inner[1]}.{missing[1]}" if inner else missing[1]
        raise InvalidRequest(
            f"the field {param!r} is missing; add it to the request body",
            code="missing_field",
            param=param,
        ) from exc
    at = _AT.search(reason)
    param = at[1] if at else ""
    what = _AT.sub("", reason).replace("`", "")
    if not param:
        raise InvalidRequest(
            f"the request body is wrong: {what}; send one JSON object", code="invalid_type"
        ) from exc
    raise InvalidRequest(
        f"the field {param!r} is wrong: {what}; correct its type", code="invalid_type", param=param
    ) from exc


def read_json(body: bytes) -> dict[str, Any]:
    """Parse a whole body.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    value = decode_body(body, _decode_any)
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"the request body is a JSON {type(value).__name__}; send one JSON object",
            code="invalid_type",
        )
    return value


def peek(body: bytes) -> Peek:
    """Read and check the top level of a chat request."""
    fields: _Fields = decode_body(body, _decode)
    if not fields.model:
        raise InvalidRequest(
            "the field 'model' is ''; name a model or a route", code="missing_field", param="model"
        )
    if not fields.messages:
        raise InvalidRequest(
            "the field 'messages' is empty; send at least one message",
            code="empty_messages",
            param="messages",
        )
    stream = bool(fields.stream)
    options = fields.stream_options
    # A host that is given both may follow either one: the larger one bounds.
    bound = fields.max_tokens
    if fields.max_completion_tokens is not None:
        bound = max(fields.max_completion_tokens, bound or 0)
    n = 1 if fields.n is None else _whole("n", fields.n) or 1
    own_words = fields.random_seed is not ABSENT or fields.tool_choice == _ANY
    # By position: model, stream, wants_usage, max_output_tokens, n, end_user, metadata.
    return Peek(
        fields.model,
        stream,
        not stream or bool(options and options.include_usage),
        (bound or None) if type(bound) is int else _whole("max_completion_tokens", bound or None),
        n,
        text_of(fields.user) or text_of(fields.safety_identifier),
        None if fields.metadata is ABSENT else labels(fields.metadata),
        own_words=own_words,
    )


def text_of(value: object) -> str | None:
    """Give a text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def labels(raw: msgspec.Raw) -> Mapping[str, str] | None:
    """Give the texts of an object of a request, by name; whatever else it may be: None.

    What is no text is the provider's to judge, and attributes nothing.
    """
    try:
        return labels_of(_decode_any(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # in strings and depths that were skipped when the body was checked


def labels_of(value: object) -> Mapping[str, str] | None:
    """Give the texts of what should be an object, by name."""
    if not isinstance(value, dict):
        return None
    return {name: text for name, text in value.items() if isinstance(text, str)} or None


def _whole(name: str, value: float | None) -> int | None:
    if value is None or (type(value) is int and value > 0):
        return value
    if value != value // 1 or value < 1:
        raise InvalidRequest(
            f"the field {name!r} is {value!r}; send a whole number above 0",
            code="invalid_value",
            param=name,
        )
    return int(value)
