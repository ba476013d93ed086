"""Answers of other dialects, read by the official `openai` SDK as Responses: the same meaning."""

from __future__ import annotations

import json
import random

import pytest

from flo2.canonical import Reasoning, Refusal, Text, ToolCall, Usage, fold
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import golden_traces, recorded_traces
from flo2_provider_groq.usage import read_usage as groq_usage
from flo2_provider_mistral.usage import read_usage as mistral_usage

pytestmark = pytest.mark.anyio

SEED, SAMPLE = 2026, 60
CUT_SHORT = object()
# These do not end as an answer must.
BROKEN_OFF = {
    "ai-anthropic-anthropic-language-model-test-ts-e0720c-0",
    "bare_error_in_mid_stream",
    "broken_off",
    "cut_stream",
    "error_in_mid_stream",
    "mid_stream_error",
    "overloaded_in_mid_stream",
    "continue-issue-10639-624e6c-0",
    "pydantic-ai-test-groq-test-tool-use-failed-error-streaming-06df2e-0",
}
UNREADABLE = {
    "data_lines_only": "anthropic itself wants the event lines that this trace leaves out",
    "ai-anthropic-anthropic-tool-search-bm25-1-70d853-0": "two answers in one file",
    "ai-groq-groq-transcription-text-1cb02c-0": "a transcript under the path of chats",
}
# The SDK calls the answer by the model that took over; here each chunk had its name before that.
FALLBACK_NAMES = {
    "fallback_to_another_model",
    "fallback_with_models",
    "anthropic-sdk-python-streaming-fallback-response-68105a-0",
}
ASK = {"input": "Hello", "max_output_tokens": 1024}
MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-5",
    "google": "google/gemini-2.5-flash",
    "groq": "groq/llama-3.3-70b-versatile",
    "mistral": "mistral/mistral-small-latest",
}
STATUS = {
    "max_tokens": ("incomplete", "max_output_tokens"),
    "model_context_window_exceeded": ("incomplete", "max_output_tokens"),
    "refusal": ("incomplete", "content_filter"),
    "length": ("incomplete", "max_output_tokens"),
    "context_window": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}


def drawn(golden, provider, endpoints):
    """Give golden traces, and recordings of which the short suite replays the same few."""
    found = [trace for trace in recorded_traces(provider) if trace.endpoint.endswith(endpoints)]
    whole = [t for t in found if t.status == 200 and t.name not in BROKEN_OFF | UNREADABLE.keys()]
    short = random.Random(SEED).sample(whole, min(SAMPLE, len(whole)))
    own = [
        trace
        for trace in (golden_traces(golden) if golden else ())
        if trace.endpoint.endswith(endpoints)
        and trace.status == 200
        and trace.name not in BROKEN_OFF | UNREADABLE.keys()
    ]
    return pytest.mark.parametrize(
        "trace",
        [pytest.param(trace, id=trace.name) for trace in own]
        + [
            pytest.param(trace, id=trace.name, marks=() if trace in short else pytest.mark.deep)
            for trace in whole
        ],
    )


@pytest.fixture(scope="module")
async def sdk(wide_stage, clients):
    return clients("responses", wide_stage.url, wide_stage.key)


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


def loads(text):
    try:
        return json.loads(text or "{}")
    except ValueError:  # cut short by the limit: each SDK makes of it what it can
        return CUT_SHORT


async def answer_to(sdk, trace, provider):
    """Give the response that the SDK ends up with, by its own helper where it is a stream."""
    request = {**ASK, "model": MODELS[provider]}
    if not trace.stream:
        return await sdk.create(**request)
    last = None
    async with sdk.client.responses.stream(**request) as events:
        async for event in events:
            last = event
    assert last.type in {"response.completed", "response.incomplete"}
    return last.response


