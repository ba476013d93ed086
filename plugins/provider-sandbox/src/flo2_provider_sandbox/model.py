"""The simulated model: from a request to what it answers. Pure and deterministic. Imports: flo2.

It understands nothing. It says what it is and repeats the question; it calls a tool when it must,
or when the last message says `call <tool>`; asked for JSON, it gives the smallest that fits.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from attrs import frozen

from flo2 import (
    ProviderError,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from flo2_provider_sandbox.instance import NoInstanceError, instance

__all__ = ["CHARACTERS_A_TOKEN", "Said", "answer", "count_tokens", "input_tokens"]

CHARACTERS_A_TOKEN: Final = 4
_IMAGE_TOKENS: Final = 85
_QUOTE: Final = 400

Finish = Literal["stop", "stop_sequence", "length", "tool_calls"]


@frozen
class Said:
    """One answer.

    Attributes:
        part: A Text or a ToolCall.
        finish: Why it ends.
        stop_sequence: The one that was hit.
    """

    part: Text | ToolCall
    finish: Finish
    stop_sequence: str | None = None

    @property
    def text(self) -> str:
        """What is streamed: the text, or the arguments of the call."""
        return self.part.text if isinstance(self.part, Text) else self.part.arguments


def count_tokens(text: str) -> int:
    """Count: four characters are a token, begun ones count whole."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def input_tokens(request: Request) -> int:
    """Count a prompt: its texts and tools by characters, 85 for anything that is no text."""
    total = 0
    for message in request.messages:
        for part in message.content:
            total += _part_tokens(part)
    for tool in request.tools:
        if isinstance(tool, Tool):
            total += count_tokens(tool.name + (tool.description or "") + _dump(tool.parameters))
    return max(total, 1)


def _part_tokens(part: Any) -> int:
    if isinstance(part, ToolResult):
        return sum(_part_tokens(inner) for inner in part.content)
    text = getattr(part, "arguments", None) or getattr(part, "text", None)
    return count_tokens(text) if isinstance(text, str) and text else _IMAGE_TOKENS


def answer(request: Request, model: str) -> Said:
    """Answer a request.

    Raises:
        ProviderError: there is a schema nothing fits, or a tool is demanded that is not offered.
    """
    try:
        if (tool := _tool(request)) is not None:
            arguments = _dump(instance(tool.parameters or {"type": "object"}, _question(request)))
            call_id = f"call_sandbox{count_tokens(arguments) + len(request.messages):06d}"
            return _bounded(request, ToolCall(call_id, tool.name, arguments), "tool_calls")
        return _bounded(request, Text(_words(request, model)), "stop")
    except NoInstanceError as exc:
        raise ProviderError(
            f"the sandbox finds nothing that fits the JSON schema: {exc}",
            provider="sandbox",
            status=400,
            kind="invalid_request",
            code="invalid_schema",
        ) from exc


def _bounded(request: Request, part: Text | ToolCall, finish: Finish) -> Said:
    """Keep the bounds: stop sequences, then the number of tokens."""
    said = Said(part, finish)
    hit: str | None = None
    text = said.text
    if isinstance(part, Text):
        found = [(text.find(stop), stop) for stop in request.sampling.stop if stop in text]
        if found:
            at, hit = min(found)
            text, finish = text[:at], "stop_sequence"
    most = request.sampling.max_output_tokens
    if most is not None and count_tokens(text) > most:
        text, finish, hit = text[: most * CHARACTERS_A_TOKEN], "length", None
    if isinstance(part, Text):
        return Said(Text(text), finish, hit)
    return Said(ToolCall(part.id, part.name, text), finish, hit)


def _tool(request: Request) -> Tool | None:
    """Choose the tool to call, or None to speak."""
    tools = {tool.name: tool for tool in request.tools if isinstance(tool, Tool)}
    choice = request.tool_choice
    mode = "auto" if choice is None else choice.mode
    if mode == "tool":
        name = "" if choice is None or choice.name is None else choice.name
        if name not in tools:
            raise ProviderError(
                f"tool {name!r} is demanded and not offered",
                provider="sandbox",
                status=400,
                kind="invalid_request",
                param="tool_choice",
            )
        return tools[name]
    if mode == "none" or not tools:
        return None
    question = _question(request).lower()
    named = next((tool for name, tool in tools.items() if f"call {name.lower()}" in question), None)
    if named is not None and not _just_answered(request):
        return named
    return next(iter(tools.values())) if mode == "required" else None


def _just_answered(request: Request) -> bool:
    """Whether the conversation ends with a tool's result."""
    last = request.messages[-1].content if request.messages else ()
    return any(isinstance(part, ToolResult) for part in last)


def _words(request: Request, model: str) -> str:
    form = request.response_format
    if form is not None and form.kind == "json_schema":
        return _dump(instance(form.schema or {}, _question(request) or "sandbox"))
    question = _question(request)
    if form is not None and form.kind == "json_object":
        return _dump({"simulated": True, "you_said": question})
    told = f"This is {model}, a simulated model of the flo2 sandbox: no provider was called."
    if _just_answered(request):
        return f"{told} The tool answered: {_result(request)}"
    return f"{told} You said: {question}" if question else told


def _question(request: Request) -> str:
    """Give the text of the last user message, its beginning if it is long."""
    for message in reversed(request.messages):
        if message.role == "user":
            text = " ".join(part.text for part in message.content if isinstance(part, Text))
            if text:
                return text if len(text) <= _QUOTE else text[:_QUOTE] + "…"
    return ""


def _result(request: Request) -> str:
    results = [p for p in request.messages[-1].content if isinstance(p, ToolResult)]
    inner = [part.text for part in results[-1].content if isinstance(part, Text)]
    return " ".join(inner)[:_QUOTE] or "nothing"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
