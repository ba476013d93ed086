"""Lay out canonical messages as `systemInstruction` and `contents`.

The results of calls made at once must stand in the one content after them, as many as there were
calls, and a call must follow a user's turn or a result ("Please ensure that function call turn
comes immediately after a user turn or after a function response turn", says the API); so `tool`
messages in a row become one content, and so do those of the assistant.
Pure. Imports: canonical, base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from flo2.canonical import Message, Opaque, Text
from flo2.dialects.gemini.part_render import PartWriter

__all__ = ["render_messages"]

Content = dict[str, Any]

_JOINING: Final = frozenset({"tool", "assistant"})


def render_messages(
    messages: Sequence[Message], out: PartWriter
) -> tuple[Content | None, list[Content]]:
    """Give `systemInstruction` (None: none) and `contents`."""
    leading = 0
    while leading < len(messages) and _is_prompt(messages[leading]):
        leading += 1
    system = _system(messages[:leading], out)
    contents: list[Content] = []
    for turn in _turns(messages, leading, joined=not out.own):
        first, path = messages[turn[0]], f"messages[{turn[0]}]"
        for i in turn:
            _head(messages[i], f"messages[{i}]", out)
        if first.role in {"system", "developer"}:
            out.lose(f"{path}.role", "instructions stand only at the start; sent as user")
        said = first.role == "assistant"
        parts = out.turn(
            (
                (part, f"messages[{i}].content[{k}]")
                for i in turn
                for k, part in enumerate(messages[i].content)
            ),
            said=said,
        )
        if not parts and not out.own:
            out.lose(path, "content that is empty is left out", "note")
            continue
        extras: Content = {}
        for i in turn:
            extras |= out.extras(messages[i].extras, f"messages[{i}]")
        contents.append({"role": "model" if said else "user", "parts": parts, **extras})
    if not contents and not out.own:
        out.lose("messages", "no turn is left to answer", "refuse")
    return system, contents


def _turns(messages: Sequence[Message], start: int, *, joined: bool) -> Iterator[Sequence[int]]:
    """Give the messages of each content, by number."""
    turn: list[int] = []
    for i in range(start, len(messages)):
        role = messages[i].role
        if turn and not (joined and role in _JOINING and role == messages[turn[-1]].role):
            yield turn
            turn = []
        turn.append(i)
    if turn:
        yield turn


def _is_prompt(message: Message) -> bool:
    """Whether a message can be part of `systemInstruction`: instructions made of text."""
    return message.role in {"system", "developer"} and all(
        isinstance(part, Text | Opaque) for part in message.content
    )


def _head(message: Message, path: str, out: PartWriter) -> None:
    """Lose what a message of another dialect says about itself."""
    if message.name is not None:
        out.lose(f"{path}.name", "a turn has no author's name")


def _system(prompts: Sequence[Message], out: PartWriter) -> Content | None:
    if not prompts:
        return None
    parts: list[Content] = []
    extras: Content = {}
    for i, message in enumerate(prompts):
        path = f"messages[{i}]"
        _head(message, path, out)
        if message.role == "developer":
            out.lose(f"{path}.role", "developer instructions are sent as system", "note")
        if i:
            out.lose(path, "joined with the system prompt before it", "note")
        parts += out.parts(message.content, f"{path}.content")
        extras |= out.extras(message.extras, path)
    if not parts and not out.own:
        return None
    return {"parts": parts, **extras}
