"""What a term of a contract is about: providers, models, meters, circumstances, and a time.

Pure. Imports: errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from attrs import field, frozen

__all__ = ["Scope", "Validity", "patterns_meet"]

_WILD: Final = re.compile(r"[*?\[]")


@frozen
class Validity:
    """A stretch of time.

    Attributes:
        since: First instant, inclusive (UTC).
        until: First instant past it; None: no end.
    """

    since: datetime
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Say whether an instant lies in it."""
        return self.since <= at and (self.until is None or at < self.until)

    def ends(self) -> set[datetime]:
        """Give the instants at which it begins and ends."""
        return {self.since} if self.until is None else {self.since, self.until}

    def meets(self, other: Validity) -> bool:
        """Say whether the two have an instant in common."""
        return (self.until is None or other.since < self.until) and (
            other.until is None or self.since < other.until
        )

    def clipped(self, other: Validity) -> Validity | None:
        """Give what they have in common, or None."""
        if not self.meets(other):
            return None
        ends = [each for each in (self.until, other.until) if each is not None]
        return Validity(max(self.since, other.since), min(ends, default=None))


@frozen
class Scope:
    """Which cost lines a term is about; a part that says nothing leaves nothing out.

    Attributes:
        providers, models, meters: Names, or patterns as `fnmatch` has them (`big-*`).
        when: Context key → values; a key that is not here may have any value, "" is not stated.
    """

    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()
    when: Mapping[str, frozenset[str]] = field(factory=dict)

    def covers(self, provider: str, model: str, context: Mapping[str, str]) -> bool:
        """Say whether calls of a model in a context are inside, some meters of them at least."""
        return self.covers_model(provider, model) and all(
            context.get(key, "") in values for key, values in self.when.items()
        )

    def covers_model(self, provider: str, model: str) -> bool:
        """Say whether calls of a model are inside, in some context at least."""
        return _matches(self.providers, provider) and _matches(self.models, model)

    def counts(self, meter: str) -> bool:
        """Say whether a meter is inside."""
        return _matches(self.meters, meter)

    def meets(self, other: Scope) -> bool:
        """Say whether some line may be inside both; in doubt, yes."""
        return (
            patterns_meet(self.providers, other.providers)
            and patterns_meet(self.models, other.models)
            and patterns_meet(self.meters, other.meters)
            and not any(
                self.when[key].isdisjoint(other.when[key])
                for key in self.when.keys() & other.when.keys()
            )
        )


def _matches(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def patterns_meet(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Say whether some name may match a pattern of each list; an empty list is every name."""
    return not ones or not others or any(_meet(one, other) for one in ones for other in others)


def _meet(one: str, other: str) -> bool:
    if not _WILD.search(one):
        return fnmatchcase(one, other)
    if not _WILD.search(other):
        return fnmatchcase(other, one)
    # Two patterns: apart for certain where what stands before their first wildcards differs.
    first, second = _WILD.split(one, 1)[0], _WILD.split(other, 1)[0]
    return first.startswith(second) or second.startswith(first)
