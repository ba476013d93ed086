"""What a key's calls must and may say about whom they are for.

Pure. Imports: stored, records, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from flo2.errors import InvalidRequest
from flo2.stored import AttributionRules, IssuedKey, LabelRule

__all__ = ["Labels", "ruled"]

Labels = Mapping[str, str | None]
"""`feature`, `customer`, `end_user`: what a call says, or None."""

_ANY: Final = LabelRule()
_WHERE: Final = {
    "feature": ("header x-flo2-feature", "x-flo2-feature"),
    "customer": ("header x-flo2-customer", "x-flo2-customer"),
    "end_user": ("body's field 'user' ('metadata.user_id' where the API has that)", "user"),
}


def ruled(
    key: IssuedKey, rules: AttributionRules, labels: Labels, tags: Mapping[str, str]
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Hold what a call says against its key's rules, and fill in what it does not say.

    Args:
        key: Its own tags are no claim of the call, and need no leave.
        rules: Its rules.
        labels: What the call says.
        tags: The tags that the call states.

    Returns:
        Labels and tags as they are to be written down.

    Raises:
        InvalidRequest: something required is missing, or something is not allowed.
    """
    found = {
        name: _label(name, getattr(rules, name) or _ANY, value) for name, value in labels.items()
    }
    kept = {**key.tags, **tags}
    for name, rule in rules.tags.items():
        value = tags.get(name)
        if value is None and name in key.tags:
            continue
        value = _checked(rule, value, f"tag {name!r}", _tag(name), "x-flo2-tags")
        if value is not None:
            kept[name] = value
    if not rules.other_tags and (others := tags.keys() - rules.tags.keys() - key.tags.keys()):
        known = ", ".join(sorted(rules.tags)) or "none"
        raise InvalidRequest(
            f"this key's calls may not state the tag {min(others)!r} (headers or metadata); tags "
            f"they may state: {known}",
            code="attribution_not_allowed",
            param="x-flo2-tags",
        )
    return found, kept


def _label(name: str, rule: LabelRule, value: str | None) -> str | None:
    where, param = _WHERE[name]
    return _checked(rule, value, name.replace("_", " "), where, param)


def _tag(name: str) -> str:
    return f"header x-flo2-tags: {name}=… (or {name!r} in the body's metadata)"


def _checked(rule: LabelRule, value: str | None, what: str, where: str, param: str) -> str | None:
    if value is None:
        if rule.default is None and rule.required:
            allowed = f"; allowed: {', '.join(rule.allowed)}" if rule.allowed else ""
            raise InvalidRequest(
                f"this key's calls must say their {what}: send the {where}{allowed}",
                code="attribution_required",
                param=param,
            )
        return rule.default
    if rule.allowed and not any(fnmatchcase(value, pattern) for pattern in rule.allowed):
        raise InvalidRequest(
            f"this key's calls may not say {what} {value!r}; allowed: {', '.join(rule.allowed)} "
            f"({where})",
            code="attribution_not_allowed",
            param=param,
        )
    return value
