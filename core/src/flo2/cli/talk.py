"""Send one chat request through a running gateway or in this process, and tell what it cost.

Imports: gateway, dialects, keys, wire, cli.bench.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from flo2.canonical import Event, Failed, PartDelta, PartStart, Refusal, Text
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import Flo2Error, ProviderError, WireError
from flo2.gateway import Gateway, receipt_json
from flo2.gateway.first_run import CHAT_KEY, DEFAULT_ACCOUNT
from flo2.keys import digest, generate
from flo2.secrets import Secret
from flo2.stored import IssuedKey
from flo2.wire import Timeouts, Wire

if TYPE_CHECKING:
    from flo2.cli.bench import Bench
    from flo2.wire import Endpoint

__all__ = ["Said", "temporary_key", "through_gateway", "within"]

_KEY_LIFE_US: Final = 300_000_000
_TRAILER: Final = re.compile(rb"^: flo2 (\{.*\})\s*$", re.MULTILINE)
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_QUICK: Final = Timeouts(connect_s=0.5, first_byte_s=2.0, total_s=3.0)
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104  # where to find a server that listens everywhere


@frozen
class Said:
    """An answer and what is known of its cost."""

    text: str
    request_id: str
    provider: str
    model: str
    cost_usd: str | None
    cost_status: str
    attempts: int
    via: str

    def as_json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "text": self.text,
            "request_id": self.request_id,
            "provider": self.provider,
            "model": self.model,
            "cost_usd": self.cost_usd,
            "cost_status": self.cost_status,
            "attempts": self.attempts,
            "via": self.via,
        }

    def summary(self) -> str:
        """Say what it cost, in two lines; unknown is never zero."""
        cost = "cost not known" if self.cost_usd is None else f"${self.cost_usd}"
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return (
            f"{cost} ({self.cost_status}) · {self.provider}/{self.model} · {tries} · {self.via}\n"
            f"receipt: flo2 calls show {self.request_id}"
        )


def temporary_key(bench: Bench) -> tuple[IssuedKey, Secret]:
    """Make the command's own key anew: always the same record, so usage by key shows one line.

    It works for five minutes, and its secret is written nowhere.
    """
    made, now = generate(), bench.now_us()
    key = IssuedKey(
        id=CHAT_KEY,
        account=DEFAULT_ACCOUNT,
        name="flo2 chat",
        hash=digest(made.secret.reveal(), bench.pepper),
        prefix=made.prefix,
        last4=made.last4,
        created_us=now,
        expires_us=now + _KEY_LIFE_US,
    )
    bench.store.put_key(key)
    return key, made.secret


async def through_gateway(
    bench: Bench, request: Mapping[str, Any], secret: Secret, show: Callable[[str], None]
) -> Said | None:
    """Call a gateway that runs at the configured address.

    Returns:
        None when none is reachable there.

    Raises:
        Flo2Error: it refuses the call, or the answer breaks off.
    """
    server = bench.config.server
    host = _ANY_ADDRESS.get(server.host, server.host)
    address = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    async with Wire(allow_private=(*_LOOPBACK, *bench.config.network.networks)) as wire:
        endpoint = wire.endpoint(address)
        if not server.port or not await _is_flo2(endpoint):
            return None
        key = bench.environ.get("FLO2_KEY") or secret.reveal()
        headers = [
            ("authorization", f"Bearer {key}"),
            ("content-type", "application/json"),
            ("x-flo2-receipt", "trailer"),
        ]
        body = json.dumps(request).encode()
        async with await endpoint.send("POST", "/v1/chat/completions", headers, body) as response:
            if response.status != 200:
                raise _refused(address, response.status, await response.read(1 << 20))
            decoder = OpenAIChat().decoder(full=True, hide_usage=False)
            parts: list[str] = []
            tail = b""
            async for data in response.chunks():
                tail = (tail + data)[-8192:]
                _take(decoder.feed(data).events, parts, show)
            _take(decoder.close().events, parts, show)
    trailer = _TRAILER.search(tail)
    facts = json.loads(trailer[1]) if trailer is not None else {}
    return Said(
        "".join(parts),
        response.headers.get("x-flo2-request-id", "") or "",
        facts.get("provider") or response.headers.get("x-flo2-provider", "") or "",
        decoder.observed.model or "",
        facts.get("cost_usd"),
        facts.get("cost_status", "open"),
        facts.get("attempts", 1),
        f"through {address}",
    )


async def within(
    gateway: Gateway, request: Mapping[str, Any], key: IssuedKey, show: Callable[[str], None]
) -> Said:
    """Call in this process.

    Raises:
        Flo2Error: the call is refused, or the answer breaks off.
    """
    parts: list[str] = []
    async with gateway:
        async with gateway.chat(request, key=key) as answer:
            async for event in answer.events():
                _take((event,), parts, show)
        found = await gateway.receipt(answer.request_id, account=key.account, key_id=key.id)
    receipt = receipt_json(found)
    last = receipt["attempts"][-1]
    return Said(
        "".join(parts),
        answer.request_id,
        last["provider"],
        last.get("model_billed") or last["model"],
        receipt["cost"]["total_usd"],
        last["status"],
        len(receipt["attempts"]),
        "in this process",
    )


async def _is_flo2(endpoint: Endpoint) -> bool:
    try:
        async with await endpoint.send("GET", "/livez", [], b"", timeouts=_QUICK) as response:
            body = await response.read(1024)
            return response.status == 200 and json.loads(body) == {"status": "alive"}
    except (WireError, ValueError):
        return False


def _take(events: tuple[Event, ...], parts: list[str], show: Callable[[str], None]) -> None:
    for event in events:
        match event:
            case PartDelta(text=text):
                parts.append(text)
                show(text)
            case PartStart(part=Text(text=text) | Refusal(text=text)) if text:
                parts.append(text)
                show(text)
            case Failed(error=error):
                raise error
            case _:
                pass


def _refused(address: str, status: int, body: bytes) -> Flo2Error:
    try:
        error = json.loads(body)["error"]
        message, code = str(error["message"]), error.get("code")
    except (ValueError, KeyError, TypeError):
        message, code = f"HTTP {status}", None
    if code == "unknown_key":
        message = (
            f"the gateway at {address} runs over another data folder than this command; give its "
            "key in FLO2_KEY, or its folder with --data-dir"
        )
    return ProviderError(message, status=status)
