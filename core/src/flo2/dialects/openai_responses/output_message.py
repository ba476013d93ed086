"""Write a message of an answer as it grows: text with annotations, and refusals.

Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Refusal, Text
from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_responses.frames import Frames, delta_head
from flo2.dialects.openai_responses.vocabulary import JSON

__all__ = ["MessageItem"]

_NO_LOGPROBS: Final = b'"logprobs":[]'


class MessageItem:
    """A message item; its content parts come one after the other.

    Args:
        frames: Writes events.
        number: Index in `output`.
        item_id: Its id.
        extras: Fields of it that nobody models.
    """

    def __init__(
        self, frames: Frames, number: int, item_id: str, extras: Mapping[str, Any]
    ) -> None:
        self._frames = frames
        self._number = number
        self._id = item_id
        self.extras: JSON = {key: each for key, each in extras.items() if key != "id"}
        self._content: list[JSON] = []
        self._part: Text | Refusal | None = None
        self._texts: list[str] = []
        self.chars: int = 0
        self._notes: list[JSON] = []
        self._logprobs: list[Any] = []
        self._delta = b""

    def _event(self, kind: str, **fields: Any) -> bytes:
        return self._frames.event(
            f"response.{kind}",
            item_id=self._id,
            output_index=self._number,
            content_index=len(self._content),
            **fields,
        )

    def _item(self, status: str) -> JSON:
        return {
            "id": self._id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [*self._content],
            **self.extras,
        }

    def open(self) -> bytes:
        """Write its beginning."""
        return self._frames.event(
            "response.output_item.added",
            output_index=self._number,
            item=self._item("in_progress"),
        )

    def begin(self, part: Text | Refusal) -> bytes:
        """Begin a content part; the one before it ends."""
        before = self.end_part()
        self._part = part
        self._texts, self._notes, self._logprobs, self.chars = [], [], [], 0
        kind = "refusal.delta" if isinstance(part, Refusal) else "output_text.delta"
        self._delta = delta_head(
            f"response.{kind}",
            item_id=self._id,
            output_index=self._number,
            content_index=len(self._content),
            **({} if isinstance(part, Refusal) else {"logprobs": []}),
        )
        return before + self._event("content_part.added", part=self._written())

    def _written(self) -> JSON:
        text = "".join(self._texts)
        if isinstance(self._part, Refusal):
            return {"type": "refusal", "refusal": text}
        return {
            "type": "output_text",
            "text": text,
            "annotations": [*self._notes],
            "logprobs": [*self._logprobs],
        }

    def feed(self, text: str, logprobs: list[Any]) -> bytes:
        """Write more of the content part."""
        if not text and not logprobs:
            return b""
        self._texts.append(text)
        self.chars += len(text)
        head = self._delta
        if logprobs:
            self._logprobs += logprobs
            head = head.replace(_NO_LOGPROBS, b'"logprobs":' + dumps(logprobs))
        return self._frames.delta(head, text)

    def note(self, annotation: JSON) -> bytes:
        """Write an annotation of the content part."""
        self._notes.append(annotation)
        return self._event(
            "output_text.annotation.added",
            annotation_index=len(self._notes) - 1,
            annotation=annotation,
        )

    def whole_part(self, part: Mapping[str, Any]) -> bytes:
        """Write a content part that nobody models."""
        out = self.end_part()
        out += self._event("content_part.added", part=part)
        out += self._event("content_part.done", part=part)
        self._content.append(dict(part))
        return out

    def end_part(self) -> bytes:
        """End the content part, if there is one."""
        if self._part is None:
            return b""
        written = self._written()
        if isinstance(self._part, Refusal):
            out = self._event("refusal.done", refusal=written["refusal"])
        else:
            out = self._event(
                "output_text.done", text=written["text"], logprobs=written["logprobs"]
            )
        out += self._event("content_part.done", part=written)
        self._content.append(written)
        self._part = None
        return out

    def close(self, status: str) -> tuple[bytes, JSON]:
        """Write its end; give the whole item too."""
        out = self.end_part()
        item = self._item(status)
        return out + self._frames.event(
            "response.output_item.done", output_index=self._number, item=item
        ), item
