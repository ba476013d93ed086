"""Check answers of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming (read 2026-11-25): one
message_start, then blocks one after another (start, deltas, stop), message_delta, message_stop;
pings anywhere; an error event may end it at any point.
Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import define

from flo2.testing.validators.anthropic_shapes import (
    BLOCK,
    CITATION,
    ERROR,
    STOP_REASONS,
    USAGE,
    USAGE_OF_DELTA,
)
from flo2.testing.validators.findings import Findings, Level, Violation
from flo2.testing.validators.framing import (
    MISSING,
    Frame,
    check_content_type,
    parse_frames,
    parse_json,
    parse_object,
)
from flo2.testing.validators.shapes import (
    COUNT,
    FILLED,
    OBJECT,
    TEXT,
    array,
    maybe,
    record,
    strictly,
    tagged,
    word,
)

__all__ = ["validate_answer", "validate_stream"]

_CUT_SHORT: Final = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
"""Ends that may leave a tool call's arguments unfinished."""

_STOP: Final = strictly(word(*STOP_REASONS), TEXT)
_HEAD: Final = {
    "id": strictly(FILLED, TEXT),
    "type": word("message"),
    "role": word("assistant"),
    "model": strictly(FILLED, TEXT),
}
_ANSWER: Final = record(
    {**_HEAD, "content": array(BLOCK), "stop_reason": _STOP, "usage": USAGE},
    strict={"stop_sequence": maybe(TEXT)},
)

_DELTAS: Final = {
    "text_delta": record({"text": TEXT}),
    "input_json_delta": record({"partial_json": TEXT}),
    "citations_delta": record({"citation": CITATION}),
    "thinking_delta": record({"thinking": TEXT}),
    "signature_delta": record({"signature": TEXT}),
    "compaction_delta": record({"content": maybe(TEXT)}),
}
_DELTAS_OF: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"text_delta", "citations_delta"}),
    "thinking": frozenset({"thinking_delta", "signature_delta"}),
    "tool_use": frozenset({"input_json_delta"}),
    "server_tool_use": frozenset({"input_json_delta"}),
    "mcp_tool_use": frozenset({"input_json_delta"}),
    "compaction": frozenset({"compaction_delta"}),
}
_EMPTY_AT_START: Final[Mapping[str, tuple[tuple[str, object], ...]]] = {
    "text": (("text", ""),),
    "thinking": (("thinking", ""), ("signature", "")),
    "tool_use": (("input", {}),),
}
_EVENT: Final = tagged(
    "type",
    {
        "message_start": record(
            {"message": record({**_HEAD, "content": array(BLOCK), "usage": USAGE})}
        ),
        "content_block_start": record({"index": COUNT, "content_block": BLOCK}),
        "content_block_delta": record({"index": COUNT, "delta": tagged("type", _DELTAS)}),
        "content_block_stop": record({"index": COUNT}),
        "message_delta": record(
            {
                "delta": record(
                    {"stop_reason": maybe(_STOP)}, strict={"stop_sequence": maybe(TEXT)}
                ),
                "usage": USAGE_OF_DELTA,
            }
        ),
        "message_stop": OBJECT,
        "ping": OBJECT,
        "error": ERROR,
    },
    others=strictly(record({"type": word("an event that the API documents")}), OBJECT),
)


def validate_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, level: Level = "strict"
) -> list[Violation]:
    """Check a whole answer, an error from status 400 on."""
    findings = Findings(level)
    check_content_type(headers, "application/json", findings)
    value = parse_object(body, findings)
    if value is None:
        return findings.violations
    if status >= 400:
        ERROR(findings, "", value)
        return findings.violations
    before = len(findings.violations)
    _ANSWER(findings, "", value)
    if len(findings.violations) == before:
        kinds = [_kind(block) for block in value["content"]]
        ids = [block["id"] for block in value["content"] if "id" in block]
        _check_whole(findings, kinds, ids, value)
    return findings.violations


def _kind(block: Mapping[str, Any]) -> str:
    """Give a block's type; a call that the provider's own code made is not the client's to run."""
    caller = block.get("caller")
    direct = not isinstance(caller, dict) or caller.get("type") == "direct"
    return str(block["type"]) if direct else "tool_use by code"


def _check_whole(
    findings: Findings, kinds: list[str], ids: list[str], ending: Mapping[str, Any]
) -> None:
    """Check what must hold of a message once it is whole."""
    reason = ending["stop_reason"]
    called = "tool_use" in kinds
    holds = called == (reason == "tool_use") or (called and reason in {*_CUT_SHORT, "pause_turn"})
    findings.expect(
        "stop_reason",
        "'tool_use' goes with a tool_use block",
        [reason, kinds],
        holds=holds,
        strict=True,
    )
    sequence = ending.get("stop_sequence")
    holds = (sequence is not None) == (reason == "stop_sequence")
    findings.expect(
        "stop_sequence",
        "goes with stop_reason 'stop_sequence'",
        [reason, sequence],
        holds=holds,
        strict=True,
    )
    holds = len(ids) == len(set(ids))
    findings.expect("content", "each call has its own id", ids, holds=holds)


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


@define
class _Block:
    index: int
    kind: str
    text: str = ""
    signed: bool = False


