"""Find out whether a provider can be reached, and whether it takes a key.

Imports: protocols, wire, cli.bench.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
from attrs import frozen

from flo2.errors import ProviderError, SecretError, WireError
from flo2.protocols import Credential, ListsModels

if TYPE_CHECKING:
    from flo2.cli.bench import Bench
    from flo2.gateway.resolve import Bound
    from flo2.stored import SealedCredential

__all__ = ["Probe", "probe"]

_DEADLINE_S = 10.0


@frozen
class Probe:
    """What came of it."""

    ok: bool
    detail: str


async def probe(
    bench: Bench, bound: Bound, credential: SealedCredential | None, *, ask: bool
) -> Probe:
    """Try a provider.

    Args:
        bench: Its wire is open.
        bound: The provider.
        credential: The key to try, or None.
        ask: Ask for the list of models (authenticated, free); else connect only.
    """
    try:
        with anyio.fail_after(_DEADLINE_S):
            if ask and isinstance(bound.provider, ListsModels):
                return await _ask(bench, bound.provider, bound, credential)
            return await _connect(bound)
    except TimeoutError:
        return Probe(ok=False, detail=f"no answer from {bound.host} within {_DEADLINE_S:g} s")
    except (ProviderError, WireError) as exc:
        return Probe(ok=False, detail=exc.message)
    except (OSError, ssl.SSLError, SecretError) as exc:
        return Probe(ok=False, detail=f"{bound.host}: {exc}" if bound.host else str(exc))


async def _ask(
    bench: Bench, provider: ListsModels, bound: Bound, sealed: SealedCredential | None
) -> Probe:
    credential = Credential(None) if sealed is None else bench.opened(bound, sealed)
    found = await provider.models(credential)
    return Probe(ok=True, detail=f"{bound.name} answers; {len(found)} models")


async def _connect(bound: Bound) -> Probe:
    endpoint = getattr(bound.provider, "endpoint", None)
    if endpoint is None:
        return Probe(ok=True, detail=f"{bound.name} needs no network")
    address = endpoint.address
    tls = address.scheme == "https"
    stream = await anyio.connect_tcp(
        address.host, address.port, tls=tls, tls_standard_compatible=False
    )
    await stream.aclose()
    return Probe(
        ok=True, detail=f"{address.origin} {'speaks TLS' if tls else 'accepts connections'}"
    )
