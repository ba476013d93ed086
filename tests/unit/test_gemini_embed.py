"""Google's embeddings, one and many, and between them and OpenAI's."""

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
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.errors import InvalidRequest, NotFound, UnsupportedCall

ONE, MANY, OPENAI = GeminiEmbed(), GeminiBatchEmbed(), OpenAIEmbeddings()
INPUT = {
    "model": "models/m",
    "content": {"parts": [{"text": "a"}]},
    "taskType": "RETRIEVAL_DOCUMENT",
    "title": "T",
    "outputDimensionality": 768,
    "embedContentConfig": {"autoTruncate": True},
}
CANONICAL = EmbeddingInput(
    (Text("a"),),
    task="retrieval_document",
    title="T",
    dimensions=768,
    extras={"embedContentConfig": {"autoTruncate": True}},
)


def raw(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("dialect", "body", "inputs"),
    [
        (ONE, INPUT, (CANONICAL,)),
        (MANY, {"requests": [INPUT, INPUT]}, (CANONICAL, CANONICAL)),
    ],
)
def test_a_request_is_read_and_written_again(dialect, body, inputs):
    assert dialect.peek(raw(body)) == Peek("")
    request = dialect.parse(raw(body))
    assert request == Request("", (), embedding=Embedding(inputs), origin=dialect.name)
    assert dialect.check(request, Profile()) == ()
    rendered = dialect.render(request, model="m", profile=Profile())
    assert (json.loads(rendered.body), rendered.losses) == (body, ())


@pytest.mark.parametrize(
    "body",
    [
        {"content": "a"},
        {"content": {"role": "user", "parts": {"text": "a"}}, "task_type": None},
        {"content": {"parts": [{"text": "a"}]}, "task_type": "TASK_TYPE_UNSPECIFIED"},
        {"model": "models/x", "content": {"parts": [{"text": "a"}]}},
    ],
)
def test_other_spellings_mean_the_same(body):
    (one,) = ONE.parse(raw(body)).embedding.inputs
    assert one == EmbeddingInput((Text("a"),))


def test_snake_case_is_understood():
    body = {"content": "a", "task_type": "CLUSTERING", "output_dimensionality": "8"}
    (one,) = ONE.parse(raw(body)).embedding.inputs
    assert one == EmbeddingInput((Text("a"),), task="clustering", dimensions=8)


@pytest.mark.parametrize(
    ("dialect", "body", "param"),
    [
        (ONE, b"{}", "content"),
        (ONE, b"[]", None),
        (MANY, b"{}", "requests"),
        (MANY, b'{"requests":[]}', "requests"),
        (MANY, b'{"requests":7}', "requests"),
    ],
)
def test_what_is_missing_is_named(dialect, body, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.peek(body)
    assert param is None or caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"requests": [{"content": "a"}, {}]}, "requests[1].content"),
        ({"requests": [{"content": 7}]}, "requests[0].content"),
        ({"requests": [{"content": "a", "taskType": 7}]}, "taskType"),
    ],
)
def test_what_is_wrong_inside_is_named(body, param):
    with pytest.raises(InvalidRequest) as caught:
        MANY.parse(raw(body))
    assert caught.value.param == param


def test_the_model_inside_is_that_of_the_url():
    body = raw({"requests": [{"model": "models/route", "content": "a"}, {"content": "b"}]})
    expected = {
        "requests": [
            {"model": "models/m", "content": "a"},
            {"content": "b", "model": "models/m"},
        ]
    }
    spliced = MANY.splice(body, Peek("route"), model="m")
    assert json.loads(spliced) == expected
    assert MANY.splice(spliced, Peek("m"), model="m") is spliced
    single = raw({"content": "a"})
    assert ONE.splice(single, Peek("m"), model="m") is single
    named = raw({"content": "a", "model": "models/route"})
    assert json.loads(ONE.splice(named, Peek("route"), model="tunedModels/m")) == {
        "content": "a",
        "model": "tunedModels/m",
    }


def test_one_takes_one():
    request = MANY.parse(raw({"requests": [INPUT, INPUT]}))
    assert ONE.check(request, Profile()) == (
        Loss("input", "2 inputs, and one a request", "refuse"),
    )


def test_losses_are_named():
    inputs = (
        EmbeddingInput(tokens=(1, 2)),
        EmbeddingInput((Text("a"),), task="code_review", extras={"x": 1}),
        EmbeddingInput((Image(file_id="f"),)),
    )
    request = Request(
        "m", (), embedding=Embedding(inputs), end_user="u", extras={"y": 1}, origin="other"
    )
    losses = MANY.render(request, model="m", profile=Profile()).losses
    assert [(loss.path, loss.severity) for loss in losses] == [
        ("input[0]", "refuse"),
        ("input[1].task", "drop"),
        ("input[1].x", "drop"),
        ("input[2][0]", "refuse"),
        ("end_user", "note"),
        ("y", "drop"),
    ]


USAGE = {"promptTokenCount": 6, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}]}
ANSWERS = {
    ONE: {"embedding": {"values": [0.5, -1]}, "usageMetadata": USAGE},
    MANY: {"embeddings": [{"values": [0.5, -1], "x": 1}, {"values": []}], "usageMetadata": USAGE},
}


