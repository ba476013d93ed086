"""Read an answer: a chat's in all but the place of its text. Imports: openai_chat's decoders."""

from __future__ import annotations

from typing import Any, ClassVar

from flo2.dialects.openai_chat.answer import AnswerReader
from flo2.dialects.openai_chat.stream import BodyDecoder, StreamDecoder
from flo2.dialects.openai_completions.request import NAME

__all__ = ["TextBodyDecoder", "TextStreamDecoder"]


class _TextReader(AnswerReader):
    origin: ClassVar[str] = NAME

    def shaped(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Give a choice in the shape of a chat's."""
        rest = {key: each for key, each in choice.items() if key != "text"}
        return {**rest, "delta": {"content": choice.get("text")}}


class TextStreamDecoder(StreamDecoder):
    """Decode a stream of `text_completion` chunks."""

    reads: ClassVar[type[AnswerReader]] = _TextReader


class TextBodyDecoder(BodyDecoder):
    """Decode a plain answer."""

    reads: ClassVar[type[AnswerReader]] = _TextReader
