"""Errors in OpenAI's envelope, and any upstream's error body read into a `ProviderError`.

Imports: base, errors.

Source: https://platform.openai.com/docs/guides/error-codes (read 2026-11-20).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from flo2.dialects.base import STATUS_OF, ErrorBody, kind_of_status
from flo2.dialects.sse import frame
from flo2.errors import ErrorKind, ProviderError, RefusedCall

__all__ = [
    "decode_error",
    "encode_error",
    "encode_stream_error",
    "error_from_frame",
    "error_object",
    "plain_text",
]

_TYPE_OF: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "budget": "insufficient_quota",
    "rate_limit": "rate_limit_error",
    "overloaded": "server_error",
    "unavailable": "server_error",
    "timeout": "server_error",
    "connection": "server_error",
    "upstream": "server_error",
    "internal": "server_error",
}
_CODE_OF: Final[Mapping[ErrorKind, str]] = {
    "authentication": "invalid_api_key",
    "budget": "insufficient_quota",
    "rate_limit": "rate_limit_exceeded",
    "not_found": "not_found",
    "too_large": "request_too_large",
}
# What a provider may say inside a 200 stream, where no status tells.
_KIND_OF_TYPE: Final[Mapping[str, tuple[ErrorKind, bool]]] = {
    "invalid_request_error": ("invalid_request", False),
    "authentication_error": ("authentication", False),
    "permission_error": ("permission", False),
    "not_found_error": ("not_found", False),
    "rate_limit_error": ("rate_limit", True),
    "rate_limit_exceeded": ("rate_limit", True),
    "tokens": ("rate_limit", True),
    "requests": ("rate_limit", True),
    "insufficient_quota": ("budget", False),
    "overloaded_error": ("overloaded", True),
    "server_error": ("upstream", True),
    "api_error": ("upstream", True),
    "timeout_error": ("timeout", True),
    # Groq's own model wrote a tool call that does not parse; another try may.
    # recordings/groq, wire fact 31.
    "tool_use_failed": ("upstream", True),
}
_PASSED_ON: Final = ("x-ratelimit-", "anthropic-ratelimit-")
_TAG: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_MESSAGE_CHARS: Final = 500


def encode_error(error: RefusedCall | ProviderError, *, request_id: str = "") -> ErrorBody:
    """Write an error in the envelope; a provider's own envelope keeps its bytes."""
    headers: dict[str, str] = {}
    if isinstance(error, ProviderError):
        headers.update(error.headers)
        status = error.status if error.status and error.status >= 400 else STATUS_OF[error.kind]
        if _is_envelope(error.body):
            return ErrorBody(status, error.body, _with_request_id(headers, request_id))
    else:
        headers.update(error.headers)
        status = error.status
    if error.retry_after_s is not None and "retry-after" not in headers:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    body = msgspec.json.encode({"error": error_object(error)})
    return ErrorBody(status, body, _with_request_id(headers, request_id))


def _with_request_id(headers: dict[str, str], request_id: str) -> dict[str, str]:
    # The official SDKs show this header of an error as `request_id`.
    return {**headers, "x-request-id": request_id} if request_id else headers


def error_object(error: RefusedCall | ProviderError) -> dict[str, Any]:
    """Write an error as the object inside the envelope."""
    return {
        "message": str(error),
        "type": getattr(error, "error_type", None) or _TYPE_OF[error.kind],
        "param": error.param,
        "code": error.code or _CODE_OF.get(error.kind),
    }


def encode_stream_error(error: RefusedCall | ProviderError) -> bytes:
    """Write an error as the last frame of a stream; no `[DONE]` follows a failure."""
    return frame(msgspec.json.encode({"error": error_object(error)}))


def _is_envelope(body: bytes) -> bool:
    payload = _json(body)
    found = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(found, dict) or "message" not in found:
        return False
    # Anthropic's envelope has an outer `type`; Google's has a `status` where OpenAI's has `type`;
    # and a response that failed holds an `error` too, and is an object of another kind.
    if "type" in payload or "object" in payload:
        return False
    return "type" in found or "status" not in found


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read an upstream error of any shape; never raises."""
    lower = {name.lower(): value for name, value in headers.items()}
    found = _facts(_json(body))
    kind, retryable = kind_of_status(status)
    code, error_type = found.get("code"), found.get("type")
    # OpenAI's 429 for an empty account: waiting does not help.
    if "insufficient_quota" in (code, error_type):
        kind, retryable = "budget", False
    if (said := lower.get("x-should-retry", "").lower()) in {"true", "false"}:
        retryable = said == "true"
    return ProviderError(
        found.get("message")
        or plain_text(body)
        or f"the provider answered {status} without a reason",
        status=status,
        kind=kind,
        retryable=retryable,
        retry_after_s=_retry_after(lower),
        code=code,
        error_type=error_type,
        param=found.get("param"),
        body=body,
        headers={
            name: value
            for name, value in lower.items()
            if name in {"retry-after", "retry-after-ms"} or name.startswith(_PASSED_ON)
        },
    )


def error_from_frame(payload: Any, raw: bytes) -> ProviderError:
    """Read an error that came inside a 200 stream or a 200 body."""
    found = _facts(payload)
    code, error_type = found.get("code"), found.get("type")
    kind: ErrorKind = "upstream"
    retryable = True
    number = found.get("status") or code
    if known := _KIND_OF_TYPE.get(code or "") or _KIND_OF_TYPE.get(error_type or ""):
        kind, retryable = known
    elif number is not None and number.isdecimal() and 400 <= int(number) < 600:
        kind, retryable = kind_of_status(int(number))
    return ProviderError(
        found.get("message") or "the provider broke the answer off without a reason",
        status=200,
        kind=kind,
        retryable=retryable,
        code=code,
        error_type=error_type,
        param=found.get("param"),
        body=raw,
    )


def _facts(payload: Any) -> dict[str, str]:
    """Find message, type, code and param in any of the envelopes seen in the wild."""
    if isinstance(payload, list) and payload:  # Google's compatible path wraps it in a list
        payload = payload[0]
    if not isinstance(payload, dict):
        return {"message": payload} if isinstance(payload, str) else {}
    inner = payload.get("error")
    if isinstance(inner, str):  # xAI: {"code": "...", "error": "..."}
        inner = {**payload, "message": inner}
    if not isinstance(inner, dict):  # Mistral, vLLM, FastAPI: no envelope
        inner = payload
    message = inner.get("message") or inner.get("detail") or inner.get("msg")
    # A reseller's own words say nothing ("Provider returned error"), the upstream's stand beside
    # them (recordings/openrouter, wire fact 39).
    if isinstance(beside := inner.get("metadata"), dict) and isinstance(beside.get("raw"), str):
        said = beside["raw"][:_MESSAGE_CHARS]
        message = f"{message}: {said}" if isinstance(message, str) and message else said
    status = inner.get("status_code") or inner.get("status")
    facts = {
        "message": message if isinstance(message, str) or not message else _dump(message),
        "type": inner.get("type") or inner.get("status"),
        "code": inner.get("code"),
        "param": inner.get("param"),
        "status": status,
    }
    return {
        key: str(value) for key, value in facts.items() if isinstance(value, str | int) and value
    }


def _dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:_MESSAGE_CHARS]


def plain_text(body: bytes) -> str:
    """Make one readable line of an HTML page or other text."""
    text = body[: 16 * _MESSAGE_CHARS].decode("utf-8", "replace")
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())[:_MESSAGE_CHARS]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait; an HTTP date counts from the answer's own `date` header."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        since = parsedate_to_datetime(headers["date"])
        return max(0.0, (until - since).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None
