# ruff: noqa: S101  # asserting is what a suite does
"""What goes into a provider over HTTP, how it fails, and that its credential stays hidden.

Used through `ProviderSuite`. Imports: testing.suites.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest

from flo2.dialects.base import kind_of_status
from flo2.dialects.openai_chat.fit import fit
from flo2.errors import InvalidRequest, ProviderError
from flo2.protocols import Credential
from flo2.secrets import Secret
from flo2.testing.suites.http_calls import KEY, HttpCalls, Seen, replies, run
from flo2.testing.suites.sample import UNKNOWN_FIELD, UNKNOWN_PART
from flo2.testing.suites.samples import SAMPLES
from flo2.testing.suites.selecting import needs
from flo2.testing.upstream import FakeUpstream

__all__ = ["RequestTests"]

_CLIENT = {
    "authorization": "Bearer flo2_sk_of_the_client",
    "x-api-key": "flo2_sk_of_the_client",
    "cookie": "session=of_the_client",
    "x-flo2-feature": "of_the_client",
    "x-forwarded-for": "192.0.2.7",
}
_STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)


class RequestTests(HttpCalls):
    """Errors, secrets and requests."""

    # Errors -----------------------------------------------------------------------------------

    @needs("http")
    def test_statuses_become_errors(self) -> None:
        """Each status has its kind, says whether to try again, and names the provider."""
        for sample in self.spoken():
            for status in _STATUSES:
                error = self.failure(self.call(sample), replies(status, body=sample.error))
                assert isinstance(error, ProviderError)
                kind, retryable = kind_of_status(status)
                assert (error.status, error.kind, error.retryable) == (status, kind, retryable)
                assert error.provider == self.provider.kind
                assert error.body == sample.error
                assert "it failed" in str(error)

    @needs("http")
    def test_retry_after_is_read(self) -> None:
        """What the provider asks for is what the router waits."""
        for sample in self.spoken():
            asks = replies(429, body=sample.error, headers={"Retry-After": "7"})
            error = self.failure(self.call(sample), asks)
            assert isinstance(error, ProviderError)
            assert error.retry_after_s == 7.0
            assert error.headers.get("retry-after") == "7"

    @needs("http")
    def test_garbage_is_an_error_and_no_crash(self) -> None:
        """HTML, nothing, half a JSON: from a proxy in between, or a provider on a bad day."""
        for sample in self.spoken():
            for body in (b"<html><body>Bad gateway</body></html>", b"", b'{"id": "x', b"\xff\xfe"):
                if sample.beside_json == "bytes" and body == b"\xff\xfe":
                    continue  # a file may begin so
                error = self.failure(self.call(sample), replies(200, body=body))
                assert isinstance(error, ProviderError)
                error = self.failure(self.call(sample), replies(502, body=body))
                assert isinstance(error, ProviderError)
                assert (error.status, error.retryable) == (502, True)
                assert str(error)

    # Secrets ----------------------------------------------------------------------------------

    @needs("http")
    def test_the_credential_is_in_one_header_and_nowhere_else(self) -> None:
        """Not in the URL, not in the body, and not twice."""
        for sample in self.spoken():
            upstream = self.received(sample, self.call(sample))
            holders = [name for name, value in upstream.headers.items() if KEY in value]
            assert len(holders) == 1
            assert KEY not in upstream.target
            assert KEY.encode() not in upstream.body

    @needs("http")
    def test_the_client_s_own_headers_stay_here(self) -> None:
        """What the client authenticates with, and who it is, is not for the provider."""
        for sample in self.spoken():
            received = self.received(sample, self.call(sample, headers=_CLIENT))
            assert {
                "cookie",
                "x-flo2-feature",
                "x-forwarded-for",
            } & received.headers.keys() == set()
            told = " ".join(received.headers.values())
            assert "of_the_client" not in told

    @needs("http")
    def test_the_credential_never_shows(self) -> None:
        """Not in an error, its causes, a log record, or the `repr` of anything here."""
        for sample in self.spoken():
            call = self.call(sample, stream=bool(sample.stream))
            nonsense = replies(200, body=b"nonsense")
            scripts = (
                replies(401, body=sample.error),
                replies(500, body=b"<html>"),
                replies(200, ends="refuse"),
                replies(200, ends="garbage"),
                nonsense,
                replies(200, body=b'data: {"half a frame', ends="reset"),
            )
            with _logged() as told:
                for script in scripts:
                    if script is nonsense and sample.beside_json == "text":
                        continue  # it is an answer
                    error = self.failure(call, script)
                    told.extend([repr(error), str(error), repr(vars(error))])
                    told.extend(traceback.format_exception(error))
                told.extend([repr(call), repr(call.credential), repr(call.inbound)])
            assert [text for text in told if KEY in text] == []

    # What goes in -----------------------------------------------------------------------------

    @needs("http")
    def test_a_request_passes_with_the_model_replaced(self) -> None:
        """Same dialect, nothing rewritten: the client's bytes, but for the model."""
        for sample in self.spoken():
            for stream in (False, True) if sample.stream else (False,):
                call = self.call(sample, stream=stream)
                client_s = call.inbound.body.replace(b"as-the-client-says", self.model.encode())
                sent = sample.sent(client_s)
                received = self.received(sample, call)
                profile = call.profile
                if received.body != sent:
                    # What it declares to be otherwise at its host is, and nothing else is.
                    fitted = fit(json.loads(sent), profile, lambda *_: None)
                    assert received.json() == fitted
                    assert fitted != json.loads(sent)
                assert received.method == "POST"
                assert received.headers["content-type"] == sample.content_type

    @needs("http")
    def test_unknown_content_of_its_own_dialect_reaches_it(self) -> None:
        """Also when the call was rewritten: what flo2 does not model goes on unchanged."""
        for sample in self.chats():
            request = self.received(sample, self.call(sample, rewritten=True))
            received = request.json()
            assert received[UNKNOWN_FIELD] == sample.request[UNKNOWN_FIELD]
            assert self.model in {received.get("model"), *_words(request.target)}
            assert UNKNOWN_PART in list(_values(received))

    @needs("http")
    def test_what_it_cannot_say_is_a_loss(self) -> None:
        """Fields and parts of another dialect are named or refused, never dropped in silence."""
        mine = {sample.dialect.name for sample in self.chats()}
        others = [
            sample
            for name, sample in SAMPLES.items()
            if name not in mine and sample.dialect.operation == "chat" and sample.has_parts
        ]
        profile = self.profile()
        for other in others:
            request = other.dialect.parse(other.body("x"))
            for sample in self.chats():
                if not sample.has_parts:
                    continue  # a conversation has no form in it at all
                try:
                    losses = sample.dialect.check(request, profile)
                except InvalidRequest:
                    continue
                paths = [loss.path for loss in losses]
                assert any(UNKNOWN_FIELD in path for path in paths)
                assert any(path.startswith("messages[") for path in paths)

    @needs("http")
    def test_answer_headers_are_chosen(self) -> None:
        """Rate limits reach the client; cookies and what describes the connection do not."""
        headers = {"X-RateLimit-Remaining-Requests": "5", "Set-Cookie": "a=b", "Server": "nginx"}

        async def test() -> None:
            for sample in self.chats():
                upstream = FakeUpstream()
                upstream.reply(body=sample.plain, headers={**headers, "Retry-After": "1"})
                async with (
                    self.over(upstream) as provider,
                    provider.chat(self.call(sample)) as reply,
                ):
                    told = dict(reply.headers)
                    await Seen.of(reply)
                assert told["x-ratelimit-remaining-requests"] == "5"
                kept = {"set-cookie", "server", "content-length", "transfer-encoding", "connection"}
                assert not kept & told.keys()
                assert all(name == name.lower() for name in told)

        run(test)

    @needs("http")
    @needs("models")
    def test_its_model_list_fails_like_a_call(self) -> None:
        """A refused key is a ProviderError, an odd answer too, and neither shows the key."""

        async def test() -> None:
            for status, body in ((401, b'{"error":{}}'), (200, b"<html>"), (200, b"[1]")):
                upstream = FakeUpstream()
                upstream.reply(status, body=body)
                async with self.over(upstream) as provider:
                    with pytest.raises(ProviderError) as caught:
                        await provider.models(Credential("c", Secret(KEY)))  # type: ignore[attr-defined]  # has it
                assert caught.value.provider == self.provider.kind
                assert KEY not in "".join(traceback.format_exception(caught.value))

        run(test)


def _words(target: str) -> list[str]:
    """Give the names in a URL, such as that of the model."""
    return re.split(r"[/:?]", unquote(target))


def _values(value: Any) -> Iterator[Any]:
    """Give a JSON value and all inside it."""
    yield value
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Gather every log record, as text and as data."""
    told: list[str] = []

    class Gather(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(self.format(record) + json.dumps(vars(record), default=repr))

    handler, root = Gather(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
