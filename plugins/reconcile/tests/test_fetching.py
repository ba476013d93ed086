"""Fetching a bill: paged, resumed, waited for, checked, and the credential kept to itself."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from flo2 import BillingError, BillQuery, BillWindow, FetchesBills, ReadFailed, Secret, Wire
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.testing.upstream import FakeUpstream
from flo2_reconcile.bill import Bill
from flo2_reconcile.fetching import BillFetch, fetched, forget
from flo2_reconcile.importers.anthropic import AnthropicReports
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.importers.resellers import OpenRouterActivity, XaiUsage

from .traffic import DAY, FINAL, HOUR, START, Call, ledger_of  # noqa: TID252  # no package
from .writers import openai_costs, openai_usage  # noqa: TID252  # same

SECRET = Secret("sk-admin-test-0123456789abcdef")
WINDOW = BillWindow(START, START + 2 * DAY, "1h")
CALLS = [Call(1, START + HOUR + 10**9), Call(2, START + 30 * HOUR + 10**9)]


class Clock:
    """Counts what was slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def page(data: list[Any], token: str | None = None) -> dict[str, Any]:
    return {"object": "page", "data": data, "has_more": token is not None, "next_page": token}


def scripted(upstream: FakeUpstream, *, first: int = 0) -> None:
    """Answer usage in two pages, and the rest in one each."""
    usage = json.loads(openai_usage(CALLS, "1h", 48)["0.json"])["data"]
    pages = [
        page(usage[:24], "more+/="),
        page(usage[24:]),
        page([]),
        page([]),
        json.loads(openai_costs(CALLS, "1d")["0.json"]),
    ]
    for each in pages[first:]:
        upstream.reply(json=each)


async def fetch(
    upstream: FakeUpstream,
    folder: Path,
    *,
    importer: FetchesBills | None = None,
    window: BillWindow = WINDOW,
    clock: Clock | None = None,
    now_s: float = FINAL / 1e6,
) -> list[Path]:
    async with Wire(transport=upstream.transport()) as wire:
        made = BillFetch(
            importer or OpenAIReports(),
            wire,
            folder,
            SECRET,
            sleep=(clock or Clock()).sleep,
            now_s=lambda: now_s,
        )
        return await made.run(window)


def told(paths: list[Path]) -> Bill:
    bill = Bill()
    for path in paths:
        with path.open("rb") as file:
            bill.take(OpenAIReports().rows(str(path), file))
    return bill


async def test_pages_are_followed_and_kept_and_the_second_time_nothing_is_asked(tmp_path: Path):
    upstream = FakeUpstream()
    scripted(upstream)
    paths = await fetch(upstream, tmp_path)

    assert [each.path for each in upstream.requests] == [
        "/v1/organization/usage/completions",
        "/v1/organization/usage/completions",
        "/v1/organization/usage/embeddings",
        "/v1/organization/usage/web_search_calls",
        "/v1/organization/costs",
    ]
    assert "page=more%2B%2F%3D" in upstream.requests[1].target
    assert {each.headers["authorization"] for each in upstream.requests} == {
        f"Bearer {SECRET.reveal()}"
    }
    sheets = told(paths).sheets()
    assert sheets[0].measures >= {"requests", "input_tokens"}
    assert sum(cell["requests"] for cell in sheets[0].cells.values()) == 2

    assert await fetch(upstream, tmp_path) == paths
    assert len(upstream.requests) == 5
    assert sorted(fetched(tmp_path, WINDOW)) == sorted(paths)


async def test_what_was_interrupted_goes_on_where_it_stopped(tmp_path: Path):
    upstream = FakeUpstream()
    usage = json.loads(openai_usage(CALLS, "1h", 48)["0.json"])["data"]
    upstream.reply(json=page(usage[:24], "more"))
    upstream.stream([b'{"object":'], ends="reset")
    with pytest.raises(ReadFailed):
        await fetch(upstream, tmp_path)
    assert len(fetched(tmp_path, WINDOW)) == 1

    scripted(upstream, first=1)
    paths = await fetch(upstream, tmp_path)
    assert len(paths) == 5
    assert len(upstream.requests) == 6  # the first page was not asked for again
    assert sum(c.get("requests", 0) for c in told(paths).sheets()[0].cells.values()) == 2


async def test_a_page_pulled_before_the_bill_was_complete_is_pulled_again(tmp_path: Path):
    upstream = FakeUpstream()
    scripted(upstream)
    paths = await fetch(upstream, tmp_path)
    early = (START + 2 * DAY + HOUR) / 1e6
    for path in paths:
        os.utime(path, (early, early))

    assert await fetch(upstream, tmp_path, now_s=early + 60) == paths
    assert len(upstream.requests) == 5
    scripted(upstream)
    await fetch(upstream, tmp_path, now_s=early + 2 * 86_400)
    assert len(upstream.requests) == 10
    assert forget(tmp_path, WINDOW) == 5


