"""Run the conformance kit against a gateway, over HTTP.

Imports: testing.conformance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from flo2.testing.conformance.answers import real_answers, scripted_answers
from flo2.testing.conformance.client import Client
from flo2.testing.conformance.refusals import WRONG_KEY, refusals
from flo2.testing.conformance.rehearsed import RehearsedUpstream
from flo2.testing.conformance.report import Report, Result
from flo2.testing.conformance.session import Session
from flo2.testing.conformance.surfaces import SURFACES, Surface
from flo2.testing.validators import Level

__all__ = ["run"]

_ABSENT: Final = frozenset({404, 405, 501})


async def run(
    url: str,
    key: str,
    models: Sequence[str],
    *,
    surfaces: Sequence[str] = tuple(SURFACES),
    upstream: RehearsedUpstream | None = None,
    level: Level = "strict",
    timeout_s: float = 60.0,
) -> Report:
    """Try everything against a gateway.

    Args:
        url: Its address.
        key: An issued key of it.
        models: What to ask for, as its clients would name it.
        surfaces: Names of the surfaces to speak to; those that it has not are skipped.
        upstream: What it takes for its providers; None: real ones answer, and only the form of
            their answers is checked.
        level: How strict to be.
        timeout_s: For each read.

    Raises:
        GatewayUnreachable: nothing answers at the address.
    """
    session = Session(Client(url, timeout_s=timeout_s), key, upstream, level)
    report = Report(url)
    for name in surfaces:
        async for result in _of_surface(session, SURFACES[name], models):
            report.results.append(result)
    return report


async def _of_surface(
    session: Session, surface: Surface, models: Sequence[str]
) -> AsyncIterator[Result]:
    if not await _has(session, surface, models[0]):
        missing = ("the gateway has no such surface",)
        yield Result(surface.name, "", "the surface", "skip", missing)
        return
    async for result in refusals(session, surface, models[0]):
        yield result
    for model in models:
        if session.upstream is None:
            answers = real_answers(session, surface, model)
        else:
            answers = scripted_answers(session, session.upstream, surface, model)
        async for result in answers:
            yield result


async def _has(session: Session, surface: Surface, model: str) -> bool:
    """Tell a surface that is not there by what it says to a wrong key."""
    headers = {**surface.headers, **surface.key[0](WRONG_KEY)}
    body = surface.ask(model, False, ())  # noqa: FBT003  # see Surface.ask
    answer = await session.send(surface, model, body, headers=headers)
    return answer.status not in _ABSENT
