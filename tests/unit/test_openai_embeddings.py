from __future__ import annotations

import json

import pytest

from flo2.canonical import (
    Embedding,
    EmbeddingInput,
    Failed,
    Image,
    Loss,
    Message,
    Opaque,
    Request,
    Response,
    Start,
    Text,
    Usage,
    UsageUpdate,
    Vector,
    fold,
)
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_embeddings import OpenAIEmbeddings, wants_base64, with_base64
from flo2.dialects.openai_embeddings.numbers import from_base64, to_base64
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
    assert rendered.losses == ()  # flo2 itself writes the answer as it was asked for
    request = DIALECT.parse(b'{"model":"e","input":"a","dimensions":3}')
    rendered = DIALECT.render(request, model="f", profile=profile)
    assert json.loads(rendered.body) == {"model": "f", "input": "a"}
    assert rendered.losses == (Loss("dimensions", "the model's host does not take it"),)
    assert DIALECT.check(request, profile) == rendered.losses
    renamed = DIALECT.render(request, model="f", profile=Profile(renames={"dimensions": "size"}))
    assert json.loads(renamed.body) == {"model": "f", "input": "a", "size": 3}


def embedding(*inputs, encoding=None, plain=False):
    return Embedding(inputs, encoding, plain)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": "a"}, embedding(EmbeddingInput((Text("a"),)), plain=True)),
        ({"input": ["a"]}, embedding(EmbeddingInput((Text("a"),)))),
        ({"input": [1, 2]}, embedding(EmbeddingInput(tokens=(1, 2)), plain=True)),
        ({"input": [[1], [2]]}, embedding(*(EmbeddingInput(tokens=(n,)) for n in (1, 2)))),
        (
            {"input": "a", "dimensions": 2, "encoding_format": "base64"},
            embedding(EmbeddingInput((Text("a"),), dimensions=2), encoding="base64", plain=True),
        ),
        (
            {"input": [{"image": "u"}], "encoding_format": None},
            embedding(EmbeddingInput((Opaque("openai.embeddings", {"image": "u"}),))),
        ),
    ],
)
def test_every_form_of_input_is_read_and_written_again(fields, expected):
    body = {"model": "e", **fields}
    request = DIALECT.parse(json.dumps(body).encode())
    assert request.embedding == expected
    rendered = DIALECT.render(request, model="e", profile=Profile())
    assert json.loads(rendered.body) == {k: v for k, v in body.items() if v is not None}


def test_a_host_s_own_encoding_stays_its_own():
    request = DIALECT.parse(b'{"model":"e","input":"a","encoding_format":"ubinary","x":1}')
    assert request.extras == {"encoding_format": "ubinary", "x": 1}
    assert json.loads(DIALECT.render(request, model="e", profile=Profile()).body) == {
        "model": "e",
        "input": "a",
        "encoding_format": "ubinary",
        "x": 1,
    }


@pytest.mark.parametrize("value", ['["a",7]', '["a",null]', '["a",[]]', '[["b"]]'])
def test_an_input_that_is_neither_is_named(value):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.parse(b'{"model":"e","input":%b}' % value.encode())
    assert caught.value.param == f"input[{0 if value[1] == '[' else 1}]"


def test_losses_of_another_dialect_are_named():
    request = Request(
        "m",
        (),
        embedding=embedding(
            EmbeddingInput((Text("a"), Text("b")), task="clustering", title="T", dimensions=1),
            EmbeddingInput((Image(url="u"),), extras={"x": 1}),
        ),
        extras={"auto": True, "none": None, "held": 1},
        essential=frozenset({"held"}),
        origin="other",
    )
    rendered = DIALECT.render(request, model="m", profile=Profile())
    assert json.loads(rendered.body) == {"model": "m", "input": ["a\nb", ""]}
    assert [(loss.path, loss.severity) for loss in rendered.losses] == [
        ("input[0].task", "drop"),
        ("input[0].title", "drop"),
        ("input[0]", "note"),
        ("input[1].x", "drop"),
        ("input[1][0]", "refuse"),
        ("input", "refuse"),
        ("auto", "drop"),
        ("held", "refuse"),
    ]


VALUES = (0.5, -0.25, 3.0)
PACKED = "AAAAPwAAgL4AAEBA"


