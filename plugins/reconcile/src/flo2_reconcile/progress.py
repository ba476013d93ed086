"""How far it is: bars on a terminal, nothing in a pipe.

Imports: rich, on a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]


class Progress:
    """Used as a context manager; its methods are told what was done.

    Args:
        environ: Says whether the terminal can show bars.
        quiet: Show nothing.
    """

    def __init__(self, environ: Mapping[str, str], *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty() and environ.get("TERM") != "dumb"
        self._rich: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console  # noqa: PLC0415  # 40 ms, for terminals only
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
            from rich.progress import Progress as Bars  # noqa: PLC0415

            self._rich = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:,.0f}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    def read(self, name: str, read: int) -> None:
        """So many bytes of a file were read."""
        self._advance(f"reading {name}", read)

    def entries(self, count: int) -> None:
        """So many entries of the ledger were read."""
        self._advance("entries of the ledger", count)

    def page(self, report: str, page: int) -> None:
        """A page has arrived."""
        self._advance(f"pages of {report}", 1 if page >= 0 else 0)

    def _advance(self, what: str, by: int) -> None:
        if self._rich is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._rich.add_task(what, total=None)
        self._rich.advance(self._tasks[what], by)
