"""Look a data-plane path up in a dict, before middleware and router.

Starlette's middleware stack and router cost more than the rest of a passthrough call's own work;
the few paths that carry nearly all traffic skip both. Everything else, a known path asked with
another method included, goes to the ordinary application, which answers 404, 405 and redirects.
Imports: starlette's types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Dispatch", "path_below_root"]


def path_below_root(scope: Scope) -> str:
    """Give a request's path as seen from the app's own root, wherever it is mounted."""
    path: str = scope["path"]
    root = scope.get("root_path")
    # `path` includes `root_path` (ASGI specification, HTTP connection scope); a server
    # that was told a root_path its proxy has already stripped leaves it out.
    if root and path.startswith(root) and path[len(root) : len(root) + 1] == "/":
        return path[len(root) :]
    return path


class Dispatch:
    """Serve `(method, path)` from `hot`; hand all else to `fallback`.

    Args:
        hot: ASGI callables by method and exact path, the path as seen from this app's own root:
            it stays the same when the app is mounted under a prefix.
        below: ASGI callables by the beginning of the path, for POSTs that name more in it.
        fallback: The ordinary application; it also gets lifespan and websocket scopes.
    """

    __slots__ = ("_below", "_fallback", "_hot")

    def __init__(
        self,
        hot: Mapping[tuple[str, str], ASGIApp],
        fallback: ASGIApp,
        below: Mapping[str, ASGIApp] | None = None,
    ) -> None:
        self._hot = dict(hot)
        self._below = tuple((below or {}).items())
        self._fallback = fallback

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call the hot endpoint of this method and path, or the fallback; await what it gives."""
        if scope["type"] == "http":
            path = path_below_root(scope) if scope.get("root_path") else scope["path"]
            app = self._hot.get((scope["method"], path))
            if app is not None:
                return app(scope, receive, send)
            if scope["method"] == "POST":
                for prefix, app in self._below:
                    if path.startswith(prefix):
                        return app(scope, receive, send)
        return self._fallback(scope, receive, send)
