"""What crosses the seam between `Wire` and its engines: settings, headers, answers.

An engine is anything with the one method of `Transport`; it maps its library's exceptions to the
`WireError` tree and knows nothing about deadlines, decoding or limits, which `client` owns.
Imports: errors, wire.flight (types only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flo2.wire.address import Address
    from flo2.wire.flight import Flight

__all__ = ["Headers", "Limits", "RawResponse", "Timeouts", "Transport"]

RawHeaders = tuple[tuple[bytes, bytes], ...]
MIB = 1024 * 1024


def _positive(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Timeouts:
    """Deadlines of one call, in seconds.

    Attributes:
        connect_s: Name lookup, TCP and TLS, and waiting for a free connection.
        first_byte_s: From the request being written to the complete response head.
        idle_s: Between two pieces of the body, counted only while somebody waits for one.
        total_s: The whole call, body included; None for no bound (long streams).
    """

    connect_s: float = attrs.field(default=10.0, validator=_positive)
    first_byte_s: float = attrs.field(default=600.0, validator=_positive)
    idle_s: float = attrs.field(default=120.0, validator=_positive)
    total_s: float | None = attrs.field(default=None, validator=_positive)


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds that keep one upstream from taking the process.

    Attributes:
        max_connections_per_endpoint: Open connections to one origin; more calls wait, in the
            connect phase. A stream holds its connection, so this also bounds concurrent streams.
        keepalive_s: An idle connection older than this is not used again. Below the 60 s after
            which common load balancers drop idle connections.
        max_header_bytes: All header names and values of one response head together.
        max_body_bytes: One response body after decoding; images and batch files are the large ones.
    """

    max_connections_per_endpoint: int = attrs.field(default=512, validator=_positive)
    keepalive_s: float = attrs.field(default=30.0, validator=_positive)
    max_header_bytes: int = attrs.field(default=64 * 1024, validator=_positive)
    max_body_bytes: int = attrs.field(default=256 * MIB, validator=_positive)


class Headers:
    """The response's header fields: ordered pairs, with lookup that ignores case.

    `content-encoding`, `content-length` and `transfer-encoding` describe the body on the wire, not
    the decoded bytes that `WireResponse` gives; they must not be copied to a client.

    Attributes:
        raw: The fields as bytes, names in the upstream's case.
    """

    __slots__ = ("_index", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw: RawHeaders = tuple(raw)
        self._index: dict[str, str] | None = None  # built by the first lookup

    def get(self, name: str, default: str | None = None) -> str | None:
        """Look one field up.

        Args:
            name: In any case.
            default: Given back when the field is absent.

        Returns:
            The value; a repeated field's values are joined by `, ` as RFC 9110 §5.3 allows.
        """
        index = self._index
        if index is None:
            index = {}
            for key, value in self:
                lower = key.lower()
                index[lower] = f"{index[lower]}, {value}" if lower in index else value
            self._index = index
        return index.get(name.lower(), default)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key, value in self.raw:
            yield key.decode("latin-1"), value.decode("latin-1")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        # Names only: a response may carry a cookie or a signed URL.
        return f"Headers({[key.decode('latin-1') for key, _ in self.raw]})"


class RawResponse(Protocol):
    """An answer whose head has arrived; its body is still as it was on the wire."""

    @property
    def status(self) -> int:
        """Give the final status (1xx answers are already skipped)."""
        ...

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Give the header fields in their order, names in the upstream's case."""
        ...

    @property
    def content_encoding(self) -> str:
        """Give the `content-encoding` field, or an empty string."""
        ...

    @property
    def at_end(self) -> bool:
        """Say whether the body is known to be over, so that nobody need wait for `b""`."""
        ...

    async def next_piece(self) -> bytes:
        """Wait for the next piece of the body; `b""` is its proper end.

        At the end the engine takes the connection back by itself; `aclose` is not called then.

        Raises:
            ReadFailed: it ended early or broke the protocol.
        """
        ...

    def kill(self) -> None:
        """Close the connection at once, without waiting; safe more than once."""
        ...

    async def aclose(self) -> None:
        """Close the connection of an unfinished body; safe more than once, also at the end."""
        ...


class Transport(Protocol):
    """An HTTP engine."""

    async def send(
        self,
        address: Address,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        flight: Flight,
    ) -> RawResponse:
        """Send one request and wait for the response's head.

        Args:
            address: Where to; the engine pools connections by its origin.
            method: In capitals.
            target: Path and query, already with the address's prefix.
            headers: Already checked; without `host` and framing fields, which the engine sets.
            body: May be empty.
            flight: To be told of a connection (`connected`) and of response bytes (`received`).

        Raises:
            WireError: any of its subclasses; never an exception of the library.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
