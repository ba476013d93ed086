"""What a gateway must bring through: every golden answer, breaks, headers; or a real model's word.

Imports: testing.conformance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from attrs import frozen

from flo2.testing.conformance.checks import (
    check_broken,
    check_error,
    check_trace,
    violations_of,
)
from flo2.testing.conformance.client import Answer
from flo2.testing.conformance.readers import read
from flo2.testing.conformance.rehearsed import RehearsedUpstream, dialect_of, traces_of
from flo2.testing.conformance.report import Result
from flo2.testing.conformance.session import Session, judged
from flo2.testing.conformance.surfaces import Surface
from flo2.testing.traces import Trace

__all__ = ["real_answers", "scripted_answers"]

_TOOL = "get_weather"


# A provider of ours ---------------------------------------------------------------------------


async def scripted_answers(
    session: Session, upstream: RehearsedUpstream, surface: Surface, model: str
) -> AsyncIterator[Result]:
    """Let the provider say all it can, and see what reaches the client."""
    dialect = await _dialect_behind(session, upstream, surface, model)
    if isinstance(dialect, Result):
        yield dialect
        return
    scripted = _Scripted(session, upstream, surface, model, dialect)
    traces = [each for each in traces_of(dialect) if surface.streams or not each.stream]
    for trace in traces:
        if "audio" in trace.tags and dialect != surface.name:
            reason = ("spoken answers have no form that all APIs share",)
            yield Result(surface.name, model, f"{dialect}: {trace.name}", "skip", reason)
        else:
            yield await scripted.trace(trace)
    streams = [trace for trace in traces if trace.name == "sample_stream"]
    for trace in streams:
        yield await scripted.broken(trace, reset=False)
        yield await scripted.broken(trace, reset=True)
    if streams and surface.name == "openai.chat":
        yield await scripted.usage_unasked(streams[0])
    yield await scripted.headers(traces[0])


async def _dialect_behind(
    session: Session, upstream: RehearsedUpstream, surface: Surface, model: str
) -> str | Result:
    """Find out in which dialect the gateway asks for the model: by asking."""
    case = "the provider is reached"
    upstream.play(traces_of("openai.chat")[0])
    before = len(upstream.requests)
    answer = await session.ask(surface, model)
    asked = upstream.requests[before:]
    if asked:
        dialect = dialect_of(asked[-1])
        if dialect is not None:
            return dialect
        reason = f"the kit cannot answer {asked[-1].method} {asked[-1].path}"
    else:
        reason = f"no request came to the kit's upstream; the gateway said {_told(surface, answer)}"
    # Not every model makes vectors, and then the gateway says so itself.
    return Result(surface.name, model, case, "fail" if surface.streams else "skip", (reason,))


def _told(surface: Surface, answer: Answer) -> str:
    said = read(surface.name, answer.body, stream=answer.is_stream).error
    return f"{answer.status}: {said}"


@frozen
class _Scripted:
    """The cases of a surface and a model whose provider is ours."""

    session: Session
    upstream: RehearsedUpstream
    surface: Surface
    model: str
    dialect: str

    async def trace(self, trace: Trace) -> Result:
        """Bring one answer through."""
        self.upstream.play(trace)
        expected = read(self.dialect, trace.body, stream=trace.stream)
        tools = [name for name, _ in expected.calls if self.surface.streams]
        before = len(self.upstream.requests)
        answer = await self.session.ask(
            self.surface, self.model, stream=trace.stream, tools=dict.fromkeys(tools)
        )
        details = [
            *check_trace(self.surface, answer, trace, self.dialect, self.session.level),
            *self._leaks(before),
        ]
        return self._judged(trace.name, details)

    async def broken(self, trace: Trace, *, reset: bool) -> Result:
        """Break a stream in its middle."""
        self.upstream.play(trace, ends="reset" if reset else "truncated")
        answer = await self.session.ask(self.surface, self.model, stream=True)
        how = "is reset" if reset else "closes"
        case = f"the provider's connection {how} in mid-stream"
        return self._judged(case, check_broken(self.surface, answer, self.session.level))

    async def usage_unasked(self, trace: Trace) -> Result:
        """Ask for no usage: then there is none, although the gateway itself must know it."""
        self.upstream.play(trace)
        body = self.surface.ask(self.model, True, ())  # noqa: FBT003  # see Surface.ask
        del body["stream_options"]
        answer = await self.session.send(self.surface, self.model, body, stream=True)
        # OpenAI says `usage: null` in each chunk because the gateway asked; SDKs do not mind.
        found = violations_of(self.surface.name, answer, self.session.level)
        details = [str(each) for each in found if each.where != "end: usage"]
        if read(self.surface.name, answer.body, stream=True).usage is not None:
            details.append("the stream has usage, which was not asked for")
        return self._judged("usage only for those who ask", details)

    async def headers(self, trace: Trace) -> Result:
        """Send what newer clients send, by each header that may carry the key."""
        details: list[str] = []
        self.upstream.play(trace)
        for key in self.surface.key:
            before = len(self.upstream.requests)
            answer = await self.session.send(
                self.surface,
                self.model,
                self.surface.ask(self.model, trace.stream, ()),
                headers=_all_headers(self.surface, key(self.session.key)),
                query=self.surface.query,
            )
            details += check_trace(self.surface, answer, trace, self.dialect, self.session.level)
            details += self._leaks(before)
            if self.dialect == self.surface.name:
                details += self._lost_betas(before)
        return self._judged("headers and query strings of newer clients", details)

    def _lost_betas(self, before: int) -> Iterator[str]:
        wanted = self.surface.odd_headers.get("anthropic-beta", "")
        for received in self.upstream.requests[before:]:
            given = received.headers.get("anthropic-beta", "")
            lost = [flag for flag in wanted.split(",") if flag not in given]
            if lost:
                yield f"anthropic-beta lost {', '.join(lost)} on its way to its own API"

    def _leaks(self, before: int) -> Iterator[str]:
        for received in self.upstream.requests[before:]:
            if self.session.key in f"{received.target}{received.headers}{received.body!r}":
                yield "the client's key went on to the provider"

    def _judged(self, case: str, details: Iterator[str] | list[str]) -> Result:
        return judged(self.surface, self.model, f"{self.dialect}: {case}", details)


# A real one -----------------------------------------------------------------------------------


async def real_answers(session: Session, surface: Surface, model: str) -> AsyncIterator[Result]:
    """Ask a real model, and check the form of what it says."""
    if not surface.streams:
        answer = await session.ask(surface, model)
        if 400 <= answer.status < 500:  # not every model makes vectors
            reason = (f"the gateway said {_told(surface, answer)}",)
            yield Result(surface.name, model, "a plain answer", "skip", reason)
            return
    for stream in (False, True) if surface.streams else (False,):
        how = "a stream" if stream else "a plain answer"
        answer = await session.ask(surface, model, stream=stream)
        yield judged(surface, model, how, _form(session, surface, answer, stream=stream))
        if surface.streams:
            answer = await session.ask(surface, model, stream=stream, tools=[_TOOL])
            details = _form(session, surface, answer, stream=stream)
            yield judged(surface, model, f"{how}, with a tool", details)
    found: list[str] = []
    for key in surface.key:
        answer = await session.send(
            surface,
            model,
            surface.ask(model, False, ()),  # noqa: FBT003  # see Surface.ask
            headers=_all_headers(surface, key(session.key)),
            query=surface.query,
        )
        found += _form(session, surface, answer, stream=False)
    yield judged(surface, model, "headers and query strings of newer clients", found)


def _form(session: Session, surface: Surface, answer: Answer, *, stream: bool) -> Iterator[str]:
    if answer.status != 200:
        yield f"status is {_told(surface, answer)}"
        yield from check_error(surface, answer, session.level)
        return
    if answer.is_stream != stream:
        yield f"content-type is {answer.headers.get('content-type')!r}; stream was {stream}"
        return
    yield from map(str, violations_of(surface.name, answer, session.level))
    said = read(surface.name, answer.body, stream=stream)
    if said.error is not None:
        yield f"it ended with an error: {said.error}"
    if not (said.text or said.calls):
        yield "it says nothing"
    if said.usage is None:
        yield "it has no usage"
    elif not said.usage[0]:
        yield "it counts no input tokens"


def _all_headers(surface: Surface, key: Mapping[str, str]) -> dict[str, str]:
    return {**surface.headers, **surface.odd_headers, **key}
