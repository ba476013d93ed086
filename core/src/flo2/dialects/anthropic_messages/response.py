"""Plain answers of the Messages API, in both directions, as the same events a stream gives.

Pure. Imports: canonical, base.
"""

from __future__ import annotations

from typing import Any

from flo2.canonical import Choice, Event, Failed, PartStart, PartStop, Response, UsageUpdate
from flo2.dialects.anthropic_messages.answer_render import AnswerWriter
from flo2.dialects.anthropic_messages.blocks import answer_part
from flo2.dialects.anthropic_messages.errors import stream_error
from flo2.dialects.anthropic_messages.heads import doubt, finish_event, start_event
from flo2.dialects.anthropic_messages.usage import write_usage
from flo2.dialects.base import Chunk, Observed, ReadUsage, Rendered
from flo2.dialects.jsonio import dumps, loads
from flo2.errors import ProviderError

__all__ = ["BodyDecoder", "encode_response"]


class BodyDecoder:
    """Gather a plain answer and decode it at its end.

    Args:
        full: Give the parts too.
        read_usage: Normalises the usage object.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self._full = full
        self._read_usage = read_usage
        self._body = bytearray()

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._body += data
        return Chunk(b"")

    def close(self) -> Chunk:
        """Give the whole answer as one chunk."""
        raw = bytes(self._body)
        return Chunk(raw, self._events(raw))

    def _events(self, raw: bytes) -> tuple[Event, ...]:
        try:
            message = loads(raw)
        except ValueError:
            message = None
        if not isinstance(message, dict) or "content" not in message:
            return self._fail(raw, message)
        seen = self.observed
        start = start_event(message)
        seen.response_id, seen.model = start.id or None, start.model or None
        content = message["content"] if isinstance(message["content"], list) else []
        blocks = [block for block in content if isinstance(block, dict)]
        seen.has_content = bool(blocks)
        events: list[Event] = [start]
        for index, block in enumerate(blocks if self._full else blocks[:1]):
            events += (PartStart(index, answer_part(block)), PartStop(index))
        if isinstance(message.get("usage"), dict):
            fell_back = any(block.get("type") == "fallback" for block in blocks)
            seen.usage = doubt(self._read_usage(message["usage"]), fell_back=fell_back)
            events.append(UsageUpdate(seen.usage))
        finish = finish_event(message, {}, plain=True)
        seen.finish = finish.raw
        seen.complete = True
        return (*events, finish)

    def _fail(self, raw: bytes, message: Any) -> tuple[Event, ...]:
        if isinstance(message, dict) and "error" in message:
            error = stream_error(raw)
        else:
            error = ProviderError(
                f"the answer is no message object ({len(raw)} bytes)", status=200, retryable=True
            )
        self.observed.error = error
        return (Failed(error),)


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer; of several choices the first, the others are a loss."""
    out = AnswerWriter(response.origin)
    choice = response.choices[0] if response.choices else Choice(())
    for i in range(1, len(response.choices)):
        out.lose(f"choices[{i}]", "one answer a request")
    written = (out.whole(part, f"content[{i}]") for i, part in enumerate(choice.parts))
    content = [block for block in written if block is not None]
    message = {
        "id": response.id,
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": content,
        "stop_reason": out.stop_reason(choice.finish, choice.finish_raw),
        "stop_sequence": choice.stop_sequence,
        "usage": write_usage(response.usage),
        **out.extras(response.extras),
        **out.extras(choice.extras),
    }
    return Rendered(dumps(message), tuple(out.losses))
