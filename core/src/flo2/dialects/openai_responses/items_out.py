"""Write turns as the items of `input`, and the leading instructions. Imports: canonical."""

from __future__ import annotations

from collections.abc import Sequence

from flo2.canonical import (
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.openai_responses.content_out import content_of, write_part, write_reasoning
from flo2.dialects.openai_responses.losses import ResponsesLog
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON

__all__ = ["write_items"]


def write_items(messages: Sequence[Message], log: ResponsesLog) -> tuple[str | None, list[JSON]]:
    """Give the `instructions` field (None: none) and the items of `input`."""
    items: list[JSON] = []
    instructions = _instructions(messages[0]) if messages else None
    for number in range(0 if instructions is None else 1, len(messages)):
        message, path = messages[number], f"messages[{number}]"
        if message.name is not None:
            log.add(f"{path}.name", "messages have no author's name")
        if message.role == "assistant":
            items += _Assistant(message, path, log).items
        else:
            items += _turn(message, path, log)
    return instructions, items


def _instructions(message: Message) -> str | None:
    """Give the text of a system prompt that can stand in the field: one bare text."""
    if message.role != "system" or message.extras or message.name is not None:
        return None
    match message.content:
        case (Text(text=text, cache=None, citations=(), extras=extras),) if not extras:
            return text
    return None


def _is_item(part: Part) -> bool:
    # Content that is not modelled has a wrapper, see `content_in`.
    return isinstance(part, Opaque) and part.dialect == DIALECT and part.data.keys() != {"content"}


def _turn(message: Message, path: str, log: ResponsesLog) -> list[JSON]:
    """Write a turn that is not the model's: results of tools and other items first."""
    items: list[JSON] = []
    content: list[JSON] = []
    for number, part in enumerate(message.content):
        at = f"{path}.content[{number}]"
        if isinstance(part, ToolResult):
            items.append(_result(part, at, log))
        elif isinstance(part, Opaque) and _is_item(part):
            items.append(dict(part.data))
        elif (written := write_part(part, at, log, said="input_text")) is not None:
            content.append(written)
    if not content and message.content:
        return items  # nothing is left to say beside the items
    role = message.role
    if role == "tool":
        if not content:
            return items
        log.add(path, "content beside a tool result becomes a user message", "note")
        role = "user"
    known: JSON = {
        "type": "message",
        "role": role,
        "content": content_of(content, plain=message.plain),
    }
    extras = {key: each for key, each in message.extras.items() if key != "instructions"}
    return [*items, log.put(known, extras, path)]


def _result(part: ToolResult, path: str, log: ResponsesLog) -> JSON:
    if log.is_own and isinstance(item := part.extras.get("item"), dict):
        return dict(item)  # what a search for tools found
    written = (
        write_part(each, f"{path}.content[{number}]", log, said="input_text")
        for number, each in enumerate(part.content)
    )
    content = [each for each in written if each is not None]
    if part.is_error:
        log.add(f"{path}.is_error", "written as a leading 'Error: '", "note")
        if content and content[0].keys() == {"type", "text"}:
            content[0] = {**content[0], "text": f"Error: {content[0]['text']}"}
        else:
            content.insert(0, {"type": "input_text", "text": "Error: "})
    custom = part.kind == "custom" or part.call_id in log.customs
    known: JSON = {"type": "custom_tool_call_output" if custom else "function_call_output"}
    if part.call_id:
        known["call_id"] = part.call_id
    if part.name is not None:
        if log.is_own:
            known["name"] = part.name
        else:
            log.add(f"{path}.name", "a result is known by the id of its call alone", "note")
    if content or log.is_own:
        known["output"] = content_of(content, plain=part.plain or not log.is_own)
    else:
        known["output"] = ""
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)


class _Assistant:
    """The items of one assistant's turn, in the order of its parts."""

    def __init__(self, message: Message, path: str, log: ResponsesLog) -> None:
        self.items: list[JSON] = []
        self._message = message
        self._path = path
        self._log = log
        self._content: list[JSON] = []
        self._extras = dict(message.extras) if log.is_own else {}
        if not log.is_own:
            log.put({}, message.extras, path)
        for number, part in enumerate(message.content):
            self._part(part, f"{path}.content[{number}]")
        self._flush()

    def _flush(self) -> None:
        """Write what was said so far as one message."""
        if not self._content:
            return
        known: JSON = {
            "type": "message",
            "role": "assistant",
            "content": content_of(self._content, plain=self._message.plain),
        }
        self.items.append({**known, **self._extras})
        self._content, self._extras = [], {}

    def _part(self, part: Part, at: str) -> None:
        log = self._log
        match part:
            case Reasoning():
                self._flush()
                if (item := write_reasoning(part, at, log)) is not None:
                    self.items.append(item)
            case ToolCall():
                self._flush()
                self.items.append(_call(part, at, log))
            case Opaque() if _is_item(part):
                self._flush()
                self.items.append(dict(part.data))
            case Text(text="") if not log.is_own:
                pass  # other dialects use "" to say nothing
            case _:
                if log.is_own and isinstance(part, Text | Refusal) and "item" in part.extras:
                    self._flush()
                    self._extras = dict(part.extras["item"])
                if (written := write_part(part, at, log, said="output_text")) is not None:
                    self._content.append(written)


def _call(part: ToolCall, path: str, log: ResponsesLog) -> JSON:
    if log.is_own and isinstance(item := part.extras.get("item"), dict):
        return dict(item)  # a search for tools
    known: JSON = {"type": "function_call", "call_id": part.id, "name": part.name}
    if log.is_own and part.qualified is not None:
        known |= {"namespace": part.qualified[0], "name": part.qualified[1]}
    if part.kind == "custom":
        log.customs.add(part.id)
        known |= {"type": "custom_tool_call", "input": part.arguments}
    else:
        known["arguments"] = part.arguments or ("" if log.is_own else "{}")
    log.put_cache(known, part.cache, path)
    return log.put(known, part.extras, path)
