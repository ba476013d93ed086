"""Commands that go through a period of the ledger: their options, and the entries these choose.

Imports: click, ledger, stores, cli.parse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

import click
from attrs import frozen

from flo2.cli.parse import instant_us
from flo2.cli.whose import one_account
from flo2.ledger import Adjusted, adjusted_entries, check_dimensions
from flo2.stores import EntryFilter, Store

__all__ = ["Period", "period_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--since", metavar="TIME", help="Begun since: 7d (ago), 2026-11-01 or RFC 3339."),
    click.option("--until", metavar="TIME", help="Begun before."),
    click.option(
        "--only", metavar="PROVIDER/MODEL", help="Only calls of this model; * stands for anything."
    ),
    click.option(
        "--by",
        default="model",
        show_default=True,
        metavar="DIMENSIONS",
        help="Sums by these, as `flo2 usage` has them.",
    ),
    one_account("Whose calls."),
)


def period_options(function: _Function) -> _Function:
    """Add --since, --until, --only, --by and --account, as keywords for `Period.read`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@frozen
class Period:
    """Which entries, and what their sums are grouped by.

    Attributes:
        only: Pattern of `provider/model`, as called or as billed; None: all.
    """

    where: EntryFilter
    by: tuple[str, ...]
    only: str | None = None

    @classmethod
    def read(
        cls,
        now_us: int,
        *,
        since: str | None,
        until: str | None,
        only: str | None,
        by: str,
        account: str,
    ) -> Period:
        """Read the options.

        Raises:
            click.BadParameter: one cannot be read.
        """
        dimensions = tuple(each for each in by.split(",") if each)
        try:
            check_dimensions(dimensions)
        except ValueError as exc:
            raise click.BadParameter(str(exc), param_hint="--by") from exc
        where = EntryFilter(
            account,
            since_us=None if since is None else instant_us(since, now_us),
            until_us=None if until is None else instant_us(until, now_us),
        )
        return cls(where, dimensions, only)

    def entries(self, store: Store) -> Iterator[Adjusted]:
        """Give the entries with their adjustments, in the order they began, in bounded memory."""
        for adjusted in adjusted_entries(store, self.where):
            if self.only is None or self._is_meant(adjusted):
                yield adjusted

    def _is_meant(self, adjusted: Adjusted) -> bool:
        intent, end = adjusted.entry.intent, adjusted.entry.end
        names = {intent.model, getattr(end, "model_billed", None) or intent.model}
        return any(fnmatchcase(f"{intent.provider}/{name}", self.only or "*") for name in names)
