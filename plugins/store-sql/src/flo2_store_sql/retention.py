"""Let go of old records: what a month came to stays, and each chain goes on from an anchor."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from flo2.stores import WriterHead
from flo2_store_sql import tables
from flo2_store_sql import usage_schema as schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["anchor", "anchors", "pruned_before"]

_ANCHORS: Final = schema.ledger_anchors
_PRUNED_BEFORE: Final = "ledger_pruned_before_us"


def anchor(connection: Connection, writer: str) -> WriterHead:
    """Give the last record that was pruned of a writer's chain; seq 0: none."""
    query = select(_ANCHORS).where(_ANCHORS.c.writer == writer).order_by(_ANCHORS.c.seq.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return WriterHead(writer, 0, "") if row is None else WriterHead(writer, row.seq, row.hash)


def anchors(connection: Connection, writers: Collection[str] | None = None) -> dict[str, int]:
    """Say how far the chains of these writers, or of all, were pruned."""
    query = select(_ANCHORS.c.writer, func.max(_ANCHORS.c.seq)).group_by(_ANCHORS.c.writer)
    if writers is not None:
        query = query.where(_ANCHORS.c.writer.in_(writers))
    return {writer: int(seq) for writer, seq in connection.execute(query)}


def pruned_before(connection: Connection) -> int | None:
    """Say before which instant entries were pruned, in microseconds; None: none were."""
    settings = tables.settings.c
    query = select(settings.value).where(settings.name == _PRUNED_BEFORE)
    value: str | None = connection.execute(query).scalar()
    return None if value is None else int(value)
