"""Sums kept beside the ledger, in the same transaction: they are exact because nothing else can be.

An entry adds to the sums when it ends, settled, unpriced, void or pending; what is open is few and
is read from the entries. An entry that is pending and then closed, or corrected, or loses its
names, takes away what it added before and adds what it comes to now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from sqlalchemy import ColumnElement, Table, Text, cast, insert, literal, or_, select, update

from flo2.ledger.codec import encode_json
from flo2.money import text
from flo2.records import Adjust, Intent, Pend, Settle, Void
from flo2.stores import ChainLink
from flo2_store_sql import tables
from flo2_store_sql import usage_schema as schema
from flo2_store_sql.cubes import CUBES, DAY, DIMENSIONS, HOUR, MONTH, Cube, bucket_of, grain
from flo2_store_sql.rows import storable
from flo2_store_sql.standing import (
    ADJUSTED,
    ENTRIES,
    METER,
    ONE,
    STANDING_COLUMNS,
    TOTAL,
    Amounts,
    Standing,
    from_limbs,
    standing_of,
    to_limbs,
)
from flo2_store_sql.statements import Many, insert_new, insert_or_add, slices

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

__all__ = ["METER_COLUMNS", "STANDING", "Changes", "Tally", "UsageTables", "places_of", "read_sums"]

_ENTRIES: Final = tables.ledger_entries
_PARTS: Final = tables.ledger_adjustments
_GROUPS: Final = schema.usage_groups
_ENDS: Final = (Settle, Pend, Void)
_PAGE: Final = 1000

STANDING: Final = tuple(_ENTRIES.c[name] for name in STANDING_COLUMNS)
"""What to select of entries for `standing_of`."""

METER_COLUMNS: Final = tuple(
    each.name for each in schema.usage_rollups.c if each.name.endswith("_tokens")
)
_COLUMN_OF: Final = {METER + name: place for place, name in enumerate(METER_COLUMNS)}
_GROUP_COLUMNS: Final = ("identity", "cube", "account", "status", "currency", *DIMENSIONS)
_PICKS: Final = {
    cube.number: itemgetter(*(DIMENSIONS.index(name) for name in cube.dimensions)) for cube in CUBES
}
"""Dimensions → those of a cube."""
_PUTS: Final = {
    cube.number: itemgetter(
        *(cube.dimensions.index(name) if name in cube.dimensions else -1 for name in DIMENSIONS)
    )
    for cube in CUBES
}
"""Those of a cube and a None → all dimensions."""

_Key = tuple[str, int, tuple[str | None, ...], str, str]
Place = tuple[int, str, int, str]
"""Grain, account, bucket, identity of the group."""


class Tally:
    """What changes in the sums: by account, hour, dimensions, status and currency."""

    def __init__(self) -> None:
        self.groups: dict[_Key, Amounts] = {}

    def entry(self, standing: Standing, sign: int = 1) -> None:
        """Add an entry, or take it away; one that is open adds nothing."""
        if standing.status != "open":
            standing.amounts(self._of(standing, standing.currency), sign)

    def part(self, standing: Standing, currency: str, amount: Decimal, sign: int = 1) -> None:
        """Add a part of an adjustment, or take it away; it goes with its entry."""
        if standing.status != "open":
            self._of(standing, currency).put(ADJUSTED, amount, sign)

    def _of(self, standing: Standing, currency: str) -> Amounts:
        key = (standing.account, standing.hour, standing.dimensions, standing.status, currency)
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = Amounts()
        return found


@define
class _Entry:
    """An entry before and after a batch."""

    before: Standing | None = None
    after: Standing | None = None
    parts: dict[str, tuple[str, str, Decimal]] = field(factory=dict)
    more: dict[str, tuple[str, str, Decimal]] = field(factory=dict)


class Changes:
    """What a batch of records makes of the entries that it speaks of."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def known(self, entry_id: str) -> bool:
        """Say whether an entry has begun: one that has not, cannot end."""
        found = self._entries.get(entry_id)
        return found is not None and found.after is not None

    def stored(self, row: Any) -> None:
        """Take an entry as it stands in the table."""
        standing = standing_of(row)
        self._entries[row.entry_id] = _Entry(standing, standing)

    def corrected(self, row: Any) -> None:
        """Take a part of an adjustment as it stands in the table."""
        found = self._entries.setdefault(row.entry_id, _Entry())
        found.parts[row.adjust_id] = (row.account, row.currency, Decimal(row.amount))

    def follow(self, record: Any, *, clean: bool) -> None:
        """Follow one new record, in the order stored."""
        if isinstance(record, Intent):
            entry = self._entries.setdefault(record.entry_id, _Entry())
            entry.after = entry.after or Standing.begun(record, clean=clean)
        elif isinstance(record, _ENDS):
            found = self._entries.get(record.entry_id)
            if found is not None and found.after is not None:
                found.after = found.after.ended(record, clean=clean)
        elif isinstance(record, Adjust):
            told = (storable(record.account), storable(record.currency))
            for entry_id, amount in record.amounts.items():
                entry = self._entries.setdefault(storable(entry_id), _Entry())
                if record.entry_id not in entry.parts:
                    entry.more.setdefault(record.entry_id, (*told, amount))

    def tally(self) -> Tally:
        """Give what changes in the sums."""
        tally = Tally()
        for entry in self._entries.values():
            if entry.after is None or (entry.after is entry.before and not entry.more):
                continue
            parts = entry.parts.values()
            if entry.before is not None:
                _count(tally, entry.before, parts, -1)
            _count(tally, entry.after, [*parts, *entry.more.values()], 1)
        return tally


