"""Tell a webhook something: signed, retried, within a deadline.

The form is that of Standard Webhooks (https://www.standardwebhooks.com, read 2026-11-25): headers
`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`, the HMAC-SHA256 of
`<id>.<timestamp>.<body>`. Imports: wire, secrets, errors.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import anyio

from flo2.errors import ConfigError, Flo2Error, WireError
from flo2.secrets import Secret
from flo2.wire import Timeouts, Wire
from flo2.wire.address import is_target, parse_base_url

__all__ = ["PAUSES_S", "deliver", "sign", "webhook_parts"]

PAUSES_S: Final = (1.0, 5.0, 30.0, 120.0)
"""How long is waited before each further try."""
_TIMEOUTS: Final = Timeouts(connect_s=5.0, first_byte_s=10.0, idle_s=10.0, total_s=15.0)
_KEY_PREFIX: Final = "whsec_"


def webhook_parts(url: str) -> tuple[str, str]:
    """Split an address into what is connected to and what is asked for there.

    Raises:
        ConfigError: it is none, or holds a user or a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError(["it is no URL; write https://host[:port]/path"]) from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.fragment or not is_target(target):
        raise ConfigError(["its path cannot be sent as it is; write https://host[:port]/path"])
    base = f"{parts.scheme}://{parts.netloc}"
    parse_base_url(base)
    return base, target


def sign(secret: Secret, message_id: str, timestamp: int, body: bytes) -> str:
    """Make the value of `webhook-signature`."""
    key = secret.reveal()
    raw = key.encode()
    if key.startswith(_KEY_PREFIX):  # as the form writes keys: base64 after a prefix
        try:
            raw = b64decode(key.removeprefix(_KEY_PREFIX), validate=True)
        except ValueError:
            raw = key.encode()
    told = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(raw, told, 'sha256')).decode()}"


async def deliver(
    wire: Wire,
    url: str,
    secret: Callable[[], Secret],
    message_id: str,
    body: bytes,
    *,
    now_us: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> str | None:
    """Post a message until somebody takes it (a 2xx), at most five times.

    Args:
        wire: The way to the network; checks where it leads.
        url: Where to.
        secret: Reads what the message is signed with.
        message_id: The same for each try, so that the receiver knows a repetition.
        body: JSON.
        now_us: Wall clock.
        sleep: Waits between tries.

    Returns:
        None when it was taken; else why the last try was not. Never what a secret holds.
    """
    why = ""
    for pause in (0.0, *PAUSES_S):
        if pause:
            await sleep(pause)
        try:
            base, target = webhook_parts(url)
            timestamp = now_us() // 1_000_000
            headers = [
                ("content-type", "application/json"),
                ("webhook-id", message_id),
                ("webhook-timestamp", str(timestamp)),
                ("webhook-signature", sign(secret(), message_id, timestamp, body)),
            ]
            endpoint = wire.endpoint(base, timeouts=_TIMEOUTS)
            async with await endpoint.send("POST", target, headers, body) as response:
                if 200 <= response.status < 300:
                    return None
                why = f"it answered {response.status}"
        except WireError as exc:
            why = str(exc)
            if not exc.retryable:
                break
        except Flo2Error as exc:
            why = str(exc)
    return why
