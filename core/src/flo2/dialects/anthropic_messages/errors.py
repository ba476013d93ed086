"""Errors of the Messages API, in both directions.

    {"type": "error", "error": {"type": "overloaded_error", "message": "…"}, "request_id": "req_…"}

Pure. Imports: errors, base.

Source: https://platform.claude.com/docs/en/api/errors, read 2026-11-25.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from flo2.dialects.base import STATUS_OF, ErrorBody, kind_of_status
from flo2.dialects.jsonio import dumps, loads
from flo2.dialects.sse import frame
from flo2.errors import ErrorKind, ProviderError, RefusedCall, UnsupportedCall

__all__ = ["decode_error", "encode_error", "encode_stream_error", "stream_error"]

_TYPE_OF: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "budget": "billing_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "unavailable": "api_error",
    "timeout": "timeout_error",
    "connection": "api_error",
    "upstream": "api_error",
    "internal": "api_error",
}
_KIND_OF: Final[Mapping[str, ErrorKind]] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "billing_error": "budget",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "upstream",
}
_RETRYABLE: Final[frozenset[ErrorKind]] = frozenset(
    {"rate_limit", "overloaded", "unavailable", "timeout", "connection", "upstream", "internal"}
)
_OVERLOADED_STATUS: Final = 529

_PASSED: Final = frozenset({"retry-after", "retry-after-ms", "request-id", "x-should-retry"})
_RATE_LIMITS: Final = "anthropic-ratelimit-"


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Read `retry-after-ms` or `retry-after`; a date says nothing to code without a clock."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def _envelope(body: bytes) -> dict[str, Any]:
    """Give the inner error object, or {} when the body is no JSON error (HTML, nothing)."""
    try:
        value = loads(body)
    except ValueError:
        return {}
    # A 413 comes without the outer `type` (claude-code issue 10314).
    inner = value.get("error") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _build(
    inner: Mapping[str, Any], *, status: int, body: bytes, headers: Mapping[str, str]
) -> ProviderError:
    error_type = _text(inner.get("type"))
    message = _text(inner.get("message"))
    kind, retryable = kind_of_status(status)
    in_stream = status < 400
    # A 401 is about the key, whatever its body says: its words may quote it.
    if error_type is not None and error_type in _KIND_OF and status != 401:
        kind = _KIND_OF[error_type]
        retryable = kind in _RETRYABLE if in_stream else retryable
    elif in_stream:
        kind, retryable = "upstream", True
    if message and "credit balance is too low" in message:
        # An empty account is a 400 `invalid_request_error` and not a 402 (public threads).
        kind, retryable = "budget", False
    # The official SDKs obey this header before any rule of their own.
    if (said := headers.get("x-should-retry")) in {"true", "false"}:
        retryable = said == "true"
    details = inner.get("details")
    code = _text(details.get("error_code")) if isinstance(details, dict) else None
    where = "in the stream" if in_stream else f"with status {status}"
    return ProviderError(
        message or f"the provider failed {where} and gave no message that can be read",
        status=status,
        kind=kind,
        retryable=retryable,
        retry_after_s=_seconds(headers),
        code=code,
        error_type=error_type,
        body=body,
        headers={
            name: value
            for name, value in headers.items()
            if name in _PASSED or name.startswith(_RATE_LIMITS)
        },
    )


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read an upstream error of any shape."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return _build(_envelope(body), status=status, body=body, headers=lowered)


def stream_error(data: bytes) -> ProviderError:
    """Read the `error` event of a stream that began with 200."""
    return _build(_envelope(data), status=200, body=data, headers={})


def _is_ours(body: bytes) -> bool:
    """Whether a provider's body already is an error envelope of this dialect."""
    if not body:
        return False
    inner = _envelope(body)
    # OpenAI's envelope has `error` too, but with `code` and `param` beside the type.
    return _text(inner.get("type")) is not None and not {"code", "param"} & inner.keys()


def _body(error: RefusedCall | ProviderError, request_id: str) -> bytes:
    if isinstance(error, ProviderError) and _is_ours(error.body):
        return error.body
    inner: dict[str, Any] = {"type": _TYPE_OF[error.kind], "message": error.message}
    if isinstance(error, ProviderError) and error.error_type in _KIND_OF:
        inner["type"] = error.error_type
    if isinstance(error, UnsupportedCall) and any(
        loss.partition(":")[0] == "thread" for loss in error.losses
    ):
        # Both official SDKs go on without message threads when they read this (tried with
        # anthropic-python 2.12 and @anthropic-ai/sdk 1.12).
        unsupported = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        inner["details"] = unsupported
    return dumps({"type": "error", "error": inner, "request_id": request_id or None})


def _status(error: RefusedCall | ProviderError) -> int:
    if error.status is not None and error.status >= 400:
        return error.status
    return _OVERLOADED_STATUS if error.kind == "overloaded" else STATUS_OF[error.kind]


def encode_error(error: RefusedCall | ProviderError, *, request_id: str = "") -> ErrorBody:
    """Write an error answer."""
    headers = {"content-type": "application/json", **error.headers}
    if error.retry_after_s is not None and "retry-after" not in headers:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return ErrorBody(_status(error), _body(error, request_id), headers)


def encode_stream_error(error: RefusedCall | ProviderError) -> bytes:
    """Write the `error` event that ends a stream."""
    return frame(_body(error, ""), b"error")