def _count(
    tally: Tally, standing: Standing, parts: Iterable[tuple[str, str, Decimal]], sign: int
) -> None:
    tally.entry(standing, sign)
    for account, currency, amount in parts:
        if account == standing.account:
            tally.part(standing, currency, amount, sign)


class UsageTables:
    """Writes the sums."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile the statements."""
        rollups = [each.name for each in schema.usage_rollups.c]
        sums = [each.name for each in schema.usage_sums.c]
        odd = [each.name for each in schema.usage_odd.c if each.name != "id"]
        self._add_rollups = Many(insert_or_add(schema.usage_rollups, dialect), dialect, rollups)
        self._add_sums = Many(insert_or_add(schema.usage_sums, dialect), dialect, sums)
        self._insert_odd = Many(insert(schema.usage_odd), dialect, odd)
        self._insert_groups = Many(insert_new(_GROUPS, dialect), dialect, _GROUP_COLUMNS)

    def changes(self, connection: Connection, links: Sequence[ChainLink]) -> Changes:
        """Look up how the entries stand that new records speak of; before these are stored."""
        changes = Changes()
        named: set[str] = set()
        for link in links:
            record = link.record
            if isinstance(record, Adjust):
                named.update(map(storable, record.amounts))
            elif isinstance(record, (Intent, *_ENDS)):
                named.add(record.entry_id)
        for some in slices(sorted(named)):
            for row in connection.execute(select(*STANDING).where(_ENTRIES.c.entry_id.in_(some))):
                changes.stored(row)
            for row in connection.execute(select(_PARTS).where(_PARTS.c.entry_id.in_(some))):
                changes.corrected(row)
        return changes

    def add(self, connection: Connection, tally: Tally) -> None:
        """Add what changes to the sums; in an order that all keep, or two would wait for ever."""
        groups, places = places_of(tally)
        if not places:
            return
        ids = self._ids(connection, groups)
        rollups, sums, odd = [], [], []
        split: dict[int, tuple[Sequence[int], dict[str, int]]] = {}  # most stand in many places
        for (number, account, bucket, identity), amounts in places.items():
            key = (number, account, bucket, ids[identity])
            known = split.get(id(amounts))
            if known is None:
                known = split[id(amounts)] = _columns(amounts)
            row, rest = known
            if any(row):
                rollups.append((*key, *row))
            sums += [(*key, name, *to_limbs(units)) for name, units in rest.items()]
            odd += [(*key, name, text(amount)) for name, amount in amounts.odd.items() if amount]
        self._add_rollups(connection, sorted(rollups))
        self._add_sums(connection, sorted(sums))
        self._insert_odd(connection, odd)

    def erase(self, connection: Connection, account: str, names: Mapping[str, str]) -> None:
        """Move what the entries that lose their names added to where they belong then.

        Sums whose entries were pruned stay where they are, and only lose the names.

        Args:
            connection: In the transaction that erases, before it does.
            account: Whose.
            names: Column → the name that goes, one of them is enough.
        """
        self._move(connection, account, _any_of(_ENTRIES, names))
        bare = dict.fromkeys(("team", "feature", "customer", "end_user"))
        identity = literal("erased:") + cast(_GROUPS.c.id, Text)
        connection.execute(
            update(_GROUPS)
            .where(_GROUPS.c.account == account, _any_of(_GROUPS, names))
            .values(identity=identity, **bare)
        )

    def _move(self, connection: Connection, account: str, named: ColumnElement[bool]) -> None:
        last = ""
        while True:
            query = (
                select(*STANDING)
                .where(_ENTRIES.c.account == account, named, _ENTRIES.c.entry_id > last)
                .order_by(_ENTRIES.c.entry_id)
                .limit(_PAGE)
            )
            rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1].entry_id
            tally = Tally()
            found = {row.entry_id: standing_of(row) for row in rows}
            for standing in found.values():
                tally.entry(standing, -1)
                tally.entry(standing.nameless())
            for some in slices(list(found)):
                parts = _PARTS.c
                query = select(_PARTS).where(parts.entry_id.in_(some), parts.account == account)
                for row in connection.execute(query):
                    standing, amount = found[row.entry_id], Decimal(row.amount)
                    tally.part(standing, row.currency, amount, -1)
                    tally.part(standing.nameless(), row.currency, amount)
            self.add(connection, tally)

    def _ids(self, connection: Connection, groups: dict[str, Sequence[Any]]) -> dict[str, int]:
        ids = _find(connection, list(groups))
        if missing := sorted(groups.keys() - ids.keys()):
            self._insert_groups(connection, [groups[identity] for identity in missing])
            ids |= _find(connection, missing)
        return ids


