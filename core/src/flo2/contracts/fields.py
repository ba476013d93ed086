"""Read the fields of a parsed document one by one, and collect all that is wrong with them.

Pure. Imports: canonical, money.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.money import ZERO, exact, text

__all__ = ["Fields", "Problems", "as_json"]

_TOKEN_METERS: Final = (*INPUT_METERS, *OUTPUT_METERS)
_NEAR: Final = 0.85
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9998
"""Nobody agreed on models before, and a month past the last one has no end."""


class Problems:
    """What is wrong with a document, one line each: `what @ path`."""

    def __init__(self, document: str) -> None:
        """Begin with nothing wrong."""
        self.document: str = document
        self.found: list[str] = []

    def add(self, path: str, problem: str) -> None:
        """Note a problem, once."""
        line = f"{problem} @ {self.document}: {path}"
        if line not in self.found:
            self.found.append(line)


class Fields:
    """A table of a document; what is missing or wrong is noted, and read as its default.

    Args:
        table: The table, or what stands in its place.
        path: Where it is, for problems.
        problems: Where they go.
        known: Every key that it may have.
    """

    def __init__(self, table: object, path: str, problems: Problems, known: Iterable[str]) -> None:
        self._path = f"{path}." if path else ""
        self._problems = problems
        self._table: Mapping[str, Any] = {}
        if not isinstance(table, Mapping):
            problems.add(path, f"expected a table, got {_shown(table)}")
            return
        self._table = table
        names = sorted(known)
        for key in sorted(str(key) for key in table):
            if key not in names:
                near = difflib.get_close_matches(key, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
                self.bad(key, f"unknown key {key!r}; {hint}")

    def bad(self, key: str, problem: str) -> None:
        """Note a problem of a key."""
        self._problems.add(f"{self._path}{key}".rstrip("."), problem)

    def has(self, key: str) -> bool:
        """Say whether a key is there."""
        return self._table.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text that is not empty."""
        value = self._table.get(key, default)
        if isinstance(value, str) and (value or default == ""):
            return value
        self.bad(key, f"missing text {key!r}" if value is None else f"no text: {_shown(value)}")
        return ""

    def choice(self, key: str, choices: Sequence[str], default: str) -> Any:
        """Read one of a few words."""
        value = self._table.get(key, default)
        if value in choices:
            return value
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.bad(key, f"expected one of {', '.join(choices)}, got {_shown(value)}{hint}")
        return default

    def flag(self, key: str) -> bool:
        """Read true or false; false where it is not there."""
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            self.bad(key, f"expected true or false, got {_shown(value)}")
        return value is True

    def whole(self, key: str, default: int, *, least: int) -> int:
        """Read a whole number."""
        value = self._table.get(key, default)
        if type(value) is int and value >= least:
            return value
        self.bad(key, f"expected a whole number of {least} or more, got {_shown(value)}")
        return default

    def number(
        self,
        key: str,
        default: Decimal | None = None,
        *,
        most: Decimal | None = None,
        above: bool = False,
    ) -> Decimal:
        """Read an exact number of 0 or more.

        Args:
            key: Where.
            default: What it is where it is missing; None: it must be there.
            most: The largest that is taken.
            above: Zero is not taken either.
        """
        value = self._table.get(key, default)
        if value is None:
            self.bad(key, f"missing number {key!r}")
            return ZERO
        return self.as_number(key, value, most=most, above=above) or ZERO

    def as_number(
        self, key: str, value: object, *, most: Decimal | None = None, above: bool = False
    ) -> Decimal | None:
        """Read a value as a number, or note why it is none."""
        try:
            number = exact(value)  # type: ignore[arg-type]  # it refuses what is neither
        except (TypeError, ValueError) as exc:
            self.bad(key, f"{exc}")
            return None
        if number < 0:
            self.bad(key, f"{text(number)} is negative")
        elif above and not number:
            self.bad(key, f"{key!r} must be more than 0")
        elif most is not None and number > most:
            self.bad(key, f"{text(number)} is more than {text(most)}")
        else:
            return number
        return None

    def words(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; one text is a list of one."""
        value = self._table.get(key, ())
        if isinstance(value, str):
            value = (value,)
        if isinstance(value, list | tuple) and all(isinstance(w, str) and w for w in value):
            return tuple(value)
        self.bad(key, f"expected a list of texts, got {_shown(value)}")
        return ()

    def meter(self, key: str, name: str) -> None:
        """Note a name that is likely a meter's, misspelt: it would never match anything."""
        near = difflib.get_close_matches(name, _TOKEN_METERS, 1, _NEAR)
        if near and name not in _TOKEN_METERS:
            self.bad(key, f"unknown meter {name!r}; did you mean {near[0]!r}?")

    def when(self, key: str = "when") -> Mapping[str, frozenset[str]]:
        """Read context values: key → list of texts ("": not stated)."""
        value = self._table.get(key, {})
        if not isinstance(value, Mapping):
            self.bad(key, f"expected a table of lists, got {_shown(value)}")
            return {}
        found = {}
        for name, values in value.items():
            given = [values] if isinstance(values, str) else values
            if isinstance(given, list) and given and all(isinstance(v, str) for v in given):
                found[str(name)] = frozenset(given)
            else:
                self.bad(f"{key}.{name}", f"expected a list of texts, got {_shown(values)}")
        return found

    def instant(self, key: str) -> datetime | None:
        """Read an instant: a date is its first moment in UTC."""
        found = self._table.get(key)
        if found is None:
            return None
        if isinstance(found, str):
            try:
                read = datetime if "T" in found or " " in found else date
                found = read.fromisoformat(found)
            except ValueError:
                found = None
        given = self._table.get(key)
        if type(found) is date:
            found = datetime.combine(found, time(), UTC)
        if not isinstance(found, datetime) or found.tzinfo is None:
            self.bad(
                key, f"expected a date (of UTC) or an instant with its zone, got {_shown(given)}"
            )
        elif not _FIRST_YEAR <= found.year <= _LAST_YEAR:
            self.bad(key, f"{_shown(given)} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
        else:
            return found.astimezone(UTC)
        return None

    def tables(self, key: str) -> list[tuple[object, str]]:
        """Give the tables of a list, each with its path."""
        value = self._table.get(key, [])
        if isinstance(value, list | tuple):
            return [(each, f"{self._path}{key}[{index}]") for index, each in enumerate(value)]
        self.bad(key, f"expected a list of tables, got {_shown(value)}")
        return []

    def items(self, key: str) -> list[tuple[str, object]]:
        """Give what a table in it holds."""
        value = self._table.get(key, {})
        if isinstance(value, Mapping) and value:
            return [(str(name), each) for name, each in value.items()]
        self.bad(key, f"expected a table that is not empty, got {_shown(value)}")
        return []


def as_json(value: Any) -> Any:
    """Write a parsed document as JSON values: numbers with a point and dates are texts."""
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, Decimal):
        try:
            return text(exact(value))
        except ValueError:  # no money, or a number that would be written with a billion digits
            return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
