"""The gateway: composed once, entered once, then called.

    gateway = Gateway.from_file("flo2.toml")        # reads and checks, opens nothing
    async with gateway:                             # pools, store, journal, background tasks
        async with gateway.chat(request, key="flo2_sk_…") as answer:
            response = await answer.response()

No global state: two gateways live in one process. Imports: everything below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio import CapacityLimiter, to_thread
from msgspec.structs import replace

from flo2 import builtins
from flo2.canonical import Request
from flo2.config import Config, load, structure
from flo2.dialects.base import Dialect
from flo2.errors import NotFound, StoreError, Unavailable
from flo2.gateway.caller import ClientHeaders, caller_of, without_keys
from flo2.gateway.catalogue import Catalogue
from flo2.gateway.chat import Chat
from flo2.gateway.directory import Snapshot, keep_fresh, read_snapshot
from flo2.gateway.exchange import OpenExchange
from flo2.gateway.first_run import default_data_dir
from flo2.gateway.lifespans import lifespans, only_error
from flo2.gateway.owning import issue_key, keep_credential
from flo2.gateway.receipts import key_of
from flo2.gateway.resolve import Bound
from flo2.gateway.runtime import (
    Runtime,
    make_book,
    make_observers,
    make_providers,
    make_store,
    make_strategies,
)
from flo2.gateway.starting import start
from flo2.keys import Authenticator
from flo2.ledger import Receipt
from flo2.memory_store import MemoryStore
from flo2.plugins import Plugins
from flo2.prices import PriceBook
from flo2.protocols import Inbound, ModelInfo, Strategy
from flo2.secrets import Secret
from flo2.services import Services
from flo2.stored import IssuedKey, SealedCredential
from flo2.stores import Store
from flo2.wire import Wire

__all__ = ["Gateway", "default_data_dir"]

T = TypeVar("T")


class Gateway:
    """One gateway; an async context manager. Built with `build` or `from_file`."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        store: Store,
        environ: Mapping[str, str],
        wire: Wire,
    ) -> None:
        """Compose; `build` is the usual way."""
        self.config = config
        self.plugins = plugins
        self.store = store
        self.environ: dict[str, str] = dict(environ)
        self.persistent: bool = store.kind != MemoryStore.kind
        self.data_dir: Path | None = config.data_dir or (
            default_data_dir(environ) if self.persistent else None
        )
        self.wire = wire
        self.services: Services = Services(
            wire=self.wire, data_dir=self.data_dir, environ=self.environ
        )
        self.book: PriceBook = make_book(config, plugins, self.services)
        self.providers: Mapping[str, Bound] = make_providers(
            config, plugins, self.services, self.book
        )
        self.strategies: Callable[[str, Mapping[str, Any]], Strategy] = make_strategies(
            config, plugins, self.services
        )
        self.blocking: CapacityLimiter = CapacityLimiter(4)
        self._catalogue = Catalogue(
            self.providers, self.book, self.services.now_us, self.services.clock
        )
        self._observers = make_observers(config, plugins, self.services)
        self._runtime: Runtime | None = None
        self._authenticator: Authenticator | None = None
        self._stack: AsyncExitStack | None = None
        self._entered = False
        self._storing = CapacityLimiter(1)

    # Building ---------------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        config: Config | Mapping[str, Any] | None = None,
        *,
        plugins: Mapping[str, object] | None = None,
        store: Store | None = None,
        environ: Mapping[str, str] | None = None,
        wire: Wire | None = None,
    ) -> Gateway:
        """Compose a gateway; reads and checks everything, opens nothing.

        Args:
            config: A `Config`, or the mapping a `flo2.toml` would give.
            plugins: Plugins handed over in Python, by name: modules or objects with hooks.
            store: The store to use; None: the configured one, or one in memory.
            environ: The environment for references and the data folder; None: the process's.
            wire: The way to the network; None: a real one.

        Raises:
            ConfigError: with every problem at once.
            PluginError: a plugin that the configuration names does not load.
        """
        environ = os.environ if environ is None else environ
        if not isinstance(config, Config):
            config = structure(config or {}, Config, "config")
        loaded = Plugins.load(
            disable=config.plugins.disable,
            only=config.plugins.only,
            extra={"flo2": builtins, **(plugins or {})},
        )
        named = config.plugins.only or ()
        loaded.raise_for(plugin for plugin in loaded.loaded if plugin.name in named)
        net = config.network
        wire = wire or Wire(engine=net.engine, allow_private=net.networks, ca_file=net.ca_file)
        if store is None:
            at = config.data_dir or default_data_dir(environ)
            services = Services(wire=wire, data_dir=at, environ=dict(environ))
            store = make_store(config, loaded, services)
        return cls(config, loaded, store, environ, wire)

    @classmethod
    def from_file(
        cls, path: str | Path | None, *, environ: Mapping[str, str] | None = None
    ) -> Gateway:
        """Compose a gateway from a `flo2.toml` and the environment; see `build`."""
        environ = os.environ if environ is None else environ
        config = load(None if path is None else Path(path), environ)
        return cls.build(config, environ=environ)

    # Running ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the store, the journal and the pools; start the background tasks.

        Raises:
            Unavailable: it was entered before.
            SecretError, StoreError: what it keeps cannot be opened.
        """
        if self._entered:
            msg = (
                "a gateway is entered once: a host that enters it itself passes lifespan=False "
                "to create_app, and what starts again builds a new one"
            )
            raise Unavailable(msg, code="gateway_entered_twice")
        self._entered = True
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                self._stack = stack.pop_all()
        except BaseExceptionGroup as group:  # what is opened within our task group comes in one
            error = only_error(group)
            raise error from error.__cause__
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        started = await start(self, self._observers, stack)
        self._runtime, self._authenticator = started.runtime, started.authenticator
        # What stands above takes no more calls from here on, and what plugins hold open is left
        # before: they may use the gateway until they are closed.
        stack.callback(self._stop)
        started.group.start_soon(keep_fresh, self)
        await stack.enter_async_context(lifespans(self))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain what runs, write what is queued, close everything."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    def _stop(self) -> None:
        self._runtime = None

    @property
    def runtime(self) -> Runtime:
        """The running parts.

        Raises:
            Unavailable: the gateway was not entered, or has been left.
        """
        if self._runtime is None:
            msg = (
                "the gateway is not started: enter it first (`async with gateway:` in your "
                "lifespan, or create_app(gateway) with lifespan=True)"
            )
            raise Unavailable(msg, code="gateway_not_started")
        return self._runtime

    @property
    def started(self) -> bool:
        """Whether it runs."""
        return self._runtime is not None

    async def blocking_call(self, function: Callable[[], T]) -> T:
        """Run a blocking function (the store's, mostly) off the event loop, one at a time."""
        return await to_thread.run_sync(function, limiter=self._storing)

    async def refresh(self, *, force: bool = False) -> None:
        """Take over what changed in the store since the last look."""
        runtime = self.runtime
        known = runtime.snapshot.revision

        def look() -> Snapshot | None:
            if not force and self.store.revision() == known:
                return None
            runtime.vault.refresh()
            return read_snapshot(self.store)

        snapshot = await self.blocking_call(look)
        if snapshot is not None and self._authenticator is not None:
            runtime.take(snapshot)
            self._authenticator.refresh(snapshot.keys)

    # Calls ------------------------------------------------------------------------------------

    def recognise(self, presented: str) -> IssuedKey | None:
        """Give the issued key that was presented, where it is known and good.

        None says nothing: `authenticate` looks further, and says why not.
        """
        if self._runtime is None or self._authenticator is None:
            return None
        return self._authenticator.recognise(presented)

    async def authenticate(self, presented: str) -> IssuedKey:
        """Find the issued key that was presented.

        Raises:
            AuthenticationFailed: with a code that says why.
        """
        runtime, authenticator = self.runtime, self._authenticator
        assert authenticator is not None  # noqa: S101  # narrowing: set with the runtime
        return await authenticator.authenticate_or_look_up(
            presented, runtime.services.now_us(), self._look_up
        )

    async def _look_up(self, digest: str) -> IssuedKey | None:
        try:
            return await self.blocking_call(lambda: self.store.key_by_hash(digest))
        except StoreError as exc:  # why names files of the server; it is for the operator
            msg = (
                "the store cannot be read, so it is not known whether this key was made just now; "
                "the server's log says why"
            )
            raise Unavailable(msg, code="store_unavailable", retry_after_s=1) from exc

    def call(
        self,
        key: IssuedKey,
        dialect: Dialect,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        model: str | None = None,
        stream: bool = False,
    ) -> OpenExchange:
        """Begin a call that came in a dialect's bytes.

        Args:
            key: Who calls; see `authenticate`.
            dialect: The dialect of `body` and of the answer.
            body: The request.
            headers: Its headers, lower-case names; those with credentials go no further.
            query: Its query string.
            model: The model, where the dialect has it in the URL.
            stream: Whether a stream is wanted, where `model` is given.

        Returns:
            An async context manager giving the `Answer`.

        Raises:
            InvalidRequest: the body is no request of the dialect, or a key is in the query.
        """
        given: Mapping[str, str] = {} if headers is None else headers
        if query or type(given) is not ClientHeaders:
            given = without_keys(given, query)
        peek = dialect.peek(body)
        if model is not None:
            peek = replace(peek, model=model, stream=stream)
        inbound = Inbound(dialect, body, peek, headers=given, query=query)
        caller = caller_of(key, given, peek.end_user, peek.metadata)
        runtime = self._runtime or self.runtime
        now = runtime.services.now_us()
        return OpenExchange(runtime, caller, inbound, now, runtime.ids.make(now))

    def chat(
        self,
        request: Request | Mapping[str, Any],
        *,
        key: str | IssuedKey,
        headers: Mapping[str, str] | None = None,
    ) -> Chat:
        """Call without HTTP.

        Args:
            request: A canonical `Request`, or a chat request as a mapping in OpenAI's shape.
            key: An issued key, or its record.
            headers: Wishes and attribution, as a client would send them.

        Returns:
            An async context manager giving the `Answer`; read `answer.events()` or
            `answer.response()`.
        """
        return Chat(self, request, key, headers or {})

    # Keys and credentials ---------------------------------------------------------------------

    async def issue_key(
        self,
        name: str,
        *,
        account: str = "default",
        team: str | None = None,
        models: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> tuple[IssuedKey, Secret]:
        """Issue a key; an account that does not exist is made.

        Args:
            name: What people call it.
            account: The tenant.
            team: Team its calls belong to.
            models: Model patterns it may use; none: all.
            tags: Attribution of its calls.

        Returns:
            The record, and the key itself: the only time it is seen.
        """
        vault, now_us = self.runtime.vault, self.services.now_us()
        make = partial(issue_key, self.store, vault, name, account=account, now_us=now_us)
        made = await self.blocking_call(partial(make, team=team, models=models, tags=tags))
        await self.refresh(force=True)
        return made

    async def add_credential(
        self, provider: str, secret: Secret | str, *, account: str = "default", name: str = "first"
    ) -> SealedCredential:
        """Keep a provider key for an account, which is made if it does not exist.

        Args:
            provider: Configured name of the provider; the key goes to its host only.
            secret: The key, which is sealed; or a reference to it (`env:NAME`, `file:/path`).
            account: The tenant.
            name: What people call it.

        Raises:
            NotFound: there is no such provider.
            SecretError: the text is no reference.
        """
        vault, now_us = self.runtime.vault, self.services.now_us()
        keep = partial(keep_credential, self.store, vault, self.providers, provider, secret)
        made = await self.blocking_call(partial(keep, account=account, name=name, now_us=now_us))
        await self.refresh(force=True)
        return made

    # Receipts ---------------------------------------------------------------------------------

    async def receipt(self, exchange_id: str, *, account: str, key_id: str | None) -> Receipt:
        """Give the receipt of a call.

        Args:
            exchange_id: The `x-flo2-request-id` of the answer.
            account: Whose it must be.
            key_id: The issued key whose it must be, or None for any of the account (admin).

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        found = await self.runtime.ledger.receipt(account, exchange_id)
        if found is None or (key_id is not None and key_of(found) != key_id):
            msg = f"there is no call {exchange_id!r} of this key"
            raise NotFound(msg, code="call_not_found")
        return found

    async def models(self, key: IssuedKey) -> Sequence[ModelInfo]:
        """List what a key may call: routes first, then what the account's credentials reach.

        Providers that can be asked are, once in a while; see `flo2.gateway.catalogue`.
        """
        runtime = self.runtime
        tenant = runtime.snapshot.tenant(key.account)
        await self._catalogue.ask(tenant, runtime.opened)
        return self._catalogue.models(key, tenant)