def places_of(tally: Tally) -> tuple[dict[str, Sequence[Any]], dict[Place, Amounts]]:
    """Say which groups a tally speaks of, and what it adds in each place."""
    groups: dict[str, Sequence[Any]] = {}
    places: dict[Place, Amounts] = {}
    changed = [(key, amounts) for key, amounts in tally.groups.items() if not amounts.nothing]
    buckets = {
        hour: {level: bucket_of(level, hour) for level in (HOUR, DAY, MONTH)}
        for hour in {hour for (_, hour, *_), _ in changed}
    }
    own: set[Place] = set()
    for cube in CUBES:
        pick = _PICKS[cube.number]
        known: dict[tuple[Any, ...], str] = {}
        grains = [(level, grain(cube, level)) for level in cube.levels]
        for (account, hour, dimensions, status, currency), amounts in changed:
            told = (account, status, currency, pick(dimensions))
            identity = known.get(told)
            if identity is None:
                identity, row = _group(cube, *told)
                known[told] = identity
                groups[identity] = row
            for level, number in grains:
                place = (number, account, buckets[hour][level], identity)
                found = places.setdefault(place, amounts)  # nearly always alone there: not copied
                if found is not amounts:
                    if place not in own:
                        own.add(place)
                        places[place] = found = Amounts().take(found)
                    found.take(amounts)
    return groups, places


def read_sums(
    connection: Connection, number: int, account: str, first: int, last: int
) -> Iterator[tuple[int, str, Amounts]]:
    """Give what is kept of one grain: bucket, identity of the group, sums; parts come one by one.

    Args:
        connection: Where to read.
        number: The grain.
        account: Whose.
        first: The first bucket.
        last: The one after the last.
    """
    for table in (schema.usage_rollups, schema.usage_sums, schema.usage_odd):
        kept = table.c
        query = (
            select(_GROUPS.c.identity, table)
            .join_from(table, _GROUPS, _GROUPS.c.id == kept.group_id)
            .where(kept.grain == number, kept.account == account)
            .where(kept.bucket >= first, kept.bucket < last)
        )
        for row in connection.execute(query, execution_options={"yield_per": _PAGE}):
            amounts = Amounts()
            if table is schema.usage_odd:
                amounts.put(row.name, Decimal(row.amount))
            elif table is schema.usage_sums:
                amounts[row.name] = from_limbs(row.whole, row.nano, row.atto)
            else:
                amounts[ENTRIES] = row.entries * ONE
                amounts[TOTAL] = from_limbs(row.whole, row.nano, row.atto)
                for name in METER_COLUMNS:
                    amounts[METER + name] = getattr(row, name) * ONE
            yield row.bucket, row.identity, amounts


def _any_of(table: Table, names: Mapping[str, str]) -> ColumnElement[bool]:
    return or_(*(table.c[column] == name for column, name in names.items()))


def _find(connection: Connection, identities: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in slices(identities):
        query = select(_GROUPS.c.identity, _GROUPS.c.id).where(_GROUPS.c.identity.in_(some))
        found.update((row.identity, row.id) for row in connection.execute(query))
    return found


def _group(
    cube: Cube, account: str, status: str, currency: str, kept: tuple[str | None, ...]
) -> tuple[str, Sequence[Any]]:
    told = (cube.number, account, status, currency)
    identity = encode_json((*told, *kept)).decode()
    return identity, (identity, *told, *_PUTS[cube.number]((*kept, None)))


def _columns(amounts: Amounts) -> tuple[Sequence[int], dict[str, int]]:
    """Split sums into the columns of `usage_rollups`, and what has none there."""
    entries = total = 0
    meters = [0] * len(METER_COLUMNS)
    rest: dict[str, int] = {}
    for name, units in amounts.items():
        if name == ENTRIES:
            entries = units // ONE
        elif name == TOTAL:
            total = units
        elif name in _COLUMN_OF and not units % ONE:
            meters[_COLUMN_OF[name]] = units // ONE
        elif units:
            rest[name] = units
    return (entries, *to_limbs(total), *meters), rest
