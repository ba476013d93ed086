"""Collect what a request loses on its way into a Cohere chat. Imports: flo2."""

from __future__ import annotations

from typing import Any

from flo2 import CacheHint, Request
from flo2.dialects.openai_chat.losses import LossLog
from flo2_provider_cohere.dialect.words import CHAT

__all__ = ["Losses"]


class Losses(LossLog):
    """The losses of one request."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.origin, request.essential)
        self.is_own: bool = request.origin == CHAT

    def put_cache(self, known: dict[str, Any], cache: CacheHint | None, path: str) -> None:
        """Lose a cache mark; Cohere caches unasked."""
        if cache is not None:
            self.add(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
