"""Write the parts of an answer as content blocks, and name what this dialect cannot show.

Shared by the stream encoder and the plain answer. Pure. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import (
    Audio,
    Extras,
    File,
    FinishReason,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.values import tool_arguments
from flo2.dialects.anthropic_messages.vocabulary import CITATION_TYPES, NAME, STOP_REASON_OF
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.carrier import carry
from flo2.errors import InvalidRequest

__all__ = ["AnswerWriter", "ending"]

Block = dict[str, Any]

_IN_DELTA = ("stop_details", "container")


class AnswerWriter:
    """Write blocks of one answer and collect the losses.

    Args:
        origin: The dialect the answer came from.
    """

    def __init__(self, origin: str) -> None:
        self.own: bool = origin == NAME
        self.losses: list[Loss] = []
        self.called: bool = False
        self.refused: bool = False

    def lose(self, path: str, reason: str) -> None:
        """Note a loss."""
        self.losses.append(Loss(path, reason))

    def extras(self, extras: Extras) -> Mapping[str, Any]:
        """Give unmodelled fields of this dialect; those of another are bookkeeping, not content."""
        return extras if self.own else {}

    def opening(self, part: Part, path: str) -> Block | None:
        """Write a block as it stands before its text, arguments or signature; None: lost."""
        match part:
            case Text():
                return {"type": "text", "text": "", **self.extras(part.extras)}
            case Refusal():
                self.refused = True
                return {"type": "text", "text": ""}
            case Reasoning() if part.encrypted is not None and part.origin == NAME:
                data = {"type": "redacted_thinking", "data": part.encrypted}
                return {**data, **self.extras(part.extras)}
            case Reasoning():
                # The field is required; another vendor's reasoning ends with a carrier in it, and
                # "" tells our own parser that the text is nobody's.
                thinking = {"type": "thinking", "thinking": "", "signature": ""}
                return {**thinking, **self.extras(part.extras)}
            case ToolCall():
                self.called = True
                if part.kind == "custom":
                    self.lose(path, "a free-text tool call is sent as {'input': text}")
                call = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
                return {**call, **self.extras(part.extras)}
            case Opaque() if part.dialect == NAME:
                return dict(part.data)
            case Opaque():
                self.lose(path, f"{word_of(part)!r} is a part of {part.dialect} only")
            case Image() | Audio() | File() | ToolResult():
                name = type(part).__name__.lower()
                self.lose(path, f"an answer holds no {name} in this dialect")
        return None

    def citation(self, data: Mapping[str, Any], path: str) -> bool:
        """Say whether a citation is one of ours; lose it if not."""
        kind = data.get("type")
        if self.own or (isinstance(kind, str) and kind in CITATION_TYPES):
            return True
        self.lose(f"{path}.citations", "annotations of another dialect")
        return False

    def whole(self, part: Part, path: str) -> Block | None:
        """Write a complete block; None: lost."""
        block = self.opening(part, path)
        if block is None:
            return None
        match part:
            case Text():
                block["text"] = part.text
                if cited := [data for data in part.citations if self.citation(data, path)]:
                    block["citations"] = cited
            case Refusal():
                block["text"] = part.text
            case Reasoning() if block["type"] == "thinking":
                block["thinking"] = part.text
                block["signature"] = (part.signature or "") if part.origin == NAME else ""
                if part.origin not in ("", NAME):
                    block["signature"] = carry(part)
            case ToolCall(kind="custom"):
                block["input"] = {"input": part.arguments}
            case ToolCall():
                block["input"] = self.tool_input(part.arguments, path)
            case _:
                pass
        return block

    def tool_input(self, arguments: str, path: str) -> Block:
        """Read arguments as the object that this dialect sends; what is none is sent inside one."""
        try:
            return tool_arguments(arguments, path)
        except InvalidRequest as exc:
            self.lose(path, f"{exc.message}; sent as {{'arguments': text}}")
            return {"arguments": arguments}

    def stop_reason(self, reason: FinishReason | None, raw: str | None) -> str | None:
        """Say in this dialect's word why the answer ended."""
        if reason is None:
            return None
        if self.own and raw is not None:
            return raw
        if reason == "stop" and self.refused:
            return "refusal"
        if reason in {"stop", "other"} and self.called:
            # OpenAI answers `stop` when the request named the one tool to call, Gemini
            # UNEXPECTED_TOOL_CALL with a call; a client of this dialect runs tools only on
            # `tool_use`, and a call that stays without a result is refused in its next request.
            return "tool_use"
        word = STOP_REASON_OF[reason]
        if reason == "other":
            self.losses.append(
                Loss("stop_reason", f"{raw or reason!r} is written as {word!r}", "note")
            )
        return word


def ending(extras: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a finish's extras into those inside `delta` and those beside it."""
    inside = {key: extras[key] for key in _IN_DELTA if key in extras}
    return inside, {key: value for key, value in extras.items() if key not in inside}
