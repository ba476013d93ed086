"""What a request means on both sides of a translation, less the losses that were named.

`without(request, losses)` takes out of a request what a dialect said it would lose; `same_form`
forgets spellings that differ between dialects and mean the same. So "B holds A minus exactly the
listed losses" is `same_form(parsed_by_b) == same_form(without(a, losses))`.
Imports: canonical.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve

from flo2.canonical import (
    File,
    Image,
    Loss,
    Message,
    Opaque,
    OpaqueTool,
    Part,
    Refusal,
    Request,
    ResponseFormat,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

__all__ = ["same_form", "unasked", "without"]

_WHOLE = frozenset(
    {"response_format", "metadata", "service_tier", "end_user", "parallel_tool_calls"}
)
_FOLLOWS = "follows in a message"
_STEP = re.compile(r"([a-z_]+)(?:\[(\d+)\])?")


def unasked(request: Request) -> Request:
    """Forget what is so without being asked for, and a name that OpenAI demands of every file."""
    messages = tuple(
        evolve(
            message,
            content=tuple(
                evolve(part, filename=None)
                if isinstance(part, File) and part.filename == "document.pdf"
                else part
                for part in message.content
            ),
        )
        for message in request.messages
    )
    tools = tuple(
        evolve(tool, strict=tool.strict or None) if isinstance(tool, Tool) else tool
        for tool in request.tools
    )
    parallel = None if request.parallel_tool_calls else request.parallel_tool_calls
    # That nothing is to be kept, and encrypted reasoning wanted, is flo2's to say.
    extras = {key: each for key, each in request.extras.items() if key not in {"store", "include"}}
    return evolve(
        request, messages=messages, tools=tools, parallel_tool_calls=parallel, extras=extras
    )


def without(request: Request, losses: Iterable[Loss]) -> Request:
    """Take out what was lost, and change what a note says was written otherwise.

    Raises:
        KeyError: a loss whose path or note is not known here: teach it, or the loss is wrong.
    """
    edits: dict[str, Loss] = {loss.path: loss for loss in losses}
    sampling = request.sampling
    fields: dict[str, Any] = {}
    for path, loss in edits.items():
        head = _STEP.match(path)
        name = head[1] if head else path
        if name in {"messages", "tools", "stop", "system"}:
            continue
        if name == "max_tokens":
            found = re.search(r"set to (\d+)", loss.reason)
            sampling = evolve(sampling, max_output_tokens=int(found[1]) if found else None)
        elif hasattr(sampling, path):
            nothing: dict[str, Any] = {path: None}
            sampling = evolve(sampling, **nothing)
        elif path == "reasoning_effort" and request.reasoning is not None:
            effort = next((word for word in ("low", "high") if f"as {word!r}" in loss.reason), None)
            fields["reasoning"] = evolve(request.reasoning, effort=effort)
        elif path == "reasoning.display" and request.reasoning is not None:
            shown = "summarized" if "asked for" in loss.reason else None
            fields["reasoning"] = evolve(request.reasoning, display=shown)
        elif path in _WHOLE:
            fields[path] = None
        elif path.startswith("response_format.") and request.response_format is not None:
            before = fields.get("response_format", request.response_format)
            assert isinstance(before, ResponseFormat)  # noqa: S101  # narrows for mypy
            nothing = {path.partition(".")[2]: None}
            fields["response_format"] = evolve(before, **nothing)
        elif path in request.extras:
            kept = {key: each for key, each in request.extras.items() if key not in edits}
            fields["extras"] = kept
        else:
            raise KeyError(f"{path}: {loss.reason}")
    stop = tuple(word for i, word in enumerate(sampling.stop) if f"stop[{i}]" not in edits)
    messages = (
        (i, _message(message, f"messages[{i}]", edits))
        for i, message in enumerate(request.messages)
        if edits.get(f"messages[{i}]", Loss("", "joined")).reason.startswith(("joined", "content"))
    )
    tools = (
        _tool(tool, f"tools[{i}]", edits)
        for i, tool in enumerate(request.tools)
        if f"tools[{i}]" not in edits
    )
    return evolve(
        request,
        sampling=evolve(sampling, stop=stop),
        messages=tuple(_beside(messages, edits)),
        tools=tuple(tools),
        **fields,
    )


def _beside(messages: Iterable[tuple[int, Message]], edits: dict[str, Loss]) -> Iterator[Message]:
    """Move what tools gave beside text behind the results of their turn, where a note says so."""
    moved: list[Part] = []
    for i, message in messages:
        if message.role != "tool" and moved:
            yield Message("user", tuple(moved))
            moved = []
        content: list[Part] = []
        for j, part in enumerate(message.content):
            at = f"messages[{i}].content[{j}].content["
            gone = sum(path.startswith(at) and _FOLLOWS in edits[path].reason for path in edits)
            if isinstance(part, ToolResult) and gone:
                moved += [Text(f"From the tool call {part.call_id}:"), *part.content[-gone:]]
                part = evolve(part, content=part.content[:-gone])  # noqa: PLW2901
            content.append(part)
        yield evolve(message, content=tuple(content))
    if moved:
        yield Message("user", tuple(moved))


def _tool(tool: Tool | OpaqueTool, path: str, edits: dict[str, Loss]) -> Tool | OpaqueTool:
    if not isinstance(tool, Tool):
        return tool
    if f"{path}.kind" in edits:  # of free text, and sent as a function of one text
        text = {"type": "string", "description": "The tool's whole input, as free text."}
        schema = {"type": "object", "properties": {"input": text}, "required": ["input"]}
        tool = evolve(tool, kind="function", parameters=schema)
    return evolve(tool, strict=None) if f"{path}.strict" in edits else tool


def _message(message: Message, path: str, edits: dict[str, Loss]) -> Message:
    name = None if f"{path}.name" in edits else message.name
    content = _parts(message.content, f"{path}.content", edits)
    return evolve(message, name=name, content=content)


def _parts(parts: tuple[Part, ...], path: str, edits: dict[str, Loss]) -> tuple[Part, ...]:
    written = (_part(part, f"{path}[{i}]", edits) for i, part in enumerate(parts))
    return tuple(part for part in written if part is not None)


def _part(part: Part, path: str, edits: dict[str, Loss]) -> Part | None:
    if path in edits and edits[path].severity != "note":
        return None
    changed: dict[str, Any] = {
        name: None
        for name in ("cache", "detail", "name", "signature", "context", "filename")
        if f"{path}.{name}" in edits and hasattr(part, name)
    }
    if f"{path}.citations" in edits:
        changed["citations"] = () if isinstance(part, Text) else None
    if isinstance(part, ToolResult):
        paths = [f"{path}.content[{i}]" for i in range(len(part.content))]
        content = _parts(part.content, f"{path}.content", edits)
        moved = [_FOLLOWS in edits[each].reason for each in paths if each in edits]
        follows = tuple(each for each in content if not _is_text(each)) if any(moved) else ()
        content = tuple(each for each in content if each not in follows)
        if follows and not content:
            content = (Text("See the message after the tools' results."),)
        if f"{path}.is_error" in edits:
            changed["is_error"] = None
            content = _prefixed(content)
        changed["content"] = (*content, *follows)
    return evolve(part, **changed) if changed else part


def _is_text(part: Part) -> bool:
    return isinstance(part, Text) or (isinstance(part, File) and part.text is not None)


def _prefixed(content: tuple[Part, ...]) -> tuple[Part, ...]:
    match content:
        case (Text() as first, *rest):
            return (evolve(first, text=f"Error: {first.text}"), *rest)
        case _:
            return (Text("Error: "), *content)


def same_form(request: Request) -> Request:
    """Forget what only spelling tells apart."""
    messages: list[Message] = []
    for message in request.messages:
        role = "system" if message.role == "developer" else message.role
        content = tuple(_spelled(part) for part in message.content if _says_something(part))
        if not content:
            continue
        leading = all(earlier.role == "system" for earlier in messages)
        joins = role in {"tool", "assistant"} or (role == "system" and leading)
        if joins and messages and messages[-1].role == role:
            content = (*messages[-1].content, *content)
            messages.pop()
        messages.append(Message(role, content, message.name))
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    tools = request.tools
    if not tools:
        choice = parallel = None
    elif choice is None and parallel is False:
        choice = ToolChoice("auto")
    elif choice is None or choice.mode == "none":
        parallel = None
    form = request.response_format
    if form is not None and form.kind == "text":
        form = None
    reasoning = request.reasoning
    if reasoning is not None and (reasoning.mode, reasoning.effort) == (None, None):
        reasoning = None
    return evolve(
        request,
        messages=tuple(messages),
        # Where one dialect says nothing of a schema that is not strict, another must say so.
        tools=tuple(
            evolve(t, strict=t.strict or None) if isinstance(t, Tool) else t for t in tools
        ),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=None if form is None else evolve(form, name=None),
        reasoning=reasoning,
        sampling=_neutral(request.sampling),
        include_usage=None,
        origin="",
    )


def _says_something(part: Part) -> bool:
    return part != Text("") and not (isinstance(part, Opaque) and part.aside)


def _spelled(part: Part) -> Part:
    match part:
        case ToolCall():
            return evolve(part, arguments=json.dumps(json.loads(part.arguments or "{}")))
        case ToolResult():
            said = [each for each in part.content if each != Text("")]
            # Some dialects write what a tool said first; all know by the call what its name is.
            texts = [each for each in said if isinstance(each, Text)]
            media = [_spelled(each) for each in said if not isinstance(each, Text)]
            return evolve(part, content=(*texts, *media), plain=False, name=None)
        case Refusal():
            return Text(part.text)
        case Image(detail="auto"):
            return _spelled(evolve(part, detail=None))
        case Image(url=str()):
            return evolve(part, media_type=None)  # told by the address, where it is
        case _:
            return part


def _neutral(sampling: Sampling) -> Sampling:
    """Leave out values that ask for what happens anyway."""
    return evolve(
        sampling,
        max_output_field=None,
        stop_as_text=False,
        n=None if sampling.n == 1 else sampling.n,
        presence_penalty=sampling.presence_penalty or None,
        frequency_penalty=sampling.frequency_penalty or None,
        logit_bias=sampling.logit_bias or None,
        logprobs=sampling.logprobs or None,
        top_logprobs=sampling.top_logprobs or None,
    )
