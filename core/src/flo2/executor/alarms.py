"""Say in the log, once each, what providers told of their usage that cannot be booked.

A count that nobody has modelled, or a sum that does not add up, prices nothing: the entry is
pending and its receipt says why. That is for one call; that it happens at all is for the operator.
Imports: nothing of flo2.
"""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = ["Alarms"]

_log = logging.getLogger("flo2.usage")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_MOST: Final = 1000
"""Different things said; their words come from answers, so they are bounded."""


class Alarms:
    """What has been said."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self._said: set[tuple[str, str, str]] = set()

    def doubt(self, provider: str, api: str, problem: str, entry_id: str) -> None:
        """Warn of usage that cannot be trusted, unless the like of it has been said.

        Args:
            provider: Whose.
            api: Of which of its APIs.
            problem: What is wrong; the same with other numbers is the same.
            entry_id: Where it stands.
        """
        what = (provider, api, _NUMBER.sub("#", problem))
        if what in self._said or len(self._said) >= _MOST:
            return
        self._said.add(what)
        _log.warning(
            "usage of %s (%s) cannot be priced: %s; entry %s and others like it are pending: "
            "flo2 calls show %s",
            provider,
            api,
            problem,
            entry_id,
            entry_id.rpartition(".")[0],
        )
