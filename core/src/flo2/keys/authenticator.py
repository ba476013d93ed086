"""Tell who presents a key, from memory, on every call.

Never waits and never asks the store: the gateway refreshes the snapshot, and looks up what is not
in it. Imports: keys.form, secrets, stored, errors.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flo2.errors import AuthenticationFailed
from flo2.keys.form import ADMIN_PREFIX, KEY_PREFIX, checksum_ok, digest, form_of, mac
from flo2.secrets import looks_like_provider_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from flo2.stored import IssuedKey

__all__ = ["Authenticator", "allows_model"]

_LENGTH = len(KEY_PREFIX) + 36
_SECOND_US = 1_000_000


class Authenticator:
    """A snapshot of the issued keys by their hash.

    A hit costs one keyed hash and one dictionary read (2 µs measured); the checksum and the reasons
    are looked at on a miss only. The dictionary is indexed by a hash under a secret pepper, so its
    timing tells a guesser nothing about any key.

    Args:
        pepper: As given to `issue` (`Vault.pepper`).
        keys: The first snapshot; revoked and expired keys belong to it, for their messages.
        lookups_per_s: How many unknown keys a second `needs_lookup` lets through to the store.
            Anyone can make keys with a right checksum, and each would cost a query. A key refused
            this way works after the next refresh.
    """

    def __init__(
        self, pepper: bytes, keys: Iterable[IssuedKey] = (), *, lookups_per_s: int = 50
    ) -> None:
        self._pepper = pepper
        self._mac = mac(pepper)  # copied for each key: half the time of making it anew
        self._lookups_per_s = lookups_per_s
        self._keys: dict[str, IssuedKey] = {}
        self._absent: set[str] = set()  # looked up in vain since the last refresh; bounded
        self._window_us = 0
        self._in_window = 0
        self.refresh(keys)

    def refresh(self, keys: Iterable[IssuedKey]) -> None:
        """Swap the snapshot for these keys, in one step: a call sees the old or the new one."""
        self._keys = {key.hash: key for key in keys}
        self._absent = set()

    def learn(self, key_hash: str, key: IssuedKey | None) -> None:
        """Keep what the store said about a hash until the next refresh; None: no such key."""
        if key is not None and key.hash == key_hash:
            self._keys[key_hash] = key
        elif len(self._absent) < self._lookups_per_s * 10:
            self._absent.add(key_hash)

    def recognise(self, presented: str) -> IssuedKey | None:
        """Give the record of a key that has no end; None where `authenticate` has more to say."""
        if len(presented) != _LENGTH or not presented.isascii():
            return None
        own = self._mac.copy()
        own.update(presented.encode())
        key = self._keys.get(own.hexdigest())
        if key is None or key.revoked_us is not None or key.expires_us is not None:
            return None
        return key

    def authenticate(self, presented: str, now_us: int) -> IssuedKey:
        """Give the key's record.

        Args:
            presented: What the client sent (see `presented`).
            now_us: Now, in microseconds.

        Raises:
            AuthenticationFailed: with one of these codes; the message never holds the key.
                `malformed_key`, `provider_key`, `admin_token`, `bad_checksum`: no such key can
                exist · `unknown_key`: not in the snapshot, see `needs_lookup` · `revoked_key` ·
                `expired_key`.
        """
        if len(presented) != _LENGTH or not presented.isascii():
            raise _explain(presented)
        key = self._keys.get(digest(presented, self._pepper))
        if key is None:
            raise _explain(presented)
        if key.revoked_us is not None and key.revoked_us <= now_us:
            raise AuthenticationFailed(
                f"this key was revoked (id {key.id!r}); use another key, or ask for a new one",
                code="revoked_key",
            )
        if key.expires_us is not None and key.expires_us <= now_us:
            reason = (
                f"this key was replaced by {key.replaced_by!r} and its grace period is over; use "
                "the new key"
                if key.replaced_by is not None
                else f"this key has expired (id {key.id!r}); ask for a new one"
            )
            raise AuthenticationFailed(reason, code="expired_key")
        return key

    def needs_lookup(self, presented: str, now_us: int) -> str | None:
        """Say which hash to look up in the store after `unknown_key`, or None when it is no use.

        None for what is not a key, for what was looked up since the last refresh, and when too many
        lookups were allowed within this second.
        """
        if not checksum_ok(presented) or not presented.startswith(KEY_PREFIX):
            return None
        key_hash = digest(presented, self._pepper)
        if key_hash in self._keys or key_hash in self._absent:
            return None
        window = now_us // _SECOND_US
        if window != self._window_us:
            self._window_us, self._in_window = window, 0
        if self._in_window >= self._lookups_per_s:
            return None
        self._in_window += 1
        return key_hash

    async def authenticate_or_look_up(
        self,
        presented: str,
        now_us: int,
        lookup: Callable[[str], Awaitable[IssuedKey | None]],
    ) -> IssuedKey:
        """Authenticate; a key that is not in the snapshot is looked up once.

        Args:
            presented: What the client sent.
            now_us: Now, in microseconds.
            lookup: The store's `key_by_hash`, off the event loop.

        Raises:
            AuthenticationFailed: as `authenticate`.
        """
        try:
            return self.authenticate(presented, now_us)
        except AuthenticationFailed as exc:
            key_hash = self.needs_lookup(presented, now_us) if exc.code == "unknown_key" else None
            if key_hash is None:
                raise
        self.learn(key_hash, await lookup(key_hash))
        return self.authenticate(presented, now_us)


def allows_model(key: IssuedKey, model: str) -> bool:
    """Say whether a key may use a model; patterns are fnmatch's, case counts, none means all."""
    return not key.models or any(fnmatchcase(model, pattern) for pattern in key.models)


def _explain(presented: str) -> AuthenticationFailed:
    """Say why a text that is not in the snapshot does not authenticate."""
    form = form_of(presented)
    if form is None:
        if looks_like_provider_key(presented):
            return AuthenticationFailed(
                "this looks like a provider's own key; flo2 expects the key it issued "
                f"({KEY_PREFIX}...), and keeps the provider's key itself",
                code="provider_key",
            )
        return AuthenticationFailed(
            f"this is not a key that flo2 issued: those are {KEY_PREFIX!r} and 36 letters and "
            "digits; "
            "check that it was copied whole",
            code="malformed_key",
        )
    if not checksum_ok(presented):
        return AuthenticationFailed(
            "this key has a typing error in it (its checksum does not fit); copy it again",
            code="bad_checksum",
        )
    if form == ADMIN_PREFIX:
        return AuthenticationFailed(
            "this is an admin token, which makes no calls; use an issued key "
            f"({KEY_PREFIX}...); run: flo2 keys create",
            code="admin_token",
        )
    return AuthenticationFailed(
        "this key is not known here; check that it belongs to this gateway, or ask for a new one",
        code="unknown_key",
    )
