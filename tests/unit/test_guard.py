"""The guard's verdicts, and the bounds of a request's body."""

from __future__ import annotations

import gzip
import zlib

import pytest

from flo2.errors import InvalidRequest, RequestTooLarge
from flo2.shell.body import ClientDisconnected, UnsupportedEncoding, read_body
from flo2.shell.guard import Guard, Refusal
from flo2.testing.asgi import ASGIDriver

HOST = (b"host", b"127.0.0.1:8787")


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def scope(*headers, path="/v1/chat/completions", raw_path=None, root_path="", query=b""):
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": list(headers),
    }


@pytest.mark.parametrize(
    "headers",
    [
        [HOST],
        [(b"host", b"gateway_1.internal")],
        [(b"host", b"[::1]:8787")],
        [HOST, (b"content-length", b"0")],
        [HOST, (b"content-length", b"67108864")],
        [HOST, (b"transfer-encoding", b"Chunked")],
        [HOST, *((b"x-%d" % n, b"v") for n in range(99))],
    ],
)
def test_ordinary_requests_pass(headers):
    assert Guard(hello).inspect(scope(*headers)) is None


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([], 400, "missing_host"),
        ([HOST, HOST], 400, "duplicate_host"),
        ([(b"host", b"")], 400, "invalid_host"),
        ([(b"host", b"x/?#@y")], 400, "invalid_host"),
        ([(b"host", b"a b")], 400, "invalid_host"),
        ([(b"host", b"a:99999999")], 400, "invalid_host"),
        ([(b"host", b"a\n")], 400, "invalid_host"),
        ([HOST, (b"content-length", b"+6")], 400, "invalid_content_length"),
        ([HOST, (b"content-length", b"6, 6")], 400, "invalid_content_length"),
        ([HOST, (b"content-length", b"")], 400, "invalid_content_length"),
        ([HOST, (b"content-length", b"9" * 5000)], 400, "invalid_content_length"),
        ([HOST, *[(b"content-length", b"6")] * 2], 400, "duplicate_content_length"),
        ([HOST, (b"content-length", b"67108865")], 413, "request_too_large"),
        (
            [HOST, (b"content-length", b"6"), (b"transfer-encoding", b"chunked")],
            400,
            "ambiguous_length",
        ),
        ([HOST, (b"transfer-encoding", b"xchunked")], 400, "invalid_transfer_encoding"),
        ([HOST, (b"transfer-encoding", b"gzip, chunked")], 400, "invalid_transfer_encoding"),
        (
            [HOST, (b"transfer-encoding", b"identity"), (b"transfer-encoding", b"chunked")],
            400,
            "duplicate_transfer_encoding",
        ),
        ([HOST, *((b"x-%d" % n, b"v") for n in range(100))], 431, "too_many_headers"),
        ([HOST, (b"x", b"v" * 32_768)], 431, "headers_too_large"),
    ],
)
def test_ambiguous_and_oversized_requests_are_refused(headers, status, code):
    refusal = Guard(hello).inspect(scope(*headers))
    assert (status, code) == (refusal.status, refusal.code)


def test_a_long_request_target_counts_as_headers():
    refusal = Guard(hello).inspect(scope(HOST, query=b"q" * 32_768))
    assert refusal.code == "headers_too_large"


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "is_refused"),
    [
        ("/api/calls/x", b"/api/calls/x", "", False),
        ("/api/calls/a.b", b"/api/calls/a.b", "", False),
        ("/api/calls/..", b"/api/calls/%2e%2e", "", True),
        ("/api/../v1/models", b"/api/../v1/models", "", True),
        ("/api/./keys", b"/api/./keys", "", True),
        ("/api//keys", b"/api//keys", "", True),
        ("//api/keys", b"//api/keys", "", True),
        ("/api/keys/x", b"/api/keys%2Fx", "", True),
        ("/api/keys/x", b"/%61pi/keys%2fx", "", True),
        ("/api/keys\\x", b"/api/keys%5Cx", "", True),
        ("/api/keys\x00", b"/api/keys%00", "", True),
        ("/llm/api//keys", b"/llm/api//keys", "/llm", True),
        ("/v1beta/models/a/b:generateContent", b"/v1beta/models/a%2Fb:generateContent", "", False),
    ],
)
def test_paths_of_the_admin_api_are_plain(path, raw_path, root_path, is_refused):
    refusal = Guard(hello).inspect(scope(HOST, path=path, raw_path=raw_path, root_path=root_path))
    assert (refusal is not None and refusal.code == "ambiguous_path") == is_refused


