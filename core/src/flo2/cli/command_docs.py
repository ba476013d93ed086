"""`docs/cli.md`, generated from the commands themselves.

Imports: click, cli.root.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

import click

from flo2.cli.root import COMMANDS, cli
from flo2.cli.state import common_options

__all__ = ["command_page"]

_INTRO: Final = """\
# Command line

Commands work on the store itself, so no server need run; one that runs follows within two seconds.
Data goes to standard output, remarks and errors to standard error.
Exit codes: 0 done, 1 failed, 2 not understood, 3 a check found differences.
`NO_COLOR` and pipes get plain text; money is never rounded, and what is not known is never shown as
zero.

Plugins may add commands (`flo2_register_commands`); `flo2 --help` lists them.
This page is generated: `flo2 config docs --commands > docs/cli.md`.

"""


def command_page() -> str:
    """Write the whole page."""
    root = click.Context(cli, info_name="flo2")
    lines = [_INTRO, "Every command takes:\n"]
    lines += _options(common_options(), root)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        if command is not None:
            lines += _command(command, f"flo2 {name}", root, "##")
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, path: str, parent: click.Context, level: str) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    common = {option.name for option in common_options()}
    yield f"\n{level} {path}\n"
    if isinstance(command, click.Group):
        yield _prose(command)
        default = getattr(command, "default", None)
        if default:
            yield f"\nAlone it means `{path} {default}`."
        for name, inner in command.commands.items():
            if not inner.hidden:
                yield from _command(inner, f"{path} {name}", context, level + "#")
        return
    mine = [param for param in command.params if param.name not in common]
    arguments = [p.make_metavar(context) for p in mine if isinstance(p, click.Argument)]
    options = [p for p in mine if isinstance(p, click.Option)]
    shown = [a for a in arguments if not a.startswith("[REST]")]
    yield f"```\n{' '.join([path, *(['[OPTIONS]'] if options else []), *shown])}\n```\n"
    yield _prose(command)
    if options:
        yield ""
        yield from _options(options, context)


def _prose(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _options(options: list[click.Option], context: click.Context) -> Iterator[str]:
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            yield f"- `{record[0]}`: {' '.join(record[1].split())}"
