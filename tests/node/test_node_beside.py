"""The official Node SDKs beside the answers themselves: errors, lists, vectors, loops of tools.

`python3 noxfile.py -s deep` installs them; see `test_node_sdks`.
"""

from __future__ import annotations

import json

import pytest

from flo2.testing.traces import golden_traces

pytestmark = [pytest.mark.anyio, pytest.mark.deep]

# The chats of a host that has nothing else: at OpenAI a translated call would go to Responses.
MODELS = {
    "openai": "chats/gpt-4o",
    "responses": "openai/gpt-5-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
}
FOLDERS = {
    "openai": "openai_chat",
    "responses": "openai_responses",
    "anthropic": "anthropic_messages",
}
BROKEN = [
    pytest.param(surface, provider, trace, id=f"{surface}-{provider}-{trace.name}")
    for surface in FOLDERS
    for provider, folder in FOLDERS.items()
    if (surface, provider) != ("openai", "responses")  # a chat is answered as a chat there
    for trace in golden_traces(folder)
    if trace.name in {"cut_stream", "mid_stream_error", "broken_off", "overloaded_in_mid_stream"}
]
MESSAGES = {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}
HELLO = {"openai": MESSAGES, "anthropic": MESSAGES, "responses": {"input": "Hello"}}
SURFACES = pytest.mark.parametrize("surface", ["openai", "responses", "anthropic"])

# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("surface", "provider", "trace"), BROKEN)
async def test_all_raise_where_an_answer_breaks_off(
    surface, provider, trace, stage, ask, count_replay
):
    count_replay("node sdk replays")
    before = len(stage.arrived())
    stage.play(trace)
    mine = await ask(surface, {**HELLO[surface], "model": MODELS[provider], "stream": True})
    assert mine["error"]["name"] in {"APIError", "InternalServerError"}
    assert mine["error"]["message"]
    assert (len(mine["sent"]), len(stage.arrived(before))) == (1, 1)
    call = await stage.call(mine["headers"]["x-flo2-request-id"])
    assert [(entry.status, entry.end.outcome) for entry in call.entries] == [("pending", "broken")]


COMMON_CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}
CLASSES = {
    "openai": COMMON_CLASSES,
    "responses": COMMON_CLASSES,
    "anthropic": {**COMMON_CLASSES, 503: "ServiceUnavailableError", 529: "OverloadedError"},
}
BODIES = {
    "openai": {"error": {"message": "no such luck", "type": "t", "param": None, "code": "c"}},
    "responses": {"error": {"message": "no such luck", "type": "t", "param": None, "code": "c"}},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": "no such luck"}},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", FOLDERS)
@SURFACES
@pytest.mark.parametrize("status", COMMON_CLASSES)
async def test_an_error_is_the_sdks_own_class_and_not_tried_again(
    status, surface, provider, stream, stage, ask, count_replay
):
    count_replay("node sdk errors")
    before = len(stage.arrived())
    # The provider invites to try again; a gateway that has done so itself must not pass that on.
    headers = {"retry-after": "7", "x-should-retry": "true"}
    stage.upstream.reply(status, json=BODIES[provider], headers=headers)
    mine = await ask(surface, {**HELLO[surface], "model": MODELS[provider], "stream": stream})
    assert (mine["error"]["name"], mine["error"]["status"]) == (CLASSES[surface][status], status)
    assert (len(mine["sent"]), len(stage.arrived(before))) == (1, 1)
    assert (mine["headers"]["x-should-retry"], mine["headers"]["retry-after"]) == ("false", "7")
    expected = "flo2 providers add" if status == 401 else "no such luck"
    assert expected in mine["error"]["message"]


@SURFACES
async def test_a_wrong_key_and_an_unknown_model(surface, stage, ask):
    before = len(stage.arrived())
    wrong = stage.key[:-1] + ("a" if stage.key[-1] != "a" else "b")
    request = {**HELLO[surface], "model": MODELS[surface]}
    refused = await ask(surface, request, key=wrong)
    assert (refused["error"]["name"], refused["error"]["status"]) == ("AuthenticationError", 401)
    assert wrong not in json.dumps(refused["error"])
    unknown = await ask(surface, {**request, "model": "no-such-model"})
    assert (unknown["error"]["name"], unknown["error"]["status"]) == ("NotFoundError", 404)
    assert "no-such-model" in unknown["error"]["message"]
    assert (len(refused["sent"]), len(unknown["sent"])) == (1, 1)
    assert stage.arrived(before) == []


# Models -------------------------------------------------------------------------------------------


async def test_both_list_the_same_models(node, stage):
    address = {"base_url": stage.url, "key": stage.key, "do": "models"}
    mine = (await node.do(sdk="openai", **address))["value"]
    theirs = (await node.do(sdk="anthropic", **address))["value"]
    ids = [model["id"] for model in mine["listed"]]
    assert ids == [model["id"] for model in theirs["listed"]]
    assert {MODELS["anthropic"], MODELS["responses"]} <= set(ids)
    assert mine["first"] == mine["listed"][0]
    assert theirs["first"] == theirs["listed"][0]


# The SDKs' own loops and codings ------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
async def test_vectors_are_decoded_whichever_coding_is_asked_for(asked, stage, ask):
    """The SDK asks for base64 unless told, and decodes it; this upstream has floats alone."""
    model, vector = "text-embedding-3-small", [0.5, -0.25, 1.0]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    made = {"object": "list", "data": data, "model": model, "usage": usage}
    stage.upstream.reply(json=made)
    mine = await ask("openai", {"model": f"openai/{model}", "input": "Hi", **asked}, do="embed")
    (sent,) = mine["sent"]
    assert sent["body"]["encoding_format"] == asked.get("encoding_format", "base64")
    assert mine["value"] == made


async def test_the_tool_runner_goes_on_without_threads_on_another_provider(stage, ask):
    """It opens a message thread, is told that there is none, and sends the whole conversation."""
    before, golden = (
        len(stage.arrived()),
        {t.name: t for t in golden_traces("openai_chat")}["plain_text"],
    )
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    stage.upstream.reply(json={**json.loads(golden.body), "choices": [choice]})
    stage.play(golden)
    mine = await ask("anthropic", {**MESSAGES, "model": MODELS["openai"]}, do="run_tool")
    first, second = stage.arrived(before)
    assert "thread" in mine["sent"][0]["body"]
    assert "thread" not in first.json()
    sent = second.json()["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "tool"]
    assert sent[-1]["content"] == "Oslo: sun"
    expected = json.loads(golden.body)["choices"][0]["message"]["content"]
    assert mine["value"]["content"] == [{"type": "text", "text": expected}]
