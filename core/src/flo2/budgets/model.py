"""What a budget is, as an account declares it.

    {"limit_usd": "100", "per": "month", "for": {"team": "red"}, "each": "customer",
     "unbounded": "cap", "max_tokens": 4096,
     "alerts": [50, 80, 100], "webhook": {"url": "https://…", "secret": "env:NAME"}}

Pure. Imports: stored, secrets, errors, money, periods, webhook.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from flo2.budgets.periods import PERIODS, Per, zone
from flo2.budgets.webhook import webhook_parts
from flo2.errors import ConfigError
from flo2.money import exact, text
from flo2.secrets import is_reference
from flo2.stored import Declaration, IssuedKey

__all__ = [
    "KIND",
    "Budget",
    "Unbounded",
    "Webhook",
    "budget_json",
    "read_budget",
    "storable",
]

KIND: Final = "budget"
"""The kind of declaration."""

Unbounded = Literal["refuse", "cap", "model_max"]
_DIMENSIONS: Final = ("team", "key", "customer")
_FIELDS: Final = (
    "limit_usd", "per", "time_zone", "for", "each", "hard", "unbounded", "max_tokens",
    "pending", "alerts", "webhook",
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LABEL: Final = 256
_MOST_USD: Final = Decimal(10) ** 12
_DIGITS: Final = Decimal("1e-12")
_MOST_TOKENS: Final = 100_000_000
_MOST_PERCENT: Final = 1000
_MOST_DAYS: Final = 3660
_STAND_INS: Final = str.maketrans("\0", "\ufffd")


@frozen
class Webhook:
    """Where alerts go; `secret` is a reference to what they are signed with."""

    url: str
    secret: str


@frozen
class Budget:
    """So much money in a period.

    Attributes:
        account: Whose.
        name: What it is called, unique within the account.
        limit: In USD.
        per: How long a period is; `total`: it never begins anew.
        time_zone: Whose midnight it begins at.
        only: What a call must be for: `team`, `key`, `customer`, `tag:<name>` → value. Nothing:
            every call of the account.
        each: The dimension of which every value has this budget for itself; None: all together.
        hard: Calls that do not fit are refused; else they are let through, and say so.
        unbounded: What becomes of a call whose cost has no bound, under a hard budget.
        max_tokens: What `cap` sets.
        pending_days, pending_share: After so many days, a call of unknown amount counts at this
            share of its upper bound; None: always at all of it.
        alerts: Thresholds, in percent of the limit, ascending.
        webhook: Who is told of them.
    """

    account: str
    name: str
    limit: Decimal
    per: Per = "month"
    time_zone: str = "UTC"
    only: Mapping[str, str] = field(factory=dict)
    each: str | None = None
    hard: bool = True
    unbounded: Unbounded = "refuse"
    max_tokens: int | None = None
    pending_days: int | None = None
    pending_share: Decimal | None = None
    alerts: tuple[int, ...] = ()
    webhook: Webhook | None = None

    @property
    def labels(self) -> frozenset[str]:
        """The dimensions that a client itself names, without which a call cannot be placed."""
        named = {*self.only, *(() if self.each is None else (self.each,))}
        return frozenset(named - {"team", "key"})

    def sentence(self) -> str:
        """Say what it allows."""
        spans = "in total" if self.per == "total" else f"a {self.per}"
        whom = [f"{name} {value!r}" for name, value in self.only.items()]
        if self.each is not None:
            whom.append(f"each {self.each}")
        told = f" for {', '.join(whom)}" if whom else ""
        return f"{text(self.limit)} USD {spans}{told}"

    def covers(self, key: IssuedKey) -> bool:
        """Say whether calls of an issued key may fall under it."""
        only = self.only
        if key.account != self.account or only.get("key", key.first_id) != key.first_id:
            return False
        return "team" not in only or only["team"] == key.team


def storable(label: str) -> str:
    """Give a label as every store keeps it: without NUL and lone surrogates."""
    return label.translate(_STAND_INS).encode("utf-8", "replace").decode()


def read_budget(declaration: Declaration, keys: Iterable[IssuedKey] | None = None) -> Budget:
    """Read a declaration.

    Args:
        declaration: Of the kind `budget`.
        keys: The account's issued keys: a key may then be named instead of its id, and must exist.

    Raises:
        ConfigError: every problem at once, each with its path.
    """
    reader = _Reader(f"budget {declaration.name!r}", dict(declaration.document))
    if _NAME.fullmatch(declaration.name) is None:
        reader.wrong("its name must be letters, digits, dots, dashes, underscores; at most 100", "")
    budget = reader.budget(declaration.account, declaration.name, keys)
    if reader.problems:
        raise ConfigError(reader.problems)
    return budget


def budget_json(budget: Budget) -> dict[str, Any]:
    """Write a budget as it is declared; money is text, and what is not set is left out."""
    document: dict[str, Any] = {
        "limit_usd": text(budget.limit),
        "per": budget.per,
        "time_zone": budget.time_zone,
        "for": dict(budget.only),
        "each": budget.each,
        "hard": budget.hard,
        "unbounded": budget.unbounded if budget.hard else None,
        "max_tokens": budget.max_tokens,
        "alerts": list(budget.alerts),
    }
    if budget.pending_days is not None and budget.pending_share is not None:
        share = text(budget.pending_share)
        document["pending"] = {"after_days": budget.pending_days, "share": share}
    if budget.webhook is not None:
        document["webhook"] = {"url": budget.webhook.url, "secret": budget.webhook.secret}
    return {name: value for name, value in document.items() if value not in (None, [], {})}


class _Reader:
    """Reads one document, and collects what is wrong with it."""

    def __init__(self, where: str, document: dict[str, Any]) -> None:
        self.problems: list[str] = []
        self._where = where
        self._document = document
        for name in sorted(document.keys() - set(_FIELDS), key=str):
            near = difflib.get_close_matches(str(name), _FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_FIELDS)}"
            self.wrong(f"unknown key {name!r}; {hint}", "")

    def wrong(self, problem: str, path: str) -> None:
        self.problems.append(f"{problem} @ {self._where}{path and '.' + path}")

    def budget(self, account: str, name: str, keys: Iterable[IssuedKey] | None) -> Budget:
        hard = self._is(bool, "hard", default=True)
        days, share = self._pending()
        unbounded = self._one_of("unbounded", get_args(Unbounded), "refuse")
        alerts, webhook = self._alerts(), self._webhook()
        only = self._only(keys)
        each = self._each()
        max_tokens = self._whole("max_tokens", self._document.get("max_tokens"), 1, _MOST_TOKENS)
        if not hard and "unbounded" in self._document:
            self.wrong("a soft budget refuses nothing, so it needs no such rule", "unbounded")
        if (unbounded == "cap") != (max_tokens is not None):
            self.wrong("'max_tokens' and 'unbounded': 'cap' belong together", "max_tokens")
        if bool(alerts) != ("webhook" in self._document):
            self.wrong("'alerts' and 'webhook' belong together", "alerts")
        if each is not None and each in only:
            self.wrong(f"it is for one {each} already, so it cannot be for each", "each")
        return Budget(
            account, name, self._limit(), self._one_of("per", PERIODS, "month"),
            self._zone(), only, each, hard, unbounded, max_tokens, days, share, alerts, webhook,
        )  # fmt: skip

    def _is(self, kind: type, name: str, *, default: Any) -> Any:
        value = self._document.get(name, default)
        if not isinstance(value, kind):
            self.wrong(f"expected {kind.__name__}, got {_shown(value)}", name)
            return default
        return value

    def _one_of(self, name: str, known: tuple[Any, ...], default: Any) -> Any:
        value = self._document.get(name, default)
        if value not in known:
            self.wrong(f"{_shown(value)} is none of {', '.join(known)}", name)
            return default
        return value

    def _limit(self) -> Decimal:
        limit = self._money("limit_usd", self._document.get("limit_usd"))
        if limit is None:
            return Decimal(1)
        if limit <= 0:
            self.wrong(f"{text(limit)} is no budget; to stop calls, revoke their keys", "limit_usd")
        elif limit > _MOST_USD or limit % _DIGITS:
            self.wrong("it must be at most 10^12, with at most 12 decimal places", "limit_usd")
        return limit

    def _money(self, path: str, value: Any) -> Decimal | None:
        if value is None:
            self.wrong("it is missing; write it as text, like '100' or '0.50'", path)
            return None
        try:
            return exact(value)
        except (TypeError, ValueError) as exc:
            self.wrong(str(exc), path)
            return None

    def _whole(self, path: str, value: Any, least: int, most: int) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(f"{_shown(value)} is no whole number from {least} to {most}", path)
            return None
        return value

    def _zone(self) -> str:
        name = self._is(str, "time_zone", default="UTC")
        try:
            zone(name)
        except ValueError as exc:
            self.wrong(str(exc), "time_zone")
        return str(name)

    def _dimension(self, name: Any, path: str) -> bool:
        tag = isinstance(name, str) and name.startswith("tag:") and 4 < len(name) <= _LABEL
        if name not in _DIMENSIONS and not tag:
            known = f"{', '.join(_DIMENSIONS)}, tag:<name>"
            self.wrong(f"{_shown(name)} is none of {known}", path)
            return False
        return True

    def _only(self, keys: Iterable[IssuedKey] | None) -> Mapping[str, str]:
        only: dict[str, str] = {}
        for name, value in self._is(dict, "for", default={}).items():
            if not self._dimension(name, "for"):
                continue
            if not isinstance(value, str) or not 0 < len(value) <= _LABEL:
                self.wrong(f"{_shown(value)} is no text of 1 to {_LABEL} characters", f"for.{name}")
                continue
            only[name] = value
        if "key" in only and keys is not None:
            wanted = only["key"]
            found = {e.first_id for e in keys if wanted in (e.id, e.first_id, e.name)}
            if len(found) == 1:
                only["key"] = found.pop()
            else:
                several = "several keys are" if found else "no key is"
                self.wrong(f"{several} called {only['key']!r}; see: flo2 keys list", "for.key")
        return only

    def _each(self) -> str | None:
        each: str | None = self._document.get("each")
        return each if each is not None and self._dimension(each, "each") else None

    def _pending(self) -> tuple[int | None, Decimal | None]:
        given = self._document.get("pending")
        if given is None:
            return None, None
        if not isinstance(given, Mapping) or given.keys() != {"after_days", "share"}:
            self.wrong("expected {'after_days': …, 'share': …}", "pending")
            return None, None
        days = self._whole("pending.after_days", given["after_days"], 1, _MOST_DAYS)
        share = self._money("pending.share", given["share"])
        if share is not None and not 0 <= share <= 1:
            self.wrong(f"{text(share)} is no share from 0 to 1", "pending.share")
        return days, share

    def _alerts(self) -> tuple[int, ...]:
        given = self._is(list, "alerts", default=[])
        found = [
            self._whole(f"alerts[{at}]", each, 1, _MOST_PERCENT) for at, each in enumerate(given)
        ]
        if len(set(found)) != len(found):
            self.wrong("a threshold stands there twice", "alerts")
        return tuple(sorted(each for each in found if each is not None))

    def _webhook(self) -> Webhook | None:
        given = self._document.get("webhook")
        if given is None:
            return None
        if not isinstance(given, Mapping) or given.keys() != {"url", "secret"}:
            self.wrong("expected {'url': …, 'secret': …}", "webhook")
            return None
        url, secret = given["url"], given["secret"]
        if url is None:
            self.wrong("where to? there is a secret and no URL", "webhook.url")
            return None
        try:
            webhook_parts(url if isinstance(url, str) else "")
        except ConfigError as exc:
            self.wrong(str(exc), "webhook.url")
            return None
        if not isinstance(secret, str) or not is_reference(secret):  # not shown: it may be one
            self.wrong("it must be a reference: env:NAME, file:/path", "webhook.secret")
            return None
        return Webhook(url, secret)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
