"""What a gateway must refuse, in the envelope of each surface, and before a provider is asked.

Imports: testing.conformance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from attrs import frozen

from flo2.testing.conformance.checks import check_error
from flo2.testing.conformance.client import Answer
from flo2.testing.conformance.report import Result
from flo2.testing.conformance.session import Session, judged
from flo2.testing.conformance.surfaces import Surface

__all__ = ["WRONG_KEY", "refusals"]

WRONG_KEY: Final = "flo2_sk_000000000000000000000000000000000000"
_NO_MODEL: Final = "no-such-provider/no-such-model"
_BAD_BODIES: Final[Mapping[str, bytes]] = {
    "an empty body": b"",
    "a body that is no JSON": b'{"model": ',
    "a body that is no object": b"[]",
    "a body that is no UTF-8": b'{"model": "\xff"}',
}
_BAD_REQUEST: Final = (400,)
_UNAUTHENTICATED: Final = (401,)
_NOT_FOUND: Final = (400, 403, 404)


@frozen
class _Refused:
    """One case: what is sent, and with which status it may be refused."""

    case: str
    statuses: tuple[int, ...]
    body: object
    model: str
    headers: Mapping[str, str] | None = None


async def refusals(session: Session, surface: Surface, model: str) -> AsyncIterator[Result]:
    """Try what must be refused."""
    for each in _cases(surface, model):
        arrived = _arrived(session)
        answer = await session.send(surface, each.model, each.body, headers=each.headers)
        details = list(check_error(surface, answer, session.level, statuses=each.statuses))
        details += _says_key(session, answer)
        if _arrived(session) > arrived:
            details.append("a provider was asked")
        yield judged(surface, "", each.case, details)


def _cases(surface: Surface, model: str) -> list[_Refused]:
    asked: dict[str, Any] = surface.ask(model, False, ())  # noqa: FBT003  # see Surface.ask
    unknown = surface.ask(_NO_MODEL, False, ())  # noqa: FBT003  # as above
    found = [_Refused(case, _BAD_REQUEST, body, model) for case, body in _BAD_BODIES.items()]
    if surface.says_model:
        nameless = {name: value for name, value in asked.items() if name != "model"}
        found.append(_Refused("no model", _BAD_REQUEST, nameless, model))
        found.append(
            _Refused("a model of a wrong type", _BAD_REQUEST, {**asked, "model": 7}, model)
        )
    found.append(_Refused("an unknown model", _NOT_FOUND, unknown, _NO_MODEL))
    found.append(_Refused("no key", _UNAUTHENTICATED, asked, model, surface.headers))
    for number, header in enumerate(surface.key, 1):
        with_key = {**surface.headers, **header(WRONG_KEY)}
        case = f"a wrong key, in its header {number}"
        found.append(_Refused(case, _UNAUTHENTICATED, asked, model, with_key))
    return found


def _arrived(session: Session) -> int:
    return len(session.upstream.requests) if session.upstream else 0


def _says_key(session: Session, answer: Answer) -> list[str]:
    said = answer.body + repr(answer.headers).encode()
    keys = (session.key.encode(), WRONG_KEY.encode())
    return ["the answer shows the key"] if any(key in said for key in keys) else []
