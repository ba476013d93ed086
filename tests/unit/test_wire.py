"""Both engines against a real, hostile server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import importlib.util
import socket
import ssl
import struct
import zlib
from functools import partial
from ipaddress import ip_network

import anyio
import anyio.lowlevel
import pytest
import trustme

from flo2.errors import (
    ConfigError,
    ConnectFailed,
    DestinationRefused,
    InvalidHeader,
    ReadFailed,
    ResponseTooLarge,
    WireError,
    WireTimeout,
)
from flo2.wire import Headers, Limits, Timeouts, Wire
from flo2.wire.httpx_library import httpx

KEY = "Bearer sk-very-secret"
HEADERS = [("authorization", KEY), ("content-type", "application/json")]
LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


LOOPS = [pytest.param(("asyncio", {}), id="asyncio")]
if importlib.util.find_spec("uvloop"):
    LOOPS.append(pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"))


@pytest.fixture(params=LOOPS)
def anyio_backend(request):
    return request.param


@pytest.fixture(params=["aiohttp", "httpx"])
def engine(request):
    return request.param


class Upstream:
    """A server that answers each request by calling `script(self, writer)`."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.tasks = set()

    async def serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self.tasks.add(task)
        for name in ("feed_eof", "set_exception"):  # the client hung up: stop the script
            setattr(reader, name, partial(self.hung_up, task, getattr(reader, name)))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.requests.append(head + await reader.readexactly(length))
                self.asked.set()
                if await self.script(self, writer) is False:
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    def hung_up(self, task, then, *args):
        self.closed.set()
        task.cancel()
        then(*args)


@contextlib.asynccontextmanager
async def serving(script, *, tls=None):
    upstream = Upstream(script)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    upstream.server = server
    upstream.port = server.sockets[0].getsockname()[1]
    upstream.url = f"http://127.0.0.1:{upstream.port}/v1"
    try:
        yield upstream
    finally:
        server.close()
        for task in list(upstream.tasks):
            task.cancel()
        await asyncio.gather(*upstream.tasks, return_exceptions=True)


def sends(*parts, close=True):
    """Script: write the parts, with a turn of the loop between them."""

    async def script(upstream, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.002)
        return not close

    return script


def reset(writer):
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


SOON = Timeouts(connect_s=2, first_byte_s=2, idle_s=2)


@contextlib.asynccontextmanager
async def opened(engine, script, *, timeouts=SOON, limits=None):
    async with (
        serving(script) as upstream,
        Wire(engine=engine, allow_private=LOOPBACK, limits=limits) as wire,
    ):
        yield upstream, wire.endpoint(upstream.url, timeouts=timeouts)
        assert len(wire.deadlines) == 0, "a flight was left behind"


async def post(endpoint, body=b"{}", **options):
    return await endpoint.send("POST", "/chat", HEADERS, body, **options)


def idle_connections(wire):
    """Count the connections that lie in the pool."""
    transport = wire.open()
    if hasattr(transport, "_pools"):
        return sum(one.is_idle() for pool in transport._pools.values() for one in pool.connections)
    return sum(len(conns) for conns in transport._connector._conns.values())


async def test_request_reaches_the_server_as_given_and_nothing_is_added(engine):
    async with (
        opened(engine, sends(OK)) as (upstream, endpoint),
        await post(endpoint, b'{"a":1}') as response,
    ):
        assert (response.status, await response.read()) == (200, b"ok")
    head, _, body = upstream.requests[0].partition(b"\r\n\r\n")
    line, *fields = head.lower().split(b"\r\n")
    assert line == b"post /v1/chat http/1.1"
    assert sorted(fields) == [
        b"accept-encoding: identity",
        b"authorization: bearer sk-very-secret",
        b"content-length: 7",
        b"content-type: application/json",
        b"host: 127.0.0.1:%d" % upstream.port,
    ]
    assert body == b'{"a":1}'


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_empty_body_is_sent_without_content(engine, method):
    async with (
        opened(engine, sends(OK)) as (upstream, endpoint),
        await endpoint.send(method, "/models?limit=3", [], b"") as response,
    ):
        assert await response.read() == b"ok"
    assert upstream.requests[0].startswith(b"%s /v1/models?limit=3 HTTP/1.1\r\n" % method.encode())
    assert b"transfer-encoding" not in upstream.requests[0].lower()
    assert upstream.requests[0].endswith(b"\r\n\r\n")


