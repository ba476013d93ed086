"""Between OpenAI's and Google's embeddings nothing goes missing that is not named."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical import Response, Usage, Vector, fold
from flo2.dialects.base import Profile
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings, with_base64
from flo2.dialects.openai_embeddings.numbers import from_base64, to_base64
from flo2.testing.validators import VALIDATORS

OPENAI, ONE, MANY = OpenAIEmbeddings(), GeminiEmbed(), GeminiBatchEmbed()
PROFILE = Profile()

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
tokens = st.lists(st.integers(0, 200_000), min_size=1, max_size=4)
inputs = texts | tokens | st.lists(texts, min_size=1, max_size=3) | st.lists(tokens, min_size=1)
floats = st.floats(-1e6, 1e6, width=32)
vectors = st.integers(1, 5).flatmap(
    lambda length: st.lists(st.lists(floats, min_size=length, max_size=length), min_size=1)
)


@st.composite
def openai_bodies(draw, value=inputs):
    optional = {
        "dimensions": st.integers(1, 4096),
        "encoding_format": st.sampled_from(("float", "base64")),
        "user": texts,
        "x_own": st.integers() | texts,
    }
    fields = draw(st.fixed_dictionaries({"input": value}, optional=optional))
    return {"model": "m", **fields}


@st.composite
def google_bodies(draw):
    request = st.fixed_dictionaries(
        {
            "model": st.just("models/m"),
            "content": st.builds(lambda text: {"parts": [{"text": text}]}, texts),
        },
        optional={
            "taskType": st.sampled_from(("CLUSTERING", "RETRIEVAL_QUERY")),
            "title": texts,
            "outputDimensionality": st.integers(1, 4096),
            "xOwn": st.integers(),
        },
    )
    return {"requests": draw(st.lists(request, min_size=1, max_size=3))}


def parsed(dialect, body):
    return dialect.parse(json.dumps(body).encode())


def rendered(dialect, request):
    found = dialect.render(request, model="m", profile=PROFILE)
    assert dialect.check(request, PROFILE) == found.losses
    return json.loads(found.body), {loss.path: loss for loss in found.losses}


@given(openai_bodies())
def test_openais_request_is_written_as_it_was_read(body):
    assert rendered(OPENAI, parsed(OPENAI, body)) == (body, {})


@given(google_bodies())
def test_googles_request_is_written_as_it_was_read(body):
    assert rendered(MANY, parsed(MANY, body)) == (body, {})
    one = body["requests"][0]
    assert rendered(ONE, parsed(ONE, one)) == (one, {})


@given(openai_bodies())
def test_openai_to_google_and_back_loses_what_is_named(body):
    request = parsed(OPENAI, body)
    there, losses = rendered(MANY, request)
    refused = [loss for loss in losses.values() if loss.severity == "refuse"]
    has_tokens = any(one.tokens is not None for one in request.embedding.inputs)
    assert bool(refused) == has_tokens
    if refused:
        return
    back, lost = rendered(OPENAI, parsed(MANY, there))
    assert lost == {}
    named = {"end_user": "user", "x_own": "x_own"}
    kept = {k: v for k, v in body.items() if k not in {named.get(path) for path in losses}}
    # How the numbers are written, and whether one text stands in a list, is asked of flo2.
    kept.pop("encoding_format", None)
    kept["input"] = [kept["input"]] if isinstance(kept["input"], str) else kept["input"]
    assert back == kept


@given(google_bodies())
def test_google_to_openai_and_back_loses_what_is_named(body):
    there, losses = rendered(OPENAI, parsed(MANY, body))
    if any(loss.severity == "refuse" for loss in losses.values()):
        lengths = {one.get("outputDimensionality") for one in body["requests"]}
        assert len(lengths) > 1
        return
    back, _ = rendered(MANY, parsed(OPENAI, there))
    names = {"taskType": "task", "title": "title", "xOwn": "xOwn"}
    expected = [
        {k: v for k, v in one.items() if f"input[{n}].{names.get(k)}" not in losses}
        for n, one in enumerate(body["requests"])
    ]
    assert back == {"requests": expected}


@given(st.lists(floats))
def test_base64_holds_exactly_32_bits(values):
    assert from_base64(to_base64(values)) == tuple(values)
    assert to_base64(values) == to_base64(from_base64(to_base64(values)))


def read(dialect, body):
    decoder = dialect.body_decoder(full=True)
    decoder.feed(body)
    events = decoder.close().events
    assert decoder.observed.error is None
    return events


@given(vectors, st.booleans(), st.integers(1, 99))
def test_vectors_are_the_same_in_every_form(values, packed, count):
    asked = parsed(
        OPENAI, {"model": "m", "input": "a", "encoding_format": "base64" if packed else "float"}
    )
    found = tuple(Vector(n, tuple(each)) for n, each in enumerate(values))
    usage = Usage({"input_tokens": count})
    answer = Response("", "m", 0, (), usage, vectors=found, asked=asked)
    body = OPENAI.encode_response(answer).body
    assert VALIDATORS["openai.embeddings"].answer(200, JSON, body) == []
    assert fold(read(OPENAI, body)).vectors == found
    google = MANY.encode_response(fold(read(OPENAI, body))).body
    assert fold(read(MANY, google)).vectors == found
    again = OPENAI.encode_response(fold(read(MANY, google), asked=asked)).body
    assert json.loads(again)["data"] == json.loads(body)["data"]
    assert json.loads(again)["usage"] == {"prompt_tokens": count, "total_tokens": count}


@given(vectors)
def test_floats_become_the_base64_that_was_asked_for(values):
    data = [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(values)]
    raw = json.dumps({"object": "list", "data": data, "model": "m", "x": 1}).encode()
    written = json.loads(with_base64(raw))
    unpacked = [from_base64(each.pop("embedding")) for each in written["data"]]
    assert unpacked == [tuple(each) for each in values]
    assert written["x"] == 1
    assert with_base64(with_base64(raw)) == with_base64(raw)


JSON = {"content-type": "application/json"}
COMPLETIONS, CHAT = OpenAICompletions(), OpenAIChat()


@st.composite
def completion_bodies(draw):
    optional = {
        "max_tokens": st.integers(1, 4096),
        "temperature": st.floats(0, 2, width=32),
        "top_p": st.floats(0, 1, width=32),
        "n": st.integers(1, 4),
        "stop": texts | st.lists(texts, min_size=1, max_size=3),
        "seed": st.integers(0, 2**31),
        "presence_penalty": st.floats(-2, 2, width=32),
        "frequency_penalty": st.floats(-2, 2, width=32),
        "logprobs": st.integers(0, 5),
        "user": texts,
        "stream": st.booleans(),
        "suffix": texts,
        "echo": st.just(value=True),
        "best_of": st.integers(5, 9),
        "x_own": st.integers(),
    }
    fields = draw(st.fixed_dictionaries({"prompt": inputs}, optional=optional))
    return {"model": "m", **fields}


@given(completion_bodies())
def test_a_completion_is_written_as_it_was_read(body):
    expected = dict(body)
    if expected.get("stream"):
        expected["stream_options"] = {"include_usage": True}
    assert rendered(COMPLETIONS, parsed(COMPLETIONS, body)) == (expected, {})


@given(completion_bodies())
def test_a_completion_becomes_a_chat_or_is_refused_by_name(body):
    chat, losses = rendered(CHAT, parsed(COMPLETIONS, body))
    prompt = body["prompt"]
    one = [prompt] if isinstance(prompt, str) else prompt
    is_text = len(one) == 1 and isinstance(one[0], str)
    refused = {path for path, loss in losses.items() if loss.severity == "refuse"}
    own = {"suffix", "echo", "best_of"} & body.keys()
    assert refused == own | (set() if is_text else {"prompt"})
    if refused:
        return
    assert losses.keys() == body.keys() & {"x_own"}
    assert chat["messages"] == [{"role": "user", "content": one[0]}]
    for key in body.keys() & {"temperature", "top_p", "n", "stop", "seed", "user", "stream"}:
        assert chat[key] == body[key]
    assert chat.get("top_logprobs") == body.get("logprobs")
    assert chat.get("max_completion_tokens") == body.get("max_tokens")
