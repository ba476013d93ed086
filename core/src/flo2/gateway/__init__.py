"""The gateway: composes every part, and takes calls. `Gateway` is the name to use."""

from __future__ import annotations

from flo2.gateway.answer import Answer
from flo2.gateway.exchange import OpenExchange
from flo2.gateway.gateway import Gateway, default_data_dir
from flo2.gateway.receipts import entry_json, receipt_json

__all__ = [
    "Answer",
    "Gateway",
    "OpenExchange",
    "default_data_dir",
    "entry_json",
    "receipt_json",
]
