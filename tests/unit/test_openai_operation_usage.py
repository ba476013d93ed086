"""What images, speech, transcripts and moderations are counted in, and when they are not."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from flo2.canonical import SubUsage, Usage
from flo2.dialects.openai_images import OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions

IMAGES, MODERATIONS = OpenAIImages(), OpenAIModerations()
SPEECH, TRANSCRIPTIONS = OpenAISpeech(), OpenAITranscriptions()
IMAGE_TOKENS = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 272,
    "total_tokens": 322,
}


@pytest.mark.parametrize(
    ("dialect", "raw", "quantities"),
    [
        (
            IMAGES,
            IMAGE_TOKENS,
            {"input_tokens": 10, "input_image_tokens": 40, "output_image_tokens": 272},
        ),
        (
            IMAGES,
            {**IMAGE_TOKENS, "output_tokens_details": {"text_tokens": 72, "image_tokens": 200}},
            {
                "input_tokens": 10,
                "input_image_tokens": 40,
                "output_tokens": 72,
                "output_image_tokens": 200,
            },
        ),
        (IMAGES, {"images": 2}, {"output_images": 2}),
        (IMAGES, {"images": 1, "cost_in_usd_ticks": 700000000}, {"output_images": 1}),
        (
            SPEECH,
            {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
            {"input_tokens": 14, "output_audio_tokens": 101},
        ),
        (
            TRANSCRIPTIONS,
            {
                "type": "tokens",
                "input_tokens": 54,
                "input_token_details": {"audio_tokens": 50, "text_tokens": 4},
                "output_tokens": 16,
                "total_tokens": 70,
            },
            {"input_tokens": 4, "input_audio_tokens": 50, "output_tokens": 16},
        ),
        (TRANSCRIPTIONS, {"type": "duration", "seconds": 9}, {"input_seconds": Decimal(9)}),
        (TRANSCRIPTIONS, {"type": "duration", "seconds": 3.7}, {"input_seconds": Decimal("3.7")}),
        (TRANSCRIPTIONS, {"type": "duration", "seconds": 0}, {}),
        (
            TRANSCRIPTIONS,
            {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
            {"input_tokens": 5, "output_tokens": 2},
        ),
        (MODERATIONS, {"prompt_tokens": 5, "total_tokens": 5}, {"input_tokens": 5}),
    ],
)
def test_meters_are_disjoint(dialect, raw, quantities):
    usage = dialect.read_usage(raw)
    assert usage == Usage(quantities, {}, raw, dialect.name)


@pytest.mark.parametrize(
    ("dialect", "raw", "problem"),
    [
        (IMAGES, {**IMAGE_TOKENS, "total_tokens": 1}, "total_tokens 1 is not input 50 + output 27"),
        (IMAGES, {**IMAGE_TOKENS, "input_tokens_details": None}, "text 0 + image 0 is not input_"),
        (
            IMAGES,
            {**IMAGE_TOKENS, "output_tokens_details": {"image_tokens": 1}},
            "text 0 + image 1 is not output_tokens 272",
        ),
        (IMAGES, {**IMAGE_TOKENS, "cached_tokens": 3}, "unknown count cached_tokens=3"),
        (IMAGES, {"images": 0}, "it holds no image and tells no usage"),
        (IMAGES, {"images": 1, "svg_usage": {"input_tokens": "x"}}, "input_tokens is 'x', no coun"),
        (SPEECH, {}, "it tells no input_tokens"),
        (TRANSCRIPTIONS, {"cost": 1}, "it tells no input_tokens"),
        (SPEECH, {"input_tokens": -1}, "input_tokens is negative: -1"),
        (SPEECH, {"input_tokens": 1, "thinking_tokens": 1}, "unknown count thinking_tokens=1"),
        (
            TRANSCRIPTIONS,
            {"input_tokens": 37, "output_tokens": 12, "total_tokens": 49},
            "audio 0 + text 0 is not input_tokens 37",
        ),
        (TRANSCRIPTIONS, {"type": "duration", "seconds": True}, "seconds is True, no duration"),
        (TRANSCRIPTIONS, {"type": "duration", "seconds": -1}, "seconds is -1, no duration"),
        (TRANSCRIPTIONS, {"type": "duration"}, "seconds is None, no duration"),
        (MODERATIONS, {}, "it tells no usage"),
        (MODERATIONS, {"prompt_tokens": -5}, "prompt_tokens is negative: -5"),
    ],
)
def test_what_does_not_add_up_is_a_problem(dialect, raw, problem):
    usage = dialect.read_usage(raw)
    assert (usage.quantities, usage.raw, usage.dialect) == ({}, raw, dialect.name)
    assert (usage.problem or "").startswith(problem)


def observed(dialect, payload, **options):
    decoder = dialect.body_decoder(full=False, **options)
    decoder.feed(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    decoder.close()
    return decoder.observed


def test_images_without_tokens_are_counted_at_the_size_they_say():
    payload = {"data": [{}, {}], "size": "1024x1024", "quality": "low", "background": "opaque"}
    raw = {"size": "1024x1024", "quality": "low", "images": 2}
    context = {"size": "1024x1024", "quality": "low"}
    usage = Usage({"output_images": 2}, {}, raw, IMAGES.name, context)
    assert observed(IMAGES, payload).usage == usage
    empty = observed(IMAGES, {"data": []}).usage
    assert empty.problem == "it holds no image and tells no usage"


def test_the_model_that_writes_an_svg_is_counted_beside():
    drawn = {
        "model": "m-svg",
        "input_tokens": 7,
        "output_tokens": 9,
        "reasoning_tokens": 3,
        "total_tokens": 16,
    }
    usage = observed(IMAGES, {"data": [{}], "usage": IMAGE_TOKENS, "svg_usage": drawn}).usage
    assert usage.problem is None
    assert usage.subcalls == (
        SubUsage("m-svg", "svg", {"input_tokens": 7, "output_tokens": 9}, drawn),
    )


def test_two_usages_in_one_stream_are_not_added_up():
    decoder = IMAGES.decoder(full=False, hide_usage=False)
    event = {"type": "image_generation.completed", "usage": IMAGE_TOKENS}
    frame = b"data: " + json.dumps(event).encode() + b"\n\n"
    decoder.feed(frame)
    assert (decoder.observed.usage.problem, decoder.observed.complete) == (None, False)
    decoder.feed(frame)
    decoder.close()
    assert decoder.observed.complete
    assert decoder.observed.usage.problem.startswith("one stream told two usages")


def test_speech_has_the_meter_its_provider_knows_or_none():
    def by_character(raw):
        return Usage({"input_characters": 5}, {}, raw, SPEECH.name)

    for audio in (b"ID3\x04\xff\xfb", {"audio_data": "AA=="}):
        assert observed(SPEECH, audio).usage.problem == "it tells no input_tokens"
        told = observed(SPEECH, audio, read_usage=by_character)
        assert (told.usage, told.complete) == (by_character({}), True)
    told = {"audio_data": "AA==", "usage": {"input_tokens": 3, "output_tokens": 4}}
    usage = observed(SPEECH, told).usage
    assert usage.quantities == {"input_tokens": 3, "output_audio_tokens": 4}
    assert observed(SPEECH, b"").error.message == "the answer is none: '' (openai.speech)"


@pytest.mark.parametrize("raw", [b"Hello\n", b"\n", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n"])
def test_text_and_subtitles_are_answers_without_a_usage(raw):
    seen = observed(TRANSCRIPTIONS, raw)
    assert (seen.complete, seen.usage, seen.error) == (True, None, None)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b""])
def test_a_transcript_is_utf_8_and_not_nothing(raw):
    assert observed(TRANSCRIPTIONS, raw).error.message.startswith("the answer is none")
