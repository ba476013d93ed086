"""Make a small JSON value that fits a JSON Schema. Pure. Imports: nothing of flo2.

It knows the words that structured outputs allow: types, enums, required properties, items, bounds,
local references and unions. A `pattern` it cannot meet; such a schema gets the plain value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["NoInstanceError", "instance"]

_STEPS: Final = 2000
_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "duration": "PT1S",
    "email": "sandbox@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class NoInstanceError(ValueError):
    """The schema allows nothing, or nothing that ends."""


def instance(schema: Mapping[str, Any], text: str = "sandbox") -> Any:
    """Make a value.

    Args:
        schema: A JSON Schema.
        text: Used where any text will do.

    Raises:
        NoInstanceError: it allows nothing, refers to nothing, or repeats itself without an end.
    """
    return _Maker(schema, text).make(schema, ())


class _Maker:
    """One run over one schema."""

    def __init__(self, root: Mapping[str, Any], text: str) -> None:
        self._root = root
        self._text = text
        self._steps = 0

    def make(self, schema: Any, inside: tuple[str, ...]) -> Any:
        """Make a value of a schema; `inside`: the references that led here."""
        self._steps += 1
        if self._steps > _STEPS:
            raise NoInstanceError("the schema is too large for the sandbox")
        if schema is True or schema == {}:
            return self._text
        if not isinstance(schema, Mapping):
            raise NoInstanceError(f"{schema!r} allows nothing")
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), Sequence) and schema["enum"]:
            return schema["enum"][0]
        if isinstance(reference := schema.get("$ref"), str):
            if reference in inside:
                raise NoInstanceError(f"{reference!r} repeats itself without an end")
            return self.make(self._find(reference), (*inside, reference))
        for union in ("anyOf", "oneOf"):
            if isinstance(schema.get(union), Sequence):
                return self._first(schema[union], inside)
        if isinstance(schema.get("allOf"), Sequence):
            return self.make(_merged(schema), inside)
        return self._typed(schema, inside)

    def _find(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if name and (not isinstance(found, Mapping) or name not in found):
                raise NoInstanceError(f"{reference!r} refers to nothing")
            found = found[name] if name else found
        return found

    def _first(self, schemas: Sequence[Any], inside: tuple[str, ...]) -> Any:
        """Take the first alternative that has an instance."""
        failure = NoInstanceError("an empty union allows nothing")
        for schema in schemas:
            try:
                return self.make(schema, inside)
            except NoInstanceError as exc:
                failure = exc
        raise failure

    def _typed(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
        match _type(schema):
            case "object":
                return self._object(schema, inside)
            case "array":
                return self._array(schema, inside)
            case "integer":
                return _number(schema, whole=True)
            case "number":
                return _number(schema, whole=False)
            case "boolean":
                return True
            case "null":
                return None
            case "string":
                return self._string(schema)
            case other:
                raise NoInstanceError(f"{other!r} is no type of JSON Schema")

    def _object(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        return {
            name: self.make(properties.get(name, True), inside)
            for name in schema.get("required") or ()
        }

    def _array(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> list[Any]:
        prefix = [self.make(item, inside) for item in schema.get("prefixItems") or ()]
        missing = int(schema.get("minItems") or 0) - len(prefix)
        return prefix + [self.make(schema.get("items", True), inside) for _ in range(missing)]

    def _string(self, schema: Mapping[str, Any]) -> str:
        text = _FORMATS.get(str(schema.get("format")), self._text)
        text += "." * (int(schema.get("minLength") or 0) - len(text))
        most = schema.get("maxLength")
        return text if most is None else text[: int(most)]


def _type(schema: Mapping[str, Any]) -> str:
    """Tell the type, also where only words that belong to one say it."""
    said = schema.get("type")
    if isinstance(said, Sequence) and not isinstance(said, str) and said:
        said = next((each for each in said if each != "null"), "null")
    if isinstance(said, str):
        return said
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _number(schema: Mapping[str, Any], *, whole: bool) -> float:
    """Give the number next to 1 that is allowed."""
    step = schema.get("multipleOf") or 1
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    value = max(bound for bound in (step, low, above) if bound is not None)
    value = math.ceil(value / step) * step
    if above is not None and value <= above:
        value += step
    if high is not None and value > high:
        value = math.floor(high / step) * step
    if below is not None and value >= below:
        value = (math.ceil(below / step) - 1) * step
    too_low = (low is not None and value < low) or (above is not None and value <= above)
    if too_low and not whole:
        ends = [bound for bound in (low, above, high, below) if bound is not None]
        value = sum(ends) / len(ends)
    elif too_low:
        raise NoInstanceError(f"no whole number fits {dict(schema)!r}")
    return int(value) if whole else value


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Put the parts of `allOf` together, as far as objects need it."""
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        if not isinstance(part, Mapping):
            continue
        for key, value in part.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, ()), *value]
            else:
                merged[key] = value
    return merged
