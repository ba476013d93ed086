"""`flo2 doctor`: check one thing after the other, and say how to mend what is wrong.

Imports: cli.checks, cli.bench.
"""

from __future__ import annotations

import click

from flo2.cli.bench import Bench
from flo2.cli.checks import Check, checks
from flo2.cli.output import say, say_json
from flo2.cli.state import State, command

__all__ = ["doctor"]


@command()
@click.option("--online", is_flag=True, help="Also connect to each provider (nothing is sent).")
@click.pass_obj
def doctor(state: State, *, online: bool) -> int:
    """Check that everything is in order; exit code 1 when something is not."""
    found: list[Check] = []
    with Bench(state) as bench:
        for check in checks(bench, online=online):
            found.append(check)
            if not state.as_json:
                _show(check)
    failed = [check for check in found if check.ok is False]
    if state.as_json:
        say_json(
            {
                "ok": not failed,
                "checks": [
                    {"name": c.name, "ok": c.ok, "detail": c.detail, "fix": c.fix} for c in found
                ],
            }
        )
    elif failed:
        say(f"{len(failed)} of {len(found)} checks failed")
    else:
        say("everything is in order")
    return 1 if failed else 0


def _show(check: Check) -> None:
    mark = {True: "✓", False: "✗", None: "–"}[check.ok]
    click.echo(f"{mark} {check.name}: {check.detail}")
    if check.fix:
        click.echo(f"    {check.fix}")
