"""Find, check and register plugins; keep what each one said, and what went wrong with it.

Plugins are entry points in the group `flo2`, loaded in the order of their names. One that fails
loses only itself. Imports: hookspecs, errors, pluggy.
"""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import attrs
import pluggy
from attrs import evolve, field, frozen

from flo2 import hookspecs
from flo2.errors import PluginError, SecretError
from flo2.secrets import Secret, redact

__all__ = ["API_VERSION", "Loaded", "Plugins", "Registered", "Slot"]

API_VERSION: Final = (1, 0)
"""Major and minor of the plugin contract; a plugin may state its own as `flo2_api`."""

GROUP: Final = "flo2"

Slot = str
_SLOTS: Final[Mapping[Slot, tuple[str, tuple[str, ...]]]] = {
    "provider": ("flo2_register_providers", ("chat", "facts")),
    "strategy": ("flo2_register_strategies", ("plan",)),
    "pricing": ("flo2_register_pricing", ("rows",)),
    "store": ("flo2_register_stores", ("open", "append", "entries", "key_by_hash")),
    "observer": ("flo2_register_observers", ("observe",)),
    "importer": ("flo2_register_importers", ("recognises", "rows")),
    "explainer": ("flo2_register_explainers", ("explain", "order")),
}


@frozen
class Loaded:
    """One plugin as found.

    Attributes:
        name: Entry-point name.
        distribution, version: Where it came from; "" when handed over in Python.
        hooks: Names of the hooks it implements.
        error: Why it does not work, or None.
        cause: The exception behind `error`.
    """

    name: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    error: str | None = None
    cause: BaseException | None = field(default=None, repr=False, eq=False)


@frozen
class Registered:
    """A registered class and the plugin it came from.

    Attributes:
        replaces: It takes the name over on purpose, from whichever plugin has it.
    """

    item: type[Any]
    plugin: str
    replaces: bool = False


