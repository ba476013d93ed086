"""Write the parts of an answer for a client of this dialect, and name what it cannot show.

Shared by the stream encoder and the plain answer. Pure. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flo2.canonical import (
    Audio,
    Extras,
    File,
    Finish,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.values import tool_arguments
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.gemini.call_ids import is_made
from flo2.dialects.gemini.grounding import grounding_of
from flo2.dialects.gemini.logprobs import logprobs_result
from flo2.dialects.gemini.media import inline
from flo2.dialects.gemini.seals import ON_NEXT, ON_PREVIOUS, carrier_signature, seals
from flo2.dialects.gemini.vocabulary import NAME, PLACEHOLDER, WORD_OF
from flo2.errors import InvalidRequest

__all__ = ["AnswerWriter"]

Piece = dict[str, Any]


class AnswerWriter:
    """Write the parts of one candidate and collect the losses.

    Args:
        own: The answer came from this dialect.
        number: Which of the candidates.
        losses: Takes what could not be said.
    """

    def __init__(self, losses: list[Loss], number: int = 0, *, own: bool) -> None:
        self.own: bool = own
        self._losses = losses
        self._number = number
        self._calls = 0
        self._waiting = ""  # a signature whose part comes next

    def lose(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Note a loss, once."""
        loss = Loss(path, reason, severity)
        if loss not in self._losses:
            self._losses.append(loss)

    def extras(self, extras: Extras) -> Mapping[str, Any]:
        """Give unmodelled fields of this dialect; those of another are bookkeeping, not content."""
        return extras if self.own else {}

    def pieces(self, part: Part, path: str) -> list[Piece]:
        """Write one whole part."""
        waiting, self._waiting = self._waiting, ""
        found = self._pieces(part, path)
        if waiting and found:
            found[0]["thoughtSignature"] = waiting
        return found

    def _pieces(self, part: Part, path: str) -> list[Piece]:
        match part:
            case Text():
                piece = {"text": part.text, **self.extras(part.extras)}
                return [piece] if part.text or len(piece) > 1 else []
            case Refusal():
                return [{"text": part.text}] if part.text else []
            case Reasoning():
                return self._thought(part)
            case ToolCall():
                return [self._call(part, path)]
            case Image() | Audio() | File():
                return self._media(part, path)
            case Opaque() if part.dialect == NAME:
                return [dict(part.data)]
            case Opaque():
                if not part.aside:
                    self.lose(path, f"{word_of(part)!r} is a part of {part.dialect} only")
            case ToolResult():
                self.lose(path, "an answer holds no tool result in this dialect")
        return []

    def _thought(self, part: Reasoning) -> list[Piece]:
        if part.origin == NAME:
            place = seals(part)
            if place == ON_NEXT:
                self._waiting = part.signature or ""
                return []
            signed = {"thoughtSignature": part.signature} if part.signature else {}
            extras = {key: each for key, each in part.extras.items() if key != "seals"}
            thought = {} if place else {"thought": True}
            return [{"text": part.text, **thought, **signed, **self.extras(extras)}]
        piece: Piece = {"text": part.text, "thought": True}
        if part.signature or part.encrypted:
            piece["thoughtSignature"] = carrier_signature(part)
        return [piece] if len(piece) > 2 or part.text else []

    def _call(self, part: ToolCall, path: str) -> Piece:
        if part.kind == "custom":
            self.lose(path, "a free-text tool call is sent as {'input': text}")
            arguments = {"input": part.arguments}
        else:
            try:
                arguments = tool_arguments(part.arguments, path)
            except InvalidRequest as exc:
                self.lose(path, f"{exc.message}; sent as {{'arguments': text}}")
                arguments = {"arguments": part.arguments}
        call: Piece = {"name": part.name, "args": arguments}
        if part.id and not (self.own and is_made(part.id)):
            call = {"id": part.id, **call}
        piece: Piece = {"functionCall": call}
        self._calls += 1
        if not self.own and self._calls == 1:
            # So that the client's next turn can go to Gemini 3, which checks the first call's.
            piece["thoughtSignature"] = PLACEHOLDER
        for key, value in self.extras(part.extras).items():
            if key == "functionCall" and isinstance(value, Mapping):
                call |= value
            elif key != "extra_content":
                piece[key] = value
        return piece

    def _media(self, part: Image | Audio | File, path: str) -> list[Piece]:
        if (blob := inline(part)) is not None:
            return [{"inlineData": blob, **self.extras(part.extras)}]
        url = None if isinstance(part, Audio) else part.url
        if url is not None:
            return [{"fileData": {"fileUri": url}}]
        if isinstance(part, Audio) and part.transcript:
            self.lose(path, "of spoken words only the text is sent")
            return [{"text": part.transcript}]
        self.lose(path, f"{type(part).__name__.lower()} by an id of its provider")
        return []

    def merged(self, parts: Iterable[Part], path: str) -> list[Piece]:
        """Write all parts of a plain answer; a signature goes back onto the text it stood on."""
        out: list[Piece] = []
        for i, part in enumerate(parts):
            found = self.pieces(part, f"{path}[{i}]")
            on_text = isinstance(part, Reasoning) and seals(part) == ON_PREVIOUS and out
            if on_text and "text" in out[-1] and "thought" not in out[-1] and found:
                out[-1]["thoughtSignature"] = found[0]["thoughtSignature"]
            else:
                out += found
        return out

    def ending(self, finish: Finish, notes: list[Mapping[str, Any]]) -> Piece:
        """Say how the candidate ends, and what else is said of it."""
        word = finish.raw if self.own else WORD_OF[finish.reason]
        end: Piece = {} if word is None else {"finishReason": word}
        if finish.reason == "pause" and not self.own:
            self.lose(
                "finishReason", f"{finish.raw or finish.reason!r} is written as {word!r}", "note"
            )
        if finish.stop_sequence is not None:
            self.lose("stop_sequence", "which sequence was hit has no field")
        extras = dict(self.extras(finish.extras))
        extras.pop("promptFeedback", None)
        if not self.own and (grounding := grounding_of(notes)) is not None:
            extras["groundingMetadata"] = grounding
        return {**end, "index": self._number, **extras}

    def logprobs(self, pieces: list[Mapping[str, Any]]) -> Piece:
        """Write log probabilities."""
        if not pieces:
            return {}
        result = pieces[-1] if self.own else logprobs_result(pieces)
        return {} if result is None else {"logprobsResult": dict(result)}
