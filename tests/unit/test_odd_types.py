"""JSON of the wrong type where a word or a number belongs, found by mutating recorded traffic."""

from __future__ import annotations

import json

import pytest

from flo2.canonical import Finish, Image, Opaque, PartStart, Start, Text, ToolCall, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Profile
from flo2.dialects.completing import Completing
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.errors import InvalidRequest

ANTHROPIC, RESPONSES = AnthropicMessages(), OpenAIResponses()
ALL = (OpenAIChat(), RESPONSES, ANTHROPIC, Gemini())
ODD = [[[]], {"a": 1}]
HI = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("make", "param"),
    [
        (lambda odd: {"input": [{"role": odd, "content": "Hi"}]}, "input[0].role"),
        (lambda odd: {"input": [{"type": odd, "role": "user"}]}, "input[0].type"),
    ],
)
def test_responses_name_what_is_odd(make, param, odd):
    with pytest.raises(InvalidRequest) as raised:
        RESPONSES.parse(json.dumps({"model": "m", **make(odd)}).encode())
    assert raised.value.param == param


@pytest.mark.parametrize("odd", ODD)
def test_messages_name_a_role_that_is_odd(odd):
    given = {"model": "m", "max_tokens": 9, "messages": [{**HI, "role": odd}]}
    with pytest.raises(InvalidRequest) as raised:
        ANTHROPIC.parse(json.dumps(given).encode())
    assert raised.value.param == "messages[0].role"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "make",
    [
        lambda odd: {"messages": [HI], "tools": [{"type": odd}]},
        lambda odd: {"messages": [HI], "tool_choice": {"type": odd}},
        lambda odd: {"messages": [HI], "thinking": {"type": odd}},
        lambda odd: {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": odd}}, {"type": odd}],
                }
            ]
        },
    ],
)
def test_messages_keep_what_is_odd_for_their_own_api(make, odd):
    given = {"model": "m", "max_tokens": 9, **make(odd)}
    request = ANTHROPIC.parse(json.dumps(given).encode())
    assert json.loads(ANTHROPIC.render(request, model="m", profile=Profile()).body) == given


def test_an_item_without_a_type_goes_back_to_its_own_api():
    given = {"model": "m", "input": [{"id": "msg_1"}, {"role": "{", "content": "Hi"}]}
    request = RESPONSES.parse(json.dumps(given).encode())
    assert json.loads(RESPONSES.render(request, model="m", profile=Profile()).body) == given


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("odd", ODD)
def test_responses_are_read_past_what_is_odd(odd, full):
    said = {"type": "output_text", "text": "Hi", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "content": [said, {"type": odd}]}
    answer = {
        "id": "r",
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": odd},
        "output": [message, {"type": odd}],
    }
    decoder = RESPONSES.body_decoder(full=full)
    decoder.feed(json.dumps(answer).encode())
    found = fold(decoder.close().events)
    assert decoder.observed.complete
    if full:
        assert found.choices[0].parts[0] == Text("Hi", extras=found.choices[0].parts[0].extras)
        assert found.choices[0].finish == "other"


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("field", ["output_index", "content_index", "summary_index"])
@pytest.mark.parametrize("odd", ODD)
def test_events_of_responses_are_read_past_what_is_odd(odd, field, full):
    words = [
        ("response.output_item.added", {"output_index": 0, "item": {"type": odd}}),
        ("response.output_text.delta", {"output_index": 0, "content_index": 0, "delta": "a"}),
        ("response.reasoning_summary_text.delta", {"output_index": 0, "delta": "a"}),
        ("response.content_part.done", {"output_index": 0, "part": {"type": odd}}),
        ("response.output_item.done", {"output_index": 0, "item": {"type": "message"}}),
    ]
    decoder = RESPONSES.decoder(full=full, hide_usage=False)
    for kind, data in words:
        event = json.dumps({"type": kind, **data, field: odd})
        decoder.feed(f"event: {kind}\ndata: {event}\n\n".encode())
    decoder.close()
    assert decoder.observed.error is not None  # it ended without its last event


