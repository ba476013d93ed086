"""Collect what a request loses on its way into a Responses body. Imports: canonical."""

from __future__ import annotations

from typing import Any

from flo2.canonical import CacheHint
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_responses.vocabulary import DIALECT

__all__ = ["ResponsesLog"]


class ResponsesLog(LossLog):
    """The losses of one request.

    Args:
        origin: The dialect the request came from.
        essential: Top-level extras that must not be left out.
    """

    def __init__(self, origin: str, essential: frozenset[str] = frozenset()) -> None:
        super().__init__(origin, essential)
        self.is_own: bool = origin == DIALECT
        self.customs: set[str] = set()
        """Ids of the calls of free-text tools: their results have a type of their own."""

    def put_cache(self, known: dict[str, Any], cache: CacheHint | None, path: str) -> None:
        """Lose a cache mark; OpenAI caches unasked."""
        if cache is not None:
            self.add(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
