from __future__ import annotations

import json

import pytest

from flo2.canonical import (
    Annotation,
    Audio,
    Choice,
    Failed,
    File,
    Finish,
    Image,
    LogprobsDelta,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Response,
    Start,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    UsageUpdate,
    Vector,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.gemini import PLACEHOLDER, Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import ProviderError
from flo2.testing.validators import VALIDATORS

DIALECT = Gemini()
NAME = "gemini"
USAGE = {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}
METERS = Usage({"input_tokens": 4, "output_tokens": 2}, {}, USAGE, NAME)


def frame(value, end=b"\r\n\r\n"):
    return b"data: " + json.dumps(value).encode() + end


def chunk(*parts, finish=None, usage=USAGE, index=0, **fields):
    candidate = {"content": {"parts": [*parts], "role": "model"}, "index": index, **fields}
    if finish:
        candidate["finishReason"] = finish
    told = {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"}
    return {**told, "usageMetadata": usage} if usage else told


def decode(*chunks, full=True):
    decoder = DIALECT.decoder(full=full, hide_usage=False)
    out = [*(decoder.feed(one) for one in chunks), decoder.close()]
    return [event for each in out for event in each.events], decoder.observed


def parts_of(*chunks):
    events, _ = decode(*(frame(one) for one in chunks))
    return fold(events).choices[0].parts


def encode(*events, origin="x"):
    encoder = DIALECT.encoder(include_usage=True)
    start = Start("r1", "m", origin=origin)
    frames = [encoder.feed(event) for event in (start, *events)] + [encoder.close()]
    return [
        json.loads(one[6:]) for each in frames for one in each.split(b"\r\n\r\n") if one
    ], encoder


def pieces(chunks):
    return [
        part
        for one in chunks
        for candidate in one["candidates"]
        for part in candidate["content"]["parts"]
    ]


# What comes from the provider -----------------------------------------------------------------


def test_texts_in_a_row_are_one_part_and_the_end_is_told_at_the_end():
    events, observed = decode(
        frame(chunk({"text": "Hm", "thought": True}, createTime="x")),
        frame(chunk({"text": ".", "thought": True}, {"text": "Hel"})),
        frame(chunk({"text": "lo"}, {"text": ""}, finish="STOP", finishMessage="Done.")),
    )
    assert events == [
        Start("r1", "gemini-x", origin=NAME),
        UsageUpdate(METERS, final=False),
        PartStart(0, Reasoning("Hm", origin=NAME)),
        PartDelta(0, "."),
        PartStop(0),
        PartStart(1, Text("Hel")),
        PartDelta(1, "lo"),
        PartStop(1),
        Finish("stop", "STOP", extras={"createTime": "x", "finishMessage": "Done."}),
        UsageUpdate(METERS),
    ]
    assert (observed.complete, observed.finish, observed.usage) == (True, "STOP", METERS)


def test_the_head_of_an_answer_tells_when_it_was_made():
    told = {**chunk({"text": "x"}), "createTime": "2026-05-19T14:59:42.780296Z", "turnToken": "t"}
    events, _ = decode(frame(told))
    extras = {"createTime": "2026-05-19T14:59:42.780296Z", "turnToken": "t"}
    assert events[0] == Start("r1", "gemini-x", 1_779_202_782, extras, NAME)


@pytest.mark.parametrize(
    ("line_end", "before"),
    [(b"\r\n\r\n", b""), (b"\n\n", b""), (b"\r\n\r\n", b": ping\r\n\r\n"), (b"\r\r", b"")],
)
def test_any_line_ends_and_comments(line_end, before):
    events, observed = decode(
        before + frame(chunk({"text": "a"}), line_end),
        before + frame(chunk({"text": "b"}, finish="STOP"), line_end),
    )
    assert fold(events).choices[0].parts == (Text("ab"),)
    assert observed.complete


def test_signatures_stand_where_they_stood():
    assert parts_of(
        chunk({"text": "Hm", "thought": True}),
        chunk({"text": ".", "thought": True, "thoughtSignature": "s1"}),
        chunk({"text": "Then", "thought": True}),
        chunk({"text": "So", "thoughtSignature": "s2"}, {"text": " on"}),
        chunk({"functionCall": {"id": "c", "name": "f"}, "thoughtSignature": "s3"}),
        chunk({"text": "", "thoughtSignature": "s4"}, finish="STOP"),
    ) == (
        Reasoning("Hm.", "s1", origin=NAME),
        Reasoning("Then", origin=NAME),
        Text("So"),
        Reasoning("", "s2", origin=NAME, extras={"seals": "previous"}),
        Text(" on"),
        Reasoning("", "s3", origin=NAME, extras={"seals": "next"}),
        ToolCall("c", "f", "{}", extras={"extra_content": {"google": {"thought_signature": "s3"}}}),
        Reasoning("", "s4", origin=NAME, extras={"seals": "none"}),
    )


def test_calls_without_ids_get_ids_that_hold():
    once = chunk({"functionCall": {"name": "f"}}, {"functionCall": {"name": "f", "args": {}}})
    first, second = parts_of(once)
    assert first.id != second.id
    assert (first, second) == parts_of(once)
    (other, _) = parts_of({**once, "responseId": "r2"})
    assert other.id not in {first.id, second.id}
    for call in (first, second):
        assert len(call.id) <= 40
        assert call.id.replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("raw", "called", "reason"),
    [
        ("STOP", False, "stop"),
        ("STOP", True, "tool_calls"),
        ("MAX_TOKENS", True, "length"),
        ("SAFETY", False, "content_filter"),
        ("RECITATION", False, "content_filter"),
        ("MODEL_ARMOR", False, "content_filter"),
        ("CONTINUATION", False, "pause"),
        ("MALFORMED_FUNCTION_CALL", False, "other"),
        ("UNEXPECTED_TOOL_CALL", True, "other"),
        ("BRAND_NEW", False, "other"),
    ],
)
def test_why_an_answer_ends(raw, called, reason):
    part = {"functionCall": {"name": "f"}} if called else {"text": "x"}
    events, observed = decode(frame(chunk(part, finish=raw)))
    finish = next(event for event in events if isinstance(event, Finish))
    assert (finish.reason, finish.raw) == (reason, raw)
    assert observed.complete


def test_a_blocked_prompt_is_a_whole_answer():
    feedback = {"blockReason": "SAFETY", "safetyRatings": []}
    told = {"promptFeedback": feedback, "usageMetadata": USAGE, "responseId": "r1"}
    for full in (True, False):
        events, observed = decode(frame(told), full=full)
        assert Finish("content_filter", "SAFETY", extras={"promptFeedback": feedback}) in events
        assert (observed.complete, observed.finish, observed.error) == (True, "SAFETY", None)
    events, _ = decode(frame(told))
    chunks, encoder = encode(*events[1:], origin=NAME)
    assert chunks == [{**told, "modelVersion": "m"}]
    response = fold(events)
    assert json.loads(DIALECT.encode_response(response).body) == told
    assert encoder.losses == ()


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "ended before a finishReason"),
        (frame(chunk({"text": "x"})), "ended before a finishReason"),
        (frame(chunk({"text": "x"}))[:-9], "ended before a finishReason"),
        (b"data: [1]\r\n\r\n", "no JSON object"),
        (b"data: nonsense\r\n\r\n", "no JSON object"),
        (frame({"candidates": []}), "ended before a finishReason"),
        (frame({"candidates": ["x", {"content": "x"}]}), "ended before a finishReason"),
    ],
)
def test_a_stream_that_does_not_end_as_it_must_has_failed(full, stream, message):
    events, observed = decode(stream, full=full)
    assert not observed.complete
    assert message in observed.error.message
    assert observed.error.retryable
    assert isinstance(events[-1], Failed)


