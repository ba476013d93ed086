"""Start what a gateway runs on, in order, so that it is left in the reverse order.

Imports: everything below the gateway.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from anyio import create_task_group
from attrs import frozen

from flo2.canonical import LossPolicy
from flo2.executor import DrainGroup, DrainLimits, Executor, HealthModel
from flo2.gateway.directory import read_snapshot
from flo2.gateway.first_run import open_keks
from flo2.gateway.gates import Gates
from flo2.gateway.observers import Observers
from flo2.gateway.runtime import Runtime
from flo2.keys import Authenticator
from flo2.ledger import Journal, Ledger, new_writer_id
from flo2.meter import Meter
from flo2.vault import Vault

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flo2.gateway.gateway import Gateway
    from flo2.protocols import Observer

__all__ = ["Started", "start"]

_GRACE_S: Final = 30.0
_log = logging.getLogger("flo2.gateway")


@frozen
class Started:
    """What runs, and `group`, in which whatever goes on beside the calls does."""

    runtime: Runtime
    authenticator: Authenticator
    group: TaskGroup


async def start(gateway: Gateway, told: Iterable[Observer], stack: AsyncExitStack) -> Started:
    """Open the store, the journal and the pools of a gateway; start its background tasks.

    Args:
        gateway: Composed, not yet running.
        told: Its observers.
        stack: Closes what was opened, also where this fails half-way.

    Raises:
        SecretError, StoreError: what it keeps cannot be opened.
    """
    config, services, store = gateway.config, gateway.services, gateway.store
    folder = gateway.data_dir or Path(stack.enter_context(TemporaryDirectory(prefix="flo2-")))
    await gateway.blocking_call(lambda: folder.mkdir(mode=0o700, parents=True, exist_ok=True))
    await gateway.blocking_call(store.open)
    stack.callback(store.close)
    resolver = gateway.plugins.resolver()
    opening = partial(open_keks, config, folder, gateway.environ, resolver)
    keks = await gateway.blocking_call(opening)
    vault = Vault(store, keks, gateway.environ, resolver=resolver)
    for problem in await gateway.blocking_call(vault.open):
        _log.warning("%s", problem)
    pepper = await gateway.blocking_call(vault.pepper)
    await stack.enter_async_context(gateway.wire)
    group = await stack.enter_async_context(create_task_group())
    stack.callback(group.cancel_scope.cancel)
    limits = config.drain
    drains = DrainGroup(group, DrainLimits(limits.number, limits.seconds, limits.bytes))
    journal = Journal(folder / "journal", new_writer_id())
    ledger = Ledger(journal, store, services.now_us)
    stack.push_async_callback(ledger.close)
    for adopted in await ledger.adopt():
        _log.warning("took over the journal of a worker that died: %s", adopted)
    group.start_soon(ledger.run)
    observers = Observers(told, ledger, group)
    stack.push_async_callback(observers.close)
    stack.push_async_callback(drains.close, _GRACE_S)
    runtime = Runtime(
        config=config,
        services=services,
        plugins=gateway.plugins,
        providers=gateway.providers,
        strategies=gateway.strategies,
        meter=Meter(partial(getattr, gateway, "book")),  # a lambda would be a frame a call
        health=HealthModel(services.clock),
        ledger=ledger,
        vault=vault,
        executor=Executor(group, drains),
        drains=drains,
        loss_policy=LossPolicy(frozenset(config.refuse_losses)),  # type: ignore[arg-type]  # severities, checked below
        rng=Random(secrets.randbits(64)),  # noqa: S311  # for routing, no secret
        observe=observers.tell,
    )
    runtime.gates = gates = Gates(
        store=store,
        ledger=ledger,
        services=services,
        booking=runtime.tools.booking,
        providers=gateway.providers,
        group=group,
        blocking=gateway.blocking_call,
        pepper=pepper,
        resolver=resolver,
    )
    group.start_soon(gates.limiter.run)
    group.start_soon(gates.keeper.run)
    snapshot = await gateway.blocking_call(lambda: read_snapshot(store))
    runtime.take(snapshot)
    return Started(runtime, Authenticator(pepper, snapshot.keys), group)
