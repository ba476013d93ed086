"""Tell the observers what happened, after the last byte and off the request path.

Each observer has a queue and a task of its own: one that is slow or hangs delays no call and no
other observer. Imports: ledger, protocols, records.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from anyio import (
    ClosedResourceError,
    Event,
    WouldBlock,
    create_memory_object_stream,
    fail_after,
    move_on_after,
)

from flo2.protocols import Observer
from flo2.records import Exchange

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flo2.ledger import Ledger

__all__ = ["Observers"]

_QUEUE: Final = 1024
_PATIENCE_S: Final = 10.0
_CLOSING_S: Final = 5.0


class Observers:
    """The observers of one running gateway.

    Args:
        observers: What to tell.
        ledger: Gives the entries of an exchange.
        group: Where their tasks run.
    """

    def __init__(self, observers: Iterable[Observer], ledger: Ledger, group: TaskGroup) -> None:
        self._lanes = tuple(_Lane(observer, ledger) for observer in observers)
        for lane in self._lanes:
            group.start_soon(lane.run)

    def tell(self, exchange: Exchange) -> None:
        """Queue an exchange for every observer; never waits."""
        for lane in self._lanes:
            lane.put(exchange)

    async def close(self) -> None:
        """Let them see what is queued, for a few seconds at most."""
        for lane in self._lanes:
            lane.end()
        with move_on_after(_CLOSING_S):
            for lane in self._lanes:
                await lane.ended.wait()


class _Lane:
    """One observer, and what it has not seen yet."""

    def __init__(self, observer: Observer, ledger: Ledger) -> None:
        self.ended = Event()
        self._observer = observer
        self._ledger = ledger
        self._log = logging.getLogger("flo2.gateway")
        self._full = False
        self._inbox, self._outbox = create_memory_object_stream[Exchange](_QUEUE)

    def put(self, exchange: Exchange) -> None:
        try:
            self._inbox.send_nowait(exchange)
        except WouldBlock:
            if not self._full:
                self._full = True
                self._log.error(
                    "observer %r is too slow: %d exchanges wait for it, others are left out",
                    self._observer.kind,
                    _QUEUE,
                )
        except ClosedResourceError:
            return  # a call that ends while the gateway closes; the ledger has it
        else:
            self._full = False

    def end(self) -> None:
        self._inbox.close()

    async def run(self) -> None:
        try:
            with self._outbox:
                async for exchange in self._outbox:
                    await self._show(exchange)
        finally:
            self._inbox.close()
            self.ended.set()

    async def _show(self, exchange: Exchange) -> None:
        try:
            receipt = await self._ledger.receipt(exchange.account, exchange.exchange_id)
            with fail_after(_PATIENCE_S):
                await self._observer.observe(exchange, () if receipt is None else receipt.entries)
        except Exception:  # noqa: BLE001  # border: a plugin's own code
            self._log.exception("observer %r raised", self._observer.kind)
