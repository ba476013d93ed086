"""A provider over HTTP: four pure steps, and the one driver that does the I/O.

An author states what differs (`url`, `headers`, `body`, `error`); deadlines, the clock of the
first byte, cancellation and redaction are the driver's. Imports: protocols, wire, services.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import cached_property, partial
from types import TracebackType
from typing import ClassVar

from attrs import field, frozen
from msgspec import Struct

from flo2.canonical import Failed
from flo2.dialects.base import Chunk, Decoder, Observed, ReadUsage
from flo2.dialects.multipart import form_type
from flo2.model_facts import ListedFacts, ModelFacts, facts_of, load_facts
from flo2.protocols import Call, Facts, Reply
from flo2.secrets import scrub, scrub_bytes, scrub_error
from flo2.services import Services
from flo2.wire import Endpoint, Timeouts, WireResponse

__all__ = ["HttpProvider", "HttpReply"]

_SECRET_HEADER = re.compile(r"auth|cookie|key|secret|token")
_FILE_TYPE = re.compile(
    r"(?:audio/|application/(?:json|octet-stream|x-subrip)|text/(?:plain|vtt|srt|event-stream))"
    r"[ -~]*\Z",
    re.IGNORECASE,
)
_OK = range(200, 300)
_ERROR_BODY_LIMIT = 1 << 20
_REMEMBERED = 256


class HttpReply(Struct, eq=False):
    """An open HTTP answer, decoded as it comes; an error inside it is told without the secrets."""

    _response: WireResponse
    _decoder: Decoder
    headers: Mapping[str, str]
    _secrets: Callable[[], Sequence[str]]
    status: int
    observed: Observed

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the answer piece by piece."""
        feed, observed = self._decoder.feed, self._decoder.observed
        async for data in self._response.chunks():
            chunk = feed(data)
            if observed.error is not None:
                chunk = self._without_secrets(chunk)
            if chunk.raw or chunk.events:
                yield chunk
        chunk = self._decoder.close()
        if observed.error is not None:
            chunk = self._without_secrets(chunk)
        if chunk.raw or chunk.events:
            yield chunk

    async def whole(self) -> Chunk:
        """Give a plain answer in one piece; quicker than `chunks`, and in place of it."""
        decoder = self._decoder
        decoder.feed(await self._response.read())
        chunk = decoder.close()
        return chunk if self.observed.error is None else self._without_secrets(chunk)

    def _without_secrets(self, chunk: Chunk) -> Chunk:
        """Take the request's secrets out of an error inside an answer that began with 200."""
        secrets = self._secrets()
        errors = [event.error for event in chunk.events if isinstance(event, Failed)]
        for error in (*errors, self.observed.error):
            if error is not None:
                scrub_error(error, *secrets)
        return Chunk(scrub_bytes(chunk.raw, *secrets), chunk.events)

    def abort(self) -> None:
        """Close the connection at once."""
        self._response.abort()


