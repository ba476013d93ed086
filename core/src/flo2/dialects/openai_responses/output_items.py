"""Write the items of an answer as they grow: reasoning, tool calls, and what is kept as it came.

Each item knows its own events and what it is in the end; see `output_message` for messages.
Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import evolve

from flo2.canonical import PartDelta, Reasoning, Tool, ToolCall
from flo2.dialects.carrier import CarrierWriter, carry
from flo2.dialects.free_text import free_text_of
from flo2.dialects.jsonio import loads
from flo2.dialects.openai_responses.frames import Frames, delta_head
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON, SUMMARY_BREAK

__all__ = ["CallItem", "Item", "OpaqueItem", "ReasoningItem", "SearchItem"]


class Item(Protocol):
    """One entry of `output` while it is written."""

    def open(self) -> bytes:
        """Write its beginning."""
        ...

    def close(self, status: str) -> tuple[bytes, JSON]:
        """Write its end; give the whole item too."""
        ...


class _Growing:
    """What all items have in common."""

    def __init__(self, frames: Frames, number: int, item_id: str) -> None:
        self._frames = frames
        self._number = number
        self._id = item_id

    def _added(self, item: Mapping[str, Any]) -> bytes:
        return self._frames.event(
            "response.output_item.added", output_index=self._number, item=item
        )

    def _done(self, item: Mapping[str, Any]) -> bytes:
        return self._frames.event("response.output_item.done", output_index=self._number, item=item)

    def _event(self, kind: str, **fields: Any) -> bytes:
        return self._frames.event(
            f"response.{kind}", item_id=self._id, output_index=self._number, **fields
        )

    def _head(self, kind: str, **fields: Any) -> bytes:
        return delta_head(f"response.{kind}", item_id=self._id, output_index=self._number, **fields)


class ReasoningItem(_Growing):
    """A reasoning item; another vendor's brings its seal along in a carrier.

    Args:
        frames: Writes events.
        number: Index in `output`.
        item_id: Its id.
        part: How it begins.
    """

    def __init__(self, frames: Frames, number: int, item_id: str, part: Reasoning) -> None:
        super().__init__(frames, number, item_id)
        self._own: bool = part.origin == DIALECT
        self._all = CarrierWriter(evolve(part, text=""))
        self._by_content: bool = bool(part.extras.get("content"))
        self._sections: list[list[str]] = []
        self._shows = ""
        self._delta = b""

    def open(self) -> bytes:
        """Write its beginning."""
        return self._added({"id": self._id, "type": "reasoning", "summary": []})

    def feed(self, delta: PartDelta) -> bytes:
        """Write more of it."""
        self._all.add(delta)
        self._by_content = self._by_content or "content" in delta.extras
        if not delta.text:
            return b""
        if not self._shows:
            self._shows = "content" if self._own and self._by_content else "summary"
        before = b""
        if not self._sections:
            before = self._begin()
        elif self._own and self._shows == "summary" and delta.text == SUMMARY_BREAK:
            return self._end() + self._begin()
        self._sections[-1].append(delta.text)
        return before + self._frames.delta(self._delta, delta.text)

    def _begin(self) -> bytes:
        number = len(self._sections)
        self._sections.append([])
        if self._shows == "content":
            self._delta = self._head("reasoning_text.delta", content_index=number)
            part = {"type": "reasoning_text", "text": ""}
            return self._event("content_part.added", content_index=number, part=part)
        self._delta = self._head("reasoning_summary_text.delta", summary_index=number)
        part = {"type": "summary_text", "text": ""}
        return self._event("reasoning_summary_part.added", summary_index=number, part=part)

    def _end(self) -> bytes:
        if not self._sections:
            return b""
        number, text = len(self._sections) - 1, "".join(self._sections[-1])
        if self._shows == "content":
            part = {"type": "reasoning_text", "text": text}
            return self._event(
                "reasoning_text.done", content_index=number, text=text
            ) + self._event("content_part.done", content_index=number, part=part)
        part = {"type": "summary_text", "text": text}
        return self._event(
            "reasoning_summary_text.done", summary_index=number, text=text
        ) + self._event("reasoning_summary_part.done", summary_index=number, part=part)

    def close(self, status: str) -> tuple[bytes, JSON]:  # its status is told by the answer's
        """Write its end; give the whole item too."""
        out = self._end()
        item = self._whole()
        return out + self._done(item), item

    def _whole(self) -> JSON:
        texts = ["".join(section) for section in self._sections]
        item: JSON = {"id": self._id, "type": "reasoning"}
        by_content = self._shows == "content"
        item["summary"] = (
            [] if by_content else [{"type": "summary_text", "text": text} for text in texts]
        )
        if by_content:
            item["content"] = [{"type": "reasoning_text", "text": text} for text in texts]
        whole = self._all.reasoning()
        if self._own:
            if whole.encrypted is not None:
                item["encrypted_content"] = whole.encrypted
            return item | dict(whole.extras)
        if whole.origin:
            item["encrypted_content"] = carry(whole)
        return item


class CallItem(_Growing):
    """A call of one of the client's tools.

    Args:
        frames: Writes events.
        number: Index in `output`.
        item_id: Its id.
        part: How it begins.
        tool: How the client knows the tool, where the provider may know it otherwise. One of free
            text is called with an object that holds the text as `input`: it is told at the end.
    """

    def __init__(
        self, frames: Frames, number: int, item_id: str, part: ToolCall, tool: Tool | None
    ) -> None:
        super().__init__(frames, number, item_id)
        free_text = tool is not None and tool.kind == "custom"
        custom = part.kind == "custom" or free_text
        self._field = "input" if custom else "arguments"
        self._word = "custom_tool_call_input" if custom else "function_call_arguments"
        self._kind = "custom_tool_call" if custom else "function_call"
        self._unwraps: bool = free_text and part.kind != "custom"
        self._as_told = False
        self._call_id = part.id
        self._name: JSON = {"name": part.name}
        if tool is not None and tool.qualified is not None:
            namespace, name = tool.qualified
            self._name = {"name": name, "namespace": namespace}
        self._said: list[str] = []
        self._extras: JSON = {}
        self._delta = self._head(f"{self._word}.delta")

    def _item(self, said: str, status: str) -> JSON:
        return {
            "id": self._id,
            "type": self._kind,
            "status": status,
            self._field: said,
            "call_id": self._call_id,
            **self._name,
            **self._extras,
        }

    def open(self) -> bytes:
        """Write its beginning."""
        return self._added(self._item("", "in_progress"))

    def keep(self, extras: Mapping[str, Any]) -> None:
        """Keep fields that nobody models: the call is of this dialect, and stays as it was told."""
        self._as_told = True
        self._extras |= {key: each for key, each in extras.items() if key != "id"}

    def feed(self, text: str) -> bytes:
        """Write more of what it says."""
        if not text:
            return b""
        self._said.append(text)
        return b"" if self._unwraps else self._frames.delta(self._delta, text)

    def close(self, status: str) -> tuple[bytes, JSON]:
        """Write its end; give the whole item too."""
        said, out = "".join(self._said), b""
        if self._unwraps:
            said = free_text_of(said)
            out = self._frames.delta(self._delta, said) if said else b""
        elif not (said or self._as_told) and self._field == "arguments" and status == "completed":
            said = "{}"  # clients parse what they get
            out = self._frames.delta(self._delta, said)
        done: JSON = {self._field: said}
        if self._field == "arguments":
            done["name"] = self._name["name"]
        item = self._item(said, status)
        return out + self._event(f"{self._word}.done", **done) + self._done(item), item


_STEPS: Final[Mapping[Any, tuple[str, ...]]] = {
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_call": ("in_progress", "completed"),
    "mcp_list_tools": ("in_progress", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
}
"""What happens to an item of a tool that the provider runs, in the words of its events."""


class SearchItem(_Growing):
    """A search for tools, which the client executes; its arguments are an object, told at the end.

    Args:
        frames: Writes events.
        number: Index in `output`.
        item_id: Its id.
        part: The call, as a function.
    """

    def __init__(self, frames: Frames, number: int, item_id: str, part: ToolCall) -> None:
        super().__init__(frames, number, item_id)
        self._call_id = part.id
        self._said: list[str] = []

    def open(self) -> bytes:
        """Write its beginning."""
        return self._added(self._item({}, "in_progress"))

    def feed(self, text: str) -> bytes:
        """Take more of what it says."""
        self._said.append(text)
        return b""

    def keep(self, extras: Mapping[str, Any]) -> None:
        """Keep nothing: what another dialect says beside its call is not this one's."""

    def close(self, status: str) -> tuple[bytes, JSON]:
        """Write its end; give the whole item too."""
        said = "".join(self._said)
        try:
            arguments = loads(said or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            arguments = {"arguments": said}
        item = self._item(arguments, status)
        return self._done(item), item

    def _item(self, arguments: Any, status: str) -> JSON:
        return {
            "id": self._id,
            "type": "tool_search_call",
            "status": status,
            "execution": "client",
            "call_id": self._call_id,
            "arguments": arguments,
        }


class OpaqueItem(_Growing):
    """An item that nobody models; it is known whole.

    Args:
        frames: Writes events.
        number: Index in `output`.
        item: As it came.
    """

    def __init__(self, frames: Frames, number: int, item: Mapping[str, Any]) -> None:
        super().__init__(frames, number, str(item.get("id") or ""))
        self._item: JSON = dict(item)

    def open(self) -> bytes:
        """Write its beginning, and what happened to it."""
        item, kind = self._item, self._item.get("type")
        begun = {**item, "status": "in_progress"} if "status" in item else item
        out = self._added(begun)
        failed = item.get("status") in ("failed", "incomplete") or item.get("error")
        for step in _STEPS.get(kind, ()):
            word = "failed" if step == "completed" and failed else step
            if word == "failed" and kind not in ("mcp_call", "mcp_list_tools"):
                break
            if step == "completed":
                out += self._told()
            out += self._event(f"{kind}.{word}")
        return out

    def _told(self) -> bytes:
        """Write the text that such an item has, where its events have one."""
        item, kind = self._item, self._item.get("type")
        if kind == "code_interpreter_call" and isinstance(code := item.get("code"), str):
            head = self._head("code_interpreter_call_code.delta")
            return self._frames.delta(head, code) + self._event(
                "code_interpreter_call_code.done", code=code
            )
        if kind == "mcp_call" and isinstance(said := item.get("arguments"), str):
            head = self._head("mcp_call_arguments.delta")
            return self._frames.delta(head, said) + self._event(
                "mcp_call_arguments.done", arguments=said
            )
        return b""

    def close(self, status: str) -> tuple[bytes, JSON]:  # it says its own
        """Write its end; give the whole item too."""
        return self._done(self._item), self._item
