"""Hold what plugins want to have open while the gateway runs.

One that fails to open or to close loses only itself: its plugin carries the error.
Imports: plugins.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flo2.gateway.gateway import Gateway

__all__ = ["lifespans", "only_error"]

_log = logging.getLogger("flo2.gateway")


@asynccontextmanager
async def lifespans(gateway: Gateway) -> AsyncIterator[None]:
    """Enter every plugin's `flo2_lifespan` in the order of their names; leave in reverse."""
    async with AsyncExitStack() as stack:
        for name, context in gateway.plugins.results("flo2_lifespan", gateway=gateway):
            if not isinstance(context, AbstractAsyncContextManager):
                kind = type(context).__name__
                gateway.plugins.reject(
                    name, f"flo2_lifespan gave {kind}, which is no async context manager"
                )
                continue
            try:
                await context.__aenter__()
            except Exception as exc:  # noqa: BLE001  # border: a plugin's own code
                _log.exception("flo2_lifespan of plugin %r did not start", name)
                gateway.plugins.reject(
                    name, f"flo2_lifespan raised {type(exc).__name__}: {exc}", exc
                )
            else:
                stack.push_async_exit(_Leaving(name, context).leave)
        yield


def only_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one error that groups around it hold, else the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class _Leaving:
    """The end of one plugin's context."""

    def __init__(self, name: str, context: AbstractAsyncContextManager[None]) -> None:
        self._name = name
        self._context = context

    async def leave(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave it; what made the gateway end is not the plugin's affair."""
        try:
            await self._context.__aexit__(None, None, None)
        except Exception:  # noqa: BLE001  # border: a plugin's own code
            _log.exception("flo2_lifespan of plugin %r raised at its end", self._name)