class HttpProvider:
    """Base of providers that are one POST away."""

    kind: ClassVar[str]
    facts: Facts
    paths: ClassVar[Mapping[str, str]]
    """Dialect name → path under the base URL."""
    base_url: ClassVar[str] = ""
    forward_headers: ClassVar[frozenset[str]] = frozenset()
    """Request headers of the client that go on to the provider, lower-case."""
    reply_headers: ClassVar[tuple[str, ...]] = ()
    """Prefixes of answer headers that may reach the client, besides the rate limits."""
    facts_in: ClassVar[tuple[str, ...]] = ()
    """Packages whose `models.toml` says what its models can do; the first that matches counts."""

    @frozen(kw_only=True)
    class Config:
        """Settings every HTTP provider has.

        Attributes:
            base_url: Where it is; empty: the provider's own address.
            headers: Constant headers to send along.
            connect_s: Longest wait for a connection, in seconds.
            first_byte_s: Longest wait for the first byte of an answer, in seconds.
            idle_s: Longest silence inside an answer, in seconds.
            total_s: Longest time for a whole answer in seconds, or None.
        """

        base_url: str = ""
        headers: Mapping[str, str] = field(factory=dict, repr=False)  # some hosts take a key there
        connect_s: float = 10.0
        first_byte_s: float = 600.0
        idle_s: float = 120.0
        total_s: float | None = None

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the endpoint; opens nothing."""
        self.config = config
        self.services = services
        constant = {name.lower(): value for name, value in config.headers.items()}
        self._headers = {"content-type": "application/json", **constant}
        self._hidden = tuple(
            value for name, value in constant.items() if _SECRET_HEADER.search(name)
        )
        self._passed = tuple(
            prefix.encode() for prefix in ("retry-after", "x-ratelimit-", *self.reply_headers)
        )
        # Names of an answer's headers as they have been met: those that are not passed on, and
        # those that are; bounded.
        self._kept_back: set[bytes] = set()
        self._names: dict[bytes, str] = {}
        timeouts = Timeouts(
            connect_s=config.connect_s,
            first_byte_s=config.first_byte_s,
            idle_s=config.idle_s,
            total_s=config.total_s,
        )
        self.endpoint: Endpoint = services.wire.endpoint(
            config.base_url or self.base_url, timeouts=timeouts
        )
        self.host: str = self.endpoint.address.host
        """The host its credentials are bound to."""

    # The four steps, pure -------------------------------------------------------------------

    def url(self, call: Call) -> str:
        """Give the path (and query) under the base URL."""
        dialect, inbound = call.dialect.name, call.inbound
        path = self.paths[dialect]
        query = inbound.query
        return f"{path}?{query}" if query and dialect == inbound.dialect.name else path

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers; authentication included."""
        headers = self._headers.copy()
        if call.inbound.body[:2] == b"--":  # a form: its boundary is the client's own
            headers["content-type"] = form_type(call.inbound.body)
        forwarded = self.forward_headers
        if forwarded:
            given = call.inbound.headers
            headers.update((name, given[name]) for name in forwarded if name in given)
        if (secret := call.credential.secret) is not None:
            headers["authorization"] = f"Bearer {secret.reveal()}"
        return headers

    def body(self, call: Call) -> bytes:
        """Give the request body."""
        return call.body()

    def request(self, call: Call) -> tuple[str, list[tuple[str, str]], bytes]:
        """Put the three together; a provider whose signature covers them all signs here."""
        return self.url(call), [*self.headers(call).items()], self.body(call)

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """Read an error answer."""
        error = call.dialect.decode_error(status, headers, body)
        error.provider = self.kind
        return error

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give the provider's own usage reader, where it differs from its dialect's."""

    def decoder(self, call: Call, read_usage: ReadUsage | None = None) -> Decoder:
        """Choose how an answer is decoded.

        Args:
            call: What was asked.
            read_usage: The reader of this one answer; None: `usage_reader` gives it.
        """
        dialect, read_usage = call.dialect, read_usage or self.usage_reader(call)
        if call.inbound.peek.stream:
            hide = call.passthrough and not call.inbound.peek.wants_usage
            return dialect.decoder(full=call.full, hide_usage=hide, read_usage=read_usage)
        return dialect.body_decoder(full=call.full, read_usage=read_usage)

    def decoder_of(self, call: Call, headers: Mapping[str, str]) -> Decoder:
        """Choose how one answer is decoded, whose headers may say what its body does not.

        Args:
            call: What was asked.
            headers: Those of the answer that may reach the client, lower-case names.
        """
        del headers
        return self.decoder(call)

    # Its models -----------------------------------------------------------------------------

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of a model's family, or None."""
        return facts_of(model, self._families)

    @cached_property
    def _families(self) -> tuple[ModelFacts, ...]:
        return tuple(each for package in self.facts_in for each in load_facts(package))

    def as_listed(self, model: str, said: ListedFacts) -> ModelFacts | None:
        """Give the facts of a model as the provider's own list says them; None if it is silent."""
        if said.silent:
            return None
        today = datetime.fromtimestamp(self.services.now_us() / 1e6, UTC).date()
        return said.over(self.describe(model), model, today)

    # The driver -----------------------------------------------------------------------------

    def chat(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt."""
        return _Opened(self, call)

    def secrets(self, call: Call) -> tuple[str, ...]:
        """Give what the request holds and no error may repeat; for the moment of looking only."""
        secret = call.credential.secret
        return self._hidden if secret is None else (secret.reveal(), *self._hidden)

    def passed_on(self, response: WireResponse) -> dict[str, str]:
        """Pick the answer headers that may reach the client."""
        fields = dict(response.raw_headers)
        passed: dict[str, str] = {}
        # Most of an answer's headers are the same ones in each, and stay here: one set operation.
        for name in sorted(fields.keys() - self._kept_back):
            text = self._names.get(name) or self._told_as(name)
            if text:
                passed[text] = fields[name].decode("latin-1")
        return passed

    def _told_as(self, name: bytes) -> str:
        """Give the name under which a header of an answer is passed on, "" where it is not."""
        lower = name.lower()
        passes = lower.startswith(self._passed)
        if len(self._kept_back) + len(self._names) < _REMEMBERED:
            if passes:
                self._names[name] = lower.decode("latin-1")
            else:
                self._kept_back.add(name)
        return lower.decode("latin-1") if passes else ""


def _without(secrets: Sequence[str], headers: dict[str, str]) -> dict[str, str]:
    """Take secrets out of the headers of a good answer; nearly always there is nothing to do."""
    line = "\n".join(headers.values())
    for secret in secrets:
        if secret in line:
            return {name: scrub(each, *secrets) for name, each in headers.items()}
    return headers


def _harmless(content_type: str | None) -> str:
    """Give a provider's own content type; what a browser would run as a page is bytes."""
    if content_type is not None and _FILE_TYPE.match(content_type):
        return content_type
    return "application/octet-stream"


class _Opened(Struct, eq=False):
    """One exchange, as a context manager; written out, as it stands on the path of every call."""

    _provider: HttpProvider
    _call: Call
    _response: WireResponse | None = None

    async def __aenter__(self) -> Reply:
        provider, call = self._provider, self._call
        path, headers, body = provider.request(call)
        response = await provider.endpoint.send("POST", path, headers, body)
        secrets = partial(provider.secrets, call)
        if response.status in _OK:
            try:
                passed = provider.passed_on(response)
                if passed:
                    passed = _without(secrets(), passed)
                if not call.dialect.content_type:
                    passed["content-type"] = _harmless(response.headers.get("content-type"))
                decoder = provider.decoder_of(call, passed)
                reply = HttpReply(
                    response, decoder, passed, secrets, response.status, decoder.observed
                )
            except BaseException:  # nobody leaves what was never entered
                response.abort()
                raise
            self._response = response
            return reply
        try:
            page = await response.read(_ERROR_BODY_LIMIT)
        finally:
            await response.aclose()
        told = {name.lower(): value for name, value in response.headers}
        # Before anybody reads them: what cuts or decodes them could hide a key from us.
        page = scrub_bytes(page, *secrets())
        told = {name: scrub(value, *secrets()) for name, value in told.items()}
        raise provider.error(call, response.status, told, page)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        response, self._response = self._response, None
        if response is not None and not response.finished:
            await response.aclose()
