# ruff: noqa: S101  # asserting is what a suite does
"""What every plugin must be: a typed package, found by its entry point, quick to import.

    class TestPackage(PluginSuite):
        package = "flo2_provider_acme"

Imports: plugins, hookspecs, testing.suites.selecting.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module, resources
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar

from flo2 import hookspecs
from flo2.plugins import API_VERSION, GROUP, Plugins
from flo2.testing.suites.selecting import Selecting

__all__ = ["PluginSuite"]

_HEAVY = ("torch", "faiss", "transformers", "sentence_transformers", "scipy", "pandas")
_IMPORT_S = 1.0
_PROBE = """
import importlib, sys, time
before = time.process_time()
importlib.import_module({package!r})
print(time.process_time() - before, *(name for name in {heavy!r} if name in sys.modules))
"""


class PluginSuite(Selecting):
    """The tests; set `package`."""

    package: ClassVar[str]
    """Import name of the plugin's package."""

    @classmethod
    def entry_point(cls) -> EntryPoint:
        """Find the plugin's entry point."""
        found = [p for p in entry_points(group=GROUP) if p.value.split(":")[0] == cls.package]
        assert len(found) == 1, f"{cls.package} has {len(found)} entry points in group {GROUP!r}"
        return found[0]

    def test_its_entry_point_is_named_after_its_distribution(self) -> None:
        """`flo2-provider-acme` is found as `provider-acme`."""
        point = self.entry_point()
        assert point.dist is not None
        assert point.dist.name == f"flo2-{point.name}"

    def test_it_loads_without_an_error(self) -> None:
        """It registers what it has, alone beside the core."""
        plugins = Plugins.load(only=[self.entry_point().name], strict=True)
        assert [(p.name, p.error) for p in plugins.loaded] == [(self.entry_point().name, None)]
        assert plugins.loaded[0].hooks

    def test_its_hooks_exist(self) -> None:
        """A misspelt hook is an error, so every `flo2_` function is one of ours."""
        known = {name for name, _ in inspect.getmembers(hookspecs) if name.startswith("flo2_")}
        module = import_module(self.package)
        assert {n for n in vars(module) if n.startswith("flo2_")} - {"flo2_api"} <= known | {
            name for name in vars(module) if inspect.ismodule(getattr(module, name))
        }

    def test_its_api_version_is_ours(self) -> None:
        """The version it states, if any, is one this core serves."""
        major, minor = getattr(import_module(self.package), "flo2_api", API_VERSION)
        assert major == API_VERSION[0]
        assert minor <= API_VERSION[1]

    def test_it_is_a_typed_package(self) -> None:
        """It is a package with `py.typed`, so that type checkers believe its annotations."""
        assert resources.files(self.package).joinpath("py.typed").is_file()

    def test_it_imports_quickly_and_without_heavy_libraries(self) -> None:
        """Heavy libraries are imported by the class that needs them, when it is made."""
        probe = _PROBE.format(package=self.package, heavy=_HEAVY)
        done = subprocess.run(  # noqa: S603  # this very interpreter, with a text of ours
            [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        seconds, *heavy = done.stdout.split()
        assert heavy == []
        assert float(seconds) < _IMPORT_S
