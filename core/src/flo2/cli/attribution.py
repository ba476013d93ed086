"""Options by which people say what a key's calls must and may say about whom they are for.

Imports: keys, stored, click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from flo2.cli.parse import pair
from flo2.keys.rules import LABELS, read_rules, rules_json
from flo2.stored import AttributionRules

__all__ = ["changed_rules", "rule_lines", "rule_options"]

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--bind",
        multiple=True,
        metavar="LABEL=VALUE",
        help="Every call is for VALUE and may say nothing else. LABEL: feature, customer, "
        "end_user, tag:<name>. Repeatable, as all of these.",
    ),
    click.option(
        "--default", "defaults", multiple=True, metavar="LABEL=VALUE", help="Unless a call says so."
    ),
    click.option(
        "--allow", "allowed", multiple=True, metavar="LABEL=PATTERN", help="What a call may say."
    ),
    click.option("--require", "required", multiple=True, metavar="LABEL", help="Must be said."),
    click.option(
        "--other-tags/--no-other-tags", default=None, help="Whether tags without a rule may be."
    ),
)


def rule_options(command: F) -> F:
    """Add the options to a command, which is given them for `changed_rules`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def changed_rules(
    before: AttributionRules | None,
    *,
    bind: tuple[str, ...],
    defaults: tuple[str, ...],
    allowed: tuple[str, ...],
    required: tuple[str, ...],
    other_tags: bool | None,
    clear: tuple[str, ...] = (),
) -> AttributionRules | None:
    """Give rules as the options change them.

    Raises:
        click.BadParameter: a label that is none.
        ConfigError: a rule that is none.
    """
    document = {} if "all" in clear else dict(rules_json(before) or {})
    document["tags"] = dict(document.get("tags") or {})
    for label in clear:
        if label != "all":
            table, name = _place(document, label)
            table.pop(name, None)
    for text in bind:
        label, value = pair(text)
        _rule(document, label).update(default=value, allowed=[value])
    for text in defaults:
        label, value = pair(text)
        _rule(document, label)["default"] = value
    fresh: set[str] = set()
    for text in allowed:
        label, value = pair(text)
        rule = _rule(document, label)
        if label not in fresh:  # said anew, in place of what was
            rule["allowed"] = []
            fresh.add(label)
        rule["allowed"].append(value)
    for label in required:
        _rule(document, label)["required"] = True
    if other_tags is not None:
        document["other_tags"] = other_tags
    return read_rules(document)


def rule_lines(rules: AttributionRules | None) -> Iterator[str]:
    """Say rules to people."""
    document = rules_json(rules)
    if document is None:
        yield "calls may say whom they are for as they like"
        return
    tags = {f"tag:{name}": rule for name, rule in document.get("tags", {}).items()}
    labels: dict[str, Any] = {name: document[name] for name in LABELS if name in document}
    for label, rule in {**labels, **tags}.items():
        parts = [f"default {rule['default']}"] if "default" in rule else []
        parts += [f"allowed {', '.join(rule['allowed'])}"] if "allowed" in rule else []
        parts += ["required"] if "required" in rule else []
        yield f"{label}: {'; '.join(parts) or 'anything'}"
    if "other_tags" in document:
        yield "no other tags"


def _rule(document: dict[str, Any], label: str) -> dict[str, Any]:
    table, name = _place(document, label)
    found: dict[str, Any] = table.setdefault(name, {})
    return found


def _place(document: dict[str, Any], label: str) -> tuple[dict[str, Any], str]:
    if label in LABELS:
        return document, label
    kind, colon, name = label.partition(":")
    if kind != "tag" or not colon or not name:
        raise click.BadParameter(f"{label!r} is none of {', '.join(LABELS)}, tag:<name>")
    return document["tags"], name
