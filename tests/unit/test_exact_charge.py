"""A stated charge has every digit that was sent, in any form of answer, in usage or beside it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.builtins import OpenAICompatibleHost
from flo2.dialects.base import Peek
from flo2.openai_compatible import CHAT, EMBEDDINGS, RESPONSES

# More digits than a float holds, and a number that a float would write otherwise.
CHARGE = "0.000123456789012345678901234567890"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
OURS = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
HEAD = {"id": "a", "model": "m", "created": 1}
MESSAGE = {"role": "assistant", "content": "hi"}
CHOICE = {"index": 0, "message": MESSAGE, "finish_reason": "stop", "logprobs": 0.5}
DELTA = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
PART = {"type": "output_text", "text": "hi", "annotations": []}
ITEM = {"type": "message", "id": "i", "role": "assistant", "content": [PART]}
RESPONSE = {**HEAD, "object": "response", "status": "completed", "output": [ITEM]}


def frames(*payloads):
    return b"".join(b"data: " + each + b"\n\n" for each in payloads) + b"data: [DONE]\n\n"


def stated(payload, usage, path):
    """Write an answer whose charge stands at a path, digit by digit."""
    first, _, rest = path.partition(".")
    beside = first == "answer"
    keys = (rest if beside else path).split(".")
    charge = {keys[-1]: "CHARGE"}
    for key in reversed(keys[:-1]):
        charge = {key: charge}
    whole = {**payload, "usage": usage, **charge} if beside else {
        **payload, "usage": {**usage, **charge},
    }  # fmt: skip
    return json.dumps(whole).replace('"CHARGE"', CHARGE).encode()


def inside(event, response):
    return b'event: %s\ndata: {"type":"%s","response":%s}\n\n' % (event, event, response)


CASES = {
    "chat": lambda path: (CHAT, stated({**HEAD, "choices": [CHOICE]}, USAGE, path)),
    "chat stream": lambda path: (
        CHAT,
        frames(
            json.dumps({**HEAD, "choices": [DELTA]}).encode(),
            stated({**HEAD, "choices": []}, USAGE, path),
        ),
    ),
    "responses": lambda path: (RESPONSES, stated(RESPONSE, OURS, path)),
    "responses stream": lambda path: (
        RESPONSES,
        inside(b"response.completed", stated(RESPONSE, OURS, path)),
    ),
    "embeddings": lambda path: (
        EMBEDDINGS,
        stated({"model": "m", "data": [{"index": 0, "embedding": [0.5]}]}, USAGE, path),
    ),
}


def observe(dialect, body, path, *, full=False, stream=False):
    config = OpenAICompatibleHost.Config(base_url="https://host.example/v1", charge=path)
    host = OpenAICompatibleHost(config, Services(wire=Wire()))
    inbound = Inbound(dialect, b"{}", Peek("m", stream=stream, wants_usage=True))
    kind = "text/event-stream" if stream else "application/json"
    call = Call(inbound, dialect, "m", Credential(None), full=full)
    decoder = host.decoder_of(call, [("content-type", kind)])
    decoder.feed(body)
    decoder.close()
    return decoder.observed


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("path", ["cost", "cost.total_cost"])
@pytest.mark.parametrize("case", CASES)
def test_no_digit_is_lost(case, path, full):
    dialect, body = CASES[case](path)
    usage = observe(dialect, body, path, full=full, stream="stream" in case).usage
    assert usage.reported.amount == Decimal(CHARGE)
    assert usage.quantities["input_tokens"] == 3
    # What is kept as evidence is JSON as it was parsed, and can be written again.
    assert json.loads(json.dumps(dict(usage.raw)))["total_tokens"] == 5


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("case", ["chat", "chat stream"])
def test_a_charge_beside_the_usage_is_read(case, full):
    path = "answer.cost.usd"
    dialect, body = CASES[case](path)
    usage = observe(dialect, body, path, full=full, stream="stream" in case).usage
    assert usage.reported.amount == Decimal(CHARGE)
    assert usage.raw == USAGE


def test_an_answer_without_a_charge_is_read_as_ever():
    body = json.dumps({**HEAD, "choices": [CHOICE], "usage": {**USAGE, "time": 0.25}}).encode()
    for path in ("cost", "answer.cost.usd"):
        assert observe(CHAT, body, path).usage.reported is None


@pytest.mark.parametrize("written", ["-1.5", "1e400", '"free"', "true", "[1.5]"])
def test_what_is_no_amount_is_no_charge(written):
    body = json.dumps({**HEAD, "choices": [CHOICE], "usage": {**USAGE, "cost": "CHARGE"}})
    body = body.replace('"CHARGE"', written).encode()
    usage = observe(CHAT, body, "cost").usage
    assert usage is None or usage.reported is None