async def test_body_of_megabytes_is_sent_whole(engine):
    body = bytes(range(256)) * 12_000
    async with (
        opened(engine, sends(OK)) as (upstream, endpoint),
        await post(endpoint, body) as response,
    ):
        assert await response.read() == b"ok"
    assert upstream.requests[0].endswith(b"\r\n\r\n" + body)


async def test_connection_is_reused_after_a_finished_body(engine):
    async with opened(engine, sends(OK, close=False)) as (upstream, endpoint):
        for _ in range(3):
            async with await post(endpoint) as response:
                assert await response.read() == b"ok"
                assert response.resends == 0
        assert upstream.connections == 1
        assert idle_connections(endpoint._wire) == 1


async def test_unfinished_body_closes_its_connection(engine):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"
    async with opened(engine, sends(head, close=False)) as (upstream, endpoint):
        response = await post(endpoint)
        await response.aclose()
        with anyio.fail_after(1):
            await upstream.closed.wait()
        assert idle_connections(endpoint._wire) == 0
        with pytest.raises(ReadFailed, match="closed"):
            await response.read()


async def test_times_are_in_order(engine):
    async with opened(engine, sends(OK)) as (_, endpoint):
        before = endpoint._wire.deadlines.clock()
        async with await post(endpoint) as response:
            assert before <= response.sent_at <= response.first_byte_at


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        ((b"HTTP/1.1 200 OK\r\n\r\nuntil the ", b"end"), b"until the end"),
        (
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
                b"2\r\nde\r\n0\r\n\r\n",
            ),
            b"abcde",
        ),
        (
            (
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
                OK,
            ),
            b"ok",
        ),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",), b""),
        ((b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",), b"x"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",), b""),
    ],
    ids=["close-delimited", "chunked", "1xx", "204", "304", "http1.0", "empty"],
)
async def test_every_framing_gives_its_whole_body(engine, parts, body):
    async with (
        opened(engine, sends(*parts)) as (_, endpoint),
        await post(endpoint) as response,
    ):
        assert b"".join([piece async for piece in response.chunks()]) == body


async def test_pieces_arrive_as_they_are_sent(engine):
    go_on = asyncio.Event()

    async def script(upstream, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with (
        opened(engine, script) as (_, endpoint),
        await post(endpoint) as response,
    ):
        pieces = response.chunks()
        with anyio.fail_after(1):
            assert await anext(pieces) == b"one"
        go_on.set()
        assert [piece async for piece in pieces] == [b"two"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_is_an_answer_and_is_not_followed(engine, status):
    answer = b"HTTP/1.1 %d Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n" % status
    async with (
        opened(engine, sends(answer)) as (upstream, endpoint),
        await post(endpoint) as response,
    ):
        assert response.status == status
        assert response.headers.get("Location") == "/elsewhere"
    assert len(upstream.requests) == 1


def encoded(coding, data):
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        coding,
        len(data),
        data,
    )


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        (b"gzip", gzip.compress(b"hello " * 99, mtime=0)),
        (
            b"x-gzip",
            gzip.compress(b"hello " * 50, mtime=0) + gzip.compress(b"hello " * 49, mtime=0),
        ),
        (b"deflate", zlib.compress(b"hello " * 99)),
        (b"deflate", zlib.compress(b"hello " * 99, wbits=-15)),
        (b"identity", b"hello " * 99),
    ],
)
async def test_body_is_decoded(engine, coding, data):
    async with (
        opened(engine, sends(encoded(coding, data))) as (_, endpoint),
        await post(endpoint) as response,
    ):
        assert await response.read() == b"hello " * 99


@pytest.mark.parametrize(
    ("coding", "data", "message"),
    [
        (b"gzip", gzip.compress(b"hello " * 99, mtime=0)[:-9], "the gzip response body is cut off"),
        (b"gzip", b"no gzip at all", "the response body is not the gzip that its header promises"),
        (
            b"br",
            b"?",
            "the response has content-encoding 'br'; flo2 decodes gzip and deflate",
        ),
    ],
)
async def test_badly_encoded_body_fails(engine, coding, data, message):
    async with opened(engine, sends(encoded(coding, data))) as (_, endpoint):
        with pytest.raises(ReadFailed) as caught:
            async with await post(endpoint) as response:
                await response.read()
        assert (str(caught.value), caught.value.sent) == (message, True)


