"""Compare what came back through a gateway with what its provider had said.

Imports: testing.conformance, testing.validators.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve, fields

from flo2.testing.conformance.client import Answer
from flo2.testing.conformance.meaning import Meaning
from flo2.testing.conformance.readers import read
from flo2.testing.conformance.surfaces import Surface
from flo2.testing.traces import Trace
from flo2.testing.validators import VALIDATORS, Level, Violation

__all__ = ["check_broken", "check_error", "check_trace", "is_whole", "violations_of"]

_SERVER_ERROR: Final = 500


def violations_of(dialect: str, answer: Answer | Trace, level: Level) -> list[Violation]:
    """Validate an answer, as a stream if it is one that began well."""
    validator = VALIDATORS[dialect]
    is_stream = answer.stream if isinstance(answer, Trace) else answer.is_stream
    if is_stream and answer.status == 200:
        return validator.stream(answer.body, level=level)
    headers = {"content-type": "application/json", **answer.headers}
    if isinstance(answer, Answer):
        headers = dict(answer.headers)
    return validator.answer(answer.status, headers, answer.body, level=level)


def is_whole(dialect: str, trace: Trace) -> bool:
    """Whether a trace ends as an answer does, and not in its middle or with an error."""
    said = read(dialect, trace.body, stream=trace.stream)
    return said.finish is not None and said.error is None


def check_trace(
    surface: Surface, answer: Answer, trace: Trace, dialect: str, level: Level
) -> Iterator[str]:
    """Say what is wrong with an answer to which the provider gave this trace.

    Args:
        surface: The surface it came from.
        answer: What came.
        trace: What the provider said.
        dialect: The provider's dialect.
        level: How strict to be.
    """
    if trace.status != 200:
        yield from check_error(surface, answer, level, upstream=trace, dialect=dialect)
    elif not is_whole(dialect, trace):
        yield from check_broken(surface, answer, level)
    else:
        yield from _check_whole(surface, answer, trace, dialect, level)


def _check_whole(
    surface: Surface, answer: Answer, trace: Trace, dialect: str, level: Level
) -> Iterator[str]:
    if answer.status != 200:
        yield f"status is {answer.status}, not 200: {_start(answer)}"
        return
    if answer.is_cut:
        yield "the connection broke before the answer was complete"
    if answer.is_stream != trace.stream:
        yield f"content-type is {answer.headers.get('content-type')!r}; stream was {trace.stream}"
        return
    expected = read(dialect, trace.body, stream=trace.stream)
    own = _own_rules(surface, trace, dialect, level)
    for each in violations_of(surface.name, answer, level):
        untold = expected.usage is None and "usage" in each.where.lower()
        if each.rule not in own and not untold:
            yield str(each)
    yield from _differences(surface, expected, read(surface.name, answer.body, stream=trace.stream))


def _own_rules(surface: Surface, trace: Trace, dialect: str, level: Level) -> set[str]:
    """Give what the provider itself does otherwise; it may pass on to a client of its dialect."""
    if dialect != surface.name:
        return set()
    return {each.rule for each in violations_of(dialect, trace, level)}


def _differences(surface: Surface, expected: Meaning, actual: Meaning) -> Iterator[str]:
    if expected.finish == "filtered" and expected.text and not surface.has_refusals:
        # The model itself refused, in words: that may be an end like any other.
        expected = evolve(expected, finish=actual.finish if actual.finish == "stop" else "filtered")
    for attribute in fields(Meaning):
        wanted, found = getattr(expected, attribute.name), getattr(actual, attribute.name)
        if attribute.name == "usage" and wanted is None:
            continue  # a dialect may have no word for unknown
        if wanted != found:
            yield f"{attribute.name} is {found!r}; the provider said {wanted!r}"


def check_broken(surface: Surface, answer: Answer, level: Level) -> Iterator[str]:
    """Say what is wrong with the answer to a stream that broke: it must not pass for whole."""
    if answer.status >= 400:  # nothing had been sent yet
        yield from check_error(surface, answer, level)
        return
    said = read(surface.name, answer.body, stream=answer.is_stream)
    told = said.error is not None or answer.is_cut
    if not told:
        yield "the stream broke, and its client is told of no error"
    if told and said.error is not None and not answer.is_cut:
        yield from map(str, violations_of(surface.name, answer, level))


def check_error(
    surface: Surface,
    answer: Answer,
    level: Level,
    *,
    statuses: tuple[int, ...] = (),
    upstream: Trace | None = None,
    dialect: str = "",
) -> Iterator[str]:
    """Say what is wrong with an error.

    Args:
        surface: The surface it came from.
        answer: What came.
        level: How strict to be.
        statuses: What the status may be; empty: anything from 400 on.
        upstream: The provider's error that it tells of: the same status (any 5xx for a 5xx), its
            message, and how long to wait.
        dialect: The provider's.
    """
    if answer.status < 400:
        yield f"status is {answer.status}, not an error: {_start(answer)}"
        return
    if statuses and answer.status not in statuses:
        wanted = " or ".join(map(str, statuses))
        yield f"status is {answer.status}, not {wanted}: {_start(answer)}"
    own = _own_rules(surface, upstream, dialect, level) if upstream is not None else set()
    for each in violations_of(surface.name, answer, level):
        if each.rule not in own:
            yield str(each)
    if upstream is None:
        return
    both_5xx = min(answer.status, upstream.status) >= _SERVER_ERROR
    if answer.status != upstream.status and not both_5xx:
        yield f"status is {answer.status}; the provider's was {upstream.status}"
    # A provider's words about the gateway's key are none of the client's business.
    said = read(dialect, upstream.body, stream=False).error
    message = "" if _is_about_key(upstream) else said or ""
    if message not in answer.body.decode("utf-8", "replace") + _message(surface, answer):
        yield f"the provider's message {message!r} is not in it: {_start(answer)}"
    wait = {name.lower(): value for name, value in upstream.headers.items()}.get("retry-after")
    if wait and answer.headers.get("retry-after") != wait:
        yield f"retry-after is {answer.headers.get('retry-after')!r}; the provider's was {wait!r}"


def _is_about_key(upstream: Trace) -> bool:
    return upstream.status == 401 or b"API_KEY_INVALID" in upstream.body  # Google's is a 400


def _message(surface: Surface, answer: Answer) -> str:
    return read(surface.name, answer.body, stream=False).error or ""


def _start(answer: Answer) -> str:
    return answer.body[:200].decode("utf-8", "replace")