def test_each_candidate_must_end():
    both = chunk({"text": "a"}, finish="STOP")
    both["candidates"].append({"content": {"parts": [{"text": "b"}]}, "index": 1})
    _, observed = decode(frame(both))
    assert not observed.complete
    events, observed = decode(frame(both), frame(chunk({"text": "c"}, index=1, finish="STOP")))
    assert observed.complete
    assert [choice.parts for choice in fold(events).choices] == [(Text("a"),), (Text("bc"),)]


def test_usage_known_before_a_failure_is_told():
    events, observed = decode(
        frame(chunk({"text": "x"})), frame({"error": {"status": "UNAVAILABLE", "message": "m"}})
    )
    assert observed.usage == METERS
    assert events[-2] == UsageUpdate(METERS, final=False)
    assert observed.error.kind == "overloaded"


def test_what_follows_an_error_is_not_read():
    error = frame({"error": {"code": 500, "message": "m"}})
    _, observed = decode(error, frame(chunk({"text": "x"}, finish="STOP")))
    assert not observed.complete
    assert not observed.has_content


def test_sources_become_citations_and_stay_whole():
    metadata = {
        "webSearchQueries": ["a"],
        "groundingChunks": [
            {"web": {"uri": "https://e.org/1", "title": "One"}},
            {"retrievedContext": {"uri": "gs://x", "text": "t"}},
            "odd",
        ],
        "groundingSupports": [
            {"segment": {"endIndex": 3}, "groundingChunkIndices": [0, "odd"]},
            "odd",
        ],
    }
    cited = {"citationSources": [{"uri": "https://e.org/2", "startIndex": 1}]}
    events, _ = decode(
        frame(chunk({"text": "abc"}, groundingMetadata={"webSearchQueries": ["a"]})),
        frame(chunk(groundingMetadata=metadata, citationMetadata=cited, finish="STOP")),
    )
    assert fold(events).choices[0].parts[0].citations == (
        {
            "type": "grounding_web",
            "uri": "https://e.org/1",
            "title": "One",
            "segments": [{"endIndex": 3}],
        },
        {"type": "grounding_retrievedContext", "uri": "gs://x", "text": "t"},
        {"type": "citation", "uri": "https://e.org/2", "startIndex": 1},
    )
    finish = next(event for event in events if isinstance(event, Finish))
    assert finish.extras == {"groundingMetadata": metadata, "citationMetadata": cited}
    chunks, _ = encode(*events[1:], origin=NAME)
    assert chunks[-1]["candidates"][0]["groundingMetadata"] == metadata


