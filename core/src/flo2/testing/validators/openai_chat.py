"""Check answers of OpenAI's Chat Completions API.

Source: https://platform.openai.com/docs/api-reference/chat (object, streaming; read 2026-11-25),
the types and stream helpers of openai-python 3.57, and recorded traffic.
Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from flo2.testing.validators.findings import Findings, Level, Violation
from flo2.testing.validators.framing import (
    MISSING,
    Frame,
    check_content_type,
    parse_frames,
    parse_json,
    parse_object,
)
from flo2.testing.validators.openai_chat_shapes import ANSWER, CHUNK
from flo2.testing.validators.openai_usage import (
    ERROR,
    check_error_answer,
    check_usage,
)

__all__ = ["validate_answer", "validate_stream"]

_CUT_SHORT: Final = frozenset({"length", "content_filter"})
"""Ends that may leave a tool call's arguments unfinished."""


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
        ANSWER(findings, "", value)
        if isinstance(value.get("usage"), dict):
            check_usage(findings, "usage", value["usage"])
        if len(findings.violations) == before:
            _check_choices(findings, value["choices"])
    return findings.violations


def _check_choices(findings: Findings, choices: list[dict[str, Any]]) -> None:
    indices = [choice["index"] for choice in choices]
    rule = "choices are numbered from 0"
    findings.expect("choices", rule, indices, holds=indices == list(range(len(indices))))
    for number, choice in enumerate(choices):
        path, message = f"choices[{number}]", choice["message"]
        calls = message.get("tool_calls") or []
        finish = choice.get("finish_reason")
        said = _Choice(finish=finish)
        for position, call in enumerate(calls):
            made, kind = call.get("function", {}), call.get("type", "function")
            said.calls[position] = _Call(call["id"], kind, arguments=made.get("arguments", ""))
        said.legacy = (message.get("function_call") or {}).get("arguments")
        _check_end_of_choice(findings, path, said)


@define
class _Call:
    id: str
    kind: str
    name: str = ""
    arguments: str = ""


@define
class _Choice:
    calls: dict[int, _Call] = field(factory=dict)
    current: int | None = None
    legacy: str | None = None
    finish: str | None = None
    chunks: int = 0


def _check_end_of_choice(findings: Findings, path: str, choice: _Choice) -> None:
    """Check what must hold of a choice once it is whole."""
    finish = choice.finish
    ids = [call.id for call in choice.calls.values()]
    holds = len(ids) == len(set(ids))
    findings.expect(f"{path}.tool_calls", "each call has its own id", ids, holds=holds)
    if finish == "tool_calls":
        findings.expect(
            path,
            "finish_reason 'tool_calls' follows a tool call",
            finish,
            holds=bool(choice.calls),
            strict=True,
        )
    if finish == "function_call":
        findings.expect(
            path,
            "finish_reason 'function_call' follows a function call",
            finish,
            holds=choice.legacy is not None,
            strict=True,
        )
    if finish in _CUT_SHORT:
        return
    for position, call in choice.calls.items():
        if call.kind == "function":
            _check_arguments(findings, f"{path}.tool_calls[{position}]", call.arguments)
    if choice.legacy is not None:
        _check_arguments(findings, f"{path}.function_call", choice.legacy)


