"""What an ASGI app receives and sends in one exchange, checked as a server would.

The parts of `flo2.testing.asgi` that need no event of a test: the whole answer, the app's side of
a request, the order of an answer's messages.
Imports: anyio, attrs, and one name of the shell.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from flo2.shell.body import CLIENT_LEFT

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Answer", "AppMisbehaved", "Checker", "Exchange", "Message", "single_header"]

Message = MutableMapping[str, Any]


class AppMisbehaved(AssertionError):
    """The app broke the ASGI contract, or did not end in time."""


@attrs.frozen
class Answer:
    """A whole answer.

    Args:
        status: HTTP status.
        headers: Names in lower case, in the order sent.
        chunks: The body as the app sent it, one item per message that had bytes.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body parsed as JSON."""
        return jsonlib.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the header's value, or None; two of a name are an error in the app.

        Raises:
            AppMisbehaved: The header was sent more than once.
        """
        return single_header(self.headers, name)

    def expect(self, status: int, **headers: str) -> Self:
        """Return self if status and headers are these; else fail with the whole answer shown.

        Header names are written with underscores: `expect(200, content_type="text/plain")`.

        Raises:
            AppMisbehaved: They are not.
        """
        if self.status != status:
            raise AppMisbehaved(f"status is {self.status}, not {status}: {self.text[:2000]}")
        for name, value in headers.items():
            found = self.header(name.replace("_", "-"))
            if found != value:
                raise AppMisbehaved(f"header {name!r} is {found!r}, not {value!r}")
        return self


class Exchange:
    """One request as the app sees it: its scope, what it may receive, what it sent."""

    def __init__(self, scope: dict[str, Any], body: bytes | Sequence[bytes]) -> None:
        self.scope = scope
        self._parts = [body] if isinstance(body, bytes) else list(body) or [b""]
        self._next = 0
        self._over = anyio.Event()
        self._leavers: dict[object, Callable[[], None]] = {}
        self.hung_up: bool = False
        scope["extensions"] = {CLIENT_LEFT: self._on_leave}

    async def receive(self) -> Message:
        if self._next < len(self._parts) and not self._over.is_set():
            part = self._parts[self._next]
            self._next += 1
            return {
                "type": "http.request",
                "body": part,
                "more_body": self._next < len(self._parts),
            }
        await self._over.wait()
        return {"type": "http.disconnect"}

    def end(self) -> None:
        """The answer is complete: from now on `receive` says the client is gone."""
        self._over.set()

    def hang_up(self) -> None:
        """The client is gone: wake `receive`, call whoever asked to be told."""
        if self.hung_up:
            return
        self.hung_up = True
        self._over.set()
        leavers, self._leavers = self._leavers, {}
        for leave in leavers.values():
            leave()

    def _on_leave(self, callback: Callable[[], None]) -> Callable[[], None]:
        key = object()
        if self.hung_up:
            callback()
        else:
            self._leavers[key] = callback

        def forget() -> None:
            self._leavers.pop(key, None)

        return forget


class Checker:
    """Check the order of an answer's messages, as a server would."""

    def __init__(self) -> None:
        self.start: Message | None = None
        self.complete = False

    def take(self, message: Message) -> bytes | None:
        """Return the bytes of a body message, or None for the start."""
        kind = message["type"]
        if kind == "http.response.start":
            if self.start is not None:
                raise AppMisbehaved("the app sent http.response.start twice")
            self.start = message
            return None
        if kind != "http.response.body":
            raise AppMisbehaved(f"the app sent {kind!r} in an HTTP answer")
        if self.start is None:
            raise AppMisbehaved("the app sent a body before http.response.start")
        if self.complete:
            raise AppMisbehaved("the app sent a body after the answer was complete")
        self.complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    def status(self) -> int:
        if self.start is None:
            raise AppMisbehaved("the app returned without http.response.start")
        return int(self.start["status"])

    def headers(self) -> tuple[tuple[str, str], ...]:
        start = self.start or {}
        return tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in start.get("headers", ())
        )


def single_header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """Return the one value of a header, or None; two of a name are an error in the app."""
    values = [value for key, value in headers if key == name.lower()]
    if len(values) > 1:
        raise AppMisbehaved(f"the app sent {len(values)} {name!r} headers: {values!r}")
    return values[0] if values else None
