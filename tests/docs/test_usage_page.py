"""The page of units says what is read where: each of its lines is a usage object, read here.

python tests/docs/test_usage_page.py > docs/usage.md
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import frozen

from flo2.dialects.base import Peek
from flo2.plugins import Plugins
from flo2.protocols import Call, Credential, Inbound
from flo2.services import Services
from flo2.wire import Wire

PAGE = Path(__file__).parents[2] / "docs" / "usage.md"
HEAD = """# What is metered

Every unit that a provider bills has a meter; a price row is for one meter.
Meters are disjoint: what is read from a cache is not in `input_tokens` as well.
A line of this page is a usage object or an answer, as its provider writes it, that
`tests/docs/test_usage_page.py` has the provider's own reader read: the page is made by
`python tests/docs/test_usage_page.py`, and the test fails when one of them reads otherwise.

A count that no reader knows, and that is not zero, prices nothing: the entry is `pending`, its
receipt names the field, and the log warns once for each field.
So is a meter of more than 10^12 in one call: a counter that overflowed is no cost.
"""
TAIL = """
## Other models inside an answer

They are lines of their own, priced as their own model; a line's `model` says which.
What is `inside` is counted in the answer's own totals too, and never priced twice.

| what | provider | models and meters |
| --- | --- | --- |
{subcalls}

## What no answer tells

| unit | what becomes of it |
| --- | --- |
| storage of a provider's cache, by token and hour (Gemini) | it accrues between calls, and no \
answer says when a cache ends: one may be deleted, prolonged or expire; only the bill tells it |
| storage of files and vector stores, by gigabyte and day (OpenAI, Gemini) | likewise |
| hours of containers (Anthropic, OpenAI) | an answer that used one does not say whether its \
session was paid for already, or lies in a free allowance: such a call is `pending` with bounds, \
and the bill closes it |
| provisioned capacity, by unit and hour | it is owed without a call: \
`flo2 contracts close` books it from the contract, as a fee |
| text read aloud, by the character (`openai.speech`) | the answer is sound alone: the characters \
are counted in the request, as `input_characters` |
| support, tax, credits | they are no cost of a call; they are on the bill, and stay there |

So flo2 books no line for storage: the hours would be guessed, and a guess is never a cost.
The price book holds such prices (`flo2 prices show`), for the bill to be read by.
"""


@frozen
class Unit:
    """Something that is billed, and what shows it.

    Attributes:
        api: Name of the dialect.
        told: The usage object; with `whole` the answer around it.
        counts: Meter → count, of all meters.
    """

    unit: str
    provider: str
    api: str
    told: dict[str, object]
    counts: dict[str, int | Decimal]
    whole: bool = False


def chat(**more):
    """Give a chat's usage object of 100 + 20 tokens."""
    return {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120} | more


def response(*output, **more):
    """Give a Responses answer of 100 + 20 tokens."""
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
    said = {"id": "r", "object": "response", "model": "m", "status": "completed"}
    return said | {"output": list(output), "usage": usage} | more


def gemini(usage, model="gemini-3-pro", **candidate):
    """Give a Gemini answer."""
    said = {"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP"}
    return {"modelVersion": model, "candidates": [said | candidate], "usageMetadata": usage}


def parts(**counts):
    """Give modality details."""
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


TEXT = {"input_tokens": 100, "output_tokens": 20}
PLAIN = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
SEARCHED = {"webSearchQueries": ["a", "b"]}
CLAUDE = {"input_tokens": 100, "output_tokens": 20}
DETAILS = "prompt_tokens_details"

