"""One candidate of an answer while its parts come in. Pure. Imports: canonical.

Texts in a row are one part, and so are thoughts: a stream cuts them anywhere. A part with a
signature ends there. Old models say `STOP` in every chunk, so how a candidate ends is told at its
end only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from flo2.canonical import (
    Annotation,
    Event,
    Finish,
    LogprobsDelta,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Text,
    ToolCall,
)
from flo2.dialects.gemini.call_ids import Calls
from flo2.dialects.gemini.grounding import citations
from flo2.dialects.gemini.part_parse import parse_part
from flo2.dialects.gemini.partial_args import PartialArguments
from flo2.dialects.gemini.seals import ON_NEXT, seals
from flo2.dialects.gemini.vocabulary import FINISH_OF, NAME
from flo2.errors import InvalidRequest

__all__ = ["Candidate", "says_something"]

_WORDS: Final = frozenset({"text", "thought"})
_MODELLED: Final = frozenset({"content", "finishReason", "index", "logprobsResult"})


def says_something(part: Any) -> bool:
    """Whether a part of an answer is more than an empty text."""
    if not isinstance(part, dict) or not part:
        return False
    return part.get("text") != "" or not part.keys() <= _WORDS


class Candidate:
    """Turns what comes of one candidate into events.

    Args:
        number: Which of the candidates.
        seed: What tells the answer from all others.
        whole: It comes in one piece, not as a stream.
    """

    def __init__(self, number: int, seed: str, *, whole: bool) -> None:
        self.finish: str | None = None
        self.extras: dict[str, Any] = {}
        self._number = number
        self._whole = whole
        self._calls = Calls(f"{seed}\n{number}")
        self._next = 0
        self._open: type[Part] | None = None
        self._text: int | None = None
        self._called = False
        self._signature = ""
        self._partial: PartialArguments | None = None

    def take(self, candidate: Mapping[str, Any], out: list[Event]) -> None:
        """Take a candidate of one chunk."""
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        if isinstance(parts, list):
            for part in parts:
                if says_something(part):
                    self._part(part, out)
        if isinstance(logprobs := candidate.get("logprobsResult"), dict):
            out.append(LogprobsDelta(logprobs, self._number))
        self.note(candidate)

    def note(self, candidate: Mapping[str, Any]) -> None:
        """Remember what a candidate says besides its content."""
        if isinstance(reason := candidate.get("finishReason"), str):
            self.finish = reason
        if len(candidate) > 1:
            for key, value in candidate.items():
                if key not in _MODELLED and value is not None:
                    before = self.extras.get(key)
                    both = isinstance(before, dict) and isinstance(value, dict)
                    self.extras[key] = {**before, **value} if both and before else value

    def _part(self, part: Mapping[str, Any], out: list[Event]) -> None:
        text = part.get("text")
        if isinstance(text, str) and (len(part) == 1 or part.keys() == _WORDS):
            kind = Reasoning if part.get("thought") is True else Text
            self._words(kind, text, out)
        elif "functionCall" in part and self._piecewise(part, out):
            return
        else:
            self._parsed(part, out)

    def _words(self, kind: type[Text | Reasoning], text: str, out: list[Event]) -> None:
        if self._open is kind and not self._whole:
            out.append(PartDelta(self._next - 1, text, choice=self._number))
        else:
            part = Text(text) if kind is Text else Reasoning(text, origin=NAME)
            self._start(part, out)

    def _parsed(self, part: Mapping[str, Any], out: list[Event]) -> None:
        try:
            found = parse_part(part, "part", self._calls)
        except InvalidRequest:
            found = (Opaque(NAME, part),)
        for each in found:
            match each:
                case Text(text=text) if text and not each.extras:
                    self._words(Text, text, out)
                case Reasoning(text=text, signature=signature) if (
                    signature and self._open is Reasoning and not self._whole and not each.extras
                ):
                    delta = PartDelta(self._next - 1, text, signature, choice=self._number)
                    out.append(delta)
                    self._stop(out)
                case Reasoning():
                    if seals(each) == ON_NEXT:
                        self._signature = each.signature or ""
                    self._start(each, out)
                    self._stop(out)
                case ToolCall():
                    self._call(each, out)
                case _:
                    self._start(each, out)

    def _start(self, part: Part, out: list[Event]) -> None:
        self._flush(out)
        self._stop(out)
        self._open = type(part)
        if isinstance(part, Text):
            self._text = self._next
        out.append(PartStart(self._next, part, self._number))
        self._next += 1

    def _stop(self, out: list[Event]) -> None:
        if self._open is not None:
            self._open = None
            out.append(PartStop(self._next - 1, self._number))

    def _call(self, part: ToolCall, out: list[Event]) -> None:
        self._called = True
        if self._signature:
            # What Google's OpenAI-compatible API calls it; the one place for it in such a client.
            google = {"google": {"thought_signature": self._signature}}
            part = evolve(part, extras={**part.extras, "extra_content": google})
            self._signature = ""
        self._start(part, out)

    def _piecewise(self, part: Mapping[str, Any], out: list[Event]) -> bool:
        """Take a call whose arguments come in pieces; False: it is none."""
        call = part["functionCall"]
        if not isinstance(call, dict):
            return False
        more, pieces = call.get("willContinue") is True, call.get("partialArgs")
        if call.get("name"):
            if not more and not pieces:
                return False
            head = {key: each for key, each in call.items() if key in {"id", "name", "args"}}
            self._parsed({**part, "functionCall": head}, out)
            self._partial = PartialArguments(head.get("args"))
            self._strip(out)
        elif self._partial is None:
            return False
        if isinstance(pieces, list):
            for piece in pieces:
                if isinstance(piece, dict):
                    self._partial.take(piece)
        if not more:
            self._flush(out)
        return True

    def _strip(self, out: list[Event]) -> None:
        """Let the arguments of the call just begun follow when they are complete."""
        start = out[-1]
        if isinstance(start, PartStart) and isinstance(start.part, ToolCall):
            out[-1] = evolve(start, part=evolve(start.part, arguments=""))

    def _flush(self, out: list[Event]) -> None:
        """End a call whose last piece has come, or never will."""
        if self._partial is not None:
            text, self._partial = self._partial.text(), None
            out.append(PartDelta(self._next - 1, text, choice=self._number))

    def close(self, out: list[Event]) -> None:
        """Tell the sources and the end."""
        self._flush(out)
        if self._text is not None:
            text, number = self._text, self._number
            out += [Annotation(text, note, number) for note in citations(self.extras)]
        self._stop(out)
        if self.finish is None:
            if self._whole:
                out.append(Finish("other", choice=self._number, extras=self.extras))
            return
        reason = FINISH_OF.get(self.finish, "other")
        if reason == "stop" and self._called:
            reason = "tool_calls"  # the API says STOP here too
        out.append(Finish(reason, self.finish, choice=self._number, extras=self.extras))
