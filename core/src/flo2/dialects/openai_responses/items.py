"""Read the items of an answer into events: whole, or piece by piece.

An item is known in full at its end, so what its pieces did not tell is told then: hosts differ in
what they stream. Parts are numbered in order of appearance. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import mutable

from flo2.canonical import (
    Annotation,
    Event,
    LogprobsDelta,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_responses.content_in import read_reasoning
from flo2.dialects.openai_responses.vocabulary import CALLS, DIALECT, JSON, SUMMARY_BREAK
from flo2.errors import InvalidRequest

__all__ = ["ItemReader"]

_MESSAGE: Final = frozenset({"type", "role", "content", "status"})
_CALL: Final = frozenset({"type", "call_id", "name", "arguments", "input", "status"})
_WORDS: Final = {"output_text": "text", "refusal": "refusal"}


@mutable
class _Piece:
    """A part while its pieces come in.

    Attributes:
        index: Number of the part.
        told: Characters of its text so far.
        notes: Annotations so far.
        section: Part of the summary that is being told.
        shows: Which of a reasoning's two texts is told: `summary` or `content`.
        extras: What was said of it beside its text.
        stopped: It is complete.
    """

    index: int
    told: int = 0
    notes: int = 0
    section: Any = None
    shows: str = ""
    extras: Mapping[str, Any] = {}
    stopped: bool = False


_INDICES: Final = ("output_index", "content_index", "summary_index")


def _sound(data: JSON) -> JSON:
    """Take for missing what is no number of a piece and no name of a kind."""
    odd = [key for key in (*_INDICES, "type") if isinstance(data.get(key), list | dict)]
    return {**data, **dict.fromkeys(odd)} if odd else data


def _objects(value: Any) -> list[JSON]:
    if not isinstance(value, list):
        return []
    return [_sound(each) for each in value if isinstance(each, dict)]


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    # A host may send arguments as an object.
    return "" if value is None else dumps(value).decode()


class ItemReader:
    """The parts of one answer so far."""

    def __init__(self) -> None:
        self.called: bool = False
        self._next = 0
        self._items: dict[Any, JSON] = {}
        self._pieces: dict[Any, _Piece] = {}
        self._contents: dict[tuple[Any, Any], _Piece] = {}
        self._said: set[Any] = set()  # messages of which a content part has begun
        self._handlers: Mapping[str, Callable[[JSON, list[Event]], None]] = {
            "response.output_text.delta": self._text_delta,
            "response.refusal.delta": self._text_delta,
            "response.function_call_arguments.delta": self._call_delta,
            "response.custom_tool_call_input.delta": self._call_delta,
            "response.reasoning_summary_text.delta": self._summary_delta,
            "response.reasoning_text.delta": self._thought_delta,
            "response.output_item.added": self._added,
            "response.output_item.done": self._done,
            "response.content_part.added": self._content_added,
            "response.content_part.done": self._content_done,
            "response.output_text.annotation.added": self._annotation,
        }

    @property
    def is_empty(self) -> bool:
        """True while no item has begun."""
        return not self._items and not self._contents

    def event(self, kind: str, data: JSON, out: list[Event]) -> None:
        """Read one event of a stream; one that tells nothing new gives none."""
        if (handle := self._handlers.get(kind)) is None:
            return
        data = _sound(data)
        for name in ("item", "part"):
            if name in data and isinstance(inner := data[name], dict):
                data[name] = _sound(inner)
        handle(data, out)

    def whole(self, output: Any, out: list[Event]) -> None:
        """Read all items of an answer that came in one piece."""
        for number, item in enumerate(_objects(output)):
            self._added({"output_index": number, "item": item}, out)
            self._done({"output_index": number, "item": item}, out)

    def _take(self) -> _Piece:
        self._next += 1
        return _Piece(self._next - 1)

    def _added(self, data: JSON, out: list[Event]) -> None:
        at, item = data.get("output_index"), data.get("item")
        if not isinstance(item, dict):
            return
        self._items[at] = item
        kind = item.get("type")
        if kind == "message":
            return
        piece = self._pieces[at] = self._take()
        if kind == "reasoning":
            found = item.get("id")
            item_id = found if isinstance(found, str) else None
            out.append(PartStart(piece.index, Reasoning(origin=DIALECT, id=item_id)))
        elif kind in CALLS:
            self.called = True
            piece.extras = {key: each for key, each in item.items() if key not in _CALL}
            call = ToolCall(
                str(item.get("call_id") or item.get("id") or ""),
                str(item.get("name") or ""),
                "",
                "custom" if kind == "custom_tool_call" else "function",
                extras=piece.extras,
            )
            out.append(PartStart(piece.index, call))

    def _done(self, data: JSON, out: list[Event]) -> None:
        at, item = data.get("output_index"), data.get("item")
        if not isinstance(item, dict):
            return
        if at not in self._items:
            self._added(data, out)
        kind = item.get("type")
        if kind == "message":
            self._message_done(at, item, out)
            return
        piece = self._pieces.get(at)
        if piece is None or piece.stopped:
            return
        piece.stopped = True
        if kind == "reasoning":
            self._reasoning_done(piece, item, out)
        elif kind in CALLS:
            self._rest(piece, _text_of(item.get(CALLS[kind])), out)
            extras = {key: each for key, each in item.items() if key not in _CALL}
            if item.get("status") not in (None, "completed"):
                extras["status"] = item["status"]
            if extras != piece.extras:
                out.append(PartDelta(piece.index, extras=extras))
        else:
            out.append(PartStart(piece.index, Opaque(DIALECT, item)))
        out.append(PartStop(piece.index))

    @staticmethod
    def _rest(piece: _Piece, text: str, out: list[Event]) -> None:
        """Tell what of a text was not told yet."""
        if len(text) > piece.told:
            out.append(PartDelta(piece.index, text[piece.told :]))
            piece.told = len(text)

    def _call_delta(self, data: JSON, out: list[Event]) -> None:
        piece, delta = self._pieces.get(data.get("output_index")), _text_of(data.get("delta"))
        if piece is not None and delta:
            piece.told += len(delta)
            out.append(PartDelta(piece.index, delta))

    def _summary_delta(self, data: JSON, out: list[Event]) -> None:
        piece, delta = self._pieces.get(data.get("output_index")), data.get("delta")
        if piece is None or piece.shows == "content" or not isinstance(delta, str) or not delta:
            return
        if piece.told and piece.section != data.get("summary_index"):
            piece.told += len(SUMMARY_BREAK)
            out.append(PartDelta(piece.index, SUMMARY_BREAK))
        piece.shows, piece.section = "summary", data.get("summary_index")
        piece.told += len(delta)
        out.append(PartDelta(piece.index, delta))

    def _thought_delta(self, data: JSON, out: list[Event]) -> None:
        piece, delta = self._pieces.get(data.get("output_index")), data.get("delta")
        if piece is None or piece.shows == "summary" or not isinstance(delta, str) or not delta:
            return
        # What `content` holds is told at the end; its mere presence says which text this is.
        extras: JSON = {} if piece.shows else {"content": []}
        piece.shows = "content"
        piece.told += len(delta)
        out.append(PartDelta(piece.index, delta, extras=extras))

    @staticmethod
    def _reasoning_done(piece: _Piece, item: JSON, out: list[Event]) -> None:
        try:
            found = read_reasoning(item, "output")
        except InvalidRequest:
            return
        text = found.text[piece.told :] if piece.told < len(found.text) else ""
        extras = found.extras
        if text or found.encrypted or extras:
            out.append(PartDelta(piece.index, text, encrypted=found.encrypted or "", extras=extras))

    def _content_added(self, data: JSON, out: list[Event]) -> None:
        part = data.get("part")
        if isinstance(part, dict) and part.get("type") in _WORDS:
            self._content(data, part, out)

    def _content(self, data: JSON, part: JSON, out: list[Event]) -> _Piece:
        """Find a content part of a message, or begin it."""
        at = data.get("output_index")
        key = (at, data.get("content_index"))
        piece = self._contents.get(key)
        if piece is None:
            piece = self._contents[key] = self._take()
            if at not in self._said:
                self._said.add(at)
                piece.extras = self._item_extras(self._items.get(at, {}))
            made: Part = Text("", extras=piece.extras)
            if part.get("type") == "refusal":
                made = Refusal("", piece.extras)
            out.append(PartStart(piece.index, made))
        return piece

    @staticmethod
    def _item_extras(item: JSON) -> JSON:
        rest = {key: each for key, each in item.items() if key not in _MESSAGE}
        return {"item": rest} if rest else {}

    def _text_delta(self, data: JSON, out: list[Event]) -> None:
        piece = self._contents.get((data.get("output_index"), data.get("content_index")))
        if piece is None:
            word = "refusal" if "refusal" in data["type"] else "output_text"
            piece = self._content(data, {"type": word}, out)
        if logprobs := data.get("logprobs"):
            out.append(LogprobsDelta({"content": logprobs}))
        delta = data.get("delta")
        if isinstance(delta, str) and delta:
            piece.told += len(delta)
            out.append(PartDelta(piece.index, delta))

    def _annotation(self, data: JSON, out: list[Event]) -> None:
        piece = self._contents.get((data.get("output_index"), data.get("content_index")))
        note = data.get("annotation")
        if piece is not None and isinstance(note, dict):
            piece.notes += 1
            out.append(Annotation(piece.index, note))

    def _content_done(self, data: JSON, out: list[Event]) -> None:
        part = data.get("part")
        if isinstance(part, dict) and part.get("type") != "reasoning_text":
            self._part_done(data, part, out)

    def _part_done(self, data: JSON, part: JSON, out: list[Event]) -> None:
        kind = part.get("type")
        if kind not in _WORDS:
            key = (data.get("output_index"), data.get("content_index"))
            if key not in self._contents:
                piece = self._contents[key] = self._take()
                piece.stopped = True
                content = Opaque(DIALECT, {"content": [part]})
                out += (PartStart(piece.index, content), PartStop(piece.index))
            return
        piece = self._content(data, part, out)
        if piece.stopped:
            return
        piece.stopped = True
        if not piece.told and isinstance(part.get("logprobs"), list) and part["logprobs"]:
            out.append(LogprobsDelta({"content": part["logprobs"]}))
        self._rest(piece, _text_of(part.get(_WORDS[kind])), out)
        notes = _objects(part.get("annotations"))[piece.notes :]
        out += (Annotation(piece.index, note) for note in notes)
        out.append(PartStop(piece.index))

    def _message_done(self, at: Any, item: JSON, out: list[Event]) -> None:
        self._items[at] = {**self._items.get(at, {}), **item}
        for number, part in enumerate(_objects(item.get("content"))):
            self._part_done({"output_index": at, "content_index": number}, part, out)
        first = self._contents.get((at, 0))
        extras = self._item_extras(item)
        if first is not None and extras != first.extras:
            out.append(PartDelta(first.index, extras=extras))
