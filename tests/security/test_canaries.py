"""No secret in any byte flo2 writes: one scripted session full of mishaps, then a search.

The secrets are a sealed provider key without any of the looks that `redact` knows, one from the
environment, the issued key, the admin token, the key-encryption key and the pepper. Searched:
logs at DEBUG, standard output and error, every answer, every file while it is open and after,
receipts, exceptions with their causes, and the `repr` of every object of flo2 in memory.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import io
import json
import logging
import ssl
import traceback
import warnings
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, ClassVar
from urllib.parse import quote

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSListener
from attrs import frozen

from flo2 import Facts, Gateway, HttpProvider, OpenAICompatible, Plan, Secret, SecretError, hookimpl
from flo2.cli.root import run as command_line
from flo2.cli.state import State
from flo2.errors import ConfigError, Flo2Error
from flo2.keys import issue, issue_admin
from flo2.prices import PriceBook
from flo2.shell import create_app
from flo2.shell.logging import set_up_logging
from flo2.stored import Account, RouteSpec, TargetSpec
from flo2.testing import ASGIDriver, FakeUpstream
from flo2.vault import generate_kek_file
from flo2_store_sql import SqlStore

pytestmark = pytest.mark.anyio

SEALED = "Zx7/opaque+provider=key.9f3c2bQ81w"
REFERRED = "Vn4-another_opaque.provider!key?6d0e"
LOOKS = "sk-canary-4f1c7d2e9b8a6053aa77"
WINDOW = 16
"""So many characters of a secret in a row are a hit; people may see a prefix and the last four."""


class Sinks:
    """Everything that was written, by where."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []

    def add(self, where: str, data: bytes | str) -> None:
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.found.append((where, raw))

    def files(self, folder: Path, when: str, *, leave_out: set[str]) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in leave_out:
                self.add(f"{when}: {path.relative_to(folder)}", path.read_bytes())

    def failure(self, where: str, exc: BaseException) -> None:
        """Add an exception as a traceback, and all it carries, with every cause and context."""
        self.add(where, "".join(traceback.format_exception(exc)))
        seen: set[int] = set()
        todo: list[BaseException | None] = [exc]
        while todo:
            one = todo.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            self.add(where, f"{one!r} {one.args!r} {vars(one)!r}")
            todo += [one.__cause__, one.__context__, *getattr(one, "failures", ())]
            todo += list(getattr(one, "exceptions", ()))


def spelled(secret: bytes) -> set[bytes]:
    """Give what must not be found: pieces of the secret, and it in each usual encoding."""
    forms = {secret[i : i + WINDOW] for i in range(max(1, len(secret) - WINDOW + 1))}
    for around in (b"", b"u:", b"Bearer "):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(around + secret).rstrip(b"=")
            forms.add(core[len(encode(around)) : -2])
    text = secret.decode("latin-1")
    forms |= {secret.hex().encode(), secret.hex().upper().encode(), secret[::-1]}
    forms |= {quote(secret, safe="").encode(), json.dumps(text)[1:-1].encode()}
    return {form for form in forms if len(form) >= 12}


def hits(sinks: Sinks, secrets: Mapping[str, bytes]) -> set[tuple[str, str]]:
    forms = {name: spelled(secret) for name, secret in secrets.items()}
    return {
        (name, where)
        for where, data in sinks.found
        for name, some in forms.items()
        if any(form in data for form in some)
    }


def test_the_search_finds_what_is_there() -> None:
    secret = SEALED.encode()
    hidden = {
        "plain": b"a " + secret,
        "half": secret[3:25],
        "basic": base64.b64encode(b"u:" + secret),
        "base64": base64.b64encode(secret),
        "hex": secret.hex().encode(),
        "url": quote(SEALED, safe="").encode(),
        "json": json.dumps({"a": SEALED}).encode(),
        "backwards": secret[::-1],
        "clean": b"Zx7/opaque and 81w",
    }
    sinks = Sinks()
    for where, data in hidden.items():
        sinks.add(where, data)
    assert {where for _, where in hits(sinks, {"s": secret})} == set(hidden) - {"clean"}


