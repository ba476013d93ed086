"""One request and its answers in each public dialect, for the provider suite.

Imports: dialects, testing.suites.sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Dialect
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_images import OpenAIImageEdits, OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from flo2.testing.suites.sample import TEXT, UNKNOWN_FIELD, UNKNOWN_PART, Sample, dump

__all__ = ["SAMPLES"]


def _chat_chunk(**fields: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000}
    return b"data: " + dump({**head, "model": "sample-1", **fields}) + b"\n\n"


def _delta(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _chat_chunk(choices=[choice], usage=None, x_vendor={"a": [1]})


_CHAT_USAGE = {
    "prompt_tokens": 25,
    "completion_tokens": 9,
    "total_tokens": 34,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
_CHAT_LAST = _chat_chunk(choices=[], usage=_CHAT_USAGE)
_CHAT = Sample(
    dialect=OpenAIChat(),
    request={
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Grüß dich 🌍"}, UNKNOWN_PART]},
        ],
        "max_completion_tokens": 64,
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "sample-1",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": TEXT},
                    "finish_reason": "stop",
                }
            ],
            "usage": _CHAT_USAGE,
        }
    ),
    error=dump({"error": {"message": "it failed", "type": "x", "param": None, "code": None}}),
    stream=b"".join(
        [
            _delta({"role": "assistant", "content": ""}),
            _delta({"content": TEXT[:6]}),
            b": a comment\n\n",
            _delta({"content": TEXT[6:]}),
            _delta({}, "stop"),
            _CHAT_LAST,
            b"data: [DONE]\n\n",
        ]
    ),
    unasked=_CHAT_LAST,
    ask={"stream_options": {"include_usage": True}},
    input_total=25,
    output_total=9,
)

_EMBEDDINGS = Sample(
    dialect=OpenAIEmbeddings(),
    request={"input": ["Grüß dich 🌍"], UNKNOWN_FIELD: 1},
    plain=dump(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
            "model": "sample-1",
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        }
    ),
    error=_CHAT.error,
    input_total=5,
)


def _event(name: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), dump({"type": name, **fields}))


def _text_delta(text: str) -> bytes:
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


_MESSAGES_USAGE = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 4,
    "output_tokens": 9,
    "service_tier": "standard",
}
_MESSAGE: Mapping[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "sample-1",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}
_MESSAGES = Sample(
    dialect=AnthropicMessages(),
    request={
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Grüß dich 🌍"}, UNKNOWN_PART]}
        ],
        "max_tokens": 64,
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(
        {
            **_MESSAGE,
            "content": [{"type": "text", "text": TEXT}],
            "stop_reason": "end_turn",
            "usage": _MESSAGES_USAGE,
        }
    ),
    error=dump({"type": "error", "error": {"type": "x", "message": "it failed"}}),
    stream=b"".join(
        [
            _event(
                "message_start",
                message={**_MESSAGE, "usage": {**_MESSAGES_USAGE, "output_tokens": 1}},
            ),
            _event("ping"),
            _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            _text_delta(TEXT[:6]),
            _event("x_invented_event", depth=3),
            _text_delta(TEXT[6:]),
            _event("content_block_stop", index=0),
            _event(
                "message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": 9},
            ),
            _event("message_stop"),
        ]
    ),
    input_total=25,
    output_total=9,
)

_COUNT = Sample(
    dialect=AnthropicCountTokens(),
    request={key: value for key, value in _MESSAGES.request.items() if key != "max_tokens"},
    plain=dump({"input_tokens": 25}),
    error=_MESSAGES.error,
)


def _text_chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000}
    chunk = {**head, "choices": [choice], "model": "sample-1", "usage": None}
    return b"data: " + dump(chunk) + b"\n\n"


_TEXT_LAST = _CHAT_LAST.replace(b"chat.completion.chunk", b"text_completion")
_COMPLETIONS = Sample(
    dialect=OpenAICompletions(),
    request={
        "prompt": "Grüß dich 🌍",
        "max_tokens": 64,
        UNKNOWN_FIELD: {"depth": 1},
        "x_part": UNKNOWN_PART,
    },
    plain=dump(
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1_700_000_000,
            "model": "sample-1",
            "choices": [{"text": TEXT, "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": _CHAT_USAGE,
        }
    ),
    error=_CHAT.error,
    stream=b"".join(
        [
            _text_chunk(TEXT[:6]),
            b": a comment\n\n",
            _text_chunk(TEXT[6:]),
            _text_chunk("", "stop"),
            _TEXT_LAST,
            b"data: [DONE]\n\n",
        ]
    ),
    unasked=_TEXT_LAST,
    ask={"stream_options": {"include_usage": True}},
    input_total=25,
    output_total=9,
    has_parts=False,
)


_RESPONSES_USAGE = {
    "input_tokens": 25,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 34,
}
_RESPONSE: Mapping[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "model": "sample-1",
    "output": [],
    "usage": None,
}
_SAID: Mapping[str, Any] = {"type": "output_text", "text": TEXT, "annotations": []}
_ITEM: Mapping[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "status": "in_progress",
    "role": "assistant",
    "content": [],
}
_ITEM_DONE: Mapping[str, Any] = {**_ITEM, "status": "completed", "content": [_SAID]}
_RESPONSE_DONE: Mapping[str, Any] = {
    **_RESPONSE,
    "status": "completed",
    "output": [_ITEM_DONE],
    "usage": _RESPONSES_USAGE,
}
_IN_PART: Mapping[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_RESPONSE_EVENTS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("created", {"response": _RESPONSE}),
    ("in_progress", {"response": _RESPONSE}),
    ("output_item.added", {"output_index": 0, "item": _ITEM}),
    ("content_part.added", {**_IN_PART, "part": {**_SAID, "text": ""}}),
    ("output_text.delta", {**_IN_PART, "delta": TEXT[:6]}),
    ("x_invented", {"depth": 3}),
    ("output_text.delta", {**_IN_PART, "delta": TEXT[6:]}),
    ("output_text.done", {**_IN_PART, "text": TEXT}),
    ("content_part.done", {**_IN_PART, "part": _SAID}),
    ("output_item.done", {"output_index": 0, "item": _ITEM_DONE}),
    ("completed", {"response": _RESPONSE_DONE}),
)
_RESPONSES = Sample(
    dialect=OpenAIResponses(),
    request={
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Grüß dich 🌍"}, UNKNOWN_PART],
            }
        ],
        "max_output_tokens": 64,
        UNKNOWN_FIELD: {"depth": 1},
    },
    plain=dump(_RESPONSE_DONE),
    error=_CHAT.error,
    stream=b"".join(
        _event(f"response.{name}", sequence_number=number, **fields)
        for number, (name, fields) in enumerate(_RESPONSE_EVENTS)
    ),
    input_total=25,
    output_total=9,
)

_INPUT_TOKENS = Sample(
    dialect=OpenAIInputTokens(),
    request={key: value for key, value in _RESPONSES.request.items() if key != "max_output_tokens"},
    plain=dump({"object": "response.input_tokens", "input_tokens": 25}),
    error=_CHAT.error,
)


def _data(kind: str, **fields: Any) -> bytes:
    return b"data: " + dump({"type": kind, **fields}) + b"\n\n"


_IMAGE_USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"text_tokens": 8, "image_tokens": 4},
    "output_tokens": 272,
    "total_tokens": 284,
}


def _image_sample(dialect: Dialect, events: str, **fields: Any) -> Sample:
    return Sample(
        dialect=dialect,
        request={"prompt": "Grüß dich 🌍", UNKNOWN_FIELD: 1},
        plain=dump({"created": 1, "data": [{"b64_json": "AA=="}], "usage": _IMAGE_USAGE}),
        stream=_data(f"{events}.partial_image", b64_json="AA==")
        + _data(f"{events}.completed", b64_json="AA==", usage=_IMAGE_USAGE),
        error=_CHAT.error,
        input_total=12,
        output_total=272,
        **fields,
    )


_MODERATIONS = Sample(
    dialect=OpenAIModerations(),
    request={"input": "Grüß dich 🌍", UNKNOWN_FIELD: 1},
    plain=dump({"id": "modr-1", "model": "sample-1", "results": [{"flagged": False}]}),
    error=_CHAT.error,
    tells_usage=False,
)
_SPEECH = Sample(
    dialect=OpenAISpeech(),
    request={"input": "Grüß dich 🌍", "voice": "alloy", UNKNOWN_FIELD: 1},
    plain=b"ID3\x04\x00" + bytes(range(256)),
    stream=_data("speech.audio.delta", audio="AA==")
    + _data(
        "speech.audio.done",
        usage={"input_tokens": 12, "output_tokens": 96, "total_tokens": 108},
    ),
    error=_CHAT.error,
    input_total=12,
    output_total=96,
    asks_stream={"stream_format": "sse"},
    tells_usage=False,
    beside_json="bytes",
)
_HEARD = {
    "type": "tokens",
    "input_tokens": 54,
    "input_token_details": {"audio_tokens": 54, "text_tokens": 0},
    "output_tokens": 16,
    "total_tokens": 70,
}


def _audio_sample(dialect: Dialect) -> Sample:
    return Sample(
        dialect=dialect,
        request={"language": "de", UNKNOWN_FIELD: 1},
        plain=dump({"text": TEXT, "usage": _HEARD}),
        stream=_data("transcript.text.delta", delta=TEXT[:6])
        + _data("transcript.text.done", text=TEXT, usage=_HEARD),
        error=_CHAT.error,
        input_total=54,
        output_total=16,
        is_form=True,
        beside_json="text",
    )


_OPERATIONS = (
    _image_sample(OpenAIImages(), "image_generation"),
    _image_sample(OpenAIImageEdits(), "image_edit", is_form=True),
    _MODERATIONS,
    _SPEECH,
    _audio_sample(OpenAITranscriptions()),
    _audio_sample(OpenAITranslations()),
)

SAMPLES: Mapping[str, Sample] = {
    sample.dialect.name: sample
    for sample in (
        _CHAT,
        _RESPONSES,
        _INPUT_TOKENS,
        _EMBEDDINGS,
        _MESSAGES,
        _COUNT,
        _COMPLETIONS,
        *_OPERATIONS,
    )
}
"""By the dialect's name."""
