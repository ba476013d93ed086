"""Write a canonical request as the body of a Converse request, and name what is lost.

Pure. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, read
2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flo2 import Loss, Message, Opaque, Profile, Request, Text, ToolCall, ToolResult
from flo2_provider_bedrock.converse.block_render import Block, BlockWriter
from flo2_provider_bedrock.converse.options_render import (
    render_output,
    render_reasoning,
    render_sampling,
    render_tools,
)

__all__ = ["render_request"]

Body = dict[str, Any]

_SAMPLING: Final[Mapping[str, tuple[str, str]]] = {
    "temperature": ("inferenceConfig", "temperature"),
    "top_p": ("inferenceConfig", "topP"),
    "top_k": ("additionalModelRequestFields", "top_k"),
}
"""Where a field that a profile names stands here."""


def render_request(
    request: Request, *, model: str, profile: Profile
) -> tuple[Body, tuple[Loss, ...]]:
    """Write a request.

    Args:
        request: What is asked.
        model: Bedrock's name of the model; what a family takes besides the common fields.
        profile: What the model takes.

    Raises:
        InvalidRequest: a tool call's arguments are no JSON object.
    """
    out = BlockWriter(request.origin, request.essential)
    body: Body = {}
    leading = 0
    while leading < len(request.messages) and _is_prompt(request.messages[leading]):
        leading += 1
    prompts = request.messages[:leading]
    if system := _system(prompts, out):
        body["system"] = system
    body["messages"] = _turns(request.messages, leading, out, profile)
    render_sampling(request, model, body, out)
    render_tools(request, body, out, history=_mentions_tools(request.messages))
    render_reasoning(request, model, body, out, profile)
    render_output(request, body, out)
    _rest(request, body, out)
    _drop(body, profile, out)
    return body, tuple(out.losses)


def _drop(body: Body, profile: Profile, out: BlockWriter) -> None:
    """Leave out how to draw the answer where this model refuses to be told."""
    for name, (holder, field) in _SAMPLING.items():
        if name in profile.drops and field in body.get(holder, {}):
            del body[holder][field]
            if not body[holder]:
                del body[holder]
            out.lose(name, "not taken by this model")


def _is_prompt(message: Message) -> bool:
    """Whether a message can be part of the `system` field, which takes text and what guards it."""
    if message.role not in {"system", "developer"} or "role" in message.extras:
        return False
    return all(isinstance(part, Text | Opaque) for part in message.content)


def _mentions_tools(messages: Sequence[Message]) -> bool:
    return any(isinstance(p, ToolCall | ToolResult) for m in messages for p in m.content)


def _system(prompts: Sequence[Message], out: BlockWriter) -> list[Block]:
    blocks: list[Block] = []
    for i, message in enumerate(prompts):
        path = f"messages[{i}]"
        _head(message, path, out)
        if i:
            out.lose(path, "joined with the system prompt before it", "note")
        blocks += out.blocks(message.content, f"{path}.content")
    return blocks


def _head(message: Message, path: str, out: BlockWriter) -> None:
    if message.role == "developer":
        out.lose(f"{path}.role", "developer instructions are sent as system", "note")
    if message.name is not None:
        out.lose(f"{path}.name", "messages have no author's name")


def _turns(
    messages: Sequence[Message], start: int, out: BlockWriter, profile: Profile
) -> list[Body]:
    """Lay out the conversation; roles must alternate, and results stand together in one turn.

    "A conversation must alternate between user and assistant roles", and the results of a turn's
    calls must all be in the next message
    (https://docs.aws.amazon.com/bedrock/latest/userguide/tool-use.html, read 2026-11-25).
    """
    turns: list[Body] = []
    after_results = False
    for i, message in enumerate(messages[start:], start):
        path = f"messages[{i}]"
        _head(message, path, out)
        role = {"tool": "user", "developer": "system"}.get(message.role, message.role)
        if role == "system" and not out.own and not profile.system_turns:
            out.lose(
                f"{path}.role", "this model takes instructions only at the start; sent as user"
            )
            role = "user"
        content = out.blocks(message.content, f"{path}.content")
        extras = out.extras(message.extras, path)
        results = message.role == "tool"
        joins = after_results and (results or (role == "user" and not message.extras))
        if not content and not out.own:
            out.lose(path, "an empty message is left out", "note")
            continue
        if turns and turns[-1]["role"] == role and (joins or not out.own):
            if not joins:
                out.lose(path, f"joined with the {role} message before it", "note")
            turns[-1]["content"] += content
        else:
            turns.append({"role": role, "content": content, **extras})
        after_results = results
    if not turns and not out.own:
        out.lose("messages", "a system prompt alone is no conversation", "refuse")
    return turns


def _rest(request: Request, body: Body, out: BlockWriter) -> None:
    tier = request.service_tier
    if tier is not None:
        if out.own or tier in {"default", "flex", "priority"}:
            body["serviceTier"] = {"type": tier}
        elif tier in {"auto", "standard_only"}:
            out.lose("service_tier", f"{tier!r} is what no tier means here", "note")
        else:
            out.lose("service_tier", f"{tier!r} is no tier of this API")
    if request.metadata and not out.own:
        out.lose("metadata", "kept by flo2; it is not the provider's to see", "note")
    elif request.metadata is not None and out.own:
        body["requestMetadata"] = request.metadata
    if request.end_user is not None:
        out.lose("user", "there is no field for the end user's id", "note")
    if request.cache is not None:
        out.lose("cache_control", "cache points stand in the content here")
    if request.parallel_tool_calls is False:
        out.lose("parallel_tool_calls", "parallel calls cannot be switched off")
    for key, value in out.extras(request.extras, "").items():
        modelled = body.get(key, {})
        both = isinstance(modelled, dict) and isinstance(value, dict)
        body[key] = {**value, **modelled} if both else value