# --------------------------------------------------------------- an upstream that tells on us


def told(secret: str) -> str:
    """Quote a secret in every way a provider or a proxy in front of it might."""
    basic = base64.b64encode(f"u:{secret}".encode()).decode()
    return (
        f"you sent Authorization: Bearer {secret}, x-api-key={secret}, basic {basic}, "
        f"{base64.b64encode(secret.encode()).decode()}, {secret.encode().hex()}, "
        f"?key={quote(secret, safe='')}, x-team-key: {LOOKS}"
    )


def openai_error(secret: str) -> bytes:
    said = {"message": told(secret), "type": secret, "code": secret, "param": secret}
    return json.dumps({"error": said}).encode()


def anthropic_error(secret: str, kind: str = "api_error") -> bytes:
    details = {"error_code": secret}
    error = {"type": kind, "message": told(secret), "details": details}
    return json.dumps({"type": "error", "error": error, "request_id": secret}).encode()


def echo_headers(secret: str) -> dict[str, str]:
    names = (
        "anthropic-ratelimit-echo",
        "authorization",
        "openai-model",
        "request-id",
        "retry-after",
        "x-echo",
        "x-ratelimit-echo",
        "x-request-id",
        "x-should-retry",
    )
    return {
        **dict.fromkeys(names, f"Bearer {secret}"),
        "set-cookie": f"k={secret}",
        "location": f"https://elsewhere.example/?key={quote(secret, safe='')}",
        "www-authenticate": f'Bearer realm="{secret}"',
    }


ANSWER = {
    "id": "r1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "ho"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
STATUSES = (302, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529)


def frame(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "m", **fields}).encode() + b"\n\n"


