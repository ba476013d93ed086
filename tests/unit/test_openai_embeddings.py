from __future__ import annotations

import json

import pytest

from flo2.canonical import Failed, Loss, Message, Request, Response, Start, Text, Usage, UsageUpdate
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.errors import InvalidRequest, NotFound, UnsupportedCall

DIALECT = OpenAIEmbeddings()
BODY = b'{"model": "e", "input": ["a", [1, 2]], "encoding_format": "base64", "user": "u"}'


def test_request_is_peeked_spliced_and_written_again():
    peek = DIALECT.peek(BODY)
    assert peek == Peek("e", end_user="u")
    assert DIALECT.splice(BODY, peek, model="f") == BODY.replace(b'"e"', b'"f"')
    request = DIALECT.parse(BODY)
    assert DIALECT.check(request, Profile()) == ()
    rendered = DIALECT.render(request, model="f", profile=Profile())
    assert json.loads(rendered.body) == {**json.loads(BODY), "model": "f"}
    assert rendered.losses == ()


def test_a_host_may_not_take_a_field():
    profile = Profile(drops=frozenset({"encoding_format", "dimensions"}))
    rendered = DIALECT.render(DIALECT.parse(BODY), model="f", profile=profile)
    assert "encoding_format" not in json.loads(rendered.body)
    assert rendered.losses == (Loss("encoding_format", "the model's host does not take it"),)


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"input":"a"}', "model"),
        (b'{"model":"e"}', "input"),
        (b'{"model":"","input":"a"}', "model"),
        (b'{"model":"e","input":[]}', "input"),
        (b'{"model":"e","input":7}', "input"),
        (b"[]", None),
    ],
)
def test_what_is_missing_is_named(raw, param):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(raw)
    assert caught.value.param == param


@pytest.mark.parametrize("full", [True, False])
def test_usage_is_read_and_the_bytes_stay(full):
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    raw = json.dumps(
        {"object": "list", "data": [{"embedding": [0.5]}], "model": "e-1", "usage": usage}
    )
    decoder = DIALECT.body_decoder(full=full)
    decoder.feed(raw[:20].encode())
    decoder.feed(raw[20:].encode())
    answer = decoder.close()
    expected = Usage({"input_tokens": 8}, raw=usage, dialect="openai.embeddings")
    assert answer.raw == raw.encode()
    assert answer.events == (Start("", "e-1", origin="openai.embeddings"), UsageUpdate(expected))
    assert (decoder.observed.complete, decoder.observed.model) == (True, "e-1")
    assert decoder.observed.usage == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"oops", "the answer holds no embeddings (openai.embeddings): 'oops'"),
        (b"{}", "the answer holds no embeddings (openai.embeddings): '{}'"),
        (b'{"error":{"message":"no"}}', "no"),
    ],
)
def test_what_is_no_answer_fails(raw, message):
    decoder = DIALECT.decoder(full=False, hide_usage=True)
    decoder.feed(raw)
    answer = decoder.close()
    assert answer.events == (Failed(decoder.observed.error),)
    assert (decoder.observed.error.message, decoder.observed.complete) == (message, False)


def test_chat_has_no_form_here():
    request = Request("m", (Message("user", (Text("Hi"),)),), origin="openai.chat")
    (loss,) = DIALECT.check(request, Profile())
    assert loss.severity == "refuse"
    with pytest.raises(UnsupportedCall, match=r"a chat request has no form in openai\.embeddings"):
        DIALECT.render(request, model="m", profile=Profile())
    with pytest.raises(UnsupportedCall, match="a stream has no form"):
        DIALECT.encoder(include_usage=True)
    with pytest.raises(UnsupportedCall, match="a chat answer has no form"):
        DIALECT.encode_response(Response("", "", 0, ()))


def test_errors_share_openais_envelope():
    assert DIALECT.decode_error(404, {}, b'{"error":{"message":"no"}}').message == "no"
    assert DIALECT.encode_error(NotFound("no")).status == 404
    assert DIALECT.encode_stream_error(NotFound("no")).startswith(b'data: {"error":')
