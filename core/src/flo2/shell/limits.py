"""What one client may cost this server: time, bytes, connections. Plain data, picklable."""

from __future__ import annotations

import attrs

__all__ = ["ClientLimits"]


@attrs.frozen
class ClientLimits:
    """How long and how much a client may keep a connection waiting.

    Args:
        head_s: Seconds from connecting, or from a request's first byte, to the end of its head.
        body_s: Seconds for a request's body, whatever its size.
        body_rate: Bytes a second that earn a large body more time.
        idle_s: Seconds without a request on an open connection. Longer than the pools of the
            usual clients (5 to 60 s), so that the client closes first and no request is lost.
        head_bytes: Most bytes of one head; a backstop behind the guard's own limit.
        linger_s: Seconds a refused client may go on sending before the connection is cut.
        running: Most requests in progress; more are answered 503. None: no limit.
        connections: Most open connections of this process. None: no limit.
        connections_per_ip: Most open connections of one address. None: no limit; behind a proxy
            every client has the proxy's address.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    body_rate: float = 4096.0
    idle_s: float = 75.0
    head_bytes: int = 65_536
    linger_s: float = 5.0
    running: int | None = None
    connections: int | None = None
    connections_per_ip: int | None = None