async def test_inflated_body_is_bounded(engine):
    bomb = encoded(b"gzip", gzip.compress(bytes(5_000_000), mtime=0))
    limits = Limits(max_body_bytes=1_000_000)
    async with (
        opened(engine, sends(bomb), limits=limits) as (_, endpoint),
        await post(endpoint) as response,
    ):
        with pytest.raises(ResponseTooLarge, match="larger than 1000000 bytes"):
            await response.read()


async def test_body_past_the_callers_limit_is_refused_and_the_connection_closed(engine):
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + bytes(60_000)
    async with (
        opened(engine, sends(answer, close=False)) as (upstream, endpoint),
        await post(endpoint) as response,
    ):
        with pytest.raises(ResponseTooLarge):
            await response.read(1000)
        with anyio.fail_after(1):
            await upstream.closed.wait()


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\nshort",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n", b"zz\r\n"),
    ],
    ids=["content-length", "between-chunks", "inside-a-chunk", "bad-chunk-size"],
)
async def test_truncated_body_fails_after_giving_what_came(engine, parts):
    async with (
        opened(engine, sends(*parts)) as (_, endpoint),
        await post(endpoint) as response,
    ):
        seen = []
        with pytest.raises(ReadFailed) as caught:  # noqa: PT012
            async for piece in response.chunks():
                seen.append(piece)  # noqa: PERF401  # the pieces before the failure count
        assert caught.value.sent is True
        assert b"".join(seen) == b"short"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\nshort",
    ],
    ids=["content-length", "close-delimited"],
)
async def test_reset_in_the_body_fails(engine, head):
    async def script(upstream, writer):
        writer.write(head)
        await asyncio.sleep(0.01)
        reset(writer)
        return False

    async with (
        opened(engine, script) as (_, endpoint),
        await post(endpoint) as response,
    ):
        with pytest.raises(ReadFailed):
            await response.read()


@pytest.mark.parametrize(
    "answer",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header line\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nhalf-a-he",
        b"",
    ],
    ids=["garbage", "status", "header", "two-lengths", "101", "half-a-head", "nothing"],
)
async def test_garbage_is_a_read_failure(engine, answer):
    async with opened(engine, sends(answer)) as (upstream, endpoint):
        with pytest.raises(ReadFailed) as caught:
            await post(endpoint)
        assert caught.value.sent is True
    assert len(upstream.requests) == 1, "a new connection that dies is not tried again"


