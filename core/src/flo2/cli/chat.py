"""`flo2 chat`: one message, its answer as it comes, then what it cost.

Through a running gateway where one is reachable, else in this process over the same store.
Imports: gateway, cli.bench, cli.talk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import anyio
import click

from flo2.cli.bench import Bench
from flo2.cli.output import harmless, say, say_json
from flo2.cli.state import State, command
from flo2.cli.talk import Said, temporary_key, through_gateway, within
from flo2.errors import ConfigError, NotFound
from flo2.gateway.first_run import suggest_model

__all__ = ["chat"]


@command()
@click.argument("message", required=False)
@click.option("-m", "--model", help="Route, PROVIDER/MODEL or a model's name [one that is there].")
@click.option("-s", "--system", help="System prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest answer, in tokens.")
@click.option("--here", is_flag=True, help="In this process, even if a gateway runs.")
@click.pass_obj
def chat(
    state: State,
    *,
    message: str | None,
    model: str | None,
    system: str | None,
    max_tokens: int | None,
    here: bool,
) -> None:
    """Send one message; show the answer and its cost.

    MESSAGE is an argument, or comes on standard input.

    Through the running gateway where one is reachable at the configured address, with $FLO2_KEY or
    else a key of its own that works for five minutes; in this process otherwise.
    """
    if message is None:
        if sys.stdin.isatty():
            raise click.UsageError('there is no message; write: flo2 chat "hi"')
        message = sys.stdin.read()
    with Bench(state) as bench:
        bench.prepare(secrets=False)
        wanted = model or _some_model(bench)
        messages = [{"role": "user", "content": message}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        request: dict[str, Any] = {"model": wanted, "messages": messages, "stream": True}
        if max_tokens is not None:
            request["max_tokens"] = max_tokens
        show = _shower(quiet=state.as_json)
        said = anyio.run(_say, bench, request, show, here)
    if state.as_json:
        say_json(said.as_json())
        return
    click.echo("")
    click.echo("", err=True)
    say(said.summary())


async def _say(
    bench: Bench, request: dict[str, Any], show: Callable[[str], None], here: bool
) -> Said:
    key, secret = temporary_key(bench)
    if not here:
        said = await through_gateway(bench, request, secret, show)
        if said is not None:
            return said
    return await within(bench.gateway(), request, key, show)


def _shower(*, quiet: bool) -> Callable[[str], None]:
    def show(text: str) -> None:
        if not quiet:
            click.echo(harmless(text), nl=False)

    return show


def _some_model(bench: Bench) -> str:
    """Choose a model of a provider that can be called: one with a key, else a simulated one."""
    have = {credential.provider for credential in bench.store.credentials("default")}
    bounds = sorted(
        (b for b in bench.providers.values() if b.name in have or not b.provider.facts.needs_key),
        key=lambda b: (b.provider.facts.simulated, b.name not in have, b.name),
    )
    for bound in bounds:
        if (model := suggest_model(bound, bench.book, bench.now_us())) is not None:
            return model
    if bounds:
        raise ConfigError(
            [f"name a model of {bounds[0].name}: flo2 chat -m {bounds[0].name}/MODEL"]
        )
    raise NotFound("no provider can be called; add one: flo2 providers add NAME")