def read(dialect, body, *, full):
    decoder = dialect.body_decoder(full=full)
    decoder.feed(body[:9])
    decoder.feed(body[9:])
    chunk = decoder.close()
    assert chunk.raw == body
    return chunk.events, decoder.observed


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dialect", [ONE, MANY])
def test_an_answer_is_read_and_written_again(dialect, full):
    events, observed = read(dialect, raw(ANSWERS[dialect]), full=full)
    usage = Usage({"input_tokens": 6}, raw=USAGE, dialect=dialect.name)
    vectors = {
        ONE: (Vector(0, (0.5, -1)),),
        MANY: (Vector(0, (0.5, -1), {"x": 1}), Vector(1, ())),
    }[dialect]
    start = Start("", "", origin=dialect.name)
    assert events == (start, *(vectors if full else ()), UsageUpdate(usage))
    assert (observed.complete, observed.has_content, observed.model) == (True, True, None)
    assert observed.usage == usage
    if full:
        rendered = dialect.encode_response(fold(events))
        assert (json.loads(rendered.body), rendered.losses) == (ANSWERS[dialect], ())


def test_an_older_model_tells_no_usage():
    events, observed = read(ONE, b'{"embedding":{"values":[1.0]}}', full=True)
    assert (observed.complete, observed.usage) == (True, None)
    assert json.loads(ONE.encode_response(fold(events)).body) == {"embedding": {"values": [1.0]}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"oops", "'oops'"),
        (b"{}", "'{}'"),
        (b'{"error":{"code":500,"message":"no","status":"INTERNAL"}}', "no"),
        (
            b'{"embeddings":[{"values":["a"]}]}',
            "TypeError: embeddings[0] is no list of numbers",
        ),
        (
            b'{"embeddings":[{}]}',
            "KeyError: 'values'",
        ),
    ],
)
def test_what_is_no_answer_fails(body, message):
    events, observed = read(MANY, body, full=True)
    assert events == (Failed(observed.error),)
    said = observed.error.message.removeprefix(
        "the answer holds no embeddings (gemini.batch_embed): "
    )
    assert (said, observed.complete) == (message, False)


def test_chat_and_streams_have_no_form_here():
    request = Request("m", (Message("user", (Text("Hi"),)),), origin="openai.chat")
    (loss,) = MANY.check(request, Profile())
    assert loss.severity == "refuse"
    with pytest.raises(UnsupportedCall, match=r"a chat request has no form in gemini\.batch_embed"):
        MANY.render(request, model="m", profile=Profile())
    with pytest.raises(UnsupportedCall, match="a stream has no form"):
        ONE.encoder(include_usage=True)


def test_errors_are_in_googles_envelope():
    assert ONE.decode_error(404, {}, b'{"error":{"message":"no"}}').message == "no"
    assert json.loads(ONE.encode_error(NotFound("no")).body)["error"]["code"] == 404
    assert b'"error"' in ONE.encode_stream_error(NotFound("no"))


# Between the vendors --------------------------------------------------------------------------


def test_openais_request_becomes_googles():
    body = {
        "model": "m",
        "input": ["a", "b"],
        "dimensions": 8,
        "encoding_format": "base64",
        "user": "u",
        "x": 1,
    }
    request = OPENAI.parse(raw(body))
    rendered = MANY.render(request, model="m", profile=Profile())
    assert json.loads(rendered.body) == {
        "requests": [
            {
                "model": "models/m",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 8,
            }
            for text in "ab"
        ]
    }
    assert rendered.losses == (
        Loss("end_user", "has no field", "note"),
        Loss("x", "not a field of this API"),
    )


def test_googles_answer_becomes_openais_in_the_encoding_that_was_asked_for():
    events, _ = read(MANY, raw(ANSWERS[MANY]), full=True)
    asked = OPENAI.parse(b'{"model":"m","input":["a","b"],"encoding_format":"base64"}')
    rendered = OPENAI.encode_response(fold(events, asked=asked))
    assert json.loads(rendered.body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": "AAAAPwAAgL8="},
            {"object": "embedding", "index": 1, "embedding": ""},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }
    assert rendered.losses == (Loss("data[0].x", "has no field"),)


def test_googles_request_becomes_openais():
    request = MANY.parse(raw({"requests": [INPUT, {**INPUT, "title": None}]}))
    rendered = OPENAI.render(request, model="m", profile=Profile())
    assert json.loads(rendered.body) == {"model": "m", "input": ["a", "a"], "dimensions": 768}
    assert [loss.path for loss in rendered.losses] == [
        "input[0].task",
        "input[0].title",
        "input[0].embedContentConfig",
        "input[1].task",
        "input[1].embedContentConfig",
    ]


@pytest.mark.parametrize("dialect", [ONE, MANY])
def test_openais_answer_becomes_googles(dialect):
    usage = Usage({"input_tokens": 5}, raw={"prompt_tokens": 5}, dialect="openai.embeddings")
    vectors = (Vector(0, (1.0, 2.0), {"x": 1}),)
    response = Response("", "m", 0, (), usage, origin="openai.embeddings", vectors=vectors)
    rendered = dialect.encode_response(response)
    item = {"values": [1.0, 2.0]}
    told = {"promptTokenCount": 5, "totalTokenCount": 5}
    expected = {"embeddings": [item]} if dialect is MANY else {"embedding": item}
    assert json.loads(rendered.body) == {**expected, "usageMetadata": told}
    assert rendered.losses == (Loss("embeddings[0].x", "not a field of this API"),)