@pytest.mark.parametrize(
    ("model", "metadata", "meters"),
    [
        ("gemini-3.8-flash", {"webSearchQueries": ["a", "a", "", "b"]}, {"web_search_requests": 2}),
        ("gemini-2.5-flash", {"webSearchQueries": ["a", "b"]}, {"grounded_prompts": 1}),
        ("models/gemini-1.5-pro", {"webSearchQueries": ["a"]}, {"grounded_prompts": 1}),
        ("gemini-20-x", {"webSearchQueries": ["a"]}, {"web_search_requests": 1}),
        ("gemini-2.5-flash", {"webSearchQueries": [""]}, {}),
        ("gemini-3", {"imageSearchQueries": ["a"]}, {"image_search_requests": 1}),
        ("gemini-3", {"groundingChunks": [{"maps": {}}]}, {"maps_grounded_prompts": 1}),
        ("gemini-3", {"webSearchQueries": "odd", "groundingChunks": 3}, {}),
        ("gemini-3", [], {}),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_searches_are_metered(model, metadata, meters, full):
    told = chunk({"text": "x"}, groundingMetadata=metadata)
    ending = chunk({"text": "y"}, finish="STOP")
    _, observed = decode(
        frame({**told, "modelVersion": model}), frame(told), frame(ending), full=full
    )
    assert observed.usage.quantities == {"input_tokens": 4, "output_tokens": 2, **meters}
    assert observed.usage.raw == USAGE


def test_arguments_that_come_in_pieces_are_whole_even_if_the_last_piece_never_comes():
    def piece(*partial, **more):
        return chunk({"functionCall": {"partialArgs": [*partial], "willContinue": True, **more}})

    begin = {"name": "f", "args": {"kept": 1}, "willContinue": True}
    calls = parts_of(
        chunk({"functionCall": {**begin, "id": "a"}}),
        piece({"jsonPath": "$.kept_too", "boolValue": False}),
        chunk({"functionCall": {**begin, "id": "b"}}),
        piece(
            {"jsonPath": "$['a b'][1]", "stringValue": "x"},
            {"jsonPath": "$.deep[0].n", "numberValue": 3.0},
            {"jsonPath": "$.deep[0].t", "stringValue": "lo", "willContinue": True},
        ),
        piece({"jsonPath": "$.deep[0].t", "stringValue": "ng"}, {"jsonPath": "$"}, {"x": 1}),
        piece(
            {"jsonPath": "$.kept.x", "stringValue": "no place"},
            {"jsonPath": "$.deep.x", "numberValue": 1},
            {"jsonPath": "$[0]", "numberValue": 1},
            {"jsonPath": "$.deep[999999]", "numberValue": 1},
        ),
        chunk(finish="STOP"),
    )
    assert [(call.id, json.loads(call.arguments)) for call in calls] == [
        ("a", {"kept": 1, "kept_too": False}),
        ("b", {"kept": 1, "a b": [None, "x"], "deep": [{"n": 3, "t": "long"}]}),
    ]


def test_parts_that_no_other_dialect_has_pass_whole():
    code = {"executableCode": {"code": "1"}, "thoughtSignature": "s"}
    odd = {"functionCall": "odd"}
    assert parts_of(chunk(code, {}, "odd", odd, {"text": 3}, {"text": "x", "y": 1})) == (
        Opaque(NAME, code),
        Opaque(NAME, odd),
        Opaque(NAME, {"text": 3}),
        Text("x", extras={"y": 1}),
    )


def test_light_decoding_tells_what_metering_needs():
    chunks = [frame(chunk({"text": f"{n} "}, usage={**USAGE, "n": n})) for n in range(9)]
    last = {"promptTokenCount": 4, "candidatesTokenCount": 9, "totalTokenCount": 13}
    for ending in (chunk({"text": "x"}, finish="STOP", usage=last), chunk(finish="STOP")):
        told = ending.get("usageMetadata", USAGE)
        stream = [*chunks, frame(chunk({"text": "z"}, usage=told)), frame(ending)]
        for body in (stream, [b"".join(stream)], [b"".join(stream[:4]), b"".join(stream[4:])]):
            events, observed = decode(*body, full=False)
            assert events[0] == Start("r1", "gemini-x", origin=NAME)
            assert events[1] == PartStart(0, Text(""))
            assert [type(event) for event in events[2:]] == [Finish, UsageUpdate]
            assert observed.usage.raw == told
            assert observed.complete


def test_a_chunk_over_several_lines_is_read_light_too():
    pretty = json.dumps(chunk({"text": "b"}), indent=1).encode().replace(b"\n", b"\ndata: ")
    _, observed = decode(
        frame(chunk({"text": "a"}, usage=None)),
        b"data: " + pretty + b"\n\n",
        b": x\n\n",
        frame(chunk(finish="STOP", usage=None)),
        full=False,
    )
    assert observed.usage == METERS


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("last", ["odd", ["odd"], 3])
def test_usage_that_is_none_makes_earlier_counts_unsound(full, last):
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}), chunk(finish="STOP", usage=last)]
    _, observed = decode(*(frame(one) for one in chunks), full=full)
    assert observed.usage.problem == "promptTokenCount is missing"


@pytest.mark.parametrize("full", [True, False])
def test_a_null_usage_says_nothing(full):
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}), chunk(finish="STOP")]
    chunks[1]["usageMetadata"] = {**USAGE, "candidatesTokenCount": 3, "totalTokenCount": 7}
    chunks[2]["usageMetadata"] = None
    _, observed = decode(*(frame(one) for one in chunks), full=full)
    assert observed.usage.quantities == {"input_tokens": 4, "output_tokens": 3}


def body(value, *, full=True):
    decoder = DIALECT.body_decoder(full=full)
    data = json.dumps(value).encode()
    decoder.feed(data[:9])
    decoder.feed(data[9:])
    told = decoder.close()
    assert told.raw == data
    return told.events, decoder.observed


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}, "overloaded"),
        ([{"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}], "overloaded"),
        ({}, "upstream"),
        ([], "upstream"),
        ("x", "upstream"),
        ({"candidates": []}, "upstream"),
    ],
)
def test_a_plain_answer_that_is_none_has_failed(value, kind, full):
    events, observed = body(value, full=full)
    assert observed.error.kind == kind
    assert not observed.complete
    assert isinstance(events[-1], Failed)


def test_a_plain_answer_need_not_say_why_it_ends():
    events, observed = body({"candidates": [{"content": {"parts": [{"text": "x"}]}}]})
    assert fold(events).choices == (Choice((Text("x"),), "other"),)
    assert observed.complete


def test_log_probabilities_pass_whole():
    told = {"chosenCandidates": [{"token": "x", "logProbability": -1}]}
    events, _ = body(chunk({"text": "x"}, finish="STOP", logprobsResult=told))
    assert LogprobsDelta(told) in events
    again = json.loads(DIALECT.encode_response(fold(events)).body)
    assert again["candidates"][0]["logprobsResult"] == told


# What goes to a client ------------------------------------------------------------------------


def test_a_foreign_answer_is_a_stream_of_chunks():
    chunks, encoder = encode(
        PartStart(0, Text("Hel")),
        PartDelta(0, "lo"),
        PartStart(1, ToolCall("c1", "f", "")),
        PartDelta(1, '{"a":'),
        PartStart(2, ToolCall("c2", "g", "")),
        PartDelta(1, "1}"),
        PartDelta(2, ""),
        Finish("tool_calls", "tool_calls"),
        UsageUpdate(Usage({"input_tokens": 4, "output_tokens": 2}, dialect="x")),
    )
    told = {"modelVersion": "m", "responseId": "r1"}

    def said(*parts):
        content = {"parts": [*parts], "role": "model"}
        return {"candidates": [{"content": content, "index": 0}], **told}

    first = {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}
    assert chunks == [
        said({"text": "Hel"}),
        said({"text": "lo"}),
        said({**first, "thoughtSignature": PLACEHOLDER}),
        said({"functionCall": {"id": "c2", "name": "g", "args": {}}}),
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": ""}], "role": "model"},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": USAGE,
            **told,
        },
    ]
    assert encoder.losses == ()


def test_early_usage_stands_in_every_chunk():
    early = Usage({"input_tokens": 4}, dialect="x")
    chunks, _ = encode(UsageUpdate(early, final=False), PartStart(0, Text("x")), Finish("stop"))
    zero = {"promptTokenCount": 4, "candidatesTokenCount": 0, "totalTokenCount": 4}
    assert [one["usageMetadata"] for one in chunks] == [zero, zero]


def test_foreign_thinking_is_shown_and_its_seal_carried_once():
    thought = Reasoning("", origin="anthropic.messages")
    chunks, encoder = encode(
        PartStart(0, thought),
        PartDelta(0, "Hm"),
        PartDelta(0, signature="si"),
        PartDelta(0, signature="g"),
        PartStart(1, Text("So.")),
        PartStart(2, Reasoning(encrypted="bl", origin="openai.responses")),
        PartDelta(2, encrypted="ob"),
        PartStop(2),
        PartStart(3, Reasoning("bare", origin="openai.chat")),
        Finish("stop"),
    )
    shown, seal, text, blob, bare, end = pieces(chunks)
    assert shown == {"text": "Hm", "thought": True}
    assert (seal["text"], seal["thought"]) == ("", True)
    assert (text, bare, end) == (
        {"text": "So."},
        {"text": "bare", "thought": True},
        {"text": ""},
    )
    assert blob.keys() == {"text", "thought", "thoughtSignature"}
    sent = {"contents": [{"role": "model", "parts": [shown, seal, text, blob, bare]}]}
    request = DIALECT.parse(json.dumps(sent).encode())
    assert request.messages[0].content == (
        Reasoning("Hm", "sig", origin="anthropic.messages"),
        Text("So."),
        Reasoning(encrypted="blob", origin="openai.responses"),
        Reasoning("bare", origin=NAME),
    )
    assert encoder.losses == ()


def test_a_spoilt_carrier_is_reasoning_of_nobody():
    chunks, _ = encode(PartStart(0, Reasoning("Hm", "sig", origin="y")), Finish("stop"))
    carrier = pieces(chunks)[1]["thoughtSignature"]
    for spoilt in (carrier[:30], carrier[:24] + "!!!!", carrier[:20]):
        part = {"text": "Hm", "thought": True, "thoughtSignature": spoilt}
        body = json.dumps({"contents": [{"role": "model", "parts": [part]}]}).encode()
        assert DIALECT.peek(body).needs_render
        request = DIALECT.parse(body)
        assert request.messages[0].content == (Reasoning(),)
        assert [loss.path for loss in DIALECT.check(request, Profile())] == [
            "messages[0].content[0]"
        ]


