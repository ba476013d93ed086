"""The conformance kit over HTTP: what it finds in flo2, and that it finds planted faults."""

from __future__ import annotations

import json

import pytest

from flo2.testing.conformance import SURFACES, GatewayUnreachable, RehearsedUpstream, run
from flo2.testing.conformance.checks import check_trace
from flo2.testing.conformance.client import Answer
from flo2.testing.conformance.own import run_against_flo2
from flo2.testing.conformance.rehearsed import traces_of
from flo2.testing.replay import staged
from flo2.testing.upstream import FakeUpstream

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def report(anyio_backend):
    return await run_against_flo2()


def of(report, outcome):
    return {
        (each.surface, each.model, each.case): each.details
        for each in report.results
        if each.outcome == outcome
    }


def test_flo2_passes(report):
    assert of(report, "fail") == {}


def test_every_surface_is_spoken_to_by_each_provider(report):
    passed = {(surface, model) for surface, model, _ in of(report, "pass")}
    models = {
        "",
        "compatible/m1",
        "openai/gpt-4o-mini",
        "anthropic/claude-haiku-4-5",
        "google/gemini-2.5-flash",
    }
    assert {(name, model) for name in SURFACES for model in models} - passed == {
        ("openai.embeddings", "anthropic/claude-haiku-4-5")  # it has none
    }
    assert report.counts()["pass"] > 450


def test_a_report_reads_as_text_and_as_json(report):
    lines = list(report.lines(verbose=True))
    assert len([line for line in lines if line.startswith("  pass  ")]) == report.counts()["pass"]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts().items())
    assert lines[-1] == f"{report.gateway}: {len(report.results)} cases: {counts}"
    assert json.loads(json.dumps(report.as_json()))["counts"] == report.counts()


async def test_a_real_model_behind_the_gateway_is_asked_and_its_answers_are_checked():
    upstream = RehearsedUpstream()
    table = {"compatible": {"kind": "openai-compatible"}}

    def providers(url):
        return {name: {**each, "base_url": f"{url}/v1"} for name, each in table.items()}

    async with staged(providers, upstream=upstream) as stage:
        (plain, *_) = traces_of("openai.chat")
        upstream.play(plain)
        found = await run(stage.url, stage.key, ["compatible/m1"], surfaces=["openai.chat"])
    assert {case for _, _, case in of(found, "fail")} == {"a stream", "a stream, with a tool"}
    assert {case for _, model, case in of(found, "pass") if model} == {
        "a plain answer",
        "a plain answer, with a tool",
        "headers and query strings of newer clients",
    }


async def test_a_provider_that_speaks_no_dialect_is_heard_on_every_surface():
    async with staged(lambda _: {"sandbox": {"kind": "sandbox"}}) as stage:
        found = await run(stage.url, stage.key, ["sandbox/sandbox-small"])
    assert of(found, "fail") == {}
    assert of(found, "skip").keys() == {
        ("openai.embeddings", "sandbox/sandbox-small", "a plain answer")
    }


async def test_a_gateway_that_asks_for_no_key_and_gives_away_its_clients_is_found():
    upstream = RehearsedUpstream()
    async with upstream.serving() as url:  # no gateway at all: the client speaks to the provider
        found = await run(url, "a-key", ["m1"], surfaces=["openai.chat"], upstream=upstream)
    failed = of(found, "fail")
    refused = {case for _, model, case in failed if not model}
    assert {"no key", "a wrong key, in its header 1", "an unknown model"} <= refused
    sample = failed["openai.chat", "m1", "openai.chat: sample"]
    assert sample == ("the client's key went on to the provider",)
    # A stream that breaks there says nothing to its client but by breaking.
    assert ("openai.chat", "m1", "openai.chat: cut_stream") in failed


async def test_a_gateway_that_changes_what_is_said_is_found():
    (plain, *_) = traces_of("openai.chat")
    answer = Answer(200, plain.headers, plain.body.replace(b"Hello", b"Bye"), is_cut=False)
    chat = SURFACES["openai.chat"]
    said = list(check_trace(chat, answer, plain, "openai.chat", "strict"))
    assert said == ["text is 'Bye'; the provider said 'Hello'"]


async def test_a_surface_that_is_not_there_is_skipped():
    upstream = FakeUpstream()
    upstream.reply(404)
    async with upstream.serving() as url:
        found = await run(url, "a-key", ["m1"], surfaces=["gemini"])
    assert of(found, "skip") == {
        ("gemini", "", "the surface"): ("the gateway has no such surface",)
    }
    assert not found.failed


async def test_no_gateway_is_no_report():
    async with RehearsedUpstream().serving() as url:
        pass
    with pytest.raises(GatewayUnreachable, match="is the gateway running there"):
        await run(url, "a-key", ["m1"])