@pytest.mark.parametrize("count", [1, 90], ids=["one-large", "many-small"])
async def test_large_head_is_refused(engine, count):
    fields = b"".join(b"x-%d: %s\r\n" % (n, b"a" * (90_000 // count)) for n in range(count))
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + fields + b"\r\n"
    async with opened(engine, sends(answer)) as (_, endpoint):
        with pytest.raises(ResponseTooLarge):
            await post(endpoint)


async def never(upstream, writer):
    await asyncio.sleep(5)


async def dripping_head(upstream, writer):
    for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 5000:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.001)


async def half_a_body(upstream, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort")
    await asyncio.sleep(5)


async def dripping_body(upstream, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(5000):
        writer.write(b"x")
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("script", "timeouts", "phase"),
    [
        (never, Timeouts(first_byte_s=0.03), "first_byte"),
        (dripping_head, Timeouts(first_byte_s=0.03), "first_byte"),
        (half_a_body, Timeouts(idle_s=0.03), "idle"),
    ],
)
async def test_deadline_passes(engine, script, timeouts, phase):
    async with opened(engine, script, timeouts=timeouts) as (upstream, endpoint):
        with pytest.raises(WireTimeout) as caught:
            async with await post(endpoint) as response:
                await response.read()
        assert (caught.value.phase, caught.value.sent) == (phase, True)
        with anyio.fail_after(1):
            await upstream.closed.wait()
        assert asyncio.current_task().cancelling() == 0


async def test_slow_reader_is_no_idle_upstream(engine):
    timeouts = Timeouts(idle_s=0.02)
    async with (
        opened(engine, sends(OK, close=False), timeouts=timeouts) as (_, endpoint),
        await post(endpoint) as response,
    ):
        await asyncio.sleep(0.03)
        assert await response.read() == b"ok"


@contextlib.asynccontextmanager
async def timed(engine, script):
    """Give an endpoint and a function that lets an hour pass."""
    now = 0.0
    async with (
        serving(script) as upstream,
        Wire(engine=engine, allow_private=LOOPBACK, clock=lambda: now) as wire,
    ):

        def an_hour_passes():
            nonlocal now
            now += 3600.0
            wire.deadlines._ring()

        timeouts = Timeouts(first_byte_s=9000, idle_s=9000, total_s=60)
        yield upstream, wire.endpoint(upstream.url, timeouts=timeouts), an_hour_passes
        assert len(wire.deadlines) == 0


@pytest.mark.parametrize("script", [never, dripping_body], ids=["head", "body"])
async def test_total_deadline_ends_a_call_that_waits(engine, script):
    async with timed(engine, script) as (upstream, endpoint, an_hour_passes):
        reading = asyncio.Event()

        async def call():
            async with await post(endpoint) as response:
                async for _ in response.chunks():
                    reading.set()

        task = asyncio.ensure_future(call())
        await upstream.asked.wait()
        if script is dripping_body:
            await reading.wait()
        an_hour_passes()
        with pytest.raises(WireTimeout) as caught:
            await task
        assert (caught.value.phase, caught.value.sent) == ("total", True)
        with anyio.fail_after(1):
            await upstream.closed.wait()


async def test_total_deadline_passes_while_nobody_reads(engine):
    async with (
        timed(engine, half_a_body) as (upstream, endpoint, an_hour_passes),
        await post(endpoint) as response,
    ):
        an_hour_passes()
        with anyio.fail_after(1):
            await upstream.closed.wait()
        with pytest.raises(WireTimeout, match="total"):
            await response.read()


async def test_waiting_for_a_free_connection_counts_as_connecting(engine):
    limits = Limits(max_connections_per_endpoint=1)
    async with (
        opened(engine, half_a_body, limits=limits) as (_, endpoint),
        await post(endpoint),
    ):
        with pytest.raises(WireTimeout) as caught:
            await post(endpoint, timeouts=Timeouts(connect_s=0.02))
        assert (caught.value.phase, caught.value.sent) == ("connect", False)


async def test_nobody_listening_is_a_failed_connect(engine):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Wire(engine=engine, allow_private=LOOPBACK) as wire:
        with pytest.raises(ConnectFailed) as caught:
            await post(wire.endpoint(f"http://127.0.0.1:{port}"))
        assert (caught.value.sent, caught.value.retryable) == (False, True)
        assert f"127.0.0.1:{port}" in str(caught.value)


async def test_abort_wakes_a_waiting_reader(engine):
    async with (
        opened(engine, half_a_body) as (upstream, endpoint),
        await post(endpoint) as response,
    ):
        pieces = response.chunks()
        assert await anext(pieces) == b"short"
        reader = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.001)
        response.abort()
        response.abort()
        with pytest.raises(ReadFailed, match="aborted"):
            await reader
        with anyio.fail_after(1):
            await upstream.closed.wait()


async def test_abort_without_a_reader_closes_the_connection(engine):
    limits = Limits(max_connections_per_endpoint=1)
    async with opened(engine, half_a_body, limits=limits) as (upstream, endpoint):
        response = await post(endpoint)
        response.abort()
        with anyio.fail_after(1):
            await upstream.closed.wait()
        with pytest.raises(ReadFailed, match="aborted"):
            await response.read()
        upstream.script = sends(OK)
        async with await post(endpoint, timeouts=Timeouts(connect_s=0.5)) as other:
            assert await other.read() == b"ok"


async def test_abort_after_the_end_leaves_the_next_call_alone(engine):
    async with opened(engine, sends(OK, close=False)) as (upstream, endpoint):
        first = await post(endpoint)
        assert await first.read() == b"ok"
        second = await post(endpoint)
        first.abort()
        assert await second.read() == b"ok"
        await second.aclose()
        await first.aclose()
        assert upstream.connections == 1


async def test_two_readers_at_once_are_refused(engine):
    async with (
        opened(engine, half_a_body) as (_, endpoint),
        await post(endpoint) as response,
    ):
        pieces = response.chunks()
        assert await anext(pieces) == b"short"
        reader = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.001)
        with pytest.raises(RuntimeError, match="already being read"):
            await response.read()
        response.abort()
        with pytest.raises(ReadFailed):
            await reader


@pytest.mark.parametrize("script", [never, half_a_body], ids=["head", "body"])
async def test_cancelled_call_closes_its_connection(engine, script):
    async with opened(engine, script) as (upstream, endpoint):

        async def call():
            async with await post(endpoint) as response:
                await response.read()

        task = asyncio.ensure_future(call())
        await upstream.asked.wait()
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with anyio.fail_after(1):
            await upstream.closed.wait()
        assert idle_connections(endpoint._wire) == 0


async def test_closing_the_wire_ends_running_calls(engine):
    async with serving(half_a_body) as upstream:
        wire = Wire(engine=engine, allow_private=LOOPBACK)
        response = await post(wire.endpoint(upstream.url))
        reader = asyncio.ensure_future(response.read())
        await asyncio.sleep(0.005)
        await wire.aclose()
        with pytest.raises(ReadFailed, match="the wire was closed"):
            await reader
        await response.aclose()
        with pytest.raises(ConnectFailed, match="the wire is closed"):
            await post(wire.endpoint(upstream.url))


def dies_once_reused(how):
    async def script(upstream, writer):
        if upstream.connections == 1 and len(upstream.requests) == 2:
            if how == "reset":
                reset(writer)
            elif how == "half-a-head":
                writer.write(b"HTTP/1.1 2")
                await writer.drain()
            return False
        writer.write(OK)
        return True

    return script


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_call_on_a_dying_kept_alive_connection_is_sent_once_more(engine, how):
    async with opened(engine, dies_once_reused(how)) as (upstream, endpoint):
        async with await post(endpoint) as first:
            assert await first.read() == b"ok"
        async with await post(endpoint) as second:
            assert (await second.read(), second.resends) == (b"ok", 1)
        assert (upstream.connections, len(upstream.requests)) == (2, 3)


async def test_call_is_not_sent_again_once_a_byte_of_the_answer_came(engine):
    async with opened(engine, dies_once_reused("half-a-head")) as (upstream, endpoint):
        async with await post(endpoint) as first:
            assert await first.read() == b"ok"
        with pytest.raises(ReadFailed) as caught:
            await post(endpoint)
        assert caught.value.sent is True
        assert len(upstream.requests) == 2


async def test_call_is_not_sent_again_when_the_upstream_worked_on_it_for_long(engine):
    now = 0.0

    async def script(upstream, writer):
        nonlocal now
        if len(upstream.requests) == 2:
            now += 2.0
            return False
        writer.write(OK)
        return True

    async with serving(script) as upstream:
        async with Wire(engine=engine, allow_private=LOOPBACK, clock=lambda: now) as wire:
            endpoint = wire.endpoint(upstream.url)
            async with await post(endpoint) as first:
                assert await first.read() == b"ok"
            with pytest.raises(ReadFailed):
                await post(endpoint)
        assert len(upstream.requests) == 2


async def test_second_death_is_final(engine):
    async def script(upstream, writer):
        writer.write(OK if len(upstream.requests) == 1 else b"")
        return len(upstream.requests) == 1

    async with opened(engine, script) as (upstream, endpoint):
        async with await post(endpoint) as first:
            assert await first.read() == b"ok"
        with pytest.raises(ReadFailed):
            await post(endpoint)
        assert len(upstream.requests) == 3


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"", encoded(b"gzip", b"x")])
async def test_no_failure_holds_the_key_or_the_query(engine, answer):
    async with opened(engine, sends(answer)) as (_, endpoint):
        with pytest.raises(WireError) as caught:
            async with await endpoint.send("POST", "/m?key=query-secret", HEADERS, b"") as response:
                await response.read()
        error = caught.value
        while error is not None:
            shown = f"{error} {error!r} {error.args} {vars(error)}"
            assert "secret" not in shown
            error = error.__cause__ or error.__context__


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_private_destination_is_refused_before_connecting(engine, host):
    async with serving(sends(OK)) as upstream, Wire(engine=engine) as wire:
        with pytest.raises(DestinationRefused, match="loopback") as caught:
            await post(wire.endpoint(f"http://{host}:{upstream.port}"))
        assert (caught.value.sent, upstream.connections) == (False, 0)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
