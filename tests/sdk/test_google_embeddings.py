"""`embed_content` of google-genai, answered by a host of OpenAI's embeddings."""

from __future__ import annotations

import httpx
import pytest
from google.genai import Client, errors, types

from flo2.testing.traces import golden_traces

pytestmark = pytest.mark.anyio

FLOATS, TWO = (
    next(each for each in golden_traces("openai_embeddings") if each.name == name)
    for name in ("floats", "base64")
)


@pytest.fixture
async def client(stage):
    async with httpx.AsyncClient(timeout=30) as http:
        options = types.HttpOptions(base_url=stage.url, httpx_async_client=http)
        yield Client(api_key=stage.key, http_options=options)


async def test_one_text_and_its_vector(stage, client):
    before = len(stage.arrived())
    stage.play(FLOATS)
    config = types.EmbedContentConfig(output_dimensionality=3, task_type="CLUSTERING")
    answer = await client.aio.models.embed_content(
        model="openai/text-embedding-3-large", contents="a blue whale", config=config
    )
    (arrived,) = stage.arrived(before)
    assert arrived.json() == {
        "model": "text-embedding-3-large",
        "input": ["a blue whale"],
        "dimensions": 3,
    }
    assert [each.values for each in answer.embeddings] == [[0.0123, -0.4567, 0.875]]
    assert answer.usage_metadata.prompt_token_count == 4


async def test_two_texts_and_base64_from_the_host(stage, client):
    stage.play(TWO)
    answer = await client.aio.models.embed_content(
        model="openai/text-embedding-3-small", contents=["a blue whale", "un éléphant"]
    )
    assert [each.values for each in answer.embeddings] == [[0.5, -0.25, 0.125], [-1.0, 0.0, 2.5]]


async def test_what_cannot_be_embedded_is_refused(stage, client):
    before = len(stage.arrived())
    image = types.Part.from_bytes(data=b"hello", mime_type="image/png")
    with pytest.raises(errors.ClientError) as caught:
        await client.aio.models.embed_content(
            model="openai/text-embedding-3-small", contents=types.Content(parts=[image])
        )
    assert (caught.value.code, stage.arrived(before)) == (400, [])
    assert "only text is embedded" in caught.value.message
