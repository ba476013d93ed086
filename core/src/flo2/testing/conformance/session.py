"""One gateway as the kit's cases see it: what they ask it, and with what.

Imports: testing.conformance.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from attrs import frozen

from flo2.testing.conformance.client import Answer, Client
from flo2.testing.conformance.rehearsed import RehearsedUpstream
from flo2.testing.conformance.report import Result
from flo2.testing.conformance.surfaces import Surface
from flo2.testing.validators import Level

__all__ = ["Session", "judged"]


@frozen
class Session:
    """A gateway under test.

    Attributes:
        client: Speaks to it.
        key: An issued key.
        upstream: What answers behind it; None: a real provider does.
        level: How strict to be.
    """

    client: Client
    key: str
    upstream: RehearsedUpstream | None
    level: Level

    async def send(
        self,
        surface: Surface,
        model: str,
        body: object,
        *,
        stream: bool = False,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Answer:
        """Send a request as a client of the surface does.

        Args:
            surface: Where to.
            model: What it asks for.
            body: JSON, or the very bytes.
            stream: Whether a stream is wanted.
            headers: In place of the surface's own and the key.
            query: Goes behind the path: `?beta=true`.
        """
        path = surface.path(model, stream)
        own = {**surface.headers, **surface.key[0](self.key)}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        query = query.replace("?", "&") if "?" in path else query
        return await self.client.post(path + query, own if headers is None else headers, data)

    async def ask(
        self, surface: Surface, model: str, *, stream: bool = False, tools: Iterable[str] = ()
    ) -> Answer:
        """Ask for an answer."""
        body = surface.ask(model, stream, tuple(tools))
        return await self.send(surface, model, body, stream=stream)


def judged(surface: Surface, model: str, case: str, details: Iterable[str]) -> Result:
    """Make a result: a pass, unless there is something to say."""
    found = tuple(details)
    return Result(surface.name, model, case, "fail" if found else "pass", found)
