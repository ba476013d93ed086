"""Laws of reading usage, P1 to P9 of the pricing specification, for every reader there is.

Each wire format has a writer here, on the test's side: it makes a provider's usage object out of
disjoint parts that the test knows. So a reader is held against the truth, not against itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from flo2 import Call, Credential, Inbound, Services, Usage, Wire
from flo2.canonical.usage import INPUT_METERS, OUTPUT_METERS
from flo2.dialects import anthropic_messages, gemini, openai_chat, openai_responses
from flo2.dialects.anthropic_messages.usage import merge_usage
from flo2.dialects.anthropic_messages.usage import read_usage as read_messages
from flo2.dialects.base import Peek
from flo2.dialects.gemini.usage import read_usage as read_gemini
from flo2.dialects.openai_chat.usage import read_usage as read_chat
from flo2.dialects.openai_responses.usage import read_usage as read_responses
from flo2.plugins import Plugins
from flo2_provider_bedrock.converse.usage import read_usage as read_converse
from flo2_provider_xai.usage import read_chat as read_xai_chat

Counts = dict[str, int]
Raw = dict[str, Any]
Read = Callable[[Mapping[str, Any]], Usage]

counts = st.integers(min_value=0, max_value=10**9)
some = st.integers(min_value=1, max_value=10**9)


@frozen
class Case:
    """A wire format: its reader, what it can tell, and how it tells it."""

    read: Read
    tells: tuple[str, ...]
    """Meters that the format has a field for."""
    write: Callable[[Counts, int], Raw]
    """Write disjoint parts, of which so many output tokens were reasoning."""
    total: str | None
    """The field that holds the sum of everything, if there is one."""
    holders: tuple[tuple[str, ...], ...] = ((),)
    """Where counts stand: the object itself, and the objects of details in it."""
    unknown: str = "surprising_tokens"
    """A count nobody knows, named as the format names counts."""


def _chat(parts: Counts, reasoning: int) -> Raw:
    prompt = sum(parts.get(meter, 0) for meter in INPUT_METERS)
    answer = sum(parts.get(meter, 0) for meter in OUTPUT_METERS)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {
            "cached_tokens": parts.get("cache_read_tokens", 0),
            "cache_write_tokens": parts.get("cache_write_tokens", 0),
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": parts.get("output_audio_tokens", 0),
        },
    }


def _xai_chat(parts: Counts, reasoning: int) -> Raw:
    """Write it as xAI does: reasoning beside the answer, inside the total."""
    raw = _chat(parts, reasoning)
    return raw | {"completion_tokens": raw["completion_tokens"] - reasoning}


def _responses(parts: Counts, reasoning: int) -> Raw:
    chat = _chat(parts, reasoning)
    return {
        "input_tokens": chat["prompt_tokens"],
        "output_tokens": chat["completion_tokens"],
        "total_tokens": chat["total_tokens"],
        "input_tokens_details": chat["prompt_tokens_details"],
        "output_tokens_details": chat["completion_tokens_details"],
    }


def _messages(parts: Counts, reasoning: int) -> Raw:
    short, long = parts.get("cache_write_5m_tokens", 0), parts.get("cache_write_1h_tokens", 0)
    return {
        "input_tokens": parts.get("input_tokens", 0),
        "cache_read_input_tokens": parts.get("cache_read_tokens", 0),
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": parts.get("output_tokens", 0),
        "output_tokens_details": {"thinking_tokens": reasoning},
    }


def _gemini(parts: Counts, reasoning: int) -> Raw:
    spoken, read_aloud = parts.get("input_audio_tokens", 0), parts.get("cache_read_audio_tokens", 0)
    cached = parts.get("cache_read_tokens", 0) + read_aloud
    prompt = parts.get("input_tokens", 0) + spoken + cached
    answer = parts.get("output_tokens", 0) - reasoning + parts.get("output_image_tokens", 0)
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": reasoning,
        "totalTokenCount": prompt + answer + reasoning,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": prompt - spoken - read_aloud},
            {"modality": "AUDIO", "tokenCount": spoken + read_aloud},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": read_aloud}],
        "candidatesTokensDetails": [
            {"modality": "IMAGE", "tokenCount": parts.get("output_image_tokens", 0)}
        ],
    }


def _converse(parts: Counts, _: int) -> Raw:
    short, long = parts.get("cache_write_5m_tokens", 0), parts.get("cache_write_1h_tokens", 0)
    return {
        "inputTokens": parts.get("input_tokens", 0),
        "outputTokens": parts.get("output_tokens", 0),
        "cacheReadInputTokens": parts.get("cache_read_tokens", 0),
        "cacheWriteInputTokens": short + long,
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": short},
            {"ttl": "1h", "inputTokens": long},
        ],
        "totalTokens": sum(parts.values()),
    }


_PLAIN = ("input_tokens", "cache_read_tokens", "output_tokens")
_OPENAI = (*_PLAIN, "cache_write_tokens", "output_audio_tokens")
_SPLIT = (*_PLAIN, "cache_write_5m_tokens", "cache_write_1h_tokens")
_MODAL = (*_PLAIN, "input_audio_tokens", "cache_read_audio_tokens", "output_image_tokens")
_CHAT_HOLDERS = ((), ("prompt_tokens_details",), ("completion_tokens_details",))
CASES = {
    openai_chat.__name__.rpartition(".")[2]: Case(
        read_chat, _OPENAI, _chat, "total_tokens", _CHAT_HOLDERS
    ),
    "xai": Case(read_xai_chat, _OPENAI, _xai_chat, "total_tokens", _CHAT_HOLDERS),
    openai_responses.__name__.rpartition(".")[2]: Case(
        read_responses,
        _OPENAI,
        _responses,
        "total_tokens",
        ((), ("input_tokens_details",), ("output_tokens_details",)),
    ),
    anthropic_messages.__name__.rpartition(".")[2]: Case(
        read_messages, _SPLIT, _messages, None, ((), ("cache_creation",))
    ),
    gemini.__name__.rpartition(".")[2]: Case(
        read_gemini, _MODAL, _gemini, "totalTokenCount", unknown="surprisingTokenCount"
    ),
    "converse": Case(read_converse, _SPLIT, _converse, "totalTokens", unknown="surprisingTokens"),
}
by_format = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def _parts(case: Case) -> st.SearchStrategy[Counts]:
    return st.fixed_dictionaries(dict.fromkeys(case.tells, counts))


def _seen(usage: Usage) -> Counts:
    assert usage.problem is None
    return {meter: int(count) for meter, count in usage.quantities.items()}


@by_format
@given(data=st.data())
def test_p1_p2_meters_are_the_disjoint_parts_and_add_up(case: Case, data: st.DataObject) -> None:
    """Each token is in one meter, and all of them are the provider's own sums."""
    parts = data.draw(_parts(case))
    reasoning = data.draw(st.integers(0, parts["output_tokens"]))
    usage = case.read(case.write(parts, reasoning))
    assert _seen(usage) == {meter: count for meter, count in parts.items() if count}
    assert all(count > 0 for count in usage.quantities.values())
    assert usage.input_total == sum(parts.get(meter, 0) for meter in INPUT_METERS)
    assert usage.output_total == sum(parts.get(meter, 0) for meter in OUTPUT_METERS)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.total],
    ids=[n for n in CASES if CASES[n].total],
)
@given(data=st.data())
def test_p3_a_total_that_does_not_add_up_prices_nothing(case: Case, data: st.DataObject) -> None:
    """The identity holds, or the usage has a problem that names the total."""
    raw = case.write(data.draw(_parts(case)), 0)
    assert case.total is not None
    # One less, or more: a total that leaves room for reasoning is another, true reading of xAI's.
    raw[case.total] += data.draw(some)
    usage = case.read(raw)
    assert usage.problem is not None
    assert case.total in usage.problem


