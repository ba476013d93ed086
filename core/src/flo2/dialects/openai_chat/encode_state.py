"""What a stream that is being written has said so far. Imports: canonical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import Part, Reasoning
from flo2.dialects.openai_chat.call_turns import CallTurns
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["ChoiceState", "is_constant", "reasoning_delta"]


class ChoiceState:
    """What a choice's stream has said so far."""

    __slots__ = (
        "arguments",
        "began",
        "calls",
        "chars",
        "held",
        "images",
        "logprobs",
        "notes",
        "parts",
        "starts",
        "turns",
    )

    def __init__(self) -> None:
        self.began: bool = False
        self.parts: dict[int, Part] = {}
        self.calls: dict[int, int] = {}
        self.arguments: set[int] = set()  # tool calls that have some
        self.chars: int = 0
        self.held: dict[int, list[str]] = {}  # free text that travels as an object
        self.images: int = 0  # pictures so far
        self.notes: int = 0  # annotations so far
        self.starts: dict[int, int] = {}
        self.logprobs: Mapping[str, Any] | None = None
        self.turns: CallTurns = CallTurns()


def is_constant(value: Any) -> bool:
    """Tell what a host repeats in each chunk (`service_tier`) from what it says once."""
    return value is None or isinstance(value, str | int | float)


def reasoning_delta(part: Reasoning, text: str) -> dict[str, Any]:
    """Name the field as its host did; `reasoning_content` is the most widely read one."""
    return dict.fromkeys(reasoning_fields(part) or ["reasoning_content"], text)


def reasoning_fields(part: Reasoning) -> list[str]:
    """Give the fields that a host of this dialect said it in; other dialects have marks too."""
    told = part.extras.items() if part.origin == DIALECT else ()
    return [key for key, value in told if value is True]
