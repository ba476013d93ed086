"""Errors of Bedrock, before an answer and inside a stream.

    HTTP 429, x-amzn-errortype: ThrottlingException:http://internal…, {"message": "Too many …"}
    a message of a stream with :exception-type throttlingException and the same body

Pure. Imports: flo2, eventstream.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
and https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2 import ProviderError
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.jsonio import loads
from flo2.errors import ErrorKind
from flo2_provider_bedrock.eventstream import Message

__all__ = ["EXCEPTION_OF", "garbled", "read_error", "stream_error"]

_READER: Final = AnthropicMessages()

_KIND_OF: Final[Mapping[str, tuple[ErrorKind, bool]]] = {
    "AccessDeniedException": ("permission", False),
    "ExpiredTokenException": ("authentication", False),
    "IncompleteSignatureException": ("authentication", False),
    "InvalidSignatureException": ("authentication", False),
    "MissingAuthenticationTokenException": ("authentication", False),
    "UnrecognizedClientException": ("authentication", False),
    "InternalServerException": ("upstream", True),
    "ModelErrorException": ("upstream", True),
    "ModelNotReadyException": ("overloaded", True),
    "ModelStreamErrorException": ("upstream", True),
    "ModelTimeoutException": ("timeout", True),
    "ResourceNotFoundException": ("not_found", False),
    "ServiceQuotaExceededException": ("rate_limit", True),
    "ServiceUnavailableException": ("overloaded", True),
    "ThrottlingException": ("rate_limit", True),
    "ValidationException": ("invalid_request", False),
}

EXCEPTION_OF: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "ValidationException",
    "authentication": "UnrecognizedClientException",
    "permission": "AccessDeniedException",
    "not_found": "ResourceNotFoundException",
    "too_large": "ValidationException",
    "budget": "ServiceQuotaExceededException",
    "rate_limit": "ThrottlingException",
    "overloaded": "ServiceUnavailableException",
    "unavailable": "ServiceUnavailableException",
    "timeout": "ModelTimeoutException",
    "connection": "InternalServerException",
    "upstream": "InternalServerException",
    "internal": "InternalServerException",
}
"""How an error of any origin is called here."""


def _said(body: bytes) -> str | None:
    try:
        value = loads(body)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    # `Message` comes from the services in front of Bedrock.
    said = value.get("message") or value.get("Message")
    return said if isinstance(said, str) else None


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Read an error answer of any shape; never raises."""
    lowered = {name.lower(): value for name, value in headers.items()}
    # Statuses, `retry-after` and bodies that are no JSON mean the same at every host.
    error = _READER.decode_error(status, lowered, body)
    name = lowered.get("x-amzn-errortype", "").partition(":")[0].rpartition("#")[2]
    if message := _said(body):
        error.message = message
        error.args = (message,)
    if name:
        error.error_type = name
    if name in _KIND_OF:
        error.kind, error.retryable = _KIND_OF[name]
    return error


def stream_error(message: Message) -> ProviderError | None:
    """Read an exception inside a stream that began with 200; None: the message is none."""
    headers = message.headers
    match headers.get(":message-type", "event"):
        case "exception":
            name, said = headers.get(":exception-type", ""), _said(message.payload)
        case "error":
            name, said = headers.get(":error-code", ""), headers.get(":error-message")
        case _:
            return None
    name = name[:1].upper() + name[1:]
    kind, retryable = _KIND_OF.get(name, ("upstream", True))
    return ProviderError(
        said or f"the provider broke the stream off with {name or 'an error'!r}",
        status=200,
        kind=kind,
        retryable=retryable,
        error_type=name or None,
        body=message.payload,
    )


def garbled(what: Any, *, kind: ErrorKind = "upstream") -> ProviderError:
    """Say that an answer cannot be read, or ended too early; another attempt may help."""
    return ProviderError(str(what), status=200, kind=kind, retryable=True)
