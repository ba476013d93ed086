"""The hash chain: each record's hash covers the one before, so no edit goes unseen.

`hash = SHA-256(prev_hash LF writer LF seq LF kind LF attribution_digest LF payload)`, one
chain a writer, beginning at sequence number 1 with an empty `prev_hash`. The digest stands for the
attribution, so personal data can be erased; it is salted per record, because an e-mail address
could be guessed from a bare digest, and the salt is erased with it.

What a chain alone cannot show: that its newest records were cut off. Compare with a head that was
written down elsewhere (`verify(..., expected=head)`). Pure. Imports: ledger.codec, stores, errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b, sha256
from typing import Final

from flo2.errors import StoreError
from flo2.ledger.codec import canonical, decode, encode_attribution, kind_of
from flo2.records import Attribution, Exchange, Intent, Record
from flo2.stores import ChainLink, WriterHead

__all__ = ["chain_links", "verify"]

_ATTRIBUTED: Final = (Intent, Exchange)
_NOBODY: Final = Attribution()
_SALT: Final = re.compile(r"[0-9a-f]{32}")


def chain_links(
    head: WriterHead, records: Iterable[tuple[int, Record]], salt: bytes
) -> list[ChainLink]:
    """Give records their places after `head`.

    Args:
        head: How far the chain reaches.
        records: Sequence numbers and records, in order.
        salt: The journal's salt. The same records with the same salt give the same links, so that a
            journal can be replayed any number of times.
    """
    links: list[ChainLink] = []
    previous, writer = head.hash, head.writer
    keyed = blake2b(key=salt, digest_size=16)  # copied for each record: a third of making it anew
    for seq, record in records:
        digest = record_salt = ""
        if isinstance(record, _ATTRIBUTED):
            own_salt = keyed.copy()
            own_salt.update(seq.to_bytes(8, "big"))
            record_salt = own_salt.hexdigest()
            digest = _attribution_digest(own_salt.digest(), record.attribution)
        payload = canonical(record)
        own = _hash(previous, writer, seq, kind_of(record), digest, payload)
        links.append(ChainLink(writer, seq, previous, own, record, payload, digest, record_salt))
        previous = own
    return links


def verify(
    links: Iterable[ChainLink],
    *,
    expected: WriterHead | None = None,
    anchor: WriterHead | None = None,
) -> list[str]:
    """Check chains, whole and from their beginning, or from where they were pruned.

    Args:
        links: One writer's chain after the other, each in the order it is kept.
        expected: Where the (last) chain must at least reach, as written down elsewhere; without
            it, a chain whose end was cut off looks like a shorter one.
        anchor: The last record of a chain that is not kept any more, where it goes on.

    Returns:
        One line per problem: an edit, a deletion, a reordering, a gap; empty when all is sound.
    """
    problems: list[str] = []
    head: WriterHead | None = None
    expected_seen = expected is None or expected == anchor
    try:
        for link in links:
            if head is None or head.writer != link.writer:
                head = WriterHead(link.writer, 0, "")
                if anchor is not None and anchor.writer == link.writer:
                    head = anchor
            problems += _check(head, link)
            head = WriterHead(link.writer, link.seq, link.hash)
            if expected == head:
                expected_seen = True
    except StoreError as exc:
        problems.append(str(exc))
    if expected is not None and not expected_seen:
        problems.append(
            f"writer {expected.writer!r}: the chain does not pass through record {expected.seq} "
            f"with hash {expected.hash!r}; its end was cut off or rewritten"
        )
    return problems


def _check(head: WriterHead, link: ChainLink) -> Iterable[str]:
    name = f"writer {link.writer!r}, record {link.seq}"
    if link.seq != head.seq + 1:
        if link.seq > head.seq + 1:
            missing = f"{head.seq + 1} to {link.seq - 1}"
            yield f"writer {link.writer!r}: records {missing} are missing"
        else:
            yield f"{name}: comes after record {head.seq}: duplicated or reordered"
    elif link.prev_hash != head.hash:
        yield f"{name}: does not follow the record before it: one of the two was replaced"
    kind = kind_of(link.record)
    digest = link.attribution_digest
    if link.hash != _hash(link.prev_hash, link.writer, link.seq, kind, digest, link.payload):
        yield f"{name}: does not match its hash: it was edited"
    elif not _payload_sound(kind, link):
        yield f"{name}: is not what its payload says: it was edited"
    elif isinstance(link.record, _ATTRIBUTED) and not _attribution_sound(
        link, link.record.attribution
    ):
        yield f"{name}: the attribution does not match its digest: it was edited"


def _payload_sound(kind: str, link: ChainLink) -> bool:
    try:
        # Both written by this version: an older one may have known fewer fields.
        return canonical(decode(kind, link.payload)) == canonical(link.record)
    except ValueError:
        return False


def _attribution_sound(link: ChainLink, attribution: Attribution) -> bool:
    if not link.attribution_salt:
        return attribution == _NOBODY  # erased
    if not _SALT.fullmatch(link.attribution_salt):
        return False
    salt = bytes.fromhex(link.attribution_salt)
    return link.attribution_digest == _attribution_digest(salt, attribution)


def _attribution_digest(salt: bytes, attribution: Attribution) -> str:
    return sha256(salt + encode_attribution(attribution)).hexdigest()


def _hash(previous: str, writer: str, seq: int, kind: str, digest: str, payload: bytes) -> str:
    head = f"{previous}\n{writer}\n{seq}\n{kind}\n{digest}\n"
    return sha256(head.encode() + payload).hexdigest()
