"""Mount the ASGI apps that plugins bring (`flo2_routes`), each under a prefix of its own.

Below `/api` a request needs the admin token before the app sees it; elsewhere the app guards
itself. Imports: gateway, keys, starlette.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.routing import Mount

from flo2.errors import RefusedCall
from flo2.keys import presented
from flo2.shell.api import check_admin_token, refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from flo2.gateway import Gateway

__all__ = ["plugin_routes"]

_PREFIX: Final = re.compile(r"(?:/[a-z0-9][a-z0-9._~-]*)+")
_OURS: Final = (
    "/v1", "/v1beta", "/openai", "/livez", "/readyz", "/healthz",
    "/api/budgets", "/api/calls", "/api/contracts", "/api/entries", "/api/keys", "/api/limits",
    "/api/plugins", "/api/statements", "/api/usage",
)  # fmt: skip


def plugin_routes(gateway: Gateway) -> list[Mount]:
    """Make the mounts; a plugin whose prefix is not possible carries the error and gets none."""
    owners: dict[str, str] = {}
    mounts: list[Mount] = []
    plugins = gateway.plugins
    for name, apps in plugins.results("flo2_routes", gateway=gateway):
        if not isinstance(apps, Mapping):
            kind = type(apps).__name__
            plugins.reject(name, f"flo2_routes gave {kind}, expected a mapping of prefix to app")
            continue
        for prefix, app in apps.items():
            if problem := _problem(prefix, app, owners):
                plugins.reject(name, f"flo2_routes: {problem}")
                continue
            owners[prefix] = name
            guarded = _ForAdmin(gateway, app) if prefix.startswith("/api/") else app
            mounts.append(Mount(prefix, guarded))
    # The longest first, so that `/ui/assets` is not swallowed by another plugin's `/ui`.
    return sorted(mounts, key=lambda mount: (-len(mount.path), mount.path))


def _problem(prefix: object, app: object, owners: Mapping[str, str]) -> str | None:
    if not isinstance(prefix, str) or _PREFIX.fullmatch(prefix) is None:
        return f"{prefix!r} is no prefix; write it like '/ui' or '/api/name', without a last slash"
    if prefix == "/api" or any(prefix == own or prefix.startswith(f"{own}/") for own in _OURS):
        return f"{prefix!r} belongs to flo2; choose another, like '/ui' or '/api/name'"
    if prefix in owners:
        return f"{prefix!r} is taken by plugin {owners[prefix]!r}"
    if not callable(app):
        return f"what it gave for {prefix!r} is no ASGI app: {type(app).__name__}"
    return None


class _ForAdmin:
    """Let only the admin token through."""

    def __init__(self, gateway: Gateway, app: ASGIApp) -> None:
        self._gateway = gateway
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await check_admin_token(self._gateway, presented(scope["headers"]))
        except RefusedCall as exc:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": exc.message[:120]})
                return
            await refusal(exc)(scope, receive, send)
            return
        await self._app(scope, receive, send)
