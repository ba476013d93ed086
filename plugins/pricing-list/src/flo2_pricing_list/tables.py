"""Read the curated tables of this package: what is compiled, not what a gateway reads.

Imports: schema, derived.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources

from flo2.prices import PriceRow
from flo2_pricing_list.derived import DEFAULTS_OF, derive
from flo2_pricing_list.schema import Table, parse

__all__ = ["read_tables"]


def read_tables() -> Table:
    """Read every table of `data`, and derive the rows that follow from them.

    Raises:
        PricingError: with one line per problem.
    """
    rows: list[PriceRow] = []
    defaults: dict[str, Mapping[str, frozenset[str]]] = {}
    folder = resources.files("flo2_pricing_list") / "data"
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        document = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        table = parse(document, file=file.name)
        rows += table.rows
        for provider, keys in table.defaults.items():
            defaults[provider] = {**defaults.get(provider, {}), **keys}
    rows += list(derive(rows))
    for kind, (origin, more) in DEFAULTS_OF.items():
        defaults[kind] = {**defaults[origin], **more, **defaults.get(kind, {})}
    return Table(tuple(rows), defaults)
