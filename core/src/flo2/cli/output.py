"""How commands talk: tables for people, JSON and CSV for programs, errors in one line.

Data goes to standard output, remarks and errors to standard error. `NO_COLOR` and pipes get plain
text. Imports: click, rich (for tables), secrets.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from flo2.secrets import redact

if TYPE_CHECKING:
    from rich.console import Console

    from flo2.cli.state import State

__all__ = [
    "ask_console",
    "harmless",
    "program",
    "say",
    "say_json",
    "secret_line",
    "table",
    "tell_error",
]

# Names of models, tags and errors are written by clients and providers; a terminal that is shown
# their escape sequences obeys them.
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in {9, 10}
}
_CONTROL_IN_JSON: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
_LINE_END: Final = {10: "\\n"}


def harmless(text: str) -> str:
    """Give a text without what a terminal would obey; line ends and tabs stay."""
    return text.translate(_CONTROL)


def tell_error(state: State, message: str) -> None:
    """Say what went wrong on standard error; what looks like a key is hidden."""
    message = harmless(redact(message))
    if state.as_json:
        click.echo(json.dumps({"error": {"message": message}}), err=True)
        return
    first, *rest = message.splitlines() or [""]
    label = click.style("error:", fg="red", bold=True) if _colours(state, sys.stderr) else "error:"
    click.echo(f"{label} {first}", err=True)
    for line in rest:
        click.echo(f"       {line}", err=True)


def say(text: str = "") -> None:
    """Say something for people, beside the data."""
    click.echo(harmless(text), err=True)


def say_json(value: object) -> None:
    """Write a value as JSON, two blanks of indent; money is a string in it already."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False).translate(_CONTROL_IN_JSON))


def secret_line(text: str) -> None:
    """Write a secret on a line of its own; standard output only, never anywhere else."""
    click.echo(text)


def table(
    state: State,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[str] = (),
    empty: str = "nothing",
) -> None:
    """Write a table: aligned, and nothing is cut.

    On a terminal that is too narrow, the columns that do not fit go, indented, on a next line.

    Args:
        state: Says whether colours are wanted.
        columns: Headings.
        rows: Texts, one for each column.
        right: Headings of the columns that are aligned to the right.
        empty: What to say when there are no rows.
    """
    lines = [[harmless(cell).translate(_LINE_END) for cell in row] for row in rows]
    if not lines:
        say(empty)
        return
    ends = set(right)
    widths = [max(len(each) for each in column) for column in zip(columns, *lines, strict=True)]
    bold = _colours(state, sys.stdout)
    folds = _folds(widths) if sys.stdout.isatty() else [slice(None)]
    for number, line in enumerate([list(columns), *lines]):
        cells = [
            cell.rjust(width) if heading in ends else cell.ljust(width)
            for heading, width, cell in zip(columns, widths, line, strict=True)
        ]
        for fold in folds:
            text = ("    " * bool(fold.start) + "  ".join(cells[fold])).rstrip()
            if text:
                click.echo(click.style(text, bold=True) if bold and number == 0 else text)


def ask_console(environ: Mapping[str, str]) -> Console | None:
    """Give a rich console when a person sits at the terminal, else None."""
    if not sys.stdout.isatty() or environ.get("TERM") == "dumb":
        return None
    from rich.console import Console  # noqa: PLC0415  # 40 ms, for terminals only

    return Console(highlight=False, soft_wrap=True, no_color=bool(environ.get("NO_COLOR")))


def program(started_as: str, environ: Mapping[str, str]) -> str:
    """Say how a person starts this program again: by its name, or by its path.

    A virtual environment that is not activated is not on the shell's PATH, whatever PATH says here:
    `noxfile.py -s serve` starts the program out of one.
    """
    path = Path(started_as)
    home = path.parent.parent
    if not (home / "pyvenv.cfg").is_file() or environ.get("VIRTUAL_ENV") == str(home):
        return "flo2"
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return shlex.quote(str(shown))


def _folds(widths: Sequence[int]) -> list[slice]:
    """Share columns out over lines of the terminal's width, in their order."""
    room, used, starts = shutil.get_terminal_size().columns, 0, [0]
    for number, width in enumerate(widths):
        if used and used + width > room:
            starts.append(number)
            used = 4  # the indent
        used += width + 2
    return [slice(*each) for each in pairwise([*starts, len(widths)])]


def _colours(state: State, stream: Any) -> bool:
    return bool(stream.isatty()) and not state.environ.get("NO_COLOR")
