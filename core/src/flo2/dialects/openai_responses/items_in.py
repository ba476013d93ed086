"""Read the items of `input` into turns.

All that the model did in one go (reasoning, what it said, the tools it called) is one assistant
message, as every other dialect has it; the items' order is kept. Items that are not modelled are
`Opaque` parts: of the assistant where the model made them, else of a message of their own.
Imports: canonical, carrier, errors.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from flo2.canonical import Message, Opaque, Part, Refusal, Role, Text, ToolCall, ToolResult
from flo2.dialects.carrier import returned
from flo2.dialects.jsonio import dumps
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_responses.content_in import read_content, read_reasoning
from flo2.dialects.openai_responses.namespaces import SEARCH, Names, found_in
from flo2.dialects.openai_responses.vocabulary import CALLS, DIALECT, JSON, OUTPUTS

__all__ = ["read_items"]

_ROLES: Final[dict[Any, Role]] = {"user": "user", "system": "system", "developer": "developer"}
_MESSAGE: Final = frozenset({"type", "role", "content"})
_CALL: Final = frozenset({"type", "call_id", "name", "arguments", "input"})
_OUTPUT: Final = frozenset({"type", "call_id", "name", "output"})
_MADE_BY_MODEL: Final = frozenset({"mcp_approval_request", "mcp_list_tools", "program"})
"""Beside all calls. A `compaction` is none: it stands for turns that every dialect needs."""


_SEARCHED: Final = f"{SEARCH}_call"
_FOUND: Final = f"{SEARCH}_output"


def _is_call(item: JSON) -> bool:
    """Tell a search that the client executes: a function in all but its name."""
    return (
        item.get("execution") == "client"
        and isinstance(item.get("call_id"), str)
        and isinstance(item.get("arguments"), dict)
    )


def read_items(items: Any, names: Names) -> list[Message]:
    """Read `input`: one text, or a list of items.

    Args:
        items: As parsed.
        names: What tools in namespaces are called elsewhere.

    Raises:
        InvalidRequest: a field of a known item is missing or has the wrong type.
    """
    if isinstance(items, str):
        return [Message("user", (Text(items),), plain=True)]
    if items is None:
        return []
    if not isinstance(items, list):
        raise wrong("input", items, "text or an array of items")
    turns = _Turns(names)
    for number, item in enumerate(items):
        turns.take(item, f"input[{number}]")
    turns.end()
    return turns.messages


def _read_call(item: JSON, path: str, names: Names) -> ToolCall:
    """Read an item by which the model calls a tool of the client's."""
    fields = Fields(item, path, _CALL)
    said = item.get(CALLS[item["type"]])
    if not isinstance(said, str):
        raise wrong(f"{path}.{CALLS[item['type']]}", said, "text")
    name, extras = fields.need("name", str), fields.rest()
    qualified: tuple[str, str] | None = None
    if isinstance(namespace := extras.get("namespace"), str):
        del extras["namespace"]
        qualified = (namespace, name)
        name = names.of(namespace, name)
    return ToolCall(
        fields.need("call_id", str),
        name,
        said,
        "custom" if item["type"] == "custom_tool_call" else "function",
        extras=extras,
        qualified=qualified,
    )


class _Turns:
    """The messages so far, and the assistant's turn that is going on."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.messages: list[Message] = []
        self._parts: list[Part] = []
        self._extras: JSON = {}
        self._plain = False

    def end(self) -> None:
        """Close the assistant's turn."""
        if self._parts:
            parts, self._parts = tuple(self._parts), []
            self.messages.append(
                Message("assistant", parts, plain=self._plain, extras=self._extras)
            )
        self._extras, self._plain = {}, False

    def take(self, item: Any, path: str) -> None:
        """Read one item."""
        if not isinstance(item, dict):
            raise wrong(path, item, "an item")
        kind, role = item.get("type"), item.get("role")
        if kind is None and "role" in item:
            kind = "message"
        if not isinstance(kind, str | None) or (kind == "message" and not isinstance(role, str)):
            field = "role" if kind == "message" else "type"
            raise wrong(f"{path}.{field}", item.get(field), "text")
        if kind == "message" and role == "assistant":
            self._assistant(item, path)
        elif kind == "message" and role in _ROLES:
            self._message(item, path)
        elif kind == "reasoning":
            self._parts.append(returned(read_reasoning(item, path)))
        elif kind in CALLS:
            self._parts.append(_read_call(item, path, self._names))
        elif kind in OUTPUTS:
            self._output(item, path)
        elif kind == _SEARCHED and _is_call(item):
            said = dumps(item["arguments"]).decode()
            self._parts.append(ToolCall(item["call_id"], SEARCH, said, extras={"item": item}))
        elif kind == _FOUND and isinstance(item.get("call_id"), str):
            self.end()
            found = ", ".join(tool.name for tool in found_in(item, self._names))
            text = Text(f"Found: {found}." if found else "Found nothing.")
            result = ToolResult(item["call_id"], (text,), extras={"item": item})
            self.messages.append(Message("tool", (result,)))
        else:
            self._opaque(item, str(kind))

    def _message(self, item: JSON, path: str) -> None:
        self.end()
        fields = Fields(item, path, _MESSAGE)
        content = item.get("content")
        parts = tuple(read_content(content, f"{path}.content"))
        plain = isinstance(content, str)
        extras = fields.rest()
        if not self.messages and item["role"] == "system":
            # It stands in `input`; the renderer would take it for `instructions`.
            extras["instructions"] = None
        self.messages.append(Message(_ROLES[item["role"]], parts, plain=plain, extras=extras))

    def _assistant(self, item: JSON, path: str) -> None:
        fields = Fields(item, path, _MESSAGE)
        content = item.get("content")
        parts = list(read_content(content, f"{path}.content", said="output_text"))
        said = any(isinstance(part, Text | Refusal) for part in self._parts)
        if any(isinstance(part, ToolCall) for part in self._parts):
            # The calls' results are still to come, and other dialects want them right behind it.
            first, rest = next(iter(parts), None), fields.rest()
            follows = isinstance(self._parts[-1], Text | Refusal)
            if isinstance(first, Text | Refusal) and (rest or follows):
                parts[0] = evolve(first, extras={**first.extras, "item": rest})
        else:
            if said:
                self.end()
            self._extras, self._plain = fields.rest(), isinstance(content, str)
        self._parts += parts
        if not parts:
            self._parts.append(Text(""))

    def _output(self, item: JSON, path: str) -> None:
        self.end()
        fields = Fields(item, path, _OUTPUT)
        output = item.get("output")
        result = ToolResult(
            fields.get("call_id", str) or "",
            tuple(read_content(output, f"{path}.output")),
            name=fields.get("name", str),
            plain=isinstance(output, str),
            kind="custom" if item["type"].startswith("custom") else "function",
            extras=fields.rest(),
        )
        self.messages.append(Message("tool", (result,)))

    def _opaque(self, item: JSON, kind: str) -> None:
        part = Opaque(DIALECT, item)
        if kind.endswith("_call") or kind in _MADE_BY_MODEL:
            self._parts.append(part)
            return
        self.end()
        role: Role = "tool" if kind.endswith(("_output", "_response")) else "user"
        self.messages.append(Message(role, (part,)))
