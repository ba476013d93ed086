"""Collect what a request loses on its way into Chat Completions. Imports: canonical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flo2.canonical import CacheHint, Loss, Severity
from flo2.dialects.bookkeeping import severity_of
from flo2.dialects.openai_chat.fields import merge
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["LossLog"]


class LossLog:
    """The losses of one request, and the two rules that most of them follow.

    Args:
        origin: The dialect the request came from: its `extras` and cache marks belong there.
        essential: Top-level extras that must not be left out.
        hands_on: The host takes any readable reasoning back, another provider's too.
    """

    def __init__(
        self, origin: str, essential: frozenset[str] = frozenset(), *, hands_on: bool = False
    ) -> None:
        self.origin = origin
        self.essential = essential
        self.hands_on = hands_on
        self.is_own: bool = origin == DIALECT
        self.losses: list[Loss] = []
        self.beside: list[dict[str, Any]] = []
        """What tools gave beside text; it follows their results in a message of its own."""

    def add(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Name one loss."""
        self.losses.append(Loss(path, reason, severity))

    def put(self, known: dict[str, Any], extras: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Merge `extras` where they are this dialect's own, else name each as lost."""
        if self.is_own:
            return merge(known, extras)
        whose = f"a field of {self.origin}" if self.origin else "a field of no dialect"
        for key, value in extras.items():
            weight = severity_of(key, value, top=not path, essential=self.essential)
            if weight is not None:
                self.add(f"{path}.{key}" if path else key, whose, weight)
        return known

    def put_cache(self, known: dict[str, Any], cache: CacheHint | None, path: str) -> None:
        """Write a cache mark where the client used one in this dialect; OpenAI caches unasked."""
        if cache is None:
            return
        if not self.is_own:
            self.add(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
            return
        mark: dict[str, Any] = {"type": "ephemeral"}
        if cache.ttl is not None:
            mark["ttl"] = cache.ttl
        known["cache_control"] = {**mark, **cache.extras}