@pytest.mark.parametrize("origin", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("field", ["code", "type", "message", "param", "status"])
@pytest.mark.parametrize("odd", ODD)
def test_an_error_inside_an_answer_is_one_whatever_its_fields_are(odd, field, origin):
    data = json.dumps({"type": "error", "error": {"message": "No.", field: odd}}).encode()
    plain = origin.body_decoder(full=True)
    plain.feed(data)
    plain.close()
    stream = origin.decoder(full=True, hide_usage=False)
    stream.feed(b"event: error\ndata: " + data + b"\n\n")
    stream.close()
    assert (plain.observed.complete, stream.observed.complete) == (False, False)
    assert plain.observed.error is not None
    assert stream.observed.error is not None


@pytest.mark.parametrize("client", ALL, ids=lambda each: each.name)
def test_citations_that_are_no_objects_make_a_text_opaque(client):
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hi", "citations": ["x", 1.5]}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    decoder = ANTHROPIC.body_decoder(full=True)
    decoder.feed(json.dumps(answer).encode())
    found = fold(decoder.close().events)
    assert found.choices[0].parts == (Opaque("anthropic.messages", answer["content"][0]),)
    assert json.loads(client.encode_response(found).body)


@pytest.mark.parametrize("client", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("origin", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("odd", ODD)
def test_a_citation_of_an_odd_kind_is_none_that_breaks_an_answer(odd, origin, client):
    cited = Text("Hi", ({"type": odd, "url": "https://example.com"},))
    events = [Start("r", "m", origin=origin.name), PartStart(0, cited), Finish("stop")]
    encoder = client.encoder(include_usage=True)
    assert b"Hi" in b"".join(map(encoder.feed, events)) + encoder.close()
    assert b"Hi" in client.encode_response(fold(events)).body


@pytest.mark.parametrize(
    ("origin", "images"),
    [
        (
            "gemini",
            [
                {
                    "index": 0,
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,QQ=="},
                },
                {"index": 1, "type": "image_url", "image_url": {"url": "https://example.com/a"}},
            ],
        )
    ],
)
def test_pictures_of_a_model_reach_chat_clients(origin, images):
    chat = OpenAIChat()
    events = [
        Start("r", "m", origin=origin),
        PartStart(0, Image(data="QQ==", media_type="image/png")),
        PartStart(1, Image(url="https://example.com/a")),
        Finish("stop"),
    ]
    message = json.loads(chat.encode_response(fold(events)).body)["choices"][0]["message"]
    assert (message["content"], message["images"]) == (None, images)
    encoder = chat.encoder(include_usage=False)
    stream = b"".join(map(encoder.feed, events)) + encoder.close()
    told = [json.loads(each[6:]) for each in stream.split(b"\n\n")[:-2]]
    deltas = [each["choices"][0]["delta"] for each in told]
    assert [image for delta in deltas for image in delta.get("images", ())] == images


def test_a_picture_of_a_model_is_an_item_of_responses():
    events = [Start("r", "m"), PartStart(0, Image(data="QQ==")), Finish("stop")]
    (item,) = json.loads(RESPONSES.encode_response(fold(events)).body)["output"]
    assert item == {
        "id": item["id"],
        "type": "image_generation_call",
        "status": "completed",
        "result": "QQ==",
    }


def completed(*events):
    completing = Completing("req", "m")
    return [*(each for event in events for each in completing.of(event)), *completing.ends()]


def test_an_answer_that_says_all_stays_as_it_is():
    events = [Start("r", "m"), PartStart(0, ToolCall("a", "f", "{}")), Finish("tool_calls", "stop")]
    assert completed(*events) == events


def test_what_an_answer_leaves_out_is_said():
    assert completed() == [Start("req", "m"), Finish("other")]
    assert completed(Start("", "x"), Finish("stop", choice=1)) == [
        Start("req", "x"),
        Finish("stop", choice=1),
    ]
    assert completed(
        PartStart(0, Text("Hi"), choice=1),
        PartStart(0, ToolCall("", "f", "{}")),
        PartStart(1, ToolCall("a", "f", "{}")),
        PartStart(2, ToolCall("a", "f", "{}")),
    ) == [
        Start("req", "m"),
        PartStart(0, Text("Hi"), choice=1),
        PartStart(0, ToolCall("call_req_0", "f", "{}")),
        PartStart(1, ToolCall("a", "f", "{}")),
        PartStart(2, ToolCall("call_req_2", "f", "{}")),
        Finish("tool_calls"),
        Finish("other", choice=1),
    ]