class Plugins:
    """The plugins of one gateway. Two of these share nothing."""

    def __init__(self, *, slots: bool = True) -> None:
        """Begin with no plugin; `slots` as in `load`."""
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._loaded: dict[str, Loaded] = {}
        self._slots: dict[Slot, dict[str, Registered]] = {slot: {} for slot in _SLOTS}
        self._open = slots

    @classmethod
    def load(
        cls,
        *,
        disable: Iterable[str] = (),
        only: Iterable[str] | None = None,
        extra: Mapping[str, object] | None = None,
        found: Iterable[EntryPoint] | None = None,
        slots: bool = True,
        strict: bool = False,
    ) -> Plugins:
        """Load plugins and let each register what it has.

        Args:
            disable: Entry-point names to leave out.
            only: Load exactly these entry points; None: all that are installed. One that is not
                installed is in `loaded`, with that error.
            extra: Plugins handed over in Python, by name: modules or objects with hooks.
            found: Entry points to look at instead of the installed ones.
            slots: Let them register; without, only their other hooks can be called.
            strict: Raise at the first plugin that fails, instead of keeping the error.

        Raises:
            PluginError: in strict mode.
        """
        plugins = cls(slots=slots)
        blocked = frozenset(disable)
        wanted = None if only is None else frozenset(only)
        points = entry_points(group=GROUP) if found is None else found
        for point in sorted(points, key=lambda p: (p.name, p.value)):
            if point.name in blocked or (wanted is not None and point.name not in wanted):
                continue
            plugins._load_point(point)
        for name in sorted((wanted or frozenset()) - plugins._loaded.keys() - blocked):
            near = difflib.get_close_matches(name, [point.name for point in points], 1, 0.7)
            hint = f"did you mean {near[0]!r}?" if near else "see: flo2 plugins"
            missing = f"no plugin of this name is installed; {hint}"
            plugins._loaded[name] = Loaded(name, error=missing)
        for name, plugin in sorted((extra or {}).items(), key=lambda pair: pair[0]):
            if name in plugins._loaded:
                plugins._fail(name, f"a plugin named {name!r} is installed and also handed over")
            else:
                plugins._add(Loaded(name), plugin)
        if strict:
            plugins.raise_for(plugins.loaded)
        return plugins

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """Every plugin that was found, working or not, in the order of loading."""
        return tuple(self._loaded.values())

    @property
    def hook(self) -> Any:
        """The relay of pluggy, for composition only."""
        return self._manager.hook

    def kinds(self, slot: Slot) -> tuple[str, ...]:
        """Name what is registered in a slot."""
        return tuple(sorted(self._slots[slot]))

    def get(self, slot: Slot, kind: str) -> type[Any]:
        """Find a registered class.

        Raises:
            PluginError: none is registered under that name; says what is, and which is near.
        """
        found = self._slots[slot].get(kind)
        if found is not None:
            return found.item
        broken = [p for p in self._loaded.values() if p.error and kind in p.name]
        if broken:
            msg = f"plugin {broken[0].name!r} does not load: {broken[0].error}"
            raise PluginError(msg) from broken[0].cause
        have = ", ".join(self.kinds(slot)) or "none"
        near = difflib.get_close_matches(kind, self.kinds(slot), 1, 0.7)
        # A slip of the pen must not become the name of a package that somebody installs.
        hint = f"did you mean {near[0]!r}?" if near else "a plugin that adds it is not installed"
        raise PluginError(f"no {slot} kind {kind!r}; installed: {have}; {hint}")

    def origin(self, slot: Slot, kind: str) -> str:
        """Name the plugin that registered a kind."""
        return self._slots[slot][kind].plugin

    def raise_for(self, loaded: Iterable[Loaded]) -> None:
        """Raise the first error among these plugins, its cause chained."""
        for plugin in loaded:
            if plugin.error:
                msg = f"plugin {plugin.name!r} does not load: {plugin.error}"
                raise PluginError(msg) from plugin.cause

    def results(self, hook: str, **arguments: object) -> list[tuple[str, Any]]:
        """Call a collecting hook once, each implementation in its own try.

        Returns:
            (plugin name, result) of those that answered with something; an implementation that
            raises is recorded as its plugin's error and left out.
        """
        answers: list[tuple[str, Any]] = []
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            given = {name: arguments[name] for name in impl.argnames}
            try:
                answer = impl.function(**given)
            except Exception as exc:  # noqa: BLE001  # border: a plugin's own code
                self._fail(impl.plugin_name, f"{hook} raised {_brief(exc)}", exc)
            else:
                if answer is not None:
                    answers.append((impl.plugin_name, answer))
        return answers

    def reject(self, name: str, error: str, cause: BaseException | None = None) -> None:
        """Note that a plugin does not do what a hook of its own promised."""
        self._fail(name, error, cause)

    def resolver(self) -> Callable[[str], Secret | None]:
        """Give one function that asks the plugins' `flo2_resolve_secret` in turn.

        The functions are bound here, in the order of the plugins' names; no call passes through
        pluggy. The first that knows the reference answers.
        """
        impls = self._manager.hook.flo2_resolve_secret.get_hookimpls()
        asked = sorted((impl.plugin_name, impl.function) for impl in impls)

        def resolve(reference: str) -> Secret | None:
            for name, function in asked:
                try:
                    secret = function(reference=reference)
                except SecretError:
                    raise
                except Exception as exc:  # noqa: BLE001  # border: a plugin's own code
                    # Not chained and not quoted: what the plugin says may hold the secret.
                    msg = f"plugin {name!r} raised {type(exc).__name__} for {redact(reference)!r}"
                    raise SecretError(msg) from None
                if isinstance(secret, Secret):
                    return secret
                if secret is not None:
                    msg = f"plugin {name!r} gave {type(secret).__name__}, which is no flo2.Secret"
                    raise SecretError(msg)
            return None

        return resolve

    def _load_point(self, point: EntryPoint) -> None:
        dist = point.dist
        base = Loaded(point.name, dist.name if dist else "", dist.version if dist else "")
        if point.name in self._loaded:
            other = self._loaded[point.name].distribution
            self._loaded[point.name] = evolve(
                self._loaded[point.name],
                error=f"both {other!r} and {base.distribution!r} bring a plugin named "
                f"{point.name!r}; uninstall one",
            )
            return
        try:
            plugin = point.load()
        except Exception as exc:  # noqa: BLE001  # border: a plugin's own import
            error = f"{point.value} does not import: {_brief(exc)}"
            self._loaded[point.name] = evolve(base, error=error, cause=exc)
            return
        self._add(base, plugin)

    def _add(self, base: Loaded, plugin: object) -> None:
        self._loaded[base.name] = base
        if problem := _unfit(plugin):
            self._fail(base.name, problem)
            return
        if (same := self._manager.get_name(plugin)) is not None:
            self._fail(base.name, f"it is the same module as plugin {same!r}; uninstall one")
            return
        try:
            self._manager.register(plugin, name=base.name)
        except pluggy.PluginValidationError as exc:
            self._manager.unregister(name=base.name)
            self._fail(base.name, str(exc), exc)
            return
        callers = self._manager.get_hookcallers(plugin) or []
        if wrappers := _wrappers(callers, plugin):
            self._manager.unregister(name=base.name)
            self._fail(base.name, f"{wrappers[0]} is a hook wrapper; flo2 calls hooks one by one")
            return
        hooks = tuple(sorted(caller.name for caller in callers))
        self._loaded[base.name] = evolve(base, hooks=hooks)
        for slot, (hook, needs) in _SLOTS.items() if self._open else ():
            self._run_register(base.name, plugin, slot, hook, needs)

    def _run_register(
        self, name: str, plugin: object, slot: Slot, hook: str, needs: tuple[str, ...]
    ) -> None:
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            if impl.plugin is not plugin:
                continue
            try:
                impl.function(register=self._register(slot, name, needs))
            except PluginError as exc:
                self._fail(name, str(exc), exc)
            except Exception as exc:  # noqa: BLE001  # border: a plugin's own code
                self._fail(name, f"{hook} raised {_brief(exc)}", exc)

    def _register(self, slot: Slot, plugin: str, needs: tuple[str, ...]) -> hookspecs.Register:
        def register(item: type[Any], *, replace: bool = False) -> None:
            kind = getattr(item, "kind", None)
            if not isinstance(kind, str) or not kind:
                msg = f"{slot} {item!r} needs a class attribute `kind: str`"
                raise PluginError(msg)
            config = getattr(item, "Config", None)
            if not (inspect.isclass(config) and attrs.has(config)):
                msg = f"{slot} {kind!r} needs an attrs class `Config`"
                raise PluginError(msg)
            if missing := [need for need in needs if not hasattr(item, need)]:
                msg = f"{slot} {kind!r} lacks {', '.join(missing)}"
                raise PluginError(msg)
            if not inspect.isclass(item):
                msg = f"{slot} {kind!r} is {item!r}; register the class, flo2 makes the objects"
                raise PluginError(msg)
            other = self._slots[slot].get(kind)
            if other is not None and other.replaces and not replace:
                return  # the order of loading does not decide who replaces whom
            if other is not None and (other.replaces or not replace):
                msg = (
                    f"{slot} {kind!r} is registered by both {other.plugin!r} and {plugin!r}; "
                    "block one in [plugins] disable, or pass replace=True"
                )
                raise PluginError(msg)
            self._slots[slot][kind] = Registered(item, plugin, replace)

        return register

    def _fail(self, name: str, error: str, cause: BaseException | None = None) -> None:
        # The words are the plugin's own, and the admin API and logs show them.
        self._loaded[name] = evolve(self._loaded[name], error=redact(error), cause=cause)


