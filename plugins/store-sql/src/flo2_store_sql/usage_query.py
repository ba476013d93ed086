"""Answer what was used: from the sums where they have it, from the entries where they do not.

The sums hold what has ended, in whole buckets. What is open, what lies at the edges of the time
asked for, and what no cube has (tags, an end user's models, one call) is read from the entries, as
columns, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from attrs import define, evolve, field
from sqlalchemy import Table, func, select

from flo2.errors import StoreError
from flo2.instants import instant
from flo2.money import add
from flo2.stores import EntryFilter
from flo2.sums import UsageRow, check_dimensions, in_order
from flo2_store_sql import tables
from flo2_store_sql import usage_schema as schema
from flo2_store_sql.cubes import COLUMNS, DIMENSIONS, Cube, Span, cover, cube_for, grain
from flo2_store_sql.filters import entries_found
from flo2_store_sql.retention import pruned_before
from flo2_store_sql.rows import storable
from flo2_store_sql.standing import (
    ADJUSTED,
    HIGH,
    LOW,
    METER,
    ONE,
    TOTAL,
    UNBOUNDED,
    Amounts,
    from_limbs,
    standing_of,
)
from flo2_store_sql.usage_tables import METER_COLUMNS, STANDING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2_store_sql.database import Database

__all__ = ["usage"]

_ENTRIES: Final = tables.ledger_entries
_PARTS: Final = tables.ledger_adjustments
_GROUPS: Final = schema.usage_groups
_METER_NAMES: Final = tuple(METER + name for name in METER_COLUMNS)
_TAG: Final = "tag:"
_STREAM: Final = {"yield_per": 1000}
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode

_Group = tuple[str | None, ...]


@define
class _Sum:
    """One row of the answer while it is added up."""

    amounts: Amounts = field(factory=Amounts)
    statuses: dict[str, int] = field(factory=dict)

    def count(self, status: str, entries: int = 1) -> None:
        if entries:
            self.statuses[status] = self.statuses.get(status, 0) + entries

    def row(self, group: _Group, currency: str) -> UsageRow:
        amounts = self.amounts
        adjusted = amounts.sum(ADJUSTED)
        return UsageRow(
            group,
            currency,
            sum(self.statuses.values()),
            self.statuses,
            add(amounts.sum(TOTAL), adjusted),
            adjusted,
            amounts.sum(LOW),
            None if amounts.get(UNBOUNDED) else amounts.sum(HIGH),
            _meters(amounts),
        )


def _meters(amounts: Amounts) -> dict[str, int | Decimal]:
    meters: dict[str, int | Decimal] = {}
    for name in sorted({*amounts, *amounts.odd}) if amounts.odd else sorted(amounts):
        if name.startswith(METER):
            value = amounts.sum(name)
            whole = int(value)
            if value:
                meters[name.removeprefix(METER)] = whole if whole == value else value
    return meters


def usage(database: Database, where: EntryFilter, by: Sequence[str]) -> list[UsageRow]:
    """Add up what `where` finds; as `flo2.stores.Store.usage`."""
    check_dimensions(by)
    question = _Question(where, by)
    with database.reading() as connection:
        database.one_state(connection)
        question.ask(connection)
    return in_order(each.row(*key) for key, each in question.sums.items())


class _Question:
    """One question, and what is known of its answer so far."""

    def __init__(self, where: EntryFilter, by: Sequence[str]) -> None:
        self.sums: dict[tuple[_Group, str], _Sum] = {}
        self._where = where
        self._by = by
        self._cube = _cube(where, by)

    def ask(self, connection: Connection) -> None:
        """Add everything up."""
        where = self._where
        if self._cube is None:
            self._check_kept(connection, where.since_us, "only the entries tell that")
            self._read(connection, where)
            return
        spans, edges = cover(where.since_us, where.until_us, self._cube.levels)
        for span in spans:
            self._add_span(connection, self._cube, span)
        for since, until in edges:
            self._check_kept(connection, since, "the time asked for cuts a day (or an hour)")
            self._read(connection, evolve(where, since_us=since, until_us=until), ended=True)
        if where.status in {None, "open"}:
            self._read(connection, evolve(where, status="open"))

    def _check_kept(self, connection: Connection, since_us: int | None, why: str) -> None:
        kept = pruned_before(connection)
        if kept is not None and (since_us is None or since_us < kept):
            day = instant(kept).date()
            raise StoreError(
                f"{why}, and entries begun before {day} were pruned: ask for whole days (UTC), or "
                "for what began since; the archive that `flo2 ledger prune` wrote has the rest"
            )

    # From the sums ----------------------------------------------------------------------------

    def _add_span(self, connection: Connection, cube: Cube, span: Span) -> None:
        columns = [_GROUPS.c[COLUMNS[name]] for name in self._by]
        place = len(columns)
        rollups = schema.usage_rollups
        names = ("entries", "whole", "nano", "atto", *METER_COLUMNS)
        measures = [func.sum(rollups.c[name]) for name in names]
        for row in self._grouped(connection, rollups, cube, span, columns, measures):
            into = self._sum(tuple(row[:place]), row[place])
            status, entries, whole, nano, atto, *meters = row[place + 1 :]
            into.count(status, int(entries))
            amounts = into.amounts
            amounts[TOTAL] = amounts.get(TOTAL, 0) + from_limbs(whole, nano, atto)
            for name, quantity in zip(_METER_NAMES, meters, strict=True):
                if quantity:
                    amounts[name] = amounts.get(name, 0) + int(quantity) * ONE
        sums = schema.usage_sums
        limbs = [func.sum(sums.c[name]) for name in ("whole", "nano", "atto")]
        for row in self._grouped(connection, sums, cube, span, [*columns, sums.c.name], limbs):
            amounts = self._sum(tuple(row[:place]), row[place + 1]).amounts
            name = row[place]
            amounts[name] = amounts.get(name, 0) + from_limbs(*row[place + 3 :])
        odd = schema.usage_odd
        for row in self._grouped(
            connection, odd, cube, span, [*columns, odd.c.name, odd.c.amount], [func.count()]
        ):
            amounts = self._sum(tuple(row[:place]), row[place + 2]).amounts
            for _ in range(row[place + 4]):
                amounts.put(row[place], Decimal(row[place + 1]))

    def _grouped(
        self,
        connection: Connection,
        table: Table,
        cube: Cube,
        span: Span,
        columns: Sequence[Any],
        measures: Sequence[Any],
    ) -> Iterator[Any]:
        """Give sums by these columns, currency and status, which stand between the two."""
        groups, kept, where = _GROUPS.c, table.c, self._where
        keys = [*columns, groups.currency, groups.status]
        query = (
            select(*keys, *measures)
            .join_from(table, _GROUPS, groups.id == kept.group_id)
            .where(kept.grain == grain(cube, span.level), kept.account == storable(where.account))
            .group_by(*keys)
        )
        if span.first is not None:
            query = query.where(kept.bucket >= span.first)
        if span.last is not None:
            query = query.where(kept.bucket < span.last)
        if where.key_id is not None:
            query = query.where(groups.key_id == storable(where.key_id))
        if where.status is not None:
            query = query.where(groups.status == where.status)
        yield from connection.execute(query, execution_options=_STREAM)

    # From the entries -------------------------------------------------------------------------

    def _read(self, connection: Connection, where: EntryFilter, *, ended: bool = False) -> None:
        entries = entries_found(where, *STANDING)
        parts = (
            entries_found(where, *STANDING, _PARTS.c.currency.label("part_of"), _PARTS.c.amount)
            .join(_PARTS, _PARTS.c.entry_id == _ENTRIES.c.entry_id)
            .where(_PARTS.c.account == _ENTRIES.c.account)
        )
        if ended:
            entries = entries.where(_ENTRIES.c.status != "open")
            parts = parts.where(_ENTRIES.c.status != "open")
        for row in connection.execute(entries, execution_options=_STREAM):
            standing = standing_of(row)
            into = self._sum(self._group(standing), standing.currency)
            into.count(standing.status)
            standing.amounts(into.amounts)
        for row in connection.execute(parts, execution_options=_STREAM):
            standing = standing_of(row)
            into = self._sum(self._group(standing), row.part_of)
            into.amounts.put(ADJUSTED, Decimal(row.amount))

    def _group(self, standing: Any) -> _Group:
        tags = None
        values: list[str | None] = []
        for name in self._by:
            if name.startswith(_TAG):
                if tags is None:
                    tags = _tags(standing.tags) if standing.tags else {}
                values.append(tags.get(name.removeprefix(_TAG)))
            else:
                values.append(standing.dimensions[DIMENSIONS.index(COLUMNS[name])])
        return tuple(values)

    def _sum(self, group: _Group, currency: str) -> _Sum:
        found = self.sums.get((group, currency))
        if found is None:
            found = self.sums[group, currency] = _Sum()
        return found


def _cube(where: EntryFilter, by: Sequence[str]) -> Cube | None:
    """Find the cube that can answer; None: the entries must."""
    one = (where.exchange_id, where.answer_id, where.limit)
    if any(each is not None for each in one) or any(name.startswith(_TAG) for name in by):
        return None
    columns = {COLUMNS[name] for name in by}
    return cube_for(columns if where.key_id is None else {*columns, "key_id"})
