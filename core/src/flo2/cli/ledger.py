"""`flo2 ledger`: whether the records are still those that were written, and the sums theirs.

Imports: ledger, stores, cli.bench.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.pending import pending_command
from flo2.cli.reprice import reprice_command
from flo2.cli.retention import prune_command, rebuild_command
from flo2.cli.state import State, group
from flo2.errors import ConfigError
from flo2.ledger import verify as verify_chain
from flo2.ledger.archive import read_archive
from flo2.stores import ChainLink, WriterHead

__all__ = ["ledger"]

_DIFFERENCES = 3
_SUM_PROBLEMS = 20
"""How many differences of sums are shown at most: one wrong sum differs in many buckets."""


@group("ledger")
def ledger() -> None:
    """Verify the chain of ledger records."""


ledger.add_command(reprice_command)
ledger.add_command(pending_command)
ledger.add_command(prune_command)
ledger.add_command(rebuild_command)


@ledger.command("verify")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Heads that were kept elsewhere (`flo2 ledger heads --json`): shows a chain cut short.",
)
@click.option(
    "--archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Check what `flo2 ledger prune` wrote to this file, instead of the store.",
)
@click.pass_obj
def verify(state: State, *, against: Path | None, archive: Path | None) -> int:
    """Check every writer's chain, record by record: edits, gaps, deletions, reordering.

    Then the sums that are kept beside the records: whether these come to them, to the last digit.

    Exit code 3 when something is not as it was written.
    """
    if archive is not None:
        return _verify_archive(state, archive)
    expected = {} if against is None else _read_heads(against)
    checked: list[dict[str, Any]] = []
    with Bench(state) as bench:
        store = bench.store
        for writer in sorted({*store.writers(), *expected}):
            counted = _Counted(store.chain(writer))
            anchor = store.anchor(writer)
            found = verify_chain(counted, expected=expected.get(writer), anchor=anchor)
            checked.append(
                {
                    "writer": writer,
                    "records": counted.records,
                    "head": counted.head,
                    "problems": found,
                }
            )
        sums = list(islice(store.check_usage(), _SUM_PROBLEMS))
    problems = [problem for each in checked for problem in each["problems"]]
    records = sum(each["records"] for each in checked)
    if state.as_json:
        ok = not problems and not sums
        say_json({"ok": ok, "records": records, "writers": checked, "sums": sums})
    else:
        for problem in (*problems, *sums):
            click.echo(f"✗ {problem}")
        if not problems:
            click.echo(f"✓ {records} records of {len(checked)} writers are as they were written")
        if not sums:
            click.echo("✓ the sums are what the records come to")
        else:
            say("make the sums anew, from the records: flo2 ledger rebuild-sums")
        if not problems and against is None:
            say("a chain whose end was cut off cannot be told without --against")
    return _DIFFERENCES if problems or sums else 0


@ledger.command("heads")
@click.pass_obj
def heads(state: State) -> None:
    """Show how far each chain reaches; keep this elsewhere, for `verify --against`."""
    with Bench(state) as bench:
        found = [bench.store.writer_head(writer) for writer in bench.store.writers()]
    if state.as_json:
        say_json([{"writer": each.writer, "seq": each.seq, "hash": each.hash} for each in found])
        return
    table(
        state,
        ["writer", "records", "hash"],
        [[each.writer, str(each.seq), each.hash] for each in found],
        right=["records"],
        empty="no records yet",
    )


def _verify_archive(state: State, path: Path) -> int:
    found = read_archive(path)
    if state.as_json:
        say_json(
            {
                "ok": not found.problems,
                "records": found.records,
                "writers": [each.writer for each in found.heads],
                "problems": list(found.problems),
            }
        )
    else:
        for problem in found.problems:
            click.echo(f"✗ {problem}")
        if not found.problems:
            count = len(found.heads)
            click.echo(f"✓ {found.records} records of {count} writers are as they were written")
    return _DIFFERENCES if found.problems else 0


class _Counted:
    """Counts links as they pass, and keeps the last hash."""

    def __init__(self, links: Iterable[ChainLink]) -> None:
        self._links = links
        self.records = 0
        self.head = ""

    def __iter__(self) -> Iterator[ChainLink]:
        for link in self._links:
            self.records += 1
            self.head = link.hash
            yield link


def _read_heads(path: Path) -> dict[str, WriterHead]:
    try:
        return {
            each["writer"]: WriterHead(each["writer"], int(each["seq"]), each["hash"])
            for each in json.loads(path.read_text(encoding="utf-8"))
        }
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            [f"{path} holds no heads; make it with: flo2 ledger heads --json > {path}"]
        ) from exc
