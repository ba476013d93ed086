"""The configuration's classes; `docs/configuration.md` is generated from them.

Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import ge, in_, le

__all__ = [
    "Config",
    "DrainConfig",
    "NetworkConfig",
    "PluginsConfig",
    "SecretsConfig",
    "ServerConfig",
]

Table = Mapping[str, Any]


@frozen(kw_only=True)
class ServerConfig:
    """`[server]`: how clients reach this process.

    Attributes:
        host: Address to listen on. Anything but a loopback address needs an admin token to exist.
        port: Port to listen on.
        workers: Processes that share the store; one a core is right.
        graceful_timeout_s: How long a stop waits for running answers, in seconds.
        max_body_bytes: Largest request body taken, in bytes.
        header_deadline_s: Longest a client may take to send its headers, in seconds.
        body_deadline_s: Longest a client may take to send its body, in seconds.
        max_connections: Most client connections at once per worker, or None.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8787, validator=[ge(0), le(65535)])
    workers: int = field(default=1, validator=[ge(1), le(256)])
    graceful_timeout_s: float = field(default=30.0, validator=ge(0))
    max_body_bytes: int = field(default=32 << 20, validator=ge(1))
    header_deadline_s: float = field(default=10.0, validator=ge(0))
    body_deadline_s: float = field(default=30.0, validator=ge(0))
    max_connections: int | None = None


@frozen(kw_only=True)
class PluginsConfig:
    """`[plugins]`: which installed plugins are loaded.

    Attributes:
        disable: Entry-point names to leave out.
        only: If given, load exactly these.
    """

    disable: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


def _are_networks(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    for text in value:
        try:
            ip_network(text)
        except ValueError as exc:
            msg = f"'allow_private': {exc}; write a network as 10.0.0.0/8"
            raise ValueError(msg) from None


def _are_severities(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    known = ("note", "drop", "refuse")
    if unknown := [text for text in value if text not in known]:
        msg = f"'refuse_losses': {unknown[0]!r} is no severity; known: {', '.join(known)}"
        raise ValueError(msg)


@frozen(kw_only=True)
class NetworkConfig:
    """`[network]`: what this process may connect to.

    Attributes:
        allow_private: Private networks that providers may lie in (`10.0.0.0/8`, `127.0.0.0/8`).
        engine: HTTP engine: `auto` takes aiohttp where it is installed.
        ca_file: An extra file of trusted certificates, or None for the system's own.
    """

    allow_private: tuple[str, ...] = field(default=(), validator=_are_networks)
    engine: Literal["auto", "aiohttp", "httpx"] = field(
        default="auto", validator=in_(("auto", "aiohttp", "httpx"))
    )
    ca_file: str | None = None

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`allow_private`, parsed."""
        return tuple(ip_network(text) for text in self.allow_private)


def _is_reference(_instance: object, _attribute: object, value: str) -> None:
    if value and not value.startswith(("env:", "file:", "vault:")):
        msg = "'kek' is no reference (not shown, it may be a key); write env:NAME or file:/path"
        raise ValueError(msg)


@frozen(kw_only=True)
class SecretsConfig:
    """`[secrets]`: the key-encryption keys.

    Attributes:
        kek: A reference (`env:NAME`, `file:/path`) to the ring of keys, the newest last: that one
            wraps, all unwrap. Empty: a file in the data folder, made at the first run.
    """

    kek: str = field(default="", validator=_is_reference)


@frozen(kw_only=True)
class DrainConfig:
    """`[drain]`: how far answers are read on when nobody waits for them any more.

    Attributes:
        number: Most at once.
        seconds: Longest for each.
        bytes: Most of each.
    """

    number: int = field(default=256, validator=ge(0))
    seconds: float = field(default=300.0, validator=ge(0))
    bytes: int = field(default=64 << 20, validator=ge(0))


@frozen(kw_only=True)
class Config:
    """All of it.

    Attributes:
        data_dir: Where the store, the journal and the key file lie; None: the user's data folder.
        server, plugins, network, secrets, drain: See their classes.
        store: `[store]`: `kind` picks a registered store (`sql`, `memory`), the rest is its own.
        pricing: `[pricing.NAME]`: price sources by name; `kind` defaults to the name. Sources are
            asked in the order written; the first that knows a model hides the others for it. Empty:
            every installed source, curated first.
        providers: `[providers.NAME]`: provider endpoints; `kind` defaults to the name. Installed
            kinds that need no settings are there without a table.
        strategies: `[strategies.NAME]`: named settings of strategies; `kind` defaults to the name.
        observers: `[observers.NAME]`: settings of observers; `kind` defaults to the name. Installed
            kinds that need no settings are there without a table.
        refuse_losses: Severities of translation losses that refuse a call.
    """

    data_dir: Path | None = None
    server: ServerConfig = ServerConfig()
    plugins: PluginsConfig = PluginsConfig()
    network: NetworkConfig = NetworkConfig()
    secrets: SecretsConfig = SecretsConfig()
    drain: DrainConfig = DrainConfig()
    # A database's address may hold a password, a provider's constant headers a key.
    store: Table = field(factory=dict, repr=False)
    pricing: Mapping[str, Table] = field(factory=dict)
    providers: Mapping[str, Table] = field(factory=dict, repr=False)
    strategies: Mapping[str, Table] = field(factory=dict)
    observers: Mapping[str, Table] = field(factory=dict)
    refuse_losses: tuple[str, ...] = field(default=("refuse",), validator=_are_severities)
