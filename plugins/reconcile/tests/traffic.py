"""Calls as a provider saw them, the ledger that flo2 made of them, and their prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from flo2 import Account, Cost, CostLine, Intent, MemoryStore, Pend, Record, Settle, Usage
from flo2.ledger import chain_links
from flo2.money import divide, multiply, total
from flo2.prices import PricingContext
from flo2.stores import WriterHead
from flo2_reconcile.booked import Names

__all__ = [
    "DAY",
    "FINAL",
    "HOUR",
    "MINUTE",
    "NAMES",
    "START",
    "Call",
    "calls",
    "cost_of",
    "ledger_of",
    "price",
    "records_of",
]

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START: Final = 1_794_787_200_000_000
"""Monday 2026-11-16, midnight UTC."""
FINAL: Final = START + 10 * DAY
"""When every bill of these days is complete."""
NAMES: Final = Names({}, {"cred_a": "key_A", "cred_b": "key_B"})

_RATES: Final = {
    "input_tokens": Decimal("2.5"),
    "cache_read_tokens": Decimal("1.25"),
    "cache_write_5m_tokens": Decimal("3.125"),
    "cache_write_1h_tokens": Decimal(5),
    "output_tokens": Decimal(10),
}
_MODELS: Final = {"big": Decimal(1), "small": Decimal("0.1")}
_FACTORS: Final = {"standard": Decimal(1), "flex": Decimal("0.5"), "batch": Decimal("0.5")}


@frozen
class Call:
    """One attempt as the provider saw it."""

    number: int
    at_us: int
    model: str = "big"
    project: str = "proj_1"
    credential: str = "cred_a"
    tier: str = "standard"
    batch: bool = False
    meters: Mapping[str, int] = field(factory=lambda: {"input_tokens": 100, "output_tokens": 10})
    outcome: str = "answered"
    provider: str = "openai"
    retry_of: int | None = None

    @property
    def key(self) -> str:
        """The provider's name of the key."""
        return NAMES.api_keys[self.credential]

    @property
    def entry_id(self) -> str:
        """Its entry."""
        return f"x{self.number}.1"


def _rate(model: str, meter: str, tier: str, *, batch: bool) -> Decimal | None:
    if model not in _MODELS or meter not in _RATES:
        return None
    way = "batch" if batch else tier
    return multiply(multiply(_RATES[meter], _MODELS[model]), _FACTORS[way])


def price(usage: Usage, context: PricingContext) -> Cost:
    """Price a usage as the ledger was priced."""
    tier = context.context.get("service_tier", "standard")
    batch = context.context.get("processing") == "batch"
    lines = []
    for meter, count in usage.quantities.items():
        rate = _rate(context.model_billed, meter, tier, batch=batch)
        if rate is None:
            return Cost((), "unpriced", None, "USD", "book", f"no row for {meter}")
        amount = divide(multiply(count, rate), 1_000_000)[0]
        lines.append(
            CostLine(meter, count, rate, 1_000_000, amount, amount, "USD", f"row-{meter}", "book")
        )
    return Cost(tuple(lines), "settled", total(e.amount for e in lines), "USD", "book")


def _context(call: Call) -> dict[str, str]:
    context = {} if call.tier == "standard" else {"service_tier": call.tier}
    return context | ({"processing": "batch"} if call.batch else {})


def cost_of(call: Call) -> Mapping[str, Decimal]:
    """Give what each meter of a call costs."""
    return {
        meter: divide(
            multiply(count, _rate(call.model, meter, call.tier, batch=call.batch) or 0), 1_000_000
        )[0]
        for meter, count in call.meters.items()
    }


def records_of(call: Call) -> list[Record]:
    """Write a call down as flo2 does."""
    exchange = call.number if call.retry_of is None else call.retry_of
    intent = Intent(
        call.entry_id,
        f"x{exchange}",
        1 if call.retry_of is None else 2,
        "primary" if call.retry_of is None else "retry",
        "default",
        "key_1",
        call.credential,
        call.provider,
        call.provider,
        "chat",
        call.model,
        call.model,
        call.at_us,
        project=call.project,
        low=Decimal(0),
        high=Decimal(1000),
    )
    if call.outcome != "answered":
        outcome: Any = call.outcome
        pend = Pend(intent.entry_id, call.at_us + 5, outcome, "", Decimal(0), Decimal(1000))
        return [intent, pend]
    at_call = PricingContext(
        call.provider, "chat", call.model, call.model, _when(call.at_us), _context(call)
    )
    cost = price(Usage(call.meters), at_call)
    settle = Settle(
        intent.entry_id,
        call.at_us + 5,
        "settled",
        "answered",
        call.meters,
        cost.lines,
        cost.total,
        cost.total,
        "USD",
        "book",
        call.model,
        context=_context(call),
    )
    return [intent, settle]


def _when(us: int) -> Any:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def ledger_of(made: Iterable[Call]) -> MemoryStore:
    """Make a ledger of calls."""
    store = MemoryStore()
    store.put_account(Account("default", "default", 0))
    records = [record for call in made for record in records_of(call)]
    store.append(chain_links(WriterHead("w", 0, ""), enumerate(records, 1), b"salt"))
    return store


@st.composite
def calls(draw: st.DrawFn, *, provider: str = "openai", low: int = 1, high: int = 12) -> list[Call]:
    """Draw some calls of two days."""
    classes = ["input_tokens", "cache_read_tokens", "output_tokens"]
    if provider == "anthropic":
        classes += ["cache_write_5m_tokens", "cache_write_1h_tokens"]
    made = []
    for number in range(draw(st.integers(low, high))):
        batch = draw(st.booleans()) if provider in {"openai", "anthropic"} else False
        tiers = ["standard"] if batch or provider != "openai" else ["standard", "flex"]
        # Odd hours, so that no call lies at an edge by chance: edges are planted.
        at = START + draw(st.integers(0, 47)) * HOUR + draw(st.integers(6, 53)) * MINUTE
        meters = draw(st.dictionaries(st.sampled_from(classes), st.integers(1, 10**6), min_size=1))
        made.append(
            Call(
                number,
                at + draw(st.integers(20, 40)) * 1_000_000,
                draw(st.sampled_from(sorted(_MODELS))),
                draw(st.sampled_from(["proj_1", "proj_2"])),
                draw(st.sampled_from(["cred_a", "cred_b"])),
                draw(st.sampled_from(tiers)),
                batch,
                meters,
                provider=provider,
            )
        )
    return made


def moved(call: Call, at_us: int) -> Call:
    """Give the same call at another time."""
    return evolve(call, at_us=at_us)
