"""One request and its answers in each public dialect, for the provider suite.

Texts hold characters of two and four bytes, unescaped, so that cuts fall inside them; requests hold
a field and a content part that flo2 does not model. Imports: dialects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.base import Dialect
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings

__all__ = ["SAMPLES", "UNKNOWN_FIELD", "UNKNOWN_PART", "Sample"]

TEXT = "Grüße 🌍, fertig."
UNKNOWN_FIELD = "x_invented_last_week"
UNKNOWN_PART: dict[str, Any] = {"type": "x_hologram", "x_hologram": {"depth": 3}}


@frozen
class Sample:
    """What a provider of one dialect is asked, and what it answers.

    Attributes:
        dialect: The dialect.
        request: The request; `model` and `stream` are set by `body`.
        plain: The plain answer.
        stream: The streamed answer, or b"" where there are no streams.
        unasked: The frame a client does not see unless it asked for usage, or b"".
        ask: What a client adds to ask for that frame.
        error: The error envelope.
        input_total: Tokens of the prompt that the answer tells.
        output_total: Tokens of the answer that it tells.
        in_url: Model and stream stand in the URL: no body has them.
        sent: What the host is sent for a client's bytes, where it wants them otherwise.
        shown: What a client of the dialect sees of `stream`, where the host frames it otherwise.
    """

    dialect: Dialect
    request: Mapping[str, Any]
    plain: bytes
    error: bytes
    stream: bytes = b""
    unasked: bytes = b""
    ask: Mapping[str, Any] = {}
    input_total: int = 0
    output_total: int = 0
    in_url: bool = False
    sent: Callable[[bytes], bytes] = bytes
    shown: bytes = b""

    @property
    def seen(self) -> bytes:
        """What a client that asked for everything sees of the stream."""
        return self.shown or self.stream

    def body(self, model: str, *, stream: bool = False, asks: bool = True) -> bytes:
        """Write the request as a client would.

        Args:
            model: As the client names it.
            stream: Whether it wants a stream.
            asks: Whether it asks for the usage of a stream, where there is a choice.
        """
        fields = {**({} if self.in_url else {"model": model}), **self.request}
        if stream and not self.in_url:
            fields["stream"] = True
            if asks:
                fields |= self.ask
        return json.dumps(fields, ensure_ascii=False).encode()


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _chat_chunk(**fields: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000}
    return b"data: " + _dump({**head, "model": "sample-1", **fields}) + b"\n\n"


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
    plain=_dump(
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
    error=_dump({"error": {"message": "it failed", "type": "x", "param": None, "code": None}}),
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
    plain=_dump(
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
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _dump({"type": name, **fields}))


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
    plain=_dump(
        {
            **_MESSAGE,
            "content": [{"type": "text", "text": TEXT}],
            "stop_reason": "end_turn",
            "usage": _MESSAGES_USAGE,
        }
    ),
    error=_dump({"type": "error", "error": {"type": "x", "message": "it failed"}}),
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
    plain=_dump({"input_tokens": 25}),
    error=_MESSAGES.error,
)

SAMPLES: Mapping[str, Sample] = {
    sample.dialect.name: sample for sample in (_CHAT, _EMBEDDINGS, _MESSAGES, _COUNT)
}
"""By the dialect's name."""
