"""The plugin is what every plugin must be."""

from __future__ import annotations

from flo2.testing.suites.plugin import PluginSuite


class TestPackage(PluginSuite):
    package = "flo2_platform_fee"
