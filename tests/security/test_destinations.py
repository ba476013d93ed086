"""A caller chooses a model, and never where a call goes: CVE-2024-6587 and CVE-2025-66405 here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from flo2.stored import RouteSpec, TargetSpec
from flo2.testing import FakeUpstream
from flo2.testing.harness import CANARY, House, running
from flo2.testing.upstream import InProcess
from flo2.vault import generate_kek_file
from flo2.wire import Address, Wire

if TYPE_CHECKING:
    from flo2.wire.flight import Flight

pytestmark = pytest.mark.anyio

ACME, ANT = "http://acme.example", "https://ant.example:8443"
EVIL = "evil.example"
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = [{"role": "user", "content": "x"}]


@frozen
class Sent:
    """One request as it left: where to, and what."""

    origin: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@define
class Spy:
    """Stands where connections are made, below everything that a request passes."""

    upstream: FakeUpstream = field(factory=FakeUpstream)
    sent: list[Sent] = field(factory=list)

    async def send(
        self,
        address: Address,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        flight: Flight,
    ) -> Any:
        self.sent.append(Sent(address.origin, method, target, dict(headers), body))
        self.upstream.forget()
        self.upstream.reply(400, json={"error": {"message": "no", "type": "x", "code": "y"}})
        inner = InProcess(self.upstream)
        return await inner.send(address, method, target, headers, body, flight)

    async def aclose(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[House, Spy]]:
    spy = Spy()
    config = {
        "providers": {
            "acme": {"kind": "openai-compatible", "base_url": f"{ACME}/v1"},
            "ant": {"kind": "anthropic", "base_url": ANT},
        }
    }
    wire = Wire(transport=spy)
    async with running(config, credentials=["acme", "ant"], wire=wire) as house:
        yield house, spy


def check(spy: Spy, *, query: bool = False) -> None:
    """Say that all calls went where the operator said, as they should."""
    allowed = {
        (ACME, "/v1/chat/completions"),
        (ACME, "/v1/embeddings"),
        (ANT, "/v1/messages"),
        (ANT, "/v1/messages/count_tokens"),
    }
    for each in spy.sent:
        path, _, asked = each.target.partition("?")
        assert (each.origin, path) in allowed
        assert each.method == "POST"
        assert query or not asked
        assert "host" not in {name.lower() for name in each.headers}
        assert EVIL not in json.dumps(each.headers)


FIELDS = (
    "api_base", "api_host", "api_url", "azure_endpoint", "base_url", "callback_url", "custom_host",
    "deployment", "endpoint", "host", "model_info", "organization", "provider", "proxy", "proxies",
    "region", "router", "target", "uri", "url", "vertex_project", "webhook",
)  # fmt: skip
HEADERS = (
    "forwarded", "host", "origin", "referer", "x-base-url", "x-flo2-base-url", "x-flo2-host",
    "x-flo2-provider", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    "x-forwarded-server", "x-host", "x-http-host-override", "x-litellm-api-base",
    "x-original-host", "x-original-url", "x-portkey-custom-host", "x-portkey-provider",
    "x-rewrite-url", "x-target-url", "x-upstream", "proxy", "via",
)  # fmt: skip
MODELS = (
    "http://evil.example/v1", "https://evil.example", "//evil.example/m", "evil.example/m",
    "acme/http://evil.example/v1", "acme/@evil.example", "acme@evil.example/m",
    "acme/m@evil.example", "acme/m;a=b",
    "acme/../../admin", "acme/..", "acme/.", "acme//", "acme/%2e%2e%2f", "acme/m?x=1#y",
    "acme/\\evil.example\\m", "acme/m\r\nhost: evil.example", "acme/m\x00", "acme/m\n",
    "acme/127.0.0.1:80", "acme/169.254.169.254", "../acme/m", "./acme/m", "acme/ant/m",
    "ant/acme/m", "ACME/m", " acme/m", "acme /m", "acme:443/m", "acme/v1/chat/completions?",
    "/acme/m", "acme", "/",
    "acme/\u2028m", "acme/\ud7ff", "acme/" + "m" * 5000, "acme/m\u202e", "acme/\uff0f\uff0e\uff0e",
)  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
async def test_no_field_of_a_body_chooses_a_destination(name: str) -> None:
    async with watched() as (house, spy):
        for value in (f"http://{EVIL}", {"url": f"http://{EVIL}"}, [EVIL], "file:///etc/passwd"):
            for path, model in ((CHAT, "acme/m"), (MESSAGES, "ant/m"), (CHAT, "ant/m")):
                body = {"model": model, "messages": HELLO, "max_tokens": 5, name: value}
                await house.post(path, body)
                extra = {"model": model, "messages": HELLO, "max_tokens": 5}
                await house.post(path, {**extra, "extra_body": {name: value}, "metadata": {}})
                await house.post(path, {**extra, "extra_headers": {"host": EVIL, name: EVIL}})
        assert len(spy.sent) >= 12
        check(spy)


@pytest.mark.parametrize("name", HEADERS)
async def test_no_header_chooses_a_destination(name: str) -> None:
    async with watched() as (house, spy):
        for value in (EVIL, f"https://{EVIL}/v1", f"host={EVIL}", "169.254.169.254"):
            for path, model in ((CHAT, "acme/m"), (MESSAGES, "ant/m")):
                headers = {**house.headers(), name: value}
                body = {"model": model, "messages": HELLO, "max_tokens": 5}
                await house.driver.request("POST", path, headers=headers, json=body)
        assert spy.sent
        check(spy)


@pytest.mark.parametrize("model", MODELS, ids=lambda text: repr(text)[:40])
async def test_no_model_name_chooses_a_destination(model: str) -> None:
    async with watched() as (house, spy):
        for path in (CHAT, MESSAGES, "/v1/messages/count_tokens", "/v1/embeddings"):
            body = {"model": model, "messages": HELLO, "max_tokens": 5, "input": "x"}
            answer = await house.post(path, body)
            assert answer.status in {400, 404}
            headed = await house.driver.request(
                "POST",
                path,
                headers={**house.headers(), "x-flo2-route": model.encode().decode("latin-1")},
                json={**body, "model": "acme/m"},
            )
            assert headed.status in {400, 404}
            assert EVIL not in str(answer.headers)
        check(spy)
        for each in spy.sent:
            named = json.loads(each.body)["model"]
            # A header's bytes are read as Latin-1, whatever the client meant.
            headed_name = model.encode().decode("latin-1")
            assert model.endswith(named) or headed_name.endswith(named) or named == "m"


names = st.text(max_size=40) | st.sampled_from(MODELS)
heads = st.sampled_from(["acme/", "ant/", "", "acme", "/acme/", "http://acme/"])


@settings(max_examples=25)
@given(tries=st.lists(st.tuples(heads, names, st.text(max_size=20)), min_size=1, max_size=12))
def test_nothing_a_caller_writes_moves_a_call(tries: list[tuple[str, str, str]]) -> None:
    async def play() -> None:
        async with watched() as (house, spy):
            for head, name, asked in tries:
                body = {"model": head + name, "messages": HELLO, "max_tokens": 5}
                for path in (CHAT, MESSAGES):
                    for query in (quote(asked), asked.encode("ascii", "ignore").decode()):
                        answer = await house.post(f"{path}?{query.replace('?', '')}", body)
                        assert answer.status in {400, 404}
            check(spy, query=True)

    anyio.run(play)


@pytest.mark.parametrize(
    "query",
    [
        "base_url=http://evil.example",
        "key=other&alt=sse",
        "api-version=2099-01-01",
        "a=/../../admin",
        "a=b#@evil.example",
        "@evil.example",
        "a=b%0d%0ahost:%20evil.example",
        "a=b\r\nhost: evil.example",
        "//evil.example",
        "?x=http://evil.example/?",
        "a= HTTP/1.1",
    ],
)
async def test_no_query_changes_where_a_call_goes(query: str) -> None:
    async with watched() as (house, spy):
        for path, model in ((CHAT, "acme/m"), (MESSAGES, "ant/m"), (CHAT, "ant/m")):
            await house.post(
                f"{path}?{query}", {"model": model, "messages": HELLO, "max_tokens": 5}
            )
        check(spy, query=True)
        assert not any({"\r", "\n", " ", "#"} & set(each.target) for each in spy.sent)


async def test_a_key_of_ours_in_a_query_is_refused_and_goes_nowhere() -> None:
    async with watched() as (house, spy):
        for token in (house.key, house.admin):
            answer = await house.post(f"{CHAT}?key={token}", {"model": "acme/m", "messages": HELLO})
            assert (answer.status, answer.json()["error"]["code"]) == (400, "key_in_query")
            assert token not in answer.text
        assert spy.sent == []


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_redirect_of_a_provider_is_not_followed(
    engine: str, status: int, stream: bool
) -> None:
    upstream, other = FakeUpstream(), FakeUpstream()
    async with upstream.serving() as url, other.serving() as elsewhere:
        config = {
            "providers": {"acme": {"kind": "openai-compatible", "base_url": url}},
            "network": {"allow_private": ["127.0.0.0/8"], "engine": engine},
        }
        async with running(config, credentials=["acme"]) as house:
            for location in (f"{elsewhere}/x", "/other", f"//{elsewhere[7:]}/x"):
                upstream.reply(status, headers={"location": location, "refresh": f"0;{location}"})
                body = {"model": "acme/m", "messages": HELLO, "stream": stream}
                answer = await house.post(CHAT, body)
                assert answer.status >= 400
                assert answer.header("location") is None
                assert elsewhere not in answer.text
    assert [each.path for each in upstream.requests] == ["/chat/completions"] * 3
    assert other.requests == []


async def test_a_key_goes_to_the_host_it_is_bound_to_and_to_no_other(tmp_path: Path) -> None:
    """The operator moved a provider: keys that were given for the old host stay at home."""
    spy = Spy()
    generate_kek_file(tmp_path / "kek")
    kek = {"secrets": {"kek": f"file:{tmp_path / 'kek'}"}}
    base = {"kind": "openai-compatible", "base_url": f"{ACME}/v1"}
    here = {**kek, "providers": {"acme": base}}
    moved = {**kek, "providers": {"acme": {**base, "base_url": f"http://{EVIL}/v1"}}}
    async with running(here, credentials=["acme"], wire=Wire(transport=spy)) as house:
        store = house.gateway.store
        async with running(moved, store=store, wire=Wire(transport=spy), account="new") as there:
            answer = await there.driver.request(
                "POST", CHAT, headers=house.headers(), json={"model": "acme/m", "messages": HELLO}
            )
    assert answer.status >= 400
    assert spy.sent == []
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "call_id",
    [
        "..", "../usage", "../calls", "..%2fusage", "..%2Fusage", "%2e%2e/usage", "%2e%2e%2fusage",
        ".%2e/usage", "x/../../usage", "x%2f..%2f..%2fusage", "..%5cusage", "..\\usage", "x%00",
        "x%0d%0aset-cookie:%20a=b", "%", "%%", "*", "' OR '1'='1", "1;DROP TABLE accounts",
        "a" * 5000, "\u00e9", "%c3%28", "..;/usage", "//usage",
    ],
)  # fmt: skip
async def test_no_call_id_leads_anywhere_else(call_id: str) -> None:
    async with watched() as (house, _):
        for admin in (False, True):
            for path in (f"/api/calls/{call_id}", f"/api/calls/{call_id}?account=default"):
                answer = await house.get(path, admin=admin)
                assert answer.status in {400, 403, 404}
                assert not any({"\r", "\n"} & set(value) for _, value in answer.headers)
                assert "object" not in answer.json()


@pytest.mark.parametrize(
    "model",
    ["../../api/usage", "..%2f..%2fapi%2fusage", "%2e%2e/%2e%2e/api/usage", "a/../../b", "%00"],
)
async def test_no_model_id_leads_anywhere_else(model: str) -> None:
    async with watched() as (house, _):
        for headers in ({}, {"anthropic_version": "2023-06-01"}):
            answer = await house.get(f"/v1/models/{model}", **headers)
            assert answer.status in {400, 404}
            assert "error" in answer.json()


async def test_a_route_leads_only_to_its_own_targets() -> None:
    async with watched() as (house, spy):
        store = house.gateway.store
        bad = (
            TargetSpec(f"http://{EVIL}", "m"),
            TargetSpec("../acme", "m"),
            TargetSpec("acme", "m"),
        )
        store.put_route(RouteSpec("default", "r", "ordered", bad))
        await house.gateway.refresh(force=True)
        await house.post(CHAT, {"model": "r", "messages": HELLO})
        assert len(spy.sent) == 1
        check(spy)