async def test_odd_spellings_of_loopback_are_refused(engine, host):
    async with serving(sends(OK)) as upstream, Wire(engine=engine) as wire:
        with pytest.raises(DestinationRefused):
            await post(wire.endpoint(f"http://{host}:{upstream.port}"))
        assert upstream.connections == 0


async def test_one_private_address_among_public_ones_refuses_the_host(engine):
    async def lookup(host, port):
        return ["93.184.216.34", "10.0.0.1"]

    async with Wire(engine=engine, lookup=lookup) as wire:
        with pytest.raises(DestinationRefused, match=r"'rebind.example' is 10.0.0.1 \(private\)"):
            await post(wire.endpoint("http://rebind.example"))


async def test_name_is_looked_up_once_and_host_header_stays(engine):
    lookups = []

    async def lookup(host, port):
        lookups.append(host)
        return ["127.0.0.1"]

    async with (
        serving(sends(OK)) as upstream,
        Wire(engine=engine, lookup=lookup, allow_private=LOOPBACK) as wire,
    ):
        endpoint = wire.endpoint(f"http://vendor.example:{upstream.port}")
        async with await post(endpoint) as response:
            assert await response.read() == b"ok"
    assert lookups == ["vendor.example"]
    assert b"host: vendor.example:%d\r\n" % upstream.port in upstream.requests[0].lower()


