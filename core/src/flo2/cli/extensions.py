"""Commands that plugins add through `flo2_register_commands`.

Imports: plugins, config.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flo2.cli.output import say
from flo2.errors import ConfigError
from flo2.plugins import GROUP, Plugins

if TYPE_CHECKING:
    import click

    from flo2.cli.state import State

__all__ = ["add_plugin_commands"]

_HOOK: Final = "flo2_register_commands"


def add_plugin_commands(cli: click.Group, state: State, *, only_if_hooked: bool) -> None:
    """Let plugins add commands to `cli`.

    Args:
        cli: A group for them.
        state: Says which configuration holds; its `[plugins]` decides who may.
        only_if_hooked: Load only plugins whose module names the hook, so that help stays quick: a
            store or a provider brings libraries along that take longer than all of the help.
    """
    points: list[EntryPoint] = list(entry_points(group=GROUP))
    if only_if_hooked:
        points = [point for point in points if _names_the_hook(point)]
        if not points:
            return
    try:
        chosen = state.config().plugins
    except ConfigError:
        return  # the command itself will say what is wrong with the configuration
    # What they register is for calls, and brings along what calls need.
    plugins = Plugins.load(disable=chosen.disable, only=chosen.only, found=points, slots=False)
    plugins.results(_HOOK, cli=cli)
    for plugin in plugins.loaded:
        if plugin.error and _HOOK in plugin.hooks:
            say(f"plugin {plugin.name!r} adds no commands: {plugin.error}")


def _names_the_hook(point: EntryPoint) -> bool:
    """Whether a plugin's module has the hook's name in its text; it is not imported for that."""
    try:
        spec = find_spec(point.module)
        if spec is None or spec.origin is None:
            return False
        return _HOOK.encode() in Path(spec.origin).read_bytes()
    except (ImportError, OSError, ValueError):
        return False
