"""Ledger records in a file of their own, for what a store lets go of: gzip, one JSON object a line.

The first line says what it is and after which record each chain begins; then the records, writer by
writer, in the order of their chains, whole, with their attribution. The file verifies as a store
does, and what it holds about persons is erased by who keeps it.
Imports: ledger.chain, ledger.codec, stores, errors.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from flo2.errors import StoreError
from flo2.ledger.chain import verify
from flo2.ledger.codec import decode, decode_attribution, encode_attribution, kind_of
from flo2.records import Exchange, Intent
from flo2.stores import ChainLink, WriterHead

__all__ = ["Archive", "read_archive", "write_archive"]

_FORMAT: Final = "flo2 ledger archive"
_VERSION: Final = 1


@frozen
class Archive:
    """What an archive holds.

    Attributes:
        records: How many.
        heads: The last record of each writer.
        problems: What is not as it was written, one line each; empty: all is sound.
    """

    records: int
    heads: tuple[WriterHead, ...]
    problems: tuple[str, ...] = field(factory=tuple)


def write_archive(
    path: Path, links: Iterable[ChainLink], anchors: Mapping[str, WriterHead]
) -> Archive:
    """Write records, then read them again and verify every chain.

    Args:
        path: A file that does not exist yet; it is made for its owner only.
        links: Writer by writer, each in order.
        anchors: Writer → the record after which its chain begins.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be written.
        StoreError: it does not read back as it was written.
    """
    written = 0
    begun = {writer: [each.seq, each.hash] for writer, each in anchors.items()}
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
        gzip.open(file, "wt", encoding="utf-8") as lines,
    ):
        lines.write(json.dumps({"format": _FORMAT, "version": _VERSION, "anchors": begun}) + "\n")
        for link in links:
            lines.write(json.dumps(_line(link)) + "\n")
            written += 1
        lines.flush()
        os.fsync(file.fileno())
    found = read_archive(path)
    problems = list(found.problems)
    if found.records != written:
        problems.append(f"{found.records} records of {written} can be read again")
    if problems:
        raise StoreError(f"the archive {str(path)!r} is not sound: {'; '.join(problems[:3])}")
    return found


def read_archive(path: Path) -> Archive:
    """Read an archive and verify every chain in it.

    Raises:
        StoreError: it is no archive, or damaged.
    """
    records, heads, problems = 0, [], []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            head = json.loads(next(lines, "null"))
            if not isinstance(head, dict) or (head.get("format"), head.get("version")) != (
                _FORMAT,
                _VERSION,
            ):
                raise StoreError(f"{str(path)!r} is no ledger archive of a kind that is known here")
            anchors = head["anchors"]
            for writer, links in groupby(map(_link, lines), key=attrgetter("writer")):
                seq, digest = anchors.get(writer, (0, ""))
                seen: list[ChainLink] = []
                counted = _remember_last(links, seen)
                problems += verify(counted, anchor=WriterHead(writer, seq, digest))
                heads.append(WriterHead(writer, seen[-1].seq, seen[-1].hash))
                records += seen[-1].seq - seq
    except (OSError, EOFError, ValueError, KeyError, TypeError) as exc:
        raise StoreError(f"the archive {str(path)!r} cannot be read: {exc}") from exc
    return Archive(records, tuple(heads), tuple(problems))


def _remember_last(links: Iterable[ChainLink], seen: list[ChainLink]) -> Iterator[ChainLink]:
    for link in links:
        seen[:] = [link]
        yield link


def _line(link: ChainLink) -> dict[str, Any]:
    attributed = isinstance(link.record, Intent | Exchange) and link.attribution_salt
    who = getattr(link.record, "attribution", None)
    return {
        "writer": link.writer,
        "seq": link.seq,
        "prev_hash": link.prev_hash,
        "hash": link.hash,
        "kind": kind_of(link.record),
        "payload": link.payload.decode(),
        "attribution": encode_attribution(who).decode() if attributed and who else None,
        "attribution_salt": link.attribution_salt,
        "attribution_digest": link.attribution_digest,
    }


def _link(line: str) -> ChainLink:
    told = json.loads(line)
    who = told["attribution"]
    record = decode(told["kind"], told["payload"], None if who is None else decode_attribution(who))
    return ChainLink(
        writer=told["writer"],
        seq=told["seq"],
        prev_hash=told["prev_hash"],
        hash=told["hash"],
        record=record,
        payload=told["payload"].encode(),
        attribution_digest=told["attribution_digest"],
        attribution_salt=told["attribution_salt"],
    )
