"""Features of Anthropic Messages (https://platform.claude.com/docs/en/api/messages, 2026-11-25)."""

from __future__ import annotations

from typing import Any, Final

from flo2.testing.features import PIXEL, Feature, Features

__all__ = ["ANTHROPIC_MESSAGES"]

_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOL: Final = {"name": "weather", "description": "Tells it.", "input_schema": _SCHEMA}
_USER: Final = {"role": "user", "content": "Hi"}
_CALL: Final = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
_CACHE: Final = {"type": "ephemeral"}
_IMAGE: Final = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
}


def _turns(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*messages]}


def _blocks(*blocks: dict[str, Any]) -> dict[str, Any]:
    return _turns({"role": "user", "content": [{"type": "text", "text": "Look:"}, *blocks]})


def _result(content: Any, **more: Any) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **more}
    called = {"role": "assistant", "content": [_CALL]}
    return {"tools": [_TOOL], **_turns(_USER, called, {"role": "user", "content": [result]})}


def _document(**source: Any) -> dict[str, Any]:
    return _blocks({"type": "document", "source": source})


def _answer(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {"content": [*blocks], "stop_reason": stop, **more}


_TEXT: Final = {"type": "text", "text": "Hi"}
_USAGE: Final = {"input_tokens": 10, "output_tokens": 5}

_CLAUDE_CODE: Final[dict[str, Any]] = {
    "max_tokens": 32000,
    "stream": True,
    "system": [
        {
            "type": "text",
            "text": "x-anthropic-billing-header: cc_version=1.0.0; cc_entrypoint=cli;",
        },
        {"type": "text", "text": "You help.", "cache_control": _CACHE},
    ],
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": '{"device_id":"d","account_uuid":"a","session_id":"s"}'},
    "tools": [{**_TOOL, "input_schema": {"$schema": "https://json-schema.org", **_SCHEMA}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look.", "cache_control": _CACHE}]},
        {"role": "system", "content": [{"type": "text", "text": "Be.", "cache_control": _CACHE}]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "", "signature": "c2VhbA=="}, _CALL],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [_IMAGE],
                    "cache_control": _CACHE,
                }
            ],
        },
    ],
}
"""What Claude Code 2.1 sends in a tool loop, with less of everything."""

