"""What a limit is, as an account declares it.

    {"unit": "requests", "amount": "100", "per": "minute", "for": {"team": "red"}, "each": "key"}

Pure. Imports: stored, errors, money.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from flo2.errors import ConfigError
from flo2.limits.window import SLOTS
from flo2.money import divide, exact, multiply, text
from flo2.stored import Declaration, IssuedKey

__all__ = [
    "DIMENSIONS",
    "KIND",
    "OF_ATTEMPTS",
    "PERIODS_S",
    "UNITS",
    "Limit",
    "Period",
    "Unit",
    "limit_json",
    "read_limit",
    "whole_units",
]

KIND: Final = "limit"
"""The kind of declaration."""

Unit = Literal["requests", "tokens", "input_tokens", "output_tokens", "usd", "parallel"]
Period = Literal["minute", "hour", "day"]
Unbounded = Literal["estimate", "refuse"]

UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
PERIODS_S: Final[Mapping[Period, int]] = {"minute": 60, "hour": 3600, "day": 86400}
DIMENSIONS: Final = (
    "team",
    "key",
    "customer",
    "feature",
    "end_user",
    "route",
    "provider",
    "model",
)
"""What a limit can be for, or each of; besides these, `tag:<name>`."""
OF_ATTEMPTS: Final = frozenset({"provider", "model"})
"""Those of them that tell by what serves a call, not by who calls."""

_FIELDS: Final = ("unit", "amount", "per", "for", "each", "unbounded")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_LABEL: Final = 256
_MOST: Final = Decimal(10) ** 15
_USD: Final = 10**12  # money is counted in millionths of a micro-dollar, as prices are cut


@frozen
class Limit:
    """So much in any stretch of time of a length, or so many calls at once.

    Attributes:
        account: Whose calls it is about.
        name: What it is called, unique within the account.
        unit: What is counted: `requests`; `tokens`, of the prompt and the answer together, or
            `input_tokens` or `output_tokens` alone; `usd`; `parallel`, calls that run at once.
        amount: How much, in whole units (`usd`: in 1e-12 dollars).
        per: The stretch of time; None for `parallel`.
        only: What a call must be for: dimension → value; a model or provider is a pattern. Nothing:
            every call of the account.
        each: The dimension of which every value has this limit for itself; None: all together.
        unbounded: What becomes of a call whose tokens or cost have no bound: it is held at what
            such a call usually needs, or refused.
    """

    account: str
    name: str
    unit: Unit
    amount: int
    per: Period | None = None
    only: Mapping[str, str] = field(factory=dict)
    each: str | None = None
    unbounded: Unbounded = "estimate"

    @property
    def slot_us(self) -> int:
        """Length of a slot of its window, in microseconds."""
        return PERIODS_S[self.per or "minute"] * 1_000_000 // SLOTS

    @property
    def of_attempts(self) -> bool:
        """Whether it tells apart by what serves the call, not by who calls."""
        return not OF_ATTEMPTS.isdisjoint(self.only)

    def serves(self, provider: str, model: str) -> bool:
        """Say whether an attempt there counts."""
        only = self.only
        if (wanted := only.get("provider")) is not None and not fnmatchcase(provider, wanted):
            return False
        wanted = only.get("model")
        return (
            wanted is None
            or fnmatchcase(model, wanted)
            or fnmatchcase(f"{provider}/{model}", wanted)
        )

    def told(self, units: int) -> str:
        """Write an amount for people and programs: dollars in dollars."""
        return text(divide(units, _USD)[0]) if self.unit == "usd" else str(units)

    def sentence(self) -> str:
        """Say what it allows."""
        counted = self.unit.replace("_", " ")
        what = f"{self.told(self.amount)} {counted if self.amount > 1 else counted[:-1]}"
        if self.unit == "usd":
            what = f"{self.told(self.amount)} USD"
        elif self.unit == "parallel":
            what = f"{self.amount} {'call' if self.amount == 1 else 'calls'} at once"
        spans = "" if self.per is None else f" in any {self.per}"
        whom = [f"{name} {value!r}" for name, value in self.only.items()]
        if self.each is not None:
            whom.append(f"each {self.each}")
        return f"{what}{spans}{' for ' if whom else ''}{', '.join(whom)}"


def whole_units(unit: Unit, amount: Decimal) -> int:
    """Give an amount in what is counted; a fraction counts as a whole one."""
    units = multiply(amount, _USD) if unit == "usd" else amount
    return int(units.to_integral_value(ROUND_CEILING))


def read_limit(declaration: Declaration, keys: Iterable[IssuedKey] | None = None) -> Limit:
    """Read a declaration.

    Args:
        declaration: Of the kind `limit`.
        keys: The account's issued keys: a key may then be named instead of its id, and must exist.

    Raises:
        ConfigError: every problem at once, each with its path.
    """
    where = f"limit {declaration.name!r}"
    document = dict(declaration.document)
    problems: list[str] = []
    if _NAME.fullmatch(declaration.name) is None:
        problems.append(
            f"{declaration.name!r} is no name: letters, digits, dots, dashes, underscores and "
            f"colons, at most 100 @ {where}"
        )
    problems += [
        f"unknown key {name!r}{_near(str(name), _FIELDS)} @ {where}.{name}"
        for name in document
        if name not in _FIELDS
    ]
    unit = _word(document, "unit", UNITS, where, problems)
    amount = _amount(document.get("amount"), unit, f"{where}.amount", problems)
    per = None
    if unit == "parallel":
        if document.get("per") is not None:
            problems.append(f"calls at once have no period; leave it out @ {where}.per")
    else:
        per = _word(document, "per", tuple(PERIODS_S), where, problems)
    only = _only(document.get("for"), f"{where}.for", problems)
    each = document.get("each")
    if each is not None:
        _dimension(each, f"{where}.each", problems, without=OF_ATTEMPTS)
    unbounded = document.get("unbounded", "estimate")
    if unbounded not in get_args(Unbounded):
        problems.append(f"{unbounded!r} is neither 'estimate' nor 'refuse' @ {where}.unbounded")
    if keys is not None and "key" in only:
        mine = [key for key in keys if key.account == declaration.account]
        only["key"] = _key_id(only["key"], mine, f"{where}.for.key", problems)
    if problems or unit is None:
        raise ConfigError(problems)
    return Limit(declaration.account, declaration.name, unit, amount, per, only, each, unbounded)


def limit_json(limit: Limit) -> dict[str, Any]:
    """Write a limit as the document that declares it."""
    document: dict[str, Any] = {"unit": limit.unit, "amount": limit.told(limit.amount)}
    if limit.per is not None:
        document["per"] = limit.per
    if limit.only:
        document["for"] = dict(limit.only)
    if limit.each is not None:
        document["each"] = limit.each
    if limit.unbounded != "estimate":
        document["unbounded"] = limit.unbounded
    return document


def _word(
    document: Mapping[str, Any],
    name: str,
    words: tuple[Any, ...],
    where: str,
    problems: list[str],
) -> Any:
    value = document.get(name)
    if value in words:
        return value
    known = ", ".join(words)
    if value is None:
        problems.append(f"missing key {name!r}; one of {known} @ {where}.{name}")
    else:
        problems.append(f"{value!r} is none of {known}{_near(str(value), words)} @ {where}.{name}")
    return None


def _amount(value: object, unit: Unit | None, where: str, problems: list[str]) -> int:
    try:
        amount = exact(value)  # type: ignore[arg-type]  # what it cannot take, it refuses
    except (TypeError, ValueError):
        problems.append(f"{value!r} is no amount; write a number such as '100' @ {where}")
        return 0
    if not 0 < amount <= _MOST:
        problems.append(f"{text(amount)} is not above 0 and at most 10^15 @ {where}")
        return 0
    if unit != "usd" and amount != amount // 1:
        problems.append(f"{text(amount)} {unit} cannot be counted; write a whole number @ {where}")
        return 0
    if unit == "usd" and whole_units("usd", amount) != multiply(amount, _USD):
        problems.append(f"{text(amount)} has more than 12 decimals @ {where}")
    return whole_units(unit or "requests", amount)


def _only(value: object, where: str, problems: list[str]) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.append(f"{value!r} is no table of dimension = value @ {where}")
        return {}
    only: dict[str, str] = {}
    for name, wanted in value.items():
        _dimension(name, f"{where}.{name}", problems)
        if not isinstance(wanted, str) or not 0 < len(wanted) <= _LABEL:
            problems.append(f"{wanted!r} is no text of 1 to {_LABEL} characters @ {where}.{name}")
        else:
            only[str(name)] = wanted
    return only


def _dimension(
    name: object, where: str, problems: list[str], *, without: frozenset[str] = frozenset()
) -> None:
    known = tuple(each for each in DIMENSIONS if each not in without)
    if isinstance(name, str) and (name in known or (name.startswith("tag:") and name != "tag:")):
        return
    near = _near(str(name), known)
    problems.append(f"{name!r} is none of {', '.join(known)}, tag:<name>{near} @ {where}")


def _key_id(wanted: str, mine: list[IssuedKey], where: str, problems: list[str]) -> str:
    """Find a key by its id or name; give the id of the first of its line of rotations."""
    found = {key.first_id for key in mine if wanted in {key.id, key.lineage}} or {
        key.first_id for key in mine if key.name == wanted
    }
    if len(found) == 1:
        return found.pop()
    if found:
        ids = ", ".join(sorted(found))
        problems.append(f"several keys are named {wanted!r}; give an id: {ids} @ {where}")
    else:
        problems.append(f"there is no key {wanted!r}; see: flo2 keys list @ {where}")
    return wanted


def _near(value: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, list(words), 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