def _check_arguments(findings: Findings, path: str, arguments: str) -> None:
    if not findings.is_strict and not arguments:
        return
    value = parse_json(arguments, f"{path}.arguments", findings)
    if value is not MISSING:
        holds = isinstance(value, dict)
        findings.expect(f"{path}.arguments", "is an object", value, holds=holds, strict=True)


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
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._ended = False
        self._failed = False
        self._usages = 0
        self._nulls = 0
        self._plain = 0

    def take(self, frame: Frame) -> None:
        findings = self._findings
        if self._ended:
            findings.add("", "nothing follows [DONE]", frame.data)
            return
        if frame.data == "[DONE]" or (not findings.is_strict and frame.data.strip() == "[DONE]"):
            self._ended = True
        if self._failed:
            # Some hosts end every stream of theirs with [DONE].
            rule, is_done = "nothing follows an error", self._ended
            findings.expect("", rule, frame.data, holds=False, strict=is_done)
            return
        if self._ended:
            return
        findings.expect(
            "event", "is not given", frame.event, holds=frame.event is None, strict=True
        )
        value = parse_object(frame.data, findings)
        if value is None:
            return
        if value.get("error") is not None:
            ERROR(findings, "error", value["error"])
            self._failed = True
            return
        before = len(findings.violations)
        CHUNK(findings, "", value)
        if len(findings.violations) == before:
            self._chunk(value)

    def _chunk(self, chunk: dict[str, Any]) -> None:
        findings = self._findings
        for name in ("id", "created", "model"):
            first = self._head.setdefault(name, chunk[name])
            findings.expect(
                name,
                f"is {first!r} in each chunk",
                chunk[name],
                holds=chunk[name] == first,
                strict=True,
            )
        usage = chunk.get("usage")
        self._nulls += "usage" in chunk and usage is None
        self._plain += "usage" not in chunk
        if usage is not None:
            self._usage(chunk, usage)
        elif self._usages:
            findings.expect("", "the usage chunk is the last one", chunk, holds=False, strict=True)
        elif not chunk["choices"]:
            findings.expect(
                "choices", "is empty in the usage chunk only", [], holds=False, strict=True
            )
        for number, entry in enumerate(chunk["choices"]):
            self._choice(f"choices[{number}]", entry)

    def _usage(self, chunk: dict[str, Any], usage: Any) -> None:
        findings = self._findings
        check_usage(findings, "usage", usage)
        self._usages += 1
        findings.expect("usage", "comes once", usage, holds=self._usages == 1, strict=True)
        findings.expect(
            "choices",
            "is empty in the usage chunk",
            chunk["choices"],
            holds=not chunk["choices"],
            strict=True,
        )
        open_ = [number for number, choice in self._choices.items() if choice.finish is None]
        findings.expect(
            "usage", "comes after each choice has finished", open_, holds=not open_, strict=True
        )

    def _choice(self, path: str, entry: dict[str, Any]) -> None:
        findings, delta = self._findings, entry["delta"]
        choice = self._choices.setdefault(entry["index"], _Choice())
        first = choice.chunks == 0
        choice.chunks += 1
        findings.expect(
            f"{path}.delta.role",
            "is in the first chunk of a choice, and only there",
            delta,
            holds=("role" in delta) == first,
            strict=True,
        )
        if choice.finish is not None:
            said = {name: each for name, each in delta.items() if each}
            findings.expect(
                f"{path}.delta",
                "has nothing after the choice has finished",
                said,
                holds=not said,
                strict=not findings.is_strict,
            )
        for piece in delta.get("tool_calls") or ():
            self._call(f"{path}.delta.tool_calls", choice, piece)
        if legacy := delta.get("function_call"):
            choice.legacy = (choice.legacy or "") + legacy.get("arguments", "")
        finish = entry.get("finish_reason")
        if finish is not None:
            findings.expect(
                f"{path}.finish_reason",
                "comes once",
                finish,
                holds=choice.finish is None,
                strict=True,
            )
            choice.finish = finish
            _check_end_of_choice(findings, path, choice)

    def _call(self, path: str, choice: _Choice, piece: dict[str, Any]) -> None:
        findings = self._findings
        # Clients of hosts that leave the index out take the position in the list.
        index = piece.get("index") or 0
        made = piece.get("function") or piece.get("custom") or {}
        arguments = made.get("arguments") or made.get("input") or ""
        found = choice.calls.get(index)
        if found is None:
            findings.expect(
                f"{path}.index",
                "numbers the calls from 0",
                index,
                holds=index == len(choice.calls),
                strict=True,
            )
            kind, name = piece.get("type") or "function", made.get("name") or ""
            for key, value in (("id", piece.get("id")), ("name", name)):
                findings.expect(
                    f"{path}.{key}",
                    "is in the first piece of a call",
                    piece,
                    holds=bool(value),
                    strict=True,
                )
            findings.expect(
                f"{path}.type",
                "is in the first piece of a call",
                piece,
                holds="type" in piece,
                strict=True,
            )
            choice.calls[index] = _Call(piece.get("id") or "", kind, name, arguments)
        else:
            # openai-python's stream helper says a call is done when another index comes
            # (lib/streaming/chat/_completions.py, 3.57).
            findings.expect(
                f"{path}.index",
                "calls do not alternate",
                index,
                holds=index == choice.current,
                strict=True,
            )
            again = [name for name in ("id", "type") if piece.get(name)]
            again += ["name"] if made.get("name") else []
            findings.expect(
                path,
                "id, type and name come in the first piece only",
                piece,
                holds=not again,
                strict=True,
            )
            found.arguments += arguments
        choice.current = index

    def close(self) -> None:
        findings = self._findings
        if self._failed:
            return
        findings.expect(
            "",
            "the stream ends with [DONE], or with an error",
            self._ended,
            holds=self._ended,
            strict=True,
        )
        findings.expect("", "there is a choice", "no choice", holds=bool(self._choices))
        numbers = sorted(self._choices)
        findings.expect(
            "choices",
            "choices are numbered from 0",
            numbers,
            holds=numbers == list(range(len(numbers))),
        )
        for number, choice in self._choices.items():
            findings.expect(
                f"choices[{number}]",
                "each choice has a finish_reason",
                None,
                holds=choice.finish is not None,
            )
        if findings.is_strict:
            # "All other chunks will also include a usage field, but with a null value."
            findings.expect(
                "usage",
                "all chunks but the usage chunk say usage: null, or none has usage",
                [self._nulls, self._plain, self._usages],
                holds=self._usages == bool(self._nulls) and not (self._nulls and self._plain),
            )
