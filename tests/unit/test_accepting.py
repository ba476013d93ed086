"""Connections that wait are taken together, and none after the end."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from flo2.shell import accepting
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


class Full:
    """A listening socket of a process that has no descriptor to spare, for a while."""

    def __init__(self, listening, times):
        self._listening, self.left, self.asked = listening, times, 0

    def __getattr__(self, name):
        return getattr(self._listening, name)

    def dup(self):
        self._listening = self._listening.dup()
        return self

    def accept(self):
        self.asked += 1
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listening.accept()


async def test_a_process_without_descriptors_waits_and_does_not_spin(monkeypatch):
    class Mine(Counting):
        pass

    monkeypatch.setattr(accepting, "_PAUSE_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        full = Full(listening, times=1)
        with socket.create_connection(listening.getsockname()):
            acceptor = Acceptor(full, Mine)
            for _ in range(5):
                await asyncio.sleep(0)
            assert (full.asked, Mine.made) == (1, 0)
            while Mine.made < 1:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.001)
            acceptor.close()
        assert full.asked <= 3
        full = Full(listening, times=1)
        with socket.create_connection(listening.getsockname()):
            acceptor = Acceptor(full, Mine)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            acceptor.close()  # while it waits: nothing looks at the closed socket later
            await asyncio.sleep(0.03)
        assert full.asked == 1
