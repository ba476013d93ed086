"""Lay out canonical messages as a `system` prompt and alternating turns.

All results of a turn's tool calls must stand in the one user message that follows it
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use, read 2026-11-25),
so consecutive `tool` messages, and a user message after them, become one.
Pure. Imports: canonical, base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flo2.canonical import Message, Opaque, Text
from flo2.dialects.anthropic_messages.block_render import Block, BlockWriter
from flo2.dialects.base import Profile

__all__ = ["render_messages"]

Content = str | list[Block]


def render_messages(
    messages: Sequence[Message], out: BlockWriter, profile: Profile
) -> tuple[Content | None, list[dict[str, Any]]]:
    """Give the `system` field (None: none) and the `messages` list."""
    leading = 0
    while leading < len(messages) and _is_prompt(messages[leading]):
        leading += 1
    system = _system(messages[:leading], out)
    turns: list[dict[str, Any]] = []
    after_results = False  # the last turn holds tool results and can take more
    for i in range(leading, len(messages)):
        message, path = messages[i], f"messages[{i}]"
        results = message.role == "tool"
        joins = after_results and (results or (message.role == "user" and not message.extras))
        turn = _turn(message, path, out, profile, joins=joins)
        if not turn["content"] and not out.own:
            out.lose(path, "an empty message is left out", "note")
            continue
        if joins:
            turns[-1]["content"] += turn["content"]
        else:
            turns.append(turn)
        after_results = results
    if not turns and not out.own:
        out.lose("messages", "no turn is left to answer", "refuse")
    return system, turns


def _is_prompt(message: Message) -> bool:
    """Whether a message can be part of the `system` field: instructions of text blocks only."""
    if message.role not in {"system", "developer"} or "role" in message.extras:
        return False
    return all(
        isinstance(part, Text) or (isinstance(part, Opaque) and part.data.get("type") == "text")
        for part in message.content
    )


def _system(prompts: Sequence[Message], out: BlockWriter) -> Content | None:
    if not prompts:
        return None
    blocks: list[Block] = []
    for i, message in enumerate(prompts):
        path = f"messages[{i}]"
        _head(message, path, out)
        if i:
            out.lose(path, "joined with the system prompt before it", "note")
        blocks += out.blocks(message.content, f"{path}.content")
    if not blocks and not out.own:
        return None
    return _plain(blocks) if prompts[0].plain and len(prompts) == 1 else blocks


def _head(message: Message, path: str, out: BlockWriter) -> None:
    """Lose what a message of another dialect says about itself."""
    if message.role == "developer":
        out.lose(f"{path}.role", "developer instructions are sent as system", "note")
    if message.name is not None:
        out.lose(f"{path}.name", "messages have no author's name")


def _turn(
    message: Message, path: str, out: BlockWriter, profile: Profile, *, joins: bool
) -> dict[str, Any]:
    _head(message, path, out)
    role = {"tool": "user", "developer": "system"}.get(message.role, message.role)
    if role == "system" and not profile.system_turns:
        out.lose(f"{path}.role", "this model takes instructions only at the start; sent as user")
        role = "user"
    made = message.role == "assistant"
    blocks = out.blocks(message.content, f"{path}.content", made=made)
    content = _plain(blocks) if message.plain and not joins else blocks
    return {"role": role, "content": content, **out.extras(message.extras, path)}


def _plain(blocks: list[Block]) -> Content:
    """Write a lone bare text block as a string."""
    match blocks:
        case [{"type": "text", "text": str() as text, **rest}] if not rest:
            return text
    return blocks
