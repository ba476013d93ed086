"""Scripted providers, and an executor over them: what a plan does, seen without HTTP or a store.

    async with stage(fast=Script([Say("hi"), End()]), slow=Script([Wait(3), ...])) as theatre:
        attempt = await theatre.run(Plan.race(theatre.candidates("fast", "slow")))

Imports: executor, meter, dialects, records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import cast

import anyio
from attrs import define, field, frozen

from flo2.canonical import Event, Failed, PartDelta, Start, Text, Usage
from flo2.canonical.events import PartStart
from flo2.dialects.base import Chunk, Observed, Peek
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import ProviderError, StoreError
from flo2.executor import Attempt, Booking, DrainGroup, DrainLimits, Executor, HealthModel, Tools
from flo2.ledger import Ledger
from flo2.meter import Meter
from flo2.plan import Candidate, Plan
from flo2.prices import Layer, PriceBook, PriceRow, build
from flo2.protocols import Call, CancelSemantics, Credential, Facts, Inbound, Reply
from flo2.records import Intent, Outcome, Pend, Record, Role, Settle, Void

__all__ = [
    "Begin",
    "End",
    "Fail",
    "Notes",
    "Raise",
    "Say",
    "Script",
    "ScriptedReply",
    "Step",
    "Tell",
    "Theatre",
    "Wait",
    "act",
    "stage",
]


@frozen
class Begin:
    """The answer begins, without content."""


@frozen
class Say:
    """Some content."""

    text: str = "x"


@frozen
class Tell:
    """The usage."""

    input_tokens: int = 10
    output_tokens: int = 5


@frozen
class End:
    """The answer is complete: usage, finish reason, terminator."""

    usage: Tell | None = field(factory=Tell)


@frozen
class Fail:
    """The provider reports an error inside the answer."""

    error: ProviderError


@frozen
class Wait:
    """Nothing happens for a while; `inf` is for ever."""

    seconds: float


@frozen
class Raise:
    """Something is raised."""

    error: Exception


Step = Begin | Say | Tell | End | Fail | Wait | Raise


@frozen
class Script:
    """What one provider does, at each attempt anew.

    Attributes:
        steps: Its answer.
        opening: What happens before there is an answer: `Wait` and `Raise`.
        closing: The same, while it is closed.
        semantics: What closing the connection does.
    """

    steps: Sequence[Step] = (Begin(), Say(), End())
    opening: Sequence[Wait | Raise] = ()
    closing: Sequence[Wait | Raise] = ()
    semantics: CancelSemantics = "stops"


class ScriptedReply:
    """A reply that follows its script."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.observed: Observed = Observed()
        self.aborted: bool = False
        self._steps = steps

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer piece by piece."""
        for step in self._steps:
            match step:
                case Wait() | Raise():
                    await act(step)
                case _:
                    yield Chunk(repr(step).encode(), self._perform(step))

    def _perform(self, step: Begin | Say | Tell | End | Fail) -> tuple[Event, ...]:
        observed = self.observed
        match step:
            case Begin():
                observed.model, observed.response_id = "m", "r1"
                return (Start("r1", "m"),)
            case Say(text):
                first = not observed.has_content
                observed.has_content = True
                return (PartStart(0, Text(text)),) if first else (PartDelta(0, text=text),)
            case Fail(error):
                observed.error = error
                return (Failed(error),)
            case Tell():
                observed.usage = _usage(step)
            case End(usage):
                observed.finish, observed.complete = "stop", True
                observed.usage = observed.usage if usage is None else _usage(usage)
        return ()

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


def _usage(told: Tell) -> Usage:
    meters = {"input_tokens": told.input_tokens, "output_tokens": told.output_tokens}
    return Usage({name: count for name, count in meters.items() if count})


async def act(step: Step) -> None:
    """Do what a script says of waiting and raising; nothing for other steps."""
    if isinstance(step, Wait):
        await anyio.sleep(step.seconds)
    elif isinstance(step, Raise):
        raise step.error


@define
class Notes:
    """A ledger that only remembers.

    Attributes:
        refuse: From so many intents on, no further one is taken.
    """

    records: list[Record] = field(factory=list)
    refuse: int | None = None

    def intent(self, record: Intent) -> None:
        """Take an intent, or refuse it as a full disk does."""
        if self.refuse is not None and len(self.intents) >= self.refuse:
            raise StoreError("the disk is full")
        self.records.append(record)

    def end(self, *records: Record) -> None:
        """Take what ended."""
        self.records.extend(records)

    @property
    def intents(self) -> list[Intent]:
        """The attempts that began."""
        return [record for record in self.records if isinstance(record, Intent)]

    @property
    def ends(self) -> dict[str, Settle | Pend | Void]:
        """The end of each attempt, by its intent's provider and number: `a1`, `b2`, …."""
        found: dict[str, Settle | Pend | Void] = {}
        names = {i.entry_id: f"{i.provider}{i.attempt}" for i in self.intents}
        for record in self.records:
            if isinstance(record, Settle | Pend | Void):
                name = names[record.entry_id]
                assert name not in found, f"{name} ended twice"  # noqa: S101  # the law itself
                found[name] = record
        return found

    def told(self) -> dict[str, tuple[Role, str, Outcome]]:
        """Say of each attempt its role, status and outcome; `open` when it has not ended."""
        ends = self.ends
        found: dict[str, tuple[Role, str, Outcome]] = {}
        for intent in self.intents:
            name = f"{intent.provider}{intent.attempt}"
            end = ends[name]
            status = end.status if isinstance(end, Settle) else type(end).__name__.lower()
            found[name] = (intent.role, status, end.outcome)
        return found


