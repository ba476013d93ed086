"""Fields by which a vendor finds its own things again, and which no model is told.

They are kept for the dialect they came from like all unmodelled fields; in another nothing is lost
with them. Imports: nothing of flo2.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BOOKKEEPING"]

BOOKKEEPING: Final = frozenset({"id", "item", "phase", "status"})
"""The id and the state of an item of a conversation, and what kind of message it is.

Source: https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25).
"""
