"""Follow the output items of a Responses stream: added, filled by deltas, done.

Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from flo2.testing.validators.findings import Findings
from flo2.testing.validators.framing import MISSING, parse_json

__all__ = ["Items", "same_item"]

_CALL_TEXT: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_PIECES: Final[Mapping[str, tuple[str, str, str, str]]] = {
    # event: its list in the item, its index, what the finished text is called, type of the part
    "output_text": ("content", "content_index", "text", "output_text"),
    "refusal": ("content", "content_index", "refusal", "refusal"),
    "reasoning_text": ("content", "content_index", "text", "reasoning_text"),
    "reasoning_summary_text": ("summary", "summary_index", "text", "summary_text"),
}
_CALLS: Final = {
    "function_call_arguments": ("function_call", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input"),
}
_PART_EVENTS: Final = {
    "content_part": ("content", "content_index"),
    "reasoning_summary_part": ("summary", "summary_index"),
}


@define
class _Part:
    kind: str
    text: str = ""
    said: bool = False
    done: bool = False


@define
class _Item:
    id: Any
    kind: str
    parts: dict[tuple[str, int], _Part] = field(factory=dict)
    text: str = ""
    said: bool = False
    final: dict[str, Any] | None = None


def same_item(one: Any, other: Any) -> bool:
    """Compare two copies of an item; the encryption of reasoning differs from copy to copy."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, "encrypted_content": 0} == {**other, "encrypted_content": 0}
    return bool(one == other)


class Items:
    """The items of one stream."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._items: dict[int, _Item] = {}

    def take(self, event: str, value: Mapping[str, Any]) -> None:
        """Follow one event whose shape is right; `event` without its `response.`."""
        subject, _, act = event.rpartition(".")
        findings = self._findings
        number = value["output_index"]
        if event == "output_item.added":
            self._added(number, value["item"])
            return
        item = self._items.get(number)
        if item is None:
            findings.add("output_index", "is that of an item that was added", number)
            return
        rule = "nothing follows output_item.done of the item"
        if not findings.expect("type", rule, event, holds=item.final is None):
            return
        if "item_id" in value:
            findings.expect(
                "item_id",
                f"is {item.id!r}, as when it was added",
                value["item_id"],
                holds=value["item_id"] == item.id,
            )
        if event == "output_item.done":
            self._done(item, value["item"])
        elif subject in _PART_EVENTS:
            self._part(item, subject, act, value)
        elif subject in _PIECES:
            self._piece(item, subject, act, value)
        elif subject in _CALLS:
            self._call(item, subject, act, value)

    def _added(self, number: int, item: Mapping[str, Any]) -> None:
        findings = self._findings
        findings.expect(
            "output_index", "numbers the items from 0", number, holds=number == len(self._items)
        )
        kind = item["type"]
        ids = [each.id for each in self._items.values()]
        findings.expect(
            "item.id",
            "is the item's own",
            item.get("id"),
            holds=item.get("id") not in ids,
            strict=True,
        )
        empty = {"message": "content", **_CALL_TEXT}.get(kind)
        if empty is not None:
            findings.expect(
                f"item.{empty}",
                "is empty when the item is added",
                item[empty],
                holds=not item[empty],
                strict=True,
            )
        self._items[number] = _Item(item.get("id"), kind)

    def _part(self, item: _Item, subject: str, act: str, value: Mapping[str, Any]) -> None:
        findings = self._findings
        where, index_name = _PART_EVENTS[subject]
        index, part = value[index_name], value["part"]
        found = item.parts.get((where, index))
        if act == "added":
            count = sum(place == where for place, _ in item.parts)
            findings.expect(index_name, "numbers the parts from 0", index, holds=index == count)
            item.parts[where, index] = _Part(part["type"])
        elif found is None:
            findings.add(index_name, "is that of a part that was added", index)
        else:
            findings.expect("type", "comes once for a part", value["type"], holds=not found.done)
            found.done = True
            text = part.get("text", part.get("refusal"))
            findings.expect(
                "part", "holds what its deltas said", [text, found.text], holds=text == found.text
            )

    def _piece(self, item: _Item, subject: str, act: str, value: Mapping[str, Any]) -> None:
        findings = self._findings
        where, index_name, text_name, kind = _PIECES[subject]
        found = item.parts.get((where, value[index_name]))
        if found is None or found.done:
            findings.add(index_name, "is that of an open part", value[index_name])
            return
        findings.expect(
            "type", f"fits a part of type {found.kind}", value["type"], holds=found.kind == kind
        )
        rule = f"nothing is said after {subject}.done"
        findings.expect("type", rule, value["type"], holds=not found.said)
        if act == "delta":
            found.text += value["delta"]
        else:
            found.said = True
            findings.expect(
                text_name,
                "is what its deltas said",
                [value[text_name], found.text],
                holds=value[text_name] == found.text,
            )

    def _call(self, item: _Item, subject: str, act: str, value: Mapping[str, Any]) -> None:
        findings = self._findings
        kind, text_name = _CALLS[subject]
        findings.expect(
            "type", f"fits an item of type {item.kind}", value["type"], holds=item.kind == kind
        )
        rule = f"nothing is said after {subject}.done"
        findings.expect("type", rule, value["type"], holds=not item.said)
        if act == "delta":
            item.text += value["delta"]
        else:
            item.said = True
            findings.expect(
                text_name,
                "is what its deltas said",
                [value[text_name], item.text],
                holds=value[text_name] == item.text,
            )

    def _done(self, item: _Item, final: dict[str, Any]) -> None:
        findings = self._findings
        item.final = final
        for name, before in (("id", item.id), ("type", item.kind)):
            findings.expect(
                f"item.{name}",
                f"is {before!r}, as when it was added",
                final.get(name),
                holds=final.get(name) == before,
            )
        for (where, index), part in item.parts.items():
            path = f"item.{where}[{index}]"
            findings.expect(
                path, "is done before its item", part.text, holds=part.done, strict=True
            )
        parts = item.parts.items()
        for where in ("content", "summary"):
            told = [part.text for (place, _), part in parts if place == where]
            held = [each.get("text", each.get("refusal")) for each in final.get(where) or ()]
            findings.expect(
                f"item.{where}",
                "holds what its parts said",
                [held, told],
                holds=held == told,
                strict=not told,
            )
        if text_name := _CALL_TEXT.get(item.kind):
            whole = final[text_name]
            findings.expect(
                f"item.{text_name}",
                "is what its deltas said",
                [whole, item.text],
                holds=whole == item.text and (item.said or not findings.is_strict),
            )
        self._check_arguments(final)

    def _check_arguments(self, final: Mapping[str, Any]) -> None:
        if final["type"] == "function_call" and final.get("status") != "incomplete":
            value = parse_json(final["arguments"], "item.arguments", self._findings)
            holds = value is MISSING or isinstance(value, dict)
            self._findings.expect("item.arguments", "is an object", value, holds=holds)

    def close(self, output: list[Any]) -> None:
        """Compare with the output of the finished response."""
        findings = self._findings
        for number, item in self._items.items():
            findings.expect(
                f"output[{number}]",
                "is done before the response",
                item.kind,
                holds=item.final is not None,
            )
        finals = [item.final for item in self._items.values()]
        holds = len(finals) == len(output) and all(map(same_item, finals, output))
        findings.expect(
            "response.output",
            "holds the items that were done",
            [len(output), len(finals)],
            holds=holds,
            strict=not output,
        )