async def test_a_burst_of_connections_looks_the_name_up_once():
    lookups = []

    async def lookup(host, port):
        lookups.append(host)
        await anyio.lowlevel.checkpoint()
        return ["127.0.0.1"]

    async with (
        serving(sends(OK)) as upstream,
        Wire(engine="aiohttp", lookup=lookup, allow_private=LOOPBACK) as wire,
    ):
        endpoint = wire.endpoint(f"http://vendor.example:{upstream.port}")

        async def call():
            async with await post(endpoint) as response:
                assert await response.read() == b"ok"

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(call)
    assert lookups == ["vendor.example"]
    assert upstream.connections == 20


async def test_a_kept_address_is_judged_again_when_it_is_connected_to():
    async def lookup(host, port):
        return ["127.0.0.1"]

    async with (
        serving(sends(OK)) as upstream,
        Wire(engine="aiohttp", lookup=lookup, allow_private=LOOPBACK) as wire,
    ):
        endpoint = wire.endpoint(f"http://vendor.example:{upstream.port}")
        async with await post(endpoint) as response:
            await response.read()
        kept = wire.open()._connector._cached_hosts  # as if an address had got in unjudged
        place = ("vendor.example", upstream.port)
        kept.add(place, [{**kept.next_addrs(place)[0], "host": "10.0.0.1"}])
        with pytest.raises(DestinationRefused, match=r"10\.0\.0\.1 \(private\)"):
            await post(endpoint)
        assert upstream.connections == 1


