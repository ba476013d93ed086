"""Cohere's embeddings, asked for and answered."""

from __future__ import annotations

import json

import pytest

from flo2 import (
    Audio,
    Embedding,
    EmbeddingInput,
    Failed,
    Image,
    InvalidRequest,
    Profile,
    Request,
    Text,
    UnsupportedCall,
)
from flo2.canonical import fold
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2_provider_cohere import CohereEmbed

EMBED, VECTORS = CohereEmbed(), OpenAIEmbeddings()
PROFILE = Profile()


def read(answer, *, full=True):
    decoder = EMBED.body_decoder(full=full)
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    first, last = decoder.feed(raw), decoder.close()
    assert first.raw + last.raw == raw
    return [*first.events, *last.events], decoder.observed


def embed(*inputs, **fields):
    request = Request("m", (), embedding=Embedding(inputs), origin="openai.embeddings", **fields)
    rendered = EMBED.render(request, model="m", profile=PROFILE)
    assert EMBED.check(request, PROFILE) == rendered.losses
    return json.loads(rendered.body), [(loss.path, loss.severity) for loss in rendered.losses]


@pytest.mark.parametrize(
    "body",
    [
        {"texts": ["a", "b"], "input_type": "search_query", "output_dimension": 256},
        {"images": ["data:image/png;base64,AAAA", "https://e.test/a"], "input_type": "image"},
        {
            "inputs": [
                {
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ]
                },
                {"content": [{"type": "x_new", "x": 1}]},
            ],
            "input_type": "clustering",
        },
        {"texts": ["a"], "input_type": "search_document", "embedding_types": ["int8"], "x": 1},
    ],
)
def test_an_embed_request_of_its_own_comes_back_whole(body):
    body = {"model": "m", **body}
    request = EMBED.parse(json.dumps(body).encode())
    assert EMBED.check(request, PROFILE) == ()
    assert json.loads(EMBED.render(request, model="m", profile=PROFILE).body) == body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"texts": []}, "texts"),
        ({"model": ""}, "model"),
        ({"texts": [1]}, "texts[0]"),
        ({"images": [1]}, "images[0]"),
        ({"inputs": [{}]}, "inputs[0].content"),
    ],
)
def test_a_malformed_embed_request_is_named(body, param):
    with pytest.raises(InvalidRequest) as caught:
        EMBED.parse(json.dumps({"model": "m", **body}).encode())
    assert caught.value.param == param


def test_embeddings_of_others_are_asked_for():
    body, losses = embed(
        *(EmbeddingInput((Text(text),), task="retrieval_query", dimensions=8) for text in "ab"),
        end_user="u",
        extras={"x": 1, "y": None},
    )
    assert body == {
        "model": "m",
        "texts": ["a", "b"],
        "input_type": "search_query",
        "output_dimension": 8,
        "embedding_types": ["float"],
    }
    assert losses == [("end_user", "note"), ("x", "drop")]
    image = Image(data="AAAA")
    assert embed(EmbeddingInput((image,)))[0]["input_type"] == "image"
    body, _ = embed(EmbeddingInput((Text("a"), image)))
    assert (body["input_type"], len(body["inputs"][0]["content"])) == ("search_document", 2)


def test_what_embeddings_cannot_be_asked_is_named():
    one, two = (
        EmbeddingInput((Text("a"),), task=task, dimensions=length)
        for task, length in (("code_query", 1), ("clustering", 2))
    )
    assert {severity for _, severity in embed(one, two)[1]} >= {"refuse"}
    assert embed(one)[1] == [("input[0].task", "drop")]
    assert embed(EmbeddingInput((Text("a"),), title="t"))[1] == [("input[0].title", "drop")]
    assert embed(EmbeddingInput((), tokens=(1, 2)))[1] == [("input[0]", "refuse")]
    assert embed(EmbeddingInput((Audio("AAAA", "audio/wav"),)))[1] == [("input[0][0]", "refuse")]
    with pytest.raises(UnsupportedCall):
        EMBED.render(Request("m", ()), model="m", profile=PROFILE)
    with pytest.raises(UnsupportedCall):
        EMBED.encoder(include_usage=True)


def test_vectors_are_read_and_written():
    answer = {
        "id": "1",
        "embeddings": {"float": [[0.5, -1.0], [1, 2]]},
        "texts": [],
        "meta": {"billed_units": {"input_tokens": 5, "image_tokens": 3}},
        "response_type": "embeddings_by_type",
    }
    events, observed = read(answer)
    _, light = read(answer, full=False)
    assert light == observed
    assert observed.usage.quantities == {"input_tokens": 5, "input_image_tokens": 3}
    response = fold(events)
    assert json.loads(EMBED.encode_response(response).body) == answer
    written = json.loads(VECTORS.encode_response(response).body)
    assert [each["embedding"] for each in written["data"]] == [[0.5, -1.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    "answer",
    [b"", {}, {"message": "no"}, {"embeddings": {"int8": [[1]]}}, {"embeddings": [[0.5]]}],
)
def test_an_answer_without_vectors_has_failed(answer):
    events, observed = read(answer)
    assert isinstance(events[-1], Failed)
    assert not observed.complete


def test_an_embed_request_passes_with_the_model_replaced():
    body = b'{"model": "a", "texts": ["b"], "x": 1.0}'
    spliced = EMBED.splice(body, EMBED.peek(body), model="c")
    assert spliced == b'{"model": "c", "texts": ["b"], "x": 1.0}'
