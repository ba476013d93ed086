"""httpx2 and httpcore2, or the httpx and httpcore they continue; the only import of either.

Imports: nothing of flo2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the types are those of httpx2 alone, whether or not httpx is installed too
    import httpcore2 as httpcore
    import httpx2 as httpx
else:
    try:
        import httpcore2 as httpcore
        import httpx2 as httpx
    except ImportError:  # httpx2 continues httpx under another name; the API is the same
        import httpcore
        import httpx

__all__ = ["CONNECT_ERRORS", "LIBRARY_ERRORS", "AsyncBaseTransport", "httpcore", "httpx"]

AsyncBaseTransport = httpx.AsyncBaseTransport
LIBRARY_ERRORS = (
    httpx.HTTPError,
    httpx.StreamError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
    RuntimeError,
)
CONNECT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
)