FIRST = frame(choices=[{"index": 0, "delta": {"role": "assistant", "content": "H"}}])
LAST = frame(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
USAGE = frame(choices=[], usage=ANSWER["usage"])


def script(upstream: FakeUpstream, provider: str, secret: str) -> int:
    """Script everything a provider can do to us; give how many requests it takes."""
    upstream.forget()
    openai = provider != "ant"
    body = openai_error(secret) if openai else anthropic_error(secret)
    page = f"<html><pre>{told(secret)}</pre></html>".encode()
    loud = echo_headers(secret)
    count = 0

    def reply(status: int, data: bytes, **more: Any) -> None:
        nonlocal count
        upstream.reply(status, body=data, headers=loud | more.pop("headers", {}), **more)
        count += 1

    reply(200, json.dumps(ANSWER if openai else MESSAGE).encode())
    for status in STATUSES:
        reply(status, body)
    reply(400, anthropic_error(secret) if openai else openai_error(secret))
    reply(502, page, headers={"content-type": "text/html"})
    reply(500, json.dumps(told(secret)).encode())
    reply(500, json.dumps([{"error": {"message": told(secret)}}]).encode())
    reply(400, json.dumps({"detail": [{"msg": told(secret)}]}).encode())
    reply(200, body)
    reply(200, page)
    reply(200, b"")
    reply(200, body, headers={"content-encoding": "br"})
    reply(200, body, headers={"content-encoding": "gzip"})
    for ends in ("truncated", "reset", "garbage"):
        reply(200, body, ends=ends)
    return count


def script_streams(upstream: FakeUpstream, secret: str) -> int:
    upstream.forget()
    failed = b"data: " + openai_error(secret) + b"\n\n"
    streams: list[tuple[list[bytes], Any]] = [
        ([FIRST, LAST, USAGE, b"data: [DONE]\n\n"], "complete"),
        ([failed], "complete"),
        ([FIRST, failed], "complete"),
        ([FIRST + failed], "complete"),
        ([FIRST, failed[:40], failed[40:90], failed[90:]], "complete"),
        ([FIRST, b"event: error\ndata: " + anthropic_error(secret) + b"\n\n"], "complete"),
        ([FIRST, b"data: {" + told(secret).encode() + b"\n\n"], "complete"),
        ([FIRST], "truncated"),
        ([FIRST], "reset"),
    ]
    for pieces, ends in streams:
        upstream.stream(pieces, ends=ends, headers=echo_headers(secret))
    return len(streams)


# --------------------------------------------------------------------------- plugins that tell


def everything(call: Any) -> str:
    """Show a call as a careless plugin might."""
    credential, inbound = call.credential, call.inbound
    return f"{call!r} {credential!r} {credential.secret!s} {inbound.headers!r} {inbound.peek!r}"


class Careless:
    """A provider of another kind, which raises with the call in its message."""

    kind: ClassVar[str] = "careless"
    host = "careless.example"
    facts = Facts()

    class Config(HttpProvider.Config):
        pass

    def __init__(self, config: Any, services: Any) -> None:
        self._services = services

    @contextlib.asynccontextmanager
    async def chat(self, call: Any) -> AsyncIterator[Any]:
        raise RuntimeError(f"{everything(call)} {self._services!r}")
        yield


class Loud(OpenAICompatible):
    """A provider whose step raises with the request's headers in its message, key and all."""

    kind: ClassVar[str] = "loud"

    def body(self, call: Any) -> bytes:
        raise ValueError(f"cannot send {self.headers(call)!r} for {everything(call)}")


class Chatty:
    kind: ClassVar[str] = "chatty"

    @frozen
    class Config:
        pass

    def __init__(self, config: Any, services: Any) -> None:
        pass

    def plan(self, inbound: Any, candidates: Any, view: Any) -> Plan:
        logging.getLogger("chatty").debug("planning %r for %r", candidates, inbound.headers)
        raise LookupError(f"{inbound.headers!r} {inbound.body!r} {candidates!r} {view!r}")


class Watcher:
    kind: ClassVar[str] = "watcher"

    @frozen
    class Config:
        pass

    def __init__(self, config: Any, services: Any) -> None:
        self._services = services

    async def observe(self, exchange: Any, entries: Any) -> None:
        raise RuntimeError(f"{exchange!r} {entries!r} {self._services!r}")


class Telltale:
    """The plugin that brings them all, and whose own hooks fail with words."""

    @hookimpl
    def flo2_register_providers(self, register: Any) -> None:
        register(Careless)
        register(Loud)

    @hookimpl
    def flo2_register_strategies(self, register: Any) -> None:
        register(Chatty)

    @hookimpl
    def flo2_register_observers(self, register: Any) -> None:
        register(Watcher)

    @hookimpl
    def flo2_resolve_secret(self, reference: str) -> Secret | None:
        raise RuntimeError(f"for {reference} there was {LOOKS}")

    @hookimpl
    def flo2_lifespan(self, gateway: Any) -> Any:
        raise RuntimeError(f"{gateway!r} {gateway.config!r} {LOOKS}")


# ---------------------------------------------------------------------------------- the session


class Session:
    """A gateway on real sockets and a real database, and all it wrote."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder = folder
        self.engine = engine
        self.sinks = Sinks()
        self.upstream = FakeUpstream()
        self.secrets: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.admin = ""
        self.key = ""

    def config(self, plain: str, tls: str) -> dict[str, Any]:
        team = {"x-team-key": LOOKS}
        compatible = {"kind": "openai-compatible", "headers": team}
        return {
            "data_dir": str(self.folder / "data"),
            "secrets": {"kek": f"file:{self.folder / 'kek'}"},
            "store": {"kind": "sql", "path": str(self.folder / "data" / "flo2.db")},
            "network": {"allow_private": ["127.0.0.0/8"], "engine": self.engine},
            "providers": {
                "acme": {**compatible, "base_url": plain},
                "env": {**compatible, "base_url": plain},
                "ant": {"kind": "anthropic", "base_url": plain, "headers": team},
                "slow": {
                    **compatible,
                    "base_url": plain,
                    "first_byte_s": 0.05,
                    "idle_s": 0.05,
                },
                "gone": {**compatible, "base_url": "http://127.0.0.1:9"},
                "badtls": {**compatible, "base_url": tls},
                "notls": {
                    **compatible,
                    "base_url": plain.replace("http:", "https:"),
                    "connect_s": 0.1,
                },
                "private": {**compatible, "base_url": "http://10.0.0.1"},
                "careless": {"kind": "careless"},
                "loud": {"kind": "loud", "base_url": plain},
            },
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Gateway, ASGIDriver]]:
        generate_kek_file(self.folder / "kek")
        (self.folder / "data").mkdir(mode=0o700)
        (kek,) = [
            line
            for line in (self.folder / "kek").read_text().splitlines()
            if not line.startswith("#")
        ]
        self.secrets |= {
            "sealed key": SEALED.encode(),
            "key in the environment": REFERRED.encode(),
            "key that looks like one": LOOKS.encode(),
            "kek": kek.removeprefix("flo2_kek_").encode(),
            "kek bytes": base64.urlsafe_b64decode(kek.removeprefix("flo2_kek_") + "="),
        }
        async with self.upstream.serving() as plain, bad_tls() as tls:
            config = self.config(plain, tls)
            store = SqlStore(SqlStore.Config(path=config["store"]["path"]))
            gateway = Gateway.build(
                config,
                plugins={"telltale": Telltale()},
                store=store,
                environ={"ENV_KEY": REFERRED},
            )
            async with gateway:
                self.people(gateway)
                await gateway.refresh(force=True)
                yield gateway, ASGIDriver(create_app(gateway, lifespan=False))

    def people(self, gateway: Gateway) -> None:
        store, vault = gateway.store, gateway.runtime.vault
        now, pepper = gateway.services.now_us(), vault.pepper()
        store.put_account(Account("default", "default", now))
        _, key = issue(store, "default", "test", pepper=pepper, now_us=now)
        admin = issue_admin(store, pepper=pepper)
        for name, bound in gateway.providers.items():
            if name == "env":
                vault.add_reference("default", name, bound.host, "e", "env:ENV_KEY", now_us=now)
            elif bound.host and bound.provider.facts.needs_key:
                vault.add("default", name, bound.host, "s", Secret(SEALED), now_us=now)
        for name, bad in (("unset", "env:NO_SUCH"), ("told", "vault:x")):
            vault.add_reference("default", "gone", "127.0.0.1", name, bad, now_us=now)
        targets = (TargetSpec("acme", "m1"), TargetSpec("acme", "m2"))
        store.put_route(RouteSpec("default", "chatty", "chatty", targets))
        store.put_route(RouteSpec("default", "both", "ordered", targets))
        self.key, self.admin = key.reveal(), admin.reveal()
        self.secrets |= {
            "issued key": self.key.removeprefix("flo2_sk_").encode(),
            "admin token": self.admin.removeprefix("flo2_admin_").encode(),
            "pepper": pepper,
        }
        self.headers = {
            "authorization": f"Bearer {self.key}",
            "x-api-key": self.key,
            "cookie": f"session={LOOKS}",
        }

    async def ask(self, driver: ASGIDriver, path: str, body: object, **more: str) -> None:
        answer = await driver.request("POST", path, headers=self.headers | more, json=body)
        self.take(f"answer of {path} {json.dumps(body)[:60]}", answer)

    def take(self, where: str, answer: Any) -> None:
        self.sinks.add(where, f"{answer.status} {answer.headers!r}")
        self.sinks.add(where, answer.body)
        self.sinks.add(where, b"\n".join(v.encode("latin-1") for _, v in answer.headers))


@contextlib.asynccontextmanager
async def bad_tls() -> AsyncIterator[str]:
    """Serve with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = TLSListener(plain, context, standard_compatible=False)
    port = plain.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django

    async def nothing(stream: Any) -> None:
        await stream.aclose()

    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, nothing)
        yield f"https://127.0.0.1:{port}"
        group.cancel_scope.cancel()
    await listener.aclose()


