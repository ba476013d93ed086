"""Price a usage object as a provider returned it: the reader, the meter and the book of the ledger.

    {"provider": "acme", "api": "chat", "model": "acme-small", "at": "2026-11-25T12:00:00Z",
     "context": {"service_tier": "default"}, "usage": {"prompt_tokens": 9, …}}

Pure but for the providers it is handed: nothing is sent. Imports: prices, protocols, dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from flo2.canonical import Usage
from flo2.dialects.base import Dialect, Peek
from flo2.errors import InvalidRequest
from flo2.meter import Meter
from flo2.money import text
from flo2.openai_compatible import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    MODERATIONS,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)
from flo2.prices import Cost, CostLine, PriceBook, PricingContext
from flo2.protocols import Call, Credential, Inbound, Provider

__all__ = ["Priced", "Question", "cost_json", "price_question", "read_question"]

_KEYS: Final = frozenset({"provider", "api", "model", "at", "context", "usage"})
_NEEDED: Final = ("provider", "api", "model", "usage")
_COMMON: Final[tuple[Dialect, ...]] = (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    MODERATIONS,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)
"""For an API that the provider's plugin does not speak, and for providers without one."""

_STATUS: Final[Mapping[str, str]] = {"settled": "priced"}


@frozen
class Question:
    """A usage object and what bears on its price.

    Attributes:
        context: What the caller knows of the circumstances; it goes before what the usage says.
        input_total: Tokens of the whole prompt, where the caller wants another tier; else None.
    """

    provider: str
    api: str
    model: str
    at: datetime
    context: Mapping[str, str]
    usage: Mapping[str, Any]
    input_total: int | None = None


@frozen
class Priced:
    """What a question comes to: the meters that were read, and their cost by the book."""

    usage: Usage
    cost: Cost


def read_question(document: Any, now: datetime) -> Question:
    """Check a parsed JSON object.

    Raises:
        InvalidRequest: it is no such object; the first thing wrong, and where.
    """
    if not isinstance(document, Mapping):
        raise InvalidRequest(f"expected a JSON object, got {_shown(document)}")
    for key in sorted(document.keys() - _KEYS):
        raise InvalidRequest(f"unknown key {key!r}; known: {', '.join(sorted(_KEYS))}", param=key)
    for key in _NEEDED:
        if key not in document:
            raise InvalidRequest(f"missing key {key!r}", param=key)
    words = {}
    for key in ("provider", "api", "model"):
        value = document[key]
        if not isinstance(value, str) or not value:
            raise InvalidRequest(f"{key} must be text, got {_shown(value)}", param=key)
        words[key] = value
    usage = document["usage"]
    if not isinstance(usage, Mapping):
        raise InvalidRequest(f"usage must be an object, got {_shown(usage)}", param="usage")
    context, total = _context(document.get("context"))
    return Question(
        **words, at=_instant(document.get("at"), now), context=context, usage=usage,
        input_total=total,
    )  # fmt: skip


def price_question(
    question: Question,
    book: PriceBook,
    find: Callable[[str], tuple[Provider | None, str]],
    spoken: Sequence[Dialect] = (),
) -> Priced:
    """Price a question by the very reader and book that the ledger uses.

    Args:
        question: What was used.
        book: The price book.
        find: Gives a provider by its name and the name that its prices go by.
        spoken: What other providers speak, for an API that this one does not, or has no plugin for.

    Raises:
        InvalidRequest: no API has the name.
    """
    provider, priced_as = find(question.provider)
    dialect = _dialect(provider, question.api, spoken)
    usage = _reader(provider, dialect, question.model)(question.usage)
    context = PricingContext(
        priced_as,
        dialect.api,
        question.model,
        question.model,
        question.at,
        {**usage.context, **question.context},
        question.input_total,
    )
    return Priced(usage, Meter(lambda: book).cost(usage, context))


def cost_json(priced: Priced) -> dict[str, Any]:
    """Write an answer; money is text, counts are whole numbers or text."""
    cost, charge = priced.cost, priced.usage.reported
    told = {} if charge is None else {"reported": text(charge.amount)}
    return {
        "status": _STATUS.get(cost.status, cost.status),
        "total": None if cost.total is None else text(cost.total),
        "currency": cost.currency,
        "lines": [_line(line) for line in cost.lines],
        "book": cost.book,
        "reason": cost.reason,
        **told,
    }


def _line(line: CostLine) -> dict[str, Any]:
    quantity = line.quantity
    return {
        "dimension": line.dimension,
        "quantity": quantity if isinstance(quantity, int) else text(quantity),
        "unit_price": text(line.unit_price),
        "per": line.per,
        "amount": text(line.amount),
        "row": line.row,
        **({"rounded": True} if line.rounded else {}),
        **({"model": line.model} if line.model else {}),
    }


def _dialect(provider: Provider | None, api: str, spoken: Sequence[Dialect]) -> Dialect:
    own = () if provider is None else provider.facts.dialects
    known = (*own, *_COMMON, *spoken)
    for dialect in known:
        if api in _names(dialect.api):
            return dialect
    raise InvalidRequest(
        f"there is no API {api!r}; known: {', '.join(sorted({each.api for each in known}))}",
        param="api",
    )


def _names(api: str) -> Iterable[str]:
    """Give an API's billing word, and the same in the singular."""
    return (api, api.removesuffix("s")) if api != "responses" else (api, "response")


def _reader(
    provider: Provider | None, dialect: Dialect, model: str
) -> Callable[[Mapping[str, Any]], Usage]:
    usage_reader = getattr(provider, "usage_reader", None)
    if usage_reader is not None:
        call = Call(Inbound(dialect, b"", Peek(model)), dialect, model, Credential(None))
        try:
            reader: Callable[[Mapping[str, Any]], Usage] | None = usage_reader(call)
        except InvalidRequest as exc:
            raise InvalidRequest(
                f"API {dialect.api!r} of model {model!r} is billed by what the request "
                "holds, which no usage object tells",
                param="api",
            ) from exc
        if reader is not None:
            return reader
    return dialect.read_usage


def _context(given: Any) -> tuple[dict[str, str], int | None]:
    """Read the circumstances: `null` is not stated, `batch: true` is how people say processing."""
    if given is None:
        return {}, None
    if not isinstance(given, Mapping):
        raise InvalidRequest(f"context must be an object, got {_shown(given)}", param="context")
    found: dict[str, str] = {}
    total = None
    for key, value in given.items():
        if value is None or (key == "batch" and value is False):
            continue
        if key == "batch" and value is True:
            found["processing"] = "batch"
        elif key == "input_total" and type(value) is int and value >= 0:
            total = value
        elif isinstance(value, str):
            found[key] = value
        else:
            raise InvalidRequest(
                f"context.{key} must be text, got {_shown(value)}", param=f"context.{key}"
            )
    return found, total


def _instant(given: Any, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        when = datetime.fromisoformat(given)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidRequest(
            f"at must be an instant such as 2026-11-25T12:00:00Z, got {_shown(given)}", param="at"
        ) from exc


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
