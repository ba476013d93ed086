"""What a call was made of goes when the call is over, and waits for no garbage collector."""

from __future__ import annotations

import gc

import pytest

from flo2.executor import Attempt
from flo2.gateway import Answer, OpenExchange
from flo2.protocols import Inbound
from flo2.testing.harness import running

pytestmark = pytest.mark.anyio

ASK = {
    "model": "sandbox/sandbox-small",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 64,
}


def alive():
    kinds = (OpenExchange, Answer, Attempt, Inbound)
    return [one for one in gc.get_objects() if isinstance(one, kinds)]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_leaves_no_cycle_behind(path, stream):
    async with running() as house:
        gc.collect()
        before = alive()  # of other tests, held here so that no new one has an old one's place
        gc.disable()
        try:
            for _ in range(3):
                answer = await house.post(path, {**ASK, "stream": stream})
                assert answer.status == 200
            held = {id(one) for one in before}
            left = [type(one).__name__ for one in alive() if id(one) not in held]
        finally:
            gc.enable()
    assert left == []
