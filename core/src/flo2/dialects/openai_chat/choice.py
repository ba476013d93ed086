"""Read one choice of an answer, delta by delta, into events.

A plain answer's `message` is one big delta. Parts are numbered in order of appearance; hosts differ
most in how they cut tool calls, so that is where the care is. Imports: canonical.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import mutable

from flo2.canonical import (
    Annotation,
    Audio,
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from flo2.dialects.openai_chat.aside import Asides
from flo2.dialects.openai_chat.fields import residue
from flo2.dialects.openai_chat.fit import is_thinking, thinking_text
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["ChoiceReader"]

_JSON = Mapping[str, Any]

_REASON_OF: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Words of compatible hosts.
    "eos": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_length": "context_window",
}
_CHOICE: Final = frozenset({"index", "delta", "message", "logprobs", "finish_reason"})
_CALL: Final = frozenset({"index", "id", "type", "function", "custom"})


@mutable
class _Call:
    """A tool call while its pieces come in; it starts once its id and name are known."""

    part: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    kind: str = "function"
    extras: Mapping[str, Any] = {}
    started: bool = False


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


class ChoiceReader:
    """The parts of one choice so far.

    Args:
        number: The choice's index.
    """

    __slots__ = (
        "_asides",
        "_calls",
        "_details",
        "_last",
        "_next",
        "_parts",
        "finished",
        "number",
    )

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.finished: bool = False
        self._next = 0
        self._parts: dict[str, int] = {}
        self._calls: dict[object, _Call] = {}
        self._last: _Call | None = None
        self._details: list[Any] = []
        self._asides = Asides()

    def take(
        self, choice: _JSON, response_id: str, out: list[Event], *, deltas: bool, whole: bool
    ) -> None:
        """Read one entry of `choices`.

        Args:
            choice: As parsed.
            response_id: For the id of a tool call whose host gives none.
            out: Where events go.
            deltas: False leaves the content out and reads the finish alone.
            whole: It is a plain answer's, so `message` holds the content. Perplexity sends both
                `delta` and `message` in either kind (recordings/perplexity).
        """
        if deltas:
            if isinstance(logprobs := choice.get("logprobs"), dict):
                out.append(LogprobsDelta(logprobs, self.number))
            first, second = ("message", "delta") if whole else ("delta", "message")
            delta = choice.get(first) or choice.get(second)
            if isinstance(delta, dict):
                if whole and (calls := _objects(delta.get("tool_calls"))):
                    # Each entry is a call of its own, whatever ids and indices they have.
                    counted = [{**call, "index": place} for place, call in enumerate(calls)]
                    delta = {**delta, "tool_calls": counted}
                self._delta(delta, out)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and not self.finished:
            self.finished = True
            if deltas:
                self.flush(response_id, out)
            extras = residue(choice, _CHOICE)
            meaning = _REASON_OF.get(reason.lower(), "other")
            out.append(Finish(meaning, reason, choice=self.number, extras=extras))

    def flush(self, response_id: str, out: list[Event]) -> None:
        """Start the calls that still wait for an id, and give what is kept to the end."""
        for call in self._calls.values():
            if not call.started:
                call.id = call.id or self._made_id(call, response_id)
                self._start_call(call, out)
        if self._details:
            extras = {"reasoning_details": self._details}
            self._grow("reasoning", Reasoning(origin=DIALECT, extras=extras), "", out, extras)
            self._details = []
        out.extend(
            PartStart(self._take_index(), part, self.number) for part in self._asides.parts()
        )

    def _made_id(self, call: _Call, response_id: str) -> str:
        seed = f"{response_id}:{self.number}:{call.part}:{call.name}:{call.arguments}"
        return "call_" + hashlib.sha256(seed.encode()).hexdigest()[:24]

    def _delta(self, delta: dict[str, Any], out: list[Event]) -> None:
        get = delta.get
        self._delta_reasoning(delta, out)
        content = get("content")
        if isinstance(content, str):
            if content:
                self._grow("text", Text(content), content, out)
        elif isinstance(content, list):
            self._content_list(content, out)
        if isinstance(refusal := get("refusal"), str) and refusal:
            self._grow("refusal", Refusal(refusal), refusal, out)
        if isinstance(audio := get("audio"), dict):
            self._audio(audio, out)
        for note in _objects(get("annotations")):
            if "text" not in self._parts:
                self._grow("text", Text(""), "", out)
            out.append(Annotation(self._parts["text"], note, self.number))
        self._delta_calls(delta, out)
        self._asides.take(delta)

    def _delta_reasoning(self, delta: dict[str, Any], out: list[Event]) -> None:
        said, also = delta.get("reasoning_content"), delta.get("reasoning")
        if isinstance(thought := said or also, str):
            marks = {
                key: True
                for key, value in (("reasoning_content", said), ("reasoning", also))
                if isinstance(value, str)
            }
            self._grow("reasoning", Reasoning(thought, origin=DIALECT, extras=marks), thought, out)
        if isinstance(details := delta.get("reasoning_details"), list):
            self._details += details

    def _delta_calls(self, delta: dict[str, Any], out: list[Event]) -> None:
        for call in _objects(delta.get("tool_calls")):
            self._call(call, out)
        if isinstance(legacy := delta.get("function_call"), dict):
            self._call({"id": "", "index": "legacy", "function": legacy}, out, legacy=True)

    def _grow(
        self, key: str, start: Part, text: str, out: list[Event], extras: _JSON | None = None
    ) -> None:
        """Begin the part named `key`, or append to it."""
        index = self._parts.get(key)
        if index is None:
            index = self._parts[key] = self._take_index()
            out.append(PartStart(index, start, self.number))
        elif text or extras:
            out.append(PartDelta(index, text, choice=self.number, extras=extras or {}))

    def _take_index(self) -> int:
        self._next += 1
        return self._next - 1

    def _content_list(self, content: list[Any], out: list[Event]) -> None:
        """Read content in parts: Mistral's thinking (wire fact 33), and what nobody models."""
        for part in content:
            if not isinstance(part, dict):
                continue
            kind, text = part.get("type"), part.get("text")
            if kind == "text" and isinstance(text, str):
                if text:
                    self._grow("text", Text(text), text, out)
            elif is_thinking(part):
                if thought := thinking_text(part):
                    self._grow("reasoning", Reasoning(thought, origin=DIALECT), thought, out)
            else:
                out.append(PartStart(self._take_index(), Opaque(DIALECT, part), self.number))

    def _audio(self, audio: dict[str, Any], out: list[Event]) -> None:
        data, said = audio.get("data") or "", audio.get("transcript") or ""
        rest = residue(audio, frozenset({"id", "data", "transcript"}))
        index = self._parts.get("audio")
        if index is None:
            index = self._parts["audio"] = self._take_index()
            start = Audio(
                data=data or None, audio_id=audio.get("id"), transcript=said or None, extras=rest
            )
            out.append(PartStart(index, start, self.number))
        elif data or said or rest:
            out.append(PartDelta(index, said, data=data, choice=self.number, extras=rest))

    def _call(self, piece: dict[str, Any], out: list[Event], *, legacy: bool = False) -> None:
        """Read one piece of a tool call.

        Pieces belong together by index; by id where a host gives no index or the same one to all;
        else a piece without a name belongs to the latest call (Mistral, wire fact 32).
        """
        custom = isinstance(piece.get("custom"), dict)
        body = piece["custom"] if custom else piece.get("function")
        body = body if isinstance(body, dict) else {}
        call_id, name = str(piece.get("id") or ""), str(body.get("name") or "")
        arguments = body.get("input" if custom else "arguments") or ""
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        index = piece.get("index")
        index = index if isinstance(index, int | str) else None
        call = self._find(index, call_id, name)
        if call is None:
            call = _Call(self._take_index(), kind="custom" if custom else "function")
            call.extras = {"legacy": True} if legacy else residue(piece, _CALL)
            # A key of our own cannot meet an index of the host's.
            taken = index is None or index in self._calls
            self._calls[("n", len(self._calls)) if taken else index] = call
        self._last = call
        call.id, call.name = call.id or call_id, call.name or name
        if call.started:
            if arguments:
                out.append(PartDelta(call.part, arguments, choice=self.number))
            return
        call.arguments += arguments
        if call.id and call.name:
            self._start_call(call, out)

    def _find(self, index: Any, call_id: str, name: str) -> _Call | None:
        if index is not None:
            found = self._calls.get(index)
            if found and call_id and found.id and call_id != found.id and name:
                return next((call for call in self._calls.values() if call.id == call_id), None)
            return found
        if call_id:
            return next((call for call in self._calls.values() if call.id == call_id), None)
        return None if name else self._last

    def _start_call(self, call: _Call, out: list[Event]) -> None:
        call.started = True
        kind: Any = call.kind
        part = ToolCall(call.id, call.name, call.arguments, kind, extras=call.extras)
        out.append(PartStart(call.part, part, self.number))
