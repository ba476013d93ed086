"""Features of OpenAI Chat: https://platform.openai.com/docs/api-reference/chat.

Read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.testing.features import PIXEL, Feature, Features

__all__ = ["OPENAI_CHAT"]

_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": _SCHEMA},
}
_USER: Final = {"role": "user", "content": "Hi"}
_CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
}


def _turns(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*messages]}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return _turns({"role": "user", "content": [{"type": "text", "text": "Look:"}, *parts]})


def _answer(finish: str = "stop", /, **message: Any) -> dict[str, Any]:
    told = {"role": "assistant", "content": "Hi", "refusal": None, **message}
    return {
        "choices": [{"index": 0, "message": told, "finish_reason": finish, "logprobs": None}],
    }


_USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}

OPENAI_CHAT: Final = Features(
    dialect="openai.chat",
    request={"model": "m", "messages": [_USER]},
    answer={
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "m",
        **_answer(),
        "usage": _USAGE,
    },
    asks=(
        Feature("leading `system` message", _turns({"role": "system", "content": "Be."}, _USER)),
        Feature(
            "leading `developer` message", _turns({"role": "developer", "content": "Be."}, _USER)
        ),
        Feature(
            "`system` message in mid-conversation",
            _turns(
                _USER,
                {"role": "assistant", "content": "Hello"},
                {"role": "system", "content": "Be."},
                _USER,
            ),
        ),
        Feature("`messages[].name`", _turns({**_USER, "name": "ann"})),
        Feature(
            "image by URL",
            _parts({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        ),
        Feature(
            "image by value",
            _parts({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}),
        ),
        Feature(
            "`image_url.detail`",
            _parts(
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                }
            ),
        ),
        Feature(
            "PDF by value",
            _parts(
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBERi0xLjQK",
                    },
                }
            ),
        ),
        Feature("file by id", _parts({"type": "file", "file": {"file_id": "file-1"}})),
        Feature(
            "audio",
            _parts({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        ),
        Feature("`tools` (functions)", {"tools": [_TOOL]}),
        Feature(
            "`tools[].function.strict`",
            {"tools": [{**_TOOL, "function": {**_TOOL["function"], "strict": True}}]},
        ),
        Feature("`tools` (custom)", {"tools": [{"type": "custom", "custom": {"name": "sql"}}]}),
        Feature("`tool_choice: required`", {"tools": [_TOOL], "tool_choice": "required"}),
        Feature("`tool_choice: none`", {"tools": [_TOOL], "tool_choice": "none"}),
        Feature(
            "`tool_choice` of one function",
            {
                "tools": [_TOOL],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
        ),
        Feature("`parallel_tool_calls: false`", {"tools": [_TOOL], "parallel_tool_calls": False}),
        Feature(
            "tool call and its result",
            {
                "tools": [_TOOL],
                **_turns(
                    _USER,
                    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
                ),
            },
        ),
        Feature(
            "refusal in an earlier turn",
            _turns(_USER, {"role": "assistant", "content": None, "refusal": "No."}, _USER),
        ),
        Feature("`response_format: json_object`", {"response_format": {"type": "json_object"}}),
        Feature(
            "`response_format: json_schema`",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
                }
            },
        ),
        Feature("`max_completion_tokens`", {"max_completion_tokens": 100}),
        Feature("`max_tokens`", {"max_tokens": 100}),
        Feature("`temperature`", {"temperature": 0.5}),
        Feature("`temperature` above 1", {"temperature": 1.5}),
        Feature("`top_p`", {"top_p": 0.5}),
        Feature("`stop`", {"stop": ["END"]}),
        Feature("`seed`", {"seed": 7}),
        Feature("`n`", {"n": 2}),
        Feature("`presence_penalty`", {"presence_penalty": 0.5}),
        Feature("`frequency_penalty`", {"frequency_penalty": 0.5}),
        Feature("`logit_bias`", {"logit_bias": {"50256": -100}}),
        Feature("`logprobs`, `top_logprobs`", {"logprobs": True, "top_logprobs": 2}),
        Feature("`reasoning_effort`", {"reasoning_effort": "high"}),
        Feature("`service_tier`", {"service_tier": "flex"}),
        Feature("`user`", {"user": "user-1"}),
        Feature("`metadata`", {"metadata": {"job": "1"}}),
        Feature("`prompt_cache_key`", {"prompt_cache_key": "k"}),
        Feature("`verbosity`", {"verbosity": "low"}),
        Feature("`prediction`", {"prediction": {"type": "content", "content": "Hi"}}),
        Feature("`web_search_options`", {"web_search_options": {}}),
        Feature(
            "`modalities`, `audio`",
            {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
        ),
        Feature("`store`", {"store": True}),
        Feature(
            "assistant's turn at the end (prefill)",
            _turns(_USER, {"role": "assistant", "content": "{"}),
        ),
        Feature(
            "a forced tool in place of a schema (instructor)",
            {
                "tools": [_TOOL],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
                "parallel_tool_calls": False,
                "max_tokens": 100,
            },
        ),
        Feature("a field nobody has modelled", {"invented": True}),
    ),
    tells=(
        Feature("text", _answer(content="Hello")),
        Feature("tool call", _answer("tool_calls", content=None, tool_calls=[_CALL])),
        Feature("refusal", _answer(content=None, refusal="No.")),
        Feature(
            "annotations",
            _answer(
                annotations=[
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0,
                            "end_index": 2,
                            "url": "https://example.com",
                            "title": "Example",
                        },
                    }
                ]
            ),
        ),
        Feature(
            "audio",
            _answer(
                content=None,
                audio={"id": "a1", "data": "UklGRg==", "expires_at": 1, "transcript": "Hi"},
            ),
        ),
        Feature("`reasoning_content` of compatible hosts", _answer(reasoning_content="So.")),
        Feature("`finish_reason: length`", _answer("length")),
        Feature("`finish_reason: content_filter`", _answer("content_filter")),
        Feature(
            "logprobs",
            {
                "choices": [
                    {
                        **_answer()["choices"][0],
                        "logprobs": {
                            "content": [
                                {"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}
                            ],
                            "refusal": None,
                        },
                    }
                ]
            },
        ),
        Feature(
            "cached tokens",
            {"usage": {**_USAGE, "prompt_tokens_details": {"cached_tokens": 4}}},
        ),
        Feature(
            "reasoning tokens",
            {"usage": {**_USAGE, "completion_tokens_details": {"reasoning_tokens": 2}}},
        ),
        Feature("`service_tier`", {"service_tier": "priority"}),
        Feature("`system_fingerprint`", {"system_fingerprint": "fp_1"}),
    ),
)