def of_response(response):
    """Say what a client acts on in a response."""
    told = response.model_dump(mode="json", warnings=False)
    text, thought, calls = "", "", []
    for item in told["output"]:
        match item["type"]:
            case "message":
                text += "".join(p.get("text") or p.get("refusal") or "" for p in item["content"])
            case "reasoning":
                parts = [*item["summary"], *(item["content"] or ())]
                thought += "".join(part["text"] for part in parts)
            case "function_call":
                calls.append((item["name"], loads(item["arguments"])))
            case "custom_tool_call":
                calls.append((item["name"], item["input"]))
    usage = told["usage"] or {"input_tokens": 0, "output_tokens": 0}
    return {
        "id": told["id"],
        "model": told["model"],
        "text": text,
        "thought": thought,
        "calls": calls,
        "prompt": usage["input_tokens"],
        "cached": (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0,
        "answer": usage["output_tokens"],
    }


def status_of(response):
    details = response.incomplete_details
    return response.status, details.reason if details else None


async def accounted(stage, sdk):
    call = await stage.call(sdk.request_id)
    (entry,) = call.entries
    assert entry.status in {"settled", "unpriced", "pending"}
    return call


@drawn("anthropic_messages", "anthropic", ("/v1/messages",))
async def test_what_anthropic_answered(trace, wide_stage, sdk, clients, count_replay):
    count_replay("sdk replays")
    direct = clients("anthropic", wide_stage.upstream_url, "none", beta=True, max_retries=0)
    wide_stage.play(trace)
    message = await direct.answer_to(
        {
            "model": "m",
            "max_tokens": 1024,
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": trace.stream,
        }
    )
    wide_stage.play(trace)
    response = await answer_to(sdk, trace, "anthropic")
    ours, theirs = of_response(response), of_message(message)
    if trace.name in FALLBACK_NAMES:
        theirs["model"] = ours["model"]
    assert ours == theirs
    assert status_of(response) == STATUS.get(message["stop_reason"], ("completed", None))
    await accounted(wide_stage, sdk)


def of_message(message):
    content, usage = message["content"], message["usage"]
    read, write = usage["cache_read_input_tokens"] or 0, usage["cache_creation_input_tokens"] or 0
    return {
        "id": message["id"],
        "model": message["model"],
        "text": "".join(block["text"] for block in content if block["type"] == "text"),
        "thought": "".join(b["thinking"] for b in content if b["type"] == "thinking"),
        "calls": [(b["name"], b["input"]) for b in content if b["type"] == "tool_use"],
        "prompt": usage["input_tokens"] + read + write,
        "cached": read,
        "answer": usage["output_tokens"],
    }


# Answers that no SDK adds up, or not without its provider's own fields: the codec is the measure,
# which its own recordings hold to the SDK's types.


def meant(dialect, body, *, stream, read_usage=None):
    """Say what a client acts on in an answer, as its own dialect reads it."""
    if stream:
        decoder = dialect.decoder(full=True, hide_usage=False, read_usage=read_usage)
    else:
        decoder = dialect.body_decoder(full=True, read_usage=read_usage)
    answer = fold([*decoder.feed(body).events, *decoder.close().events])
    parts = answer.choices[0].parts if answer.choices else ()
    usage = answer.usage.as_told if answer.usage else Usage({})
    finish = answer.choices[0].finish if answer.choices else "content_filter"
    return {
        "id": answer.id,
        "model": answer.model,
        "text": "".join(part.text for part in parts if isinstance(part, Text | Refusal)),
        "thought": "".join(part.text for part in parts if isinstance(part, Reasoning)),
        "calls": [
            (part.name, part.arguments if part.kind == "custom" else loads(part.arguments))
            for part in parts
            if isinstance(part, ToolCall)
        ],
        "prompt": usage.input_total,
        "cached": sum(
            count for meter, count in usage.quantities.items() if meter.startswith("cache_read_")
        ),
        "answer": usage.output_total,
    }, STATUS.get(finish, ("completed", None))


async def means_the_same(sdk, trace, provider, dialect, stage, read_usage=None):
    body = trace.body
    if trace.stream and body.lstrip().startswith(b"["):  # as Google writes it without `alt=sse`
        chunks = map(json.dumps, json.loads(body))
        body = "".join(f"data: {chunk}\r\n\r\n" for chunk in chunks).encode()
    stage.play(trace, body=body)
    response = await answer_to(sdk, trace, provider)
    expected, status = meant(dialect, body, stream=trace.stream, read_usage=read_usage)
    # Some answers have no id of their own; a response must, so flo2's stands in.
    expected["id"] = expected["id"] or sdk.request_id
    assert of_response(response) == expected
    assert status_of(response) == status
    await accounted(stage, sdk)


@drawn("gemini", "google", (":generateContent", ":streamGenerateContent"))
async def test_what_google_answered(trace, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    await means_the_same(sdk, trace, "google", Gemini(), wide_stage)


@drawn("openai_chat", "groq", ("/chat/completions",))
async def test_what_groq_answered(trace, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    await means_the_same(sdk, trace, "groq", OpenAIChat(), wide_stage, groq_usage)


@drawn(None, "mistral", ("/chat/completions",))
async def test_what_mistral_answered(trace, wide_stage, sdk, count_replay):
    count_replay("sdk replays")
    await means_the_same(sdk, trace, "mistral", OpenAIChat(), wide_stage, mistral_usage)
