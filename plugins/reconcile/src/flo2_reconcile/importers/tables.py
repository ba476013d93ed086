"""Which model and meter a bill's line stands for: by a table, the user's own first.

Texts of line items are documented nowhere as stable. What no table knows stays an item of its own,
which nothing in the ledger matches: it shows as unexplained, under its own name.
Imports: importers.reading.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from flo2 import BillingError, Services

__all__ = ["Line", "LineTable", "Rule", "Tabled", "rule", "table_of", "units_of"]

_UNITS: Final = {
    "": 1,
    "count": 1,
    "token": 1,
    "tokens": 1,
    "unit": 1,
    "units": 1,
    "request": 1,
    "requests": 1,
    "search": 1,
    "searches": 1,
    "1": 1,
    "1k": 1000,
    "1k tokens": 1000,
    "1,000 tokens": 1000,
    "1000 tokens": 1000,
    "1m": 1_000_000,
    "1m tokens": 1_000_000,
    "1000000 tokens": 1_000_000,
    "million tokens": 1_000_000,
}


@frozen
class Line:
    """What a line of a bill stands for."""

    model: str
    meter: str
    service_tier: str = "standard"
    processing: str = "online"

    @property
    def keys(self) -> dict[str, str]:
        """The keys of a row of this line."""
        return {
            "model": self.model,
            "service_tier": self.service_tier,
            "processing": self.processing,
        }


@frozen
class Rule:
    """A rule of a table.

    Attributes:
        pattern: What the whole text matches, in any case; its group `model` is the model.
        meter: The meter.
        service_tier, processing: As in `flo2.BILLING_KEYS`.
        slug: The model's words are joined by dashes, in lower case.
    """

    pattern: re.Pattern[str]
    meter: str
    service_tier: str = "standard"
    processing: str = "online"
    slug: bool = False

    def read(self, text: str) -> Line | None:
        """Give what a text stands for; None: not this."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        model = match.groupdict().get("model") or ""
        if self.slug:
            model = re.sub(r"[\s_]+", "-", model.strip().lower())
        return Line(model, self.meter, self.service_tier, self.processing)


@frozen
class LineTable:
    """A user's table before a built-in one.

    Attributes:
        lines: The text or id of a line → what it stands for.
        models: The bill's name of a model → the ledger's.
        rules: Asked in order where no line is listed.
    """

    rules: tuple[Rule, ...] = ()
    lines: Mapping[str, Line] = field(factory=dict)
    models: Mapping[str, str] = field(factory=dict)

    def read(self, *texts: str) -> Line | None:
        """Find a line by any of its texts, the first that is known."""
        found = next((self.lines[text] for text in texts if text in self.lines), None)
        if found is None:
            each = (rule.read(text) for text in texts for rule in self.rules)
            found = next((line for line in each if line is not None), None)
        if found is None:
            return None
        return Line(
            self.models.get(found.model, found.model),
            found.meter,
            found.service_tier,
            found.processing,
        )


class Tabled:
    """An importer that reads lines by a table.

    Its table is a TOML file:

        [models]                       # the bill's name of a model = the ledger's
        "Claude4.5Sonnet" = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

        [[line]]                       # a line by its text or id
        text = "0000-0000-0001"
        model = "gemini-2.5-flash"
        meter = "input_tokens"
    """

    rules: tuple[Rule, ...] = ()

    @frozen
    class Config:
        """Where the table is.

        Attributes:
            table: A TOML file with `[models]` and `[[line]]`, or "".
        """

        table: str = ""

    def __init__(self, config: Config | None = None, services: Services | None = None) -> None:
        """Read the table.

        Raises:
            BillingError: it cannot be read.
        """
        path = "" if config is None else config.table
        self.table: LineTable = _read(path, self.rules) if path else LineTable(self.rules)


def units_of(unit: str, where: str) -> int:
    """Give how many units one of a bill's units is.

    Raises:
        BillingError: it is none that is known; a quantity is never guessed.
    """
    known = _UNITS.get(unit.strip().lower())
    if known is None:
        raise BillingError(
            f"{where}: unit {unit!r} is not known; known are {', '.join(sorted(_UNITS)[1:])}"
        )
    return known


def _read(path: str, rules: Sequence[Rule]) -> LineTable:
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise BillingError(f"table {path!r} cannot be read: {exc}") from exc
    return table_of(document, path, rules)


def table_of(document: Mapping[str, Any], path: str, rules: Sequence[Rule] = ()) -> LineTable:
    """Read a table out of a parsed file.

    Raises:
        BillingError: a line lacks its text, its model or its meter.
    """
    lines: dict[str, Line] = {}
    for place, each in enumerate(document.get("line", ())):
        missing = [name for name in ("text", "meter") if not isinstance(each.get(name), str)]
        if missing:
            raise BillingError(f"{path}: line[{place}] needs a text `{missing[0]}`")
        lines[each["text"]] = Line(
            each.get("model", ""),
            each["meter"],
            each.get("service_tier", "standard"),
            each.get("processing", "online"),
        )
    models = {str(name): str(other) for name, other in document.get("models", {}).items()}
    return LineTable(tuple(rules), lines, models)


def rule(pattern: str, meter: str, **more: Any) -> Rule:
    """Make a rule."""
    return Rule(re.compile(pattern, re.IGNORECASE), meter, **more)
