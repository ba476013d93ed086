"""An append-only list of texts in a store, numbered from 1 without a gap.

`Store.first_setting` writes a number once: of several writers that offer a text for it, one
succeeds and all see the same. Imports: nothing of flo2_platform_fee.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flo2 import Store

__all__ = ["Slots", "canonical"]


def canonical(value: Any) -> str:
    """Write JSON values in one form: equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class Slots:
    """The list under a name.

    Args:
        store: Where.
        name: Prefix of its settings.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def read(self, number: int) -> str | None:
        """Give a text, or None where nobody has written yet."""
        return self._store.setting(f"{self._name}/{number}")

    def offer(self, number: int, text: str) -> str:
        """Write the text of a number that has none; give what it is now."""
        return self._store.first_setting(f"{self._name}/{number}", text)

    def head(self) -> int:
        """Give the last number, in as many reads as it has binary digits, twice."""
        high = 1
        while self.read(high) is not None:
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.read(middle) is None else (middle, high)
        return low

    def __iter__(self) -> Iterator[str]:
        """Give the texts in order, one at a time."""
        number = 1
        while (text := self.read(number)) is not None:
            yield text
            number += 1
