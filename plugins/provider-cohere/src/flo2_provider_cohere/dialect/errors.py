"""Errors as Cohere says them: an object with `message`, without an envelope. Imports: flo2.

Source: https://docs.cohere.com/errors-reference (read 2026-11-25), recordings/cohere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flo2 import ProviderError, RefusedCall
from flo2.dialects.base import STATUS_OF, ErrorBody
from flo2.dialects.openai_chat import errors as envelope
from flo2.dialects.sse import frame

__all__ = ["broken", "decode_error", "encode_error", "encode_stream_error"]

_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# A status of Cohere's own: the prompt may violate its usage guidelines
# (cohere-ai/cohere-developer-experience#189, read 2026-11-25).
_UNSAFE: Final = 498


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read an upstream error of any shape; never raises."""
    error = envelope.decode_error(status, headers, body)
    found = _object(body)
    if isinstance(kind := found.get("error_type"), str) and error.code is None:
        error.code = kind
    if status == _UNSAFE and error.code is None:
        error.code = "unsafe_request"
    return error


def encode_error(error: RefusedCall | ProviderError, *, request_id: str = "") -> ErrorBody:
    """Write an error; Cohere's own keeps its bytes."""
    headers = dict(error.headers)
    if isinstance(error, ProviderError):
        status = error.status if error.status and error.status >= 400 else STATUS_OF[error.kind]
        found = _object(error.body)
        if isinstance(found.get("message"), str) and "error" not in found:
            return ErrorBody(status, error.body, headers)
    else:
        status = error.status
    if error.retry_after_s is not None:
        headers.setdefault("retry-after", str(max(1, round(error.retry_after_s))))
    told = {"id": request_id} if request_id else {}
    return ErrorBody(status, msgspec.json.encode({**told, "message": str(error)}), headers)


def encode_stream_error(error: RefusedCall | ProviderError) -> bytes:
    """Write an error as the end of a stream."""
    delta = {"error": str(error), "finish_reason": "ERROR"}
    event = {"type": "message-end", "delta": delta}
    return frame(msgspec.json.encode(event), b"message-end")


def broken(reason: str, dialect: str, *, retryable: bool = True) -> ProviderError:
    """Say that an answer of status 200 is none."""
    return ProviderError(f"{reason} ({dialect})", status=200, kind="upstream", retryable=retryable)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except _GARBAGE:
        return {}
    return found if isinstance(found, dict) else {}
