"""Take typed fields out of parsed JSON, keep the rest, and put the rest back.

What nobody models is a *residue*: the same JSON shape without the known fields. It becomes the
`extras` of a canonical value and is merged in again when the value is written for its own dialect.
Imports: errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from flo2.errors import InvalidRequest

__all__ = ["Fields", "merge", "residue"]

T = TypeVar("T")

_WORDS: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def residue(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the unknown fields of an object."""
    return {key: each for key, each in value.items() if key not in known}


def merge(known: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    """Put residue back: known fields win, objects on both sides are merged one level down."""
    for key, value in extras.items():
        present = known.get(key)
        if key not in known:
            known[key] = value
        elif isinstance(present, dict) and isinstance(value, Mapping):
            known[key] = {**value, **present}
    return known


class Fields:
    """One JSON object while it is read; remembers its path for errors.

    Args:
        value: The object.
        path: Where it stands (`messages[0]`), "" for the top level.
        known: Fields that are modelled; all others are the residue.
    """

    __slots__ = ("_known", "path", "value")

    def __init__(self, value: Any, path: str, known: frozenset[str]) -> None:
        if not isinstance(value, dict):
            raise wrong(path, value, "an object")
        self.value: dict[str, Any] = value
        self.path: str = path
        self._known = known

    def at(self, key: str) -> str:
        """Name the path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str, kind: type[T]) -> T | None:
        """Return a field of one type, or None when it is absent or null.

        Raises:
            InvalidRequest: another type.
        """
        found = self.value.get(key)
        if found is None:
            return None
        if kind is float and isinstance(found, int) and not isinstance(found, bool):
            return found  # type: ignore[return-value]  # an int is a number; it keeps its form
        if kind is int and isinstance(found, float) and found.is_integer():
            return int(found)  # type: ignore[return-value]  # kind is int here
        if not isinstance(found, kind) or (kind in {int, float} and isinstance(found, bool)):
            raise wrong(self.at(key), found, _WORDS.get(kind, kind.__name__))
        return found

    def need(self, key: str, kind: type[T]) -> T:
        """Return a field that must be there.

        Raises:
            InvalidRequest: absent, null, or of another type.
        """
        found = self.get(key, kind)
        if found is None:
            path = self.at(key)
            raise InvalidRequest(
                f"the field {path!r} is missing; add it to the request body",
                code="missing_field",
                param=path,
            )
        return found

    def rest(self) -> dict[str, Any]:
        """Return the residue."""
        return residue(self.value, self._known)


def wrong(path: str, value: Any, wanted: str) -> InvalidRequest:
    """Say that a field has the wrong type."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InvalidRequest(
        f"the field {path!r} is {shown}; send {wanted}", code="invalid_type", param=path
    )
