"""Strict validators of answers, one for each dialect.

    from flo2.testing.validators import VALIDATORS

    for violation in VALIDATORS["openai.chat"].stream(body):
        print(violation)       # frame 3: choices[0].delta.role: is in the first chunk of a choice…

They check what a client may rely on: fields and their types, the order of events, numbers and ids
that stay, blocks that begin and end, whole arguments of tools, how a stream ends, the framing. They
share no code with `flo2.dialects`, so that they find its mistakes, and hold no opinion about what
an answer says.

Two levels: at `strict` an answer must be as the vendor's own API makes it; `compatible` leaves out
what hosts of the same API do otherwise and its official SDK still reads right. Fields that nobody
knows are fine at both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from attrs import frozen

from flo2.testing.validators import (
    anthropic_messages,
    gemini,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from flo2.testing.validators.findings import Level, Violation

__all__ = ["VALIDATORS", "Level", "Validator", "Violation"]


class _Answer(Protocol):
    def __call__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, level: Level = "strict"
    ) -> list[Violation]:
        """Check a whole answer, an error from status 400 on."""
        ...


class _Stream(Protocol):
    def __call__(self, body: bytes, *, level: Level = "strict") -> list[Violation]:
        """Check a stream, from its first byte to its last."""
        ...


@frozen
class Validator:
    """What checks one dialect.

    Attributes:
        answer: Checks a whole answer: `answer(status, headers, body)`; errors from status 400 on.
        stream: Checks the body of a stream that began with status 200: `stream(body)`.
    """

    answer: _Answer
    stream: _Stream


VALIDATORS: Final[Mapping[str, Validator]] = {
    "openai.chat": Validator(openai_chat.validate_answer, openai_chat.validate_stream),
    "openai.responses": Validator(
        openai_responses.validate_answer, openai_responses.validate_stream
    ),
    "openai.completions": Validator(
        openai_completions.validate_answer, openai_completions.validate_stream
    ),
    "openai.embeddings": Validator(
        openai_embeddings.validate_answer, openai_embeddings.validate_stream
    ),
    "anthropic.messages": Validator(
        anthropic_messages.validate_answer, anthropic_messages.validate_stream
    ),
    "gemini": Validator(gemini.validate_answer, gemini.validate_stream),
}
"""By name of the dialect."""