def ask(model: str, *, stream: bool = False) -> dict[str, Any]:
    hello = [{"role": "user", "content": "Hello"}]
    return {"model": model, "messages": hello, "max_tokens": 9, "stream": stream}


async def calls(session: Session, driver: ASGIDriver) -> None:
    """Make every kind of call, on both surfaces."""
    chat, messages = "/v1/chat/completions", "/v1/messages"
    for provider, secret in (("acme", SEALED), ("env", REFERRED), ("ant", SEALED)):
        for path in (chat, messages):
            for _ in range(script(session.upstream, provider, secret)):
                await session.ask(driver, path, ask(f"{provider}/m1"))
    for path in (chat, messages):
        for _ in range(script_streams(session.upstream, SEALED)):
            await session.ask(driver, path, ask("acme/m1", stream=True))
    script(session.upstream, "acme", SEALED)
    for path in (chat, messages):
        for model in ("gone/m", "badtls/m", "notls/m", "private/m", "careless/m", "loud/m"):
            await session.ask(driver, path, ask(model))
            await session.ask(driver, path, ask(model, stream=True))
        for model in ("chatty", "both", "nobody/m", "m"):
            await session.ask(driver, path, ask(model))
        session.upstream.forget()
        session.upstream.reply(500, body=openai_error(SEALED))
        session.upstream.reply(503, body=openai_error(SEALED))
        await session.ask(driver, path, ask("both"))
        session.upstream.reply(200, body=openai_error(SEALED), ends="hang")
        await session.ask(driver, path, ask("slow/m"))
        session.upstream.stream([FIRST], ends="hang")
        await session.ask(driver, path, ask("slow/m", stream=True))
        session.upstream.reply(200, body=b"late", delay_s=0.2)
        await session.ask(driver, path, ask("slow/m"))
        await session.ask(driver, f"{path}?key={session.key}", ask("acme/m1"))
        await session.ask(driver, path, ask("acme/m1"), **{"x-flo2-tags": "{"})