def _unfit(plugin: object) -> str | None:
    """Say why a plugin cannot be registered at all, or None."""
    stated = getattr(plugin, "flo2_api", API_VERSION)
    match stated:
        case (int() as major, int() as minor):
            if major != API_VERSION[0] or minor > API_VERSION[1]:
                return f"it is made for plugin API {stated}, this is {API_VERSION}"
        case _:
            return f"flo2_api is {stated!r}; write it as (major, minor), such as {API_VERSION}"
    known = {name for name, _ in inspect.getmembers(hookspecs) if name.startswith("flo2_")}
    named = {name for name in dir(plugin) if name.startswith("flo2_") and name != "flo2_api"}
    if unknown := sorted(n for n in named - known if _is_hook(plugin, n)):
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"there is no hook named {unknown[0]!r}{hint}"
    if bare := sorted(n for n in named & known if not _is_hook(plugin, n)):
        return f"{bare[0]} is not marked: put @flo2.hookimpl above it"
    return None


def _is_hook(plugin: object, name: str) -> bool:
    return hasattr(getattr(plugin, name), f"{hookspecs.PROJECT}_impl")


def _wrappers(callers: Iterable[pluggy.HookCaller], plugin: object) -> list[str]:
    return [
        caller.name
        for caller in callers
        for impl in caller.get_hookimpls()
        if impl.plugin is plugin and (impl.wrapper or impl.hookwrapper)
    ]


def _brief(exc: BaseException) -> str:
    last = traceback.extract_tb(exc.__traceback__)
    where = f" ({last[-1].name}, line {last[-1].lineno})" if last else ""
    return f"{type(exc).__name__}: {exc}{where}"
