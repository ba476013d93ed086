"""A right stream and a right answer of each dialect, as small as they can be, for spoiling.

A stream is a list of frames: the `event` field or None, and the data. Imports: nothing of flo2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["ANSWERS", "ERRORS", "STREAMS", "Frame", "written"]

Frame = tuple[str | None, Any]
_JSON = dict[str, Any]

_CHAT_USAGE: Final = {
    "prompt_tokens": 9,
    "completion_tokens": 12,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def _chunk(choices: list[_JSON], usage: _JSON | None = None) -> Frame:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    return None, {**head, "choices": choices, "usage": usage}


def _delta(finish: str | None = None, **fields: Any) -> Frame:
    return _chunk([{"index": 0, "delta": fields, "finish_reason": finish}])


def _call(index: int, arguments: str, **more: str) -> Frame:
    made = {"arguments": arguments} | ({"name": more["name"]} if "name" in more else {})
    known = {"id": more["id"], "type": "function"} if "id" in more else {}
    return _delta(tool_calls=[{"index": index, **known, "function": made}])


_CHAT: Final[list[Frame]] = [
    _delta(role="assistant", content=""),
    _delta(content="Hel"),
    _delta(content="lo"),
    _call(0, "", id="call_a", name="look"),
    _call(0, '{"at":'),
    _call(0, "[1]}"),
    _call(1, "", id="call_b", name="look"),
    _call(1, "{}"),
    _delta("tool_calls"),
    _chunk([], _CHAT_USAGE),
    (None, "[DONE]"),
]


def _event(kind: str, **fields: Any) -> Frame:
    return kind, {"type": kind, **fields}


_ANTHROPIC: Final[list[Frame]] = [
    _event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    ),
    _event("ping"),
    _event(
        "content_block_start",
        index=0,
        content_block={"type": "thinking", "thinking": "", "signature": ""},
    ),
    _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm"}),
    _event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"}),
    _event("content_block_stop", index=0),
    _event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
    _event("content_block_delta", index=1, delta={"type": "text_delta", "text": "Hello"}),
    _event("content_block_stop", index=1),
    _event(
        "content_block_start",
        index=2,
        content_block={"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
    ),
    _event(
        "content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": '{"at":'}
    ),
    _event(
        "content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": "[1]}"}
    ),
    _event("content_block_stop", index=2),
    _event(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={"output_tokens": 12},
    ),
    _event("message_stop"),
]


def _response(status: str, output: Iterable[_JSON] = (), usage: _JSON | None = None) -> _JSON:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "status": status,
        "model": "m",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "usage": usage,
    }


def _message(status: str, *parts: _JSON) -> _JSON:
    content = list(parts)
    return {
        "type": "message",
        "id": "msg_1",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _function(status: str, arguments: str) -> _JSON:
    made = {"id": "fc_1", "call_id": "call_1", "name": "look", "arguments": arguments}
    return {"type": "function_call", "status": status, **made}


def _text_part(text: str) -> _JSON:
    return {"type": "output_text", "text": text, "annotations": []}


_TEXT: Final[_JSON] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_CALL: Final[_JSON] = {"item_id": "fc_1", "output_index": 1}
_DONE: Final = [_message("completed", _text_part("Hello")), _function("completed", '{"at":[1]}')]
_USAGE: Final[_JSON] = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 21,
}
_RESPONSES: Final[list[Frame]] = [
    (kind, {**value, "sequence_number": number})
    for number, (kind, value) in enumerate(
        [
            _event("response.created", response=_response("in_progress")),
            _event("response.in_progress", response=_response("in_progress")),
            _event("response.output_item.added", output_index=0, item=_message("in_progress")),
            _event("response.content_part.added", **_TEXT, part=_text_part("")),
            _event("response.output_text.delta", **_TEXT, delta="Hello"),
            _event("response.output_text.done", **_TEXT, text="Hello"),
            _event("response.content_part.done", **_TEXT, part=_text_part("Hello")),
            _event("response.output_item.done", output_index=0, item=_DONE[0]),
            _event("response.output_item.added", output_index=1, item=_function("in_progress", "")),
            _event("response.function_call_arguments.delta", **_CALL, delta='{"at":'),
            _event("response.function_call_arguments.delta", **_CALL, delta="[1]}"),
            _event("response.function_call_arguments.done", **_CALL, arguments='{"at":[1]}'),
            _event("response.output_item.done", output_index=1, item=_DONE[1]),
            _event("response.completed", response=_response("completed", _DONE, _USAGE)),
        ]
    )
]


def _gemini(parts: list[_JSON], finish: str | None = None) -> Frame:
    ending = {"finishReason": finish} if finish else {}
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 12, "totalTokenCount": 21}
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **ending}
    head = {"modelVersion": "m", "responseId": "r1"}
    return None, {"candidates": [candidate], "usageMetadata": counts, **head}


_GEMINI: Final[list[Frame]] = [
    _gemini([{"text": "Hel"}]),
    _gemini([{"text": "lo", "thoughtSignature": "s"}]),
    _gemini([{"functionCall": {"id": "1", "name": "look", "args": {"at": [1]}}}]),
    _gemini([{"text": ""}], "STOP"),
]
_COMPLETIONS: Final[list[Frame]] = [
    (
        None,
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 7,
            "model": "m",
            "choices": [{"index": 0, "text": "Hi", "finish_reason": finish, "logprobs": None}],
        },
    )
    for finish in (None, "stop")
] + [(None, "[DONE]")]
STREAMS: Final[dict[str, list[Frame]]] = {
    "openai.chat": _CHAT,
    "anthropic.messages": _ANTHROPIC,
    "openai.responses": _RESPONSES,
    "gemini": _GEMINI,
    "openai.completions": _COMPLETIONS,
}


ANSWERS: Final[dict[str, _JSON]] = {
    "openai.chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _CHAT_USAGE,
    },
    "anthropic.messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 12},
    },
    "openai.responses": _response("completed", _DONE, _USAGE),
    "gemini": _GEMINI[3][1],
    "openai.embeddings": {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1]},
            {"object": "embedding", "index": 1, "embedding": [0.5, 1]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    "openai.completions": {
        **_COMPLETIONS[1][1],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    },
}
ERRORS: Final[dict[str, _JSON]] = {
    "openai.chat": {"error": {"message": "no", "type": "t", "param": None, "code": None}},
    "openai.responses": {"error": {"message": "no", "type": "t", "param": None, "code": None}},
    "anthropic.messages": {
        "type": "error",
        "error": {"type": "not_found_error", "message": "no"},
        "request_id": None,
    },
    "gemini": {"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}},
}


def written(frames: Iterable[Frame], end: str = "\n") -> bytes:
    """Write frames as a stream, with this line end."""
    out = ""
    for kind, value in frames:
        data = value if isinstance(value, str) else json.dumps(value)
        out += f"event: {kind}{end}" if kind else ""
        out += f"data: {data}{end}{end}"
    return out.encode()
