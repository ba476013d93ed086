"""Access tokens of service accounts: fetched when needed, kept until shortly before their end.

One exchange at a time for a credential; whoever else needs its token waits for that one. Tokens are
kept under a digest of the key they were given for, so that a changed key never gets an old one.
Imports: flo2, assertion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from anyio import Lock
from attrs import field, frozen

from flo2 import ProviderError, Secret, Services, WireError, kind_of_status
from flo2.dialects.jsonio import loads
from flo2_provider_vertex.assertion import assertion, exchange_body
from flo2_provider_vertex.credentials import ServiceAccount, read_service_account

if TYPE_CHECKING:
    from flo2.wire import Endpoint

__all__ = ["Token", "Tokens"]

_EARLY_S: Final = 300.0
_KEPT: Final = 1024
_LIMIT: Final = 1 << 16
_HEADERS: Final = (("content-type", "application/x-www-form-urlencoded"),)


@frozen
class Token:
    """An access token.

    Attributes:
        secret: The token.
        project: The project of the service account, or "".
        until: Monotonic seconds up to which it is used.
    """

    secret: Secret = field(repr=False)
    project: str
    until: float


class _Slot:
    """What is known of one key."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.token: Token | None = None


class Tokens:
    """The tokens of one provider.

    Args:
        services: Wire and clocks.
        provider: Kind of the provider, for errors.
    """

    def __init__(self, services: Services, provider: str) -> None:
        self._services = services
        self._provider = provider
        self._slots: dict[bytes, _Slot] = {}
        self._endpoints: dict[str, Endpoint] = {}

    async def of(self, key: str) -> Token:
        """Give a token for a service account's key.

        Args:
            key: The JSON.

        Raises:
            SecretError: it is no service account's key.
            ProviderError: Google refuses it.
            WireError: Google could not be asked; nothing of the call was sent.
        """
        slot = self._slot(key)
        clock: Callable[[], float] = self._services.clock
        token = slot.token
        if token is not None and clock() < token.until:
            return token
        async with slot.lock:
            token = slot.token
            if token is None or clock() >= token.until:
                token = slot.token = await self._fetch(read_service_account(key))
        return token

    def forget(self, key: str, token: Token) -> None:
        """Drop a token that was refused before its time."""
        slot = self._slot(key)
        if slot.token is token:
            slot.token = None

    def _slot(self, key: str) -> _Slot:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        slot = self._slots.pop(digest, None) or _Slot()
        if len(self._slots) >= _KEPT:
            del self._slots[next(iter(self._slots))]  # the one that was not asked for longest
        self._slots[digest] = slot
        return slot

    async def _fetch(self, account: ServiceAccount) -> Token:
        signed = assertion(account, now_s=self._services.now_us() // 1_000_000)
        parts = urlsplit(account.token_uri)
        endpoint = self._endpoints.get(parts.netloc)
        if endpoint is None:
            endpoint = self._services.wire.endpoint(f"https://{parts.netloc}")
            self._endpoints[parts.netloc] = endpoint
        failure: WireError | None = None
        try:
            response = await endpoint.send("POST", parts.path, _HEADERS, exchange_body(signed))
            try:
                body = await response.read(_LIMIT)
            finally:
                await response.aclose()
        except WireError as exc:
            failure = exc
        if failure is not None:
            # Out here, so that nothing that may hold the assertion stays attached. The call itself
            # was not sent, whatever became of this.
            raise WireError(
                f"no access token for service account {account.email!r}: {failure.message}",
                sent=False,
            )
        if response.status != 200:
            raise self._refused(account, response.status, body)
        return self._read(account, body)

    def _refused(self, account: ServiceAccount, status: int, body: bytes) -> ProviderError:
        """Say that Google gives no token; its answer is not repeated, but for its short code."""
        code = _object(body).get("error")
        kind, retryable = kind_of_status(status)
        if status in {400, 401, 403}:
            # `invalid_grant`: the key was deleted, the account is off, or this clock is wrong.
            kind, status = "authentication", 401
        named = code if isinstance(code, str) and code.isidentifier() else None
        return ProviderError(
            f"Google gives no access token to service account {account.email!r}"
            f"{f' ({named})' if named else ''}; check its key, and the clock of this machine",
            provider=self._provider,
            status=status,
            kind=kind,
            retryable=retryable,
            code=named,
        )

    def _read(self, account: ServiceAccount, body: bytes) -> Token:
        match _object(body):
            case {"access_token": str() as text, "expires_in": int() as seconds} if text:
                kept = max(seconds - _EARLY_S, seconds / 2)
                return Token(Secret(text), account.project, self._services.clock() + kept)
            case _:
                raise ProviderError(
                    f"Google answered something else than an access token for service account "
                    f"{account.email!r}",
                    provider=self._provider,
                    status=502,
                    retryable=True,
                )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
