"""Rules for the attribution of a key's calls, as they are declared.

    {"customer": {"default": "acme", "allowed": ["acme"]}, "tags": {"env": {"required": true}}}

Pure. Imports: stored, errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, TypeGuard

from flo2.errors import ConfigError
from flo2.stored import AttributionRules, LabelRule

__all__ = ["LABELS", "read_rules", "rules_json"]

LABELS: Final = ("feature", "customer", "end_user")
"""What rules can be for; besides these, tags."""

_FIELDS: Final = (*LABELS, "tags", "other_tags")
_OF_A_RULE: Final = ("default", "allowed", "required")
_LONGEST: Final = 256
_WHERE: Final = "attribution"


def read_rules(document: object) -> AttributionRules | None:
    """Read rules; None where there are none.

    Raises:
        ConfigError: every problem at once, each with its path.
    """
    problems: list[str] = []
    fields = _table(document, _WHERE, _FIELDS, problems) if document is not None else {}
    labels = {
        name: _rule(fields[name], f"{_WHERE}.{name}", problems)
        for name in LABELS
        if fields.get(name) is not None
    }
    tags: dict[str, LabelRule] = {}
    told = fields.get("tags")
    if told is not None and not isinstance(told, Mapping):
        problems.append(f"{told!r} is no table of tag = rule @ {_WHERE}.tags")
    elif told is not None:
        for name, rule in told.items():
            where = f"{_WHERE}.tags.{name}"
            if not isinstance(name, str) or not 0 < len(name) <= _LONGEST:
                problems.append(f"{name!r} is no name of a tag @ {where}")
            else:
                tags[name] = _rule(rule, where, problems)
    other = fields.get("other_tags", True)
    if not isinstance(other, bool):
        problems.append(f"{other!r} is neither true nor false @ {_WHERE}.other_tags")
    if problems:
        raise ConfigError(problems)
    rules = AttributionRules(**labels, tags=tags, other_tags=other)
    return None if rules == AttributionRules() else rules


def rules_json(rules: AttributionRules | None) -> dict[str, Any] | None:
    """Write rules as the document that declares them."""
    if rules is None:
        return None
    document: dict[str, Any] = {
        name: _rule_json(rule) for name in LABELS if (rule := getattr(rules, name)) is not None
    }
    if rules.tags:
        document["tags"] = {name: _rule_json(rule) for name, rule in rules.tags.items()}
    if not rules.other_tags:
        document["other_tags"] = False
    return document


def _rule_json(rule: LabelRule) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if rule.default is not None:
        document["default"] = rule.default
    if rule.allowed:
        document["allowed"] = list(rule.allowed)
    if rule.required:
        document["required"] = True
    return document


def _table(
    value: object, where: str, known: tuple[str, ...], problems: list[str]
) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        problems.append(f"{value!r} is no table @ {where}")
        return {}
    for name in value.keys() - set(known):
        near = difflib.get_close_matches(str(name), known, 1, 0.6)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        problems.append(f"unknown key {name!r}{hint} @ {where}.{name}")
    return value


def _rule(value: object, where: str, problems: list[str]) -> LabelRule:
    fields = _table(value, where, _OF_A_RULE, problems)
    default, allowed = fields.get("default"), fields.get("allowed", ())
    required = fields.get("required", False)
    if default is not None and not _is_text(default):
        problems.append(f"{default!r} is no text of 1 to {_LONGEST} characters @ {where}.default")
    if not isinstance(allowed, list | tuple) or not all(map(_is_text, allowed)):
        problems.append(f"{allowed!r} is no list of texts @ {where}.allowed")
        allowed = ()
    if not isinstance(required, bool):
        problems.append(f"{required!r} is neither true nor false @ {where}.required")
    if _is_text(default) and allowed and not any(fnmatchcase(default, each) for each in allowed):
        problems.append(f"{default!r} is not allowed by {list(allowed)} @ {where}.default")
    return LabelRule(default, tuple(allowed), bool(required))


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST
