"""Replay Google's recorded traffic, and our golden traces, through the dialect."""

from __future__ import annotations

import json
import random

import pytest
from attrs import evolve
from google.genai import _common
from google.genai.models import _Content_to_mldev
from google.genai.types import (
    Content,
    GenerateContentResponse,
    GenerationConfig,
    Tool,
    ToolConfig,
)

from flo2.canonical import Event, Failed, Finish, PartStart, Reasoning, Start, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Decoder, Profile
from flo2.dialects.gemini import PLACEHOLDER, Gemini, GeminiCountTokens
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import Trace, golden_traces, recorded_traces

DIALECT, COUNT = Gemini(), GeminiCountTokens()
ANTHROPIC_COUNT = AnthropicCountTokens()
TRACES = [
    trace
    for trace in (
        *golden_traces("gemini"),
        *recorded_traces("google"),
        *recorded_traces("google-vertex"),
    )
    if trace.endpoint.endswith((":generateContent", ":streamGenerateContent", ":countTokens"))
]
# Firebase's samples keep answers of countTokens under the path of generateContent.
COUNTS = [trace for trace in TRACES if trace.status == 200 and b'"totalTokens"' in trace.body]
ANSWERS = [trace for trace in TRACES if trace.status == 200 and trace not in COUNTS]
STREAMS = [trace for trace in ANSWERS if trace.stream]
PLAIN = [trace for trace in ANSWERS if not trace.stream]
FAILURES = [trace for trace in TRACES if trace.status != 200]

BROKEN_OFF = {
    "bare_error_in_mid_stream": ("upstream", True),
    "cut_stream": ("connection", True),
    "error_in_mid_stream": ("overloaded", True),
    "continue-issue-10639-624e6c-0": ("overloaded", True),
    # A candidate with empty content that never says why it ends.
    "vertexai-sdk-test-data-vertexai-streaming-failure-empty-content-5d0785-0": (
        "connection",
        True,
    ),
    "vertexai-sdk-test-data-vertexai-streaming-failure-error-mid-stream-769447-0": (
        "upstream",
        True,
    ),
}
DOUBTFUL = {
    # The sources have edited the counts, or left some out.
    "openinference-test-instrumentation-test-generate-content-with-file-uri-image-true-8594b9-0": (
        "promptTokenCount is missing"
    ),
    "prism-gemini-generate-text-with-a-prompt-with-no-thinking-budget-1-0c041d-0": (
        "totalTokenCount 61 is not prompt 17 + candidates 492 + thoughts 0 + tool use 0"
    ),
    "prism-gemini-generate-text-with-a-prompt-with-thinking-budget-1-62ab32-0": (
        "totalTokenCount 61 is not prompt 17 + candidates 492 + thoughts 1209 + tool use 0"
    ),
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-11": (
        "totalTokenCount 214 is not prompt 18 + candidates 1 + thoughts 196 + tool use 0"
    ),
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-7": (
        "totalTokenCount 221 is not prompt 18 + candidates 1 + thoughts 203 + tool use 0"
    ),
    # A blocked prompt of which only the kind of traffic is told.
    "pydantic-ai-test-google-test-google-model-armor-prompt-template-text-gets-blocked-64d76f-1": (
        "promptTokenCount is missing"
    ),
}


def has_usage(trace: Trace) -> bool:
    return b'"usageMetadata"' in trace.body


def named(traces):
    return pytest.mark.parametrize("trace", traces, ids=lambda trace: trace.name)


def body_of(trace: Trace) -> bytes:
    """A stream that was asked for without `alt=sse` is a list; we always ask for events."""
    if trace.stream and trace.body.lstrip().startswith(b"["):
        chunks = json.loads(trace.body)
        return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)
    return trace.body


def decode(trace: Trace, pieces=None, *, full=True) -> tuple[Decoder, list[Event], bytes]:
    make = DIALECT.decoder if trace.stream else DIALECT.body_decoder
    decoder = make(full=full, hide_usage=True) if trace.stream else make(full=full)
    chunks = [decoder.feed(piece) for piece in pieces or [body_of(trace)]]
    chunks.append(decoder.close())
    events = [event for chunk in chunks for event in chunk.events]
    return decoder, events, b"".join(chunk.raw for chunk in chunks)


FREE = frozenset(
    {
        "args",
        "fileSearch",
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
        "responseSchema",
        "toolCall",
        "toolResponse",
    }
)
FORMATS = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav"}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)


def normal(value):
    """One spelling, no nulls, whole numbers; what a client filled in freely stays as it is."""
    if isinstance(value, list):
        return [normal(each) for each in value]
    if not isinstance(value, dict):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    out = {}
    for key, each in value.items():
        name = camel(key) if key not in {"labels", "modelArmorConfig"} else key
        if each is None or (name == "thought" and each is False):
            continue
        out[name] = each if name in FREE or key == "modelArmorConfig" else normal(each)
    return out


def normal_part(part: dict) -> dict:
    for inner, empty in (("functionCall", "args"), ("functionResponse", "response")):
        if inner in part:
            part[inner].setdefault(empty, {})
    if "inlineData" in part:
        blob = part["inlineData"]
        blob["data"] = blob["data"].replace("-", "+").replace("_", "/")
        blob["mimeType"] = FORMATS.get(blob["mimeType"], blob["mimeType"])
    if part.keys() <= {"thoughtSignature", "thought"}:
        part["text"] = ""
    return part


def normal_contents(contents: list[dict]) -> list[dict]:
    """Contents of one kind each."""
    out: list[dict] = []
    for content in contents:
        content.setdefault("role", "user")
        parts = content["parts"] if isinstance(content["parts"], list) else [content["parts"]]
        runs: list[list] = []
        for part in map(normal_part, parts):
            if runs and ("functionResponse" in part) == ("functionResponse" in runs[-1][-1]):
                runs[-1].append(part)
            else:
                runs.append([part])
        out += [{**content, "parts": run} for run in runs or [[]]]
    return out


def normal_tools(tools: list[dict]) -> list[dict]:
    """Tools of one kind each, functions in a row together."""
    out: list[dict] = []
    for tool in tools:
        for key, value in tool.items():
            if out and key == "functionDeclarations" and key in out[-1]:
                out[-1][key] += value
            elif key != "functionDeclarations" or value:
                out.append({key: value})
    return out


def normal_config(config: dict) -> dict:
    if config.get("responseModalities") in (["TEXT"], ["text"]):
        del config["responseModalities"]
    thinking = config.get("thinkingConfig", {})
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
    if "responseSchema" in config or "responseJsonSchema" in config:
        config.setdefault("responseMimeType", "application/json")
    return {key: value for key, value in config.items() if value not in ({}, [])}


def normal_request(request: dict) -> dict:
    """The normal form that `request_parse` documents, as far as the recordings need it."""
    out = normal(request)
    out.pop("model", None)
    system = out.get("systemInstruction")
    if system is not None:
        system.pop("role", None)
        if isinstance(system["parts"], dict):
            system["parts"] = [system["parts"]]
    contents = out["contents"]
    out["contents"] = normal_contents(contents if isinstance(contents, list) else [contents])
    out["tools"] = normal_tools(out.get("tools", []))
    out["generationConfig"] = normal_config(out.get("generationConfig", {}))
    if out.get("toolConfig") == {"functionCallingConfig": {}}:
        del out["toolConfig"]
    return {key: value for key, value in out.items() if value not in ({}, [])}


def normal_answer(answer: dict) -> dict:
    """Leave out what says nothing, and say what absence means."""
    for number, candidate in enumerate(answer.get("candidates", ())):
        candidate.setdefault("index", number)
        content = candidate.setdefault("content", {})
        content["role"] = "model"
        parts = content.get("parts") or ()
        content["parts"] = [part for part in parts if part not in ({}, {"text": ""})]
        for part in content["parts"]:
            if "functionCall" in part:
                part["functionCall"].setdefault("args", {})
    return answer


def comparable(events):
    """Exceptions compare by identity; say what they are instead."""
    return [
        ("failed", event.error.kind, event.error.message) if isinstance(event, Failed) else event
        for event in events
    ]


def joined(response):
    """A stream knows no border between texts, nor which text a signature stands on."""
    choices = []
    for choice in response.choices:
        parts: list = []
        for part in choice.parts:
            if isinstance(part, Reasoning) and part.extras.get("seals") in {"previous", "none"}:
                part = evolve(part, extras={"seals": "a text"})  # noqa: PLW2901
            last = parts[-1] if parts else None
            if type(last) is type(part) and isinstance(part, Text | Reasoning) and not part.extras:
                parts[-1] = evolve(last, text=last.text + part.text)
            else:
                parts.append(part)
        choices.append(evolve(choice, parts=tuple(parts)))
    return choices


def cuts(body: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    at = sorted(rng.sample(range(len(body) + 1), min(len(body), 40)))
    return [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


@named([trace for trace in TRACES if isinstance(trace.request, dict)])
def test_request_survives_parse_and_render(trace, count_replay):
    count_replay(trace.kind)
    if trace.endpoint.endswith(":countTokens"):
        return
    request = DIALECT.parse(trace.request_body)
    rendered = DIALECT.render(request, model="m", profile=Profile())
    assert normal_request(json.loads(rendered.body)) == normal_request(trace.request)
    assert rendered.losses == ()
    assert DIALECT.check(request, Profile()) == ()
    assert DIALECT.parse(rendered.body) == request


@named([trace for trace in TRACES if isinstance(trace.request, dict)])
def test_peek_reads_the_bound_and_splice_keeps_the_clients_bytes(trace):
    dialect = COUNT if trace.endpoint.endswith(":countTokens") else DIALECT
    body = trace.request_body
    peek, request = dialect.peek(body), dialect.parse(body)
    assert (peek.model, peek.stream, peek.wants_usage) == ("", False, True)
    assert peek.max_output_tokens == request.sampling.max_output_tokens
    assert peek.n == (request.sampling.n or 1)
    assert not peek.needs_render
    if b'"model"' not in body:
        assert dialect.splice(body, peek, model="another") is body


@named(STREAMS)
def test_any_chunking_gives_the_same_events_and_bytes(trace, count_replay):
    count_replay(trace.kind)
    body = body_of(trace)
    decoder, events, raw = decode(trace)
    if decoder.observed.complete:
        assert raw == body
    assert body.startswith(raw)
    ways = [cuts(body, seed) for seed in range(3)]
    if len(body) < 4000:
        ways.append([body[i : i + 1] for i in range(len(body))])
    for pieces in ways:
        again, same, bytes_again = decode(trace, pieces)
        assert comparable(same) == comparable(events)
        assert bytes_again == raw
        assert again.observed.usage == decoder.observed.usage


@named(ANSWERS)
def test_light_decoder_observes_what_the_full_one_does(trace):
    full, light = decode(trace)[0].observed, decode(trace, full=False)[0].observed
    for name in ("usage", "response_id", "model", "finish", "complete", "has_content"):
        assert getattr(light, name) == getattr(full, name), name
    errors = [one.error and (one.error.kind, one.error.message) for one in (light, full)]
    assert errors[0] == errors[1]


@named(ANSWERS)
def test_encoded_stream_means_the_same(trace):
    _, events, _ = decode(trace)
    encoder = DIALECT.encoder(include_usage=True)
    body = b"".join(encoder.feed(event) for event in events) + encoder.close()
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    again = [*decoder.feed(body).events, *decoder.close().events]
    before, after = fold(events), fold(again)
    assert joined(after) == joined(before)
    assert (after.id, after.model, after.usage) == (before.id, before.model, before.usage)
    assert encoder.losses == ()


@named(PLAIN)
def test_plain_answer_is_encoded_as_it_came(trace, count_replay):
    count_replay(trace.kind)
    response = fold(decode(trace)[1])
    rendered = DIALECT.encode_response(response)
    assert rendered.losses == ()
    told = normal_answer(json.loads(trace.body))
    assert normal_answer(json.loads(rendered.body)) == told


@named(ANSWERS)
def test_answer_is_complete_and_its_usage_sound(trace):
    observed = decode(trace)[0].observed
    if trace.name in BROKEN_OFF:
        assert (observed.error.kind, observed.error.retryable) == BROKEN_OFF[trace.name]
        assert not observed.complete
    else:
        assert observed.complete
        assert observed.error is None
    if has_usage(trace):
        assert observed.usage.problem == DOUBTFUL.get(trace.name)
    else:
        assert observed.usage is None


@named([trace for trace in ANSWERS if has_usage(trace) and trace.name not in DOUBTFUL])
def test_meters_hold_each_token_once(trace):
    usage = decode(trace)[0].observed.usage
    raw = usage.raw
    assert usage.input_total + usage.output_total == raw["totalTokenCount"]
    assert all(count > 0 for count in usage.quantities.values())
    cached = usage.total(
        ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
    )
    assert cached == raw.get("cachedContentTokenCount", 0)
    assert usage.informational.get("reasoning_tokens", 0) == (raw.get("thoughtsTokenCount") or 0)


@named(FAILURES)
def test_error_answers_are_read_and_keep_their_bytes(trace, count_replay):
    count_replay(trace.kind)
    error = DIALECT.decode_error(trace.status, trace.headers, trace.body)
    assert (error.status, error.body) == (trace.status, trace.body)
    if b'"error"' not in trace.body:
        assert (error.kind, error.retryable, error.message) == ("upstream", True, "502 Try again.")
        return
    told = json.loads(trace.body)
    told = (told[0] if isinstance(told, list) else told)["error"]
    assert (error.message, error.error_type) == (told["message"], told["status"])
    written = DIALECT.encode_error(error)
    assert (written.body, written.status) == (trace.body, trace.status)
    if b"retryDelay" in trace.body:
        assert error.retry_after_s == pytest.approx(34 if b"34" in trace.body else 48, abs=1)
        assert int(written.headers["retry-after"]) >= error.retry_after_s


@named(COUNTS)
def test_counts(trace, count_replay):
    count_replay(trace.kind)
    decoder = COUNT.body_decoder(full=True)
    decoder.feed(trace.body)
    chunk = decoder.close()
    assert chunk.raw == trace.body
    assert decoder.observed.complete
    assert decoder.observed.usage.quantities == {}
    told = json.loads(trace.body)
    assert decoder.observed.usage.informational == {"input_tokens": told["totalTokens"]}
    rendered = COUNT.encode_response(fold(chunk.events))
    assert json.loads(rendered.body) == told
    other = ANTHROPIC_COUNT.encode_response(fold(chunk.events))
    assert json.loads(other.body) == {"input_tokens": told["totalTokens"]}


@named([trace for trace in COUNTS if isinstance(trace.request, dict)])
def test_a_request_to_be_counted_is_sent_whole(trace):
    request = COUNT.parse(trace.request_body)
    rendered = COUNT.render(request, model="gemini-x", profile=Profile())
    sent = json.loads(rendered.body)["generateContentRequest"]
    inner = trace.request.get("generateContentRequest", trace.request)
    assert sent.pop("model") == "models/gemini-x"
    assert normal_request(sent) == normal_request(inner)
    assert rendered.losses == ()
    spliced = json.loads(
        COUNT.splice(trace.request_body, COUNT.peek(trace.request_body), model="y")
    )
    if "generateContentRequest" in trace.request:
        assert spliced["generateContentRequest"]["model"] == "models/y"
    else:
        assert spliced == trace.request


def chunks_of(body: bytes) -> list[GenerateContentResponse]:
    """Let the official SDK's types read a stream's chunks."""
    frames = [line[6:] for line in body.split(b"\r\n") if line.startswith(b"data: ")]
    return [
        GenerateContentResponse._from_response(response=json.loads(one), kwargs={})
        for one in frames
    ]


@named([trace for trace in STREAMS if trace.name not in BROKEN_OFF])
def test_official_sdk_reads_our_stream_as_the_original(trace):
    _, events, _ = decode(trace)
    encoder = DIALECT.encoder(include_usage=True)
    ours = chunks_of(b"".join(encoder.feed(event) for event in events) + encoder.close())
    theirs = chunks_of(body_of(trace).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def said(chunks):
        parts = [
            part
            for chunk in chunks
            for candidate in chunk.candidates or []
            if not candidate.index
            for part in (candidate.content and candidate.content.parts) or []
        ]
        return (
            "".join(part.text or "" for part in parts if not part.thought),
            "".join(part.text or "" for part in parts if part.thought),
            [
                (part.function_call.name, part.function_call.args or {})
                for part in parts
                if part.function_call
                and part.function_call.name
                and not part.function_call.will_continue
            ],
            [part.thought_signature for part in parts if part.thought_signature],
            chunks[-1].usage_metadata,
        )

    if b"willContinue" not in trace.body:
        assert said(ours) == said(theirs)
    assert ours[-1].model_version == theirs[-1].model_version or not theirs[-1].model_version


OTHERS = [
    (dialect, trace)
    for dialect, provider, endpoint in (
        (OpenAIChat(), "openai", "/v1/chat/completions"),
        (AnthropicMessages(), "anthropic", "/v1/messages"),
    )
    for trace in recorded_traces(provider)
    if trace.endpoint == endpoint and isinstance(trace.request, dict) and trace.status == 200
]


@pytest.mark.parametrize(("dialect", "trace"), OTHERS, ids=lambda value: value.name)
def test_requests_of_other_vendors_are_such_as_the_official_sdk_sends(dialect, trace):
    request = dialect.parse(trace.request_body)
    body = json.loads(DIALECT.render(request, model="m", profile=Profile()).body)
    for content in (*body["contents"], body.get("systemInstruction", {"parts": []})):
        Content.model_validate(content)
    for tool in body.get("tools", ()):
        Tool.model_validate(tool)
    GenerationConfig.model_validate(body.get("generationConfig", {}))
    ToolConfig.model_validate(body.get("toolConfig", {}))
    assert DIALECT.parse(json.dumps(body).encode()).origin == "gemini"
    for previous, following in zip(body["contents"], body["contents"][1:], strict=False):
        asked = [part for part in previous["parts"] if "functionCall" in part]
        answered = [part for part in following["parts"] if "functionResponse" in part]
        assert not answered or len(asked) >= 1


def test_official_sdk_sends_back_what_it_was_given():
    """It decodes a signature as bytes and encodes them anew, in the other alphabet."""
    reasoning = Reasoning("Hm", "sig+/=??>>", origin="anthropic.messages")
    events = [
        Start("r", "m", origin="anthropic.messages"),
        PartStart(0, reasoning),
        PartStart(1, ToolCall("c", "f", "{}")),
        Finish("tool_calls"),
    ]
    told = json.loads(DIALECT.encode_response(fold(events)).body)
    read = GenerateContentResponse._from_response(response=told, kwargs={})
    content = _common.encode_unserializable_types(_Content_to_mldev(read.candidates[0].content))
    body = json.dumps({"contents": [content]}).encode()
    assert DIALECT.peek(body).needs_render
    assert DIALECT.parse(body).messages[0].content[0] == reasoning
    assert content["parts"][1]["thoughtSignature"] == PLACEHOLDER
    sent = DIALECT.render(DIALECT.parse(body), model="m", profile=Profile())
    call = {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": PLACEHOLDER}
    assert json.loads(sent.body)["contents"] == [{"role": "model", "parts": [call]}]
    assert [loss.path for loss in sent.losses] == ["messages[0].content[0]"]


def test_golden_traces_cover_what_few_recordings_do():
    golden = {trace.name: trace for trace in TRACES if trace.kind == "golden traces"}

    def meters(name):
        return decode(golden[name])[0].observed.usage.quantities

    assert meters("grounded_search_stream") == {
        "input_tokens": 39,
        "output_tokens": 7,
        "web_search_requests": 2,
    }
    assert meters("grounded_prompt_before_gemini_3") == {
        "input_tokens": 9,
        "output_tokens": 3,
        "grounded_prompts": 1,
    }
    assert meters("cached_media") == {
        "input_tokens": 50,
        "input_video_tokens": 100,
        "input_audio_tokens": 150,
        "cache_read_tokens": 550,
        "cache_read_audio_tokens": 150,
        "output_tokens": 2,
    }
    assert meters("image_output") == {
        "input_tokens": 6,
        "output_tokens": 10,
        "output_image_tokens": 1290,
    }
    finishes = {decode(trace)[0].observed.finish for trace in ANSWERS}
    assert finishes >= {"SAFETY", "MALFORMED_FUNCTION_CALL", "PROHIBITED_CONTENT", "MAX_TOKENS"}
    calls = [
        event.part
        for event in decode(golden["equal_calls_without_ids_stream"])[1]
        if isinstance(event, PartStart) and isinstance(event.part, ToolCall)
    ]
    assert len({call.id for call in calls}) == len(calls) == 3
    streamed = fold(decode(golden["streamed_arguments"])[1]).choices[0]
    assert json.loads(streamed.parts[1].arguments) == {
        "items": [{"name": 'apple "red"', "count": 2, "price": 0.5}, {"odd key": True}],
        "note": None,
    }
    assert streamed.finish == "tool_calls"
