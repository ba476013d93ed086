"""Bodies that no provider should send and some do, seen through each official SDK."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from flo2.records import Pend, Settle, Void
from flo2.testing.traces import golden_traces

pytestmark = pytest.mark.anyio

FAMILIES = {
    "openai": ("openai_chat", "plain_text", "stream", "openai/gpt-4o-mini"),
    "responses": ("openai_responses", "plain_text", "stream", "openai/gpt-5-mini"),
    "anthropic": (
        "anthropic_messages",
        "plain_with_everything",
        "no_blank_line_at_the_end",
        "anthropic/claude-haiku-4-5",
    ),
    "genai": ("gemini", "plain_text", "thoughts_and_signature_stream", "google/gemini-2.5-flash"),
}
HELLO = [{"role": "user", "content": "Hello"}]
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
# What this API says of an error; a host behind a proxy may say it under a status of 200.
ERRORS = {
    "openai": {"error": {"message": "no such luck", "type": "server_error", "code": None}},
    "responses": {"error": {"message": "no such luck", "type": "server_error", "code": None}},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "no such luck"}},
    "genai": {"error": {"code": 500, "message": "no such luck", "status": "INTERNAL"}},
}


@pytest.fixture(scope="module")
async def through(wide_stage, clients, genai):
    """Give each SDK as a function of a model: what it makes of the answer, or the error it raises.

    The function's first argument is the family; an error is a tuple whose second item is a status.
    """
    sdks = {
        family: clients(family, wide_stage.url, wide_stage.key)
        for family in ("openai", "responses", "anthropic")
    }
    google = genai(wide_stage.url, wide_stage.key)

    async def ask(family, *, stream):
        model = FAMILIES[family][3]
        if family == "genai":
            told = await google.result(model, "Hello", stream=stream)
            return told, google.request_id
        given = {"input": "Hello"} if family == "responses" else {"messages": HELLO}
        if family == "anthropic":
            given["max_tokens"] = 64
        sdk = sdks[family]
        return await sdk.result({"model": model, "stream": stream, **given}), sdk.request_id

    return ask


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


def golden(family, *, stream):
    folder, plain, streamed, _ = FAMILIES[family]
    wanted = streamed if stream else plain
    return next(trace for trace in golden_traces(folder) if trace.name == wanted)


def packed(body, coding):
    return gzip.compress(body) if coding == "gzip" else zlib.compress(body)


def reply(stage, body, *, stream, status=200, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if stream:
        cut = len(body) // 2
        stage.upstream.stream([body[:cut], body[cut:]], status=status, headers=headers)
    else:
        stage.upstream.reply(status, body=body, headers=headers)


families = pytest.mark.parametrize("family", FAMILIES)
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@streams
@families
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_is_packed_unasked_is_unpacked(
    coding, family, stream, wide_stage, through
):
    trace = golden(family, stream=stream)
    kind = "text/event-stream" if stream else "application/json"
    wide_stage.play(trace)
    expected, _ = await through(family, stream=stream)
    reply(
        wide_stage,
        packed(trace.body, coding),
        stream=stream,
        content_type=kind,
        content_encoding=coding,
    )
    told, request_id = await through(family, stream=stream)
    assert told == expected
    (entry,) = (await wide_stage.call(request_id)).entries
    assert isinstance(entry.end, Settle)


@streams
@families
@pytest.mark.parametrize("coding", ["br", "zstd"])
async def test_a_coding_that_nobody_asked_for_is_named(coding, family, stream, wide_stage, through):
    reply(wide_stage, b"\x1b\x03\x00", stream=stream, content_encoding=coding)
    told, request_id = await through(family, stream=stream)
    assert told[1] == 502
    assert f"content-encoding '{coding}'" in str(told)
    (entry,) = (await wide_stage.call(request_id)).entries
    # The provider has answered, so it may bill it.
    assert isinstance(entry.end, Pend)


@streams
@families
async def test_a_packed_body_that_is_cut_off_is_no_answer(family, stream, wide_stage, through):
    trace = golden(family, stream=stream)
    kind = "text/event-stream" if stream else "application/json"
    half = gzip.compress(trace.body)
    half = half[: len(half) // 2]
    reply(wide_stage, half, stream=stream, content_type=kind, content_encoding="gzip")
    told, request_id = await through(family, stream=stream)
    assert isinstance(told, tuple), told
    assert "gzip" in str(told)
    (entry,) = (await wide_stage.call(request_id)).entries
    assert isinstance(entry.end, Pend)


@streams
@families
@pytest.mark.parametrize("status", [200, 404, 502, 503])
async def test_a_page_of_html_is_an_error_without_the_page(
    status, family, stream, wide_stage, through
):
    reply(wide_stage, HTML, stream=False, status=status, content_type="text/html")
    told, request_id = await through(family, stream=stream)
    assert told[1] == (502 if status == 200 else status)
    assert "<html" not in str(told)
    (entry,) = (await wide_stage.call(request_id)).entries
    assert isinstance(entry.end, Pend if status == 200 else Void)


@streams
@families
async def test_an_error_under_a_status_of_200_is_raised(family, stream, wide_stage, through):
    body = json.dumps(ERRORS[family]).encode()
    reply(wide_stage, body, stream=False, content_type="application/json")
    told, request_id = await through(family, stream=stream)
    assert isinstance(told, tuple), told
    assert told[1] >= 500
    assert "no such luck" in str(told)
    (entry,) = (await wide_stage.call(request_id)).entries
    assert isinstance(entry.end, Pend)