async def test_unknown_host_is_a_failed_connect(engine):
    async def lookup(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with Wire(engine=engine, lookup=lookup) as wire:
        with pytest.raises(ConnectFailed, match=r"no address found for host 'nowhere.example'"):
            await post(wire.endpoint("https://nowhere.example"))


async def test_certificate_is_verified_against_the_name(engine, tmp_path):
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("vendor.example").configure_cert(tls)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    async def lookup(host, port):
        return ["127.0.0.1"]

    async with serving(sends(OK), tls=tls) as upstream:
        options = {"engine": engine, "lookup": lookup, "allow_private": LOOPBACK}
        async with Wire(**options, ca_file=ca_file) as wire:
            url = f"https://vendor.example:{upstream.port}"
            async with await post(wire.endpoint(url)) as response:
                assert await response.read() == b"ok"
            with pytest.raises(ConnectFailed, match="not trusted"):
                await post(wire.endpoint(f"https://other.example:{upstream.port}"))
        async with Wire(**options) as wire:
            with pytest.raises(ConnectFailed, match="not trusted"):
                await post(wire.endpoint(url))
    assert len(upstream.requests) == 1


async def test_environment_proxies_are_ignored(engine, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with (
        opened(engine, sends(OK)) as (_, endpoint),
        await post(endpoint) as response,
    ):
        assert await response.read() == b"ok"


async def test_cookies_are_not_kept(engine):
    answer = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n"
    async with opened(engine, sends(answer, close=False)) as (upstream, endpoint):
        for _ in range(2):
            async with await post(endpoint) as response:
                await response.read()
    assert b"cookie" not in upstream.requests[1].lower()


async def test_many_calls_at_once(engine):
    async with opened(engine, sends(OK, close=False)) as (upstream, endpoint):
        answers = []

        async def call():
            async with await post(endpoint) as response:
                answers.append(await response.read())

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(call)
    assert answers == [b"ok"] * 20
    assert len(upstream.requests) == 20


async def test_failed_second_sending_still_counts_as_sent(engine):
    async def script(upstream, writer):
        if len(upstream.requests) == 2:
            upstream.server.close()
            return False
        writer.write(OK)
        return True

    async with opened(engine, script) as (_, endpoint):
        async with await post(endpoint) as first:
            assert await first.read() == b"ok"
        with pytest.raises(ConnectFailed) as caught:
            await post(endpoint)
        assert caught.value.sent is True


async def test_any_httpx_transport_plugs_in():
    seen = []

    def handler(request):
        seen.append((request.method, str(request.url), request.headers["authorization"]))
        return httpx.Response(200, headers={"X-Id": "7"}, content=b"mocked")

    async with Wire(httpx.MockTransport(handler)) as wire:
        endpoint = wire.endpoint("https://api.vendor.example/v1/")
        async with await endpoint.send("POST", "/chat", HEADERS, b"{}") as response:
            assert (response.status, await response.read()) == (200, b"mocked")
            assert response.headers.get("x-id") == "7"
    assert seen == [("POST", "https://api.vendor.example/v1/chat", KEY)]


async def test_only_good_paths_without_a_query_are_remembered_and_few():
    def handler(request):
        return httpx.Response(200, content=b"ok")

    async with Wire(httpx.MockTransport(handler)) as wire:
        endpoint = wire.endpoint("https://api.vendor.example/v1")
        for _ in range(2):
            for path in ("/../admin", "chat", "/a b"):
                with pytest.raises(InvalidHeader):
                    await endpoint.send("POST", path, HEADERS, b"{}")
        for path in ("/chat", "/chat?key=1", *(f"/models/{n}" for n in range(100))):
            async with await endpoint.send("POST", path, HEADERS, b"{}"):
                pass
        kept = {"/chat": "/v1/chat", **{f"/models/{n}": f"/v1/models/{n}" for n in range(63)}}
        assert endpoint._targets == kept


async def test_failing_httpx_transport_is_mapped():
    def handler(request):
        raise httpx.ConnectError("secret inside")

    async with Wire(httpx.MockTransport(handler)) as wire:
        with pytest.raises(ConnectFailed) as caught:
            await post(wire.endpoint("https://api.vendor.example"))
        assert str(caught.value) == "cannot connect to api.vendor.example:443"
        assert caught.value.sent is False


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://api.vendor.example/v1/", "https://api.vendor.example", "/v1"),
        ("http://localhost:11434", "http://localhost:11434", ""),
        ("http://[::1]:8000/a/b", "http://[::1]:8000", "/a/b"),
        ("https://bücher.example", "https://xn--bcher-kva.example", ""),
    ],
)
def test_base_url_is_parsed(url, origin, prefix):
    address = Wire().endpoint(url).address
    assert (address.origin, address.prefix) == (origin, prefix)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://vendor.example",
        "vendor.example/v1",
        "https://",
        "https://user:hunter2@vendor.example",
        "https://vendor.example/v1?key=hunter2",
        "https://vendor.example/#hunter2",
        "https://vendor.example:99999",
        "https://vendor.example/a/../b",
        "https://vendor.example/a b",
    ],
)
def test_bad_base_url_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        Wire().endpoint(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["chat", "/a b", "/a\r\nx: y", "/../admin", "/a/%2e%2E/b", "/ä", "/a#b", ""]
)
async def test_bad_path_is_refused_before_connecting(path):
    async with Wire() as wire:
        with pytest.raises(InvalidHeader) as caught:
            await wire.endpoint("https://vendor.example").send("POST", path, [], b"")
        assert caught.value.sent is False


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", ["connect_s", "first_byte_s", "idle_s", "total_s"])
def test_timeouts_are_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} must be more than 0"):
        Timeouts(**{name: value})


def test_headers_ignore_case_and_join_repeats():
    headers = Headers([(b"X-Id", b"7"), (b"Via", b"a"), (b"via", b"b")])
    assert list(headers) == [("X-Id", "7"), ("Via", "a"), ("via", "b")]
    assert (headers.get("x-ID"), headers.get("VIA"), headers.get("no", "-")) == ("7", "a, b", "-")
    assert "x-id" in headers
    assert len(headers) == 3
    assert headers == Headers([(b"X-Id", b"7"), (b"Via", b"a"), (b"via", b"b")])
    assert repr(headers) == "Headers(['X-Id', 'Via', 'via'])"
