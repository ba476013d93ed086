"""What the dialects beside chat and embeddings share: requests, answers, streams, errors."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import (
    Failed,
    Loss,
    Message,
    Opaque,
    PartStart,
    Request,
    Response,
    Start,
    Text,
    UsageUpdate,
    fold,
)
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_images import OpenAIImageEdits, OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from flo2.errors import InvalidRequest, NotFound, UnsupportedCall

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nred\r\n'
    b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
    b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n'
    b'--b\r\nContent-Disposition: form-data; name="user"\r\n\r\nu\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff"model"\r\n'
    b"--b--\r\n"
)
JSON = {
    OpenAIImages(): b'{"model": "m", "prompt": "red", "n": 3, "user": "u", "stream": true}',
    OpenAIImageEdits(): b'{"model": "m", "prompt": "red", "images": [{"image_url": "u"}]}',
    OpenAIModerations(): b'{"model": "m", "input": "red"}',
    OpenAISpeech(): b'{"model": "m", "input": "red", "voice": "alloy", "stream_format": "sse"}',
}
FORMS = (OpenAIImageEdits(), OpenAITranscriptions(), OpenAITranslations())
REQUESTS = [*JSON.items(), *((dialect, FORM) for dialect in FORMS)]
ALL = [dialect for dialect, _ in REQUESTS]
PEEKS = [
    Peek("m", stream=True, n=3, end_user="u"),
    Peek("m"),
    Peek("m"),
    Peek("m", stream=True),
    Peek("m", stream=True, n=2, end_user="u"),
    Peek("m", stream=True),
    Peek("m", stream=True),
]
named = {"ids": [f"{dialect.name}-{number}" for number, dialect in enumerate(ALL)]}


@pytest.mark.parametrize(("request_", "peek"), [*zip(REQUESTS, PEEKS, strict=True)], **named)
def test_a_request_is_peeked_spliced_and_written_again(request_, peek):
    dialect, body = request_
    assert dialect.peek(body) == peek
    if body is FORM:
        expected = body.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nf/1\r\n")
    else:
        expected = body.replace(b'"m"', b'"f/1"')
    assert dialect.splice(body, peek, model="f/1") == expected
    request = dialect.parse(body)
    assert (request.model, request.messages, request.origin) == ("m", (), dialect.name)
    assert (request.stream, request.end_user) == (peek.stream or None, peek.end_user)
    assert dialect.check(request, Profile()) == ()
    rendered = dialect.render(request, model="f/1", profile=Profile())
    if body is FORM:
        assert rendered.body == expected
    else:
        assert json.loads(rendered.body) == json.loads(expected)
    assert rendered.losses == ()


@pytest.mark.parametrize("dialect", ALL, **named)
def test_a_chat_has_no_form_here(dialect):
    request = Request("m", (Message("user", (Text("Hi"),)),), origin="openai.chat")
    (loss,) = dialect.check(request, Profile())
    assert loss.severity == "refuse"
    with pytest.raises(UnsupportedCall, match=f"for {dialect.name}"):
        dialect.render(request, model="m", profile=Profile())
    with pytest.raises(UnsupportedCall, match=f"it holds no .* of {dialect.name}"):
        dialect.encode_response(Response("", "", 0, ()))


@pytest.mark.parametrize("dialect", ALL, **named)
def test_errors_are_in_openais_envelope(dialect):
    assert dialect.decode_error(404, {}, b'{"error":{"message":"no"}}').message == "no"
    assert dialect.encode_error(NotFound("no")).status == 404
    assert dialect.encode_stream_error(NotFound("no")).startswith(b'data: {"error":')


def test_a_host_may_not_take_a_field():
    dialect = OpenAIImages()
    request = dialect.parse(b'{"model":"m","prompt":"p","quality":"low"}')
    rendered = dialect.render(request, model="m", profile=Profile(drops=frozenset({"quality"})))
    assert json.loads(rendered.body) == {"model": "m", "prompt": "p"}
    assert rendered.losses == (Loss("quality", "the model's host does not take it"),)


@pytest.mark.parametrize(
    ("dialect", "body", "param"),
    [
        (OpenAIImages(), b'{"prompt":"p"}', "model"),
        (OpenAIImages(), b'{"model":"m"}', "prompt"),
        (OpenAIImages(), b'{"model":"m","prompt":""}', "prompt"),
        (OpenAIImages(), b'{"model":"m","prompt":"p","stream":"yes"}', "stream"),
        (OpenAIImageEdits(), FORM.replace(b'"prompt"', b'"other"'), "prompt"),
        (OpenAIImageEdits(), FORM.replace(b'name="model"', b'name="other"'), "model"),
        (OpenAIModerations(), b'{"model":"m"}', "input"),
        (OpenAIModerations(), b'{"model":"m","input":[]}', "input"),
        (OpenAISpeech(), b'{"model":"m"}', "input"),
        (OpenAISpeech(), b'{"model":"","input":"a"}', "model"),
        (OpenAITranscriptions(), FORM.replace(b'name="model"', b'name="other"'), "model"),
        (OpenAITranscriptions(), b'{"model":"m"}', None),
        (OpenAITranscriptions(), b"", None),
    ],
)
def test_what_is_missing_is_named(dialect, body, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.peek(body)
    assert caught.value.param == param


@pytest.mark.parametrize("dialect", [OpenAISpeech(), OpenAIModerations()])
def test_a_form_is_no_json(dialect):
    for read_it in (dialect.peek, dialect.parse):
        with pytest.raises(InvalidRequest) as caught:
            read_it(FORM.replace(b"\xff", b""))
        assert caught.value.code == "invalid_json"


def test_moderation_has_a_model_of_its_own_where_none_is_named():
    dialect = OpenAIModerations()
    for body in (b'{"input":"a"}', b'{"input":"a","model":null}'):
        peek = dialect.peek(body)
        assert peek == Peek("omni-moderation-latest")
        written = json.loads(dialect.splice(body, peek, model="m"))
        assert written == {"input": "a", "model": "m"}


PLAIN = {
    "openai.images": {"created": 1, "data": [{"b64_json": "AA=="}]},
    "openai.images.edits": {"created": 1, "data": [{"url": "u"}], "size": "1024x1024"},
    "openai.moderations": {"id": "modr-1", "model": "m-1", "results": [{"flagged": False}]},
    "openai.speech": {"audio_data": "AA=="},
    "openai.transcriptions": {"text": "Hello"},
    "openai.translations": {"text": "Hello"},
}
STREAMS = {
    "openai.images": ("image_generation.partial_image", "image_generation.completed"),
    "openai.images.edits": ("image_edit.partial_image", "image_edit.completed"),
    "openai.speech": ("speech.audio.delta", "speech.audio.done"),
    "openai.transcriptions": ("transcript.text.delta", "transcript.text.done"),
    "openai.translations": ("transcript.text.delta", "transcript.text.done"),
}


def read(decoder, raw, size=7):
    chunks = [decoder.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    chunks.append(decoder.close())
    events = [event for chunk in chunks for event in chunk.events]
    return events, b"".join(chunk.raw for chunk in chunks), decoder.observed


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dialect", ALL, **named)
def test_a_plain_answer_passes_and_can_be_written_again(dialect, full):
    payload = PLAIN[dialect.name]
    raw = json.dumps(payload).encode()
    events, passed, observed = read(dialect.body_decoder(full=full), raw)
    assert passed == raw
    assert (observed.complete, observed.has_content, observed.error) == (True, True, None)
    assert (observed.model, observed.response_id) == (payload.get("model"), payload.get("id"))
    opaque = [PartStart(0, Opaque(dialect.name, payload))] if full else []
    start = Start("", payload.get("model", ""), origin=dialect.name)
    assert [event for event in events if not isinstance(event, UsageUpdate)] == [start, *opaque]
    if full:
        assert json.loads(dialect.encode_response(fold(events)).body) == payload


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html><body>Bad gateway</body></html>", "Bad gateway"),
        (b'{"id": "x', "the answer is no JSON object"),
        (b'{"id": "x"}', "the answer has no "),
        (b'{"error":{"message":"no"}}', "no"),
    ],
)
@pytest.mark.parametrize("dialect", ALL, **named)
def test_what_is_no_answer_fails(dialect, raw, message):
    for decoder in (dialect.body_decoder(full=False), dialect.decoder(full=True, hide_usage=True)):
        events, _, observed = read(decoder, raw)
        assert events == [Failed(observed.error)]
        assert message in observed.error.message or "before its end" in observed.error.message
        assert (observed.complete, observed.usage) == (False, None)


def a_stream(kinds, usage=None, *, terminated=True):
    content, end = kinds
    payloads = [{"type": content, "delta": "é"}, {"type": "x.new"}, {"type": end}]
    if usage is not None:
        payloads[-1]["usage"] = usage
    frames = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in payloads]
    return payloads, b"".join(frames) + (b"data: [DONE]\n\n" if terminated else b"")


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dialect", [d for d in ALL if d.name in STREAMS])
def test_a_stream_passes_and_can_be_written_again(dialect, full):
    payloads, raw = a_stream(STREAMS[dialect.name])
    for size in (1, 7, len(raw)):
        events, passed, observed = read(dialect.decoder(full=full, hide_usage=False), raw, size)
        assert passed == raw
        assert (observed.complete, observed.has_content, observed.error) == (True, True, None)
        assert events[0] == Start("", "", origin=dialect.name)
        if full:
            opaque = [Opaque(dialect.name, each) for each in payloads]
            assert events[1:] == [PartStart(n, part) for n, part in enumerate(opaque)]
            encoder = dialect.encoder(include_usage=True)
            written = b"".join(map(encoder.feed, events)) + encoder.close()
            compact = json.dumps(payloads[0], separators=(",", ":"), ensure_ascii=False).encode()
            assert written.startswith(b"data: " + compact + b"\n\n")
            assert (encoder.losses, written.count(b"data: ")) == ((), 3)
        else:
            assert events[1:] == []


@pytest.mark.parametrize("dialect", [d for d in ALL if d.name in STREAMS])
def test_a_stream_without_its_end_fails(dialect):
    payloads, raw = a_stream(STREAMS[dialect.name])
    frames = raw.split(b"\n\n")
    cut = b"\n\n".join(frames[:2]) + b"\n\n"
    for raw_, message in (
        (cut, "the stream ended before its end"),
        (cut + b"data: [DONE]\n\n", "the stream ended before its end"),
        (cut + b"data: nonsense\n\n", "an event is no JSON object: 'nonsense'"),
        (cut + b'data: {"type":"error","error":{"message":"no"}}\n\n', "no"),
        (cut + b'event: error\ndata: {"message":"no"}\n\n', "no"),
    ):
        events, passed, observed = read(dialect.decoder(full=False, hide_usage=False), raw_)
        assert events[-1] == Failed(observed.error)
        assert observed.error.message.removesuffix(f" ({dialect.name})") == message
        assert (observed.complete, raw_.startswith(passed)) == (False, True)
    assert payloads


def test_a_host_has_names_of_its_own_for_the_same_events():
    raw = (
        b'data: {"type":"transcription.language","audio_language":"is"}\n\n'
        b'data: {"type":"transcription.text.delta","text":"Hi"}\n\n'
        b'data: {"type":"transcription.done","text":"Hi","usage":{"prompt_tokens":1,'
        b'"completion_tokens":2,"total_tokens":3}}\n\n'
    )
    decoder = OpenAITranscriptions().decoder(full=False, hide_usage=False)
    _, passed, observed = read(decoder, raw)
    assert (passed, observed.complete, observed.has_content) == (raw, True, True)
    assert observed.usage.quantities == {"input_tokens": 1, "output_tokens": 2}


def test_a_frame_without_end_is_no_way_to_fill_the_memory():
    decoder = OpenAISpeech().decoder(full=False, hide_usage=False)
    decoder.feed(b"data: ")
    piece = b"x" * (8 << 20)
    chunks = [decoder.feed(piece) for _ in range(9)]
    assert [type(event) for chunk in chunks for event in chunk.events] == [Failed]
    assert not decoder.observed.error.retryable


@pytest.mark.parametrize("dialect", [OpenAITranscriptions(), OpenAIImages()])
def test_a_model_that_does_not_stream_answers_plainly(dialect):
    raw = json.dumps(PLAIN[dialect.name]).encode()
    for size in (1, 7, len(raw)):
        _, passed, observed = read(dialect.decoder(full=False, hide_usage=False), raw, size)
        assert (passed, observed.complete, observed.has_content) == (raw, True, True)
    short = b"Hi\n"
    _, passed, observed = read(OpenAITranscriptions().decoder(full=False, hide_usage=False), short)
    assert (passed, observed.complete, observed.usage) == (short, True, None)
