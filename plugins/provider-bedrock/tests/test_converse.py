"""Usage, options and turns in Converse."""

from __future__ import annotations

import json

import pytest

from flo2 import Services, Wire
from flo2.dialects.openai_chat import OpenAIChat
from flo2_provider_bedrock import Bedrock
from flo2_provider_bedrock.converse import BedrockConverse

CHAT, CONVERSE = OpenAIChat(), BedrockConverse()
NOVA, CLAUDE = "us.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-opus-4-6-v1"
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ho"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
}
PROFILE = Bedrock(Bedrock.Config(), Services(wire=Wire())).profile


def usage_of(**more):
    decoder = CONVERSE.body_decoder(full=False)
    decoder.feed(json.dumps({**ANSWER, **more}).encode())
    decoder.close()
    return decoder.observed.usage


def test_tier_and_latency_bear_on_the_price():
    usage = usage_of(serviceTier={"type": "flex"}, performanceConfig={"latency": "optimized"})
    assert usage.context == {"service_tier": "flex", "latency": "optimized"}
    assert usage_of(performanceConfig={"latency": "standard"}).context == {}


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        ({**USAGE, "totalTokens": 6}, "the counts add up to 5, totalTokens is 6"),
        ({"outputTokens": 2}, "inputTokens is missing"),
        (
            {**USAGE, "inputTokens": "3"},
            "inputTokens is '3', not a count; the counts add up to 2, totalTokens is 5",
        ),
        (
            {**USAGE, "outputTokens": -1},
            "outputTokens is -1, not a count; the counts add up to 3, totalTokens is 5",
        ),
        ({**USAGE, "newTokens": 4}, "newTokens is 4 and has no known price"),
        (
            {**USAGE, "serverToolUsage": {"webSearchRequests": 1}},
            "serverToolUsage.webSearchRequests is 1 and has no known price",
        ),
        (
            {**USAGE, "totalTokens": 5, "cacheDetails": [{"ttl": "2h", "inputTokens": 9}]},
            "cacheDetails holds {'ttl': '2h', 'inputTokens': 9}, which has no known price",
        ),
    ],
)
def test_usage_that_cannot_be_trusted_says_so(usage, problem):
    assert usage_of(usage=usage).problem == problem


def test_cache_writes_are_split_by_lifetime():
    details = [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 5}]
    raw = {**USAGE, "totalTokens": 15, "cacheReadInputTokens": 1, "cacheWriteInputTokens": 9}
    usage = usage_of(usage={**raw, "cacheDetails": details})
    assert usage.problem is None
    assert usage.quantities == {
        "input_tokens": 3,
        "cache_read_tokens": 1,
        "output_tokens": 2,
        "cache_write_1h_tokens": 4,
        "cache_write_5m_tokens": 5,
    }


def render(model, **fields):
    body = {"model": "x", "messages": [{"role": "user", "content": "hi"}], **fields}
    request = CHAT.parse(json.dumps(body).encode())
    rendered = CONVERSE.render(request, model=model, profile=PROFILE(model))
    sent = json.loads(rendered.body)
    del sent["messages"]
    return sent, [str(loss) for loss in rendered.losses]


@pytest.mark.parametrize(
    ("model", "fields", "sent", "losses"),
    [
        (
            NOVA,
            {"reasoning_effort": "minimal"},
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
                }
            },
            [],
        ),
        (
            NOVA,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"reasoningConfig": {"type": "disabled"}}},
            [],
        ),
        (
            "openai.gpt-oss-120b-1:0",
            {"reasoning_effort": "low"},
            {"additionalModelRequestFields": {"reasoning_effort": "low"}},
            [],
        ),
        (
            "qwen.qwen3-32b-v1:0",
            {"reasoning_effort": "high"},
            {"additionalModelRequestFields": {"reasoning_config": "high"}},
            [],
        ),
        (
            "meta.llama3",
            {"reasoning_effort": "high"},
            {},
            ["reasoning: how much to think has no field for this model"],
        ),
        (
            CLAUDE,
            {"reasoning_effort": "high"},
            {
                "additionalModelRequestFields": {"thinking": {"type": "adaptive"}},
                "outputConfig": {"effort": "high"},
            },
            [],
        ),
        (
            "anthropic.claude-opus-4-8",
            {"temperature": 0.5},
            {},
            ["temperature: not taken by this model"],
        ),
        (NOVA, {"temperature": 1.5}, {}, ["temperature: 1.5 is above 1"]),
        (
            NOVA,
            {"stop": ["x"], "max_tokens": 5, "service_tier": "flex"},
            {
                "inferenceConfig": {"maxTokens": 5, "stopSequences": ["x"]},
                "serviceTier": {"type": "flex"},
            },
            [],
        ),
        (NOVA, {"n": 2, "seed": 1}, {}, ["n: one answer a request", "seed: not known to this API"]),
        (
            NOVA,
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "object"}},
                }
            },
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "a"}},
                    }
                }
            },
            [],
        ),
        (
            NOVA,
            {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
            {},
            [
                "tools[0].parameters: an empty schema is written out",
                "tool_choice: 'none' is sent by leaving the tools out",
            ],
        ),
    ],
)
def test_options_go_in_the_words_of_the_model_s_family(model, fields, sent, losses):
    assert render(model, **fields) == (sent, losses)


def turns(*messages):
    request = CHAT.parse(json.dumps({"model": "x", "messages": messages}).encode())
    rendered = CONVERSE.render(request, model=NOVA, profile=PROFILE(NOVA))
    return json.loads(rendered.body)["messages"], [str(loss) for loss in rendered.losses]


def test_roles_alternate_and_results_stand_together():
    calls = [
        {"id": f"call {i}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for i in range(2)
    ]
    sent, losses = turns(
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls),
        {"role": "user", "content": "c"},
    )
    assert [(turn["role"], [next(iter(block)) for block in turn["content"]]) for turn in sent] == [
        ("user", ["text", "text"]),
        ("assistant", ["toolUse", "toolUse"]),
        ("user", ["toolResult", "toolResult", "text"]),
    ]
    ids = [block["toolUse"]["toolUseId"] for block in sent[1]["content"]]
    assert ids == [block["toolResult"]["toolUseId"] for block in sent[2]["content"][:2]]
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for each in ids)
    assert "messages[1]: joined with the user message before it" in losses


def test_documents_get_names_that_are_allowed():
    pdf = "data:application/pdf;base64,JVBERg=="
    files = [
        {"type": "file", "file": {"filename": name, "file_data": pdf}}
        for name in ("Q3 report_v1.2.pdf", "Q3 report_v1.2.pdf")
    ]
    sent, losses = turns({"role": "user", "content": [{"type": "text", "text": "x"}, *files]})
    names = [block["document"]["name"] for block in sent[0]["content"][1:]]
    assert names == ["Q3 report v1 2", "Q3 report v1 2 2"]
    assert losses == [
        "messages[0].content[1].filename: sent as 'Q3 report v1 2'",
        "messages[0].content[2].filename: sent as 'Q3 report v1 2 2'",
    ]
