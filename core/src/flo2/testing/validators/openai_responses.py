"""Check answers of OpenAI's Responses API.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25), the
types and stream helpers of openai-python 3.57, and recorded traffic.
Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.testing.validators.findings import Findings, Level, Violation
from flo2.testing.validators.framing import (
    Frame,
    check_content_type,
    parse_frames,
    parse_object,
)
from flo2.testing.validators.openai_usage import check_error_answer, check_sums
from flo2.testing.validators.responses_items import Items
from flo2.testing.validators.responses_shapes import ITEM, PART, RESPONSE, TERMINAL_STATUS
from flo2.testing.validators.shapes import (
    COUNT,
    OBJECT,
    TEXT,
    Shape,
    record,
    strictly,
    tagged,
    word,
)

__all__ = ["validate_answer", "validate_stream"]

_OF_ITEM: Final = {"output_index": COUNT}
_IN_ITEM: Final = {**_OF_ITEM, "item_id": TEXT}
_IN_PART: Final = {**_IN_ITEM, "content_index": COUNT}
_IN_SUMMARY: Final = {**_IN_ITEM, "summary_index": COUNT}
_CALLS_BY_PROVIDER: Final = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "code_interpreter_call_code": ("delta", "done"),
    "image_generation_call": ("in_progress", "generating", "partial_image", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_call_arguments": ("delta", "done"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    # Without an item_id (recordings).
    "shell_call_command": ("added", "delta", "done"),
    "shell_call_output_content": ("delta", "done"),
}
_ERROR: Final = strictly(record({}, optional={"message": TEXT, "error": record({"message": TEXT})}))
_EVENTS: Final[dict[str, Shape]] = {
    **{
        f"response.{name}": record({"response": RESPONSE})
        for name in ("created", "queued", "in_progress", "completed", "incomplete", "failed")
    },
    "response.output_item.added": record({**_OF_ITEM, "item": ITEM}),
    "response.output_item.done": record({**_OF_ITEM, "item": ITEM}),
    "response.content_part.added": record({**_IN_PART, "part": PART}),
    "response.content_part.done": record({**_IN_PART, "part": PART}),
    "response.output_text.delta": record({**_IN_PART, "delta": TEXT}),
    "response.output_text.done": record({**_IN_PART, "text": TEXT}),
    "response.output_text.annotation.added": record(
        {**_IN_PART, "annotation_index": COUNT, "annotation": OBJECT}
    ),
    "response.refusal.delta": record({**_IN_PART, "delta": TEXT}),
    "response.refusal.done": record({**_IN_PART, "refusal": TEXT}),
    "response.reasoning_text.delta": record({**_IN_PART, "delta": TEXT}),
    "response.reasoning_text.done": record({**_IN_PART, "text": TEXT}),
    "response.reasoning_summary_part.added": record({**_IN_SUMMARY, "part": PART}),
    "response.reasoning_summary_part.done": record({**_IN_SUMMARY, "part": PART}),
    "response.reasoning_summary_text.delta": record({**_IN_SUMMARY, "delta": TEXT}),
    "response.reasoning_summary_text.done": record({**_IN_SUMMARY, "text": TEXT}),
    "response.function_call_arguments.delta": record({**_IN_ITEM, "delta": TEXT}),
    "response.function_call_arguments.done": record({**_IN_ITEM, "arguments": TEXT}),
    "response.custom_tool_call_input.delta": record({**_IN_ITEM, "delta": TEXT}),
    "response.custom_tool_call_input.done": record({**_IN_ITEM, "input": TEXT}),
    **{
        f"response.{call}.{act}": record(_OF_ITEM)
        for call, acts in _CALLS_BY_PROVIDER.items()
        for act in acts
    },
    "error": _ERROR,
}
_EVENT: Final = tagged(
    "type",
    _EVENTS,
    others=strictly(record({"type": word("an event that the API documents")}), OBJECT),
)


def validate_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, level: Level = "strict"
) -> list[Violation]:
    """Check a whole answer, an error from status 400 on."""
    findings = Findings(level)
    if status >= 400:
        check_error_answer(headers, body, findings)
        return findings.violations
    check_content_type(headers, "application/json", findings)
    value = parse_object(body, findings)
    if value is not None:
        before = len(findings.violations)
        RESPONSE(findings, "", value)
        if len(findings.violations) == before:
            _check_response(findings, "", value)
    return findings.violations


def _check_response(findings: Findings, path: str, value: Mapping[str, Any]) -> None:
    """Check what the fields of a response say about each other."""
    prefix = f"{path}." if path else ""
    status, usage = value.get("status"), value.get("usage")
    for name, wanted in (("error", "failed"), ("incomplete_details", "incomplete")):
        told = value.get(name)
        findings.expect(
            f"{prefix}{name}",
            f"goes with status {wanted!r}",
            [status, told],
            holds=(told is not None) == (status == wanted),
            strict=True,
        )
    if status in {"completed", "incomplete"}:
        findings.expect(
            f"{prefix}usage",
            f"is there when the status is {status!r}",
            usage,
            holds=usage is not None,
            strict=True,
        )
    if usage is not None:
        check_sums(
            findings,
            f"{prefix}usage",
            usage,
            total="total_tokens",
            parts=("input_tokens", "output_tokens"),
            inside={
                "input_tokens": ("input_tokens_details", "cached_tokens"),
                "output_tokens": ("output_tokens_details", "reasoning_tokens"),
            },
        )
    ids = [item["call_id"] for item in value["output"] if item["type"] == "function_call"]
    holds = len(ids) == len(set(ids))
    findings.expect(f"{prefix}output", "each call has its own call_id", ids, holds=holds)


def validate_stream(body: bytes, *, level: Level = "strict") -> list[Violation]:
    """Check a stream, from its first byte to its last."""
    findings = Findings(level)
    stream = _Stream(findings)
    for frame in parse_frames(body, findings):
        with findings.at(frame.name):
            stream.take(frame)
    with findings.at("end"):
        stream.close()
    return findings.violations


class _Stream:
    """What a stream has said so far."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._items = Items(findings)
        self._frames = 0
        self._id: str | None = None
        self._over = ""
        self._failed = False
        self._done = False

    def take(self, frame: Frame) -> None:
        findings = self._findings
        if frame.data.strip() == "[DONE]":
            # Some hosts end every stream of theirs with it; OpenAI does not here.
            findings.expect("", "has no [DONE]", frame.data, holds=False, strict=True)
            return
        value = parse_object(frame.data, findings)
        if value is None:
            return
        before = len(findings.violations)
        _EVENT(findings, "", value)
        kind = value.get("type")
        findings.expect(
            "event",
            f"is {kind!r}, as the data says",
            frame.event,
            holds=frame.event == kind,
            strict=frame.event is None,
        )
        self._number(value)
        if self._over:
            findings.add("", f"nothing follows {self._over}", frame.data)
        elif len(findings.violations) == before and isinstance(kind, str):
            self._event(kind, value)

    def _number(self, value: Mapping[str, Any]) -> None:
        findings, number = self._findings, value.get("sequence_number")
        if findings.is_strict or number is not None:
            findings.expect(
                "sequence_number",
                "counts the events from 0",
                number,
                holds=number == self._frames,
                strict=True,
            )
        self._frames += 1

    def _event(self, kind: str, value: Mapping[str, Any]) -> None:
        findings = self._findings
        if kind == "error":
            self._failed = True
            return
        findings.expect(
            "type",
            "only response.failed follows an error",
            kind,
            holds=not self._failed or kind == "response.failed",
        )
        response = value.get("response")
        if self._id is None:
            findings.expect(
                "type", "response.created comes first", kind, holds=kind == "response.created"
            )
        else:
            findings.expect(
                "type", "response.created comes once", kind, holds=kind != "response.created"
            )
        if isinstance(response, dict):
            self._response(kind, response)
        elif "output_index" in value:
            self._items.take(kind.removeprefix("response."), value)

    def _response(self, kind: str, response: dict[str, Any]) -> None:
        findings = self._findings
        self._id = self._id or response["id"]
        findings.expect(
            "response.id",
            f"is {self._id!r} in each event",
            response["id"],
            holds=response["id"] == self._id,
        )
        wanted = TERMINAL_STATUS.get(kind)
        if wanted is None:
            for name, empty in (("output", []), ("usage", None)):
                findings.expect(
                    f"response.{name}",
                    "is empty until the end",
                    response.get(name),
                    holds=response.get(name) == empty,
                    strict=True,
                )
            return
        self._over = kind
        findings.expect(
            "response.status",
            f"is {wanted!r}",
            response.get("status"),
            holds=response.get("status") == wanted,
            strict="status" not in response,
        )
        _check_response(findings, "response", response)
        if kind != "response.failed":
            self._items.close(response["output"])

    def close(self) -> None:
        self._findings.expect(
            "",
            "the stream ends with response.completed, response.incomplete, "
            "response.failed or an error",
            self._over,
            holds=self._over != "" or self._failed,
        )
