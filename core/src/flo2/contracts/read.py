"""Read a contract out of a parsed document (TOML or JSON); say all that is wrong with it at once.

The format is in docs/contracts.md. Pure. Imports: contracts.*, prices, errors.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import translate
from itertools import pairwise
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve

from flo2.contracts.check import contradictions
from flo2.contracts.fields import Fields, Problems, as_json
from flo2.contracts.scope import Scope, Validity
from flo2.contracts.terms import (
    Allowance,
    Capacity,
    Commitment,
    Contract,
    Credit,
    Discount,
    Rate,
    Step,
    VolumeTiers,
)
from flo2.errors import ContractError, PricingError
from flo2.money import exact, subtract
from flo2.prices.naming import conditions_id
from flo2.prices.rows import PriceRow, Tier

__all__ = ["contract_id", "read_contract"]

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_WILD: Final = re.compile(r"[*?\[]")
_HUNDRED: Final = exact(100)
_PER_TOKENS: Final = 1_000_000
_DATED: Final = ("valid_from", "valid_until")
_SCOPED: Final = ("name", *_DATED, "providers", "models", "meters", "when")
_LISTS: Final = (
    "rates", "discounts", "capacity", "allowances", "volume_tiers", "commitments", "credits",
)  # fmt: skip
_KEYS: Final = (*_DATED, "currency", "zone", "source", *_LISTS)
_RATE: Final = (
    *_DATED, "provider", "models", "prices", "per", "when", "at_least", "below", "graduated",
)  # fmt: skip


def contract_id(name: str, document: Mapping[str, Any]) -> str:
    """Name a version of a contract: `name@`, and the hash of what it says."""
    written = json.dumps(as_json(document), sort_keys=True, separators=(",", ":"))
    return f"{name}@{hashlib.sha256(written.encode()).hexdigest()[:12]}"


def read_contract(name: str, document: object) -> Contract:
    """Read and check one version of a contract.

    Args:
        name: What the account calls it.
        document: As TOML or JSON gives it; numbers with a point as `Decimal` or text.

    Raises:
        ContractError: with every problem, each with its path, and every contradiction.
    """
    problems = Problems(name)
    if not _NAME.fullmatch(name):
        problems.add("", f"{name!r} is no name: letters, digits, dots, dashes, underscores")
    if not isinstance(document, Mapping):
        problems.add("", f"a contract is a table, got {type(document).__name__}")
        raise ContractError(problems.found)
    contract = _Reader(name, document, problems).contract()
    if not problems.found:
        problems.found += contradictions([contract])
    if problems.found:
        raise ContractError(problems.found)
    return contract


class _Reader:
    """Reads a document; goes on after each problem."""

    def __init__(self, name: str, document: Any, problems: Problems) -> None:
        self.problems = problems
        self.top = Fields(document, "", problems, _KEYS)
        self.id = contract_id(name, document)
        self.name = name
        since = self.top.instant("valid_from")
        if since is None and not self.top.has("valid_from"):
            self.top.bad("valid_from", "missing date 'valid_from': every contract is dated")
        # What follows is read even so, against a beginning that is as good as any.
        self.whole = self.validity(self.top, Validity(since or _ANY_DAY))

    def contract(self) -> Contract:
        top = self.top
        currency = top.text("currency", "USD")
        if currency and not _CURRENCY.fullmatch(currency):
            top.bad("currency", f"{currency!r} is no ISO 4217 code such as USD")
        zone = top.text("zone", "UTC")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            top.bad("zone", f"there is no time zone {zone!r}")
        self.currency = currency
        self.source = top.text("source", f"contract {self.name}")
        contract = Contract(
            self.name,
            self.id,
            self.whole,
            currency,
            zone,
            self.source,
            tuple(rate for each in top.tables("rates") for rate in self.rates(*each)),
            self.each("discounts", self.discount),
            self.each("capacity", self.capacity),
            self.each("allowances", self.allowance),
            self.each("volume_tiers", self.tiers),
            self.each("commitments", self.commitment),
            self.each("credits", self.credit),
        )
        for kind in _LISTS[1:]:
            names: dict[str, int] = {}
            for index, term in enumerate(getattr(contract, kind)):
                first = names.setdefault(term.name, index)
                if first != index:
                    top.bad(f"{kind}[{index}].name", f"{term.name!r} is {kind}[{first}] as well")
        return contract

    def each(self, key: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        return tuple(read(table, path) for table, path in self.top.tables(key))

    def validity(self, fields: Fields, whole: Validity) -> Validity:
        """Read the dates of a term; what it does not say is the contract's."""
        since = fields.instant("valid_from") or whole.since
        until = fields.instant("valid_until") or whole.until
        if until is not None and until <= since:
            fields.bad("valid_until", f"{_date(until)} is not after valid_from {_date(since)}")
            return Validity(since)
        found = Validity(since, until)
        if not found.meets(whole):
            fields.bad(
                "valid_from",
                f"from {_date(since)} on it lies outside the contract and would never hold",
            )
        return found

    def scoped(self, table: object, path: str, *more: str) -> tuple[Fields, str, Scope, Validity]:
        fields = Fields(table, path, self.problems, (*_SCOPED, *more))
        scope = Scope(
            fields.words("providers"), fields.words("models"), fields.words("meters"), fields.when()
        )
        for meter in scope.meters:
            fields.meter("meters", meter)
        name = fields.text("name")
        if name and not _NAME.fullmatch(name):
            fields.bad("name", f"{name!r} is no name: letters, digits, dots, dashes, underscores")
        return fields, name, scope, self.validity(fields, self.whole)

    # Terms of a single call ---------------------------------------------------------------------

    def rates(self, table: object, path: str) -> list[Rate]:
        fields = Fields(table, path, self.problems, _RATE)
        provider, models = fields.text("provider"), fields.words("models")
        if not models:
            fields.bad("models", "name at least one model")
            return []
        when, validity = fields.when(), self.validity(fields, self.whole)
        validity = validity.clipped(self.whole) or validity
        per = fields.whole("per", _PER_TOKENS, least=1)
        start = fields.whole("at_least", 0, least=0)
        stop = fields.whole("below", 0, least=1) if fields.has("below") else None
        graduated = fields.flag("graduated")
        wild = [translate(each) for each in models if _WILD.search(each)]
        rates = []
        for meter, value in fields.items("prices"):
            fields.meter(f"prices.{meter}", meter)
            price = fields.as_number(f"prices.{meter}", value)
            if price is None:
                continue
            try:
                tier = Tier(start, stop, graduated) if start or stop or graduated else None
                row = PriceRow(
                    id="",
                    provider=provider,
                    models=frozenset(each for each in models if not _WILD.search(each)),
                    dimension=meter,
                    unit_price=price,
                    per=per,
                    source=self.source,
                    read_on=self.whole.since.date(),
                    evidence="contract",
                    pattern="|".join(wild) or None,
                    currency=self.currency,
                    when=when,
                    tier=tier,
                    valid_from=validity.since,
                    valid_until=validity.until,
                )
            except PricingError as exc:
                fields.bad("", str(exc))
                break
            said = conditions_id(when, tier, validity.since, None)
            id_ = f"{self.id}/{provider}/{'|'.join(models)}/{meter}{said}"
            rates.append(Rate(evolve(row, id=id_), models))
        return rates

    def discount(self, table: object, path: str) -> Discount:
        fields, name, scope, validity = self.scoped(
            table, path, "percent", "surcharge", "order", "stacks", "on"
        )
        stacks = fields.choice("stacks", ("multiply", "add", "best_only"), "multiply")
        if fields.has("percent") == fields.has("surcharge"):
            fields.bad("percent", "give either 'percent' (off) or 'surcharge' (on top)")
        if fields.has("surcharge"):
            percent = subtract(0, fields.number("surcharge"))
            if stacks == "best_only":
                fields.bad("stacks", "a surcharge is never the best of several; use 'multiply'")
        else:
            percent = fields.number("percent", most=_HUNDRED)
        on = fields.choice("on", ("list", "rates", "all"), "list")
        order = fields.whole("order", 0, least=0)
        return Discount(name, scope, validity, percent, order, stacks, on)

    def capacity(self, table: object, path: str) -> Capacity:
        fields, name, scope, validity = self.scoped(table, path, "hourly", "units")
        self.needs(fields, scope.providers, "providers", "whose capacity it is")
        hourly, units = fields.number("hourly"), fields.number("units", exact(1), above=True)
        return Capacity(name, scope, validity, hourly, units)

    # Terms of a period --------------------------------------------------------------------------

    def allowance(self, table: object, path: str) -> Allowance:
        fields, name, scope, validity = self.scoped(table, path, "quantity", "period")
        self.needs(fields, scope.meters, "meters", "what is free")
        quantity = fields.number("quantity", above=True)
        return Allowance(
            name, scope, validity, quantity, fields.choice("period", ("day", "month"), "month")
        )

    def tiers(self, table: object, path: str) -> VolumeTiers:
        fields, name, scope, validity = self.scoped(table, path, "counts", "mode", "steps")
        counts = fields.choice("counts", ("units", "amount"), "units")
        graduated = fields.choice("mode", ("graduated", "whole"), "graduated") == "graduated"
        if counts == "units":
            self.needs(fields, scope.meters, "meters", "what is counted")
        steps = tuple(self.step(*each, counts) for each in fields.tables("steps"))
        if not steps or steps[0].over:
            fields.bad("steps", "the first step must be over 0: below it there is a gap")
        for index, (one, two) in enumerate(pairwise(steps), 1):
            if two.over <= one.over:
                fields.bad(f"steps[{index}].over", "steps ascend: it is not over the one before")
        return VolumeTiers(name, scope, validity, counts, graduated, steps)

    def step(self, table: object, path: str, counts: str) -> Step:
        fields = Fields(table, path, self.problems, ("over", "percent", "price", "per"))
        price = fields.number("price") if fields.has("price") else None
        if price is not None and (counts == "amount" or fields.has("percent")):
            fields.bad("price", "a step has a 'price' only by units, and then no 'percent'")
        over, percent = fields.number("over"), fields.number("percent", exact(0), most=_HUNDRED)
        return Step(over, percent, price, fields.whole("per", _PER_TOKENS, least=1))

    def commitment(self, table: object, path: str) -> Commitment:
        fields, name, scope, validity = self.scoped(
            table, path, "amount", "period", "overage", "upfront"
        )
        amount = fields.number("amount", above=True)
        monthly = fields.choice("period", ("month", "term"), "month") == "month"
        if not monthly and validity.until is None:
            fields.bad("valid_until", "a commitment over a term needs the term's end")
        overage = fields.choice("overage", ("contract", "list"), "contract")
        return Commitment(name, scope, validity, amount, monthly, overage, fields.flag("upfront"))

    def credit(self, table: object, path: str) -> Credit:
        fields, name, scope, validity = self.scoped(table, path, "amount")
        return Credit(name, scope, validity, fields.number("amount", above=True))

    @staticmethod
    def needs(fields: Fields, given: tuple[str, ...], key: str, why: str) -> None:
        if not given:
            fields.bad(key, f"missing {key!r}: say {why}")


def _date(at: datetime) -> str:
    return at.isoformat().removesuffix("T00:00:00+00:00")


_ANY_DAY: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
