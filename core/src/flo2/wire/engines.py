"""Choose the engine, and make the TLS context both engines use.

The libraries are imported when the first one is needed: together they take as long to load as the
rest of flo2. Imports: wire.aiohttp_engine, wire.httpx_engine.
"""

from __future__ import annotations

import importlib.util
import ssl
import sys
from typing import TYPE_CHECKING, Literal

from flo2.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from flo2.wire.destination import DestinationCheck
    from flo2.wire.types import Limits, Transport

__all__ = ["EngineName", "client_context", "make_engine"]

EngineName = Literal["auto", "aiohttp", "httpx"]


def client_context(ca_file: Path | str | None) -> ssl.SSLContext:
    """Make a context that verifies certificate and host name against the system's trust.

    Args:
        ca_file: PEM certificates to trust in addition, for a provider inside the house.
    """
    if sys.platform in {"darwin", "win32"} and importlib.util.find_spec("truststore"):
        # There OpenSSL's own defaults miss the certificates that the system trusts.
        import truststore  # noqa: PLC0415  # an optional library of two platforms

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except OSError as exc:
            raise ConfigError([f"ca_file {str(ca_file)!r} cannot be loaded: {exc}"]) from exc
    return context


def make_engine(
    name: EngineName, *, check: DestinationCheck, limits: Limits, context: ssl.SSLContext
) -> Transport:
    """Make an engine; needs a running event loop.

    Args:
        name: `auto` takes aiohttp where it is installed (3 times less CPU per call), else httpx.
        check: Judges every address before a connection is opened to it.
        limits: Pool and header bounds.
        context: TLS.
    """
    if name == "aiohttp" or (name == "auto" and importlib.util.find_spec("aiohttp")):
        from flo2.wire.aiohttp_engine import AiohttpEngine  # noqa: PLC0415  # loaded when needed

        return AiohttpEngine(check=check, limits=limits, context=context)
    from flo2.wire.httpx_engine import HttpxEngine  # noqa: PLC0415  # loaded when needed

    return HttpxEngine(check=check, limits=limits, context=context)