@pytest.mark.parametrize(
    ("part", "piece", "losses"),
    [
        (Refusal("No."), {"text": "No."}, 0),
        (
            Image(data="AA==", media_type="image/png"),
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            0,
        ),
        (Image(url="https://e.org/a"), {"fileData": {"fileUri": "https://e.org/a"}}, 0),
        (Image(file_id="f"), None, 1),
        (
            Audio("AA==", "wav", transcript="x"),
            {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
            0,
        ),
        (
            File("AA==", media_type="text/csv"),
            {"inlineData": {"mimeType": "text/csv", "data": "AA=="}},
            0,
        ),
        (Opaque("y", {"type": "t"}), None, 1),
        (Opaque("y", {"type": "t"}, aside=True), None, 0),
        (Opaque(NAME, {"executableCode": {}}), {"executableCode": {}}, 0),
        (ToolResult("c"), None, 1),
        (
            ToolCall("c", "f", "ls", kind="custom"),
            {
                "functionCall": {"id": "c", "name": "f", "args": {"input": "ls"}},
                "thoughtSignature": PLACEHOLDER,
            },
            1,
        ),
        (
            ToolCall("c", "f", "[1"),
            {
                "functionCall": {"id": "c", "name": "f", "args": {"arguments": "[1"}},
                "thoughtSignature": PLACEHOLDER,
            },
            1,
        ),
    ],
)
def test_whole_parts_of_a_foreign_answer(part, piece, losses):
    chunks, encoder = encode(PartStart(0, part), PartStop(0), Finish("stop"))
    plain = DIALECT.encode_response(Response("r1", "m", 0, (Choice((part,), "stop"),), origin="x"))
    candidate = json.loads(plain.body)["candidates"][0]
    expected = [] if piece is None else [piece]
    assert pieces(chunks)[:-1] == candidate["content"]["parts"] == expected
    assert (len(encoder.losses), len(plain.losses)) == (losses, losses)


def test_spoken_answers_come_in_pieces():
    chunks, encoder = encode(
        PartStart(0, Audio(format="pcm16")),
        PartDelta(0, data="AA=="),
        PartDelta(0, "words"),
        PartDelta(0, "more"),
        Finish("stop"),
    )
    sound = {"inlineData": {"mimeType": "audio/pcm16", "data": "AA=="}}
    assert pieces(chunks)[0] == sound
    assert len(encoder.losses) == 1
    spoken = Response("r", "m", 0, (Choice((Audio(transcript="words"),), "stop"),), origin="x")
    plain = DIALECT.encode_response(spoken)
    assert json.loads(plain.body)["candidates"][0]["content"]["parts"] == [{"text": "words"}]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "STOP"),
        ("stop_sequence", "STOP"),
        ("length", "MAX_TOKENS"),
        ("context_window", "MAX_TOKENS"),
        ("tool_calls", "STOP"),
        ("content_filter", "SAFETY"),
        ("refusal", "SAFETY"),
        ("pause", "STOP"),
        ("other", "OTHER"),
    ],
)
def test_how_a_foreign_answer_ends(reason, word):
    sequence = "END" if reason == "stop_sequence" else None
    chunks, encoder = encode(PartStart(0, Text("x")), Finish(reason, "foreign", sequence))
    assert chunks[-1]["candidates"][0]["finishReason"] == word
    named = {"stop_sequence": ["stop_sequence"], "pause": ["finishReason"]}.get(reason, [])
    assert [loss.path for loss in encoder.losses] == named


def test_foreign_citations_and_log_probabilities_have_their_fields():
    token = {"token": "x", "logprob": -0.5, "top_logprobs": [{"token": "y", "logprob": -2}]}
    chunks, _ = encode(
        PartStart(0, Text("x", citations=({"url": "https://e.org/1", "title": "One"},))),
        Annotation(0, {"url_citation": {"url": "https://e.org/2", "title": 3}}),
        Annotation(0, {"url_citation": {"url": "https://e.org/2"}}),
        Annotation(0, {"type": "file_citation"}),
        LogprobsDelta({"content": [token, "odd"]}),
        LogprobsDelta({"content": [{"token": "z", "logprob": -1}]}),
        LogprobsDelta({"odd": 1}),
        Finish("stop"),
    )
    last = chunks[-1]["candidates"][0]
    assert last["groundingMetadata"] == {
        "groundingChunks": [
            {"web": {"uri": "https://e.org/1", "title": "One"}},
            {"web": {"uri": "https://e.org/2"}},
        ]
    }
    assert last["logprobsResult"] == {
        "topCandidates": [
            {"candidates": [{"token": "y", "logProbability": -2}]},
            {"candidates": []},
        ],
        "chosenCandidates": [
            {"token": "x", "logProbability": -0.5},
            {"token": "z", "logProbability": -1},
        ],
    }


