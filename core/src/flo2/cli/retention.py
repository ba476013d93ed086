"""`flo2 ledger prune` and `rebuild-sums`: let go of old records, and make sums anew.

Imports: ledger.archive, stores, cli.bench.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json
from flo2.cli.state import State, command
from flo2.contracts.calendar import month_span, read_month
from flo2.errors import ConfigError
from flo2.instants import microseconds
from flo2.ledger.archive import write_archive
from flo2.stores import ChainLink, PrunableStore, WriterHead

__all__ = ["prune_command", "rebuild_command"]


@command("rebuild-sums")
@click.pass_obj
def rebuild_command(state: State) -> None:
    """Make the sums that `flo2 usage` reads anew from the records, a month at a time.

    For when `flo2 ledger verify` says that the two differ. Months whose records were pruned stay.
    """
    with Bench(state) as bench:
        entries = bench.store.rebuild_usage()
    if state.as_json:
        say_json({"entries": entries})
    else:
        click.echo(f"✓ the sums are made anew from {entries} entries")


@command("prune")
@click.option("--before", required=True, metavar="MONTH", help="Such as 2026-10: older records go.")
@click.option(
    "--archive",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where they go: a file (.jsonl.gz) that does not exist yet.",
)
@click.option("--discard", is_flag=True, help="Keep them nowhere.")
@click.pass_obj
def prune_command(state: State, *, before: str, archive: Path | None, discard: bool) -> None:
    """Remove the records of months that are over; their sums and the chains' heads stay.

    The archive is read again and every chain in it verified before anything is removed. Refused
    while an entry of that time is open or pending.
    """
    if (archive is None) != discard:
        raise click.UsageError("say where the records go: --archive FILE, or --discard")
    before_us = _month_us(before)
    with Bench(state) as bench:
        store = bench.store
        if not isinstance(store, PrunableStore):
            raise ConfigError([f"the store {store.kind!r} keeps nothing that could be pruned"])
        if before_us > bench.now_us():
            raise click.BadParameter(f"{before} is not over yet", param_hint="--before")
        links = store.prunable(before_us)
        if archive is None:
            heads = tuple(_heads(links))
        else:
            try:
                anchors = {writer: store.anchor(writer) for writer in store.writers()}
                heads = write_archive(archive, links, anchors).heads
            except OSError as exc:
                raise ConfigError(
                    [f"the archive {str(archive)!r} cannot be written: {exc.strerror}"]
                ) from exc
        removed = store.prune(before_us, heads)
    if state.as_json:
        told = [{"writer": each.writer, "seq": each.seq, "hash": each.hash} for each in heads]
        say_json({"removed": removed, "anchors": told})
        return
    click.echo(f"✓ {removed} records begun before {before} are removed")
    if archive is not None:
        say("keep the archive with your heads: what was pruned verifies with it alone")


def _heads(links: Iterable[ChainLink]) -> Iterator[WriterHead]:
    """Give the last of each writer."""
    last: ChainLink | None = None
    for link in links:
        if last is not None and last.writer != link.writer:
            yield WriterHead(last.writer, last.seq, last.hash)
        last = link
    if last is not None:
        yield WriterHead(last.writer, last.seq, last.hash)


def _month_us(month: str) -> int:
    try:
        first = read_month(month)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--before") from exc
    return microseconds(month_span(first, "UTC").since)
