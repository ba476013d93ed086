"""What compatible hosts tell of images, transcripts and texts, through their own plugins."""

from __future__ import annotations

import pytest

from flo2 import Call, Credential, Inbound, Services, Wire
from flo2.dialects.base import Peek
from flo2.openai_compatible import COMPLETIONS, IMAGE_EDITS, IMAGES, TRANSCRIPTIONS
from flo2.testing.traces import recorded_traces
from flo2_provider_mistral import Mistral
from flo2_provider_openrouter import OpenRouter
from flo2_provider_together import Together
from flo2_provider_xai import XAI

UNTOLD = "audio 0 + text 0 is not input_tokens 37"
HOSTS = {
    ("mistral", "/v1/audio/transcriptions"): (
        Mistral,
        TRANSCRIPTIONS,
        {"input_tokens": 5, "output_tokens": 20, "input_seconds": 3},
        None,
    ),
    ("openrouter", "/api/v1/audio/transcriptions"): (OpenRouter, TRANSCRIPTIONS, {}, UNTOLD),
    ("xai", "/v1/images/generations"): (XAI, IMAGES, {"output_images": 1}, None),
    ("xai", "/v1/images/edits"): (XAI, IMAGE_EDITS, {"output_images": 1}, None),
    ("together", "/v1/completions"): (
        Together,
        COMPLETIONS,
        {"input_tokens": 10, "output_tokens": 512},
        None,
    ),
}
TRACES = [
    (trace, *expected)
    for (provider, endpoint), expected in HOSTS.items()
    for trace in recorded_traces(provider)
    if trace.endpoint == endpoint and trace.status == 200
]


@pytest.mark.parametrize(
    ("trace", "kind", "dialect", "quantities", "problem"),
    TRACES,
    ids=[trace.name for trace, *_ in TRACES],
)
def test_it_is_counted_as_its_host_bills(trace, kind, dialect, quantities, problem, count_replay):
    count_replay(trace.kind)
    host = kind(kind.Config(), Services(wire=Wire()))
    assert dialect in host.facts.dialects
    inbound = Inbound(dialect, trace.request_body, Peek("m"))
    decoder = host.decoder(Call(inbound, dialect, "m", Credential(None), full=False))
    decoder.feed(trace.body)
    assert decoder.close().raw == trace.body
    usage = decoder.observed.usage
    assert (usage.quantities, usage.problem) == (quantities, problem)
    assert decoder.observed.complete
