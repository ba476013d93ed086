"""Write an answer for a client: as a stream of events, or in one piece. Imports: canonical, base.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25).
"""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import (
    Annotation,
    Event,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    PartDelta,
    PartStart,
    PartStop,
    Request,
    Response,
    Start,
    Usage,
    UsageUpdate,
    Vector,
)
from flo2.dialects.base import Rendered
from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_responses.encode_parts import PartWriter
from flo2.dialects.openai_responses.errors import encode_stream_error
from flo2.dialects.openai_responses.frames import Frames
from flo2.dialects.openai_responses.namespaces import asked_for
from flo2.dialects.openai_responses.usage import write_usage
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON
from flo2.dialects.openai_responses.words import ending

__all__ = ["StreamEncoder", "encode_response"]

_BLANK: Final[JSON] = {
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "usage": None,
    "user": None,
}
"""What the official types want of every answer, where its provider does not say it."""


class StreamEncoder:
    """Turn events into a stream.

    Args:
        asked: The request that is answered. A tool of free text, or of a namespace, is
            called as the client knows it, whatever its provider could be told.
    """

    def __init__(self, *, asked: Request | None = None) -> None:
        self._frames = Frames()
        self._parts = PartWriter(self._frames, asked_for(asked))
        self._start: Start | None = None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._ended = False

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._parts.losses)

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it has no form of its own, or must wait."""
        if self._ended:
            return b""
        match event:
            case PartDelta() if not event.choice:
                return self._begin() + self._parts.delta(event)
            case Start():
                return self._begin(event)
            case UsageUpdate():
                self._usage = event.usage
                return b""
            case Failed():
                return self._begin() + self._fail(event)
            case Vector():
                return b""  # no answer to a chat
            case _ if event.choice:
                self._parts.lose(f"choices[{event.choice}]", "one answer a request")
                return b""
            case _:
                return self._begin() + self._part(event)

    def _part(self, event: Event) -> bytes:
        match event:
            case PartStart():
                return self._parts.start(event)
            case PartStop():
                return self._parts.stop(event)
            case Annotation():
                return self._parts.annotation(event)
            case LogprobsDelta():
                self._parts.logprobs(event.data.get("content"))
                return b""
            case Finish():
                self._finish = event
                return b""
            case _:
                return b""  # `feed` has dealt with the others

    def _begin(self, start: Start | None = None) -> bytes:
        """Write the head of the stream, once."""
        if self._start is not None:
            return b""
        self._start = start = start or Start("", "")
        self._parts.own = start.origin == DIALECT
        self._parts.response_id = start.id
        head = self._response("in_progress", None)
        return self._frames.event("response.created", response=head) + self._frames.event(
            "response.in_progress", response=head
        )

    def _response(self, status: str, details: JSON | None) -> JSON:
        """Write the answer so far."""
        start = self._start or Start("", "")
        output = self._parts.output
        known: JSON = {
            "id": start.id,
            "object": "response",
            "created_at": start.created,
            "status": status,
            "model": start.model,
            "output": [output[number] for number in sorted(output)],
        }
        own: JSON = {}
        if self._parts.own:
            own = {**start.extras, **(self._finish.extras if self._finish else {})}
        whole = {**_BLANK, **own, **known, "incomplete_details": details}
        usage = self._usage
        if usage is not None:
            whole["usage"] = write_usage(usage)
            if usage.dialect == DIALECT and "service_tier" in usage.context:
                whole["service_tier"] = usage.context["service_tier"]
        return whole

    def _fail(self, event: Failed) -> bytes:
        self._ended = True
        out = self._parts.end("incomplete", broke=True)
        head = self._response("failed", None)
        return out + encode_stream_error(event.error, sequence=self._frames.sequence, head=head)

    def _whole(self) -> tuple[bytes, JSON]:
        """End the answer: what is still to be written, and all of it."""
        status, details = ending(self._finish, self._parts.losses, own=self._parts.own)
        out = self._begin() + self._parts.end(status)
        return out, self._response(status, details)

    def close(self) -> bytes:
        """Render the end of the stream: the whole answer once more, with its usage."""
        if self._ended:
            return b""
        self._ended = True
        out, whole = self._whole()
        return out + self._frames.event(f"response.{whole['status']}", response=whole)

    def whole(self, response: Response) -> JSON:
        """Write an answer in one piece: what its stream would end with."""
        self._begin(
            Start(response.id, response.model, response.created, response.extras, response.origin)
        )
        self._usage = response.usage
        for number, choice in enumerate(response.choices):
            if number:
                self._parts.lose(f"choices[{number}]", "one answer a request")
                continue
            for piece in choice.logprobs:
                self._parts.logprobs(piece.get("content"))
            for index, part in enumerate(choice.parts):
                self._parts.stop(PartStop(index - 1))
                self._parts.start(PartStart(index, part))
            if choice.finish is not None:
                self._finish = Finish(
                    choice.finish,
                    choice.finish_raw,
                    choice.stop_sequence,
                    extras=choice.extras,
                )
        return self._whole()[1]


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer; of several choices the first, the others are a loss."""
    encoder = StreamEncoder(asked=response.asked)
    whole: dict[str, Any] = encoder.whole(response)
    return Rendered(dumps(whole), encoder.losses)
