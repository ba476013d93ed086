"""The older completions: what becomes a chat, what does not, and how a chat's answer is written."""

from __future__ import annotations

import json

import pytest
from openai.types import Completion

from flo2.canonical import (
    Annotation,
    Choice,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    Message,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Request,
    Response,
    Sampling,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
    fold,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Peek, Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.errors import InvalidRequest, NotFound, ProviderError, UnsupportedCall

DIALECT, CHAT, MESSAGES = OpenAICompletions(), OpenAIChat(), AnthropicMessages()
BODY = {
    "model": "m",
    "prompt": "Say hi",
    "max_tokens": 16,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 2,
    "stop": ["\n"],
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logit_bias": {"50256": -100},
    "logprobs": 3,
    "user": "u",
    "stream": True,
    "stream_options": {"include_usage": True},
}
TOLD = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
USAGE = Usage({"input_tokens": 5, "output_tokens": 2}, raw=TOLD, dialect="openai.completions")


def raw(**fields):
    return json.dumps({"model": "m", "prompt": "a", **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "peek"),
    [
        ({}, Peek("m")),
        ({"prompt": None}, Peek("m")),
        ({"stream": True}, Peek("m", stream=True, wants_usage=False)),
        (
            {"stream": True, "stream_options": {"include_usage": True}},
            Peek("m", stream=True, wants_usage=True),
        ),
        ({"max_tokens": 0}, Peek("m", max_output_tokens=0)),
        ({"max_tokens": -1}, Peek("m")),
        (
            {"prompt": ["a", "b"], "n": 2, "best_of": 3, "max_tokens": 9, "user": "u"},
            Peek("m", max_output_tokens=9, n=6, end_user="u"),
        ),
    ],
)
def test_peek_counts_every_answer_that_is_drawn(fields, peek):
    assert DIALECT.peek(raw(**fields)) == peek


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"prompt":"a"}', "model"),
        (b'{"model":"","prompt":"a"}', "model"),
        (b'{"model":"m","prompt":7}', "prompt"),
        (b"[]", None),
    ],
)
def test_what_is_wrong_is_named(body, param):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(body)
    assert caught.value.param == param


def test_usage_is_asked_for_in_the_clients_own_bytes():
    body = b'{ "model": "m", "prompt": "a", "stream": true }'
    spliced = DIALECT.splice(body, DIALECT.peek(body), model="f")
    assert json.loads(spliced) == {
        "model": "f",
        "prompt": "a",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    plain = b'{ "model": "m", "prompt": "a" }'
    assert DIALECT.splice(plain, DIALECT.peek(plain), model="m") is plain


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt": ["Say hi"]},
        {"prompt": ["a", "b"]},
        {"prompt": [1, 2]},
        {"prompt": [[1], [2]]},
        {"suffix": "end", "echo": True, "best_of": 5},
        {"stop": "x", "logprobs": 0, "max_tokens": 0},
        {"min_p": 0.1, "top_k": 5, "stream_options": {"include_usage": True, "x": 1}},
        {"stream": False},
    ],
)
def test_a_request_is_written_again_as_it_was(fields):
    body = {**BODY, **fields}
    if not body["stream"]:
        del body["stream_options"]
    request = DIALECT.parse(json.dumps(body).encode())
    assert DIALECT.check(request, Profile()) == ()
    rendered = DIALECT.render(request, model="m", profile=Profile())
    assert json.loads(rendered.body) == body
    assert rendered.losses == ()


def test_a_host_may_not_take_a_field():
    request = DIALECT.parse(raw(seed=7, max_tokens=3))
    profile = Profile(drops=frozenset({"seed"}), renames={"max_tokens": "n_predict"})
    rendered = DIALECT.render(request, model="m", profile=profile)
    assert json.loads(rendered.body) == {"model": "m", "prompt": "a", "n_predict": 3}
    assert rendered.losses == (Loss("seed", "the model's host does not take it"),)
    assert DIALECT.check(request, profile) == rendered.losses


