"""What DeepInfra does its own way."""

from __future__ import annotations

from flo2 import ListedFacts, Usage
from flo2.testing.one_host import HELLO, OneHost
from flo2_provider_deepinfra import DeepInfra

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
HI = [*HELLO]


HOST = OneHost(DeepInfra)
make, a_call, sent, ask = HOST.make, HOST.call, HOST.sent, HOST.ask


def test_it_posts_under_openai():
    received, _ = ask()
    assert (make().host, received.target) == (
        "api.deepinfra.com",
        "/v1/openai/chat/completions",
    )
    assert received.headers["authorization"] == "Bearer key-test"


def test_a_bound_is_written_as_the_one_it_keeps():
    assert sent(max_completion_tokens=9) == {"model": "its-model", "messages": HI, "max_tokens": 9}
    call = a_call(max_tokens=9)
    assert make().body(call) == call.inbound.body.replace(b'"m"', b'"its-model"')


def test_a_developer_is_the_system():
    messages = [{"role": "developer", "content": "Be brief."}, *HI]
    assert sent(messages=messages)["messages"] == [{**messages[0], "role": "system"}, *HI]


def test_its_estimate_is_evidence_and_no_bill():
    usage = {**USAGE, "estimated_cost": 1.2e-05, "prompt_tokens_details": {"cached_tokens": 4}}
    _, reply = ask(usage=usage)
    assert reply.observed.usage == Usage(
        {"input_tokens": 5, "cache_read_tokens": 4, "output_tokens": 2}, {}, usage, "openai.chat"
    )


def test_its_list_tells_limits_among_metadata():
    item = {"id": "acme/m", "metadata": {"context_length": 262_144, "max_tokens": 16_384}}
    assert make().said_of(item) == ListedFacts(context_window=262_144, max_output_tokens=16_384)
    assert make().said_of({"id": "acme/m", "metadata": None}) == ListedFacts()


def test_what_its_models_can_do_is_known():
    facts = make().describe("openai/gpt-oss-120b-Turbo")
    assert (facts.context_window, sorted(facts.abilities)) == (
        131_072,
        ["json_schema", "reasoning", "tools"],
    )
