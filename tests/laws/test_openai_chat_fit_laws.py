"""Whatever a client writes into a chat body, it fits its host, once and for all."""

from __future__ import annotations

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import Loss
from flo2.dialects.base import Profile
from flo2.dialects.chat_host import ANY_HOST, ChatHost
from flo2.dialects.openai_chat.fit import fit
from flo2.dialects.openai_chat.own_bytes import check_bytes, fit_bytes

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
THINKING = st.fixed_dictionaries(
    {
        "type": st.just("thinking") | JSON,
        "thinking": st.lists(st.fixed_dictionaries({"text": SCALARS}) | JSON, max_size=3) | JSON,
    }
)
TEXT = st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=8)})
CALL = st.fixed_dictionaries({"id": st.text(max_size=12) | JSON, "type": st.just("function")})
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["developer", "system", "user", "assistant", "tool"]) | JSON},
    optional={
        "content": st.text(max_size=8) | st.lists(TEXT | THINKING | JSON, max_size=3) | JSON,
        "name": SCALARS,
        "reasoning": SCALARS | JSON,
        "reasoning_content": SCALARS,
        "reasoning_details": JSON,
        "refusal": SCALARS,
        "tool_calls": st.lists(CALL | JSON, max_size=3) | JSON,
        "tool_call_id": st.text(max_size=12) | JSON,
    },
)
BODY = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGE | JSON, max_size=4) | JSON},
    optional={
        "response_format": st.fixed_dictionaries({"type": st.just("json_object") | JSON}) | JSON,
        "stream_options": st.fixed_dictionaries({"include_usage": SCALARS}) | JSON,
        "thinking": st.fixed_dictionaries({"type": st.just("disabled") | JSON}) | JSON,
        "seed": SCALARS,
    },
)
HOST = st.builds(
    ChatHost,
    developer=st.booleans(),
    names=st.booleans(),
    nulls=st.booleans(),
    reasoning=st.sampled_from(
        ["as_given", "left_out", "reasoning", "reasoning_content", "thinking"]
    ),
    calls_reason=st.booleans(),
    call_id_chars=st.sampled_from([0, 9]),
    marks_prefix=st.booleans(),
    asks_usage=st.booleans(),
    formats=st.none() | st.just(frozenset({"text", "json_object"})),
)


def quiet(*_):
    """Take a loss."""


@given(body=BODY, host=HOST)
def test_fitting_never_fails_changes_nothing_it_was_given_and_is_done_once(body, host):
    before = copy.deepcopy(body)
    profile = Profile(chat=host, drops=frozenset({"seed"}))
    fitted = fit(body, profile, quiet)
    assert body == before
    assert fit(fitted, profile, quiet) == fitted


@given(body=BODY)
def test_a_host_that_wants_nothing_otherwise_gets_the_body_itself(body):
    assert fit(body, Profile(chat=ANY_HOST), quiet) == body


@given(body=BODY, host=HOST)
def test_bytes_fit_as_what_they_say_fits(body, host):
    raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    profile = Profile(chat=host, drops=frozenset({"seed"}))
    losses: list[tuple[str, ...]] = []
    fitted = fit(body, profile, lambda *loss: losses.append(loss))
    assert json.loads(fit_bytes(raw, profile)) == fitted
    assert check_bytes(raw, profile) == tuple(Loss(*loss) for loss in losses)
