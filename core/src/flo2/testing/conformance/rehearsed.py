"""The provider behind the gateway: it says what the kit tells it to, in the dialect it is asked in.

Imports: testing.upstream, testing.traces, testing.validators.samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from flo2.testing.traces import Trace, golden_traces
from flo2.testing.upstream import Ending, FakeUpstream, Received, Scripted
from flo2.testing.validators.samples import ANSWERS, STREAMS, written

__all__ = ["RehearsedUpstream", "dialect_of", "traces_of"]

_ENDINGS: Final[Mapping[str, str]] = {
    "/chat/completions": "openai.chat",
    "/responses": "openai.responses",
    "/messages": "anthropic.messages",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
    "/embeddings": "openai.embeddings",
    ":batchEmbedContents": "gemini.embeddings",
}
_GOLDEN: Final[Mapping[str, str]] = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "anthropic.messages": "anthropic_messages",
    "gemini": "gemini",
}
_GEMINI_VECTORS: Final = {"embeddings": [{"values": [0.5, -1]}, {"values": [0.5, 1]}]}
_NO_ANSWER: Final = ("count_tokens", ":countTokens")
# The server that replays frames the body itself.
_FRAMING: Final = frozenset(
    {"connection", "content-encoding", "content-length", "transfer-encoding"}
)


class RehearsedUpstream(FakeUpstream):
    """Gives its one answer to every request: a gateway may well ask twice."""

    def take(self, received: Received) -> Scripted:
        """Note a request, and give the answer of the moment."""
        answer = super().take(received)
        if not self._script:
            self._script.append(answer)
        return answer

    def play(self, trace: Trace, *, ends: Ending = "complete") -> None:
        """Answer as in a trace from now on.

        Args:
            trace: Its status, headers and body; of a stream that ends otherwise, the first half.
            ends: How.
        """
        self.forget()
        headers = {
            name: each for name, each in trace.headers.items() if name.lower() not in _FRAMING
        }
        if trace.stream:
            body = trace.body if ends == "complete" else trace.body[: len(trace.body) // 2]
            pieces = [line + b"\n" for line in body.split(b"\n")]
            pieces[-1] = pieces[-1][:-1]
            self.stream(pieces, status=trace.status, headers=headers, ends=ends)
        else:
            self.reply(trace.status, body=trace.body, headers=headers, ends=ends)


def dialect_of(received: Received) -> str | None:
    """Say by the path in which dialect a request is; None: one that the kit cannot answer."""
    found = (name for ending, name in _ENDINGS.items() if received.path.endswith(ending))
    return next(found, None)


def traces_of(dialect: str) -> tuple[Trace, ...]:
    """Give what a provider of a dialect may answer: two small samples, then the golden traces."""
    samples: list[Trace] = []
    answers = {**ANSWERS, "gemini.embeddings": _GEMINI_VECTORS}
    if dialect in answers:
        samples.append(_sample("sample", json.dumps(answers[dialect]).encode(), stream=False))
    if dialect in STREAMS:
        samples.append(_sample("sample_stream", written(STREAMS[dialect]), stream=True))
    golden = golden_traces(_GOLDEN.get(dialect, "none"))
    return (*samples, *(each for each in golden if not each.endpoint.endswith(_NO_ANSWER)))


def _sample(name: str, body: bytes, *, stream: bool) -> Trace:
    kind = "text/event-stream" if stream else "application/json"
    headers = {"content-type": kind}
    return Trace(name, "samples", "", None, 200, headers, body, stream, frozenset())
