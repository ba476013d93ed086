"""The loopback form of `FakeUpstream`: a real HTTP/1.1 server on 127.0.0.1, with real faults.

Enough of HTTP for one client under test: heads, bodies of known length, kept-alive connections.
Imports: anyio, testing.upstream.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

from flo2.testing.upstream import Received, Scripted, pieces_of

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from flo2.testing.upstream import FakeUpstream

__all__ = ["serve"]

_HEAD_LIMIT = 1 << 20
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


@asynccontextmanager
async def serve(upstream: FakeUpstream, port: int = 0) -> AsyncIterator[str]:
    """Serve a script; gives the base URL. Port 0: any that is free."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # anyio's, not Django's

    async def connected(stream: SocketStream) -> None:
        async with stream:
            with suppress(*_GONE, anyio.IncompleteRead):
                await _Connection(upstream, stream).run()

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, connected)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            group.cancel_scope.cancel()


class _Connection:
    """One connection, kept alive as long as its answers end well."""

    def __init__(self, upstream: FakeUpstream, stream: SocketStream) -> None:
        self._upstream = upstream
        self._stream = stream
        self._reader = BufferedByteReceiveStream(stream)
        self._early = b""

    async def run(self) -> None:
        while True:
            script = self._upstream.take(await self._request())
            self._upstream.began()
            abandoned = True
            try:
                if not await self._answer(script):
                    return
                abandoned = script.ends == "hang"
            except _GONE:
                return
            finally:
                self._upstream.ended(abandoned=abandoned)
            if script.ends != "complete":
                self._close(reset=script.ends == "reset")
                return

    async def _request(self) -> Received:
        head = self._early + await self._reader.receive_until(b"\r\n\r\n", _HEAD_LIMIT)
        self._early = b""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await self._reader.receive_exactly(int(headers.get("content-length", "0")))
        return Received(method, target, headers, body)

    async def _answer(self, script: Scripted) -> bool:
        """Send an answer to its scripted end; False: the client left before."""
        left = False
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                nonlocal left
                try:
                    # It has nothing to say while it is answered; a byte belongs to its next request
                    # (it may hold the whole answer a moment before we are done sending it).
                    self._early = await self._stream.receive(1)
                    return
                except _GONE:
                    left = True
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                await self._send(script)
            except _GONE:  # while it was being sent, before `watch` could see it
                left = True
            group.cancel_scope.cancel()
        return not left

    async def _send(self, script: Scripted) -> None:
        if script.ends == "garbage":
            await self._stream.send(b"\x16\x03\x01 this is no HTTP \r\n\r\n")
            return
        framing = "transfer-encoding: chunked\r\n" if script.chunked else ""
        named = "".join(f"{name}: {value}\r\n" for name, value in script.headers)
        head = f"HTTP/1.1 {script.status} Scripted\r\n{named}{framing}\r\n".encode("latin-1")
        if script.chunked:
            await self._stream.send(head)
            head = b""
        async for piece in pieces_of(script):
            data = b"%x\r\n%b\r\n" % (len(piece), piece) if script.chunked else piece
            await self._stream.send(head + data)
            head = b""
        if head:
            await self._stream.send(head)
        if script.ends == "hang":
            await anyio.sleep_forever()
        if script.ends == "complete" and script.chunked:
            await self._stream.send(b"0\r\n\r\n")

    def _close(self, *, reset: bool) -> None:
        if reset:
            raw = self._stream.extra(SocketAttribute.raw_socket)  # noqa: S610  # as above
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
