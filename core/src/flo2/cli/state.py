"""What every command is given: where its configuration lies, how it should talk.

Imports: click, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import define, field

if TYPE_CHECKING:
    from flo2.config import Config
    from flo2.stores import Store

__all__ = [
    "CONFIG_ENV",
    "Command",
    "Group",
    "State",
    "command",
    "common_options",
    "group",
    "toml_text",
]

CONFIG_ENV: Final = "FLO2_CONFIG"
"""The environment variable that names the configuration file."""


@define
class State:
    """The options that every command takes, and the environment.

    Attributes:
        environ: The environment variables of this run.
        store: A store handed over in Python, for tests; None: the configured one.
        config_path: `--config`, or None.
        data_dir: `--data-dir`, or None.
        as_json: Answer in JSON.
        debug: Show tracebacks.
        settings: `[server] port` and the like as given by flags, by dotted path.
    """

    environ: Mapping[str, str] = field(repr=False)  # it holds keys
    store: Store | None = None
    config_path: Path | None = None
    data_dir: Path | None = None
    as_json: bool = False
    debug: bool = False
    settings: dict[str, str] = field(factory=dict)

    def file(self) -> Path | None:
        """Say which configuration file is read: the flag, the variable, the user's own, or none."""
        if self.config_path is not None:
            return self.config_path
        if named := self.environ.get(CONFIG_ENV):
            return Path(named).expanduser()
        own = self.own_file()
        return own if own.is_file() else None

    def own_file(self) -> Path:
        """Say where the user's own configuration file lies, or would.

        Not the working folder: a repository that somebody cloned must not be able to point
        providers elsewhere just by holding a `flo2.toml`.
        """
        base = self.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return Path(base).expanduser() / "flo2" / "flo2.toml"

    def overlaid(self) -> dict[str, str]:
        """Give the environment with the flags written over it, as `FLO2__A__B`."""
        environ = dict(self.environ)
        flags = dict(self.settings)
        if self.data_dir is not None:
            flags["data_dir"] = toml_text(str(self.data_dir.expanduser().absolute()))
        for path, text in flags.items():
            environ["FLO2__" + path.upper().replace(".", "__")] = text
        return environ

    def config(self) -> Config:
        """Read the configuration.

        Raises:
            ConfigError: with every problem in it.
        """
        from flo2.config import load  # noqa: PLC0415  # not needed by `flo2 --help`

        return load(self.file(), self.overlaid())


def toml_text(text: str) -> str:
    """Write a text so that the environment overlay reads it as text, whatever it looks like."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value not in {None, False}:
            setattr(context.ensure_object(State), name, value)

    return callback


def common_options() -> list[click.Option]:
    """Make the options that every command takes."""
    return [
        click.Option(
            ["--config", "config_path"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            expose_value=False,
            callback=_keep("config_path"),
            help=f"Configuration file [${CONFIG_ENV}; else ~/.config/flo2/flo2.toml if there].",
        ),
        click.Option(
            ["--data-dir"],
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_keep("data_dir"),
            help="Where store, journal and key lie [$FLO2_DATA_DIR; else ~/.local/share/flo2].",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_keep("as_json"),
            help="Answer in JSON.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_keep("debug"),
            help="Show tracebacks of errors.",
        ),
    ]


class Command(click.Command):
    """A command that also takes the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the options."""
        super().__init__(*args, **kwargs)
        self.params: list[click.Parameter] = [*self.params, *common_options()]

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; an account that is named must be there, as one mistyped looks like an empty one.

        Raises:
            NotFound: there is no such account.
        """
        account = ctx.params.get("account")
        if account not in {None, "default"}:  # that one is made when it is needed
            from flo2.cli.bench import Bench  # noqa: PLC0415  # what help need not load

            with Bench(ctx.obj) as bench:
                bench.account(account)
        return super().invoke(ctx)


class Group(click.Group):
    """A group whose commands take the common options; alone it runs its default command."""

    command_class: type[click.Command] | None = Command

    def __init__(self, *args: Any, default: str | None = None, **kwargs: Any) -> None:
        """Keep the name of the command that the group alone stands for."""
        kwargs.setdefault("no_args_is_help", default is None)
        super().__init__(*args, **kwargs)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in where none is named."""
        if self.default is not None and not {"--help", "-h"} & set(args[:1]):
            first = args[0] if args else ""
            if first not in self.commands and (not first or first.startswith("-")):
                args = [self.default, *args]
        return super().parse_args(ctx, args)


def command(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command that takes the common options."""

    def decorate(function: Callable[..., Any]) -> Command:
        return click.command(name, cls=Command, **attributes)(function)

    return decorate


def group(
    name: str, *, default: str | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], Group]:
    """Make a group; `default` is run when no sub-command is named."""

    def decorate(function: Callable[..., Any]) -> Group:
        return click.group(name, cls=Group, default=default, **attributes)(function)

    return decorate
