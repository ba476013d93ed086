"""OpenAI Speech: `POST /v1/audio/speech`, text read aloud.

The answer is the audio file itself, of the type that the provider says, and has no place for a
usage; only as a stream of events (`stream_format: sse`) does it end with one. Where a vendor bills
the characters of the request, its provider says so. Imports: openai_operation.

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from flo2.canonical import Event, Usage
from flo2.dialects.base import Decoder, Operation, Peek, ReadUsage
from flo2.dialects.openai_chat.counts import Unsound, non_zero
from flo2.dialects.openai_chat.peek import decode_body
from flo2.dialects.openai_operation import AnswerDecoder, EventDecoder, OpenAIOperation
from flo2.dialects.openai_operation.codec import needed
from flo2.dialects.openai_operation.sums import in_and_out

__all__ = ["OpenAISpeech"]

_TOP: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})


class _Fields(msgspec.Struct):
    model: str
    input: Any = None
    stream_format: Any = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


class _Answer(AnswerDecoder):
    """An audio file, or a host's JSON around one."""

    def untold(self, events: list[Event]) -> None:
        """Ask the provider, which may know a meter that is not in the answer."""
        self.use({}, events)

    def told(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Take the usage of JSON, or ask the same."""
        usage = payload.get("usage")
        self.use(usage if isinstance(usage, dict) else {}, events)


class OpenAISpeech(OpenAIOperation):
    """Text read aloud; the type of the answer is the provider's to say."""

    name: str = "openai.speech"
    api: str = "speech"
    operation: Operation = "speak"
    content_type: str = ""
    what: ClassVar[str] = "text to speak"

    def peek(self, body: bytes) -> Peek:
        """Read model and form of the answer, and check that there is a text."""
        fields: _Fields = decode_body(body, _decode)
        needed("model", fields.model)
        needed("input", fields.input)
        return Peek(fields.model, stream=fields.stream_format == "sse")

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Take an audio file.

        Args:
            full: Give the file as an event too.
            read_usage: Called with an empty object, as the file tells no usage: a provider whose
                vendor bills what the request holds counts that.
        """
        reader = read_usage or self.read_usage
        return _Answer(self.name, reader, full=full, key="audio_data", takes_bytes=True)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream of events."""
        del hide_usage
        return EventDecoder(
            self.name,
            read_usage or self.read_usage,
            full=full,
            content=frozenset({"speech.audio.delta"}),
            end=frozenset({"speech.audio.done"}),
        )

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object: text comes in, audio goes out; never raises."""
        try:
            given, made = in_and_out(raw, _TOP)
        except Unsound as exc:
            return Usage({}, raw=raw, dialect=self.name, problem=str(exc))
        quantities = non_zero({"input_tokens": given, "output_audio_tokens": made})
        return Usage(quantities, raw=raw, dialect=self.name)
