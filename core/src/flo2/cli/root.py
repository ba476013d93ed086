"""The group `flo2`: its commands by name, what plugins add, and how errors are told.

Imports: click, errors; a command's module is imported when it is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Final

import click

from flo2.cli.state import State

__all__ = ["COMMANDS", "Root", "cli", "excepthook", "run"]

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("serve", "Run the gateway."),
    "init": ("init", "Write a configuration file and prepare the data folder."),
    "doctor": ("doctor", "Check that everything is in order."),
    "chat": ("chat", "Send one message; show the answer and its cost."),
    "usage": ("usage", "Add up what was used and what it cost, corrections included."),
    "calls": ("calls", "List calls and show receipts."),
    "models": ("models", "List the models that can be called, with their prices."),
    "accounts": ("accounts", "Create and list accounts: tenants that see nothing of each other."),
    "providers": ("providers", "Add, list, test and remove provider keys."),
    "keys": ("keys", "Issue, list, rotate and revoke the keys that clients use."),
    "routes": ("routes", "Name a target with several candidates and a strategy."),
    "budgets": ("budgets", "Limit what is spent, exactly."),
    "limits": ("limits", "Limit requests, tokens and money in a while, and calls at once."),
    "prices": ("prices", "Look into the price book."),
    "contracts": (
        "contracts",
        "Declare what was agreed with providers; see what a month comes to, and close it.",
    ),
    "whatif": (
        "whatif",
        "Say what past calls [of the last 30 days] would have cost under other conditions.",
    ),
    "ledger": ("ledger", "Verify the chain of ledger records."),
    "config": ("config", "Show and check the configuration."),
    "plugins": ("plugins", "List plugins, what they add and what is wrong with them."),
}
"""Name → its module in `flo2.cli` (the command has the module's name), and its one-line help."""

_OK, _FAILURE, _INTERRUPTED = 0, 1, 130


class Root(click.Group):
    """Loads a command when it is asked for, and plugins only when no command of ours has the name.

    Help shows plugins' commands too, so it loads those plugins that implement the hook. What they
    add belongs to the invocation, and is gone with it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command: ours in their order, then the plugins'."""
        return [*COMMANDS, *sorted(_of_plugins(ctx, only_if_hooked=True).keys() - COMMANDS.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by its name."""
        if cmd_name in COMMANDS:
            module = import_module(f"flo2.cli.{COMMANDS[cmd_name][0]}")
            found: click.Command = vars(module)[cmd_name]
            return found
        return _of_plugins(ctx).get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; ours without importing them."""
        names = self.list_commands(ctx)
        rows = [(name, COMMANDS[name][1]) for name in names if name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        added = _of_plugins(ctx, only_if_hooked=True)
        more = [
            (name, added[name].get_short_help_str(70))
            for name in names
            if name not in COMMANDS and not added[name].hidden
        ]
        if more:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(more)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one is near."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            import difflib  # noqa: PLC0415  # only for the message

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see: flo2 --help"
            raise click.UsageError(f"there is no command {_shown(args[0])}{hint}", ctx) from None


def _of_plugins(
    ctx: click.Context, *, only_if_hooked: bool = False
) -> MutableMapping[str, click.Command]:
    """Give the commands that plugins add; they are asked once for each invocation."""
    key = f"flo2.commands.{only_if_hooked}"
    added: click.Group | None = ctx.meta.get(key)
    if added is None:
        from flo2.cli.extensions import add_plugin_commands  # noqa: PLC0415  # loads plugins

        added = ctx.meta[key] = click.Group()
        add_plugin_commands(added, ctx.ensure_object(State), only_if_hooked=only_if_hooked)
    return added.commands


def _version(context: click.Context, _: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415  # only for this option

        click.echo(f"flo2 {version('flo2')}")
        context.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command takes --config, --data-dir, --json and --debug, after its name.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version.",
)
def cli() -> None:
    """An LLM gateway for your own provider keys: every call routed, metered and exactly costed."""


def run(args: Sequence[str] | None = None, state: State | None = None) -> int:
    """Run a command line and give its exit code: 0 ok, 1 failure, 2 usage, 3 differences found.

    Args:
        args: The arguments; None: the process's.
        state: What commands are given; None: made from the process's environment.
    """
    state = State(os.environ) if state is None else state
    from flo2.cli.output import tell_error  # noqa: PLC0415
    from flo2.errors import Flo2Error  # noqa: PLC0415
    from flo2.secrets import redact  # noqa: PLC0415

    try:
        code = cli.main(args, prog_name="flo2", obj=state, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.message, err=True)  # the help text itself, which is no error to a reader
        return exc.exit_code
    except click.UsageError as exc:
        # A click error repeats what was typed, and a key pasted into the wrong place is typed too.
        # `message` of a missing argument is empty; what there is to say is in the formatted one.
        click.UsageError(redact(exc.format_message()), exc.ctx).show()
        return exc.exit_code
    except click.ClickException as exc:
        tell_error(state, exc.format_message())
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return _INTERRUPTED
    except Flo2Error as exc:
        if state.debug:
            raise
        tell_error(state, str(exc))
        return _FAILURE
    except BrokenPipeError:
        # Whoever read our output has had enough (`| head`); nothing is left to be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _OK
    return code if isinstance(code, int) else _OK


def excepthook(state: State) -> Callable[..., None]:
    """Say an error nobody expected in one line; with --debug as Python does."""

    def say(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        if state.debug:
            sys.__excepthook__(kind, exc, trace)
            return
        from flo2.cli.output import tell_error  # noqa: PLC0415  # nothing of it is needed before

        tell_error(
            state,
            f"{kind.__name__}: {exc}\nthis is a bug of flo2 or of a plugin; run the same command "
            "with --debug for the traceback",
        )

    return say


def _shown(word: str) -> str:
    from flo2.secrets import looks_like_provider_key, redact  # noqa: PLC0415

    hidden = looks_like_provider_key(word) or redact(word) != word
    return "like that (not shown, it looks like a key)" if hidden else repr(word)