async def test_it_waits_as_long_as_it_is_told(tmp_path: Path):
    upstream, clock = FakeUpstream(), Clock()
    upstream.reply(429, json={"error": {"message": "slow down"}}, headers={"retry-after": "7"})
    upstream.reply(503, json={})
    scripted(upstream)
    await fetch(upstream, tmp_path, clock=clock)
    assert clock.slept[:2] == [7.0, 2.0]
    assert clock.slept[2:] == [0.2] * 5


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            401,
            {"error": {"message": f"bad key {SECRET.reveal()}"}},
            "an admin credential is needed",
        ),
        (400, {"error": "bucket_width"}, "answered 400 for completions: bucket_width"),
        (200, {"object": "list", "data": []}, "expected a page, found 'list'"),
    ],
)
async def test_a_refusal_is_told_without_the_secret(
    status: int, body: Any, expected: str, tmp_path: Path
):
    upstream = FakeUpstream()
    upstream.reply(status, json=body)
    with pytest.raises(BillingError) as caught:
        await fetch(upstream, tmp_path)

    assert expected in str(caught.value)
    assert SECRET.reveal() not in str(caught.value)
    assert not fetched(tmp_path, WINDOW)


async def test_the_others_are_asked_in_their_own_way(tmp_path: Path):
    upstream = FakeUpstream()
    upstream.reply(json={"data": [], "has_more": True, "next_page": "p2"})
    upstream.reply(json={"data": [], "has_more": False})
    upstream.reply(json={"data": [], "has_more": False})
    await fetch(upstream, tmp_path / "a", importer=AnthropicReports())
    assert [each.headers.get("x-api-key") for each in upstream.requests] == [SECRET.reveal()] * 3
    assert "page=p2" in upstream.requests[1].target
    assert "group_by%5B%5D=workspace_id" in upstream.requests[0].target

    router = FakeUpstream()
    router.reply(json={"data": []})
    router.reply(json={"data": []})
    await fetch(router, tmp_path / "r", importer=OpenRouterActivity())
    assert [each.target for each in router.requests] == [
        "/api/v1/activity?date=2026-11-16",
        "/api/v1/activity?date=2026-11-17",
    ]

    xai = FakeUpstream()
    xai.reply(json={"timeSeries": []})
    window = BillWindow(START, START + DAY, "1d", "team-1")
    await fetch(xai, tmp_path / "x", importer=XaiUsage(), window=window)
    assert (xai.last.method, xai.last.path) == ("POST", "/v1/billing/teams/team-1/usage")
    assert xai.last.json()["analyticsRequest"]["timeUnit"] == "TIME_UNIT_DAY"
    with pytest.raises(BillingError, match="asked for by team"):
        XaiUsage().queries(WINDOW)


def test_a_cut_off_page_is_no_page():
    query = BillQuery("usage", "/x")
    for importer in (OpenAIReports(), AnthropicReports(), OpenRouterActivity(), XaiUsage()):
        with pytest.raises(BillingError):
            importer.after(query, b'{"data": [')
        with pytest.raises(BillingError):
            list(importer.rows("cut.json", io.BytesIO(b'{"data": [')))


def test_an_admin_credential_is_sealed_for_the_bill_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    config = tmp_path / "flo2.toml"
    config.write_text('[plugins]\nonly = ["reconcile"]\n')
    store = ledger_of([])
    environ = {"FLO2_DATA_DIR": str(tmp_path / "data"), "FLO2_CONFIG": str(config)}
    state = State(environ, store=store)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET.reveal()}\n"))

    assert run(["providers", "list"], state) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET.reveal()}\n"))
    assert run(["reconcile", "credential", "openai", "--stdin"], state) == 0
    (kept,) = store.credentials("default")
    assert (kept.provider, kept.host) == ("openai:admin", "api.openai.com")
    assert SECRET.reveal() not in repr(kept) + capsys.readouterr().err
    # The one before gives way.
    assert run(["reconcile", "credential", "openai", "--env", "OPENAI_ADMIN_KEY"], state) == 0
    (kept,) = store.credentials("default")
    assert kept.reference == "env:OPENAI_ADMIN_KEY"
    assert run(["reconcile", "credential", "groq"], state) == 1
    assert "cannot be fetched" in capsys.readouterr().err
    assert run(["reconcile", "credential", "openai", "--file", SECRET.reveal()], state) == 2


def test_fetching_and_comparing_is_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    upstream = FakeUpstream()
    scripted(upstream)
    monkeypatch.setattr("flo2.cli.bench.Wire", lambda **_: Wire(transport=upstream.transport()))
    config = tmp_path / "flo2.toml"
    config.write_text('[plugins]\nonly = ["reconcile"]\n')
    environ = {
        "FLO2_DATA_DIR": str(tmp_path / "data"),
        "FLO2_CONFIG": str(config),
        "OPENAI_ADMIN_KEY": SECRET.reveal(),
    }
    state = State(environ, store=ledger_of(CALLS))
    assert run(["reconcile", "credential", "openai", "--env", "OPENAI_ADMIN_KEY"], state) == 0
    words = ["--provider", "openai", "--fetch", "--since", "2026-11-16", "--until", "2026-11-18"]
    # The time of this test is later than these days.
    monkeypatch.setattr("flo2.cli.bench.wall_us", lambda: FINAL)
    assert run(["reconcile", *words, "--json"], state) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["proven"], told["entries"], told["findings"]) == (True, 2, [])
    assert len(upstream.requests) == 5
    assert "api_key" in "".join(told["notices"])
    pages = sorted((tmp_path / "data" / "bills" / "default" / "openai").rglob("*.json"))
    assert len(pages) == 5
    assert SECRET.reveal() not in "".join(page.read_text() for page in pages)
    state.as_json = False
    words = ["reconcile", "fetch", "openai", "--since", "2026-11-16", "--until", "2026-11-18"]
    assert run(words, state) == 0
    assert len(upstream.requests) == 5