UNITS = (
    Unit("prompt and answer", "openai", "openai.chat", chat(), TEXT),
    Unit("prompt and answer", "anthropic", "anthropic.messages", CLAUDE, TEXT),
    Unit("prompt and answer", "google", "gemini", PLAIN, TEXT),
    Unit(
        "thinking outside of the answer", "google", "gemini",
        PLAIN | {"thoughtsTokenCount": 5, "totalTokenCount": 125},
        TEXT | {"output_tokens": 25},
    ),
    Unit(
        "reasoning outside of the answer", "xai", "openai.chat",
        chat(total_tokens=130, completion_tokens_details={"reasoning_tokens": 10}),
        TEXT | {"output_tokens": 30},
    ),
    Unit(
        "prompt of a tool's results", "google", "gemini",
        PLAIN | {"toolUsePromptTokenCount": 7, "totalTokenCount": 127},
        TEXT | {"input_tokens": 107},
    ),
    Unit(
        "cache read", "openai", "openai.chat", chat(**{DETAILS: {"cached_tokens": 60}}),
        TEXT | {"input_tokens": 40, "cache_read_tokens": 60},
    ),
    Unit(
        "cache read", "anthropic", "anthropic.messages", CLAUDE | {"cache_read_input_tokens": 60},
        TEXT | {"cache_read_tokens": 60},
    ),
    Unit(
        "cache read", "google", "gemini", PLAIN | {"cachedContentTokenCount": 60},
        TEXT | {"input_tokens": 40, "cache_read_tokens": 60},
    ),
    Unit(
        "cache read", "deepseek", "openai.chat",
        chat(prompt_cache_hit_tokens=60, prompt_cache_miss_tokens=40),
        TEXT | {"input_tokens": 40, "cache_read_tokens": 60},
    ),
    Unit(
        "cache read, of audio", "google", "gemini",
        PLAIN | {
            "cachedContentTokenCount": 60,
            "promptTokensDetails": parts(text=20, audio=80),
            "cacheTokensDetails": parts(text=10, audio=50),
        },
        {"input_tokens": 10, "input_audio_tokens": 30, "cache_read_tokens": 10,
         "cache_read_audio_tokens": 50, "output_tokens": 20},
    ),
    Unit(
        "cache write, 30 minutes", "openai", "openai.chat",
        chat(**{DETAILS: {"cache_write_tokens": 60}}),
        TEXT | {"input_tokens": 40, "cache_write_tokens": 60},
    ),
    Unit(
        "cache write, 12 hours", "openai", "openai.chat",
        chat(**{DETAILS: {
            "cache_write_tokens": 60,
            "cache_write_tokens_details": {"ttl_12h_tokens": 50, "ttl_30m_tokens": 10},
        }}),
        TEXT | {"input_tokens": 40, "cache_write_tokens": 10, "cache_write_12h_tokens": 50},
    ),
    Unit(
        "cache write, 5 minutes and 1 hour", "anthropic", "anthropic.messages",
        CLAUDE | {
            "cache_creation_input_tokens": 60,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 50,
            },
        },
        TEXT | {"cache_write_5m_tokens": 10, "cache_write_1h_tokens": 50},
    ),
    Unit(
        "cache write, 5 minutes and 1 hour", "bedrock", "bedrock.converse",
        {
            "inputTokens": 100, "outputTokens": 20, "totalTokens": 180,
            "cacheWriteInputTokens": 60,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 10}, {"ttl": "1h", "inputTokens": 50}],
        },
        TEXT | {"cache_write_5m_tokens": 10, "cache_write_1h_tokens": 50},
    ),
    Unit(
        "audio in and out", "openai", "openai.chat",
        chat(**{
            DETAILS: {"audio_tokens": 60},
            "completion_tokens_details": {"audio_tokens": 15},
        }),
        {"input_tokens": 40, "input_audio_tokens": 60, "output_tokens": 5,
         "output_audio_tokens": 15},
    ),
    Unit(
        "pictures, audio and video in", "google", "gemini",
        PLAIN | {"promptTokensDetails": parts(text=40, image=30, audio=20, video=10)},
        {"input_tokens": 40, "input_image_tokens": 30, "input_audio_tokens": 20,
         "input_video_tokens": 10, "output_tokens": 20},
    ),
    Unit(
        "pictures out", "google", "gemini",
        PLAIN | {"candidatesTokensDetails": parts(image=15, text=5)},
        {"input_tokens": 100, "output_tokens": 5, "output_image_tokens": 15},
    ),
    Unit(
        "pictures, by token", "openai", "openai.images",
        {
            "input_tokens": 50, "output_tokens": 200, "total_tokens": 250,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
        {"input_tokens": 10, "input_image_tokens": 40, "output_image_tokens": 200},
    ),
    Unit("embeddings", "openai", "openai.embeddings",
         {"prompt_tokens": 100, "total_tokens": 100}, {"input_tokens": 100}),
    Unit("embeddings of pictures", "cohere", "cohere.embed",
         {"billed_units": {"images": 3}}, {"input_images": 3}),
    Unit("billed units, not tokens", "cohere", "cohere.chat",
         {"billed_units": {"input_tokens": 9, "output_tokens": 5},
          "tokens": {"input_tokens": 500, "output_tokens": 6}},
         {"input_tokens": 9, "output_tokens": 5}),
    Unit("transcription, by the second", "openai", "openai.transcriptions",
         {"type": "duration", "seconds": 7}, {"input_seconds": 7}),
    Unit("transcription, by token", "openai", "openai.transcriptions",
         {"type": "tokens", "input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
          "input_token_details": {"text_tokens": 10, "audio_tokens": 90}},
         {"input_tokens": 10, "input_audio_tokens": 90, "output_tokens": 20}),
    Unit("audio, by the second", "mistral", "openai.chat",
         chat(total_tokens=495, prompt_audio_seconds=3,
              **{DETAILS: {"audio_tokens": 375}}),
         TEXT | {"input_seconds": 3}),
    Unit("web search", "openai", "openai.responses",
         response({"type": "web_search_call", "action": {"type": "search"}}),
         TEXT | {"web_search_requests": 1}, whole=True),
    Unit("web search", "anthropic", "anthropic.messages",
         CLAUDE | {"server_tool_use": {"web_search_requests": 2}},
         TEXT | {"web_search_requests": 2}),
    Unit("web search, by query", "google", "gemini",
         gemini(PLAIN, groundingMetadata=SEARCHED),
         TEXT | {"web_search_requests": 2}, whole=True),
    Unit("web search, by grounded prompt", "google", "gemini",
         gemini(PLAIN, "gemini-2.5-pro", groundingMetadata=SEARCHED),
         TEXT | {"grounded_prompts": 1}, whole=True),
    Unit("web and X search, code", "xai", "openai.responses",
         response()["usage"] | {"server_side_tool_usage_details": {
             "web_search_calls": 1, "x_search_calls": 2, "code_interpreter_calls": 3}},
         TEXT | {"web_search_requests": 1, "x_search_requests": 2,
                 "code_interpreter_requests": 3}),
    Unit("web search and visits", "groq", "openai.chat",
         chat(executed_tools={"search": 2, "visit": 1}),
         TEXT | {"web_search_requests": 2, "web_fetch_requests": 1}),
    Unit("file search", "openai", "openai.responses",
         response({"type": "file_search_call"}, {"type": "file_search_call"}),
         TEXT | {"file_search_requests": 2}, whole=True),
)  # fmt: skip