def test_base64_is_32_bit_floats():
    assert to_base64(VALUES) == PACKED
    assert from_base64(PACKED) == VALUES
    for broken in ("AAAAPw", "AAA=", "!", "AADAfw==", "////fg=="):
        with pytest.raises(ValueError, match=r"padding|multiple|base64|other numbers"):
            from_base64(broken)


@pytest.mark.parametrize("raw", [{"total_tokens": 8}, {"prompt_tokens": 8, "completion_tokens": 0}])
def test_hosts_tell_the_prompt_in_one_way_or_the_other(raw):
    usage = DIALECT.read_usage(raw)
    assert usage == Usage({"input_tokens": 8}, raw=raw, dialect="openai.embeddings")
    assert DIALECT.read_usage({}).problem == "prompt_tokens is missing"


ANSWER = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 1, "embedding": PACKED, "x": 1},
        {"object": "embedding", "index": 0, "embedding": list(VALUES)},
    ],
    "model": "e-1",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
    "y": 2,
}


def decoded(answer):
    decoder = DIALECT.body_decoder(full=True)
    decoder.feed(json.dumps(answer).encode())
    return decoder.close().events, decoder.observed


@pytest.mark.parametrize(("encoding", "written"), [("base64", PACKED), (None, list(VALUES))])
def test_vectors_are_written_as_they_were_asked_for(encoding, written):
    events, _ = decoded(ANSWER)
    assert events[1:3] == (Vector(1, VALUES, {"x": 1}), Vector(0, VALUES))
    asked = Request("e", (), embedding=embedding(EmbeddingInput(), encoding=encoding))
    rendered = DIALECT.encode_response(fold(events, asked=asked))
    first, second = ANSWER["data"][1], ANSWER["data"][0]
    data = [{**first, "embedding": written}, {**second, "embedding": written}]
    assert json.loads(rendered.body) == {**ANSWER, "data": data}
    assert rendered.losses == ()


def test_usage_nobody_told_is_null_and_no_zero():
    asked = Request("e", (), embedding=embedding(EmbeddingInput((Text("a"),))))
    response = Response("", "", 0, (), vectors=(Vector(0, (1.0,), {"x": 1}),), asked=asked)
    rendered = DIALECT.encode_response(response)
    assert json.loads(rendered.body) == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [1.0]}],
        "model": "e",
        "usage": None,
    }
    assert rendered.losses == (Loss("data[0].x", "has no field"),)
    told = Response("", "m", 0, (), Usage({"input_tokens": 3, "cache_read_tokens": 1}))
    assert json.loads(DIALECT.encode_response(told).body)["usage"] == {
        "prompt_tokens": 4,
        "total_tokens": 4,
    }


@pytest.mark.parametrize("item", [7, {"embedding": "!"}, {"embedding": None}, {"embedding": ["a"]}])
def test_a_vector_that_cannot_be_read_fails(item):
    events, observed = decoded({"data": [item], "model": "m", "usage": {"prompt_tokens": 1}})
    assert events == (Failed(observed.error),)
    assert observed.error.message.startswith("the answer holds a vector that cannot be read")
    assert (observed.complete, observed.usage) == (False, None)


def test_floats_become_base64_where_that_was_asked_for():
    floats = {**ANSWER, "data": ANSWER["data"][1:]}
    raw = json.dumps(floats).encode()
    written = json.loads(with_base64(raw))
    assert written == {**floats, "data": [{**floats["data"][0], "embedding": PACKED}]}
    packed = json.dumps({**ANSWER, "data": ANSWER["data"][:1]}).encode()
    assert with_base64(packed) is packed
    odd = b'{"data":[{"embedding":["a"]}]}'
    assert with_base64(odd) is odd
    assert wants_base64(BODY)
    assert not wants_base64(b'{"model":"base64","input":"a"}')
    assert not wants_base64(b'{"model":"e","input":"a","encoding_format":"float"}')


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
    start, *vectors, last = answer.events
    assert (start, last) == (Start("", "e-1", origin="openai.embeddings"), UsageUpdate(expected))
    assert vectors == ([Vector(0, (0.5,))] if full else [])
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


def test_errors_share_openais_envelope():
    assert DIALECT.decode_error(404, {}, b'{"error":{"message":"no"}}').message == "no"
    assert DIALECT.encode_error(NotFound("no")).status == 404
    assert DIALECT.encode_stream_error(NotFound("no")).startswith(b'data: {"error":')
