"""What Cerebras does its own way."""

from __future__ import annotations

import json

from flo2.openai_compatible import CHAT
from flo2.testing.one_host import HELLO, OneHost
from flo2_provider_cerebras import Cerebras

HI = [*HELLO]


HOST = OneHost(Cerebras)
make, a_call, sent, ask = HOST.make, HOST.call, HOST.sent, HOST.ask


def test_it_posts_under_v1():
    received, reply = ask(headers={"x-ratelimit-remaining-tokens-minute": "5", "cf-ray": "x"})
    assert (make().host, received.target) == ("api.cerebras.ai", "/v1/chat/completions")
    assert received.headers["authorization"] == "Bearer key-test"
    assert dict(reply.headers) == {"x-ratelimit-remaining-tokens-minute": "5"}


def test_what_it_refuses_is_left_out_by_name():
    fields = {"logit_bias": {"5": 1}, "store": True, "frequency_penalty": 0.5, "seed": 1}
    assert sent(**fields) == {
        "model": "its-model",
        "messages": HI,
        "frequency_penalty": 0.5,
        "seed": 1,
    }
    losses = CHAT.check(a_call(**fields).inbound.request, make().profile("m"))
    assert [loss.path for loss in losses] == ["logit_bias", "store"]


def test_reasoning_goes_back_under_its_own_field():
    messages = [{"role": "assistant", "content": "ho", "reasoning_content": "hm"}, *HI]
    assert sent(messages=messages)["messages"] == [
        {"role": "assistant", "content": "ho", "reasoning": "hm"},
        *HI,
    ]


def test_nobody_says_what_leaving_a_stream_does():
    facts = make().facts
    assert (facts.cancel_semantics, facts.cancel_source) == ("unknown", "")


def test_its_own_envelope_of_an_error_is_read():
    body = {
        "message": "property 'x' is unsupported",
        "type": "invalid_request_error",
        "param": "validation_error",
        "code": "wrong_api_format",
    }
    error = make().error(a_call(), 400, {}, json.dumps(body).encode())
    assert (error.kind, error.code, error.param, error.message) == (
        "invalid_request",
        "wrong_api_format",
        "validation_error",
        "property 'x' is unsupported",
    )