@by_format
@given(data=st.data())
def test_p4_what_is_cached_is_part_of_the_prompt(case: Case, data: st.DataObject) -> None:
    """More reads than prompt, or lifetimes that are not the sum of writes: nothing is priced."""
    parts = data.draw(_parts(case))
    raw = case.write(parts, 0)
    more = data.draw(some)
    match case.write.__name__:
        case "_chat" | "_xai_chat":
            raw["prompt_tokens_details"]["cached_tokens"] = raw["prompt_tokens"] + more
        case "_responses":
            raw["input_tokens_details"]["cached_tokens"] = raw["input_tokens"] + more
        case "_messages":
            raw["cache_creation_input_tokens"] += more
        case "_gemini":
            raw["cachedContentTokenCount"] = raw["promptTokenCount"] + more
        case _:
            raw["cacheWriteInputTokens"] += more
            raw["totalTokens"] += more
    assert case.read(raw).problem is not None


@by_format
@given(data=st.data())
def test_p5_details_that_are_missing_are_details_of_zero(case: Case, data: st.DataObject) -> None:
    """Absent, null and zero are the same."""
    plain = data.draw(st.fixed_dictionaries({"input_tokens": some, "output_tokens": some}))
    whole = case.write(plain, 0)
    absent, null = deepcopy(whole), deepcopy(whole)
    for key, value in whole.items():
        if isinstance(value, Mapping | list):
            del absent[key]
            null[key] = None
    assert _seen(case.read(whole)) == _seen(case.read(absent)) == _seen(case.read(null)) == plain