ANTHROPIC_MESSAGES: Final = Features(
    dialect="anthropic.messages",
    request={"model": "m", "max_tokens": 100, "messages": [_USER]},
    answer={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        **_answer(_TEXT),
        "stop_sequence": None,
        "usage": _USAGE,
    },
    asks=(
        Feature("`system` as text", {"system": "Be."}),
        Feature("`system` as blocks", {"system": [{"type": "text", "text": "Be."}]}),
        Feature(
            "`system` message in mid-conversation",
            _turns(
                _USER,
                {"role": "assistant", "content": "Hello"},
                {"role": "system", "content": "Be."},
                _USER,
            ),
        ),
        Feature(
            "`cache_control`",
            {"system": [{"type": "text", "text": "Be.", "cache_control": _CACHE}]},
        ),
        Feature(
            "image by URL",
            _blocks({"type": "image", "source": {"type": "url", "url": "https://example.com/a"}}),
        ),
        Feature("image by value", _blocks(_IMAGE)),
        Feature(
            "image by file id",
            _blocks({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        ),
        Feature(
            "PDF by value",
            _document(type="base64", media_type="application/pdf", data="JVBERi0xLjQK"),
        ),
        Feature("PDF by URL", _document(type="url", url="https://example.com/a.pdf")),
        Feature("text document", _document(type="text", media_type="text/plain", data="Words")),
        Feature(
            "document with citations",
            _blocks(
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "Words"},
                    "citations": {"enabled": True},
                }
            ),
        ),
        Feature(
            "`search_result` block",
            _blocks(
                {
                    "type": "search_result",
                    "source": "https://example.com",
                    "title": "Example",
                    "content": [{"type": "text", "text": "Words"}],
                }
            ),
        ),
        Feature("`tools`", {"tools": [_TOOL]}),
        Feature("`tools[].strict`", {"tools": [{**_TOOL, "strict": True}]}),
        Feature(
            "server tool (web search)",
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        ),
        Feature("`tool_choice: any`", {"tools": [_TOOL], "tool_choice": {"type": "any"}}),
        Feature("`tool_choice: none`", {"tools": [_TOOL], "tool_choice": {"type": "none"}}),
        Feature(
            "`tool_choice: tool`",
            {"tools": [_TOOL], "tool_choice": {"type": "tool", "name": "weather"}},
        ),
        Feature(
            "`disable_parallel_tool_use`",
            {
                "tools": [_TOOL],
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            },
        ),
        Feature("tool result as text", _result("Rain")),
        Feature("tool result with an image", _result([_IMAGE])),
        Feature("tool result that is an error", _result("No such city", is_error=True)),
        Feature(
            "`output_config.format` (JSON schema)",
            {"output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}},
        ),
        Feature("`output_config.effort`", {"output_config": {"effort": "high"}}),
        Feature("`thinking: enabled`", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        Feature("`thinking: adaptive`", {"thinking": {"type": "adaptive"}}),
        Feature(
            "thinking in an earlier turn, with its signature",
            _turns(
                _USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "So.", "signature": "c2VhbA=="},
                        _TEXT,
                    ],
                },
                _USER,
            ),
        ),
        Feature(
            "redacted thinking in an earlier turn",
            _turns(
                _USER,
                {
                    "role": "assistant",
                    "content": [{"type": "redacted_thinking", "data": "c2VhbA=="}, _TEXT],
                },
                _USER,
            ),
        ),
        Feature("`temperature`", {"temperature": 0.5}),
        Feature("`top_p`", {"top_p": 0.5}),
        Feature("`top_k`", {"top_k": 40}),
        Feature("`stop_sequences`", {"stop_sequences": ["END"]}),
        Feature("`service_tier`", {"service_tier": "standard_only"}),
        Feature("`metadata.user_id`", {"metadata": {"user_id": "user-1"}}),
        Feature("`container`", {"container": "container_1"}),
        Feature(
            "`context_management`",
            {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
        ),
        Feature(
            "`mcp_servers`",
            {"mcp_servers": [{"type": "url", "url": "https://example.com/mcp", "name": "m"}]},
        ),
        Feature(
            "assistant's turn at the end (prefill)",
            _turns(_USER, {"role": "assistant", "content": "{"}),
        ),
        Feature("`cache_control` at the top", {"cache_control": _CACHE}),
        Feature("`tools[].cache_control`", {"tools": [{**_TOOL, "cache_control": _CACHE}]}),
        Feature("`tools[].defer_loading`", {"tools": [{**_TOOL, "defer_loading": True}]}),
        Feature(
            "tool result with a `tool_reference`",
            _result([{"type": "tool_reference", "tool_name": "weather"}]),
        ),
        Feature(
            "`thinking.display: omitted`",
            {"thinking": {"type": "adaptive", "display": "omitted"}},
        ),
        Feature(
            "`thinking.display: updates`",
            {"thinking": {"type": "adaptive", "display": "updates"}},
        ),
        Feature("a turn of Claude Code", _CLAUDE_CODE),
        Feature("a field nobody has modelled", {"invented": True}),
    ),
    tells=(
        Feature("text", _answer({"type": "text", "text": "Hello"})),
        Feature("tool call", _answer(_CALL, stop="tool_use")),
        Feature(
            "thinking with its signature",
            _answer({"type": "thinking", "thinking": "So.", "signature": "c2VhbA=="}, _TEXT),
        ),
        Feature(
            "redacted thinking", _answer({"type": "redacted_thinking", "data": "c2VhbA=="}, _TEXT)
        ),
        Feature(
            "citations",
            _answer(
                {
                    **_TEXT,
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "url": "https://example.com",
                            "title": "Example",
                            "encrypted_index": "aQ==",
                            "cited_text": "Hi",
                        }
                    ],
                }
            ),
        ),
        Feature(
            "server tool call and its result",
            _answer(
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "web_search",
                    "input": {"query": "q"},
                },
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                _TEXT,
            ),
        ),
        Feature("`stop_reason: max_tokens`", _answer(_TEXT, stop="max_tokens")),
        Feature(
            "`stop_reason: stop_sequence`",
            _answer(_TEXT, stop="stop_sequence", stop_sequence="END"),
        ),
        Feature("`stop_reason: refusal`", _answer(_TEXT, stop="refusal")),
        Feature("`stop_reason: pause_turn`", _answer(_TEXT, stop="pause_turn")),
        Feature(
            "`stop_reason: model_context_window_exceeded`",
            _answer(_TEXT, stop="model_context_window_exceeded"),
        ),
        Feature("cache reads", {"usage": {**_USAGE, "cache_read_input_tokens": 4}}),
        Feature(
            "cache writes",
            {
                "usage": {
                    **_USAGE,
                    "cache_creation_input_tokens": 3,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 1,
                        "ephemeral_1h_input_tokens": 2,
                    },
                }
            },
        ),
        Feature(
            "web searches", {"usage": {**_USAGE, "server_tool_use": {"web_search_requests": 1}}}
        ),
        Feature("`service_tier`", {"usage": {**_USAGE, "service_tier": "standard"}}),
    ),
)
