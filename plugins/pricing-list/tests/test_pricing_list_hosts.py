"""What is curated for each host, beyond a price in and out: tiers, regions, hours, units, ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from flo2.canonical import Usage
from flo2.prices import PricingContext, build
from flo2_pricing_list import GenaiPrices, PriceList

BOOK = build([PriceList().layer(), GenaiPrices().layer()])
MILLION = 1_000_000
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
OPUS = "anthropic.claude-opus-5-5"
PRIORITY = {"service_tier": "priority"}


def cost(provider, model, meters, at="2026-11-25T12:00:00+00:00", **said):
    if isinstance(meters, str):
        meters = {meters: MILLION}
    instant = datetime.fromisoformat(at).astimezone(UTC)
    context = PricingContext(provider, "chat", model, model, instant, said)
    found = BOOK.price(Usage(meters), context)
    return found.total, found.reason


@pytest.mark.parametrize(
    ("provider", "model", "meters", "said", "total"),
    [
        # Tiers of service, batches, and discounts that do not stack.
        ("google", "gemini-2.5-pro", {"input_tokens": 1000}, {}, "0.00125"),
        ("google", "gemini-2.5-pro", {"input_tokens": 1000}, {"service_tier": "flex"}, "0.000625"),
        ("google", "gemini-2.5-pro", {"input_tokens": 1000}, PRIORITY, "0.00225"),
        ("google", "gemini-2.5-pro", "input_tokens", PRIORITY, "4.5"),
        ("google", "gemini-2.5-pro", {"input_tokens": 1000}, {"processing": "batch"}, "0.000625"),
        ("google", "gemini-2.5-pro", {"input_tokens": 1000}, {"service_tier": "scale"}, None),
        ("groq", "openai/gpt-oss-120b", "cache_read_tokens", {}, "0.075"),
        ("groq", "openai/gpt-oss-120b", "cache_read_tokens", {"processing": "batch"}, "0.075"),
        ("groq", "openai/gpt-oss-120b", "input_tokens", {"processing": "batch"}, "0.075"),
        ("bedrock", "amazon.nova-pro-v1:0", "input_tokens", PRIORITY, "1.4"),
        ("azure", "gpt-5", "input_tokens", PRIORITY, "2.5"),
        ("azure", "gpt-5", "input_tokens", {"processing": "batch"}, "0.625"),
        # Regions, deployments and profiles.
        ("bedrock", f"eu.{OPUS}", "input_tokens", {"region": "eu-west-1"}, "4.4"),
        ("bedrock", f"eu.{OPUS}", "input_tokens", {"region": "us-east-1"}, None),
        ("bedrock", f"global.{OPUS}", "input_tokens", {"region": "sa-east-1"}, "4"),
        ("bedrock", OPUS, "input_tokens", {"region": "us-east-1"}, "4.4"),
        ("bedrock", "eu.amazon.nova-lite-v1:0", "input_tokens", {"region": "eu-north-1"}, "0.078"),
        ("bedrock", "amazon.nova-lite-v1:0", "input_tokens", {"region": "us-west-2"}, "0.06"),
        ("bedrock", "us-gov.openai.gpt-oss-20b-1:0", "input_tokens", {}, None),
        ("google-vertex", "claude-opus-5-5", "output_tokens", {"region": "global"}, "20"),
        ("google-vertex", "claude-opus-5-5@default", "output_tokens", {"region": "eu"}, "22"),
        ("google-vertex", "claude-haiku-4-5@20251001", "input_tokens", {"region": "us"}, "1.1"),
        ("google-vertex", "gemini-3.8-flash", "input_tokens", {"region": "global"}, "0.75"),
        ("google-vertex", "gemini-3.8-flash", "input_tokens", {"region": "europe-west4"}, "0.825"),
        ("google-vertex", "gemini-2.5-flash", "input_tokens", {"region": "europe-west4"}, "0.3"),
        ("google-vertex", "gemini-2.5-flash", "input_tokens", {"region": "mars-north1"}, None),
        ("google-vertex", "gemini-2.5-flash", "input_tokens",
         {"traffic_type": "ON_DEMAND_FLEX", "region": "us-central1"}, "0.15"),
        ("azure", "gpt-5", "input_tokens", {"deployment": "data_zone"}, "1.375"),
        ("azure", "gpt-5.4", "input_tokens", {"deployment": "data_zone"}, None),
        ("azure", "gpt-5.4", {"input_tokens": 1000},
         {"deployment": "data_zone", "region": "japaneast"}, "0.003"),
        ("openai", "gpt-5.4", {"input_tokens": 1000}, {"region": "eu"}, "0.00275"),
        # An edge that is inside, and one that is not.
        ("xai", "grok-4.7", {"input_tokens": 199_999}, {}, "0.399998"),
        ("xai", "grok-4.7", {"input_tokens": 200_000}, {}, "0.8"),
        ("google", "gemini-2.5-pro", {"input_tokens": 200_000}, {}, "0.25"),
        ("google", "gemini-2.5-pro", {"input_tokens": 200_001}, {}, "0.5000025"),
        # Other units than tokens, with their minimums.
        ("groq", "whisper-large-v3-turbo", {"input_seconds": 3}, {}, "0.000111111111"),
        ("groq", "whisper-large-v3-turbo", {"input_seconds": 3600}, {}, "0.04"),
        ("mistral", "mistral-ocr-2512", {"input_pages": 10}, {}, "0.02"),
        ("mistral", "mistral-ocr-2512", {"input_annotated_pages": 10}, {}, "0.03"),
        ("mistral", "voxtral-mini-2602", {"input_seconds": 60}, {}, "0.003"),
        ("openai", "gpt-5", {"web_search_requests": 3}, {}, "0.03"),
        ("openai", "gpt-5", {"container_sessions": 2}, {}, "0.06"),
        ("openai", "gpt-4o-audio-preview", "input_audio_tokens", {}, "40"),
        ("anthropic", "claude-opus-5-5", {"container_seconds": 60}, {}, "0.004166666667"),
        ("anthropic", "claude-opus-5-5", {"container_seconds": 7200}, {}, "0.1"),
        ("google", "gemini-3.8-flash", {"cache_token_hours": 2 * MILLION}, {}, "1"),
        ("google", "gemini-3.8-flash", {"web_search_requests": 2}, {}, "0.028"),
        ("xai", "grok-4.7", {"x_search_requests": 4, "file_search_requests": 2}, {}, "0.025"),
        ("xai", "grok-imagine-image-pro", {"output_images": 2}, {}, "0.14"),
        # Hosts that one source alone has.
        ("deepinfra", "deepseek-ai/DeepSeek-V4-Pro", "output_tokens", {}, "2.6"),
        ("cohere", "embed-v5.0-fast", "input_tokens", {}, "0.08"),
        ("cerebras", "zai-glm-4.7", "output_tokens", {}, "2.75"),
        ("together", LLAMA, "input_tokens", {}, "1.04"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", "output_tokens", {}, "0.6"),
    ],
)  # fmt: skip
def test_what_a_host_charges(provider, model, meters, said, total):
    found, reason = cost(provider, model, meters, **said)
    assert found == (None if total is None else Decimal(total)), reason


@pytest.mark.parametrize(
    ("provider", "model", "said", "day", "before", "after"),
    [
        ("google", "gemini-3.8-flash", {}, "2027-01-01", "0.75", "1.5"),
        ("google", "gemini-3.8-flash", {"service_tier": "flex"}, "2027-01-01", "0.375", None),
        ("google", "gemini-4-argon", {"processing": "batch"}, "2026-12-01", "1", "2"),
        ("together", LLAMA, {}, "2026-11-23", None, "1.04"),
        ("mistral", "mistral-large-4", {}, "2026-10-29", "1.36", "0.7"),
    ],
)
def test_introductory_prices_end_and_others_begin(provider, model, said, day, before, after):
    """Of an announced end what follows is there already; where nobody says it, there is no row."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    instants = (start - timedelta(seconds=1), start)
    found = [cost(provider, model, "input_tokens", i.isoformat(), **said)[0] for i in instants]
    assert found == [None if each is None else Decimal(each) for each in (before, after)]
