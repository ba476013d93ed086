from __future__ import annotations

import json

import pytest

from flo2.dialects.openai_chat.errors import (
    decode_error,
    encode_error,
    encode_stream_error,
    error_from_frame,
)
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
)


@pytest.mark.parametrize(
    ("error", "status", "error_type", "code"),
    [
        (InvalidRequest("no", param="n"), 400, "invalid_request_error", None),
        (AuthenticationFailed("no"), 401, "authentication_error", "invalid_api_key"),
        (BudgetExceeded("no"), 402, "insufficient_quota", "insufficient_quota"),
        (PermissionRefused("no"), 403, "permission_error", None),
        (NotFound("no", code="model_not_found"), 404, "not_found_error", "model_not_found"),
        (RequestTooLarge("no"), 413, "invalid_request_error", "request_too_large"),
        (TooManyRequests("no"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (Unavailable("no"), 503, "server_error", None),
        (ProviderError("no", status=200), 502, "server_error", None),
        (ProviderError("no", status=529, kind="overloaded"), 529, "server_error", None),
    ],
)
def test_error_is_written_in_the_envelope(error, status, error_type, code):
    written = encode_error(error, request_id="x1")
    assert written.status == status
    assert written.headers == {"x-request-id": "x1"}
    envelope = {"message": "no", "type": error_type, "param": error.param, "code": code}
    assert json.loads(written.body) == {"error": envelope}
    assert encode_stream_error(error) == b"data: " + written.body + b"\n\n"


def test_own_limits_say_when_to_come_back():
    written = encode_error(TooManyRequests("slow down", retry_after_s=12.4))
    assert written.headers == {"retry-after": "12"}


def test_a_providers_own_envelope_keeps_its_bytes_and_its_limits():
    body = b'{ "error" : {"message":"slow","type":"requests","param":null,"code":"rl"} }'
    headers = {
        "Retry-After": "20",
        "x-ratelimit-remaining-tokens": "0",
        "anthropic-ratelimit-requests-limit": "5",
        "x-request-id": "req_1",
        "set-cookie": "secret",
    }
    error = decode_error(429, headers, body)
    written = encode_error(error)
    assert (written.status, written.body) == (429, body)
    assert written.headers == {
        "retry-after": "20",
        "x-ratelimit-remaining-tokens": "0",
        "anthropic-ratelimit-requests-limit": "5",
    }


def test_googles_envelope_is_written_anew():
    body = b'{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}'
    written = encode_error(decode_error(400, {}, body))
    assert written.status == 400
    assert json.loads(written.body)["error"].keys() == {"message", "type", "param", "code"}


def test_a_failed_response_is_no_envelope():
    body = b'{"object": "response", "status": "failed", "error": {"message": "no", "code": "c"}}'
    written = encode_error(decode_error(400, {}, body))
    assert json.loads(written.body) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "c"}
    }


ENVELOPE = {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}


@pytest.mark.parametrize(
    ("body", "message", "error_type", "code", "param"),
    [
        (ENVELOPE, "m", "t", "c", "p"),
        ([ENVELOPE], "m", "t", "c", "p"),
        ({"error": {"message": "m", "code": 400, "status": "X"}}, "m", "X", "400", None),
        ({"code": "c", "error": "bare"}, "bare", None, "c", None),
        ({"type": "error", "error": {"type": "t", "message": "m"}}, "m", "t", None, None),
        ({"object": "error", "message": "m", "type": "t"}, "m", "t", None, None),
        ({"detail": "m"}, "m", None, None, None),
        (
            {"error": {"code": 429, "message": "m", "metadata": {"raw": "its words"}}},
            "m: its words",
            None,
            "429",
            None,
        ),
        ({"error": {"metadata": {"raw": "its words"}}}, "its words", None, None, None),
        ({"error": {"message": "m", "metadata": {"raw": {}}}}, "m", None, None, None),
        ({"detail": [{"msg": "m"}]}, '[{"msg":"m"}]', None, None, None),
        ("just text", "just text", None, None, None),
        (
            b"<html><style>p{}</style><h1>502 Bad&nbsp;Gateway</h1>\n</html>",
            "502 Bad Gateway",
            None,
            None,
            None,
        ),
        (b"upstream connect error", "upstream connect error", None, None, None),
        (b"", "the provider answered 500 without a reason", None, None, None),
        (b"\xff\xfe", "\ufffd\ufffd", None, None, None),
        ({}, "{}", None, None, None),
        (b"[" * 100_000, "[" * 500, None, None, None),
    ],
)
def test_any_shape_of_error_is_read(body, message, error_type, code, param):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = decode_error(500, {}, raw)
    assert (error.message, error.error_type, error.code, error.param) == (
        message,
        error_type,
        code,
        param,
    )
    assert (error.status, error.kind, error.retryable, error.body) == (500, "upstream", True, raw)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "retryable"),
    [
        (400, {}, b"", "invalid_request", False),
        (401, {}, b"", "authentication", False),
        (404, {}, b"", "not_found", False),
        (429, {}, b"", "rate_limit", True),
        (429, {}, b'{"error":{"code":"insufficient_quota"}}', "budget", False),
        (429, {"x-should-retry": "false"}, b"", "rate_limit", False),
        (500, {}, b"", "upstream", True),
        (400, {"X-Should-Retry": "true"}, b"", "invalid_request", True),
        (503, {}, b"", "overloaded", True),
        (599, {}, b"", "upstream", True),
        (418, {}, b"", "invalid_request", False),
    ],
)
def test_status_says_what_went_wrong(status, headers, body, kind, retryable):
    error = decode_error(status, headers, body)
    assert (error.kind, error.retryable) == (kind, retryable)


DATE = "Wed, 25 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "20", "retry-after-ms": "19860"}, 19.86),
        ({"retry-after": "soon", "retry-after-ms": "x"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 25 Nov 2026 08:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Wed, 25 Nov 2026 07:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 25 Nov 2026 08:00:30 GMT"}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert decode_error(429, headers, b"").retry_after_s == seconds


@pytest.mark.parametrize(
    ("payload", "kind", "retryable"),
    [
        ({"error": {"type": "server_error"}}, "upstream", True),
        ({"error": {"code": "rate_limit_exceeded"}}, "rate_limit", True),
        ({"error": {"code": 429}}, "rate_limit", True),
        ({"error": {"code": "tool_use_failed", "status_code": 400}}, "upstream", True),
        ({"error": {"code": "insufficient_quota"}}, "budget", False),
        ({"error": "bare"}, "upstream", True),
        (None, "upstream", True),
    ],
)
def test_error_inside_a_stream(payload, kind, retryable):
    error = error_from_frame(payload, b"raw")
    assert (error.kind, error.retryable, error.status, error.body) == (kind, retryable, 200, b"raw")
