"""Check answers of OpenAI's legacy Completions API.

Source: https://platform.openai.com/docs/api-reference/completions/object (read 2026-11-25), and
recorded traffic.
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
from flo2.testing.validators.openai_usage import ERROR, check_error_answer, check_usage
from flo2.testing.validators.shapes import (
    COUNT,
    FILLED,
    OBJECT,
    TEXT,
    array,
    maybe,
    record,
    strictly,
    word,
)

__all__ = ["validate_answer", "validate_stream"]

_FINISH: Final = strictly(word("stop", "length", "content_filter"), TEXT)


def _shape(finish: Any, *, filled: bool) -> Any:
    choice = record(
        {"index": COUNT, "text": TEXT},
        strict={"finish_reason": finish},
        optional={"logprobs": maybe(OBJECT)},
    )
    return record(
        {"id": strictly(FILLED, TEXT), "choices": array(choice, filled=filled)},
        strict={
            "object": strictly(word("text_completion"), TEXT),
            "created": COUNT,
            "model": FILLED,
        },
        optional={"usage": maybe(OBJECT)},
    )


_ANSWER: Final = _shape(_FINISH, filled=True)
_CHUNK: Final = _shape(maybe(_FINISH), filled=False)


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
        _ANSWER(findings, "", value)
        findings.expect("usage", "is there", None, holds="usage" in value, strict=True)
        if isinstance(value.get("usage"), dict):
            check_usage(findings, "usage", value["usage"])
        if len(findings.violations) == before:
            indices = [choice["index"] for choice in value["choices"]]
            holds = indices == list(range(len(indices)))
            findings.expect("choices", "are numbered from 0", indices, holds=holds)
    return findings.violations


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
        self._id: str | None = None
        self._finished: dict[int, str | None] = {}
        self._usages = 0
        self._over = False
        self._failed = False

    def take(self, frame: Frame) -> None:
        findings = self._findings
        if self._over:
            findings.add("", "nothing follows [DONE]", frame.data)
            return
        if frame.data == "[DONE]":
            self._over = True
            return
        value = parse_object(frame.data, findings)
        if value is None:
            return
        if value.get("error") is not None:
            ERROR(findings, "error", value["error"])
            self._failed = True
            return
        before = len(findings.violations)
        _CHUNK(findings, "", value)
        if len(findings.violations) == before:
            self._chunk(value)

    def _chunk(self, chunk: dict[str, Any]) -> None:
        findings = self._findings
        self._id = self._id or chunk["id"]
        holds = chunk["id"] == self._id
        findings.expect(
            "id", f"is {self._id!r} in each chunk", chunk["id"], holds=holds, strict=True
        )
        if isinstance(usage := chunk.get("usage"), dict):
            check_usage(findings, "usage", usage)
            self._usages += 1
            findings.expect("usage", "comes once", usage, holds=self._usages == 1, strict=True)
        else:
            findings.expect(
                "", "the usage chunk is the last one", chunk, holds=not self._usages, strict=True
            )
        for number, choice in enumerate(chunk["choices"]):
            index, finish = choice["index"], choice.get("finish_reason")
            ended = self._finished.setdefault(index, None)
            path = f"choices[{number}]"
            rule = "nothing follows the choice's finish_reason"
            findings.expect(
                path, rule, choice, holds=ended is None or not (choice["text"] or finish)
            )
            self._finished[index] = ended or finish

    def close(self) -> None:
        findings = self._findings
        if self._failed:
            return
        findings.expect(
            "", "the stream ends with [DONE], or with an error", None, holds=self._over, strict=True
        )
        findings.expect("", "there is a choice", None, holds=bool(self._finished))
        for index, finish in self._finished.items():
            findings.expect(
                f"choices[{index}]",
                "each choice has a finish_reason",
                None,
                holds=finish is not None,
            )
