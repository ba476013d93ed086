"""Failed, refused, cancelled and timed-out calls: what each becomes in the ledger, and why.

A line of this table a test: what a provider bills when a call does not end well, through whole
gateways with the providers' own plugins.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from decimal import Decimal

import anyio
import anyio.lowlevel
import pytest

from flo2.plugins import Plugins
from flo2.shell import create_app
from flo2.testing import FakeUpstream
from flo2.testing.harness import running
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Tell me."}]
SETTINGS = {
    "anthropic": {},
    "azure": {
        "base_url": "https://mine.openai.azure.com",
        "deployments": {"gpt-4o": "global"},
    },
    "deepseek": {},
    "google": {},
    "groq": {},
    "openai": {},
    "xai": {},
}
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "azure": "gpt-4o",
    "deepseek": "deepseek-chat",
    "google": "gemini-2.5-flash",
    "groq": "llama-3.3-70b-versatile",
    "openai": "gpt-4o",
    "xai": "grok-4.3",
}

# Who stops when the connection closes, and who goes on and bills it all: reference page of pricing,
# 1.6, after https://openrouter.ai/docs/api-reference/streaming (read 2026-11).
STOPS = {
    "anthropic", "azure", "cohere", "deepinfra", "deepseek", "fireworks", "openai", "together",
    "xai",
}  # fmt: skip
RUNS_ON = {"bedrock", "google", "google-vertex", "groq", "mistral"}
OWN_MACHINES = {"ollama", "sandbox", "vllm"}  # they stop, by their own documentation
NOT_LISTED = {"cerebras", "ollama-cloud", "openrouter"}
BILLED_ERRORS = {
    "azure": {"content_filter"},
    "groq": {"json_validate_failed", "tool_use_failed"},
    "xai": {"usage_guidelines_violation"},
}


@asynccontextmanager
async def house(name, upstream, **settings):
    given = {"providers": {name: SETTINGS[name] | settings}, "pricing": {"list": {}}}
    async with running(
        given, credentials=[name], wire=Wire(transport=upstream.transport())
    ) as opened:
        yield opened


def ask(name, **more):
    model = f"{name}/{MODELS[name]}"
    return {"model": model, "messages": HI, "max_tokens": 50, "stream": False} | more


async def ended(opened):
    """Wait until every attempt has its end; give them."""
    with anyio.fail_after(5):
        while True:
            entries = await opened.entries()
            if entries and all(entry.end for entry in entries):
                return entries
            await anyio.sleep(0.002)


def test_each_provider_declares_what_the_table_says_and_who_says_so():
    plugins = Plugins.load()
    kinds = set(plugins.kinds("provider"))
    facts = {kind: plugins.get("provider", kind).facts for kind in kinds}
    declared = {kind: each.cancel_semantics for kind, each in facts.items()}
    assert {k for k, said in declared.items() if said == "stops"} == STOPS | OWN_MACHINES
    assert {k for k, said in declared.items() if said == "runs_to_end"} == RUNS_ON
    assert {k for k, said in declared.items() if said == "unknown"} == NOT_LISTED
    billed = {kind: set(each.billed_errors) for kind, each in facts.items() if each.billed_errors}
    assert billed == BILLED_ERRORS
    for kind in STOPS | RUNS_ON:
        assert "read 2026-" in facts[kind].cancel_source
        assert "2026-" in facts[kind].error_rule


@pytest.mark.parametrize("name", ["anthropic", "google", "groq", "openai"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 504])
async def test_an_error_status_before_any_answer_is_not_billed(name, status):
    upstream = FakeUpstream()
    upstream.reply(status, json={"error": {"message": "no", "type": "x", "code": None}})
    async with house(name, upstream) as opened:
        assert (await opened.post("/v1/chat/completions", ask(name))).status >= 400
        (entry,) = await ended(opened)
        rule = opened.gateway.providers[name].provider.facts.error_rule
    assert (entry.status, entry.total) == ("void", Decimal(0))
    assert (entry.end.http_status, entry.end.source) == (status, rule)


async def test_what_never_reached_the_provider_is_not_billed():
    upstream = FakeUpstream()
    upstream.reply(ends="refuse", json={})
    async with house("openai", upstream) as opened:
        await opened.post("/v1/chat/completions", ask("openai"))
        (entry,) = await ended(opened)
    assert (entry.status, entry.end.source) == ("void", "nothing was sent")


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("azure", 400, {"code": "content_filter", "message": "filtered"}),
        ("groq", 400, {"code": "tool_use_failed", "message": "failed to call a function"}),
        ("groq", 400, {"code": "json_validate_failed", "message": "failed to generate JSON"}),
    ],
)
async def test_an_error_that_its_provider_bills_is_pending(name, status, error):
    upstream = FakeUpstream()
    for _ in range(4):
        upstream.reply(status, json={"error": error})
    async with house(name, upstream) as opened:
        await opened.post("/v1/chat/completions", ask(name))
        (entry, *_) = await ended(opened)
    assert (entry.status, entry.total) == ("pending", None)
    assert entry.end.low == 0
    assert entry.end.high > 0


@pytest.mark.parametrize("ends", ["reset", "truncated"])
async def test_an_answer_that_broke_off_is_pending_within_bounds(ends):
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER, ends=ends)
    async with house("openai", upstream) as opened:
        await opened.post("/v1/chat/completions", ask("openai"))
        (entry, *_) = await ended(opened)
    assert (entry.status, entry.total) == ("pending", None)
    assert (entry.end.low, entry.end.high > 0) == (0, True)


CHOICE = {"index": 0, "message": {"role": "assistant", "content": None, "refusal": "No."}}
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [CHOICE | {"finish_reason": "content_filter"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 4, "total_tokens": 104},
}
REFUSED = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [],
    "stop_reason": "refusal",
    "stop_sequence": None,
    "usage": {"input_tokens": 106, "output_tokens": 1},
}


@pytest.mark.parametrize(
    ("name", "path", "answer", "finish", "total"),
    [
        ("openai", "/v1/chat/completions", ANSWER, "content_filter", "0.00029"),
        ("anthropic", "/v1/messages", REFUSED, "refusal", "0.000111"),
    ],
)
async def test_a_refusal_with_a_200_is_settled_from_its_usage_and_told(
    name, path, answer, finish, total
):
    upstream = FakeUpstream()
    upstream.reply(json=answer)
    async with house(name, upstream) as opened:
        assert (await opened.post(path, ask(name))).status == 200
        (entry,) = await ended(opened)
    assert (entry.status, entry.end.finish) == ("settled", finish)
    assert entry.total == Decimal(total)


def chunk(name, *, content=None, finish=None, usage=None):
    delta = {} if content is None else {"content": content}
    said = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": MODELS[name]}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}] if usage is None else []
    more = {} if usage is None else {"usage": usage}
    return b"data: " + json.dumps(said | {"choices": choices} | more).encode() + b"\n\n"


def talk(name, go_on):
    usage = {"prompt_tokens": 100, "completion_tokens": 4, "total_tokens": 104}
    return [
        chunk(name, content="Well"),
        go_on,
        chunk(name, finish="stop"),
        chunk(name, usage=usage),
        b"data: [DONE]\n\n",
    ]


async def left_alone(name):
    """Hang up on a stream after its first words, let the provider say the rest."""
    upstream, go_on = FakeUpstream(), anyio.Event()
    upstream.stream(talk(name, go_on))
    async with house(name, upstream) as opened:
        async with opened.driver.stream(
            "POST",
            "/v1/chat/completions",
            headers=opened.headers(),
            json=ask(name, stream=True),
        ) as stream:
            await stream.chunk()
            await stream.hang_up()
        go_on.set()
        (entry,) = await ended(opened)
    return entry, upstream


@pytest.mark.parametrize("name", ["deepseek", "openai", "xai"])
async def test_a_stream_left_at_a_provider_that_stops_is_stopped_and_pending(name):
    entry, upstream = await left_alone(name)
    assert (upstream.abandoned, upstream.finished) == (1, 0)
    assert (entry.status, entry.end.outcome) == ("pending", "disconnected")
    assert (entry.end.low, entry.end.high > 0) == (0, True)


async def test_a_stream_left_at_a_provider_that_goes_on_is_read_to_its_end_and_settled():
    entry, upstream = await left_alone("groq")
    assert (upstream.abandoned, upstream.finished) == (0, 1)
    assert (entry.status, entry.end.outcome) == ("settled", "disconnected")
    assert entry.end.meters == {"input_tokens": 100, "output_tokens": 4}


@pytest.mark.parametrize("name", ["groq", "openai"])
async def test_a_plain_answer_that_nobody_waits_for_is_settled_exactly(name):
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER | {"model": MODELS[name]}, delay_s=0.005)
    async with house(name, upstream) as opened:
        await asked_and_gone(opened, ask(name))
        (entry,) = await ended(opened)
    assert entry.status == "settled"
    assert entry.end.meters == {"input_tokens": 100, "output_tokens": 4}


async def asked_and_gone(opened, body):
    """Send a request and lose the connection before anything comes back."""
    data = json.dumps(body).encode()
    path = "/v1/chat/completions"
    headers = [(k.encode(), v.encode()) for k, v in opened.headers(host="here").items()]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"content-length", str(len(data)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("here", 80),
    }
    coming = [{"type": "http.request", "body": data, "more_body": False}]

    async def receive():
        await anyio.lowlevel.checkpoint()
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(_):
        await anyio.lowlevel.checkpoint()

    await create_app(opened.gateway, lifespan=False)(scope, receive, send)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answers", ["not at all", "its head and no more"])
async def test_a_provider_that_takes_too_long_may_bill_it(stream, answers):
    upstream = FakeUpstream()
    if answers == "not at all":
        upstream.reply(json=ANSWER, delay_s=5)
        waits = {"first_byte_s": 0.02}
    else:
        upstream.stream([], ends="hang")
        waits = {"idle_s": 0.02, "first_byte_s": 1.0}
    async with upstream.serving() as base_url:
        given = {"providers": {"openai": {"base_url": base_url} | waits}, "pricing": {"list": {}}}
        async with running(given, credentials=["openai"]) as opened:
            answer = await opened.post("/v1/chat/completions", ask("openai", stream=stream))
            (entry, *_) = await ended(opened)
    assert (entry.status, entry.end.low, entry.end.high > 0) == ("pending", 0, True)
    assert answer.status == 504