async def reads(session: Session, driver: ASGIDriver) -> None:
    """Read everything that can be read, as everybody."""
    admin = {"authorization": f"Bearer {session.admin}"}
    listed = await driver.request("GET", "/api/calls?limit=1000", headers=admin)
    session.take("/api/calls", listed)
    for call in listed.json()["data"]:
        for who in (admin, session.headers):
            path = f"/api/calls/{call['id']}"
            session.take(path, await driver.request("GET", path, headers=who))
    paths = ("/api/entries?limit=1000", "/api/usage?by=model,key", "/api/usage?by=no")
    more = ("/api/plugins", "/api/nothing", "/v1/models", "/v1/models/x", "/readyz", "/livez")
    wrong = {"authorization": f"Bearer {session.admin[:-1]}x"}
    short = {"authorization": f"Bearer {session.key[:-3]}", "x-api-key": session.admin}
    for path in (*paths, *more, f"/{session.key}x"[:12]):
        for who in (admin, session.headers, wrong, short, {}):
            session.take(f"GET {path}", await driver.request("GET", path, headers=who))


async def python_calls(session: Session, gateway: Gateway) -> None:
    """Fail in Python too: what is raised, with all its causes."""
    count = script(session.upstream, "acme", SEALED)
    for number in range(count):
        try:
            async with gateway.chat(ask("acme/m1"), key=session.key) as answer:
                session.sinks.add("response in Python", repr(await answer.response()))
        except Flo2Error as exc:
            session.sinks.failure(f"exception {number} in Python", exc)
    for model in ("gone/m", "badtls/m", "careless/m", "loud/m", "chatty", "slow/m"):
        try:
            async with gateway.chat(ask(model), key=session.key) as answer:
                await answer.response()
        except Flo2Error as exc:
            session.sinks.failure(f"exception of {model} in Python", exc)
    with pytest.raises(Flo2Error) as caught:
        await gateway.authenticate(session.key[:-1] + "!")
    session.sinks.failure("wrong key", caught.value)
    for text in (SEALED + "\n", "\u200b" + SEALED):
        with pytest.raises(SecretError) as refused:
            await gateway.add_credential("acme", Secret(text))
        session.sinks.failure("wrong credential", refused.value)