async def test_a_refusal_is_a_json_error_and_closes_the_connection():
    driver = ASGIDriver(Guard(hello))
    answer = await driver.request("GET", "/v1/models", headers={"host": "x/?#@y"})
    answer.expect(400, connection="close", content_type="application/json")
    assert answer.json() == {
        "error": {
            "message": "host is 'x/?#@y'; send a name or address, :port",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_host",
        }
    }


async def test_a_served_request_is_untouched():
    answer = await ASGIDriver(Guard(hello)).request("GET", "/v1/models")
    assert (answer.status, answer.body) == (200, b"hello")


async def test_a_refused_websocket_is_closed_before_it_is_accepted():
    sent = []

    async def send(message):
        sent.append(message)

    await Guard(hello)({**scope(), "type": "websocket"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "missing_host"}]


def test_a_refusal_is_a_value():
    assert Refusal(400, "a", "b") == Refusal(status=400, code="a", message="b")


def messages(*parts, end=True):
    left = [
        {"type": "http.request", "body": part, "more_body": not (end and n == len(parts) - 1)}
        for n, part in enumerate(parts)
    ]

    async def receive():
        return left.pop(0) if left else {"type": "http.disconnect"}

    return receive


GZIP = (b"content-encoding", b"gzip")


@pytest.mark.parametrize(
    ("headers", "parts", "body"),
    [
        ([], [b"12345678"], b"12345678"),
        ([(b"content-length", b"8")], [b"12345678"], b"12345678"),
        ([], [b"1234", b"", b"5678"], b"12345678"),
        ([(b"content-encoding", b"identity")], [b"1"], b"1"),
        ([GZIP], [gzip.compress(b"12345678", mtime=0)], b"12345678"),
        ([(b"content-encoding", b" X-GZIP ")], [gzip.compress(b"", mtime=0)], b""),
        ([GZIP], [gzip.compress(b"1234", mtime=0) + gzip.compress(b"5678", mtime=0)], b"12345678"),
        ([GZIP], [], None),
        ([], [], None),
    ],
)
async def test_a_body_up_to_the_limit_is_read(headers, parts, body):
    receive = messages(*parts)
    if body is None:
        with pytest.raises(ClientDisconnected):
            await read_body(scope(*headers), receive, 100)
    else:
        assert await read_body(scope(*headers), receive, 100) == body


async def test_a_declared_length_over_the_limit_is_refused_unread():
    receive = messages(b"123456789")
    with pytest.raises(RequestTooLarge) as caught:
        await read_body(scope((b"content-length", b"9")), receive, 8)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert (await receive())["body"] == b"123456789"


async def test_a_body_that_grows_over_the_limit_is_dropped_at_once():
    receive = messages(b"1234", b"56789", b"rest")
    with pytest.raises(RequestTooLarge):
        await read_body(scope(), receive, 8)
    assert (await receive())["body"] == b"rest"


async def test_one_message_over_the_limit_is_refused():
    with pytest.raises(RequestTooLarge):
        await read_body(scope(), messages(b"123456789"), 8)


@pytest.mark.parametrize("size", [100_001, 50_000_000])
async def test_a_gzip_bomb_is_refused(size):
    # The larger one is unpacked in a thread; it costs its limit, not its size.
    with pytest.raises(RequestTooLarge):
        await read_body(scope(GZIP), messages(gzip.compress(bytes(size))), 100_000)


async def test_gzip_of_exactly_the_limit_is_read():
    body = await read_body(scope(GZIP), messages(gzip.compress(bytes(100_000))), 100_000)
    assert body == bytes(100_000)


@pytest.mark.parametrize(
    "data",
    [
        b"no gzip at all",
        gzip.compress(b"12345678", mtime=0)[:-3],
        zlib.compress(b"12345678"),
        b"\x1f",
    ],
)
async def test_broken_gzip_is_a_400(data):
    with pytest.raises(InvalidRequest) as caught:
        await read_body(scope(GZIP), messages(data), 100)
    assert (caught.value.status, caught.value.code) == (400, "invalid_gzip")


@pytest.mark.parametrize("headers", [[(b"content-encoding", b"br")], [GZIP, GZIP]])
async def test_other_encodings_are_a_415(headers):
    with pytest.raises(UnsupportedEncoding) as caught:
        await read_body(scope(*headers), messages(b"x"), 100)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_content_encoding")


async def test_a_length_that_is_no_number_is_a_400():
    with pytest.raises(InvalidRequest) as caught:
        await read_body(scope((b"content-length", b"1_0")), messages(b"x"), 100)
    assert (caught.value.status, caught.value.code) == (400, "invalid_content_length")


async def test_a_client_that_leaves_mid_body_is_no_error_of_the_request():
    with pytest.raises(ClientDisconnected):
        await read_body(scope(), messages(b"1234", end=False), 100)
