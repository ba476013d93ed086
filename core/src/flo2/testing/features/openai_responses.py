"""Features of OpenAI Responses (https://platform.openai.com/docs/api-reference/responses).

Read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.testing.features import PIXEL, Feature, Features

__all__ = ["OPENAI_RESPONSES"]

_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOL: Final = {
    "type": "function",
    "name": "weather",
    "description": "Tells it.",
    "parameters": _SCHEMA,
    "strict": False,
}
_USER: Final = {"role": "user", "content": "Hi"}
_CALL: Final = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Oslo"}',
    "status": "completed",
}
_GRAMMAR: Final = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
_PATCH: Final = {"type": "custom", "name": "patch", "description": "P.", "format": _GRAMMAR}
_CUSTOM: Final = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "call_1",
    "name": "patch",
    "input": "words",
    "status": "completed",
}
_SEARCHED: Final = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}


def _input(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": [*items]}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return _input({"role": "user", "content": [{"type": "input_text", "text": "Look:"}, *parts]})


def _result(output: Any) -> dict[str, Any]:
    told = {"type": "function_call_output", "call_id": "call_1", "output": output}
    return {"tools": [_TOOL], **_input(_USER, _CALL, told)}


def _reasoning(**more: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], **more}


def _said(text: str = "Hi", **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}
    return {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _cut(reason: str) -> dict[str, Any]:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


def _usage(cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": 15,
    }


_FINDER: Final = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}
_FOUND: Final = (
    {
        "type": "tool_search_call",
        "call_id": "call_2",
        "execution": "client",
        "arguments": {"query": "weather"},
    },
    {"type": "tool_search_output", "call_id": "call_2", "execution": "client", "tools": [_TOOL]},
)
_CODEX: Final[dict[str, Any]] = {
    "stream": True,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "parallel_tool_calls": True,
    "prompt_cache_key": "k",
    "client_metadata": {"session": "1"},
    "reasoning": {"effort": "medium", "summary": "auto"},
    "text": {"verbosity": "low"},
    "tool_choice": "auto",
    "tools": [
        _TOOL,
        _PATCH,
        {"type": "namespace", "name": "mcp__docs", "description": "D.", "tools": [_TOOL]},
        {"type": "web_search", "external_web_access": False},
        _FINDER,
    ],
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Be."}],
        },
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "So."}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        _reasoning(encrypted_content="c2VhbA=="),
        {**_CALL, "namespace": "mcp__docs"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Rain"},
        *_FOUND,
    ],
}
"""What Codex 0.169 sends in a tool loop, with less of everything."""

OPENAI_RESPONSES: Final = Features(
    dialect="openai.responses",
    request={"model": "m", "input": [_USER]},
    answer={
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "m",
        "output": [_said()],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        "temperature": 1,
        "top_p": 1,
        "usage": _usage(),
    },
    asks=(
        Feature("`input` as text", {"input": "Hi"}),
        Feature("`instructions`", {"instructions": "Be."}),
        Feature(
            "leading `developer` message", _input({"role": "developer", "content": "Be."}, _USER)
        ),
        Feature(
            "`developer` message in mid-conversation",
            _input(
                _USER,
                {"role": "assistant", "content": "Hello"},
                {"role": "developer", "content": "Be."},
                _USER,
            ),
        ),
        Feature(
            "image by URL", _parts({"type": "input_image", "image_url": "https://example.com/a"})
        ),
        Feature(
            "image by value",
            _parts({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}),
        ),
        Feature("image by file id", _parts({"type": "input_image", "file_id": "file-1"})),
        Feature(
            "PDF by value",
            _parts(
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,JVBERi0xLjQK",
                }
            ),
        ),
        Feature(
            "file by URL", _parts({"type": "input_file", "file_url": "https://example.com/a.pdf"})
        ),
        Feature("file by id", _parts({"type": "input_file", "file_id": "file-1"})),
        Feature(
            "audio",
            _parts({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        ),
        Feature("`tools` (functions)", {"tools": [_TOOL]}),
        Feature("`tools[].strict`", {"tools": [{**_TOOL, "strict": True}]}),
        Feature("`tools` (custom with a grammar)", {"tools": [_PATCH]}),
        Feature(
            "`tools` (namespace)",
            {"tools": [{"type": "namespace", "name": "n", "description": "N.", "tools": [_TOOL]}]},
        ),
        Feature("`tools` (web search)", {"tools": [{"type": "web_search"}]}),
        Feature("`tool_choice: required`", {"tools": [_TOOL], "tool_choice": "required"}),
        Feature("`tool_choice: none`", {"tools": [_TOOL], "tool_choice": "none"}),
        Feature(
            "`tool_choice` of one function",
            {"tools": [_TOOL], "tool_choice": {"type": "function", "name": "weather"}},
        ),
        Feature("`parallel_tool_calls: false`", {"tools": [_TOOL], "parallel_tool_calls": False}),
        Feature("function call and its result", _result("Rain")),
        Feature(
            "function result with an image",
            _result([{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]),
        ),
        Feature(
            "custom tool call and its result",
            {
                "tools": [_PATCH],
                **_input(
                    _USER,
                    _CUSTOM,
                    {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
                ),
            },
        ),
        Feature(
            "reasoning item with encrypted content",
            _input(_USER, _reasoning(encrypted_content="c2VhbA=="), _said(), _USER),
        ),
        Feature(
            "reasoning item with a summary",
            _input(
                _USER,
                _reasoning(summary=[{"type": "summary_text", "text": "So."}]),
                _said(),
                _USER,
            ),
        ),
        Feature(
            "`text.format: json_schema`",
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "place",
                        "schema": _SCHEMA,
                        "strict": True,
                    }
                }
            },
        ),
        Feature("`text.format: json_object`", {"text": {"format": {"type": "json_object"}}}),
        Feature("`text.verbosity`", {"text": {"verbosity": "low"}}),
        Feature("`reasoning.effort`", {"reasoning": {"effort": "high"}}),
        Feature("`reasoning.summary`", {"reasoning": {"summary": "auto"}}),
        Feature("`max_output_tokens`", {"max_output_tokens": 100}),
        Feature("`temperature`", {"temperature": 0.5}),
        Feature("`top_p`", {"top_p": 0.5}),
        Feature("`top_logprobs`", {"top_logprobs": 2}),
        Feature("`include`", {"include": ["reasoning.encrypted_content"]}),
        Feature("`store: false`", {"store": False}),
        Feature("`previous_response_id`", {"previous_response_id": "resp_0"}),
        Feature("`conversation`", {"conversation": "conv_1"}),
        Feature("`truncation: auto`", {"truncation": "auto"}),
        Feature("`service_tier`", {"service_tier": "flex"}),
        Feature("`prompt_cache_key`", {"prompt_cache_key": "k"}),
        Feature("`safety_identifier`", {"safety_identifier": "user-1"}),
        Feature("`metadata`", {"metadata": {"job": "1"}}),
        Feature("`client_metadata`", {"client_metadata": {"session": "1"}}),
        Feature(
            "`tools` (tool search by the client)", {"tools": [_FINDER], **_input(_USER, *_FOUND)}
        ),
        Feature("a turn of Codex", _CODEX),
        Feature("a field nobody has modelled", {"invented": True}),
    ),
    tells=(
        Feature("text", {"output": [_said("Hello")]}),
        Feature("function call", {"output": [_CALL]}),
        Feature("custom tool call", {"output": [_CUSTOM]}),
        Feature(
            "reasoning with encrypted content",
            {"output": [_reasoning(encrypted_content="c2VhbA=="), _said()]},
        ),
        Feature(
            "reasoning with a summary",
            {
                "output": [
                    _reasoning(summary=[{"type": "summary_text", "text": "So."}]),
                    _said(),
                ]
            },
        ),
        Feature(
            "refusal",
            {"output": [{**_said(), "content": [{"type": "refusal", "refusal": "No."}]}]},
        ),
        Feature(
            "annotations",
            {
                "output": [
                    _said(
                        annotations=[
                            {
                                "type": "url_citation",
                                "start_index": 0,
                                "end_index": 2,
                                "url": "https://example.com",
                                "title": "Example",
                            }
                        ]
                    )
                ]
            },
        ),
        Feature("web search call", {"output": [_SEARCHED, _said()]}),
        Feature("`incomplete`: max_output_tokens", _cut("max_output_tokens")),
        Feature("`incomplete`: content_filter", _cut("content_filter")),
        Feature("cached tokens", {"usage": _usage(cached=4)}),
        Feature("reasoning tokens", {"usage": _usage(reasoning=2)}),
        Feature("`service_tier`", {"service_tier": "priority"}),
    ),
)
