"""OpenAI Transcriptions and Translations: `POST /v1/audio/transcriptions`, `…/translations`.

A request is a form with an audio file; an answer is JSON, text or subtitles as asked, or a stream
of events. Only JSON tells the usage: tokens, or seconds where a model is billed by them.
Imports: openai_operation, multipart.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription (read 2026-11-25);
recordings/openai, recordings/mistral, recordings/openrouter, recordings/venice.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2.canonical import Usage
from flo2.dialects.base import Decoder, Operation, Peek, ReadUsage
from flo2.dialects.multipart import Form, is_form, read_form
from flo2.dialects.openai_chat.counts import Unsound, count_of, details_of, non_zero, refuse_unknown
from flo2.dialects.openai_chat.usage import read_usage as read_chat
from flo2.dialects.openai_operation import AnswerDecoder, EventDecoder, OpenAIOperation
from flo2.dialects.openai_operation.codec import flag, needed
from flo2.dialects.openai_operation.sums import in_and_out
from flo2.errors import InvalidRequest

__all__ = ["OpenAITranscriptions", "OpenAITranslations"]

_TOP: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})
# Mistral has the same events under names of its own (mistralai 3.7,
# `transcriptionstreameventtypes.py`, read 2026-11-25).
_CONTENT: Final = frozenset(
    {
        "transcript.text.delta",
        "transcript.text.segment",
        "transcription.text.delta",
        "transcription.segment",
    }
)
_END: Final = frozenset({"transcript.text.done", "transcription.done"})
_SIDES: Final = frozenset({"audio_tokens", "text_tokens"})


def _tokens(raw: Mapping[str, Any]) -> dict[str, int]:
    given, made = in_and_out(raw, _TOP)
    inside = details_of(raw, "input_token_details")
    refuse_unknown(inside, _SIDES, "input_token_details.")
    heard, read = count_of(inside, "audio_tokens"), count_of(inside, "text_tokens")
    if heard + read != given:
        # Audio and text have prices of their own.
        raise Unsound(f"audio {heard} + text {read} is not input_tokens {given}")
    return non_zero({"input_tokens": read, "input_audio_tokens": heard, "output_tokens": made})


def _seconds(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Unsound(f"seconds is {value!r}, no duration")
    return Decimal(str(value))


class OpenAITranscriptions(OpenAIOperation):
    """What is said in a recording; the type of the answer is the provider's to say."""

    name: str = "openai.transcriptions"
    api: str = "transcriptions"
    operation: Operation = "transcribe"
    content_type: str = ""
    stream_content_type: str = ""
    what: ClassVar[str] = "recording"

    def peek(self, body: bytes) -> Peek:
        """Read model and stream, and check that there is a file."""
        if not is_form(body):
            raise InvalidRequest(
                f"a request of {self.name} is a form with the fields 'file' and 'model'; "
                "send multipart/form-data",
                code="invalid_multipart",
            )
        return self.peek_form(read_form(body))

    def peek_form(self, form: Form) -> Peek:
        """Read model and stream of a form."""
        model = form.text("model")
        needed("model", model)
        return Peek(model or "", stream=flag(form.text("stream")))

    def body_decoder(self, *, full: bool, read_usage: ReadUsage | None = None) -> Decoder:
        """Decode a plain answer; text and subtitles tell no usage."""
        return self._plain(read_usage or self.read_usage, full=full)

    def decoder(
        self, *, full: bool, hide_usage: bool, read_usage: ReadUsage | None = None
    ) -> Decoder:
        """Decode a stream; a model that does not stream ignores the wish and answers plainly."""
        del hide_usage
        reader = read_usage or self.read_usage
        return EventDecoder(
            self.name,
            reader,
            full=full,
            content=_CONTENT,
            end=_END,
            plain=self._plain(reader, full=full),
        )

    def _plain(self, reader: ReadUsage, *, full: bool) -> AnswerDecoder:
        return AnswerDecoder(self.name, reader, full=full, key="text", takes_text=True)

    def read_usage(self, raw: Mapping[str, Any]) -> Usage:
        """Normalise a usage object; never raises.

        `type` is `tokens` or `duration`; hosts that know chats only tell a chat's counts.
        """
        if "prompt_tokens" in raw:
            return evolve(read_chat(raw), dialect=self.name)
        try:
            if raw.get("type") == "duration":
                heard = _seconds(raw.get("seconds"))
                return Usage({"input_seconds": heard} if heard else {}, {}, raw, self.name)
            return Usage(_tokens(raw), {}, raw, self.name)
        except Unsound as exc:
            return Usage({}, {}, raw, self.name, problem=str(exc))


class OpenAITranslations(OpenAITranscriptions):
    """What is said in a recording, in English."""

    name: str = "openai.translations"
    api: str = "translations"
