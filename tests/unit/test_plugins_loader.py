"""Loading plugins: one that fails loses only itself, and says why."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from attrs import frozen

from flo2.errors import PluginError
from flo2.hookspecs import hookimpl
from flo2.plugins import API_VERSION, Loaded, Plugins


def provider(kind):
    """Make a class that is registered as a provider of this kind."""

    @frozen
    class Config:
        pass

    return type("Made", (), {"kind": kind, "Config": Config, "chat": None, "facts": None})


class Registers:
    """A plugin that registers these classes as providers."""

    def __init__(self, *items, replace=False):
        self._items = items
        self._replace = replace

    @hookimpl
    def flo2_register_providers(self, register):
        for item in self._items:
            register(item, replace=self._replace)


def load(**extra):
    return Plugins.load(found=(), extra=extra)


def errors(plugins):
    return {plugin.name: plugin.error for plugin in plugins.loaded}


@pytest.fixture
def installed(monkeypatch):
    """Return a function that makes an entry point to a module with these names."""

    def install(name, **content):
        module = ModuleType(f"fake_{name.replace('-', '_')}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, "flo2")

    return install


# What loads ---------------------------------------------------------------------------------------


def test_what_a_plugin_registers_is_found_with_its_origin():
    acme = provider("acme")
    plugins = load(first=Registers(acme))
    assert plugins.loaded == (Loaded("first", hooks=("flo2_register_providers",)),)
    assert plugins.get("provider", "acme") is acme
    assert plugins.origin("provider", "acme") == "first"
    assert plugins.kinds("provider") == ("acme",)


def test_without_slots_nothing_is_registered_and_the_other_hooks_answer():
    class Named(Registers):
        @hookimpl
        def flo2_register_commands(self, cli):
            return cli

    plugins = Plugins.load(found=(), extra={"first": Named(provider("acme"))}, slots=False)
    assert plugins.kinds("provider") == ()
    assert plugins.results("flo2_register_commands", cli="root") == [("first", "root")]
    assert errors(plugins) == {"first": None}


def test_entry_points_load_in_the_order_of_their_names(installed):
    order = []

    def registering(name):
        @hookimpl
        def flo2_register_providers(register):
            order.append(name)

        return {"flo2_register_providers": flo2_register_providers}

    points = [installed(name, **registering(name)) for name in ("provider-b", "provider-a")]
    plugins = Plugins.load(found=points)
    assert order == ["provider-a", "provider-b"]
    assert errors(plugins) == {"provider-a": None, "provider-b": None}


def test_disable_and_only_choose_before_anything_is_imported():
    points = [EntryPoint(name, f"no_such_module_{name}", "flo2") for name in ("a", "b", "c")]
    assert list(errors(Plugins.load(found=points, disable=["a", "b"]))) == ["c"]
    assert list(errors(Plugins.load(found=points, only=["a"]))) == ["a"]
    assert errors(Plugins.load(found=points, only=[])) == {}
    assert errors(Plugins.load(found=points, only=["a"], disable=["a"])) == {}


def test_only_says_what_is_not_installed():
    plugins = Plugins.load(found=(), only=["provider-acme"])
    assert errors(plugins) == {
        "provider-acme": "no plugin of this name is installed; see: flo2 plugins"
    }


def test_two_loaders_share_nothing():
    one, two = load(a=Registers(provider("acme"))), load(b=Registers(provider("other")))
    assert (one.kinds("provider"), two.kinds("provider")) == (("acme",), ("other",))
    assert (list(errors(one)), list(errors(two))) == (["a"], ["b"])
    assert one.results("flo2_routes", gateway=None) == []


# What does not ------------------------------------------------------------------------------------


def test_a_broken_import_loses_only_its_plugin(installed):
    good = Registers(provider("good"))
    points = [
        EntryPoint("provider-broken", "no_such_module_of_flo2", "flo2"),
        installed("provider-good", flo2_register_providers=good.flo2_register_providers),
    ]
    plugins = Plugins.load(found=points)
    broken, fine = plugins.loaded
    assert broken.error is not None
    assert broken.error.startswith(
        "no_such_module_of_flo2 does not import: "
        "ModuleNotFoundError: No module named 'no_such_module_of_flo2'"
    )
    assert isinstance(broken.cause, ModuleNotFoundError)
    assert (fine.name, fine.error) == ("provider-good", None)
    assert plugins.kinds("provider") == ("good",)
    with pytest.raises(PluginError, match="plugin 'provider-broken' does not load: ") as caught:
        plugins.get("provider", "broken")
    assert caught.value.__cause__ is broken.cause


def test_strict_raises_the_first_error_with_its_cause():
    point = EntryPoint("provider-broken", "no_such_module_of_flo2", "flo2")
    with pytest.raises(PluginError, match="'provider-broken' does not load") as caught:
        Plugins.load(found=[point], strict=True)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_raising_register_loses_what_comes_after_it_and_no_other_plugin():
    class Raises:
        @hookimpl
        def flo2_register_providers(self, register):
            register(provider("early"))
            raise RuntimeError("not today")

        @hookimpl
        def flo2_register_strategies(self, register):
            @frozen
            class Config:
                pass

            register(type("Made", (), {"kind": "s", "Config": Config, "plan": None}))

    plugins = load(bad=Raises(), good=Registers(provider("good")))
    bad, good = plugins.loaded
    assert bad.error is not None
    assert bad.error.startswith("flo2_register_providers raised RuntimeError: not today (")
    assert isinstance(bad.cause, RuntimeError)
    assert good.error is None
    assert plugins.kinds("provider") == ("early", "good")
    assert plugins.kinds("strategy") == ("s",)


def test_a_clash_names_both_and_keeps_the_first():
    first, second = provider("acme"), provider("acme")
    plugins = load(a=Registers(first), b=Registers(second))
    assert errors(plugins) == {
        "a": None,
        "b": "provider 'acme' is registered by both 'a' and 'b'; "
        "block one in [plugins] disable, or pass replace=True",
    }
    assert plugins.get("provider", "acme") is first


@pytest.mark.parametrize(("original", "better"), [("a", "b"), ("b", "a")])
def test_replacing_on_purpose_works_in_either_order(original, better):
    first, second = provider("acme"), provider("acme")
    plugins = load(**{original: Registers(first), better: Registers(second, replace=True)})
    assert errors(plugins) == {"a": None, "b": None}
    assert plugins.get("provider", "acme") is second
    assert plugins.origin("provider", "acme") == better


def test_two_that_replace_the_same_clash():
    replacing = [Registers(provider("acme"), replace=True) for _ in range(2)]
    plugins = load(a=replacing[0], b=replacing[1])
    assert errors(plugins)["a"] is None
    assert str(errors(plugins)["b"]).startswith("provider 'acme' is registered by both 'a' and 'b'")


def test_two_distributions_with_one_plugin_name_clash(installed):
    points = [installed("provider-x", a=1), EntryPoint("provider-x", "zzz_another", "flo2")]
    plugins = Plugins.load(found=points)
    assert errors(plugins) == {
        "provider-x": "both '' and '' bring a plugin named 'provider-x'; uninstall one"
    }


def test_a_plugin_handed_over_does_not_push_out_an_installed_one(installed):
    good = Registers(provider("good"))
    point = installed("mine", flo2_register_providers=good.flo2_register_providers)
    plugins = Plugins.load(found=[point], extra={"mine": Registers(provider("other"))})
    assert errors(plugins) == {"mine": "a plugin named 'mine' is installed and also handed over"}
    assert plugins.kinds("provider") == ("good",)


def test_one_module_under_two_names_is_told():
    same = Registers(provider("acme"))
    plugins = load(a=same, b=same)
    assert errors(plugins) == {
        "a": None,
        "b": "it is the same module as plugin 'a'; uninstall one",
    }
    assert plugins.kinds("provider") == ("acme",)


@pytest.mark.parametrize(
    ("stated", "error"),
    [
        (API_VERSION, None),
        ((1, 0), None),
        ((1, 99), "it is made for plugin API (1, 99), this is (1, 0)"),
        ((2, 0), "it is made for plugin API (2, 0), this is (1, 0)"),
        ((0, 9), "it is made for plugin API (0, 9), this is (1, 0)"),
        ("1.0", "flo2_api is '1.0'; write it as (major, minor), such as (1, 0)"),
        (1, "flo2_api is 1; write it as (major, minor), such as (1, 0)"),
        ((1,), "flo2_api is (1,); write it as (major, minor), such as (1, 0)"),
    ],
)
def test_the_api_version_is_checked(stated, error):
    plugin = Registers(provider("acme"))
    plugin.flo2_api = stated
    plugins = load(p=plugin)
    assert errors(plugins) == {"p": error}
    assert plugins.kinds("provider") == (("acme",) if error is None else ())


def test_a_misspelt_hook_is_an_error_with_the_right_name():
    class Misspelt:
        @hookimpl
        def flo2_register_provider(self, register):
            register(provider("acme"))

    assert errors(load(p=Misspelt())) == {
        "p": "there is no hook named 'flo2_register_provider'; "
        "did you mean 'flo2_register_providers'?"
    }


def test_a_forgotten_mark_is_an_error():
    class Unmarked:
        def flo2_register_providers(self, register):
            register(provider("acme"))

    assert errors(load(p=Unmarked())) == {
        "p": "flo2_register_providers is not marked: put @flo2.hookimpl above it"
    }


def test_an_argument_no_hook_has_is_an_error():
    class Odd:
        @hookimpl
        def flo2_register_providers(self, register, gateway):
            register(provider("acme"))

    plugins = load(p=Odd(), q=Registers(provider("good")))
    found = errors(plugins)
    assert found["q"] is None
    assert "gateway" in str(found["p"])
    assert plugins.kinds("provider") == ("good",)


class NoConfig:
    kind: ClassVar[str] = "x"
    Config: ClassVar[type] = dict


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (type("A", (), {}), "needs a class attribute `kind: str`"),
        (type("A", (), {"kind": ""}), "needs a class attribute `kind: str`"),
        (NoConfig, "provider 'x' needs an attrs class `Config`"),
        (
            type("A", (), {"kind": "x", "Config": provider("x").Config, "chat": None}),
            "provider 'x' lacks facts",
        ),
        (provider("x")(), "register the class, flo2 makes the objects"),
    ],
)
def test_a_class_that_does_not_fit_its_slot_is_refused(item, error):
    plugins = load(p=Registers(item))
    assert error in str(errors(plugins)["p"])
    assert plugins.kinds("provider") == ()


def test_an_unknown_kind_says_what_there_is():
    plugins = load(p=Registers(provider("a"), provider("b")))
    with pytest.raises(PluginError) as caught:
        plugins.get("provider", "acme")
    assert str(caught.value) == (
        "no provider kind 'acme'; installed: a, b; a plugin that adds it is not installed"
    )


def test_an_unknown_kind_names_the_one_that_is_near_and_no_package():
    plugins = load(p=Registers(provider("sandbox"), provider("b")))
    with pytest.raises(PluginError) as caught:
        plugins.get("provider", "sandbx")
    assert str(caught.value) == (
        "no provider kind 'sandbx'; installed: b, sandbox; did you mean 'sandbox'?"
    )


def test_a_collecting_hook_survives_one_that_raises():
    class Routes:
        def __init__(self, answer):
            self._answer = answer

        @hookimpl
        def flo2_routes(self, gateway):
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

    plugins = load(a=Routes({"/x": 1}), b=Routes(RuntimeError("no")), c=Routes(None))
    assert plugins.results("flo2_routes", gateway=SimpleNamespace()) == [("a", {"/x": 1})]
    found = errors(plugins)
    assert (found["a"], found["c"]) == (None, None)
    assert str(found["b"]).startswith("flo2_routes raised RuntimeError: no (")
