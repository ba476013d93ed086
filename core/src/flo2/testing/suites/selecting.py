"""Which tests of a suite a plugin runs: those whose abilities it has, by facts and not by skips.

Imports: the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Selecting", "needs"]

_T = TypeVar("_T", bound=Callable[..., Any])
_MARK = "__flo2_needs__"


def needs(ability: str) -> Callable[[_T], _T]:
    """Mark a test as one for plugins that have an ability."""

    def mark(test: _T) -> _T:
        setattr(test, _MARK, {ability, *getattr(test, _MARK, ())})
        return test

    return mark


class Selecting:
    """Leaves tests out of a subclass that has not the ability they need."""

    @classmethod
    def abilities(cls) -> frozenset[str] | None:
        """Say what the plugin under test can do; None: there is none yet, this is a suite."""
        return None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hide from pytest what does not apply."""
        super().__init_subclass__(**kwargs)
        have = cls.abilities()
        if have is None:
            return
        for name in dir(cls):
            if not getattr(getattr(cls, name), _MARK, have) <= have:
                setattr(cls, name, None)
