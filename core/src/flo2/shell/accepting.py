"""Accept the connections that wait, several in one turn of the loop.

uvloop takes one connection in each turn of its loop (libuv 1.49 and later stop after one), so of
256 clients that come at once the last waits for 256 turns, each full of the others' requests.
Beside uvicorn's own server this one looks at a twin of the listening socket and takes what waits.
Imports: the standard library.
"""

from __future__ import annotations

import asyncio  # noqa: TID251  # the loop's own way to take over an accepted socket
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Acceptor"]

_AT_ONCE: Final = 32
"""So many in one turn: other workers on the same socket are to get some too."""
_NOTHING_TO_SPARE: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE_S: Final = 1.0
"""How long it looks away then; asyncio's own servers do the same (`asyncio.constants`)."""


class Acceptor:
    """Take connections from a listening socket until it is closed.

    Args:
        listening: The socket; it stays its owner's.
        protocol: Makes the protocol of a connection.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._taking: set[asyncio.Task[object]] = set()
        self._twin = listening.dup()
        self._twin.setblocking(False)  # noqa: FBT003  # the socket's own signature
        self._pausing: asyncio.TimerHandle | None = None
        self._look()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._twin.accept()
            except BlockingIOError:  # nobody is left
                return
            except OSError as exc:
                if exc.errno in _NOTHING_TO_SPARE:
                    self._pause()
                    return
                continue  # this one has left already
            connection.setblocking(False)  # noqa: FBT003  # the socket's own signature
            if connection.family != getattr(socket, "AF_UNIX", None):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._take(connection))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    def _look(self) -> None:
        self._pausing = None
        self._loop.add_reader(self._twin.fileno(), self._accept)

    def _pause(self) -> None:
        """Look away for a while: the socket stays ready, so that the loop would only spin."""
        self._loop.remove_reader(self._twin.fileno())
        self._pausing = self._loop.call_later(_PAUSE_S, self._look)

    async def _take(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except BaseException as exc:
            connection.close()
            if not isinstance(exc, OSError):  # else the client is gone already
                raise

    def close(self) -> None:
        """Take no more; what was taken lives on."""
        if self._pausing is not None:
            self._pausing.cancel()
        with contextlib.suppress(ValueError):
            self._loop.remove_reader(self._twin.fileno())
        self._twin.close()
