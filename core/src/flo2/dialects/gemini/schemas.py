"""Schemas in Google's subset of OpenAPI (`"type": "STRING"`), and as the JSON Schema they mean.

Pure. Imports: nothing of flo2's but `spelling`.

Source: https://ai.google.dev/api/caching#Schema, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.dialects.gemini.spelling import message

__all__ = ["SpelledSchema", "spelled"]

_NESTED: Final = frozenset({"items", "additionalProperties"})
_LISTS: Final = frozenset({"anyOf", "prefixItems"})
_COUNTS: Final = frozenset(
    {"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"}
)


class SpelledSchema(dict[str, Any]):
    """A JSON Schema that remembers how its client spelled it.

    It is an ordinary JSON Schema for every other dialect; this one writes the client's own spelling
    back, as long as nobody put another schema in its place.

    Attributes:
        spelling: The schema as it came.
    """

    def __init__(self, schema: Mapping[str, Any], spelling: Mapping[str, Any]) -> None:
        """Keep both forms."""
        super().__init__(schema)
        self.spelling: Mapping[str, Any] = spelling


def spelled(value: Mapping[str, Any], path: str) -> SpelledSchema:
    """Read a schema in the OpenAPI subset.

    Raises:
        InvalidRequest: something that must be an object is none.
    """
    return SpelledSchema(_schema(value, path), value)


def _schema(value: Any, path: str) -> Any:
    if isinstance(value, bool):
        return value  # `additionalProperties: false`
    out: dict[str, Any] = {}
    nullable = False
    for key, each in message(value, path).items():
        at = f"{path}.{key}"
        if key == "type" and isinstance(each, str):
            if each != "TYPE_UNSPECIFIED":
                out[key] = each.lower()
        elif key == "nullable" and isinstance(each, bool):
            nullable = each
        elif key == "properties" and isinstance(each, dict):
            out[key] = {name: _schema(one, f"{at}.{name}") for name, one in each.items()}
        elif key in _NESTED:
            out[key] = _schema(each, at)
        elif key in _LISTS and isinstance(each, list):
            out[key] = [_schema(one, f"{at}[{i}]") for i, one in enumerate(each)]
        elif key in _COUNTS and isinstance(each, str) and each.isdecimal():
            out[key] = int(each)  # an int64 is text in proto3 JSON
        else:
            out[key] = each
    return _or_null(out) if nullable else out


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}
