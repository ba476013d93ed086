"""The ledger: every attempt written down before it is made, and how it ended after.

Imports: records, stores, prices, money, errors.
"""

from __future__ import annotations

from flo2.ledger.adjusted import PRICE_CAUSES, Adjusted, adjusted_entries
from flo2.ledger.adoption import Adopted
from flo2.ledger.chain import chain_links, verify
from flo2.ledger.corrections import CORRECTIONS, Corrections
from flo2.ledger.frames import Damage
from flo2.ledger.journal import Journal, new_writer_id
from flo2.ledger.ledger import Ledger
from flo2.ledger.receipt import Receipt
from flo2.sums import (
    DIMENSIONS,
    UsageRow,
    check_dimensions,
    group_value,
    overall,
    summarise,
)

__all__ = [
    "CORRECTIONS",
    "DIMENSIONS",
    "PRICE_CAUSES",
    "Adjusted",
    "Adopted",
    "Corrections",
    "Damage",
    "Journal",
    "Ledger",
    "Receipt",
    "UsageRow",
    "adjusted_entries",
    "chain_links",
    "check_dimensions",
    "group_value",
    "new_writer_id",
    "overall",
    "summarise",
    "verify",
]
