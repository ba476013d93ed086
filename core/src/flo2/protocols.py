"""What plugins implement and core relies on: narrow protocols and the values they exchange.

Optional abilities are protocols of one method, found by `isinstance` when a gateway is composed;
those to answer other requests than chats are in `flo2.operations`.
A class that is registered has besides a `Config`: the attrs class of its configuration table. It is
made as `Class(config, services)`.
Imports: plan, records, stored, dialects, canonical, errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Literal, Protocol, runtime_checkable

from attrs import evolve, field, frozen
from msgspec import Struct
from msgspec import field as default

from flo2.canonical import Request
from flo2.dialects.base import Chunk, Dialect, Observed, Peek, Profile, Rendered
from flo2.model_facts import ModelFacts
from flo2.plan import Candidate, Plan, RouteView
from flo2.prices.rows import PriceRow
from flo2.records import Entry, Exchange

__all__ = [
    "Call",
    "CancelSemantics",
    "Credential",
    "DescribesModels",
    "Facts",
    "Inbound",
    "KnowsModels",
    "ListsModels",
    "ModelInfo",
    "Observer",
    "PriceSource",
    "Profiles",
    "Provider",
    "Reply",
    "Revealable",
    "SpeaksPerModel",
    "Strategy",
    "WholeReply",
]

CancelSemantics = Literal["stops", "runs_to_end", "unknown"]
"""What closing the connection does at the provider: it stops working and billing · it runs to its
end and bills all · nobody knows. Only with `stops` is a lost attempt aborted; others are drained.
"""


class Revealable(Protocol):
    """A secret: `repr` and `str` hide it, `reveal` gives it (see `flo2.secrets.Secret`)."""

    def reveal(self) -> str:
        """Give the secret itself; only to build the header it belongs into."""
        ...


class Credential(Struct, frozen=True):
    """What authenticates one call. `secret` None: the provider wants no key."""

    id: str | None
    secret: Revealable | None = None
    project: str | None = None
    settings: Mapping[str, str] = default(default_factory=dict)

    def __repr__(self) -> str:
        return f"Credential(id={self.id!r})"


class Inbound:
    """A client's request: its bytes, what a peek shows, and the canonical form when asked for.

    Attributes:
        dialect: The dialect it is written in.
        body: The bytes as the client sent them, or b"" when it was built in Python.
        peek: Model, stream and the other few fields that every call needs.
        headers: Request headers that may be passed on to a provider, lower-case names.
        query: The query string of the client's URL, as it came; equal dialects pass it on.
        rewritten: Whether something changed the request, so that it must be rendered anew.
        notes: What was changed, for the receipt.
    """

    __slots__ = (
        "_rendered",
        "_request",
        "body",
        "dialect",
        "headers",
        "notes",
        "peek",
        "query",
        "rewritten",
    )

    def __init__(
        self,
        dialect: Dialect,
        body: bytes,
        peek: Peek,
        *,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        request: Request | None = None,
    ) -> None:
        """Keep the parts; `request` only when it was built in Python."""
        self.dialect: Dialect = dialect
        self.body: bytes = body
        self.peek: Peek = peek
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.query: str = query
        self.rewritten: bool = request is not None or peek.needs_render
        self.notes: tuple[str, ...] = ()
        self._request = request
        self._rendered: tuple[Dialect, str, Profile, Request, Rendered] | None = None

    @property
    def request(self) -> Request:
        """The canonical request; parsed at the first call, then kept.

        Raises:
            InvalidRequest: the body is not a request of its dialect.
        """
        if self._request is None:
            request, peek = self.dialect.parse(self.body), self.peek
            if not request.model:  # it stands in the URL
                request = evolve(request, model=peek.model, stream=peek.stream)
            self._request = request
        return self._request

    def rendered(self, dialect: Dialect, model: str, profile: Profile) -> Rendered:
        """Write it in another dialect; the last one is kept: what was checked is what is sent.

        Raises:
            RefusedCall: as `Dialect.render`.
        """
        request, known = self.request, self._rendered
        if (
            known is not None
            and known[0] is dialect
            and known[1] == model
            and known[2] is profile
            and known[3] is request
        ):
            return known[4]
        rendered = dialect.render(request, model=model, profile=profile)
        self._rendered = (dialect, model, profile, request, rendered)
        return rendered


class Call(Struct, frozen=True):
    """All that a provider needs for one attempt.

    Attributes:
        inbound: The client's request.
        dialect: The dialect to speak to the provider.
        model: The model as the provider knows it.
        credential: What authenticates the call.
        profile: Facts about the model.
        passthrough: The client speaks `dialect` too and nothing rewrote the request: send its own
            bytes, spliced, and give chunks with `raw`.
        full: The caller needs every event, not only what metering needs.
        entry_id: Id of the attempt's ledger entry, for correlation.
    """

    inbound: Inbound
    dialect: Dialect
    model: str
    credential: Credential
    profile: Profile = Profile()
    passthrough: bool = False
    full: bool = True
    entry_id: str = ""

    @property
    def stream(self) -> bool:
        """Whether a stream is wanted."""
        return self.inbound.peek.stream

    def body(self) -> bytes:
        """Give the request's bytes in `dialect`: the client's own, spliced, or rendered anew."""
        inbound = self.inbound
        if self.passthrough:
            return self.dialect.splice(inbound.body, inbound.peek, model=self.model)
        return inbound.rendered(self.dialect, self.model, self.profile).body


class Reply(Protocol):
    """A provider's answer, open.

    It holds no cancel scope and no task group, so it can change its owner while it is open.
    """

    @property
    def status(self) -> int:
        """Give the HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers that may reach the client, lower-case names."""
        ...

    @property
    def observed(self) -> Observed:
        """Give what the answer has shown so far; complete once `chunks` has ended."""
        ...

    def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer piece by piece, once.

        A failure inside the answer is a `Failed` event, never an exception, save `WireError`.
        """
        ...

    def abort(self) -> None:
        """Close the connection at once; a pending `chunks` then raises `ReadFailed`."""
        ...