_NOT_FOLLOWED = (type, ModuleType, CodeType, FrameType, PriceBook, io.IOBase, FakeUpstream)


_OF_THE_RUNNER = {"_pytest", "asyncio", "coverage", "logging", "pluggy", "uvloop", "xdist"}


def shown(*roots: object) -> dict[str, str]:
    """Show every object of flo2's own classes that can be reached from these, each once."""
    seen: set[int] = set()
    todo = [*roots]
    found: dict[str, str] = {}
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, _NOT_FOLLOWED):
            continue
        seen.add(id(one))
        kind = type(one)
        # From a log handler or the loop it is one step to the test runner, and from there to every
        # test there is.
        if kind.__module__.partition(".")[0] in _OF_THE_RUNNER:
            continue
        if kind.__module__.startswith("flo2") and "testing" not in kind.__module__:
            name = f"{kind.__module__}.{kind.__qualname__}"
            found[name] = found.get(name, "") + f"{one!r} {one!s} {one:}"
        # A function leads to its module, and from there to all there is: its closure is enough.
        todo += one.__closure__ or () if isinstance(one, FunctionType) else gc.get_referents(one)
    return found


async def in_flight(session: Session, gateway: Gateway, driver: ASGIDriver) -> None:
    """Look at everything in memory while a stream is running, and at the open files."""
    session.upstream.forget()
    seen = anyio.Event()
    session.upstream.stream([FIRST, seen, LAST, USAGE, b"data: [DONE]\n\n"])
    body = ask("acme/m1", stream=True)
    where = "/v1/chat/completions"
    async with driver.stream("POST", where, headers=session.headers, json=body) as stream:
        await stream.chunk()
        running = [
            each
            for each in gc.get_objects()
            if type(each).__name__ in {"Attempt", "OpenExchange", "Answer"}
            and type(each).__module__.startswith(("flo2.executor", "flo2.gateway"))
        ]
        objects = shown(gateway, *running)
        session.sinks.files(session.folder, "while open", leave_out={"kek"})
        seen.set()
        await stream.hang_up()
    needed = {
        "flo2.gateway.gateway.Gateway",
        "flo2.gateway.runtime.Runtime",
        "flo2.vault.vault.Vault",
        "flo2.keys.authenticator.Authenticator",
        "flo2.stored.SealedCredential",
        "flo2.config.model.Config",
        "flo2.services.Services",
        "flo2.protocols.Call",
        "flo2.protocols.Credential",
        "flo2.protocols.Inbound",
        "flo2.secrets.secret.Secret",
        "flo2.http_provider.HttpReply",
    }
    assert needed <= set(objects)
    for name, text in objects.items():
        session.sinks.add(f"repr of {name}", text)