class Theatre:
    """Scripted providers by name, the executor that calls them, and what came of it."""

    def __init__(
        self, scripts: Mapping[str, Script], tools: Tools, notes: Notes, *, stream: bool
    ) -> None:
        self.scripts = scripts
        self.tools = tools
        self.notes = notes
        self.attempts: list[Attempt] = []
        self.opened: list[str] = []
        self.open: list[str] = []
        self.replies: list[ScriptedReply] = []
        self.executor: Executor
        self.drains: DrainGroup
        peek = Peek("m", stream=stream, max_output_tokens=100)
        self.inbound: Inbound = Inbound(OpenAIChat(), b'{"model":"m"}', peek)

    def candidates(self, *names: str) -> list[Candidate]:
        """Give candidates by their scripts' names."""
        return [Candidate(name, name, "m") for name in names or self.scripts]

    async def run(self, plan: Plan) -> Attempt:
        """Run a plan."""
        return await self.executor.run(plan, self)

    async def serve(self, plan: Plan) -> list[Chunk]:
        """Run a plan, read the answer to its end and end it, as the gateway does."""
        attempt = await self.run(plan)
        try:
            chunks = [chunk async for chunk in attempt.chunks()]
            failed = any(isinstance(event, Failed) for each in chunks for event in each.events)
            attempt.finish("broken" if failed else "answered")
            await attempt.close()
        finally:
            if not attempt.ended:
                await self.drains.take(attempt, "disconnected")
        return chunks

    def __call__(self, candidate: Candidate, *, role: Role) -> Attempt:
        """Make an attempt."""
        number = len(self.attempts) + 1
        facts = Facts(cancel_semantics=self.scripts[candidate.provider].semantics)
        entry_id = f"x.{number}"
        call = Call(self.inbound, self.inbound.dialect, "m", Credential(None), entry_id=entry_id)
        intent = Intent(
            entry_id=entry_id,
            exchange_id="x",
            attempt=number,
            role=role,
            account="default",
            key_id="key_1",
            credential_id=None,
            provider=candidate.provider,
            provider_kind="acme",
            api="chat",
            model_requested="m",
            model="m",
            started_us=self.tools.now_us(),
        )
        opener = self._opener(candidate.provider)
        attempt = Attempt(self.tools, opener, facts, call, intent, candidate.id)
        self.attempts.append(attempt)
        return attempt

    def outlives(self, candidate: Candidate) -> bool:
        """Say whether it must run on: as the gateway decides."""
        script = self.scripts[candidate.provider]
        return self.inbound.peek.stream and script.semantics != "stops"

    def _opener(self, name: str) -> _Opener:
        return _Opener(self, name)


@frozen
class _Opener:
    theatre: Theatre
    name: str

    def __call__(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        return self._chat()

    @asynccontextmanager
    async def _chat(self) -> AsyncIterator[Reply]:
        theatre, script = self.theatre, self.theatre.scripts[self.name]
        theatre.opened.append(self.name)
        theatre.open.append(self.name)
        try:
            for step in script.opening:
                await act(step)
            reply = ScriptedReply(script.steps)
            theatre.replies.append(reply)
            yield reply
            for step in script.closing:
                await act(step)
        finally:
            theatre.open.remove(self.name)


def _book() -> PriceBook:
    def row(dimension: str, price: int) -> PriceRow:
        return PriceRow(
            id=dimension,
            provider="acme",
            models=frozenset({"m"}),
            dimension=dimension,
            unit_price=Decimal(price),
            per=1_000_000,
            source="scripted",
            read_on=date(2026, 11, 25),
            evidence="simulated",
        )

    return build([Layer("scripted", [row("input_tokens", 1), row("output_tokens", 10)])])


@asynccontextmanager
async def stage(
    *,
    book: PriceBook | None = None,
    stream: bool = True,
    limits: DrainLimits | None = None,
    grace_s: float = 1000.0,
    refuse: int | None = None,
    **scripts: Script,
) -> AsyncIterator[Theatre]:
    """Set up scripted providers and an executor; at the end drain, and stop what is left.

    Args:
        book: What the model `m` of provider `acme` costs; None: 1 USD per million input tokens, 10
            USD per million output tokens.
        stream: Whether streams are asked for.
        limits: Of the drain group.
        grace_s: How long the drain group may go on at the end.
        refuse: From so many intents on, the ledger takes no further one.
        scripts: Provider name → what it does.
    """
    notes = Notes(refuse=refuse)
    prices = _book() if book is None else book
    clock = anyio.current_time
    tools = Tools(
        ledger=cast("Ledger", notes),
        booking=Booking(Meter(lambda: prices)),
        health=HealthModel(clock),
        clock=clock,
        now_us=lambda: int(clock() * 1_000_000),
    )
    theatre = Theatre(scripts, tools, notes, stream=stream)
    async with anyio.create_task_group() as group:
        theatre.drains = DrainGroup(group, limits or DrainLimits())
        theatre.executor = Executor(group, theatre.drains)
        try:
            yield theatre
        finally:
            with anyio.CancelScope(shield=True):
                await theatre.drains.close(grace_s)
            group.cancel_scope.cancel()
