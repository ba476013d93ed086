"""Close what a plugin opened, and survive what it raises. Imports: errors, protocols."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final

from anyio import move_on_after

from flo2.canonical import Failed
from flo2.dialects.base import Chunk
from flo2.errors import ProviderError, WireError
from flo2.protocols import Reply

__all__ = ["CLOSE_S", "Failure", "abort", "cut_off", "leave", "report_bug"]

Failure = ProviderError | WireError
"""What an attempt fails with."""

CLOSE_S: Final = 5.0
"""Longest that closing may take, in seconds."""

_log = logging.getLogger("flo2.executor")


def report_bug(provider: str, exc: Exception) -> ProviderError:
    """Log an exception that a plugin must not raise, and give the error that stands for it.

    What the exception says stays in the log: it may hold what a client must not see.
    """
    _log.error("provider %r raised %s", provider, type(exc).__name__, exc_info=exc)
    return ProviderError(
        f"provider {provider!r} raised {type(exc).__name__}; see the server's log",
        provider=provider,
        kind="internal",
        retryable=True,
    )


def cut_off(provider: str, failure: Failure) -> Chunk:
    """Tell a failure as the last piece of an answer that has begun."""
    if isinstance(failure, ProviderError):
        return Chunk(b"", (Failed(failure),))
    message = f"the connection to provider {provider!r} broke off: {failure}"
    return Chunk(b"", (Failed(ProviderError(message, provider=provider)),))


def abort(provider: str, reply: Reply) -> None:
    """Close a connection at once; never raises."""
    try:
        reply.abort()
    except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
        report_bug(provider, exc)


async def leave(
    provider: str,
    rest: AsyncIterator[Chunk] | None,
    context: AbstractAsyncContextManager[Reply],
    *,
    quiet: bool,
) -> None:
    """Close an answer; never raises, save cancellation.

    Args:
        provider: For the log.
        rest: Its iterator, perhaps in the middle.
        context: What it was entered with.
        quiet: It was read to its end, so nothing is left to wait for: no timer is made. Otherwise
            closing goes on though the task is cancelled, for five seconds at most for each step.
    """
    close = getattr(rest, "aclose", None)
    try:
        if close is not None:
            if quiet:
                await close()
            else:
                with move_on_after(CLOSE_S, shield=True):
                    await close()
    except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
        report_bug(provider, exc)
    try:
        if quiet:
            await context.__aexit__(None, None, None)
        else:
            with move_on_after(CLOSE_S, shield=True):
                await context.__aexit__(None, None, None)
    except Exception as exc:  # border: a plugin's own code  # noqa: BLE001
        report_bug(provider, exc)
