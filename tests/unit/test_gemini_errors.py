from __future__ import annotations

import json

import pytest

from flo2.dialects.gemini import Gemini
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

DIALECT = Gemini()
TYPE = "type.googleapis.com/google.rpc."


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (InvalidRequest("m"), 400, "INVALID_ARGUMENT"),
        (RequestTooLarge("m"), 413, "INVALID_ARGUMENT"),
        (AuthenticationFailed("m"), 401, "UNAUTHENTICATED"),
        (PermissionRefused("m"), 403, "PERMISSION_DENIED"),
        (NotFound("m"), 404, "NOT_FOUND"),
        (BudgetExceeded("m"), 402, "RESOURCE_EXHAUSTED"),
        (TooManyRequests("m"), 429, "RESOURCE_EXHAUSTED"),
        (Unavailable("m"), 503, "UNAVAILABLE"),
        (ProviderError("m", status=529, kind="overloaded"), 529, "UNAVAILABLE"),
        (ProviderError("m", status=200, kind="timeout"), 504, "DEADLINE_EXCEEDED"),
        (ProviderError("m", kind="connection"), 502, "UNAVAILABLE"),
        (ProviderError("m", kind="upstream"), 502, "INTERNAL"),
    ],
)
def test_every_kind_has_its_word(error, status, word):
    written = DIALECT.encode_error(error)
    assert (written.status, json.loads(written.body)["error"]) == (
        status,
        {"code": status, "message": "m", "status": word},
    )
    again = DIALECT.decode_error(written.status, written.headers, written.body)
    assert (again.message, again.error_type) == ("m", word)


def test_details_say_why_and_when_to_try_again():
    error = TooManyRequests("slow", code="too_fast", param="model", retry_after_s=1.5)
    written = DIALECT.encode_error(error, request_id="req_1")
    assert written.headers["retry-after"] == "2"
    assert json.loads(written.body)["error"]["details"] == [
        {
            "@type": f"{TYPE}ErrorInfo",
            "reason": "too_fast",
            "domain": "flo2",
            "metadata": {"field": "model"},
        },
        {"@type": f"{TYPE}RetryInfo", "retryDelay": "1.5s"},
        {"@type": f"{TYPE}RequestInfo", "requestId": "req_1"},
    ]
    again = DIALECT.decode_error(429, {}, written.body)
    assert (again.code, again.retry_after_s, again.kind) == ("too_fast", 1.5, "rate_limit")


def test_another_vendors_error_is_told_in_this_envelope():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    error = ProviderError("Overloaded", status=529, kind="overloaded", body=body)
    told = json.loads(DIALECT.encode_error(error).body)
    assert told == {"error": {"code": 529, "message": "Overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "body",
    [
        b'{ "error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"} }',
        b'[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]',
    ],
)
def test_its_own_envelope_keeps_its_bytes(body):
    error = DIALECT.decode_error(400, {}, body)
    assert DIALECT.encode_error(error).body == body
    frame = DIALECT.encode_stream_error(error)
    assert json.loads(frame.removeprefix(b"data: ")) == {
        "error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}
    }
    assert frame.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (500, b"", "upstream", "the provider answered 500 without a reason"),
        (502, b"<html><h1>Bad</h1>gateway", "upstream", "Bad gateway"),
        (503, b'{"error":"x"}', "overloaded", "x"),
        (400, b'{"error":{"message":3}}', "invalid_request", "3"),
        (429, b"[]", "rate_limit", "[]"),
        (404, b"\xff\xfe", "not_found", "\ufffd\ufffd"),
        (403, b'{"error":{"details":3,"message":"m"}}', "permission", "m"),
        (403, b'{"error":{"details":[3,{"reason":4}],"message":"m"}}', "permission", "m"),
    ],
)
def test_garbage_is_an_error_and_no_crash(status, body, kind, message):
    error = DIALECT.decode_error(status, {}, body)
    assert (error.kind, error.message) == (kind, message)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("34.5s", 34.5), ("0s", 0.0), ("-1s", 9.0), ("xs", 9.0), ("5", 9.0), (5, 9.0), ("infs", 9.0)],
)
def test_when_to_try_again_stands_in_the_body_or_in_a_header(delay, seconds):
    inner = {"code": 429, "message": "m", "status": "X", "details": [{"retryDelay": delay}]}
    error = DIALECT.decode_error(429, {"Retry-After": "9"}, json.dumps({"error": inner}).encode())
    assert error.retry_after_s == seconds


def test_only_limits_reach_a_client_as_headers():
    headers = {"Retry-After": "9", "x-ratelimit-a": "1", "server": "s", "set-cookie": "c"}
    error = DIALECT.decode_error(429, headers, b"")
    assert error.headers == {"retry-after": "9", "x-ratelimit-a": "1"}


@pytest.mark.parametrize(
    ("inner", "kind", "retryable"),
    [
        ({"code": 503, "status": "UNAVAILABLE", "message": "m"}, "overloaded", True),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, "rate_limit", True),
        ({"code": 499, "status": "CANCELLED"}, "upstream", True),
        ({"code": 404}, "not_found", False),
        ({"code": 499}, "upstream", True),
        ({"status": "BRAND_NEW"}, "upstream", True),
        ({"status": ["odd"], "message": ["odd"]}, "upstream", True),
        ("just words", "upstream", True),
    ],
)
def test_an_error_inside_a_stream(inner, kind, retryable):
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    decoder.feed(b"data: " + json.dumps({"error": inner}).encode() + b"\r\n\r\n")
    decoder.close()
    error = decoder.observed.error
    assert (error.kind, error.retryable, error.status) == (kind, retryable, 200)
    assert error.message in {"m", "the provider broke the answer off without a reason"}
