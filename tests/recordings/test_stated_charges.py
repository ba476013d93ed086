"""What providers said that recorded calls cost, beside what our price book makes of them.

Each is equal to the last digit, or stands in `WITHOUT_A_FIGURE` or `ANOTHER_FIGURE` with the
reason; booked is what the provider said, either way.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.builtins import OpenAICompatibleHost
from flo2.dialects.base import Peek
from flo2.openai_compatible import (
    CHAT,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGES,
    RESPONSES,
    TRANSCRIPTIONS,
)
from flo2.prices import PricingContext, build
from flo2.prices.charged import charged
from flo2.testing.traces import recorded_traces
from flo2_pricing_list import GenaiPrices, PriceList
from flo2_provider_openrouter import OpenRouter
from flo2_provider_xai import XAI

BOOK = build([PriceList().layer(), GenaiPrices().layer()])
DIALECTS = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/embeddings": EMBEDDINGS,
    "/images/generations": IMAGES,
    "/images/edits": IMAGE_EDITS,
    "/audio/transcriptions": TRANSCRIPTIONS,
}
TEXT = {
    "xai": rb'"cost_in_usd_ticks":\s*(\d+)',
    "perplexity": rb'"total_cost":\s*([-+.eE\d]+)',
    "venice": rb'"usd":\s*([-+.eE\d]+)',
}
USUAL = rb'"usage":\s*\{.*?"cost":\s*([-+.eE\d]+)'


def compatible(**settings):
    config = OpenAICompatibleHost.Config(base_url="https://host.example/v1", **settings)
    return OpenAICompatibleHost(config, Services(wire=Wire()))


WITHOUT_A_FIGURE = {
    # host, what our cost says → why that is so
    ("openrouter", "meter 'web_search_requests'"): "a search costs what its engine costs",
    ("openrouter", "meter 'server_tool_calls'"): "an advisor costs what its own model costs",
    ("openrouter", "audio 0 + text 0 is not input_tokens 37"): "a usage that does not add up",
    ("perplexity", "model 'sonar"): "a fee by request and context size, which no meter counts",
    ("vercel-gateway", "model 'openai/gpt-5'"): "its count of the answer leaves out the thoughts",
    ("vercel-gateway", "exceeds completion_tokens"): "thoughts lie outside of the answer's count",
}
ANOTHER_FIGURE = {
    # genai-prices dates the introductory price of gemini-3.6-flash from the beginning; in August
    # OpenRouter still charged twice that.
    "pydantic-ai-test-openrouter-test-openrouter-web-search-tool-full-params-3ca969-0": "0.00012",
    # Venice adds up in binary: these are off at the twentieth digit.
    "rig-conformance-tool-choice-modes-65c59a-0": "0.0001506875",
    "rig-conformance-tool-output-serialization-3393e5-1": "0.0001174375",
    "rig-raw-stream-capture-matrix-stream-raw-exposes-terminal-cost-c5d4ca-0": "0.0001578",
}
COUNTS = {
    ("xai", "equal"): 55,
    ("openrouter", "equal"): 142,
    ("openrouter", "no figure"): 7,
    ("openrouter", "another"): 1,
    ("perplexity", "equal"): 1,
    ("perplexity", "no figure"): 11,
    ("venice", "equal"): 13,
    ("venice", "another"): 3,
    ("vercel-gateway", "equal"): 13,
    ("vercel-gateway", "no figure"): 16,
}
HOSTS = {
    "xai": XAI(XAI.Config(), Services(wire=Wire())),
    "openrouter": OpenRouter(OpenRouter.Config(), Services(wire=Wire())),
    "perplexity": compatible(charge="cost.total_cost"),
    "vercel-gateway": compatible(charge="cost"),
    "venice": compatible(charge="answer.cost.usd"),
}
TRACES = [
    (host, trace)
    for host in HOSTS
    for trace in recorded_traces(host)
    if "provider_reports_cost" in trace.tags and trace.status == 200
]


def read(host, trace):
    (dialect,) = [d for path, d in DIALECTS.items() if trace.endpoint.endswith(path)]
    peek = Peek((trace.request or {}).get("model") or "", stream=trace.stream, wants_usage=True)
    inbound = Inbound(dialect, trace.request_body, peek)
    call = Call(inbound, dialect, peek.model, Credential(None), full=False)
    decoder = HOSTS[host].decoder_of(call, trace.headers)
    decoder.feed(trace.body)
    decoder.close()
    return call, decoder.observed


def instant(trace):
    """Give when it was recorded, where the answer says so; else a day of this book."""
    said = re.search(rb'"created(?:_at)?":\s*(\d{10})', trace.body)
    if said is None:
        return datetime(2026, 11, 20, tzinfo=UTC)
    return datetime.fromtimestamp(int(said[1]), UTC)


def compare(host, trace):
    """Give their figure as it was written, the seam's, and our cost."""
    texts = re.findall(TEXT.get(host, USUAL), trace.body, re.DOTALL)
    theirs = Decimal(texts[-1].decode()) * (Decimal("1e-10") if host == "xai" else 1)
    call, observed = read(host, trace)
    usage = observed.usage
    model = observed.model or call.model
    context = PricingContext(
        host, call.dialect.api, call.model, model, instant(trace), usage.context
    )
    return theirs, usage.reported, BOOK.price(usage, context)


@pytest.mark.parametrize(
    ("host", "trace"), TRACES, ids=[f"{host}-{trace.name}" for host, trace in TRACES]
)
def test_ours_is_theirs_to_the_last_digit_or_says_why_not(host, trace, count_replay):
    count_replay(trace.kind)
    theirs, charge, cost = compare(host, trace)
    booked = charged(cost, charge)
    assert (booked.status, booked.total) == ("reported", theirs)
    assert sum((line.amount for line in booked.lines), Decimal(0)) == theirs
    if cost.total is None:
        assert [
            why
            for (at, says), why in WITHOUT_A_FIGURE.items()
            if at == host and says in cost.reason
        ]
    else:
        assert cost.total == Decimal(ANOTHER_FIGURE.get(trace.name, theirs))


def test_how_many_are_equal():
    found = Counter()
    for host, trace in TRACES:
        theirs, _, cost = compare(host, trace)
        kind = "no figure" if cost.total is None else "equal" if cost.total == theirs else "another"
        found[host, kind] += 1
    assert found == (COUNTS if TRACES else {})