class _Stream:
    """What a stream has said so far."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._begun = False
        self._over = ""
        self._open: _Block | None = None
        self._kinds: list[str] = []
        self._ids: list[str] = []
        self._unfinished: list[int] = []
        self._ending: dict[str, Any] | None = None

    def take(self, frame: Frame) -> None:
        findings = self._findings
        if self._over:
            findings.add("", f"nothing follows {self._over}", frame.data)
            return
        value = parse_object(frame.data, findings)
        if value is None:
            return
        before = len(findings.violations)
        _EVENT(findings, "", value)
        kind = value.get("type")
        holds = frame.event == kind
        findings.expect(
            "event",
            f"is {kind!r}, as the data says",
            frame.event,
            holds=holds,
            strict=frame.event is None,
        )
        if not isinstance(kind, str):
            return
        if kind == "error":
            self._over = "an error"
        elif kind == "message_start":
            self._start(value)
        elif kind != "ping":
            findings.expect("type", "message_start comes first", kind, holds=self._begun)
            if len(findings.violations) == before:
                self._event(kind, value)

    def _start(self, value: dict[str, Any]) -> None:
        findings = self._findings
        findings.expect("type", "message_start comes once", value, holds=not self._begun)
        self._begun = True
        message = value.get("message")
        if not isinstance(message, dict):
            return
        for name, empty in (("content", []), ("stop_reason", None), ("stop_sequence", None)):
            told = message.get(name, MISSING)
            rule = "is there, and empty, at the start"
            findings.expect(f"message.{name}", rule, told, holds=told == empty, strict=True)

    def _event(self, kind: str, value: dict[str, Any]) -> None:
        if kind == "content_block_start":
            self._open_block(value["index"], value["content_block"])
        elif kind == "content_block_delta":
            self._delta(value["index"], value["delta"])
        elif kind == "content_block_stop":
            self._close_block(value["index"])
        elif kind == "message_delta":
            self._message_delta(value)
        elif kind == "message_stop":
            self._message_stop(value)

    def _open_block(self, index: int, block: dict[str, Any]) -> None:
        findings = self._findings
        findings.expect(
            "type",
            "a block begins when the one before has stopped",
            index,
            holds=self._open is None,
        )
        findings.expect(
            "type", "blocks come before message_delta", index, holds=self._ending is None
        )
        findings.expect(
            "index", "numbers the blocks from 0", index, holds=index == len(self._kinds)
        )
        kind = block["type"]
        self._open = _Block(index, kind)
        self._kinds.append(_kind(block))
        if "id" in block:
            self._ids.append(block["id"])
        for name, empty in _EMPTY_AT_START.get(kind, ()):
            if name in block:
                findings.expect(
                    f"content_block.{name}",
                    "is empty: its content comes in deltas",
                    block[name],
                    holds=block[name] == empty,
                    strict=True,
                )

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        findings, block = self._findings, self._open
        if block is None or block.index != index:
            open_ = None if block is None else block.index
            findings.add("index", "is that of the open block", [index, open_])
            return
        kind = delta["type"]
        rule = f"fits a block of type {block.kind}"
        findings.expect("delta.type", rule, kind, holds=kind in _DELTAS_OF.get(block.kind, ()))
        findings.expect(
            "delta",
            "nothing follows the signature of a block",
            delta,
            holds=not block.signed,
            strict=True,
        )
        block.signed = kind == "signature_delta"
        if kind == "input_json_delta":
            block.text += delta["partial_json"]

    def _close_block(self, index: int) -> None:
        findings, block = self._findings, self._open
        if block is None or block.index != index:
            open_ = None if block is None else block.index
            findings.add("index", "is that of the open block", [index, open_])
            return
        self._open = None
        if "input_json_delta" in _DELTAS_OF.get(block.kind, ()) and block.text:
            # Whether they may be unfinished is known when the reason of the end is.
            probe = Findings(findings.level)
            value = parse_json(block.text, "input", probe)
            if probe.violations:
                self._unfinished.append(index)
            else:
                findings.expect("input", "is an object", value, holds=isinstance(value, dict))

    def _message_delta(self, value: dict[str, Any]) -> None:
        findings = self._findings
        findings.expect(
            "type",
            "message_delta comes when each block has stopped",
            self._kinds,
            holds=self._open is None,
        )
        self._ending = value["delta"]

    def _message_stop(self, value: dict[str, Any]) -> None:
        findings, ending = self._findings, self._ending
        self._over = "message_stop"
        findings.expect(
            "type",
            "message_stop comes when each block has stopped",
            value,
            holds=self._open is None,
        )
        if ending is None:
            findings.add("type", "message_delta comes before message_stop", value)
            return
        reason = ending["stop_reason"]
        findings.expect(
            "stop_reason", "is given before message_stop", reason, holds=reason is not None
        )
        for index in self._unfinished:
            findings.expect(
                f"content[{index}].input",
                "is JSON when the block stops",
                reason,
                holds=reason in _CUT_SHORT,
            )
        _check_whole(findings, self._kinds, self._ids, ending)

    def close(self) -> None:
        self._findings.expect(
            "", "the stream ends with message_stop or an error", self._over, holds=self._over != ""
        )
