"""Errors of the Responses API: in OpenAI's envelope, and inside an answer.

Imports: errors, sse.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25), and
`ResponseError` of the official SDK (openai 3.57) for the codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_chat.errors import error_from_frame, error_object
from flo2.dialects.openai_responses.vocabulary import JSON
from flo2.dialects.sse import frame
from flo2.errors import ErrorKind, ProviderError, RefusedCall

__all__ = ["broken", "encode_stream_error", "error_facts", "error_inside", "failed_response"]

_CLIENTS_FAULT: Final = frozenset(
    {
        "bio_policy",
        "context_length_exceeded",
        "data_residency_mismatch",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "misalignment_policy_violation",
        "unsupported_image_media_type",
    }
)
_KINDS: Final[Mapping[str, str]] = {"vector_store_timeout": "timeout_error"}
_CODE_OF: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "invalid_prompt",
    "too_large": "invalid_prompt",
    "rate_limit": "rate_limit_exceeded",
}


def error_inside(found: Any, raw: bytes) -> ProviderError:
    """Read an error that came inside an answer of status 200.

    Args:
        found: The event, or the `error` object of an answer.
        raw: The bytes around it.
    """
    inner = found.get("error") if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping):
        inner = found if isinstance(found, Mapping) else {}
    code = inner.get("code")
    fields = {key: inner.get(key) for key in ("message", "code", "param")}
    kind = inner.get("type") if inner.get("type") != "error" else None
    if isinstance(code, str) and code in _CLIENTS_FAULT:
        kind = "invalid_request_error"
    fields["type"] = _KINDS.get(str(code), kind)
    return error_from_frame({"error": fields}, raw)


def broken(message: str, *, retryable: bool = True) -> ProviderError:
    """Make the error for an answer that is not as the dialect says it must be."""
    return ProviderError(
        f"{message} (openai.responses)", status=200, kind="upstream", retryable=retryable
    )


def error_facts(error: RefusedCall | ProviderError) -> JSON:
    """Say what went wrong, as the `error` object of an answer."""
    code = error.code or _CODE_OF.get(error.kind, "server_error")
    return {"code": code, "message": str(error)}


def failed_response(error: RefusedCall | ProviderError, head: JSON | None = None) -> JSON:
    """Write the answer that an error ends; of one that never began little is known."""
    blank: JSON = {
        "id": "",
        "object": "response",
        "created_at": 0,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
        "incomplete_details": None,
    }
    return {**blank, **(head or {}), "status": "failed", "error": error_facts(error)}


def encode_stream_error(
    error: RefusedCall | ProviderError, *, sequence: int = 0, head: JSON | None = None
) -> bytes:
    """Write an error as the last two events of a stream, as OpenAI does.

    OpenAI's traffic has the facts in an inner object (recordings, wire fact 6) and its types have
    them outside; both are written. Codex ends a turn on `response.failed` alone.

    Args:
        error: What went wrong.
        sequence: Number of the next event.
        head: The answer so far.
    """
    facts = {**error_facts(error), "param": error.param}
    first = {
        "type": "error",
        "sequence_number": sequence,
        **facts,
        "error": {**error_object(error), **facts},
    }
    last = {
        "type": "response.failed",
        "response": failed_response(error, head),
        "sequence_number": sequence + 1,
    }
    return frame(dumps(first), b"error") + frame(dumps(last), b"response.failed")
