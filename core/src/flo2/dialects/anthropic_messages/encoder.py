"""Encode events as the Messages API's event stream.

Pure. Imports: canonical.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import (
    Event,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    Start,
    Usage,
    UsageUpdate,
    Vector,
)
from flo2.dialects.anthropic_messages.answer_render import AnswerWriter, ending
from flo2.dialects.anthropic_messages.block_encoder import BlockEncoder, PartEvent, write_event
from flo2.dialects.anthropic_messages.errors import encode_stream_error
from flo2.dialects.anthropic_messages.usage import write_usage
from flo2.dialects.anthropic_messages.vocabulary import NAME

__all__ = ["StreamEncoder"]


class StreamEncoder:
    """Turn events into a stream; `message_start` waits for the event after `Start`.

    The wait costs no time that a client could see (nothing is shown before the first content) and
    lets an early `UsageUpdate` stand where this dialect has it.
    """

    def __init__(self) -> None:
        self._answer = AnswerWriter("")
        self._blocks = BlockEncoder(self._answer)
        self._start: Start | None = None
        self._begun = False
        self._ended = False
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._answer.losses)

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it must wait."""
        if self._ended:
            return b""
        match event:
            case Start():
                self._start = event
                self._answer.own = event.origin == NAME
                return b""
            case UsageUpdate():
                self._usage = event.usage
                return self._begin()
            case Failed():
                # An answer that never began has no message to open.
                out = self._begin() + self._blocks.close() if self._start else b""
                self._ended = True
                return out + encode_stream_error(event.error)
            case Vector():
                return b""  # no answer to a chat
            case _:
                return self._of_choice(event)

    def _of_choice(self, event: PartEvent | LogprobsDelta | Finish) -> bytes:
        if event.choice:
            path = f"choices[{event.choice}]"
            if all(loss.path != path for loss in self._answer.losses):
                self._answer.lose(path, "one answer a request")
            return b""
        match event:
            case Finish():
                self._finish = event
                return self._begin()
            case LogprobsDelta():
                return self._begin()
            case _:
                return self._begin() + self._blocks.feed(event)

    def close(self) -> bytes:
        """Render the end: all that waited, then message_delta and message_stop."""
        if self._ended:
            return b""
        out = self._begin() + self._blocks.close()
        self._ended = True
        finish = self._finish
        inside: Mapping[str, Any] = {}
        beside: Mapping[str, Any] = {}
        if finish is not None:
            inside, beside = ending(self._answer.extras(finish.extras))
        delta = {
            "stop_reason": self._answer.stop_reason(
                finish.reason if finish else None, finish.raw if finish else None
            ),
            "stop_sequence": finish.stop_sequence if finish else None,
            **inside,
        }
        usage = write_usage(self._usage)
        out += write_event("message_delta", delta=delta, usage=usage, **beside)
        return out + write_event("message_stop")

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        start = self._start or Start("", "")
        usage = write_usage(self._usage)
        usage.setdefault("input_tokens", 0)
        usage.setdefault("output_tokens", 0)
        message = {
            "id": start.id,
            "type": "message",
            "role": "assistant",
            "model": start.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
            **self._answer.extras(start.extras),
        }
        return write_event("message_start", message=message)
