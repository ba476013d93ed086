"""Readers of the dialects: JSON objects of an answer to its `Meaning`.

Imports: testing.conformance.meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.testing.conformance.meaning import (
    Finish,
    Meaning,
    arguments,
    error_message,
    joined,
    objects_of,
)
from flo2.testing.conformance.partial_args import PartialArgs

__all__ = ["READERS", "read"]

_Objects = list[dict[str, Any]]

_CHAT_FINISH: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
}
_ANTHROPIC_FINISH: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "filtered",
}
_GEMINI_FINISH: Final[Mapping[str, Finish]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "IMAGE_SAFETY": "filtered",
    "MODEL_ARMOR": "filtered",
}


def read(dialect: str, body: bytes, *, stream: bool) -> Meaning:
    """Read an answer.

    Args:
        dialect: Its name, as in `READERS`.
        body: All of it, or what came of it.
        stream: Whether it is a stream.
    """
    return READERS[dialect](objects_of(body, stream=stream))


def _error_of(objects: _Objects) -> str | None:
    return next((found for value in objects if (found := error_message(value))), None)


def _chat(objects: _Objects) -> Meaning:
    text = refusal = ""
    calls: dict[Any, list[str]] = {}
    finish: str | None = None
    usage = None
    for value in objects:
        told = value.get("usage")
        usage = told if isinstance(told, dict) else usage
        for choice in value.get("choices") or ():
            if choice.get("index"):
                continue
            said = choice.get("message") or choice.get("delta") or {}
            text += joined(said.get("content")) + (choice.get("text") or "")
            refusal += said.get("refusal") or ""
            pieces = [(piece.get("index"), piece) for piece in said.get("tool_calls") or ()]
            if legacy := said.get("function_call"):
                pieces.append(("legacy", {"function": legacy}))
            for position, (index, piece) in enumerate(pieces):
                made = piece.get("function") or piece.get("custom") or {}
                call = calls.setdefault(position if index is None else index, ["", "", ""])
                call[0] += made.get("name") or ""
                call[1] += made.get("arguments") or ""
                call[2] += made.get("input") or ""
            finish = choice.get("finish_reason") or finish
    end = _CHAT_FINISH.get(finish or "")
    return Meaning(
        text + refusal,
        tuple(
            (name, _input(free) if free else arguments(made)) for name, made, free in calls.values()
        ),
        "filtered" if refusal and end == "stop" else _by_calls(end, calls),
        None if usage is None else (usage["prompt_tokens"], usage.get("completion_tokens", 0)),
        _error_of(objects),
    )


def _input(text: str) -> dict[str, str]:
    return {"input": text}


def _by_calls(finish: Finish | None, calls: Any) -> Finish | None:
    # OpenAI says `stop` where the request named the one tool to call, Gemini always.
    return "tool_calls" if finish == "stop" and calls else finish


def _anthropic(objects: _Objects) -> Meaning:
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] | None = None
    finish: str | None = None
    for value in objects:
        kind = value.get("type")
        if kind == "message":
            blocks = dict(enumerate(value.get("content") or ()))
            usage, finish = value.get("usage"), value.get("stop_reason")
        elif kind == "message_start":
            usage = dict(value["message"].get("usage") or {})
        elif kind == "content_block_start":
            blocks[value["index"]] = {**value["content_block"], "json": ""}
        elif kind == "content_block_delta":
            delta, block = value["delta"], blocks.get(value["index"], {})
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["json"] = block.get("json", "") + delta.get("partial_json", "")
        elif kind == "message_delta":
            usage = {**(usage or {}), **(value.get("usage") or {})}
            finish = value["delta"].get("stop_reason") or finish
    texts = [block.get("text") or "" for block in blocks.values() if block["type"] == "text"]
    calls = [
        (block["name"], arguments(block["json"]) if block.get("json") else block["input"])
        for block in blocks.values()
        if block["type"] == "tool_use"
        and (block.get("caller") or {}).get("type") in {None, "direct"}
    ]
    counted = None
    if usage:
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        counted = (sum(usage.get(name) or 0 for name in names), usage.get("output_tokens") or 0)
    end = _ANTHROPIC_FINISH.get(finish or "")
    return Meaning("".join(texts), tuple(calls), end, counted, _error_of(objects))


def _responses(objects: _Objects) -> Meaning:
    whole: dict[str, Any] = {}
    error = None
    for value in objects:
        held = value.get("response") if "response" in value else value
        if isinstance(held, dict) and held.get("object") == "response":
            whole = held
        if value.get("type") == "error" and "message" in value:
            error = str(value["message"])
    text, calls, refused = "", [], False
    for item in whole.get("output") or ():
        kind = item["type"]
        if kind == "message":
            text += joined(item["content"]) + joined(item["content"], key="refusal")
            refused |= any(part["type"] == "refusal" for part in item["content"])
        elif kind == "function_call":
            calls.append((item["name"], arguments(item["arguments"])))
        elif kind == "custom_tool_call":
            calls.append((item["name"], _input(item["input"])))
    reason = (whole.get("incomplete_details") or {}).get("reason")
    finish: Finish | None = None
    if whole.get("status") == "completed":
        finish = "filtered" if refused else _by_calls("stop", calls)
    elif whole.get("status") == "incomplete":
        finish = "filtered" if reason == "content_filter" else "length"
    usage = whole.get("usage")
    return Meaning(
        text,
        tuple(calls),
        finish,
        (usage["input_tokens"], usage["output_tokens"]) if usage else None,
        error or _error_of([*objects, whole]),
    )


def _gemini(objects: _Objects) -> Meaning:
    text, calls, streamed = "", [], PartialArgs()
    finish = usage = None
    for value in objects:
        usage = value.get("usageMetadata") or usage
        if (value.get("promptFeedback") or {}).get("blockReason"):
            finish = "SAFETY"
        for candidate in value.get("candidates") or ():
            if candidate.get("index"):
                continue
            finish = candidate.get("finishReason") or finish
            for part in (candidate.get("content") or {}).get("parts") or ():
                text += "" if part.get("thought") else part.get("text") or ""
                if (call := part.get("functionCall")) is None:
                    continue
                if "name" in call:
                    streamed = PartialArgs()
                    streamed.value |= call.get("args") or {}
                    calls.append((call["name"], streamed.value))
                for piece in call.get("partialArgs") or ():
                    streamed.add(piece)
    end = None if finish is None else _GEMINI_FINISH.get(finish, "stop")
    counted = None
    if usage:
        count = [
            usage.get(name) or 0
            for name in (
                "promptTokenCount",
                "toolUsePromptTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
            )
        ]
        counted = (count[0] + count[1], count[2] + count[3])
    return Meaning(text, tuple(calls), _by_calls(end, calls), counted, _error_of(objects))


def _gemini_vectors(objects: _Objects) -> Meaning:
    vectors = [each["values"] for value in objects for each in value.get("embeddings") or ()]
    return Meaning("", (("vectors", vectors),), "stop", None, _error_of(objects))


def _embeddings(objects: _Objects) -> Meaning:
    vectors = [entry["embedding"] for value in objects for entry in value.get("data") or ()]
    usage = objects[0].get("usage") if objects else None
    counted = (usage["prompt_tokens"], 0) if usage else None
    return Meaning("", (("vectors", vectors),), "stop", counted, _error_of(objects))


READERS: Final = {
    "openai.chat": _chat,
    "openai.completions": _chat,  # `text` in place of a message
    "openai.responses": _responses,
    "anthropic.messages": _anthropic,
    "gemini": _gemini,
    "openai.embeddings": _embeddings,
    "gemini.embeddings": _gemini_vectors,
}
"""By name of the dialect."""
