# ruff: noqa: S101  # asserting is what a suite does
"""What every price source must do.

    class TestMine(PriceSourceSuite):
        source = Mine

Imports: prices, protocols, testing.suites.plugin.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, get_args

import attrs

from flo2.plugins import Plugins
from flo2.prices import Evidence, Layer, PriceRow, build
from flo2.protocols import PriceSource
from flo2.services import Services
from flo2.testing.suites.plugin import PluginSuite
from flo2.wire import Wire

__all__ = ["PriceSourceSuite"]


class PriceSourceSuite(PluginSuite):
    """The tests; set `source`, and `options` where its `Config` needs some."""

    package: ClassVar[str]
    source: ClassVar[type[Any]]
    options: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the package from the class under test."""
        if "source" in vars(cls):
            cls.package = cls.source.__module__.partition(".")[0]
        super().__init_subclass__(**kwargs)

    def make(self) -> PriceSource:
        """Make the source."""
        item = self.source(self.source.Config(**self.options), Services(wire=Wire()))
        assert isinstance(item, PriceSource)
        return item

    def layer(self) -> Layer:
        """Give what it has as a layer of a book."""
        source = self.make()
        return Layer(source.kind, source.rows(), source.defaults())

    def test_it_satisfies_the_protocol_and_is_registered(self) -> None:
        """It has a kind and a config class, and its plugin registers this very class."""
        source = self.make()
        assert attrs.has(self.source.Config)
        plugins = Plugins.load(only=[self.entry_point().name], strict=True)
        assert plugins.get("pricing", source.kind) is self.source

    def test_every_row_is_dated_and_says_where_it_was_read(self) -> None:
        """A price nobody can look up again is a rumour."""
        rows = self.layer().rows
        assert rows
        for row in rows:
            assert isinstance(row, PriceRow)
            assert row.source, row.id
            assert isinstance(row.read_on, date), row.id
            assert row.evidence in get_args(Evidence), row.id

    def test_row_ids_are_unique(self) -> None:
        """A cost line names its row."""
        counts = Counter(row.id for row in self.layer().rows)
        assert [each for each, count in counts.items() if count > 1] == []

    def test_its_rows_make_a_book(self) -> None:
        """No two rows of it match the same usage, and it names models."""
        layer = self.layer()
        book = build([layer])
        named: defaultdict[str, set[str]] = defaultdict(set)
        for row in layer.rows:
            named[row.provider] |= row.models
        for provider, names in named.items():
            assert names == set(book.models(provider))

    def test_two_readings_give_the_same_book(self) -> None:
        """The version of a book is its content, so the same rows in any order give the same."""
        layer = self.layer()
        turned = Layer(layer.name, reversed(tuple(layer.rows)), layer.defaults)
        assert build([layer]).version == build([self.layer()]).version == build([turned]).version

    def test_its_defaults_are_of_providers_it_prices(self) -> None:
        """A default for a provider without rows would change nothing, and hides a typing error."""
        layer = self.layer()
        assert set(layer.defaults) <= {row.provider for row in layer.rows}
