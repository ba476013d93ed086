"""Find the key a client presents, in whichever header its SDK puts it.

Imports: errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flo2.errors import AuthenticationFailed

__all__ = ["CREDENTIAL_HEADERS", "bearer", "presented"]

CREDENTIAL_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "x-goog-api-key",
    }
)
"""What says who a client is to *us*: no plugin sees it, and it goes to no provider."""

_PLAIN = frozenset({b"x-api-key", b"x-goog-api-key"})
_HEADERS = "'Authorization: Bearer <key>', 'x-api-key: <key>' or 'x-goog-api-key: <key>'"


def bearer(fields: Mapping[bytes, bytes]) -> str | None:
    """Give the key where it is sent as most SDKs send it: once, as a bearer token.

    Args:
        fields: All headers of a request, none of which is there twice, as an ASGI scope has them.

    Returns:
        As `presented`; None says nothing.
    """
    value = fields.get(b"authorization", b"")
    if value[:7] != b"Bearer " or not _PLAIN.isdisjoint(fields):
        return None
    return value[7:].strip().decode("latin-1") or None


def presented(headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]]) -> str:
    """Give the key on a request.

    Every header is right on every surface, and the same key twice is fine: SDKs differ and some
    send two. An empty value counts as none.

    Args:
        headers: A mapping in any case, or an ASGI scope's raw list (lower-case names).

    Raises:
        AuthenticationFailed: code `missing_key`, or `conflicting_keys` when two headers hold
            different keys. No message holds a key.
    """
    pairs: Sequence[tuple[bytes, bytes]]
    if isinstance(headers, Mapping):
        # str(): a mapping is iterable too, so type checkers see two kinds of it here.
        pairs = [(_bytes(str(k).lower()), _bytes(str(v))) for k, v in headers.items()]
    else:
        pairs = headers
    found: bytes | None = None
    scheme_refused = False
    for name, raw in pairs:
        if name == b"authorization":
            scheme, _, value = raw.strip().partition(b" ")
            if scheme.lower() != b"bearer":
                scheme_refused = scheme_refused or bool(scheme)
                continue
        elif name in _PLAIN:
            value = raw
        else:
            continue
        value = value.strip()
        if not value or value == found:
            continue
        if found is not None:
            raise AuthenticationFailed(
                "two different keys were sent in two headers; send the key that flo2 issued once, "
                "as "
                f"{_HEADERS}",
                code="conflicting_keys",
            )
        found = value
    if found is None:
        hint = " (the Authorization header that was sent is not of the scheme Bearer)"
        raise AuthenticationFailed(
            f"no key was sent{hint if scheme_refused else ''}; send the key that flo2 issued as "
            f"{_HEADERS}",
            code="missing_key",
        )
    return found.decode("latin-1")


def _bytes(value: str) -> bytes:
    # A mapping may hold what no header can; it then fails as malformed, not as a UnicodeEncodeError
    # that carries the key.
    return value.encode("latin-1", "replace")