class WholeReply(Reply, Protocol):
    """A reply that can also give a plain answer in one piece: quicker, and in place of `chunks`."""

    async def whole(self) -> Chunk:
        """Give the whole answer; errors as `chunks`."""
        ...


@frozen
class Facts:
    """What a provider declares about itself.

    Attributes:
        dialects: The dialects it speaks, the preferred one first; empty: it takes and gives the
            canonical form.
        needs_key: Whether it wants a credential; without one it serves every account.
        key_env: The environment variable its users usually keep the key in, or "".
        simulated: It is no real model; said wherever it shows.
        reseller: It sells other providers' models: the key, the price and the bill are its own, and
            the prompt reaches a third party; said wherever it shows.
        priced_by_name: Price rows are found under its configured name, not its kind: one kind
            stands for many hosts.
        adapts: It does not take all of its own dialect: what its profile drops is dropped from the
            client's own bytes as well, so every call is checked for losses.
        cancel_semantics: See `CancelSemantics`.
        cancel_source: Where that is said (URL and date).
        error_rule: Why an error status is not billed (URL and date), for the `void` record.
        billed_errors: Error codes of the provider that are billed nevertheless: `pending`.
    """

    dialects: tuple[Dialect, ...] = ()
    needs_key: bool = True
    key_env: str = ""
    simulated: bool = False
    reseller: bool = False
    priced_by_name: bool = False
    adapts: bool = False
    cancel_semantics: CancelSemantics = "unknown"
    cancel_source: str = ""
    error_rule: str = "an error status before any answer is not billed (flo2's default rule)"
    billed_errors: frozenset[str] = frozenset()


@runtime_checkable
class Provider(Protocol):
    """An upstream that answers chats. The one required ability."""

    kind: ClassVar[str]
    """Name in the configuration."""
    facts: Facts

    def chat(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt.

        Raises on entering:
            ProviderError: the provider answered with an error status.
            WireError: the connection failed; `sent` says whether it may be billed.
        """
        ...


@frozen
class ModelInfo:
    """One model of a provider.

    Attributes:
        created: Unix seconds, 0 when unknown.
        facts: What it can do, or None when nobody has said.
        prices: List price of each meter at the provider's standard tier, USD for a million units,
            as decimal strings.
    """

    id: str
    provider: str
    created: int = 0
    display_name: str | None = None
    owned_by: str | None = None
    facts: ModelFacts | None = None
    prices: Mapping[str, str] = field(factory=dict)


@runtime_checkable
class ListsModels(Protocol):
    """A provider that lists its models."""

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask the provider; errors as `Provider.chat`."""
        ...


@runtime_checkable
class KnowsModels(Protocol):
    """A provider that can tell its models by their names, also those newer than any list."""

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is one of this provider's; pure."""
        ...


@runtime_checkable
class DescribesModels(Protocol):
    """A provider that can say what its models do."""

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of a model's family, or None; pure."""
        ...


@runtime_checkable
class Profiles(Protocol):
    """A provider that knows facts about its models."""

    def profile(self, model: str) -> Profile:
        """Give the facts of one model; pure, called often."""
        ...


@runtime_checkable
class SpeaksPerModel(Protocol):
    """A provider whose models do not all take the same dialects."""

    def speaks(self, model: str) -> tuple[Dialect, ...]:
        """Give the dialects of one model, the preferred one first, out of its facts'; pure."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Decides which candidates to try, and how. Pure: no I/O, no clock, no luck of its own."""

    kind: ClassVar[str]

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        """Make a plan.

        Args:
            inbound: The request; `inbound.request` is the canonical form.
            candidates: At least one, in the route's order; those that cannot express the request
                have been left out.
            view: What may be known of the world.

        Returns:
            A plan over these candidates only.
        """
        ...


@runtime_checkable
class PriceSource(Protocol):
    """Gives dated price rows."""

    kind: ClassVar[str]
    precedence: ClassVar[int]
    """Which source is asked first where the operator gave no order: the lower, the earlier.
    The operator's own file is 0, curated rows 10, third-party data 20."""

    def rows(self) -> Iterable[PriceRow]:
        """Give all rows; called when a book is built, never during a request."""
        ...

    def defaults(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        """Say at which values of a context key the rows without that key hold, by provider."""
        ...


@runtime_checkable
class Observer(Protocol):
    """Sees each exchange after its last byte, in its own try, off the request path."""

    kind: ClassVar[str]

    async def observe(self, exchange: Exchange, entries: Sequence[Entry]) -> None:
        """Take an `Exchange` and its `Entry`s; an error is logged and goes no further."""
        ...
