"""What `flo2 export focus` does: go through the ledger once, in bounded memory, and write rows.

Imports: rows, writing, flo2.cli.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from attrs import define, field

from flo2 import Account, EntryFilter, Store
from flo2.cli.bench import Bench
from flo2.cli.output import say
from flo2.cli.parse import instant_us
from flo2.cli.state import State
from flo2.ledger import adjusted_entries
from flo2_export_focus.rows import Row, rows_of
from flo2_export_focus.writing import load_pyarrow, write_csv, write_parquet

__all__ = ["FocusExport", "export_command"]


@define
class FocusExport:
    """One pass over an account's ledger.

    Attributes:
        written: Rows given so far.
        unknown: Status → entries whose cost is not known, so that they have no row.
    """

    store: Store
    account: Account
    where: EntryFilter
    written: int = 0
    unknown: dict[str, int] = field(factory=dict)

    def rows(self) -> Iterator[Row]:
        """Give the rows, in the order the calls began."""
        for adjusted in adjusted_entries(self.store, self.where):
            if adjusted.entry.total is None:
                status = adjusted.entry.status
                self.unknown[status] = self.unknown.get(status, 0) + 1
            for row in rows_of(adjusted, self.account):
                self.written += 1
                yield row

    def remarks(self) -> Iterator[str]:
        """Say what was written and what was not."""
        yield f"{self.written} rows"
        if self.unknown:
            counts = ", ".join(
                f"{count} {status}" for status, count in sorted(self.unknown.items())
            )
            yield f"left out, as their cost is not known: {counts} (see: flo2 ledger pending)"


def export_command(
    state: State,
    *,
    since: str,
    until: str | None,
    out: Path | None,
    kind: str,
    account: str,
) -> None:
    """Export, as `flo2 export focus` says."""
    if kind == "parquet":
        if out is None:
            raise click.UsageError("--format parquet needs --out FILE")
        load_pyarrow()  # before the ledger is read
    with Bench(state) as bench:
        now = bench.now_us()
        name = bench.account(account)
        found = next(each for each in bench.store.accounts() if each.id == name)
        end = now if until is None else instant_us(until, now)
        where = EntryFilter(name, since_us=instant_us(since, now), until_us=end)
        export = FocusExport(bench.store, found, where)
        if out is None:
            write_csv(export.rows(), sys.stdout)
        else:
            _write_file(export, out, kind)
    for remark in export.remarks():
        say(remark)


def _write_file(export: FocusExport, out: Path, kind: str) -> None:
    """Write beside the file and put it in place when complete: half an export is not one."""
    part = out.with_name(f"{out.name}.part")
    try:
        if kind == "parquet":
            write_parquet(export.rows(), part)
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                write_csv(export.rows(), file)
        part.replace(out)
    except OSError as exc:
        raise click.FileError(str(out), exc.strerror or str(exc)) from exc
    finally:
        part.unlink(missing_ok=True)