def test_several_choices_are_candidates():
    chunks, _ = encode(
        PartStart(0, Text("a"), 0),
        PartStart(0, Text("b"), 1),
        Finish("stop", choice=1),
        Finish("length", choice=0),
    )
    assert [
        [(one["index"], one.get("finishReason")) for one in each["candidates"]] for each in chunks
    ] == [[(0, None)], [(1, None)], [(0, "MAX_TOKENS"), (1, "STOP")]]


def test_a_failure_is_the_last_event():
    error = ProviderError("broke", kind="overloaded", retryable=True)
    encoder = DIALECT.encoder(include_usage=True)
    encoder.feed(Start("r", "m", origin="x"))
    encoder.feed(PartStart(0, ToolCall("c", "f", "{}")))
    out = encoder.feed(Failed(error))
    call, failure = (json.loads(one[6:]) for one in out.split(b"\r\n\r\n") if one)
    assert call["candidates"][0]["content"]["parts"][0]["functionCall"]["id"] == "c"
    assert failure == {"error": {"code": 503, "message": "broke", "status": "UNAVAILABLE"}}
    assert encoder.feed(PartStart(1, Text("x"))) == encoder.close() == b""
    decoder = DIALECT.decoder(full=True, hide_usage=False)
    decoder.feed(out)
    decoder.close()
    assert decoder.observed.error.kind == "overloaded"


def test_deltas_of_parts_that_never_began_are_text_and_late_ones_are_left():
    chunks, _ = encode(
        PartDelta(0, "x"),
        PartStart(1, ToolCall("c", "f", "{}")),
        PartStop(1),
        PartDelta(1, "late"),
        PartStart(2, Opaque(NAME, {"x": 1})),
        PartDelta(2, "late"),
        Vector(0, (0.5,)),
        Finish("stop"),
    )
    assert [list(piece) for piece in pieces(chunks)] == [
        ["text"],
        ["functionCall", "thoughtSignature"],
        ["x"],
        ["text"],
    ]


def through(dialect, events):
    """Let another dialect's client read events, and give what it read."""
    encoder = dialect.encoder(include_usage=True)
    data = b"".join(encoder.feed(event) for event in events) + encoder.close()
    decoder = dialect.decoder(full=True, hide_usage=False)
    return fold([*decoder.feed(data).events, *decoder.close().events]), data


def test_other_clients_get_ids_signatures_and_sources():
    web = {"groundingChunks": [{"web": {"uri": "https://e.org/1", "title": "One"}}]}
    call = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}
    events, _ = decode(
        frame(chunk({"text": "It rained."}, groundingMetadata=web)),
        frame(chunk(call, {"functionCall": {"name": "f", "args": {"a": 1}}}, finish="STOP")),
    )
    chat, data = through(OpenAIChat(), events)
    ids = [part.id for part in chat.choices[0].parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 2
    assert chat.choices[0].finish == "tool_calls"
    assert b'"extra_content":{"google":{"thought_signature":"s"}}' in data
    assert b"https://e.org/1" in data
    messages, _ = through(AnthropicMessages(), events)
    named = [part.id for part in messages.choices[0].parts if isinstance(part, ToolCall)]
    assert named == ids
    assert messages.choices[0].finish == "tool_calls"


def test_what_the_validator_asks_holds_for_an_answer_of_everything():
    encoder = DIALECT.encoder(include_usage=True)
    events = [
        Start("r1", "m", origin="x"),
        PartStart(0, Reasoning("Hm", "sig", origin="y")),
        PartStart(1, Text("x")),
        PartStart(2, ToolCall("c", "f", "{}")),
        PartStart(3, Image(data="AA==", media_type="image/png")),
        Finish("tool_calls"),
        UsageUpdate(Usage({"input_tokens": 1, "output_tokens": 1}, dialect="x")),
    ]
    stream = b"".join(encoder.feed(event) for event in events) + encoder.close()
    assert VALIDATORS["gemini"].stream(stream) == []
    plain = DIALECT.encode_response(fold(events)).body
    headers = {"content-type": "application/json"}
    assert VALIDATORS["gemini"].answer(200, headers, plain) == []
