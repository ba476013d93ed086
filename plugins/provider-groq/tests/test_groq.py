"""What Groq does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import Call, Credential, Inbound, Secret, Services, SubUsage, Usage, Wire
from flo2.openai_compatible import CHAT
from flo2.testing import FakeUpstream
from flo2_provider_groq import Groq
from flo2_provider_groq.usage import read_usage


def make():
    return Groq(Groq.Config(), Services(wire=Wire()))


def a_call(*, model="llama-3.3-70b-versatile", **fields):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})
    inbound = Inbound(CHAT, body.encode(), CHAT.peek(body.encode()))
    credential = Credential("c", Secret("gsk-test"))
    return Call(inbound, CHAT, model, credential, passthrough=True)


def test_it_posts_under_openai():
    upstream = FakeUpstream()
    message = {"role": "assistant", "content": "ho"}
    upstream.reply(
        json={
            "id": "1",
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": counts(3, 2),
            "service_tier": "on_demand",
        },
        headers={"x-groq-region": "dls", "x-ratelimit-limit-tokens": "6000", "cf-ray": "x"},
    )
    replies = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            groq = Groq(Groq.Config(), Services(wire=wire))
            async with groq.chat(a_call()) as reply:
                await reply.whole()
                replies.append(reply)

    anyio.run(test)
    received = upstream.last
    assert make().host == "api.groq.com"
    assert (received.method, received.target) == ("POST", "/openai/v1/chat/completions")
    assert received.headers["authorization"] == "Bearer gsk-test"
    assert dict(replies[0].headers) == {
        "x-groq-region": "dls",
        "x-ratelimit-limit-tokens": "6000",
    }
    assert replies[0].observed.usage.context == {"service_tier": "on_demand"}


def test_a_body_it_takes_keeps_its_bytes():
    call = a_call(temperature=0.1, stream=True, stream_options={"include_usage": True})
    sent = make().body(call)
    assert sent == call.inbound.body.replace(b'"m"', b'"llama-3.3-70b-versatile"')


def test_what_it_would_answer_with_400_is_left_out_by_name():
    messages = [{"role": "user", "name": "ada", "content": "hi"}]
    call = a_call(messages=messages, logprobs=True, top_logprobs=2, logit_bias={"5": 1}, store=True)
    assert json.loads(make().body(call)) == {
        "model": "llama-3.3-70b-versatile",
        "messages": [{"role": "user", "content": "hi"}],
    }
    losses = CHAT.check(call.inbound.request, make().profile("m"))
    assert [str(loss) for loss in losses] == [
        "logit_bias: the model's host does not take it",
        "logprobs: the model's host does not take it",
        "store: the model's host does not take it",
        "top_logprobs: the model's host does not take it",
        "messages[0].name: the model's host does not take it",
    ]


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("openai/gpt-oss-120b", True),
        ("openai/gpt-oss-safeguard-20b", True),
        ("qwen/qwen3-32b", True),
        ("qwen/qwen-3-32b", True),
        ("deepseek-r1-distill-llama-70b", True),
        ("llama-3.3-70b-versatile", False),
        ("moonshotai/kimi-k2-instruct", False),
        ("groq/compound", False),
    ],
)
def test_earlier_reasoning_goes_only_to_models_that_reason(model, reasons):
    turn = {"role": "assistant", "content": "ho"}
    messages = [{**turn, "reasoning_content": "hm"}, {"role": "user", "content": "and?"}]
    call = a_call(model=model, messages=messages)
    assert json.loads(make().body(call))["messages"] == [
        {**turn, "reasoning": "hm"} if reasons else turn,
        messages[1],
    ]
    losses = CHAT.check(call.inbound.request, make().profile(model))
    assert [loss.path for loss in losses] == ([] if reasons else ["messages[0].reasoning"])


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (498, "capacity_exceeded", "overloaded", True),
        (400, "tool_use_failed", "upstream", True),
        (400, "json_validate_failed", "upstream", True),
        (400, "model_decommissioned", "invalid_request", False),
        (413, "rate_limit_exceeded", "too_large", False),
        (429, "rate_limit_exceeded", "rate_limit", True),
        (503, None, "overloaded", True),
    ],
)
def test_errors_are_what_they_mean(status, code, kind, retryable):
    body = json.dumps({"error": {"message": "no", "type": "t", "code": code}}).encode()
    error = make().error(a_call(), status, {}, body)
    assert (error.kind, error.retryable, error.status, error.provider) == (
        kind,
        retryable,
        status,
        "groq",
    )


def test_an_answer_that_failed_in_writing_is_perhaps_billed():
    assert make().facts.billed_errors == {"json_validate_failed", "tool_use_failed"}


def counts(prompt, completion, **more):
    total = prompt + completion
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "queue_time": 0.1,
        "total_time": 0.5,
        **more,
    }


def test_usage_of_one_model():
    raw = counts(10, 5, completion_tokens_details={"reasoning_tokens": 3})
    raw["prompt_tokens_details"] = {"cached_tokens": 4}
    assert read_usage(raw) == Usage(
        {"input_tokens": 6, "cache_read_tokens": 4, "output_tokens": 5},
        {"reasoning_tokens": 3},
        raw,
        "openai.chat",
    )


def test_usage_of_a_compound_system_is_each_model_s_own():
    one, two = counts(4, 1), counts(6, 4, prompt_tokens_details={"cached_tokens": 2})
    models = [{"model": "a", "usage": one}, {"model": "b", "usage": two}]
    raw = counts(
        10,
        5,
        usage_breakdown={"models": models},
        executed_tools={"search": 2, "visit": 1, "python": 3},
    )
    usage = read_usage(raw)
    assert usage == Usage(
        {"web_search_requests": 2, "web_fetch_requests": 1, "python_tool_calls": 3},
        {},
        raw,
        "openai.chat",
        subcalls=(
            SubUsage("a", "compound", {"input_tokens": 4, "output_tokens": 1}, one, inside=True),
            SubUsage(
                "b",
                "compound",
                {"input_tokens": 4, "cache_read_tokens": 2, "output_tokens": 4},
                two,
                inside=True,
            ),
        ),
    )
    assert (usage.as_told.input_total, usage.as_told.output_total) == (10, 5)


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        (
            [{"model": "a", "usage": counts(10, 5)}, {"model": "b", "usage": counts(10, 5)}],
            "the models of usage_breakdown do not add up to the usage",
        ),
        (["odd"], "usage_breakdown has an entry without model or usage"),
        ([{"model": "a"}], "usage_breakdown has an entry without model or usage"),
        (
            [{"model": "a", "usage": {"prompt_tokens": -1}}],
            "usage_breakdown (a): prompt_tokens is negative: -1",
        ),
    ],
)
def test_a_breakdown_that_does_not_add_up_prices_nothing(models, problem):
    usage = read_usage(counts(10, 5, usage_breakdown={"models": models}))
    assert usage.problem == problem
    assert (usage.input_total, usage.output_total) == (10, 5)


def test_a_problem_of_the_total_is_told_first():
    raw = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 9, "usage_breakdown": {}}
    assert read_usage(raw).problem == "total_tokens 9 is not prompt 1 + completion 1"