def test_a_prompt_becomes_one_message_of_the_user():
    request = DIALECT.parse(json.dumps(BODY).encode())
    assert request.messages == (Message("user", (Text("Say hi"),), plain=True),)
    assert request.sampling == Sampling(
        max_output_tokens=16,
        max_output_field="max_tokens",
        temperature=0.5,
        top_p=0.9,
        stop=("\n",),
        seed=7,
        n=2,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logit_bias={"50256": -100},
        logprobs=True,
        top_logprobs=3,
    )
    rendered = CHAT.render(request, model="c", profile=Profile())
    assert rendered.losses == ()
    assert json.loads(rendered.body) == {
        "model": "c",
        "messages": [{"role": "user", "content": "Say hi"}],
        "max_completion_tokens": 16,
        **{key: BODY[key] for key in ("temperature", "top_p", "seed", "n", "stop", "user")},
        **{key: BODY[key] for key in ("presence_penalty", "frequency_penalty", "logit_bias")},
        "logprobs": True,
        "top_logprobs": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("prompt", [None, 7])
def test_no_chat_begins_without_a_prompt(prompt):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.parse(raw(prompt=prompt))
    assert caught.value.param == "prompt"


def test_what_says_nothing_is_no_loss_elsewhere():
    request = DIALECT.parse(raw(echo=False, best_of=1, suffix="", logprobs=None))
    assert CHAT.check(request, Profile()) == ()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 2}, "best_of"),
    ],
)
@pytest.mark.parametrize("chat", [CHAT, MESSAGES])
def test_what_no_chat_can_say_is_refused(fields, path, chat):
    losses = chat.check(DIALECT.parse(raw(**fields)), Profile())
    assert path in {loss.path for loss in losses if loss.severity == "refuse"}


def test_a_conversation_has_no_form_here():
    request = Request("m", (Message("user", (Text("Hi"),)),), origin="openai.chat")
    (loss,) = DIALECT.check(request, Profile())
    assert loss.severity == "refuse"
    with pytest.raises(UnsupportedCall, match="a conversation has no form"):
        DIALECT.render(request, model="m", profile=Profile())


def chunk(text, reason=None, logprobs=None, **more):
    choice = {"text": text, "index": 0, "logprobs": logprobs, "finish_reason": reason}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "choices": [choice]}
    return {**head, "model": "m-1", **more}


def frames(*chunks, done=True):
    body = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)
    return body + (b"data: [DONE]\n\n" if done else b"")


LISTS = {
    "tokens": ["He", "y"],
    "token_logprobs": [-0.1, -0.2],
    "top_logprobs": [{"He": -0.1}, {"y": -0.2}],
    "text_offset": [0, 2],
}
LAST = {**chunk(""), "choices": [], "usage": TOLD}
STREAM = frames(chunk("He"), chunk("y", None, LISTS), chunk("", "stop"), LAST)


def read(decoder, body, size):
    chunks = [decoder.feed(body[at : at + size]) for at in range(0, len(body), size)]
    chunks.append(decoder.close())
    events = [event for each in chunks for event in each.events]
    return events, b"".join(each.raw for each in chunks), decoder.observed


@pytest.mark.parametrize("size", [1, 7, len(STREAM)])
def test_a_stream_is_read_and_written_again(size):
    events, passed, observed = read(DIALECT.decoder(full=True, hide_usage=False), STREAM, size)
    assert passed == STREAM
    assert (observed.complete, observed.finish, observed.usage) == (True, "stop", USAGE)
    assert events == [
        Start("cmpl-1", "m-1", 1, origin="openai.completions"),
        PartStart(0, Text("He")),
        LogprobsDelta(LISTS),
        PartDelta(0, "y"),
        Finish("stop", "stop"),
        UsageUpdate(USAGE),
    ]
    encoder = DIALECT.encoder(include_usage=True)
    written = b"".join(map(encoder.feed, events)) + encoder.close()
    again, _, _ = read(DIALECT.decoder(full=True, hide_usage=False), written, len(written))
    assert (again, encoder.losses) == (events, ())
    hidden = read(DIALECT.decoder(full=False, hide_usage=True), STREAM, size)
    assert hidden[1] == STREAM.replace(frames(LAST, done=False), b"")
    assert (hidden[2].usage, hidden[2].has_content) == (USAGE, True)


def test_a_stream_that_breaks_off_fails():
    cut = frames(chunk("He"), done=False)
    events, _, observed = read(DIALECT.decoder(full=False, hide_usage=False), cut, 9)
    assert events[-1] == Failed(observed.error)
    assert observed.error.message == "the stream ended before its end (openai.completions)"


@pytest.mark.parametrize("full", [True, False])
def test_a_plain_answer_is_read_and_written_again(full):
    payload = {**chunk("Hey", "length", LISTS, usage=TOLD, system_fingerprint="fp"), "x": 1}
    body = json.dumps(payload).encode()
    events, passed, observed = read(DIALECT.body_decoder(full=full), body, 50)
    assert passed == body
    assert (observed.complete, observed.model, observed.usage) == (True, "m-1", USAGE)
    if full:
        rendered = DIALECT.encode_response(fold(events))
        assert json.loads(rendered.body) == payload
        assert rendered.losses == ()


