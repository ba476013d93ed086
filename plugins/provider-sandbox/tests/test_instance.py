"""Values that fit a JSON Schema."""

from __future__ import annotations

import pytest

from flo2_provider_sandbox.instance import NoInstanceError, instance

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "t"),
        ({"type": "string"}, "t"),
        ({"type": "string", "minLength": 3}, "t.."),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "format": "invented"}, "t"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 4}, 8),
        ({"type": "integer", "exclusiveMaximum": 1}, 0),
        ({"type": "number", "minimum": 0.25, "maximum": 0.75}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": ["null"]}, None),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": {"a": [1]}}, {"a": [1]}),
        ({"type": "array"}, []),
        ({"type": "array", "items": {"const": 2}, "minItems": 2}, [2, 2]),
        ({"prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"type": "object"}, {}),
        ({"required": ["a"], "properties": {"a": {"const": 1}, "b": {"const": 2}}}, {"a": 1}),
        ({"type": "object", "required": ["free"]}, {"free": "t"}),
        ({"anyOf": [{"type": "no"}, {"const": 3}]}, 3),
        ({"oneOf": [{"const": 4}, {"const": 5}]}, 4),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"$defs": {"a/b": {"const": 6}}, "$ref": "#/$defs/a~1b"}, 6),
        (TREE, {"value": 1, "next": None}),
        (
            {
                "type": "object",
                "properties": {
                    "items": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {"n": {"type": "number"}},
                            "required": ["n"],
                        },
                    }
                },
                "required": ["items"],
                "additionalProperties": False,
            },
            {"items": [{"n": 1}]},
        ),
    ],
)
def test_the_smallest_that_fits(schema, value):
    assert instance(schema, "t") == value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "invented"},
        {"anyOf": []},
        {"anyOf": [{"type": "invented"}]},
        {"$ref": "#/$defs/absent"},
        {"$ref": "#"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "array", "items": False, "minItems": 1},
        {"type": "array", "items": {"type": "integer"}, "minItems": 10_000},
    ],
)
def test_what_has_no_instance_is_told(schema):
    with pytest.raises(NoInstanceError):
        instance(schema)
