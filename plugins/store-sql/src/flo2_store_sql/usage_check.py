"""Hold the sums against the records they were made of, and make them anew.

A day at a time, from the records themselves; months against their days. So memory holds the groups
of one month, however long the ledger is. Of days whose records were pruned only this is known: that
hours make up the day, days the month, and each cube the same total.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select, tuple_

from flo2.money import text
from flo2.records import Intent, Pend, Settle, Void
from flo2_store_sql import tables
from flo2_store_sql import usage_schema as schema
from flo2_store_sql.adjustments import ADJUSTS, amounts_of, first_told
from flo2_store_sql.cubes import (
    CUBES,
    DAY,
    HOUR,
    HOUR_US,
    MONTH,
    Cube,
    bucket_of,
    grain,
    month_after,
)
from flo2_store_sql.postgres import APPEND_LOCK_ID
from flo2_store_sql.retention import pruned_before
from flo2_store_sql.rows import record_of, storable
from flo2_store_sql.standing import Amounts, Standing
from flo2_store_sql.statements import slices
from flo2_store_sql.usage_tables import Tally, UsageTables, places_of, read_sums

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flo2_store_sql.database import Database

__all__ = ["build_usage", "check_usage", "rebuild_usage"]

_PAGE: Final = 1000
_ENTRIES: Final = tables.ledger_entries
_RECORDS: Final = tables.ledger_records
_PARTS: Final = tables.ledger_adjustments
_ROLLUPS: Final = schema.usage_rollups
_GROUPS: Final = schema.usage_groups
_SUM_TABLES: Final = (_ROLLUPS, schema.usage_sums, schema.usage_odd)
_KINDS: Final = ("intent", "settle", "pend", "void")
_DAY_HOURS: Final = 24

_Counted = tuple[Standing, Sequence[tuple[str, Decimal]]]


def check_usage(database: Database) -> Iterator[str]:
    """Say what differs, one line each."""
    for account in _accounts(database):
        hour: int | None = None
        while True:
            with database.reading() as connection:
                database.one_state(connection)
                hour = _next_hour(connection, account, hour)
                if hour is None:
                    break
                month = bucket_of(MONTH, hour)
                yield from _differing_levels(connection, account, month)
                kept = pruned_before(connection)
                days = () if _is_pruned(month, kept) else _days(connection, account, month)
            for day in days:
                with database.reading() as connection:
                    database.one_state(connection)
                    yield from _differing_day(connection, account, day)
            hour = month_after(month)


def rebuild_usage(database: Database, usage: UsageTables) -> int:
    """Make the sums anew, a month in each transaction; gives the number of entries counted."""
    counted = 0
    for account in _accounts(database):
        hour: int | None = None
        while True:
            with database.writing() as connection:
                if not database.sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(APPEND_LOCK_ID)))
                hour = _next_hour(connection, account, hour)
                if hour is None:
                    break
                month = bucket_of(MONTH, hour)
                hour = month_after(month)
                if not _is_pruned(month, pruned_before(connection)):
                    _empty(connection, account, month, hour)
                    counted += _fill(connection, usage, account, month * HOUR_US, hour * HOUR_US)
    return counted


def build_usage(connection: Connection, usage: UsageTables) -> None:
    """Make the sums of a ledger that has none yet, in the transaction that makes their tables."""
    for account in connection.execute(select(_ENTRIES.c.account).distinct()).scalars().all():
        _fill(connection, usage, account, None, None)


def _accounts(database: Database) -> list[str]:
    with database.reading() as connection:
        found = set(connection.execute(select(_ENTRIES.c.account).distinct()).scalars())
        found |= set(connection.execute(select(_GROUPS.c.account).distinct()).scalars())
    return sorted(found)


def _next_hour(connection: Connection, account: str, hour: int | None) -> int | None:
    """Find the first hour, from one on, of which there is an entry or a sum."""
    begun = select(func.min(_ENTRIES.c.started_us)).where(_ENTRIES.c.account == account)
    if hour is not None:
        begun = begun.where(_ENTRIES.c.started_us >= hour * HOUR_US)
    first: int | None = connection.execute(begun).scalar()
    hours = [] if first is None else [first // HOUR_US]
    for table in _SUM_TABLES:
        kept = select(func.min(table.c.bucket)).where(
            table.c.grain == grain(CUBES[0], HOUR), table.c.account == account
        )
        if hour is not None:
            kept = kept.where(table.c.bucket >= hour)
        if (found := connection.execute(kept).scalar()) is not None:
            hours.append(int(found))
    return min(hours, default=None)


def _is_pruned(month: int, kept_us: int | None) -> bool:
    return kept_us is not None and month * HOUR_US < kept_us


def _days(connection: Connection, account: str, month: int) -> list[int]:
    """Give the days of a month that have an entry or a sum."""
    end = month_after(month)
    day = month
    found = []
    while day < end:
        hour = _next_hour(connection, account, day)
        if hour is None or hour >= end:
            break
        found.append(bucket_of(DAY, hour))
        day = found[-1] + _DAY_HOURS
    return found


def _differing_day(connection: Connection, account: str, day: int) -> Iterator[str]:
    tally = Tally()
    for standing, parts in _counted(
        connection, account, day * HOUR_US, (day + _DAY_HOURS) * HOUR_US
    ):
        tally.entry(standing)
        for currency, amount in parts:
            tally.part(standing, currency, amount)
    _, expected = places_of(tally)
    for cube in CUBES:
        for level in cube.levels:
            if level == MONTH:
                continue
            number = grain(cube, level)
            kept: dict[tuple[int, str], Amounts] = {}
            for bucket, identity, amounts in read_sums(
                connection, number, account, day, day + _DAY_HOURS
            ):
                kept.setdefault((bucket, identity), Amounts()).take(amounts)
            should = {
                (place[2], place[3]): amounts
                for place, amounts in expected.items()
                if place[0] == number
            }
            yield from _compare(cube, account, should, kept, "the records come to")


def _differing_levels(connection: Connection, account: str, month: int) -> Iterator[str]:
    """Hold a month against its days, days against their hours, and cubes against each other."""
    end = month_after(month)
    totals: list[tuple[Cube, Amounts]] = []
    for cube in CUBES:
        whole = Amounts()
        for shorter, longer in zip(cube.levels, cube.levels[1:], strict=False):
            should: dict[tuple[int, str], Amounts] = {}
            kept: dict[tuple[int, str], Amounts] = {}
            for level, into in ((shorter, should), (longer, kept)):
                for bucket, identity, amounts in read_sums(
                    connection, grain(cube, level), account, month, end
                ):
                    key = (bucket_of(longer, bucket), identity)
                    into.setdefault(key, Amounts()).take(amounts)
            yield from _compare(cube, account, should, kept, "its parts come to")
            if longer == MONTH:
                for amounts in kept.values():
                    whole.take(amounts)
        totals.append((cube, whole))
    first = totals[0][1]
    for cube, other in totals[1:]:
        yield from _compare(
            cube, account, {(month, "all"): first}, {(month, "all"): other}, "all comes to"
        )


def _compare(
    cube: Cube,
    account: str,
    should: dict[tuple[int, str], Amounts],
    kept: dict[tuple[int, str], Amounts],
    told: str,
) -> Iterator[str]:
    nothing = Amounts()
    for key in sorted({*should, *kept}):
        one, other = should.get(key, nothing), kept.get(key, nothing)
        for name in sorted({*one, *one.odd, *other, *other.odd}):
            if one.sum(name) != other.sum(name):
                yield (
                    f"sums of account {account!r}, cube {cube.number}, hour {key[0]}, group "
                    f"{key[1]}: {name} is kept as {text(other.sum(name))}, {told} "
                    f"{text(one.sum(name))}"
                )


def _empty(connection: Connection, account: str, first: int, last: int) -> None:
    for table in _SUM_TABLES:
        for cube in CUBES:
            for level in cube.levels:
                connection.execute(
                    delete(table).where(
                        table.c.grain == grain(cube, level),
                        table.c.account == account,
                        table.c.bucket >= first,
                        table.c.bucket < last,
                    )
                )


def _fill(
    connection: Connection,
    usage: UsageTables,
    account: str,
    since_us: int | None,
    until_us: int | None,
) -> int:
    counted = 0
    tally = Tally()
    for standing, parts in _counted(connection, account, since_us, until_us):
        counted += 1
        tally.entry(standing)
        for currency, amount in parts:
            tally.part(standing, currency, amount)
        if counted % _PAGE == 0:
            usage.add(connection, tally)
            tally = Tally()
    usage.add(connection, tally)
    return counted


def _counted(
    connection: Connection, account: str, since_us: int | None, until_us: int | None
) -> Iterator[_Counted]:
    """Give the entries that began in a span, from their records, and what corrects them."""
    began = (_ENTRIES.c.started_us, _ENTRIES.c.entry_id)
    last: tuple[int, str] | None = None
    while True:
        query = select(*began).where(_ENTRIES.c.account == account)
        if since_us is not None:
            query = query.where(_ENTRIES.c.started_us >= since_us)
        if until_us is not None:
            query = query.where(_ENTRIES.c.started_us < until_us)
        if last is not None:
            query = query.where(tuple_(*began) > last)
        page = connection.execute(query.order_by(*began).limit(_PAGE)).all()
        if not page:
            return
        last = (page[-1].started_us, page[-1].entry_id)
        parts = _parts(connection, account, [row.entry_id for row in page])
        for standing, entry_id in _standings(connection, [row.entry_id for row in page]):
            yield standing, parts.get(entry_id, ())


def _standings(connection: Connection, ids: Sequence[str]) -> Iterator[tuple[Standing, str]]:
    query = (
        select(_RECORDS)
        .where(_RECORDS.c.subject.in_(ids), _RECORDS.c.kind.in_(_KINDS))
        .order_by(_RECORDS.c.subject, _RECORDS.c.id)
    )
    rows = connection.execute(query).all()
    for entry_id, group in groupby(rows, key=lambda row: row.subject):
        standing: Standing | None = None
        for row in group:
            record = record_of(row)
            if isinstance(record, Intent):
                standing = standing or Standing.begun(record, clean=False)
            elif standing is not None and isinstance(record, (Settle, Pend, Void)):
                standing = standing.ended(record, clean=False)
        if standing is not None:
            yield standing, entry_id


def _parts(
    connection: Connection, account: str, ids: Sequence[str]
) -> dict[str, list[tuple[str, Decimal]]]:
    found: dict[str, list[tuple[str, Decimal]]] = {}
    for some in slices(first_told(connection, _PARTS.c.entry_id.in_(ids)), ADJUSTS):
        for record, amounts in amounts_of(connection, some):
            if storable(record.account) == account:
                for entry_id, amount in amounts.items():
                    found.setdefault(entry_id, []).append((storable(record.currency), amount))
    return found
