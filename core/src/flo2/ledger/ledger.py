"""The ledger: records are in the journal before a call goes on, and in the store soon after.

`intent` and `end` are plain and quick; `run` drains the journal into the store in the background. A
store that is down delays the drain and loses nothing. One ledger a worker; its methods are called
from one event loop. Imports: ledger, records, stores, errors.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from flo2.errors import StoreError
from flo2.ledger.adoption import Adopted, DeadJournal, crashed, dead_journals
from flo2.ledger.chain import chain_links
from flo2.ledger.journal import Journal
from flo2.ledger.locks import FileLock
from flo2.ledger.receipt import Receipt, assemble, belongs, is_whole
from flo2.records import Entry, Exchange, Intent, Pend, Record, Settle, Void
from flo2.stores import EntryFilter, Store, WriterHead
from flo2.sums import UsageRow

__all__ = ["Ledger", "Receipt"]

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

_ADOPTION_LOCK: Final = "adoption.flock"
_ADOPTION_WAIT_S: Final = 30.0
_CLOSE_WAIT_S: Final = 10.0
_BACKOFF_S: Final = (0.1, 5.0)
_ENDS: Final = (Settle, Pend, Void)
_JOURNAL_BACKOFF_S: Final = 1.0


class Ledger:
    """Write records durably and give them back.

    Args:
        journal: Where records are durable at once.
        store: Where they end up; only ever called in a worker thread.
        now_us: Wall clock, microseconds UTC.
        batch: Records stored in one transaction at most.
        interval_s: How long records may wait for company before they are stored.
        memory_limit: Records kept in memory while they wait; what is beyond is read back from the
            journal, and shows in a receipt only once it is stored.
        backlog_limit: Records waiting for the store past which no new call is begun.

    Attributes:
        trouble: Why the store did not take the last batch, or None.
        journal_trouble: Why the journal did not take the last record, or None. While there is one,
            no call is begun; `run` looks every second whether it has passed.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        now_us: Callable[[], int],
        *,
        batch: int = 500,
        interval_s: float = 0.1,
        memory_limit: int = 20_000,
        backlog_limit: int = 2_000_000,
    ) -> None:
        self.trouble: str | None = None
        self.journal_trouble: str | None = None
        self._log = logging.getLogger("flo2.ledger")
        self._journal = journal
        self._store = store
        self._now_us = now_us
        self._batch = batch
        self._interval_s = interval_s
        self._memory_limit = memory_limit
        self._backlog_limit = backlog_limit
        self._head: WriterHead | None = None
        self._stored = journal.first_seq - 1
        self._waiting: deque[tuple[int, Record]] = deque()
        self._spilled = False
        self._deferred: deque[tuple[Record, ...]] = deque()
        self._open: set[str] = set()
        self._done_paths: list[Path] = []
        self._wake = anyio.Event()
        self._enough = anyio.Event()
        self._asleep = False
        self._gathering = False
        self._drain = anyio.Lock()
        # Reads have a limiter of their own: a long report must not delay the drain.
        self._writes = anyio.CapacityLimiter(1)
        self._reads = anyio.CapacityLimiter(4)

    # The hot path -----------------------------------------------------------------------------

    def intent(self, record: Intent) -> None:
        """Write down that an attempt begins; the provider may see a byte only after this.

        Raises:
            StoreError: it could not be written down, so the call must not be made.
        """
        if self._deferred:
            self._write_deferred()
        if self._journal.last_seq - self._stored >= self._backlog_limit:
            raise StoreError(
                f"{self.lag} ledger records wait for the store ({self.trouble}); "
                "no call is begun until it takes them"
            )
        try:
            seq = self._journal.append(record).start
        except StoreError as exc:
            self._note_journal(exc)
            raise
        self._queue(seq, (record,))
        self._open.add(record.entry_id)

    def end(self, *records: Record) -> None:
        """Write down how attempts and the exchange ended, in one write.

        Never raises: the money is spent. A record that the journal does not take is kept in memory
        and tried again; until then `healthy` is False and no new call is begun. Only of calls that
        were refused, and so cost nothing, no more than `memory_limit` are kept.
        """
        for record in records:
            if isinstance(record, _ENDS):
                self._open.discard(record.entry_id)
            elif isinstance(record, Intent):
                self._open.add(record.entry_id)
        if self._deferred:
            self._defer(records)
            with contextlib.suppress(StoreError):
                self._write_deferred()
            return
        try:
            seq = self._journal.append(*records).start
        except StoreError as exc:
            self._note_journal(exc)
            self._defer(records)
        else:
            self._queue(seq, records)

    @property
    def writer(self) -> str:
        """This worker, as the store knows it."""
        return self._journal.writer

    @property
    def lag(self) -> int:
        """How many records the store does not have yet."""
        return self._journal.last_seq - self._stored + sum(map(len, self._deferred))

    @property
    def healthy(self) -> bool:
        """Whether new calls can be taken."""
        if self.journal_trouble is not None or self._deferred:
            return False
        return self._journal.last_seq - self._stored < self._backlog_limit

    @property
    def open_entries(self) -> int:
        """How many attempts of this worker have begun and not ended."""
        return len(self._open)

    def _queue(self, seq: int, records: Iterable[Record]) -> None:
        """Keep what has just been written for the store; `seq`: the number of the first."""
        waiting = self._waiting
        if self._spilled or len(waiting) >= self._memory_limit:
            self._spilled = True
        else:
            waiting.extend(enumerate(records, seq))
        if self._asleep:
            self._signal()
        elif self._gathering and len(waiting) >= self._batch:
            self._gathering = False
            self._enough.set()

    def _signal(self) -> None:
        self._asleep = False
        self._wake.set()

    def _defer(self, records: tuple[Record, ...]) -> None:
        if len(self._deferred) < self._memory_limit or not all(map(_is_refusal, records)):
            self._deferred.append(records)

    def _note_journal(self, exc: StoreError) -> None:
        if self.journal_trouble is None:
            self._log.error("calls are refused: %s", exc)
        self.journal_trouble = str(exc)
        self._signal()

    def _try_journal(self) -> None:
        """Write what the journal did not take; see whether it takes anything again."""
        try:
            self._journal.check()
            self._write_deferred()
            if self.journal_trouble is not None:
                self._journal.probe()
                self.journal_trouble = None
                self._log.warning("the journal takes records again; calls are taken")
        except StoreError as exc:
            self._note_journal(exc)
            raise

    def _write_deferred(self) -> None:
        while self._deferred:
            records = self._deferred[0]
            seq = self._journal.append(*records).start
            self._deferred.popleft()
            self._queue(seq, records)

    # The drain --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Store what the journal holds, batch by batch, for ever; cancel it to stop.

        A store that fails is tried again, at most every five seconds.
        """
        delay = _BACKOFF_S[0]
        while True:
            await self._work()
            try:
                await self._drain_batch()
            except StoreError as exc:
                journal = self.journal_trouble is not None
                if not journal and self.trouble is None:
                    self._log.error("the store takes no records, they wait: %s", exc)
                self.trouble = str(exc)
                await anyio.sleep(delay)
                delay = min(delay * 2, _JOURNAL_BACKOFF_S if journal else _BACKOFF_S[1])
            else:
                delay = _BACKOFF_S[0]

    async def flush(self) -> None:
        """Store all that has been written until now.

        Raises:
            StoreError: the store does not take it; nothing is lost.
        """
        self._write_deferred()
        target = self._journal.last_seq
        while self._stored < target:
            await self._drain_batch()

    async def close(self) -> None:
        """Store what is left and close the journal.

        If the store has everything and no attempt is open, what was leased of budgets is given back
        and the journal's files are removed; else the next worker adopts them, and does both.
        """
        with anyio.move_on_after(_CLOSE_WAIT_S, shield=True):
            try:
                await self.flush()
            except StoreError as exc:
                self.trouble = str(exc)
        if self.lag:
            self._log.error("%d ledger records are not in the store: %s", self.lag, self.trouble)
        clean = not self.lag and not self._open
        if clean:
            try:
                await self._read(self._store.end_leases, self._journal.writer)
            except StoreError as exc:
                self._log.error("what this worker leased of budgets is not given back: %s", exc)
                clean = False
        self._journal.close(remove=clean)

    async def _work(self) -> None:
        """Wait until there is something to store, and a little longer for company."""
        if not self.lag and self.journal_trouble is None:
            self._wake = anyio.Event()
            self._asleep = True
            await self._wake.wait()
        if len(self._waiting) < self._batch and not self._spilled:
            self._enough = anyio.Event()
            self._gathering = True
            with anyio.move_on_after(self._interval_s):
                await self._enough.wait()

    async def _drain_batch(self) -> None:
        async with self._drain:
            try:
                self._try_journal()
            finally:  # a journal that takes nothing is no reason not to store what is in it
                if self._journal.last_seq > self._stored:
                    records = await self._next_batch()
                    self._advance(
                        await anyio.to_thread.run_sync(self._append, records, limiter=self._writes)
                    )
            if self.trouble is not None:
                self.trouble = None
                self._log.warning("the store takes records again")

    def _advance(self, head: WriterHead) -> None:
        self._head = head
        self._stored = max(self._stored, head.seq)
        while self._waiting and self._waiting[0][0] <= self._stored:
            self._waiting.popleft()
        self._done_paths = self._journal.stored(self._stored)

    async def _next_batch(self) -> Sequence[tuple[int, Record]]:
        if not self._waiting:
            self._spilled = False  # from here on in memory again; what lies between, from the file
        in_file = (self._waiting[0][0] - 1 if self._waiting else self._journal.last_seq) - (
            self._stored
        )
        if not in_file:
            return tuple(islice(self._waiting, self._batch))
        records = await anyio.to_thread.run_sync(
            self._journal.read, self._stored, min(in_file, self._batch), limiter=self._writes
        )
        if not records:
            raise StoreError(
                f"the journal of {self._journal.writer!r} lacks record {self._stored + 1}: "
                "its file was changed or removed while in use"
            )
        return records

    def _append(self, records: Sequence[tuple[int, Record]]) -> WriterHead:
        head = self._head or self._store.writer_head(self._journal.writer)
        missing = [(seq, record) for seq, record in records if seq > head.seq]
        links = chain_links(head, missing, self._journal.salt)
        if links:
            self._store.append(links)
            head = WriterHead(head.writer, links[-1].seq, links[-1].hash)
        for path in self._done_paths:
            with contextlib.suppress(OSError):  # it is stored: `close` or an adopter removes it
                path.unlink()
        return head

    # Adoption ---------------------------------------------------------------------------------

    async def adopt(self) -> tuple[Adopted, ...]:
        """Take over what dead workers left; call it at start, before the first call.

        May be cut off at any point and done again. Workers that start together take turns, so no
        crashed attempt is reported twice.

        Raises:
            StoreError: the store fails, or another worker does not finish adopting.
        """
        head = await self._read(self._store.writer_head, self._journal.writer)
        self._journal.resume_after(head.seq)
        self._stored = max(self._stored, head.seq)
        turn = await self._adoption_turn()
        dead: Sequence[DeadJournal] = ()
        try:
            dead = await self._read(dead_journals, self._journal.directory, self._journal.writer)
            return await self._adopt(dead)
        finally:
            for each in dead:
                each.release()
            turn.release()

    async def _adopt(self, dead: Sequence[DeadJournal]) -> tuple[Adopted, ...]:
        # First everything that is written, also what an adopter that died wrote about others.
        for each in dead:
            await self._read(each.store_missing, self._store)
        await self.flush()
        pended: dict[str, int] = {}
        for writer in (*(each.writer for each in dead), self._journal.writer):
            entries = await self._read(self._store.open_entries, writer)
            left = [entry for entry in entries if entry.intent.entry_id not in self._open]
            for entry in left:
                self.end(crashed(entry, self._now_us()))
            pended[writer] = len(left)
        await self.flush()
        for each in dead:
            if not each.corrupt:  # else nobody knows what was spent out of its leases
                await self._read(self._store.end_leases, each.writer)
            await self._read(each.remove)
        own = self._journal.writer
        adopted = [Adopted(d.writer, d.stored, pended[d.writer], d.damage) for d in dead]
        if pended[own] or self._journal.damage:
            adopted.append(Adopted(own, 0, pended[own], self._journal.damage))
        return tuple(adopted)

    async def _adoption_turn(self) -> FileLock:
        path = self._journal.directory / _ADOPTION_LOCK
        with anyio.move_on_after(_ADOPTION_WAIT_S):
            while True:
                lock = FileLock.create(path) or FileLock.take(path)
                if lock is not None:
                    return lock
                await anyio.sleep(0.02)
        raise StoreError(
            f"another worker has been adopting journals in {str(self._journal.directory)!r} for "
            f"{_ADOPTION_WAIT_S:.0f} s; see why it does not finish"
        )

    # Queries ----------------------------------------------------------------------------------

    async def receipt(self, account: str, exchange_id: str) -> Receipt | None:
        """Give an exchange and its attempts, at once also if they are not stored yet.

        Returns:
            None when the account has no such exchange.

        Raises:
            StoreError: the store cannot be read, and the exchange is not whole in memory.
        """
        own = [record for record in self._unstored() if belongs(record, exchange_id)]
        if is_whole(own):
            return assemble(account, own)
        where = EntryFilter(account, exchange_id=exchange_id)
        entries = await self._read(self._store.entries, where)
        exchanges = await self._read(self._store.exchanges, where)
        adjustments = await self._read(lambda: tuple(self._store.adjustments(where)))
        return assemble(
            account, own, Receipt(next(iter(exchanges), None), tuple(entries), adjustments)
        )

    async def entries(self, where: EntryFilter) -> Sequence[Entry]:
        """Give entries; what this worker has written is stored first, so it is among them."""
        await self.flush()
        return await self._read(self._store.entries, where)

    async def exchanges(self, where: EntryFilter) -> Sequence[Exchange]:
        """Give exchanges; as `entries`."""
        await self.flush()
        return await self._read(self._store.exchanges, where)

    async def usage(self, where: EntryFilter, by: Sequence[str]) -> Sequence[UsageRow]:
        """Add entries up by the dimensions `by` (see `flo2.sums`); as `entries`."""
        await self.flush()
        return await self._read(self._store.usage, where, by)

    def _unstored(self) -> list[Record]:
        waiting = [record for _, record in self._waiting]
        return waiting + [record for records in self._deferred for record in records]

    async def _read(
        self, function: Callable[[*_Arguments], _Result], *args: *_Arguments
    ) -> _Result:
        return await anyio.to_thread.run_sync(function, *args, limiter=self._reads)


def _is_refusal(record: Record) -> bool:
    return isinstance(record, Exchange) and not record.attempts
