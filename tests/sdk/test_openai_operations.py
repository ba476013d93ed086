"""Images, audio, moderations, completions and embeddings through the official `openai` SDK."""

from __future__ import annotations

import openai
import pytest
from openai._legacy_response import HttpxBinaryResponseContent

from flo2.dialects.multipart import read_form
from flo2.testing.traces import golden_traces

pytestmark = pytest.mark.anyio

FOLDERS = (
    "openai_completions",
    "openai_embeddings",
    "openai_images",
    "openai_images_edits",
    "openai_moderations",
    "openai_speech",
    "openai_transcriptions",
    "openai_translations",
)
TRACES = [trace for folder in FOLDERS for trace in golden_traces(folder)]
# The SDK has no such call: it edits images that it has read, and takes numbers for a length alone.
NOT_SAID = {"addresses", "no_number_of_dimensions"}


def method(client, endpoint):
    return {
        "/v1/completions": client.completions.create,
        "/v1/embeddings": client.embeddings.create,
        "/v1/images/generations": client.images.generate,
        "/v1/images/edits": client.images.edit,
        "/v1/moderations": client.moderations.create,
        "/v1/audio/speech": client.audio.speech.create,
        "/v1/audio/transcriptions": client.audio.transcriptions.create,
        "/v1/audio/translations": client.audio.translations.create,
    }[endpoint]


def arguments(trace, prefix):
    """Give the trace's request as the SDK's arguments, the model with a provider in front."""
    if trace.text is None:
        given = dict(trace.request)
    else:
        body = trace.request_body
        given = {}
        for field in read_form(body).fields:
            value = body[field.start : field.end]
            name = field.name.removesuffix("[]")
            if field.is_file:
                given[name] = ("a.wav", value)
            else:
                text = value.decode()
                given[name] = [text] if field.name.endswith("[]") else text
    if "model" in given:
        given["model"] = prefix + given["model"]
    if "stream" in given:
        given["stream"] = given["stream"] in {True, "true"}
    return given


async def told(call, given):
    """Give what the SDK makes of an answer, whatever its kind."""
    try:
        answer = await call(**given)
    except openai.APIError as error:
        return type(error).__name__, getattr(error, "status_code", None), error.message
    if isinstance(answer, openai.AsyncStream):
        try:
            return [event.model_dump(mode="json", warnings=False) async for event in answer]
        except openai.APIError as error:
            return type(error).__name__, error.message
    if isinstance(answer, str):
        return answer
    if isinstance(answer, HttpxBinaryResponseContent):
        return answer.content, answer.response.headers["content-type"]
    return answer.model_dump(mode="json", warnings=False)


@pytest.mark.parametrize(
    "trace",
    [trace for trace in TRACES if trace.name not in NOT_SAID],
    ids=lambda trace: f"{trace.endpoint}-{trace.name}",
)
@pytest.mark.filterwarnings(
    "ignore:deprecated:DeprecationWarning"
)  # the SDK's word on translations
async def test_the_sdk_reads_it_as_it_reads_the_provider(
    trace, stage, openai_sdk, direct_openai, count_replay
):
    count_replay(trace.kind)
    count_replay("sdk replays")
    before = len(stage.arrived())
    stage.play(trace)
    mine = await told(method(openai_sdk.client, trace.endpoint), arguments(trace, "openai/"))
    (arrived,) = stage.arrived(before)
    stage.play(trace)
    theirs = await told(method(direct_openai.client, trace.endpoint), arguments(trace, ""))
    direct = stage.arrived()[-1]

    assert arrived.path == direct.path == trace.endpoint
    assert arrived.headers["content-type"].partition(";") == (
        direct.headers["content-type"].partition(";")
        if trace.text is None
        else arrived.headers["content-type"].partition(";")
    )
    if trace.text is not None:
        assert values(arrived.body) == values(direct.body)
    if trace.name == "cut_stream":
        # The SDK takes an end without its mark for one; flo2 says that it is none.
        assert mine[0] == "APIError"
        return
    if trace.name == "stream_without_include_usage":
        assert arrived.json()["stream_options"] == {"include_usage": True}
    assert mine == theirs


def values(body):
    return [(f.name, f.is_file, body[f.start : f.end]) for f in read_form(body).fields]


async def test_the_sdk_s_embeddings_are_floats_whatever_the_host_gives(stage, openai_sdk):
    (trace,) = (each for each in TRACES if each.name == "floats")
    stage.play(trace)
    answer = await openai_sdk.client.embeddings.create(model="openai/m", input="a blue whale")
    assert openai_sdk.sent["encoding_format"] == "base64"
    assert answer.data[0].embedding == pytest.approx([0.0123, -0.4567, 0.875])
    stage.play(trace)
    raw = await openai_sdk.client.embeddings.with_raw_response.create(
        model="openai/m", input="a", encoding_format="base64"
    )
    assert isinstance(raw.http_response.json()["data"][0]["embedding"], str)