def mistakes(session: Session) -> None:
    """Put secrets where they do not belong in a configuration."""
    kek = (session.folder / "kek").read_text().splitlines()[-1]
    acme = {"kind": "openai-compatible", "base_url": "https://a.example"}
    for wrong in (
        {"server": {"port": LOOKS}},
        {"server": LOOKS},
        {"providers": {"acme": {**acme, "headers": f"Bearer {SEALED}"}}},
        {"providers": {"acme": {**acme, "headers": {"authorization": [f"Bearer {SEALED}"]}}}},
        {"providers": {"acme": {**acme, "api_key": SEALED}}},
        {"providers": {"acme": {**acme, "base_url": f"https://u:{SEALED}@a.example"}}},
        {"providers": {"acme": {**acme, "base_url": f"https://a.example?key={SEALED}"}}},
        {"providers": {"acme": {**acme, "connect_s": LOOKS}}},
        {"store": {"kind": "sql", "url": f"sqlite+nothing://u:{SEALED}@h/d"}},
        {"store": {"kind": "sql", "url": f"nothing://u:{SEALED}@h/d", "path": "x"}},
        {"network": {"allow_private": [LOOKS]}},
    ):
        with pytest.raises(ConfigError) as caught:
            Gateway.build({"data_dir": str(session.folder), **wrong}, environ={})
        session.sinks.failure(f"configuration {sorted(wrong)}", caught.value)
    for text in (kek, f"file:{kek}", f"env:{LOOKS}"):
        state = State({"FLO2__SECRETS__KEK": text, "FLO2_DATA_DIR": str(session.folder / "x")})
        assert command_line(["keys", "create", "x"], state) == 1


COMMANDS = (
    "providers list",
    "providers add acme --env ENV_KEY",
    "providers remove acme",
    "keys list --all",
    "keys revoke nobody",
    "calls",
    "calls --json",
    "usage --by model",
    "routes",
    "models",
    "prices",
    "plugins",
    "config show",
    "config check",
    "ledger verify",
    "doctor",
    "serve --host 0.0.0.0 --port 1",
)


def commands(session: Session, plain: str) -> None:
    """Run the commands over the same database."""
    environ = {
        "FLO2_DATA_DIR": str(session.folder / "data"),
        "XDG_CONFIG_HOME": str(session.folder),
        "FLO2__SECRETS__KEK": f"file:{session.folder / 'kek'}",
        "FLO2__PROVIDERS__ACME__KIND": "openai-compatible",
        "FLO2__PROVIDERS__ACME__BASE_URL": plain,
        "FLO2__PROVIDERS__ACME__HEADERS__AUTHORIZATION": f"Bearer {SEALED}",
        "ENV_KEY": REFERRED,
        "OPENAI_API_KEY": LOOKS,
    }
    for line in COMMANDS[:-1]:
        for flags in ([], ["--json"]):
            if flags and "--json" in line:
                continue
            command_line([*line.split(), *flags], State(environ))
    for wrong in (["keys", LOOKS], [LOOKS]):
        command_line(wrong, State(environ))


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
async def test_no_secret_is_in_anything_that_is_written(
    engine: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path, engine)
    log = io.StringIO()
    undo = set_up_logging("DEBUG", log)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            async with session.running() as (gateway, driver):
                await calls(session, driver)
                await python_calls(session, gateway)
                await reads(session, driver)
                await in_flight(session, gateway, driver)
            mistakes(session)
            # In a thread of their own: a command brings its own event loop.
            await anyio.to_thread.run_sync(commands, session, "http://127.0.0.1:9")
            gc.collect()
    finally:
        undo()
    session.sinks.files(tmp_path, "at the end", leave_out={"kek"})
    session.sinks.add("log", log.getvalue())
    out, err = capfd.readouterr()
    session.sinks.add("standard output", out)
    session.sinks.add("standard error", err)

    # Each mishap happened, and each sink was written to.
    sent = [request.headers for request in session.upstream.requests]
    assert any(SEALED in head.get("authorization", "") for head in sent)
    assert any(REFERRED in head.get("authorization", "") for head in sent)
    assert any(head.get("x-api-key") == SEALED for head in sent)
    assert not any(session.key in text for head in sent for text in head.values())
    assert not any("cookie" in head for head in sent)
    names = {where for where, data in session.sinks.found if data}
    assert {"while open: data/flo2.db-wal", "at the end: data/flo2.db", "log"} <= names
    assert any(name.startswith("while open: data/journal/") for name in names)
    for needle in ("careless", "loud", "chatty", "watcher", "telltale", "not trusted", "***"):
        assert any(needle.encode() in data for _, data in session.sinks.found), needle
    assert hits(session.sinks, session.secrets) == set()
