"""Every recorded answer priced by the book, or honestly not: counts and reasons by provider."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.dialects.base import Peek
from flo2.plugins import Plugins
from flo2.prices import PricingContext, build
from flo2.testing.shared import shared_dir
from flo2.testing.traces import recorded_traces
from flo2_pricing_list import GenaiPrices, PriceList

BOOK = build([PriceList().layer(), GenaiPrices().layer()])
PLUGINS = Plugins.load()
KINDS = (
    "anthropic", "azure", "bedrock", "cerebras", "cohere", "deepseek", "google", "google-vertex",
    "groq", "mistral", "openai", "openrouter", "together", "xai",
)  # fmt: skip
ENDPOINTS = (
    (r".*:(?:stream)?[gG]enerateContent", "gemini"),
    (r".*:rawPredict|.*:streamRawPredict", "anthropic.messages"),
    (r".*/v1/messages", "anthropic.messages"),
    (r".*/converse(?:-stream)?", "bedrock.converse"),
    (r".*/chat/completions", "openai.chat"),
    (r".*/v2/chat", "cohere.chat"),
    (r".*/v2/embed", "cohere.embed"),
    (r".*/responses", "openai.responses"),
    (r".*/embeddings", "openai.embeddings"),
    (r".*/audio/transcriptions", "openai.transcriptions"),
    (r".*/images/generations", "openai.images"),
    (r".*/images/edits", "openai.images.edits"),
)

COUNTS = {
    # kind → settled, unpriced, pending
    "anthropic": (305, 0, 2),
    "azure": (38, 8, 3),
    "bedrock": (38, 7, 0),
    "cerebras": (3, 2, 0),
    "cohere": (32, 10, 0),
    "deepseek": (78, 0, 0),
    "google": (248, 4, 3),
    "google-vertex": (67, 5, 3),
    "groq": (41, 3, 1),
    "mistral": (84, 23, 1),
    "openai": (499, 8, 9),
    "openrouter": (166, 10, 2),
    "together": (3, 0, 0),
    "xai": (58, 5, 0),
}
REASONS = (
    # no source has the model, or not under the name that the answer gives it
    r"no price row for model '.*' of provider '.*'",
    # a share of the upstream's, a reserved capacity, a tier that publishes no rate for the model
    r"no price row for model '.*' of provider '.*' with (?:byok|service_tier|traffic_type)='.*'",
    # the model has rows, but none for what was used beside its usual tokens
    r"no price row for meter '.*_(?:requests|calls|prompts|units|images)' of .*",
    r"no price row for meter '(?:.*_(?:audio|image|video|read)_tokens|input_tokens)' of .*",
    # money that no answer tells
    r"(?:code_interpreter|shell)_call: whether its container was already paid for is not said",
    r"image_generation_call: the tokens of the image's model are not said",
    # usage that does not add up
    r".* is not (?:prompt|input_tokens) .*|.*adds up to.*|.* do not add up .*",
    r".*exceeds? .*|.* is missing",
    r"another model took over in mid-answer .*",
    r"cached tokens beside audio, image or video tokens, and no cached_tokens_details",
)


def make(kind):
    cls = PLUGINS.get("provider", kind)
    more = (
        {"base_url": "https://host.example", "deployment_type": "global"} if kind == "azure" else {}
    )
    return cls(cls.Config(**more), Services(wire=Wire()))


HOSTS = {kind: make(kind) for kind in KINDS}


def dialect_of(host, trace):
    for pattern, name in ENDPOINTS:
        if re.fullmatch(pattern, trace.endpoint):
            return next((d for d in host.facts.dialects if d.name == name), None)
    return None


def asked_for(kind, trace):
    """Give the model, which stands in the body or in the URL."""
    named = (trace.request or {}).get("model")
    if named:
        return named
    file = shared_dir() / "recordings" / kind / f"{trace.name}.json"
    request = json.loads(file.read_text("utf-8"))["request"] or {}
    found = re.search(r"/models?/([^/:]+(?::\d+)?)[/:]", unquote(request.get("path") or ""))
    return found[1] if found else ""


def cost_of(kind, trace):
    """Give the cost of a recorded answer; None where it shows no usage of the kind."""
    host = HOSTS[kind]
    dialect = dialect_of(host, trace)
    if dialect is None or trace.status != 200 or not trace.body:
        return None
    model = asked_for(kind, trace)
    peek = Peek(model, stream=trace.stream, wants_usage=True)
    call = Call(
        Inbound(dialect, trace.request_body, peek), dialect, model, Credential(None), full=False
    )
    decoder = host.decoder_of(call, trace.headers)
    decoder.feed(trace.body)
    decoder.close()
    observed = decoder.observed
    if observed.usage is None or not (observed.complete or observed.finish):
        return None
    context = PricingContext(
        kind, dialect.api, model, observed.model or model,
        datetime(2026, 11, 25, 5, tzinfo=UTC), observed.usage.context,
    )  # fmt: skip
    return BOOK.price(observed.usage, context)


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_priced_or_says_why_not(kind, count_replay):
    found = Counter()
    traces = recorded_traces(kind)
    for trace in traces:
        cost = cost_of(kind, trace)
        if cost is None:
            continue
        count_replay(trace.kind)
        found[cost.status] += 1
        assert (cost.total is None) is (cost.status != "settled")
        if cost.total is not None:
            assert cost.total == sum(line.amount for line in cost.lines)
        else:
            assert any(re.fullmatch(reason, cost.reason) for reason in REASONS), cost.reason
    expected = COUNTS[kind] if traces else (0, 0, 0)
    assert (found["settled"], found["unpriced"], found["pending"]) == expected
