"""Read a Cohere answer, event by event or whole, into events and into what metering needs.

Imports: flo2.

Source: https://docs.cohere.com/docs/streaming and …/reference/chat-stream (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2 import (
    Annotation,
    Event,
    Failed,
    Finish,
    Observed,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    ProviderError,
    ReadUsage,
    Reasoning,
    Start,
    Text,
    ToolCall,
    UsageUpdate,
)
from flo2.canonical import LogprobsDelta
from flo2.dialects.openai_chat.fields import residue
from flo2_provider_cohere.dialect.errors import broken
from flo2_provider_cohere.dialect.words import CHAT, FINISH_OF, PLAN

__all__ = ["AnswerReader"]

_JSON = Mapping[str, Any]
_FAILED: Final = frozenset({"ERROR", "ERROR_TOXIC", "TIMEOUT"})
_TOP: Final = frozenset({"id", "message", "finish_reason", "usage", "logprobs"})
_CALL: Final = frozenset({"id", "type", "function"})


def _object(value: Any) -> _JSON:
    return value if isinstance(value, dict) else {}


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


class AnswerReader:
    """What has been read of one answer.

    Args:
        full: Give all content; else the first piece alone, which says that content has begun.
        read_usage: Turns a usage object into meters.
        observed: What to fill.
        model: Which model answers; Cohere does not say.
    """

    __slots__ = ("_full", "_model", "_parts", "_read_usage", "_texts", "observed")

    def __init__(
        self, *, full: bool, read_usage: ReadUsage, observed: Observed, model: str
    ) -> None:
        self.observed: Observed = observed
        self._model = observed.model = model or None
        self._full = full
        self._read_usage = read_usage
        self._parts: dict[tuple[str, int], int] = {}
        self._texts: dict[int, int] = {}  # index of a content block → index of its Text part

    def fail(self, error: ProviderError, out: list[Event]) -> None:
        """Note that the answer broke off."""
        self.observed.error = error
        self.observed.complete = False
        out.append(Failed(error))

    # A stream ---------------------------------------------------------------------------------

    def take(self, event: _JSON, out: list[Event]) -> None:
        """Read one event of a stream; kinds that nobody knows say nothing."""
        delta = _object(event.get("delta"))
        message = _object(delta.get("message"))
        index = event.get("index")
        number = index if isinstance(index, int) else 0
        match event.get("type"):
            case "message-start":
                self._start(event, out)
            case "content-start":
                self._block(number, message.get("content"), out)
            case "content-delta":
                if self._full and isinstance(logprobs := event.get("logprobs"), dict):
                    out.append(LogprobsDelta(logprobs))
                content = _object(message.get("content"))
                text = _text_of(content.get("text")) or _text_of(content.get("thinking"))
                self._more("content", number, text, out)
            case "tool-plan-delta":
                self._plan(_text_of(message.get("tool_plan")), out)
            case "tool-call-start":
                self._call(number, message.get("tool_calls"), out)
            case "tool-call-delta":
                function = _object(_object(message.get("tool_calls")).get("function"))
                self._more("call", number, _text_of(function.get("arguments")), out)
            case "content-end":
                self._stop("content", number, out)
            case "tool-call-end":
                self._stop("call", number, out)
            case "citation-start":
                self._cite(message.get("citations"), out)
            case "message-end":
                self._end(delta, out)
            case _:
                pass

    # A whole answer ---------------------------------------------------------------------------

    def whole(self, answer: _JSON, out: list[Event]) -> None:
        """Read a plain answer: its message is all deltas at once."""
        message = _object(answer.get("message"))
        self._start(answer, out, residue(answer, _TOP))
        self._plan(_text_of(message.get("tool_plan")), out)
        for number, block in enumerate(_list(message.get("content"))):
            self._block(number, block, out)
        for number, call in enumerate(_list(message.get("tool_calls"))):
            self._call(number, call, out)
        for citation in _list(message.get("citations")):
            self._cite(citation, out)
        if self._full:
            told = _list(answer.get("logprobs"))
            out += [LogprobsDelta(each) for each in told if isinstance(each, dict)]
        if isinstance(answer.get("message"), dict):
            self._end(answer, out)
        else:
            self.fail(broken("the answer holds no message", CHAT), out)

    # Both -------------------------------------------------------------------------------------

    def _start(self, head: _JSON, out: list[Event], extras: _JSON | None = None) -> None:
        self.observed.response_id = _text_of(head.get("id")) or None
        answer_id, model = self.observed.response_id or "", self._model or ""
        out.append(Start(answer_id, model, 0, extras or {}, origin=CHAT))

    def _begin(self, kind: str, number: int, part: Part, out: list[Event]) -> None:
        index = self._parts[kind, number] = len(self._parts)
        if kind == "content" and isinstance(part, Text):
            self._texts[number] = index
        begun = not isinstance(part, Text | Reasoning) or bool(part.text)
        if self._full or (begun and not self.observed.has_content):
            out.append(PartStart(index, part))
        self.observed.has_content = self.observed.has_content or begun

    def _block(self, number: int, block: Any, out: list[Event]) -> None:
        if not isinstance(block, dict):
            return
        part: Part = Opaque(CHAT, block)
        if (kind := block.get("type")) in {"text", "thinking"}:
            text = _text_of(block.get(kind))
            extras = residue(block, frozenset({"type", kind}))
            part = Text(text, extras=extras)
            if kind == "thinking":
                part = Reasoning(text, origin=CHAT, extras=extras)
        self._begin("content", number, part, out)

    def _plan(self, text: str, out: list[Event]) -> None:
        if text and ("plan", 0) not in self._parts:
            self._begin("plan", 0, Reasoning(text, origin=CHAT, extras=PLAN), out)
        else:
            self._more("plan", 0, text, out)

    def _call(self, number: int, call: Any, out: list[Event]) -> None:
        call = _object(call)
        function = _object(call.get("function"))
        part = ToolCall(
            _text_of(call.get("id")),
            _text_of(function.get("name")),
            # A tool without parameters may be called with `null` (recordings/cohere, null-args).
            _arguments(_text_of(function.get("arguments"))),
            extras=residue(call, _CALL),
        )
        self._begin("call", number, part, out)

    def _more(self, kind: str, number: int, text: str, out: list[Event]) -> None:
        """Append to a part; a delta without a start begins a text."""
        if not text:
            return
        index = self._parts.get((kind, number))
        if index is None:
            self._begin(kind, number, Text(text), out)
            return
        if self._full or not self.observed.has_content:
            out.append(PartDelta(index, text))
        self.observed.has_content = True

    def _stop(self, kind: str, number: int, out: list[Event]) -> None:
        index = self._parts.get((kind, number))
        if self._full and index is not None:
            out.append(PartStop(index))

    def _cite(self, citation: Any, out: list[Event]) -> None:
        if not self._full or not isinstance(citation, dict):
            return
        number = citation.get("content_index")
        index = self._texts.get(number) if isinstance(number, int) else None
        if index is None and self._texts:
            index = max(self._texts.values())
        if index is not None:
            out.append(Annotation(index, citation))

    def _end(self, delta: _JSON, out: list[Event]) -> None:
        observed = self.observed
        word = delta.get("finish_reason")
        if isinstance(word, str):
            observed.finish = word
            out.append(Finish(FINISH_OF.get(word, "other"), word))
        usage = delta.get("usage")
        if isinstance(usage, dict) and usage:
            observed.usage = self._read_usage(usage)
            out.append(UsageUpdate(observed.usage))
        said = delta.get("error")
        if said or word in _FAILED:
            reason = said if isinstance(said, str) and said else f"the model stopped: {word}"
            error = broken(reason, CHAT)
            if word == "TIMEOUT":
                error.kind = "timeout"
            self.fail(error, out)
        else:
            observed.complete = True


def _arguments(text: str) -> str:
    return "{}" if text == "null" else text


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
