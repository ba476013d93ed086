"""A small language for the shapes of JSON values.

    USAGE = record({"input_tokens": COUNT}, optional={"service_tier": maybe(TEXT)})
    USAGE(findings, "usage", value)

Fields that a shape does not name are allowed: vendors add some every month.
Imports: testing.validators.findings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flo2.testing.validators.findings import Findings

__all__ = [
    "ANY",
    "BOOL",
    "COUNT",
    "FILLED",
    "INT",
    "NUMBER",
    "OBJECT",
    "TEXT",
    "Shape",
    "array",
    "maybe",
    "record",
    "strictly",
    "tagged",
    "word",
]

Shape = Callable[[Findings, str, Any], object]
"""Checks a value at a path; what it returns does not matter."""


def _kind(name: str, holds: Callable[[Any], bool]) -> Shape:
    def check(findings: Findings, path: str, value: Any) -> None:
        findings.expect(path, f"is {name}", value, holds=holds(value))

    return check


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


ANY: Final[Shape] = _kind("anything", lambda _: True)
TEXT: Final = _kind("a string", lambda value: isinstance(value, str))
FILLED: Final = _kind("a string that is not empty", lambda v: isinstance(v, str) and v != "")
BOOL: Final = _kind("true or false", lambda value: isinstance(value, bool))
INT: Final = _kind("an integer", _is_int)
COUNT: Final = _kind("an integer of at least 0", lambda value: _is_int(value) and value >= 0)
NUMBER: Final = _kind("a number", lambda value: _is_int(value) or isinstance(value, float))
OBJECT: Final = _kind("an object", lambda value: isinstance(value, dict))


def maybe(shape: Shape) -> Shape:
    """Allow null."""

    def check(findings: Findings, path: str, value: Any) -> None:
        if value is not None:
            shape(findings, path, value)

    return check


def strictly(shape: Shape, otherwise: Shape = ANY) -> Shape:
    """Ask for a shape at the strict level, for another one below it."""

    def check(findings: Findings, path: str, value: Any) -> None:
        (shape if findings.is_strict else otherwise)(findings, path, value)

    return check


def word(*words: str) -> Shape:
    """Ask for one of these strings."""
    rule = f"is {words[0]!r}" if len(words) == 1 else f"is one of {', '.join(words)}"

    def check(findings: Findings, path: str, value: Any) -> None:
        findings.expect(path, rule, value, holds=value in words)

    return check


def array(shape: Shape, *, filled: bool = False) -> Shape:
    """Ask for a list of such values."""

    def check(findings: Findings, path: str, value: Any) -> None:
        if not findings.expect(path, "is a list", value, holds=isinstance(value, list)):
            return
        if filled:
            findings.expect(path, "is a list that is not empty", value, holds=bool(value))
        for index, each in enumerate(value):
            shape(findings, f"{path}[{index}]", each)

    return check


def record(
    required: Mapping[str, Shape],
    *,
    optional: Mapping[str, Shape] | None = None,
    strict: Mapping[str, Shape] | None = None,
) -> Shape:
    """Ask for an object.

    Args:
        required: Fields that must be there.
        optional: Fields that may be left out; null counts as such only if the shape allows it.
        strict: Fields that must be there at the strict level and may be left out below it.
    """
    may, should = dict(optional or {}), dict(strict or {})
    named = {**required, **may, **should}

    def check(findings: Findings, path: str, value: Any) -> None:
        if not findings.expect(path, "is an object", value, holds=isinstance(value, dict)):
            return
        prefix = f"{path}." if path else ""
        for name in (*required, *(should if findings.is_strict else ())):
            if name not in value:
                findings.add(f"{prefix}{name}", "is there", f"only {', '.join(value)}")
        for name, shape in named.items():
            if name in value:
                shape(findings, f"{prefix}{name}", value[name])

    return check


def tagged(tag: str, cases: Mapping[str, Shape], *, others: Shape | None = None) -> Shape:
    """Choose the shape by a field of the object.

    Args:
        tag: The field.
        cases: Shapes by its value.
        others: The shape for any other value; None: no other is known.
    """

    def check(findings: Findings, path: str, value: Any) -> None:
        if not findings.expect(path, "is an object", value, holds=isinstance(value, dict)):
            return
        kind = value.get(tag)
        shape = cases.get(kind, others) if isinstance(kind, str) else None
        if shape is None:
            findings.add(f"{path}.{tag}" if path else tag, f"is one of {', '.join(cases)}", kind)
        else:
            shape(findings, path, value)

    return check
