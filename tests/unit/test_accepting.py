"""Connections that wait are taken together, and none after the end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from flo2.shell.accepting import Acceptor

pytestmark = pytest.mark.anyio


class Counting(asyncio.Protocol):
    made: int = 0

    def connection_made(self, transport):
        type(self).made += 1
        transport.close()


async def test_all_that_wait_are_taken_and_none_after_the_end():
    class Mine(Counting):
        pass

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        clients = [socket.create_connection(listening.getsockname()) for _ in range(100)]
        acceptor = Acceptor(listening, Mine)
        while Mine.made < len(clients):  # noqa: ASYNC110  # the loop's own turns are what counts
            await asyncio.sleep(0)
        acceptor.close()
        with socket.create_connection(listening.getsockname()):
            for _ in range(10):
                await asyncio.sleep(0)
        assert Mine.made == len(clients)
        assert listening.fileno() > 0  # it stays its owner's
        for client in clients:
            assert client.recv(1) == b""
            client.close()
