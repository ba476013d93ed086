"""Issue, rotate and revoke keys, and the admin token.

Blocking: it writes to the store. Only the keyed hash is kept. Imports: keys.form, declared, stored,
errors.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

import attrs

from flo2.declared import check_account
from flo2.errors import AuthenticationFailed, InvalidRequest, NotFound, PermissionRefused
from flo2.keys.form import (
    ADMIN_PREFIX,
    KEY_PREFIX,
    Draws,
    checksum_ok,
    digest,
    form_of,
    generate,
    new_id,
)
from flo2.stored import AttributionRules, IssuedKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flo2.secrets import Secret
    from flo2.stores import Store

__all__ = ["ADMIN_SETTING", "check_admin", "issue", "issue_admin", "revoke", "rotate"]

ADMIN_SETTING = "admin.token"
"""Store setting that holds the admin token's keyed hash."""


def issue(
    store: Store,
    account: str,
    name: str,
    *,
    pepper: bytes,
    now_us: int,
    team: str | None = None,
    models: Sequence[str] = (),
    expires_us: int | None = None,
    tags: Mapping[str, str] | None = None,
    attribution: AttributionRules | None = None,
    rng: Draws = secrets,
) -> tuple[IssuedKey, Secret]:
    """Issue a key and store its hash.

    Args:
        store: Where it is kept.
        account: Id of an account that exists.
        name: What people call it.
        pepper: Secret of the keyed hash (`Vault.pepper`).
        now_us: Now, in microseconds.
        team: Team its calls belong to.
        models: Model patterns it may use; none: all.
        expires_us: When it stops working; None: never.
        tags: Attribution of its calls.
        attribution: What its calls must and may say about whom they are for.
        rng: Source of the random characters.

    Returns:
        The record, and the key itself: the only time it is seen.

    Raises:
        NotFound: There is no such account.
        InvalidRequest: An empty name or pattern, or an expiry that is not in the future.
        StoreError: It cannot be written.
    """
    check_account(store, account)
    if not name.strip():
        raise InvalidRequest("a key needs a name; give one", param="name")
    if any(not pattern for pattern in models):
        raise InvalidRequest("an empty model pattern matches nothing; leave it out", param="models")
    if expires_us is not None and expires_us <= now_us:
        raise InvalidRequest(
            f"the key would expire at {expires_us} µs, which is not after now ({now_us} µs); "
            "choose "
            "a later time",
            param="expires_us",
        )
    made = generate(rng)
    key = IssuedKey(
        id=new_id("key", rng),
        account=account,
        name=name,
        hash=digest(made.secret.reveal(), pepper),
        prefix=made.prefix,
        last4=made.last4,
        created_us=now_us,
        team=team,
        models=tuple(models),
        expires_us=expires_us,
        tags=dict(tags or {}),
        attribution=attribution,
    )
    store.put_key(key)
    return key, made.secret


def rotate(
    store: Store,
    key: IssuedKey,
    *,
    grace_s: int,
    pepper: bytes,
    now_us: int,
    rng: Draws = secrets,
) -> tuple[IssuedKey, Secret]:
    """Issue a successor with the same rights; the old key works for `grace_s` seconds more.

    The successor is stored first: a crash in between leaves two working keys, never none.

    Args:
        store: Where both are kept.
        key: The key to replace; its current record is read from the store.
        grace_s: How long both are valid, in seconds; 0 ends the old one now.
        pepper: Secret of the keyed hash.
        now_us: Now, in microseconds.
        rng: Source of the random characters.

    Returns:
        The successor's record, and the new key itself.

    Raises:
        InvalidRequest: The key was replaced, revoked or has expired already, or the grace is
            negative.
        NotFound: The store does not hold the key.
    """
    if grace_s < 0:
        raise InvalidRequest(f"a grace of {grace_s} s is negative; give 0 or more", param="grace_s")
    old = _current(store, key)
    if old.replaced_by is not None:
        raise InvalidRequest(
            f"key {old.id!r} was replaced by {old.replaced_by!r}; rotate that one", param="id"
        )
    if old.revoked_us is not None or (old.expires_us is not None and old.expires_us <= now_us):
        raise InvalidRequest(
            f"key {old.id!r} has ended, so there is nothing to rotate; issue a new one", param="id"
        )
    made = generate(rng)
    new = attrs.evolve(
        old,
        id=new_id("key", rng),
        hash=digest(made.secret.reveal(), pepper),
        prefix=made.prefix,
        last4=made.last4,
        created_us=now_us,
        lineage=old.first_id,
    )
    store.put_key(new)
    ends = now_us + grace_s * 1_000_000
    if old.expires_us is not None:
        ends = min(ends, old.expires_us)
    store.put_key(attrs.evolve(old, expires_us=ends, replaced_by=new.id))
    return new, made.secret


def revoke(store: Store, key: IssuedKey, *, now_us: int) -> IssuedKey:
    """End a key now; a second time changes nothing. Its successor, if any, goes on.

    Raises:
        NotFound: The store does not hold the key.
    """
    current = _current(store, key)
    if current.revoked_us is None:
        current = attrs.evolve(current, revoked_us=now_us)
        store.put_key(current)
    return current


def issue_admin(store: Store, *, pepper: bytes, rng: Draws = secrets) -> Secret:
    """Make the admin token and store its hash; the token before it ends at once."""
    made = generate(rng, prefix=ADMIN_PREFIX)
    store.put_setting(ADMIN_SETTING, digest(made.secret.reveal(), pepper))
    return made.secret


def check_admin(presented: str, expected: str | None, *, pepper: bytes) -> None:
    """Let the admin token pass, and nothing else.

    Args:
        presented: What the client sent.
        expected: The setting `ADMIN_SETTING`; None: none was ever made, so nobody passes.
        pepper: Secret of the keyed hash.

    Raises:
        PermissionRefused: An issued key was sent.
        AuthenticationFailed: Anything else but the token; the message never holds what was sent.
    """
    form = form_of(presented)
    if form == KEY_PREFIX:
        raise PermissionRefused(
            f"this needs the admin token ({ADMIN_PREFIX}...); an issued key makes calls and reads "
            "its own receipts",
            code="admin_only",
        )
    if (
        form is None
        or not checksum_ok(presented)
        or expected is None
        or not hmac.compare_digest(digest(presented, pepper), expected)
    ):
        raise AuthenticationFailed(
            f"this is not the admin token ({ADMIN_PREFIX}...) of this gateway; use the one that "
            "was printed when it was made, or make a new one on the machine that runs it",
            code="bad_admin_token",
        )


def _current(store: Store, key: IssuedKey) -> IssuedKey:
    current = store.key_by_hash(key.hash)
    if current is None or current.id != key.id:
        raise NotFound(f"there is no key {key.id!r} in account {key.account!r}", param="id")
    return current