SUBCALLS = (
    ("compaction, advisor", "anthropic", "anthropic.messages", CLAUDE | {"iterations": [
        {"type": "message", "input_tokens": 100, "output_tokens": 20},
        {"type": "compaction", "input_tokens": 900, "output_tokens": 30},
        {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 7,
         "output_tokens": 8},
    ]}, (
        (None, False, {"input_tokens": 900, "output_tokens": 30}),
        ("claude-opus-5", False, {"input_tokens": 7, "output_tokens": 8}),
    )),
    ("fallback model", "anthropic", "anthropic.messages", CLAUDE | {"iterations": [
        {"type": "fallback_message", "model": "claude-haiku-5", "input_tokens": 100,
         "output_tokens": 20},
    ]}, (("claude-haiku-5", True, TEXT),)),
    ("compound system", "groq", "openai.chat", chat(usage_breakdown={"models": [
        {"model": "big", "usage": {"prompt_tokens": 90, "completion_tokens": 15,
                                   "total_tokens": 105}},
        {"model": "small", "usage": {"prompt_tokens": 10, "completion_tokens": 5,
                                     "total_tokens": 15}},
    ]}), (
        ("big", True, {"input_tokens": 90, "output_tokens": 15}),
        ("small", True, {"input_tokens": 10, "output_tokens": 5}),
    )),
)  # fmt: skip


def reader(plugins, provider, api, *, whole):
    """Give what reads a usage object, or a whole answer, of a provider."""
    cls = plugins.get("provider", provider)
    made = cls(cls.Config(), Services(wire=Wire()))
    dialect = next(each for each in made.facts.dialects if each.name == api)

    def from_answer(told):
        decoder = dialect.body_decoder(full=False)
        decoder.feed(json.dumps(told).encode())
        decoder.close()
        return decoder.observed.usage

    if whole:
        return from_answer
    own = getattr(made, "usage_reader", None)
    call = Call(Inbound(dialect, b"{}", Peek("m")), dialect, "m", Credential(None))
    return (own and own(call)) or dialect.read_usage


def page():
    """Write the page."""
    rows = ["", "| unit | provider | API | meters |", "| --- | --- | --- | --- |"]
    for each in UNITS:
        meters = ", ".join(f"`{meter}`" for meter in each.counts)
        rows.append(f"| {each.unit} | {each.provider} | {each.api} | {meters} |")
    lines = []
    for what, provider, _, _, found in SUBCALLS:
        told = "; ".join(
            f"{model or 'the own one'}{', inside' if inside else ''}: "
            + ", ".join(f"`{meter}`" for meter in counts)
            for model, inside, counts in found
        )
        lines.append(f"| {what} | {provider} | {told} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL.format(subcalls="\n".join(lines))


@pytest.fixture(scope="module")
def plugins():
    return Plugins.load()


@pytest.mark.parametrize("each", UNITS, ids=lambda each: f"{each.unit}, {each.provider}")
def test_each_unit_has_its_meter(plugins, each):
    usage = reader(plugins, each.provider, each.api, whole=each.whole)(each.told)
    assert usage.problem is None
    assert usage.quantities == each.counts


@pytest.mark.parametrize(("what", "provider", "api", "told", "expected"), SUBCALLS)
def test_other_models_inside_an_answer_are_told_apart(plugins, what, provider, api, told, expected):
    usage = reader(plugins, provider, api, whole=False)(told)
    assert usage.problem is None, what
    found = tuple((sub.model, sub.inside, sub.quantities) for sub in usage.subcalls)
    assert found == expected


def test_the_page_is_the_generated_one():
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    sys.stdout.write(page())
