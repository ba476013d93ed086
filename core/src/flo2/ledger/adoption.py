"""Adoption: what a worker that died left in its journal is stored by the next one that starts.

A dead worker is one whose journal lock can be had. Its records go into the store as links of its
own chain. The calls it had begun and not ended are found afterwards, by `open_entries`, and become
`pending` by records of the adopter's chain; only then does the file go. Each step may be cut off
and done again. Blocking. Imports: ledger.frames, ledger.chain, ledger.locks, stores, errors.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from attrs import frozen

from flo2.errors import StoreError
from flo2.ledger.chain import chain_links
from flo2.ledger.frames import Damage, read_segment
from flo2.ledger.journal import segment_paths
from flo2.ledger.locks import FileLock
from flo2.records import Entry, Pend
from flo2.stores import Store

__all__ = ["Adopted", "DeadJournal", "crashed", "dead_journals"]

_BATCH = 500


@frozen
class Adopted:
    """What was taken over from one dead writer.

    Attributes:
        writer: The dead worker.
        stored: Records that the store did not have.
        pended: Entries that were open.
        damage: What could not be read; a `corrupt` file is kept beside, as `*.damaged`.
    """

    writer: str
    stored: int
    pended: int
    damage: tuple[Damage, ...] = ()


class DeadJournal:
    """A dead writer's journal, locked for as long as this object is not released."""

    def __init__(self, directory: Path, writer: str, lock: FileLock) -> None:
        """Keep the lock."""
        self.writer = writer
        self.stored: int = 0
        self.damage: tuple[Damage, ...] = ()
        self._directory = directory
        self._lock = lock

    def store_missing(self, store: Store) -> None:
        """Store every readable record that the store does not have.

        Raises:
            StoreError: the store or a file fails; do it again later.
        """
        head = store.writer_head(self.writer)
        damage: list[Damage] = []
        for path in segment_paths(self._directory, self.writer):
            try:
                segment = read_segment(path, after=head.seq)
            except OSError as exc:
                raise StoreError(
                    f"the journal file {str(path)!r} of a dead worker cannot be read "
                    f"({exc.strerror}); let this user read it, or move it away"
                ) from exc
            if segment.damage is not None:
                damage.append(segment.damage)
            if segment.header is None:
                continue
            salt = bytes.fromhex(segment.header.salt)
            for begin in range(0, len(segment.records), _BATCH):
                links = chain_links(head, segment.records[begin : begin + _BATCH], salt)
                store.append(links)
                self.stored += len(links)
                head = store.writer_head(self.writer)
        self.damage = tuple(damage)

    @property
    def corrupt(self) -> set[Path]:
        """The files in which records are lost; a torn end is none: it was never relied on."""
        return {each.path for each in self.damage if each.cause == "corrupt"}

    def remove(self) -> None:
        """Remove the files, all stored now; a corrupt one is kept under another name.

        Files that cannot be removed stay, with their lock file, for the next adopter.
        """
        corrupt = self.corrupt
        removed = True
        try:
            for path in segment_paths(self._directory, self.writer):
                if path in corrupt:
                    path.rename(path.with_suffix(".damaged"))
                else:
                    path.unlink()
        except OSError:
            removed = False
        self._lock.release(remove=removed)

    def release(self) -> None:
        """Let go; what was not removed is adopted by the next worker."""
        self._lock.release()


def dead_journals(directory: Path, own: str) -> list[DeadJournal]:
    """Lock the journal of every dead writer but `own`."""
    dead = []
    for path in sorted(directory.glob("*.lock")):
        if path.stem == own:
            continue
        lock = FileLock.take(path)
        if lock is not None:
            dead.append(DeadJournal(directory, path.stem, lock))
    return dead


def crashed(entry: Entry, now_us: int) -> Pend:
    """Say of an open entry of a dead writer that it may have been billed.

    The low bound is zero, whatever the intent expected: an intent is written before the request is
    sent, so it does not prove that anything was.
    """
    return Pend(
        entry_id=entry.intent.entry_id,
        ended_us=now_us,
        outcome="crashed",
        reason="flo2 ended before this attempt did; it may have been billed",
        low=Decimal(0),
        high=entry.intent.high,
    )
