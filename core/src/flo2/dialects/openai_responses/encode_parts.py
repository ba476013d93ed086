"""Turn the events of an answer's parts into the items of `output`.

A message and a reasoning item end when another part begins; tool calls, which may come side by
side, when they are told to. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from flo2.canonical import (
    Annotation,
    Image,
    Loss,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
)
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.openai_responses.frames import Frames, made_id
from flo2.dialects.openai_responses.namespaces import SEARCH
from flo2.dialects.openai_responses.output_items import (
    CallItem,
    Item,
    OpaqueItem,
    ReasoningItem,
    SearchItem,
)
from flo2.dialects.openai_responses.output_message import MessageItem
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON
from flo2.dialects.openai_responses.words import annotation_of

__all__ = ["PartWriter"]


class PartWriter:
    """Write the items of one answer and collect the losses.

    Args:
        frames: Writes events.
        tools: The tools that the client offered, by the names that its provider knows them by.
    """

    def __init__(self, frames: Frames, tools: Mapping[str, Tool]) -> None:
        self.own: bool = False
        self.response_id: str = ""
        self.losses: list[Loss] = []
        self.output: dict[int, JSON] = {}
        self._frames = frames
        self._tools = tools
        self._count = 0
        self._parts: dict[int, Part] = {}
        self._message: tuple[int, MessageItem] | None = None
        self._text: int | None = None
        self._reasoning: tuple[int, int, ReasoningItem] | None = None
        self._calls: dict[int, tuple[int, CallItem | SearchItem]] = {}
        self._logprobs: list[Any] = []

    def lose(self, path: str, reason: str) -> None:
        """Note a loss, once."""
        loss = Loss(path, reason)
        if loss not in self.losses:
            self.losses.append(loss)

    def logprobs(self, pieces: Any) -> None:
        """Keep log probabilities for the text that they are about, which comes next."""
        if isinstance(pieces, list):
            self._logprobs += pieces

    def start(self, event: PartStart) -> bytes:
        """Begin a part."""
        part = self._parts[event.index] = event.part
        match part:
            case Text() | Refusal():
                return self._say(event.index, part)
            case Reasoning():
                return self._think(event.index, part)
            case ToolCall():
                return self._call(event.index, part)
            case Opaque(data={"content": [dict(content)]}) if part.dialect == DIALECT:
                message, out = self._open_message({})
                self._text = None
                return out + message.whole_part(content)
            case Opaque() if part.dialect == DIALECT:
                return self._whole_item(part.data)
            case Image(data=str() as data):
                item_id = made_id("ig", self.response_id, self._count)
                drawn = {"id": item_id, "type": "image_generation_call", "status": "completed"}
                return self._whole_item({**drawn, "result": data})
            case _:
                kind = word_of(part) if isinstance(part, Opaque) else type(part).__name__
                self.lose(f"output[{event.index}]", f"{kind!r} has no form in this dialect")
                return b""

    def delta(self, event: PartDelta) -> bytes:
        """Write more of a part; one that was never begun is text."""
        index = event.index
        part = self._parts.get(index)
        match part:
            case None:
                return self.start(PartStart(index, Text(""))) + self.delta(event)
            case Text() | Refusal():
                return self._more_text(index, part, event)
            case Reasoning():
                return self._more_reasoning(index, part, event)
            case ToolCall() if (call := self._calls.get(index)) is not None:
                if self.own:
                    call[1].keep(event.extras)
                return call[1].feed(event.text)
            case ToolCall() if event.text:
                self.lose(f"output[{index}]", "arguments after the end of a tool call")
        return b""

    def annotation(self, event: Annotation) -> bytes:
        """Write an annotation of a text."""
        part = self._parts.get(event.index)
        if part is not None and not isinstance(part, Text):
            return b""
        path = f"output[{event.index}].citations"
        before = b"" if self._text == event.index else self._say(event.index, Text(""))
        message, out = self._open_message({})
        note = annotation_of(event.data, 0, message.chars, path, self.losses, own=self.own)
        return before + out + (b"" if note is None else message.note(note))

    def stop(self, event: PartStop) -> bytes:
        """End a part."""
        if event.index == self._text and self._message is not None:
            self._text = None
            return self._message[1].end_part()
        if self._reasoning is not None and self._reasoning[0] == event.index:
            return self._end_reasoning()
        if (call := self._calls.pop(event.index, None)) is not None:
            return self._close(*call, "completed")
        return b""

    def end(self, status: str, *, broke: bool = False) -> bytes:
        """End all items.

        Args:
            status: Of the last one, which a limit may have cut; those before it are complete.
            broke: The answer broke off, and any item that is still open is as incomplete.
        """
        open_items: list[tuple[int, Item]] = [*self._calls.values()]
        open_items += [self._message] if self._message is not None else []
        open_items += [self._reasoning[1:]] if self._reasoning is not None else []
        self._calls, self._message, self._reasoning, self._text = {}, None, None, None
        return b"".join(
            self._close(number, item, status if broke or number == self._count - 1 else "completed")
            for number, item in sorted(open_items, key=itemgetter(0))
        )

    def _whole_item(self, data: Mapping[str, Any]) -> bytes:
        out = self._end_text()
        number = self._take()
        item = OpaqueItem(self._frames, number, data)
        return out + item.open() + self._close(number, item, "completed")

    def _take(self) -> int:
        self._count += 1
        return self._count - 1

    def _close(self, number: int, item: Item, status: str) -> bytes:
        written, self.output[number] = item.close(status)
        return written

    def _own_id(self, found: Any, prefix: str, number: int) -> str:
        if self.own and isinstance(found, str):
            return found
        return made_id(prefix, self.response_id, number)

    def _open_message(self, extras: JSON) -> tuple[MessageItem, bytes]:
        """Open a message, unless one is open and the part does not say that it begins another."""
        out = self._end_reasoning()
        if self._message is not None and not extras:
            return self._message[1], out
        out += self._end_text()
        number = self._take()
        item_id = self._own_id(extras.get("id"), "msg", number)
        message = MessageItem(self._frames, number, item_id, extras)
        self._message = (number, message)
        return message, out + message.open()

    def _end_text(self) -> bytes:
        """End the message and the reasoning, as another item is to begin."""
        out = self._end_reasoning()
        if self._message is not None:
            message, self._message, self._text = self._message, None, None
            out += self._close(*message, "completed")
        return out

    def _end_reasoning(self) -> bytes:
        if self._reasoning is None:
            return b""
        (_, number, item), self._reasoning = self._reasoning, None
        return self._close(number, item, "completed")

    def _say(self, index: int, part: Text | Refusal) -> bytes:
        extras = dict(part.extras.get("item") or {}) if self.own else {}
        message, out = self._open_message(extras)
        self._text = index
        out += message.begin(part) + self._feed_text(message, part.text)
        for note in part.citations if isinstance(part, Text) else ():
            out += self.annotation(Annotation(index, note))
        return out

    def _feed_text(self, message: MessageItem, text: str) -> bytes:
        logprobs, self._logprobs = self._logprobs, []
        return message.feed(text, logprobs)

    def _more_text(self, index: int, part: Text | Refusal, event: PartDelta) -> bytes:
        if self.own and "item" in event.extras and self._message is not None:
            item = event.extras["item"]
            self._message[1].extras |= {key: each for key, each in item.items() if key != "id"}
        if not event.text:
            return b""
        if self._text == index and self._message is not None:
            return self._feed_text(self._message[1], event.text)
        # It was closed, and goes on.
        fresh = Text(event.text) if isinstance(part, Text) else Refusal(event.text)
        return self._say(index, fresh)

    def _think(self, index: int, part: Reasoning) -> bytes:
        out = self._end_text()
        number = self._take()
        item_id = part.id if part.origin == DIALECT else None
        item = ReasoningItem(self._frames, number, self._own_id(item_id, "rs", number), part)
        self._reasoning = (index, number, item)
        return out + item.open() + item.feed(PartDelta(index, part.text))

    def _more_reasoning(self, index: int, part: Reasoning, event: PartDelta) -> bytes:
        if self._reasoning is None or self._reasoning[0] != index:
            if event.signature or event.encrypted:
                self.lose(f"output[{index}]", "a seal after the end of its reasoning")
            if not event.text:
                return b""
            return self._think(index, Reasoning(event.text, origin=part.origin))
        return self._reasoning[2].feed(event)

    def _call(self, index: int, part: ToolCall) -> bytes:
        out = self._end_text() + self.stop(PartStop(index))  # one of the same number is over
        number = self._take()
        item_id = self._own_id(part.extras.get("id"), "fc", number)
        tool = None if self.own else self._tools.get(part.name)
        item: CallItem | SearchItem
        if tool is not None and tool.qualified == ("", SEARCH):
            item = SearchItem(self._frames, number, item_id, part)
        else:
            item = CallItem(self._frames, number, item_id, part, tool)
        if self.own:
            item.keep(part.extras)
        self._calls[index] = (number, item)
        return out + item.open() + item.feed(part.arguments)
