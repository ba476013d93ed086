"""What a provider may answer besides chats: one protocol of one method for each.

A gateway finds them by `isinstance` when it is composed. Imports: protocols.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from flo2.protocols import Call, Reply

__all__ = ["CountsTokens", "Embeds", "MakesImages", "Moderates", "Speaks", "Transcribes"]


@runtime_checkable
class Embeds(Protocol):
    """A provider that makes embeddings."""

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A provider that counts a prompt's tokens, for free."""

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...


@runtime_checkable
class MakesImages(Protocol):
    """A provider that makes images out of words, or out of other images."""

    def make_images(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...


@runtime_checkable
class Speaks(Protocol):
    """A provider that reads text aloud."""

    def speak(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    """A provider that writes down what is spoken."""

    def transcribe(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...


@runtime_checkable
class Moderates(Protocol):
    """A provider that says what is harmful in a text or an image."""

    def moderate(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt; errors as `Provider.chat`."""
        ...
