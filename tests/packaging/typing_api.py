"""The public API as a typed program sees it: checked by mypy, never run or collected.

What is written here without a cast, an `Any` or an ignore must stay so: whoever builds on flo2 with
a type checker gets these types. `assert_type` fails the check where one of them changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, assert_type

from attrs import evolve, frozen

import flo2
from flo2 import (
    AllAttemptsFailed,
    Answer,
    Bounds,
    Call,
    Candidate,
    Choice,
    Chunk,
    ConfigError,
    CostLine,
    CountsTokens,
    Credential,
    DescribesModels,
    Embeds,
    Entry,
    Event,
    Exchange,
    Facts,
    Finish,
    Gateway,
    Inbound,
    IssuedKey,
    KnowsModels,
    ListsModels,
    MakesImages,
    MemoryStore,
    Message,
    ModelFacts,
    ModelInfo,
    Moderates,
    NotFound,
    Observed,
    Observer,
    OpenAICompatible,
    PartDelta,
    PartStart,
    Pend,
    Plan,
    PriceRow,
    PriceSource,
    Profile,
    Profiles,
    Provider,
    ProviderError,
    RefusedCall,
    Register,
    Reply,
    Request,
    Response,
    RouteSpec,
    RouteView,
    Sampling,
    SealedCredential,
    Secret,
    Services,
    Settle,
    Speaks,
    Stage,
    Start,
    Store,
    Strategy,
    TargetSpec,
    Text,
    Transcribes,
    Usage,
    UsageUpdate,
    Void,
    Wire,
    WireError,
    create_app,
    fold,
    hookimpl,
    receipt_json,
)
from flo2.errors import ErrorKind
from flo2.ledger import Receipt

# A plugin of one's own -------------------------------------------------------------------------


class EchoReply:
    """An answer made in Python."""

    def __init__(self, call: Call) -> None:
        self.status: int = 200
        self.headers: Mapping[str, str] = {}
        self.observed: Observed = Observed(model=call.model)
        self._text = call.inbound.peek.model

    async def chunks(self) -> AsyncIterator[Chunk]:
        usage = Usage({"input_tokens": 1, "output_tokens": 1, "seconds": Decimal("0.5")})
        events: tuple[Event, ...] = (
            Start("r-1", "echo"),
            PartStart(0, Text("")),
            PartDelta(0, text=self._text),
            UsageUpdate(usage),
            Finish("stop"),
        )
        for event in events:
            yield Chunk(b"", (event,))
        self.observed.usage = usage
        self.observed.complete = True

    def abort(self) -> None:
        self.observed.complete = False


class Echo:
    """A provider with every optional ability."""

    kind: ClassVar[str] = "echo"
    facts: Facts = Facts(needs_key=False, cancel_semantics="stops", billed_errors=frozenset({"x"}))

    @frozen(kw_only=True)
    class Config:
        """Settings."""

        delay_s: float = 0.0

    def __init__(self, config: Config, services: Services) -> None:
        self._delay_s = config.delay_s
        self._clock = services.clock

    @asynccontextmanager
    async def chat(self, call: Call) -> AsyncIterator[Reply]:
        assert_type(call.stream, bool)
        assert_type(call.body(), bytes)
        assert_type(call.inbound.request, Request)
        assert_type(call.credential.project, str | None)
        if call.credential.secret is not None:
            assert_type(call.credential.secret.reveal(), str)
        if call.model == "busy":
            raise ProviderError("busy", provider="echo", status=529, kind="overloaded")
        yield EchoReply(call)

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    def make_images(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    def speak(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    def transcribe(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    def moderate(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self.chat(call)

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        return [ModelInfo("echo", "echo", owned_by=credential.id)]

    def describe(self, model: str) -> ModelFacts | None:
        return ModelFacts(model, "its author", date(2026, 11, 25), abilities=["tools"])

    def knows(self, model: str) -> bool:
        return model.startswith("echo")

    def profile(self, model: str) -> Profile:
        return Profile(max_output_tokens=10, renames={"max_tokens": "limit"})


class Acme(OpenAICompatible):
    """A host with OpenAI's API."""

    kind: ClassVar[str] = "acme"
    base_url: ClassVar[str] = "https://api.acme.example/v1"
    facts: Facts = evolve(OpenAICompatible.facts, key_env="ACME_API_KEY")
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    drop: ClassVar[frozenset[str]] = frozenset({"logit_bias"})

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings."""

        project: str = "default"

    config: Config

    def headers(self, call: Call) -> dict[str, str]:
        return {**super().headers(call), "x-acme-project": self.config.project}


class Cheapest:
    """A strategy."""

    kind: ClassVar[str] = "cheapest"

    @frozen
    class Config:
        """Settings."""

        hedge_s: float = 0.5

    def __init__(self, config: Config, services: Services) -> None:
        self._hedge_s = config.hedge_s

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        assert_type(inbound.peek.max_output_tokens, int | None)
        assert_type(view.now, float)
        assert_type(view.rng.random(), float)
        assert_type(view.latency(candidates[0]).time_to_first_token_s, float | None)
        assert_type(view.health(candidates[0]).retry_at, float | None)
        ranked = sorted(candidates, key=lambda each: (_most(each.bounds), each.id))
        if len(ranked) > 1:
            return Plan(
                (Stage(tuple(ranked[:2]), delay_s=self._hedge_s), Stage((ranked[0],), retries=1)),
                why="the two cheapest, hedged",
                reasons={ranked[0].id: "costs least"},
            )
        return Plan.fallback(ranked, why="the only one")


def _most(bounds: Bounds | None) -> Decimal:
    return Decimal("Infinity") if bounds is None or bounds.high is None else bounds.high


class Tally:
    """An observer."""

    kind: ClassVar[str] = "tally"

    @frozen
    class Config:
        """No settings."""

    def __init__(self, config: Config, services: Services) -> None:
        self.spent: Decimal = Decimal(0)

    async def observe(self, exchange: Exchange, entries: Sequence[Entry]) -> None:
        assert_type(exchange.attribution.customer, str | None)
        assert_type(exchange.attribution.tags, Mapping[str, str])
        for entry in entries:
            if entry.total is not None:
                self.spent += entry.total


class NoPrices:
    """A price source."""

    kind: ClassVar[str] = "no-prices"
    precedence: ClassVar[int] = 10

    def rows(self) -> Iterable[PriceRow]:
        return ()

    def defaults(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        return {"echo": {"service_tier": ("standard",)}}


class Plugin:
    """A plugin handed over in Python."""

    @hookimpl
    def flo2_register_providers(self, register: Register) -> None:
        register(Echo)
        register(Acme, replace=True)

    @hookimpl
    def flo2_register_strategies(self, register: Register) -> None:
        register(Cheapest)

    @hookimpl
    def flo2_register_observers(self, register: Register) -> None:
        register(Tally)


def satisfied(services: Services) -> tuple[object, ...]:
    """Each class satisfies its protocol as it is, without inheriting from it."""
    echo = Echo(Echo.Config(delay_s=0.1), services)
    provider: Provider = echo
    embeds: Embeds = echo
    counts: CountsTokens = echo
    images: MakesImages = echo
    speaks: Speaks = echo
    transcribes: Transcribes = echo
    moderates: Moderates = echo
    lists: ListsModels = echo
    knows: KnowsModels = echo
    describes: DescribesModels = echo
    profiles: Profiles = echo
    acme: Provider = Acme(Acme.Config(project="p"), services)
    strategy: Strategy = Cheapest(Cheapest.Config(), services)
    observer: Observer = Tally(Tally.Config(), services)
    prices: PriceSource = NoPrices()
    store: Store = MemoryStore()
    return (
        *(provider, embeds, counts, lists, knows, describes, profiles),
        *(images, speaks, transcribes, moderates),
        *(acme, strategy, observer, prices, store),
    )


# A gateway, a call and its receipt -------------------------------------------------------------


def built(path: Path, config: flo2.Config) -> list[Gateway]:
    """Every way to build a gateway."""
    table: Mapping[str, Any] = {"providers": {"echo": {"kind": "echo"}}}
    return [
        Gateway.from_file(path, environ={}),
        Gateway.from_file(None),
        Gateway.build(config),
        Gateway.build(
            table, plugins={"mine": Plugin()}, store=MemoryStore(), environ={}, wire=Wire()
        ),
    ]


async def called(gateway: Gateway) -> Receipt:
    """Issue a key, make a call in each form, and take its receipt."""
    create_app(gateway, lifespan=False)
    async with gateway as entered:
        assert_type(entered, Gateway)
        kept = await gateway.add_credential("acme", Secret("sk-fake"), name="first")
        assert_type(kept, SealedCredential)
        record, key = await gateway.issue_key("ci", team="search", tags={"env": "test"})
        assert_type(record, IssuedKey)
        assert_type(key.reveal(), str)
        targets = (TargetSpec("echo", "echo"), TargetSpec("acme", "m1"))
        gateway.store.put_route(RouteSpec("default", "fast", "cheapest", targets))
        await gateway.refresh(force=True)
        assert_type(await gateway.models(record), Sequence[ModelInfo])

        request = Request(
            "fast",
            (Message("user", (Text("Hello"),)),),
            sampling=Sampling(max_output_tokens=5, temperature=0.5),
        )
        async with gateway.chat(request, key=record) as answer:
            assert_type(answer, Answer)
            response = await answer.response()
            assert_type(response, Response)
            assert_type(response.choices, tuple[Choice, ...])
            assert_type(response.usage, Usage | None)
        shaped = {"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}
        async with gateway.chat(shaped, key=key.reveal()) as answer:
            events = [event async for event in answer.events()]
            assert_type(events, list[Event])
            assert_type(fold(events), Response)
        async with gateway.chat(shaped, key=record, headers={"x-flo2-customer": "c"}) as answer:
            async for text in answer.texts():
                assert_type(text, str)
        return await gateway.receipt(answer.request_id, account="default", key_id=record.id)


def costs(receipt: Receipt) -> list[CostLine]:
    """Read a receipt; money is `Decimal` or unknown."""
    assert_type(receipt.exchange, Exchange | None)
    assert_type(receipt_json(receipt), dict[str, Any])
    lines: list[CostLine] = []
    for entry in receipt.entries:
        assert_type(entry.total, Decimal | None)
        match entry.end:
            case Settle() as settled:
                assert_type(settled.meters, Mapping[str, int | Decimal])
                lines.extend(settled.lines)
            case Pend() as pending:
                assert_type(pending.high, Decimal | None)
            case Void() as void:
                assert_type(void.source, str)
            case None:
                assert_type(entry.intent.provider, str)
    for line in lines:
        assert_type(line.amount, Decimal)
        assert_type(line.quantity, int | Decimal)
    return lines


def told(error: Exception) -> tuple[int | None, ErrorKind | None]:
    """Every error carries typed facts."""
    match error:
        case NotFound() | RefusedCall():
            assert_type(error.retry_after_s, float | None)
            return error.status, error.kind
        case ProviderError():
            assert_type(error.body, bytes)
            return error.status, error.kind
        case AllAttemptsFailed():
            assert_type(error.failures, tuple[ProviderError | WireError, ...])
            assert_type(error.last, ProviderError | WireError)
            return None, None
        case ConfigError():
            assert_type(error.problems, tuple[str, ...])
            return None, None
        case WireError():
            assert_type(error.sent, bool)
            return None, "connection"
        case _:
            return None, None
