"""Past calls under other prices: for corrections of the ledger, and for what might have been.

Pure: is handed entries, gives figures and the records to be written. Imports: ledger, prices,
records, canonical, money.
"""

from __future__ import annotations

from flo2.repricing.alternatives import Alternative, alternatives
from flo2.repricing.compare import Compared, Difference, differences, overall
from flo2.repricing.replay import Pricer, context_of, usage_of
from flo2.repricing.reprice import Repriced, compare_books, corrections, price_anew, reprice
from flo2.repricing.scenario import Model, Scenario

__all__ = [
    "Alternative",
    "Compared",
    "Difference",
    "Model",
    "Pricer",
    "Repriced",
    "Scenario",
    "alternatives",
    "compare_books",
    "context_of",
    "corrections",
    "differences",
    "overall",
    "price_anew",
    "reprice",
    "usage_of",
]