def test_a_host_may_leave_out_half_of_it():
    body = b'{"choices":[{"text":"Hey","log_probs":null}],"model":"m-1"}'
    events, _, observed = read(DIALECT.body_decoder(full=True), body, 50)
    assert (observed.complete, observed.usage) == (True, None)
    written = json.loads(DIALECT.encode_response(fold(events)).body)
    assert written["choices"] == [
        {"text": "Hey", "index": 0, "logprobs": None, "finish_reason": None}
    ]
    _, _, broken = read(DIALECT.body_decoder(full=False), b"{}", 9)
    assert broken.error.message == "the answer holds no choices (openai.completions)"


CHAT_LOGPROBS = {
    "content": [
        {
            "token": "He",
            "logprob": -0.1,
            "bytes": [72],
            "top_logprobs": [{"token": "He", "logprob": -0.1}],
        },
        {"token": "y", "logprob": -0.2, "top_logprobs": [{"token": "y", "logprob": -0.2}]},
    ]
}
A_CHAT = [
    Start("msg_1", "c-1", 3, {"system_fingerprint": "fp"}, origin="openai.chat"),
    PartStart(0, Reasoning("hm", signature="s")),
    PartDelta(0, "more"),
    PartStart(1, Text("")),
    LogprobsDelta(CHAT_LOGPROBS),
    PartDelta(1, "Hey"),
    Annotation(1, {"url": "u"}),
    Annotation(1, {"url": "v"}),
    PartStop(1),
    LogprobsDelta({"refusal": []}),
    PartStart(2, Refusal(" no")),
    PartStart(3, ToolCall("t", "f", "{}")),
    Finish("stop_sequence", "stop_sequence", "\n"),
    UsageUpdate(Usage({"input_tokens": 5, "output_tokens": 2}, dialect="anthropic.messages")),
]


def test_a_chats_answer_is_written_as_text():
    rendered = DIALECT.encode_response(fold(A_CHAT))
    written = json.loads(rendered.body)
    Completion.model_validate(written)
    usage = written.pop("usage")
    assert {key: usage[key] for key in TOLD} == TOLD
    choice = {"text": "Hey no", "index": 0, "logprobs": LISTS, "finish_reason": "stop"}
    assert written == {
        "id": "msg_1",
        "object": "text_completion",
        "created": 3,
        "model": "c-1",
        "choices": [choice],
    }
    assert [(loss.path, loss.severity) for loss in rendered.losses] == [
        ("choices[0].parts[0]", "drop"),
        ("choices[0].parts[1].citations", "drop"),
        ("choices[0].parts[3]", "drop"),
        ("stop_sequence", "note"),
    ]


@pytest.mark.parametrize("asks", [True, False])
def test_a_chats_stream_is_written_as_text(asks):
    encoder = DIALECT.encoder(include_usage=asks)
    body = b"".join(map(encoder.feed, A_CHAT)) + encoder.close()
    *written, done, rest = body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(each.removeprefix("data: ")) for each in written]
    if asks:
        last = chunks.pop()
        assert (last["choices"], last["usage"]["total_tokens"]) == ([], 7)
        assert [each.pop("usage") for each in chunks] == [None, None, None]
    head = {"id": "msg_1", "object": "text_completion", "created": 3, "model": "c-1"}
    assert chunks == [
        {**head, "choices": [{"text": text, "index": 0, "logprobs": lp, "finish_reason": reason}]}
        for text, lp, reason in (("Hey", LISTS, None), (" no", None, None), ("", None, "stop"))
    ]
    assert [loss.path for loss in encoder.losses] == [
        "choices[0].parts[0]",
        "choices[0].parts[1].citations",
        "choices[0].logprobs",
        "choices[0].parts[3]",
        "stop_sequence",
    ]


def test_a_failure_ends_the_stream():
    encoder = DIALECT.encoder(include_usage=True)
    assert b'"error"' in encoder.feed(Failed(ProviderError("it broke")))
    assert encoder.close() == b""


def test_what_is_no_text_is_named():
    response = Response("i", "m", 1, (Choice((Opaque("other", {}),), "length", "max_tokens"),))
    rendered = DIALECT.encode_response(response)
    assert json.loads(rendered.body)["choices"][0]["finish_reason"] == "length"
    assert [loss.path for loss in rendered.losses] == ["choices[0].parts[0]"]


def test_errors_share_openais_envelope():
    assert DIALECT.decode_error(404, {}, b'{"error":{"message":"no"}}').message == "no"
    assert DIALECT.encode_error(NotFound("no")).status == 404
    assert DIALECT.encode_stream_error(NotFound("no")).startswith(b'data: {"error":')
