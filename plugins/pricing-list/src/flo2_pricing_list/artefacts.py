"""The compiled prices that come with this package; see `compile`.

Imports: prices.
"""

from __future__ import annotations

from importlib import resources

from flo2.prices import PackedRows

__all__ = ["path_of", "read_artefact"]


def path_of(name: str) -> str:
    """Give where an artefact lies inside the package."""
    return f"compiled/{name}.jsonl"


def read_artefact(name: str) -> PackedRows:
    """Read an artefact.

    Raises:
        PricingError: it is not what was written.
    """
    data = (resources.files("flo2_pricing_list") / path_of(name)).read_bytes()
    return PackedRows(data, name=f"the compiled prices {name!r} of flo2-pricing-list")
