"""What OpenRouter does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import Call, Credential, Inbound, ModelFacts, ProviderError, Secret, Services, Wire
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.memory_store import MemoryStore
from flo2.testing import FakeUpstream
from flo2_provider_openrouter import OpenRouter
from flo2_provider_openrouter.usage import reader

CHAT, EMBEDDINGS = OpenAIChat(), OpenAIEmbeddings()
BODY = b'{"model":"anthropic/claude","messages":[{"role":"user","content":"hi"}],"stream":%b}'


def make(wire=None):
    return OpenRouter(OpenRouter.Config(), Services(wire=wire or Wire()))


def ask(upstream, *, stream=False):
    """Give the observed answer of a call, or its error."""
    body = BODY % (b"true" if stream else b"false")
    inbound = Inbound(CHAT, body, CHAT.peek(body))
    key = Credential("c", Secret("sk-test"))
    call = Call(inbound, CHAT, "anthropic/claude", key, passthrough=True)
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with make(wire).chat(call) as reply:
                    raw = b"".join([chunk.raw async for chunk in reply.chunks()])
                    outcome.append((raw, reply.observed))
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    assert upstream.last.target == "/api/v1/chat/completions"
    assert upstream.last.json()["model"] == "anthropic/claude"
    return outcome[0]


def usage(**more):
    return {
        "prompt_tokens": 900,
        "completion_tokens": 69,
        "total_tokens": 969,
        "cost": 0.0160614,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": 0.0001764},
    } | more


READ = reader(CHAT.read_usage)
TOKENS = {"input_tokens": 900, "output_tokens": 69}


def test_its_charges_are_kept_as_evidence_and_not_added_up():
    raw = usage()
    found = READ(raw)
    assert (found.quantities, found.context, found.problem) == (TOKENS, {}, None)
    assert found.raw == raw


def test_a_key_of_one_s_own_there_is_no_list_price():
    assert READ(usage(is_byok=True)).context == {"byok": "true"}


@pytest.mark.parametrize(
    ("details", "fees"),
    [
        ({"web_search_requests": 1, "tool_calls_executed": 1}, {"web_search_requests": 1}),
        ({"tool_calls_requested": 2, "tool_calls_executed": 2}, {"server_tool_calls": 2}),
        (
            {"web_search_requests": 1, "tool_calls_executed": 3},
            {"web_search_requests": 1, "server_tool_calls": 2},
        ),
        ({"web_search_requests": 2}, {"web_search_requests": 2}),
        ({"web_search_requests": 0, "tool_calls_executed": None}, {}),
        ({"web_search_requests": "1"}, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_tools_it_ran_are_meters(details, fees):
    assert READ(usage(server_tool_use_details=details)).quantities == TOKENS | fees


def test_embeddings_are_read_by_their_own_dialect():
    found = reader(EMBEDDINGS.read_usage)({"prompt_tokens": 3, "total_tokens": 3, "is_byok": True})
    assert (found.dialect, found.quantities) == ("openai.embeddings", {"input_tokens": 3})
    assert found.context == {"byok": "true"}


def test_the_upstream_s_own_words_are_told():
    upstream = FakeUpstream()
    words = {"provider_name": "Google", "raw": "it is rate-limited upstream"}
    error = {"code": 429, "message": "Provider returned error", "metadata": words}
    upstream.reply(429, json={"error": error, "user_id": "user_1"})
    told = ask(upstream)
    assert (told.kind, told.retryable, told.status) == ("rate_limit", True, 429)
    assert told.message == "Provider returned error: it is rate-limited upstream"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 502, "message": "m", "metadata": {"raw": "r"}}},
        {
            "id": "gen-1",
            "model": "x",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "a"},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "m", "metadata": {"raw": "r"}},
                }
            ],
            "usage": usage(),
        },
    ],
)
def test_an_error_in_a_good_answer_is_one(body):
    upstream = FakeUpstream()
    upstream.reply(json=body)
    _, observed = ask(upstream)
    assert (observed.complete, observed.error.message) == (False, "m: r")
    assert (observed.error.kind, observed.error.retryable) == ("upstream", True)


def test_comments_and_spaces_before_the_answer_pass():
    upstream = FakeUpstream()
    chunk = {"id": "gen-1", "model": "x", "choices": [{"index": 0, "delta": {"content": "a"}}]}
    end = {"id": "gen-1", "choices": [], "usage": usage()}
    pieces = [
        b": OPENROUTER PROCESSING\n\n",
        b"data: " + json.dumps(chunk).encode() + b"\n\n",
        b": OPENROUTER PROCESSING\n\n",
        b"data: " + json.dumps(end).encode() + b"\n\n",
        b"data: [DONE]\n\n",
    ]
    upstream.stream(pieces)
    raw, observed = ask(upstream, stream=True)
    assert (observed.complete, observed.usage.quantities) == (True, TOKENS)
    assert raw == b"".join(pieces[:3]) + pieces[4]  # the usage nobody asked for stays here


def test_it_is_shown_as_a_reseller(tmp_path, capsys):
    state = State({"FLO2_DATA_DIR": str(tmp_path)}, store=MemoryStore())
    assert run(["providers", "--json"], state) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert listed["openrouter"]["reseller"] is True
    assert listed["openrouter"]["needs_key"] is True
    state = State({"FLO2_DATA_DIR": str(tmp_path)}, store=MemoryStore())
    assert run(["providers"], state) == 0
    assert "openrouter.ai (reseller)" in capsys.readouterr().out


LISTED = {
    "id": "acme/large",
    "name": "Acme: Large",
    "created": 1_700_000_000,
    "context_length": 200_000,
    "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
    "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000},
    "supported_parameters": ["temperature", "tools", "structured_outputs", "reasoning"],
    "pricing": {"prompt": "0.000003", "completion": "0.000015", "request": "0"},
}


def test_its_list_tells_what_a_model_can_do_and_costs():
    found = make().listed(LISTED)
    facts = found.facts
    assert (found.id, found.display_name, found.created) == (
        "acme/large",
        "Acme: Large",
        1_700_000_000,
    )
    assert found.prices == {"input_tokens": "3", "output_tokens": "15"}
    assert facts == ModelFacts(
        "acme/large",
        "the provider's own list",
        facts.read,
        context_window=200_000,
        max_output_tokens=64_000,
        input=["text", "image", "file"],
        abilities=["tools", "json_schema", "reasoning"],
    )


@pytest.mark.parametrize(
    ("pricing", "prices"),
    [
        (None, {}),
        ({"prompt": "-1", "completion": "-1"}, {}),
        ({"prompt": "0", "completion": "0"}, {"input_tokens": "0", "output_tokens": "0"}),
        ({"prompt": "dear", "completion": 0.5}, {}),
        ({"prompt": "NaN", "completion": "0.00000025"}, {"output_tokens": "0.25"}),
    ],
)
def test_only_a_price_that_is_one_is_shown(pricing, prices):
    assert make().listed(LISTED | {"pricing": pricing}).prices == prices


def test_an_entry_that_says_nothing_has_no_facts():
    strange = {"id": "a/b", "architecture": [], "top_provider": None, "supported_parameters": 1}
    assert make().listed(strange).facts is None
