"""Errors in Google's envelope, in both directions.

    {"error": {"code": 429, "message": "…", "status": "RESOURCE_EXHAUSTED", "details": […]}}

A stream without `alt=sse` wraps it into a list. Pure. Imports: errors, base.

Source: https://ai.google.dev/gemini-api/docs/troubleshooting and
https://cloud.google.com/apis/design/errors (`google.rpc.Status`), read 2026-11-25.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flo2.dialects.base import STATUS_OF, ErrorBody, kind_of_status
from flo2.dialects.jsonio import dumps, loads
from flo2.dialects.openai_chat.errors import decode_error as decode_any
from flo2.errors import ErrorKind, ProviderError, RefusedCall

__all__ = ["decode_error", "encode_error", "encode_stream_error", "frame", "stream_error"]

_WORD_OF: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "INVALID_ARGUMENT",
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "too_large": "INVALID_ARGUMENT",
    # "402 RESOURCE_EXHAUSTED: your Prepay credit balance is depleted", says the page on errors.
    "budget": "RESOURCE_EXHAUSTED",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "overloaded": "UNAVAILABLE",
    "unavailable": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "connection": "UNAVAILABLE",
    "upstream": "INTERNAL",
    "internal": "INTERNAL",
}
# For errors inside a stream that began with 200, where `code` is missing.
_KIND_OF: Final[Mapping[str, tuple[ErrorKind, bool]]] = {
    "INVALID_ARGUMENT": ("invalid_request", False),
    "FAILED_PRECONDITION": ("invalid_request", False),
    "OUT_OF_RANGE": ("invalid_request", False),
    "UNAUTHENTICATED": ("authentication", False),
    "PERMISSION_DENIED": ("permission", False),
    "NOT_FOUND": ("not_found", False),
    "RESOURCE_EXHAUSTED": ("rate_limit", True),
    "UNAVAILABLE": ("overloaded", True),
    "DEADLINE_EXCEEDED": ("timeout", True),
    "CANCELLED": ("upstream", True),
}
_CLIENT_CLOSED: Final = 499
_TYPE: Final = "type.googleapis.com/google.rpc."
_PASSED: Final = frozenset({"retry-after", "retry-after-ms"})
_LIMITS: Final = "x-ratelimit-"


def frame(value: Any) -> bytes:
    """Write one event of a stream; Google ends lines with CR LF."""
    return b"data: " + dumps(value) + b"\r\n\r\n"


def _envelope(body: bytes) -> Mapping[str, Any]:
    """Give the inner error object, or {} when the body is none of Google's."""
    try:
        value = loads(body)
    except ValueError:
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    inner = value.get("error") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _is_ours(body: bytes) -> bool:
    inner = _envelope(body)
    return isinstance(inner.get("code"), int) and isinstance(inner.get("status"), str)


def _details(inner: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    details = inner.get("details")
    if isinstance(details, list):
        for one in details:
            if isinstance(one, dict):
                yield one


def _delay(inner: Mapping[str, Any]) -> float | None:
    """Read `RetryInfo.retryDelay`, a duration such as `34.074824224s`."""
    for one in _details(inner):
        delay = one.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                seconds = float(delay[:-1])
            except ValueError:
                continue
            if 0 <= seconds < math.inf:
                return seconds
    return None


def _facts(inner: Mapping[str, Any], error: ProviderError) -> ProviderError:
    """Put into an error what only Google's envelope says."""
    word = inner.get("status")
    error.error_type = word if isinstance(word, str) else None
    error.code = error.error_type
    for one in _details(inner):
        if isinstance(reason := one.get("reason"), str):
            error.code = reason
            break
    if error.code == "API_KEY_INVALID":
        # A wrong key is a 400 INVALID_ARGUMENT here (recordings/google/crewai-crewai-test-google-
        # streaming-returns-usage-metrics-1feb0c-0).
        error.kind, error.retryable = "authentication", False
    if (delay := _delay(inner)) is not None:
        error.retry_after_s = delay
    return error


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read an upstream error of any shape; never raises."""
    error = decode_any(status, headers, body)
    error.headers = {
        name: value
        for name, value in error.headers.items()
        if name in _PASSED or name.startswith(_LIMITS)
    }
    inner = _envelope(body)
    return _facts(inner, error) if inner else error


def stream_error(raw: bytes) -> ProviderError:
    """Read an error object inside an answer that began with 200."""
    inner = _envelope(raw)
    code, word = inner.get("code"), inner.get("status")
    kind: ErrorKind = "upstream"
    retryable = True
    if isinstance(word, str) and word in _KIND_OF:
        kind, retryable = _KIND_OF[word]
    elif isinstance(code, int) and code >= 400 and code != _CLIENT_CLOSED:
        kind, retryable = kind_of_status(code)
    message = inner.get("message")
    if not isinstance(message, str) or not message:
        message = "the provider broke the answer off without a reason"
    return _facts(
        inner, ProviderError(message, status=200, kind=kind, retryable=retryable, body=raw)
    )


def _status(error: RefusedCall | ProviderError) -> int:
    if error.status is not None and error.status >= 400:
        return error.status
    return STATUS_OF[error.kind]


def _body(error: RefusedCall | ProviderError, request_id: str) -> Any:
    details: list[dict[str, Any]] = []
    if error.code:
        field = {"field": error.param} if error.param else {}
        details.append(
            {
                "@type": f"{_TYPE}ErrorInfo",
                "reason": error.code,
                "domain": "flo2",
                "metadata": field,
            }
        )
    if error.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after_s:g}s"})
    if request_id:
        details.append({"@type": f"{_TYPE}RequestInfo", "requestId": request_id})
    inner: dict[str, Any] = {
        "code": _status(error),
        "message": error.message,
        "status": _WORD_OF[error.kind],
    }
    return {"error": {**inner, "details": details} if details else inner}


def encode_error(error: RefusedCall | ProviderError, *, request_id: str = "") -> ErrorBody:
    """Write an error answer; a provider's own envelope keeps its bytes."""
    headers = {"content-type": "application/json; charset=UTF-8", **error.headers}
    if error.retry_after_s is not None and "retry-after" not in headers:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, ProviderError) and _is_ours(error.body):
        return ErrorBody(_status(error), error.body, headers)
    return ErrorBody(_status(error), dumps(_body(error, request_id)), headers)


def encode_stream_error(error: RefusedCall | ProviderError) -> bytes:
    """Write an error as the last event of a stream."""
    if isinstance(error, ProviderError) and _is_ours(error.body):
        return frame({"error": _envelope(error.body)})
    return frame(_body(error, ""))
