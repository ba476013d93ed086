"""Usage of the Responses API: disjoint meters, tools beside them, and doubt."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import Choice, Response, Usage
from flo2.canonical.usage import SubUsage
from flo2.dialects.openai_responses import OpenAIResponses

DIALECT = OpenAIResponses()


def usage(given=10, made=5, total=None, **details):
    return {
        "input_tokens": given,
        "output_tokens": made,
        "total_tokens": given + made if total is None else total,
        **details,
    }


@pytest.mark.parametrize(
    ("raw", "quantities", "informational"),
    [
        (usage(), {"input_tokens": 10, "output_tokens": 5}, {}),
        (usage(0, 5), {"output_tokens": 5}, {}),
        (
            usage(
                1220,
                40,
                input_tokens_details={"cached_tokens": 3, "cache_write_tokens": 1200},
                output_tokens_details={"reasoning_tokens": 30},
            ),
            {
                "input_tokens": 17,
                "cache_read_tokens": 3,
                "cache_write_tokens": 1200,
                "output_tokens": 40,
            },
            {"reasoning_tokens": 30},
        ),
        (
            usage(
                100,
                90,
                input_tokens_details={"audio_tokens": 30, "image_tokens": 20, "text_tokens": 50},
                output_tokens_details={"audio_tokens": 40, "image_tokens": 10},
            ),
            {
                "input_tokens": 50,
                "input_audio_tokens": 30,
                "input_image_tokens": 20,
                "output_tokens": 40,
                "output_audio_tokens": 40,
                "output_image_tokens": 10,
            },
            {},
        ),
        # xAI's own fields are no tokens: its plugin reads them.
        (
            usage(cost_in_usd_ticks=5, num_sources_used=1, context_details={"input_tokens": 10}),
            {"input_tokens": 10, "output_tokens": 5},
            {},
        ),
    ],
)
def test_meters_are_disjoint(raw, quantities, informational):
    found = DIALECT.read_usage(raw)
    assert found == Usage(quantities, informational, raw, "openai.responses")
    assert (found.input_total, found.output_total) == (raw["input_tokens"], raw["output_tokens"])


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"output_tokens": 5}, "input_tokens is missing"),
        (usage(total=16), "total_tokens 16 is not input 10 + output 5"),
        (usage(-1, 5), "input_tokens is negative: -1"),
        (usage(True, 5), "input_tokens is True, no count"),
        (usage(new_tokens=3), "unknown count new_tokens=3"),
        (
            usage(input_tokens_details={"new_tokens": 3}),
            "unknown count input_tokens_details.new_tokens=3",
        ),
        (
            usage(input_tokens_details={"cached_tokens": 11}),
            "the parts of the prompt exceed input_tokens 10 by 1",
        ),
        (
            usage(output_tokens_details={"reasoning_tokens": 6}),
            "the parts of the answer exceed output_tokens 5",
        ),
        (
            usage(
                input_tokens_details={
                    "cache_write_tokens": 5,
                    "cache_write_tokens_details": {"ttl_12h_tokens": 4, "ttl_30m_tokens": 0},
                }
            ),
            "input_tokens_details.cache_write_tokens_details do not add up to 5",
        ),
        (usage(input_tokens_details=[]), "input_tokens_details is [], no object"),
    ],
)
def test_what_does_not_add_up_is_doubted(raw, problem):
    assert DIALECT.read_usage(raw).problem == problem


@pytest.mark.parametrize("kept", [{"ttl_12h_tokens": 4, "ttl_30m_tokens": 1}, {}])
def test_what_is_kept_in_the_cache_for_longer_is_metered_apart(kept):
    details = {"cache_write_tokens": 5, "cache_write_tokens_details": kept}
    found = DIALECT.read_usage(usage(input_tokens_details=details))
    long = kept.get("ttl_12h_tokens", 0)
    written = {"cache_write_tokens": 5 - long, "cache_write_12h_tokens": long}
    assert found.quantities == {
        "input_tokens": 5,
        **{meter: count for meter, count in written.items() if count},
        "output_tokens": 5,
    }
    assert (found.problem, found.input_total) == (None, 10)


def answer(output, told=None, **fields):
    response = {
        "id": "resp_1",
        "model": "m",
        "created_at": 1,
        "status": "completed",
        "output": output,
        "usage": usage(),
        **fields,
    }
    if told is not None:
        response["tool_usage"] = told
    decoder = DIALECT.body_decoder(full=False)
    decoder.feed(json.dumps(response).encode())
    decoder.close()
    return decoder.observed.usage


def searched(kind):
    return {"type": "web_search_call", "id": "ws", "action": {"type": kind}}


TOKENS = {"input_tokens": 10, "output_tokens": 5}


def test_searches_are_counted_by_their_items_and_pages_that_were_opened_are_not():
    kinds = ("search", "open_page", "find_in_page", "search")
    found = answer([*map(searched, kinds), {"type": "web_search_call", "id": "old"}])
    assert found.quantities == TOKENS | {"web_search_requests": 3}
    assert found.raw == usage(tools_run={"web_search_call": 3})


def test_what_the_provider_says_of_searches_is_followed():
    """`num_requests` counts billable searches, discounted ones left out."""
    told = {"web_search": {"num_requests": 1}, "image_gen": {"total_tokens": 0}}
    found = answer([searched("search"), searched("search")], told)
    assert found.quantities == TOKENS | {"web_search_requests": 1}


def test_file_searches_and_the_tier_are_told():
    found = answer([{"type": "file_search_call", "id": "fs"}] * 2, service_tier="priority")
    assert found.quantities == TOKENS | {"file_search_requests": 2}
    assert found.context == {"service_tier": "priority"}


def test_the_model_that_draws_is_billed_by_itself():
    drawn = {
        "input_tokens": 60,
        "input_tokens_details": {"image_tokens": 10, "text_tokens": 50},
        "output_tokens": 272,
        "output_tokens_details": {"image_tokens": 270, "text_tokens": 2},
        "total_tokens": 332,
    }
    found = answer([{"type": "image_generation_call", "id": "ig"}], {"image_gen": drawn})
    assert found.quantities == TOKENS
    assert found.subcalls == (
        SubUsage(
            None,
            "image_generation",
            {
                "input_tokens": 50,
                "input_image_tokens": 10,
                "output_tokens": 2,
                "output_image_tokens": 270,
            },
            drawn,
        ),
    )
    assert found.problem is None


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (
            {"type": "image_generation_call"},
            "image_generation_call: the tokens of the image's model are not said",
        ),
        (
            {"type": "code_interpreter_call"},
            "code_interpreter_call: whether its container was already paid for is not said",
        ),
        (
            {"type": "shell_call", "environment": {"type": "container_reference"}},
            "shell_call: whether its container was already paid for is not said",
        ),
        ({"type": "shell_call", "environment": {"type": "local"}}, None),
        ({"type": "mcp_call"}, None),
    ],
)
def test_a_fee_that_is_not_told_is_doubted(item, problem):
    assert answer([item]).problem == problem


def test_a_client_sees_the_providers_own_usage_object_without_our_evidence():
    found = answer([searched("search")])
    written = DIALECT.encode_response(_response(found))
    assert json.loads(written.body)["usage"] == usage()


def _response(told):
    return Response("resp_1", "m", 1, (Choice((), "stop", "completed"),), told)


def test_usage_of_another_dialect_is_written_with_all_its_sums():
    told = Usage(
        {
            "input_tokens": 3,
            "cache_read_tokens": 4,
            "cache_write_5m_tokens": 2,
            "cache_write_1h_tokens": 1,
            "output_tokens": 7,
            "web_search_requests": 2,
        },
        {"thinking_tokens": 6},
        dialect="anthropic.messages",
    )
    assert json.loads(DIALECT.encode_response(_response(told)).body)["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 17,
    }
