"""The conformance kit: what every plugin must do, as tests it can inherit.

    from flo2.testing import ProviderSuite

    class TestAcme(ProviderSuite):
        provider = Acme

pytest imports this package at start, through `flo2.testing._pytest_plugin`, so it loads nothing
heavy: a name is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flo2.testing.asgi import ASGIDriver as ASGIDriver
    from flo2.testing.suites.plugin import PluginSuite as PluginSuite
    from flo2.testing.suites.pricing import PriceSourceSuite as PriceSourceSuite
    from flo2.testing.suites.provider import ProviderSuite as ProviderSuite
    from flo2.testing.suites.store import StoreSuite as StoreSuite
    from flo2.testing.suites.strategy import FakeView as FakeView
    from flo2.testing.suites.strategy import StrategySuite as StrategySuite
    from flo2.testing.upstream import FakeUpstream as FakeUpstream

_MODULES = {
    "ASGIDriver": "flo2.testing.asgi",
    "FakeUpstream": "flo2.testing.upstream",
    "FakeView": "flo2.testing.suites.strategy",
    "PluginSuite": "flo2.testing.suites.plugin",
    "PriceSourceSuite": "flo2.testing.suites.pricing",
    "ProviderSuite": "flo2.testing.suites.provider",
    "StoreSuite": "flo2.testing.suites.store",
    "StrategySuite": "flo2.testing.suites.strategy",
}

__all__ = [
    "ASGIDriver",
    "FakeUpstream",
    "FakeView",
    "PluginSuite",
    "PriceSourceSuite",
    "ProviderSuite",
    "StoreSuite",
    "StrategySuite",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
