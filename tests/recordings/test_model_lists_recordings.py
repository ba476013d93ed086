"""Recorded lists of models, read by their providers: what they say of each model is understood."""

from __future__ import annotations

import anyio
import pytest

from flo2 import Credential, Secret, Services, Wire
from flo2.testing import FakeUpstream
from flo2.testing.traces import recorded_traces
from flo2_provider_anthropic import Anthropic
from flo2_provider_google import Google
from flo2_provider_groq import Groq
from flo2_provider_mistral import Mistral

LISTS = [
    (provider, trace)
    for provider in (Anthropic, Google, Groq, Mistral)
    for trace in recorded_traces(provider.kind)
    if trace.endpoint.endswith("/models") and trace.status == 200
]
# One model of each: window, longest answer, and what goes in; some of it is not in the list but in
# the table.
SAID = {
    "anthropic": ("claude-haiku-4-5-20251001", 200_000, 64_000, {"text", "image", "file"}),
    "google": ("gemini-2.5-pro", 1_048_576, 65_536, {"text", "image", "audio", "video", "file"}),
    "groq": ("openai/gpt-oss-120b", 131_072, 65_536, {"text"}),
    "mistral": ("mistral-large-2512", 262_144, None, {"text", "image"}),
}


def read(provider, trace):
    """Give what a provider makes of a recorded list, by name."""
    upstream = FakeUpstream()
    upstream.reply(200, body=trace.body)
    upstream.reply(200, json={"models": []})  # one recording is the first page of two
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            item = provider(provider.Config(), Services(wire=wire))
            found.extend(await item.models(Credential("c", Secret("sk-test"))))

    anyio.run(test)
    return {info.id: info for info in found}


@pytest.mark.parametrize(
    ("provider", "trace"), LISTS, ids=[trace.name for _, trace in LISTS] or None
)
def test_a_recorded_list_says_what_each_model_can_do(provider, trace):
    models = read(provider, trace)
    for info in models.values():
        assert info.facts is not None
        assert info.facts.context_window
        assert info.facts.source.startswith("the provider's own list")
    name, window, longest, takes = SAID[provider.kind]
    facts = models[name].facts
    assert (facts.context_window, facts.max_output_tokens, facts.input, facts.output) == (
        window,
        longest,
        takes,
        {"text"},
    )
    assert "tools" in facts.abilities
