"""A plain HTTP client for the kit: the standard library's, so that it shares nothing with flo2.

Imports: anyio, the standard library.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from anyio import to_thread
from attrs import frozen

__all__ = ["Answer", "Client", "GatewayUnreachable"]

_PIECE: Final = 65536


class GatewayUnreachable(Exception):  # says what is the matter, as the errors of flo2 do
    """No HTTP answer came from the gateway at all."""


@frozen
class Answer:
    """An answer as it came.

    Attributes:
        headers: Names in lower case.
        is_cut: The connection broke before the body was complete.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool

    @property
    def is_stream(self) -> bool:
        """Whether it says it is an event stream."""
        return self.headers.get("content-type", "").startswith("text/event-stream")


class Client:
    """Sends requests to one gateway, each on a connection of its own.

    Args:
        url: The gateway's address; a path in it goes before the surfaces' own.
        timeout_s: For each read.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        self.url: str = url
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and take what comes.

        Raises:
            GatewayUnreachable: there was no status line.
        """
        return await to_thread.run_sync(self._post, path, headers, body)

    def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        sent = {"content-type": "application/json", "connection": "close", **headers}
        try:
            connection.request("POST", self._prefix + path, body, sent)
            answer = connection.getresponse()
            taken, is_cut = _taken(answer)
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, taken, is_cut)
        except (OSError, http.client.HTTPException) as exc:
            msg = f"no answer from {self.url!r}: {exc}; is the gateway running there?"
            raise GatewayUnreachable(msg) from exc
        finally:
            connection.close()


def _taken(answer: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Read to the end, or to where the connection broke."""
    out = b""
    try:
        while piece := answer.read1(_PIECE):
            out += piece
    except http.client.IncompleteRead as exc:
        return out + exc.partial, True
    except OSError:
        return out, True
    return out, bool(answer.length)
