"""Each hook, really used by a tiny plugin; and `docs/hooks.md` says each one's exact signature."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import frozen

from flo2 import (
    BillingRow,
    BooksView,
    Call,
    Candidate,
    Entry,
    Exchange,
    Facts,
    Finding,
    Finish,
    Gap,
    Gateway,
    Importer,
    Inbound,
    MemoryStore,
    Observed,
    PartDelta,
    PartStart,
    Plan,
    PriceRow,
    Register,
    Reply,
    RouteView,
    Services,
    Start,
    Text,
    Usage,
    UsageUpdate,
    hookimpl,
    hookspecs,
)
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.dialects.base import Chunk
from flo2.plugins import Plugins
from flo2.testing.harness import House, running

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("flo2_"))
ASK = {"model": "echo/m1", "messages": [{"role": "user", "content": "Hello"}]}


def signature(name: str) -> str:
    return f"{name}{inspect.signature(getattr(hookspecs, name))}".replace("'", "")


# ------------------------------------------------------------------------------ a tiny provider


class EchoReply:
    status = 200
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, call: Call) -> None:
        self._call = call
        self.observed = Observed()

    async def chunks(self) -> AsyncIterator[Chunk]:
        usage = Usage({"input_tokens": 2, "output_tokens": 3})
        self.observed = Observed(
            usage=usage, model=self._call.model, finish="stop", complete=True, has_content=True
        )
        await checkpoint()
        yield Chunk(
            b"",
            (
                Start("echo-1", self._call.model),
                PartStart(0, Text("")),
                PartDelta(0, "Hi"),
                Finish("stop"),
                UsageUpdate(usage),
            ),
        )

    def abort(self) -> None: ...


class Echo:
    """A provider in this process: it takes and gives the canonical form."""

    kind = "echo"
    facts = Facts(needs_key=False, cancel_semantics="stops")

    @frozen
    class Config: ...

    def __init__(self, config: Config, services: Services) -> None: ...

    @asynccontextmanager
    async def chat(self, call: Call) -> AsyncIterator[Reply]:
        yield EchoReply(call)


class EchoPlugin:
    @hookimpl
    def flo2_register_providers(self, register: Register) -> None:
        register(Echo)


@asynccontextmanager
async def house(*plugins: object, **config: Any) -> AsyncIterator[House]:
    """Run a gateway with nothing but the echo and these plugins."""
    named = {f"test-{number}": plugin for number, plugin in enumerate(plugins)}
    given = {"plugins": {"only": []}, "pricing": {}, **config}
    async with running(given, plugins={"echo": EchoPlugin(), **named}) as made:
        yield made


def errors(gateway: Gateway) -> dict[str, str]:
    return {each.name: each.error for each in gateway.plugins.loaded if each.error}


# ------------------------------------------------------------------------------------ the page


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_heading_with_its_exact_signature(name: str):
    page = (ROOT / "docs" / "hooks.md").read_text()
    assert f"\n## `{signature(name)}`\n" in page


def test_the_page_has_no_heading_for_a_hook_that_does_not_exist():
    page = (ROOT / "docs" / "hooks.md").read_text()
    assert sorted(re.findall(r"^## `(\w+)\(", page, re.MULTILINE)) == HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_test_named_for_it(name: str):
    tests = "".join(file.read_text() for file in sorted(Path(__file__).parent.glob("test_*.py")))
    assert re.search(rf"^(async )?def test_{name}\(", tests, re.MULTILINE)


# ----------------------------------------------------------------------------------- each hook


async def test_flo2_register_providers():
    async with house() as h:
        answer = await h.post("/v1/chat/completions", ASK)

    body = json.loads(answer.body)
    assert answer.status == 200
    assert body["choices"][0]["message"]["content"] == "Hi"
    assert body["usage"]["total_tokens"] == 5


class Backwards:
    kind = "backwards"

    @frozen
    class Config:
        why: str = "the last one first"

    def __init__(self, config: Config, services: Services) -> None:
        self._why = config.why

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        return Plan.fallback(candidates[::-1], why=self._why)


class StrategyPlugin:
    @hookimpl
    def flo2_register_strategies(self, register: Register) -> None:
        register(Backwards)


async def test_flo2_register_strategies():
    async with house(StrategyPlugin()) as h:
        await h.route("both", "backwards", "echo/m1", "echo/m2", why="as told")
        answer = await h.post("/v1/chat/completions", {**ASK, "model": "both"})
        receipt = await h.receipt(answer)

    assert [attempt["model"] for attempt in receipt["attempts"]] == ["m2"]
    assert (receipt["strategy"], receipt["plan"]) == ("backwards", "as told")


class EchoPrices:
    kind = "echo-prices"
    precedence = 5

    @frozen
    class Config: ...

    def __init__(self, config: Config, services: Services) -> None: ...

    def rows(self) -> Iterable[PriceRow]:
        for dimension, price in (("input_tokens", "1"), ("output_tokens", "4")):
            yield PriceRow(
                id=f"echo-{dimension}",
                provider="echo",
                models=frozenset({"m1"}),
                dimension=dimension,
                unit_price=Decimal(price),
                per=1_000_000,
                source="https://echo.example/prices",
                read_on=date(2026, 11, 25),
                evidence="published",
            )

    def defaults(self) -> Mapping[str, Mapping[str, Iterable[str]]]:
        return {}


class PricingPlugin:
    @hookimpl
    def flo2_register_pricing(self, register: Register) -> None:
        register(EchoPrices)


async def test_flo2_register_pricing():
    async with house(PricingPlugin()) as h:
        answer = await h.post("/v1/chat/completions", ASK)
        receipt = await h.receipt(answer)

    assert receipt["attempts"][0]["status"] == "settled"
    assert receipt["attempts"][0]["cost_usd"] == "0.000014"
    assert dict(answer.headers)["x-flo2-cost-usd"] == "0.000014"
    rows = [line["row"] for line in receipt["attempts"][0]["lines"]]
    assert sorted(rows) == ["echo-input_tokens", "echo-output_tokens"]


class OtherStore(MemoryStore):
    kind = "other"

    @frozen
    class Config: ...

    def __init__(self, config: Config, services: Services) -> None:
        super().__init__()


class StorePlugin:
    @hookimpl
    def flo2_register_stores(self, register: Register) -> None:
        register(OtherStore)


async def test_flo2_register_stores(tmp_path: Path):
    gateway = Gateway.build(
        {"store": {"kind": "other"}, "plugins": {"only": []}, "data_dir": str(tmp_path)},
        plugins={"echo": EchoPlugin(), "mine": StorePlugin()},
        environ={},
    )
    async with gateway:
        key, secret = await gateway.issue_key("app")
        async with gateway.chat(ASK, key=secret.reveal()) as answer:
            response = await answer.response()

    assert isinstance(gateway.store, OtherStore)
    assert response.model == "m1"
    assert gateway.store.key_by_hash(key.hash) == key


class Watching:
    """Makes observers that write down what they see."""

    def __init__(self, *, hangs: bool = False, raises: bool = False) -> None:
        seen = self.seen = list[tuple[Exchange, Sequence[Entry]]]()

        class Watcher:
            kind = f"watcher-{hangs}-{raises}"

            @frozen
            class Config: ...

            def __init__(self, config: Config, services: Services) -> None: ...

            async def observe(self, exchange: Exchange, entries: Sequence[Entry]) -> None:
                if hangs:
                    await anyio.sleep_forever()
                if raises:
                    raise RuntimeError("broken")
                seen.append((exchange, entries))

        self.watcher = Watcher

    @hookimpl
    def flo2_register_observers(self, register: Register) -> None:
        register(self.watcher)


async def test_flo2_register_observers():
    watching = Watching()
    async with house(watching) as h:
        answer = await h.post("/v1/chat/completions", ASK, x_flo2_feature="greeting")

    (exchange, entries) = watching.seen[0]
    assert len(watching.seen) == 1
    assert exchange.exchange_id == dict(answer.headers)["x-flo2-request-id"]
    assert (exchange.status, exchange.attribution.feature) == (200, "greeting")
    assert [(entry.intent.model, entry.status) for entry in entries] == [("m1", "unpriced")]


async def test_an_observer_that_raises_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
):
    broken, watching = Watching(raises=True), Watching()
    async with house(broken, watching) as h:
        statuses = [(await h.post("/v1/chat/completions", ASK)).status for _ in range(2)]

    assert statuses == [200, 200]
    assert len(watching.seen) == 2
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "observer 'watcher-False-True' raised"
    ] * 2


async def test_an_observer_that_hangs_holds_up_neither_calls_nor_the_stop(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("flo2.gateway.observers._CLOSING_S", 0.005)
    hanging, watching = Watching(hangs=True), Watching()
    with anyio.fail_after(5):
        async with house(hanging, watching) as h:
            statuses = [(await h.post("/v1/chat/completions", ASK)).status for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert len(watching.seen) == 3


async def test_an_observer_that_cannot_be_made_loses_only_itself():
    class Broken:
        kind = "broken"

        @frozen
        class Config: ...

        def __init__(self, config: Config, services: Services) -> None:
            raise RuntimeError("no")

        async def observe(self, exchange: Exchange, entries: Sequence[Entry]) -> None: ...

    class Plugin:
        @hookimpl
        def flo2_register_observers(self, register: Register) -> None:
            register(Broken)

    async with house(Plugin()) as h:
        answer = await h.post("/v1/chat/completions", ASK)
        assert errors(h.gateway) == {"test-0": "observer 'broken' raised RuntimeError: no"}
    assert answer.status == 200

    named = {"plugins": {"only": []}, "observers": {"broken": {}}}
    with pytest.raises(RuntimeError, match="no"):
        Gateway.build(named, plugins={"mine": Plugin()}, store=MemoryStore(), environ={})


class Billing:
    """Reads bills of its own, and explains what is missing in them."""

    class Reader:
        kind = "acme-csv"

        @frozen
        class Config: ...

        def __init__(self, config: Config, services: Services) -> None: ...

        def recognises(self, name: str, head: bytes) -> bool:
            return head.startswith(b"acme")

        def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
            yield BillingRow("acme.bill", name, 0, 60_000_000, {"provider": "acme"}, "requests", 1)

    class Shrug:
        kind = "acme_forgot"
        order = 5

        @frozen
        class Config: ...

        def __init__(self, config: Config, services: Services) -> None: ...

        def explain(self, gaps: Sequence[Gap], books: BooksView) -> Iterable[Finding]:
            return ()

    @hookimpl
    def flo2_register_importers(self, register: Register) -> None:
        register(self.Reader)

    @hookimpl
    def flo2_register_explainers(self, register: Register) -> None:
        register(self.Shrug)


def test_flo2_register_importers():
    plugins = Plugins.load(only=(), extra={"billing": Billing()}, strict=True)
    reader = plugins.get("importer", "acme-csv")

    assert plugins.kinds("importer") == ("acme-csv",)
    assert isinstance(reader(reader.Config(), None), Importer)


def test_flo2_register_explainers():
    plugins = Plugins.load(only=(), extra={"billing": Billing()}, strict=True)

    assert plugins.kinds("explainer") == ("acme_forgot",)
    assert plugins.get("explainer", "acme_forgot") is Billing.Shrug
    assert plugins.origin("explainer", "acme_forgot") == "billing"


def test_flo2_register_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "flo2_wave.py").write_text(
        "import click\n"
        "from flo2 import hookimpl\n"
        "@hookimpl\n"
        "def flo2_register_commands(cli: click.Group) -> None:\n"
        "    @cli.command()\n"
        "    def wave():\n"
        '        """Wave at somebody."""\n'
        "        click.echo('o/')\n"
    )
    info = tmp_path / "flo2_wave-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flo2-wave\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flo2]\nwave = flo2_wave\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["wave"], State({"XDG_CONFIG_HOME": str(tmp_path)})) == 0
    assert capsys.readouterr().out == "o/\n"


class Held:
    """Notes when it is entered and left, and whether the gateway ran then."""

    def __init__(self, name: str, notes: list[str], *, breaks: str = "") -> None:
        self._name = name
        self._notes = notes
        self._breaks = breaks

    @hookimpl
    def flo2_lifespan(self, gateway: Gateway) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def held() -> AsyncIterator[None]:
            if self._breaks == "start":
                raise RuntimeError("cannot start")
            self._notes.append(f"{self._name} in, {gateway.started}")
            yield
            if self._breaks == "end":
                raise RuntimeError("cannot end")
            self._notes.append(f"{self._name} out, {gateway.started}")

        return held()


async def test_flo2_lifespan():
    notes: list[str] = []
    async with house(Held("a", notes), Held("b", notes)):
        assert notes == ["a in, True", "b in, True"]
    assert notes[2:] == ["b out, True", "a out, True"]


@pytest.mark.parametrize("breaks", ["start", "end"])
async def test_a_lifespan_that_raises_loses_only_itself(
    breaks: str, caplog: pytest.LogCaptureFixture
):
    notes: list[str] = []
    async with house(Held("a", notes), Held("b", notes, breaks=breaks), Held("c", notes)) as h:
        assert (await h.post("/v1/chat/completions", ASK)).status == 200
        found = errors(h.gateway)
    expected = {"test-1": "flo2_lifespan raised RuntimeError: cannot start"}
    assert found == (expected if breaks == "start" else {})
    assert notes[-2:] == ["c out, True", "a out, True"]
    said = {"start": "did not start", "end": "raised at its end"}[breaks]
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        f"flo2_lifespan of plugin 'test-1' {said}"
    ]


async def test_a_lifespan_that_is_no_context_manager_is_the_plugins_error():
    plugin = SimpleNamespace(flo2_lifespan=hookimpl(lambda: "x"))
    async with house(plugin) as h:
        assert errors(h.gateway) == {
            "test-0": "flo2_lifespan gave str, which is no async context manager"
        }


# ---------------------------------------------------------------------------------- the loader


async def test_plugins_are_seen_by_the_admin():
    async with house(StrategyPlugin()) as h:
        told = json.loads((await h.get("/api/plugins", admin=True)).body)["data"]
    assert [(each["name"], each["hooks"], each["error"]) for each in told] == [
        ("echo", ["flo2_register_providers"], None),
        (
            "flo2",
            ["flo2_register_providers", "flo2_register_stores", "flo2_register_strategies"],
            None,
        ),
        ("test-0", ["flo2_register_strategies"], None),
    ]
