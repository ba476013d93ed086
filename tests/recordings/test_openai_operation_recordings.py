"""Replay what is no chat, recorded and golden: images, audio, moderations, embeddings, texts."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from attrs import evolve
from msgspec.structs import replace

from flo2.canonical import Failed, fold
from flo2.dialects.base import Profile
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_images import OpenAIImageEdits, OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from flo2.errors import InvalidRequest
from flo2.testing.traces import golden_traces, recorded_traces

PROVIDERS = (
    "azure",
    "google",
    "llamacpp",
    "mistral",
    "ollama",
    "openai",
    "openrouter",
    "perplexity",
    "together",
    "venice",
    "voyageai",
    "writer",
    "xai",
)
DIALECTS = {
    "/embeddings": OpenAIEmbeddings(),
    "/images/generations": OpenAIImages(),
    "/images/edits": OpenAIImageEdits(),
    "/moderations": OpenAIModerations(),
    "/audio/speech": OpenAISpeech(),
    "/audio/transcriptions": OpenAITranscriptions(),
    "/audio/translations": OpenAITranslations(),
    "/completions": OpenAICompletions(),
    ":embedContent": GeminiEmbed(),
    ":batchEmbedContents": GeminiBatchEmbed(),
}
GOLDEN = (
    "gemini_embed",
    "openai_completions",
    "openai_embeddings",
    "openai_images",
    "openai_images_edits",
    "openai_moderations",
    "openai_speech",
    "openai_transcriptions",
    "openai_translations",
)


def dialect_of(trace):
    if trace.endpoint.endswith("/chat/completions"):
        return None
    return next((d for end, d in DIALECTS.items() if trace.endpoint.endswith(end)), None)


TRACES = [
    trace
    for traces in (*map(golden_traces, GOLDEN), *map(recorded_traces, PROVIDERS))
    for trace in traces
    if dialect_of(trace) is not None
]
ANSWERS = [trace for trace in TRACES if trace.status == 200]
STREAMS = [trace for trace in ANSWERS if trace.stream]

CUT = {"cut_stream": "the stream ended before its end (openai.completions)"}
# Base64 that holds no floats: a picture of one pixel in the place of a long vector, and a host's
# own numbers of 8 bits.
NO_FLOATS = {
    "openllmetry-test-embeddings-test-azure-openai-embeddings-2e5c44-0",
    "ruby-llm-embedding-perplexity-int8-embeddings-perplexity-pplx-embed-v1-0-6b-decodes-a-sing-a16161-0",
}
# Refused by the provider too, for another reason or the same.
REFUSED = {
    "rig-unmapped-surface-transcription-not-supported-17faed-0": "model",
    "no_number_of_dimensions": "dimensions",
}
# What is billed is not in these answers.
UNTOLD = {
    "audio",
    "many",
    "subtitles",
    "text",
    "cut_stream",
    "stream_without_include_usage",
    "dd-trace-py-openai-openai-completions-post-1dd33b11-2153fe-0",
    "openllmetry-test-completions-test-writer-completions-legacy-0c8d7c-0",
    "openllmetry-test-finish-reasons-testcompletionsfinishreasons-test-completions-streaming-se-30eb16-0",
    "rig-transcription-transcription-smoke-ab6843-0",
    "ruby-llm-speech-basic-functionality-mistral-voxtral-mini-tts-latest-can-speak-eab689-0",
}
# It is, and cannot be priced: nobody says which of the tokens were audio.
DOUBTFUL = {
    "ruby-llm-transcription-basic-functionality-mistral-voxtral-mini-latest-labels-segments-wit-55f28c-0",
    "ruby-llm-transcription-basic-functionality-openrouter-openai-gpt-4o-mini-transcribe-can-tr-17e76c-0",
}


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


@named([trace for trace in TRACES if trace.request or trace.text])
def test_a_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    dialect, raw = dialect_of(trace), trace.request_body
    if trace.name in REFUSED:
        with pytest.raises(InvalidRequest, match=f"'{REFUSED[trace.name]}'"):
            dialect.parse(raw)
        return
    if "model" not in (trace.request or {"model": 1}) and "gemini" not in dialect.name:
        assert dialect.peek(raw).model == "omni-moderation-latest"
    request, peek = dialect.parse(raw), dialect.peek(raw)
    assert (request.model, bool(request.stream)) == (peek.model, peek.stream)
    assert dialect.check(request, Profile()) == ()
    model = peek.model or trace.endpoint
    rendered = dialect.render(request, model=model, profile=Profile())
    assert rendered.losses == ()
    spliced = dialect.splice(raw, peek, model="another/model")
    if trace.text is not None:
        assert rendered.body == raw
        assert spliced.count(b"another/model") == 1
        return
    assert b"another/model" in spliced or "gemini" in dialect.name
    if "gemini" not in dialect.name:
        written = json.loads(rendered.body)
        assert {k: v for k, v in written.items() if k not in {"model", "stream_options"}} == {
            key: value
            for key, value in trace.request.items()
            if key not in {"model", "stream_options"} and not unsaid(dialect, key, value)
        }


MODELLED = {
    "openai.completions": {
        "best_of",
        "echo",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "suffix",
        "temperature",
        "top_k",
        "top_p",
    },
    "openai.embeddings": {"dimensions", "encoding_format", "user"},
}


def unsaid(dialect, key, value):
    """Say what is no more than absence."""
    return value is None and key in MODELLED.get(dialect.name, ())


def decode(trace, *, full=True, chunks=None):
    dialect = dialect_of(trace)
    asked = trace.stream or (trace.text is not None and dialect.peek(trace.request_body).stream)
    decoder = (
        dialect.decoder(full=full, hide_usage=False) if asked else dialect.body_decoder(full=full)
    )
    out = [*map(decoder.feed, chunks or [trace.body]), decoder.close()]
    events = [event for chunk in out for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in out), decoder.observed


def shape(events):
    return [vars(event.error) if isinstance(event, Failed) else event for event in events]


def facts(observed):
    return replace(observed, error=None), observed.error and vars(observed.error)


@named(ANSWERS)
def test_an_answer_passes_and_is_metered_the_same_way_however_it_is_cut(trace, count_replay):
    count_replay(trace.kind)
    if trace.name in NO_FLOATS:
        assert decode(trace, full=False)[2].complete
        return
    events, raw, observed = decode(trace)
    assert trace.body.startswith(raw)
    assert raw == trace.body or trace.name in CUT
    if trace.name in CUT:
        assert (observed.error.message, observed.complete) == (CUT[trace.name], False)
    else:
        assert (observed.error, observed.complete) == (None, True)
    rng = random.Random(trace.name)
    cuts = sorted(rng.choices(range(len(trace.body) + 1), k=12))
    chunks = [trace.body[a:b] for a, b in pairwise([0, *cuts, len(trace.body)])]
    for full in (True, False):
        again, raw_again, seen = decode(trace, full=full, chunks=chunks)
        assert raw_again == raw
        assert facts(seen) == facts(observed)
        if full:
            assert shape(again) == shape(events)


@named(ANSWERS)
def test_usage_is_sound_or_says_that_it_is_not(trace):
    usage = decode(trace, full=False)[2].usage
    told = usage is not None and usage.problem is None
    untold = (
        trace.name in UNTOLD | DOUBTFUL
        or trace.endpoint.endswith("/moderations")
        or (trace.endpoint.endswith(":batchEmbedContents") and b"usageMetadata" not in trace.body)
    )
    assert told != untold
    if trace.name in DOUBTFUL:
        assert usage.problem


@named([trace for trace in ANSWERS if trace.name not in CUT | dict.fromkeys(NO_FLOATS)])
def test_what_was_decoded_encodes_to_the_same_answer(trace):
    dialect = dialect_of(trace)
    events, _, _ = decode(trace)
    if trace.stream:
        encoder = dialect.encoder(include_usage=True)
        written, losses = b"".join(map(encoder.feed, events)) + encoder.close(), encoder.losses
    else:
        asked = dialect.parse(trace.request_body) if trace.request or trace.text else None
        rendered = dialect.encode_response(fold(events, asked=asked))
        written, losses = rendered.body, rendered.losses
    assert losses == ()
    again, _, _ = decode(evolve(trace, body=written))
    whole, told = fold(again), fold(events)
    assert (whole.vectors, whole.usage, whole.model) == (told.vectors, told.usage, told.model)
    assert [choice.parts for choice in whole.choices] == [choice.parts for choice in told.choices]


@named([trace for trace in TRACES if trace.status >= 400 and trace.body])
def test_an_error_is_read_and_passed_on(trace, count_replay):
    count_replay(trace.kind)
    dialect = dialect_of(trace)
    error = dialect.decode_error(trace.status, trace.headers, trace.body)
    assert error.message
    body = dialect.encode_error(error)
    assert body.status == trace.status
    assert json.loads(body.body)["error"]["message"]