@given(data=st.data())
def test_p6_the_last_report_wins_however_a_stream_is_cut(data: st.DataObject) -> None:
    """Anthropic's counts are cumulative: reports may be cut, repeated, and come with nulls."""
    parts = data.draw(_parts(CASES["anthropic_messages"]))
    final = _messages(parts, 0)
    keys = list(final)
    raw: Mapping[str, Any] = {"input_tokens": parts["input_tokens"], "output_tokens": 1}
    for _ in range(data.draw(st.integers(0, 3))):
        shown = data.draw(st.sets(st.sampled_from(keys)))
        raw = merge_usage(raw, {key: final[key] if key in shown else None for key in keys})
    whole = merge_usage(raw, final)
    assert read_messages(whole).quantities == read_messages(final).quantities
    assert merge_usage(whole, final) == whole


@by_format
@given(data=st.data())
def test_p7_reasoning_changes_no_billed_token(case: Case, data: st.DataObject) -> None:
    """It is output, whether a provider counts it inside its answer or beside it."""
    parts = data.draw(_parts(case))
    one, two = (data.draw(st.integers(0, parts["output_tokens"])) for _ in range(2))
    first, second = (case.read(case.write(parts, each)) for each in (one, two))
    assert _seen(first) == _seen(second)
    if case.read is not read_converse:  # which does not tell it
        assert first.informational.get("reasoning_tokens", 0) == one


@by_format
@given(data=st.data())
def test_p8_a_count_that_nobody_knows_prices_nothing(case: Case, data: st.DataObject) -> None:
    """It may cost money, so it is never lost in silence; of zero there is nothing to say."""
    raw = case.write(data.draw(_parts(case)), 0)
    count, place = data.draw(some), data.draw(st.sampled_from(case.holders))
    quiet = deepcopy(raw)
    for into, value in ((raw, count), (quiet, 0)):
        holder: Raw = into
        for key in place:
            holder = holder[key]
        holder[case.unknown] = value
    told = case.read(raw).problem
    assert told is not None
    assert case.unknown in told
    assert case.read(quiet).problem is None


# What no writer makes: any JSON at all, under the names that readers look for.

_NAMES = sorted(
    {key for case in CASES.values() for key in case.write(dict.fromkeys(case.tells, 1), 0)}
    | {"server_tool_use", "iterations", "cost", "cost_details", "usage_breakdown", "model", "type"}
    | {"billed_units", "tokens", "seconds", "input_details", "tool_usage", "tools_run", "models"}
    | {"num_sources_used", "cost_in_usd_ticks", "service_tier", "prompt_audio_seconds", "modality"}
    | {"server_side_tool_usage_details", "executed_tools", "cached_tokens", "tokenCount", "usage"}
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=4)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
_documents = st.dictionaries(
    st.sampled_from(_NAMES) | st.text(max_size=3),
    st.recursive(
        _scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    max_size=6,
)


def _every_reader() -> dict[str, Read]:
    """Give each reader that a provider of ours uses for one of its dialects, by name."""
    plugins, found = Plugins.load(), {}
    for kind in sorted(plugins.kinds("provider")):
        cls = plugins.get("provider", kind)
        needed = {"base_url": "https://host.example/v1"} if kind == "openai-compatible" else {}
        try:
            provider = cls(cls.Config(**needed), Services(wire=Wire()))
        except TypeError:
            continue  # needs settings of its own; its dialects are others' too
        for dialect in provider.facts.dialects:
            reader: Read = dialect.read_usage
            if (own := getattr(provider, "usage_reader", None)) is not None:
                call = Call(Inbound(dialect, b"{}", Peek("m")), dialect, "m", Credential(None))
                reader = own(call) or reader
            found[f"{kind}:{dialect.name}"] = reader
    return found


@given(raw=_documents)
def test_p9_every_reader_is_total_and_never_makes_a_float(raw: Raw) -> None:
    """Whatever a provider answers: no exception, no negative, no float, no boolean."""
    for name, read in READERS.items():
        usage = read(raw)
        for meter, count in usage.quantities.items():
            assert type(count) in {int, Decimal}, (name, meter, count)
            assert usage.problem is not None or count > 0, (name, meter, count)
        assert all(type(count) is int for count in usage.informational.values()), name


READERS = _every_reader()


def test_there_is_a_reader_for_every_provider_and_api() -> None:
    """The law above means something: it goes over many readers."""
    assert len(READERS) > 60
