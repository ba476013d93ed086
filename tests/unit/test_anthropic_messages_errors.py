"""Errors of the Messages API, read and written."""

from __future__ import annotations

import json

import pytest

from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    ProviderError,
    RequestTooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedCall,
)

DIALECT = AnthropicMessages()


def envelope(kind: str, message: str = "m", **inner) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": kind, "message": message} | inner}
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, envelope("invalid_request_error"), "invalid_request", False),
        (400, envelope("invalid_request_error", "Your credit balance is too low"), "budget", False),
        (401, envelope("authentication_error"), "authentication", False),
        (401, envelope("invalid_request_error"), "authentication", False),
        (402, envelope("billing_error"), "budget", False),
        (403, envelope("permission_error"), "permission", False),
        (404, envelope("not_found_error"), "not_found", False),
        (409, envelope("conflict_error"), "upstream", True),
        (413, b'{"error": {"type": "request_too_large", "message": "m"}}', "too_large", False),
        (413, b"<html><h1>413</h1></html>", "too_large", False),
        (429, envelope("rate_limit_error"), "rate_limit", True),
        (500, envelope("api_error"), "upstream", True),
        (502, b"<html>Bad Gateway</html>", "upstream", True),
        (504, envelope("timeout_error"), "timeout", True),
        (529, envelope("overloaded_error"), "overloaded", True),
        (529, b"", "overloaded", True),
        (503, b"\xff\xfe", "overloaded", True),
        (400, b'{"error": "text"}', "invalid_request", False),
        (418, b"null", "invalid_request", False),
    ],
)
def test_upstream_errors_of_any_shape(status, body, kind, retryable):
    error = DIALECT.decode_error(status, {}, body)
    assert (error.status, error.kind, error.retryable, error.body) == (
        status,
        kind,
        retryable,
        body,
    )
    assert error.message


def test_the_rest_of_an_error_is_kept():
    headers = {
        "Retry-After": "17",
        "Anthropic-RateLimit-Tokens-Remaining": "0",
        "request-id": "req_1",
        "set-cookie": "secret",
        "cf-ray": "x",
    }
    details = {"error_code": "ramp_limit_exceeded"}
    error = DIALECT.decode_error(429, headers, envelope("rate_limit_error", details=details))
    assert error.retry_after_s == 17.0
    assert (error.error_type, error.code, error.message) == (
        "rate_limit_error",
        "ramp_limit_exceeded",
        "m",
    )
    assert error.headers == {
        "retry-after": "17",
        "anthropic-ratelimit-tokens-remaining": "0",
        "request-id": "req_1",
    }


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Wed, 25 Nov 2026 08:00:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert DIALECT.decode_error(429, headers, b"").retry_after_s == seconds


@pytest.mark.parametrize(("said", "retryable"), [("true", True), ("false", False), ("?", False)])
def test_the_provider_decides_about_retries(said, retryable):
    error = DIALECT.decode_error(400, {"x-should-retry": said}, b"")
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("m"), 400, "invalid_request_error"),
        (RequestTooLarge("m"), 413, "request_too_large"),
        (AuthenticationFailed("m"), 401, "authentication_error"),
        (BudgetExceeded("m"), 402, "billing_error"),
        (PermissionRefused("m"), 403, "permission_error"),
        (NotFound("m"), 404, "not_found_error"),
        (TooManyRequests("m"), 429, "rate_limit_error"),
        (Unavailable("m"), 503, "api_error"),
        (ProviderError("m", kind="overloaded"), 529, "overloaded_error"),
        (ProviderError("m", kind="timeout"), 504, "timeout_error"),
        (ProviderError("m", kind="connection"), 502, "api_error"),
        (ProviderError("m", kind="internal", status=200), 500, "api_error"),
        (ProviderError("m", kind="rate_limit", status=498), 498, "rate_limit_error"),
        (
            ProviderError(
                "m",
                kind="invalid_request",
                status=400,
                body=b'{"error":{"message":"m","type":"invalid_request_error","code":null}}',
            ),
            400,
            "invalid_request_error",
        ),
        (ProviderError("m", kind="upstream", status=502, body=b"<html>"), 502, "api_error"),
    ],
)
def test_errors_are_written_in_the_envelope(error, status, kind):
    out = DIALECT.encode_error(error, request_id="req_1")
    assert out.status == status
    assert json.loads(out.body) == {
        "type": "error",
        "error": {"type": kind, "message": "m"},
        "request_id": "req_1",
    }
    assert out.headers == {"content-type": "application/json"}
    frame = DIALECT.encode_stream_error(error)
    assert frame.startswith(b"event: error\ndata: ")
    assert json.loads(frame.split(b"data: ")[1])["error"] == {"type": kind, "message": "m"}


def test_the_providers_own_envelope_keeps_its_bytes():
    body = b'{ "type":"error", "error":{"type":"new_error","message":"m","details":{}} }'
    error = DIALECT.decode_error(422, {"retry-after": "2"}, body)
    out = DIALECT.encode_error(error, request_id="ours")
    assert (out.status, out.body) == (422, body)
    assert out.headers == {"content-type": "application/json", "retry-after": "2"}
    assert DIALECT.encode_stream_error(error) == b"event: error\ndata: " + body + b"\n\n"


def test_our_own_limit_says_when_to_try_again():
    out = DIALECT.encode_error(TooManyRequests("m", retry_after_s=0.2))
    assert out.headers == {"content-type": "application/json", "retry-after": "1"}


def test_a_thread_that_the_target_cannot_keep_makes_the_sdks_go_on_without():
    refused = UnsupportedCall("m", losses=["thread: not a field of this API"])
    assert json.loads(DIALECT.encode_error(refused).body)["error"]["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }
