"""`python -m flo2.testing`: the conformance kit against a gateway, over HTTP.

Imports: click, testing.conformance.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import anyio
import click

from flo2.testing.conformance import SURFACES, GatewayUnreachable, RehearsedUpstream, Report, run
from flo2.testing.conformance.own import run_against_flo2
from flo2.testing.validators import Level

_SETUP = """\
The kit's upstream listens at {url}.
Point the gateway's providers there, with any credential:
  OpenAI or a compatible host   base URL {url}/v1
  Anthropic                     base URL {url}
  Gemini                        base URL {url}/v1beta
"""


@click.command()
@click.argument("gateway", required=False, metavar="[URL]")
@click.option("--key", envvar="FLO2_KEY", help="An issued key of the gateway (or in FLO2_KEY).")
@click.option(
    "--model", "models", multiple=True, help="A model to ask for, as its clients name it."
)
@click.option(
    "--surface",
    "surfaces",
    multiple=True,
    type=click.Choice(list(SURFACES)),
    help="A surface to speak to; all of them unless given.",
)
@click.option(
    "--serve-upstream",
    "port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Be the provider behind the gateway, on this port.",
)
@click.option("--against-flo2", is_flag=True, help="Run against flo2 itself, all in this process.")
@click.option(
    "--level",
    type=click.Choice(["strict", "compatible"]),
    default="strict",
    show_default=True,
    help="strict: as the vendor's own API; compatible: as its official SDK can still read.",
)
@click.option(
    "--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds for each read."
)
@click.option("--verbose", "-v", is_flag=True, help="Show the cases that pass, too.")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def main(  # one for each option
    *,
    gateway: str | None,
    key: str | None,
    models: tuple[str, ...],
    surfaces: tuple[str, ...],
    port: int | None,
    against_flo2: bool,
    level: Level,
    timeout_s: float,
    verbose: bool,
    as_json: bool,
) -> None:
    """Try whether a gateway keeps what its APIs promise.

    With --serve-upstream the kit is the provider too: it plays every golden answer through the
    gateway, breaks streams, and sees what is asked. Without, real models answer (and are paid
    for), and the form of their answers is checked.
    """
    spoken = surfaces or tuple(SURFACES)
    if against_flo2:
        report = anyio.run(partial(run_against_flo2, surfaces=spoken, level=level))
    elif gateway and key and models:
        upstream = None if port is None else RehearsedUpstream()
        tried = partial(
            run,
            gateway,
            key,
            models,
            surfaces=spoken,
            upstream=upstream,
            level=level,
            timeout_s=timeout_s,
        )
        try:
            report = anyio.run(_served, tried, upstream, port or 0)
        except GatewayUnreachable as exc:
            raise click.ClickException(str(exc)) from exc
    else:
        raise click.UsageError("give the gateway's URL, --key and --model; or --against-flo2")
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        click.echo("\n".join(report.lines(verbose=verbose)))
    raise SystemExit(int(report.failed))


async def _served(
    tried: Callable[[], Awaitable[Report]], upstream: RehearsedUpstream | None, port: int
) -> Report:
    """Try while the upstream listens, if there is one."""
    if upstream is None:
        return await tried()
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(upstream.serving(port))
        except OSError as exc:
            msg = f"cannot listen on port {port}: {exc}; choose another one for --serve-upstream"
            raise click.ClickException(msg) from exc
        click.echo(_SETUP.format(url=url), err=True)
        return await tried()


if __name__ == "__main__":
    main(prog_name="python -m flo2.testing")
