"""Find what a model's name stands for: by exact name, else by pattern.

Patterns of a large source are mostly names in any case, `(?i:alpha|beta)`, by the hundred: those
are found by a look into a dict, and only what may match is compiled.
Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

__all__ = ["NameIndex", "literal_names"]

_LITERALS: Final = re.compile(r"\(\?i:((?:[\w/:@ -]|\\\W)+(?:\|(?:[\w/:@ -]|\\\W)+)*)\)", re.ASCII)
_TOKEN: Final = re.compile(r"\\(\W)|(\|)|(.)", re.DOTALL)

T = TypeVar("T")


def literal_names(pattern: str) -> tuple[str, ...] | None:
    """Give the names, in lower case, that a pattern of nothing else matches in any case.

    Returns:
        None where the pattern is of another form.
    """
    found = _LITERALS.fullmatch(pattern)
    if found is None:
        return None
    names = [""]
    for escaped, bar, plain in _TOKEN.findall(found[1]):
        if bar:
            names.append("")
        else:
            names[-1] += (escaped or plain).lower()
    return tuple(names)


class NameIndex(Generic[T]):
    """Values by the names and patterns they are for; an exact name hides patterns."""

    __slots__ = ("_compiled", "_exact", "_folded", "_patterns", "_wild")

    def __init__(self, entries: Iterable[tuple[Iterable[str], str | None, T]]) -> None:
        """Index entries of (exact names, a pattern or None, a value)."""
        exact: dict[str, list[T]] = {}
        patterns: dict[str, list[T]] = {}
        for names, pattern, value in entries:
            for name in names:
                exact.setdefault(name, []).append(value)
            if pattern is not None:
                patterns.setdefault(pattern, []).append(value)
        self._exact: dict[str, tuple[T, ...]] = {name: tuple(all_) for name, all_ in exact.items()}
        self._patterns: dict[str, tuple[T, ...]] = {p: tuple(all_) for p, all_ in patterns.items()}
        self._folded: dict[str, list[str]] = {}
        self._wild: list[str] = []
        for pattern in patterns:
            literals = literal_names(pattern)
            if literals is None:
                self._wild.append(pattern)
            for name in literals or ():
                self._folded.setdefault(name, []).append(pattern)
        self._compiled: dict[str, re.Pattern[str]] = {}

    def names(self) -> Iterable[str]:
        """Give the exact names."""
        return self._exact.keys()

    def find(self, name: str) -> tuple[T, ...]:
        """Give the values of a name: by exact name, else of every pattern it matches."""
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        if name.isascii():
            candidates = [*dict.fromkeys(self._folded.get(name.lower(), ())), *self._wild]
        else:  # a few signs are letters in another case to `re`, and not to `str.lower`
            candidates = list(self._patterns)
        return tuple(
            value
            for pattern in candidates
            if self._matches(pattern, name)
            for value in self._patterns[pattern]
        )

    def _matches(self, pattern: str, name: str) -> bool:
        # Compiled at first use: most patterns of a large source are never asked for.
        compiled = self._compiled.get(pattern)
        if compiled is None:
            compiled = self._compiled[pattern] = re.compile(pattern)
        return compiled.fullmatch(name) is not None
