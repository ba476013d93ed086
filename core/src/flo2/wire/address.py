"""Where calls go: base URLs and request targets, parsed and checked without I/O.

Imports: errors.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs

from flo2.errors import ConfigError

__all__ = ["Address", "is_target", "parse_base_url"]

_TARGET = re.compile(r"/[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z|~]*")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:[/?]|$)", re.IGNORECASE)


def _origin(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    default = 443 if address.scheme == "https" else 80
    return f"{address.scheme}://{host}" + ("" if address.port == default else f":{address.port}")


@attrs.frozen
class Address:
    """A parsed base URL.

    Attributes:
        scheme: `http` or `https`.
        host: As written, without brackets; this is what TLS verifies.
        port: Always explicit.
        prefix: Path in front of every request path, without its trailing slash.
        origin: `scheme://host[:port]`, the port only where it is not the scheme's own.
    """

    scheme: str
    host: str
    port: int
    prefix: str
    origin: str = attrs.field(init=False, default=attrs.Factory(_origin, takes_self=True))


def parse_base_url(base_url: str) -> Address:
    """Parse and check a base URL.

    Raises:
        ConfigError: it is not one; a user part is never repeated in the message.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise ConfigError(["a base URL is not a URL; write https://host[:port][/path]"]) from None
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise ConfigError([f"the base URL for {host!r} holds a user or password; use a credential"])
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError(
            [f"base URL {base_url.partition('?')[0]!r} must be http:// or https:// and a host"]
        )
    if parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise ConfigError([f"the base URL for {host!r} must have no query and no fragment"])
    prefix = parts.path.rstrip("/")
    if prefix and not is_target(prefix):
        raise ConfigError([f"the path of the base URL for {host!r} is not percent-encoded ASCII"])
    try:
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError([f"base URL host {host!r} is not a host name"]) from None
    return Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), prefix)


def is_target(target: str) -> bool:
    """Say whether a path with its query fits a request line and stays below its prefix."""
    if _TARGET.fullmatch(target) is None:
        return False
    return not ("/." in target or "/%" in target) or _DOT_SEGMENT.search(target) is None
