"""Check answers of Gemini's generateContent and streamGenerateContent.

A stream is a row of whole answers, each with more parts: server-sent events with `?alt=sse`, else
one JSON array. There is no terminal event: a stream is over when each candidate has a finishReason,
the prompt was blocked, or an error came.

Source: https://ai.google.dev/api/generate-content (read 2026-11-25), and recorded traffic of the
Gemini API and of Vertex AI.
Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import define, field

from flo2.testing.validators.findings import Findings, Level, Violation
from flo2.testing.validators.framing import (
    MISSING,
    check_content_type,
    parse_frames,
    parse_json,
    parse_object,
)
from flo2.testing.validators.shapes import (
    BOOL,
    COUNT,
    FILLED,
    NUMBER,
    OBJECT,
    TEXT,
    array,
    record,
    strictly,
    word,
)

__all__ = ["validate_answer", "validate_stream"]

_FINISHES: Final = (
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
    "MODEL_ARMOR",
)
_STATUSES: Final = (
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
)
"""google.rpc.Code, https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto."""

_ERROR: Final = record(
    {
        "error": record(
            {"code": COUNT, "message": TEXT},
            strict={"status": word(*_STATUSES)},
            optional={"details": array(OBJECT)},
        )
    }
)
_KINDS: Final = frozenset(
    {
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    }
)
_FIELDS: Final = record(
    {},
    optional={
        "text": TEXT,
        "thought": BOOL,
        "thoughtSignature": FILLED,
        "inlineData": record({"mimeType": FILLED, "data": TEXT}),
        "fileData": record({"fileUri": FILLED}),
        "functionCall": record(
            {},
            optional={
                "id": TEXT,
                "name": FILLED,
                "args": OBJECT,
                "partialArgs": array(OBJECT),
                "willContinue": BOOL,
            },
        ),
        "executableCode": record({"language": TEXT, "code": TEXT}),
        "codeExecutionResult": record({"outcome": TEXT}),
    },
)
_CANDIDATE: Final = record(
    {},
    optional={
        "index": COUNT,
        "content": record({}, optional={"role": word("model"), "parts": array(_FIELDS)}),
        "finishReason": strictly(word(*_FINISHES), TEXT),
        "finishMessage": TEXT,
        "safetyRatings": array(record({"category": TEXT, "probability": TEXT})),
        "citationMetadata": OBJECT,
        "groundingMetadata": OBJECT,
        "avgLogprobs": NUMBER,
        "logprobsResult": OBJECT,
    },
)
_DETAILS: Final = array(record({"modality": TEXT, "tokenCount": COUNT}))
_PARTS_OF_TOTAL: Final = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
)
_USAGE: Final = record(
    {},
    optional={
        **dict.fromkeys((*_PARTS_OF_TOTAL, "cachedContentTokenCount", "totalTokenCount"), COUNT),
        "promptTokensDetails": _DETAILS,
        "candidatesTokensDetails": _DETAILS,
        "cacheTokensDetails": _DETAILS,
    },
)
_ANSWER: Final = record(
    {},
    optional={
        "candidates": array(_CANDIDATE),
        "promptFeedback": record({}, optional={"blockReason": FILLED}),
        "usageMetadata": _USAGE,
        "modelVersion": TEXT,
        "responseId": FILLED,
    },
)


def validate_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, level: Level = "strict"
) -> list[Violation]:
    """Check a whole answer, an error from status 400 on."""
    findings = Findings(level)
    if status < 400:  # the error of a stream may be JSON and still say text/event-stream
        check_content_type(headers, "application/json", findings)
    value = parse_object(body, findings)
    if value is None:
        return findings.violations
    if status >= 400:
        _ERROR(findings, "", value)
        code = value["error"].get("code") if isinstance(value.get("error"), dict) else None
        findings.expect(
            "error.code", f"is the status, {status}", code, holds=code == status, strict=True
        )
        return findings.violations
    answers = _Answers(findings)
    answers.take(value)
    answers.close()
    return findings.violations


def validate_stream(body: bytes, *, level: Level = "strict") -> list[Violation]:
    """Check a stream, from its first byte to its last."""
    findings = Findings(level)
    answers = _Answers(findings)
    for name, value in _chunks(body, findings):
        with findings.at(name):
            if findings.expect("", "is an object", value, holds=isinstance(value, dict)):
                answers.take(value)
    with findings.at("end"):
        answers.close()
    return findings.violations


def _chunks(body: bytes, findings: Findings) -> Iterator[tuple[str, Any]]:
    if body.lstrip().startswith(b"["):
        value = parse_json(body, "", findings)
        for index, each in enumerate(value if isinstance(value, list) else ()):
            yield f"element {index + 1}", each
        return
    for frame in parse_frames(body, findings):
        with findings.at(frame.name):
            findings.expect(
                "event", "is not given", frame.event, holds=frame.event is None, strict=True
            )
            value = parse_json(frame.data, "", findings)
        if value is not MISSING:
            yield frame.name, value


@define
class _Candidate:
    finish: str | None = None
    streaming_call: bool = False
    call_ids: list[str] = field(factory=list)


class _Answers:
    """What the answers of a stream have said so far; a plain answer is a stream of one."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._candidates: dict[int, _Candidate] = {}
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] | None = None
        self._last_has_usage = False
        self._blocked = False
        self._failed = False

    def take(self, value: dict[str, Any]) -> None:
        findings = self._findings
        findings.expect("", "nothing follows an error", value, holds=not self._failed)
        if "error" in value:
            _ERROR(findings, "", value)
            self._failed = True
            return
        before = len(findings.violations)
        _ANSWER(findings, "", value)
        if len(findings.violations) > before:
            return
        for name in ("responseId", "modelVersion"):
            if name in value:
                first = self._head.setdefault(name, value[name])
                findings.expect(
                    name,
                    f"is {first!r} in each chunk",
                    value[name],
                    holds=value[name] == first,
                    strict=True,
                )
        finished = self._candidates and all(each.finish for each in self._candidates.values())
        self._last_has_usage = "usageMetadata" in value
        if self._last_has_usage:
            self._usage = value["usageMetadata"]
        self._blocked |= bool(value.get("promptFeedback", {}).get("blockReason"))
        candidates = value.get("candidates", [])
        said = candidates or "usageMetadata" in value or self._blocked
        findings.expect(
            "",
            "has candidates, usage, or why the prompt was blocked",
            value,
            holds=bool(said),
            strict=True,
        )
        if finished and not candidates and not self._last_has_usage:
            findings.add("", "nothing follows the end of each candidate", value)
        indices = [each.get("index", 0) for each in candidates]
        findings.expect(
            "candidates", "each has its own index", indices, holds=len(indices) == len(set(indices))
        )
        for number, candidate in enumerate(candidates):
            self._candidate(f"candidates[{number}]", candidate)

    def _candidate(self, path: str, value: dict[str, Any]) -> None:
        findings = self._findings
        candidate = self._candidates.setdefault(value.get("index", 0), _Candidate())
        parts = (value.get("content") or {}).get("parts") or []
        findings.expect(
            path,
            "nothing follows the candidate's finishReason",
            value,
            holds=candidate.finish is None,
            strict=True,
        )
        for number, part in enumerate(parts):
            self._part(f"{path}.content.parts[{number}]", candidate, part)
        candidate.finish = value.get("finishReason") or candidate.finish

    def _part(self, path: str, candidate: _Candidate, part: dict[str, Any]) -> None:
        findings = self._findings
        kinds = sorted(_KINDS & part.keys())
        findings.expect(path, "holds one kind of data", kinds, holds=len(kinds) <= 1)
        if (call := part.get("functionCall")) is None:
            return
        if candidate.streaming_call:
            # Arguments in pieces: the name comes first, with willContinue; the last piece has none.
            findings.expect(
                f"{path}.functionCall.name",
                "comes with the first piece only",
                call,
                holds="name" not in call,
            )
        else:
            findings.expect(f"{path}.functionCall.name", "is there", call, holds="name" in call)
            whole = "args" in call or call.get("willContinue", False)
            # Seen without either for a function without parameters.
            findings.expect(
                f"{path}.functionCall",
                "has args, or goes on",
                call,
                holds=whole or call.keys() <= {"name", "id"},
            )
        candidate.streaming_call = call.get("willContinue", False)
        if identifier := call.get("id"):
            findings.expect(
                f"{path}.functionCall.id",
                "is the call's own",
                identifier,
                holds=identifier not in candidate.call_ids,
            )
            candidate.call_ids.append(identifier)

    def close(self) -> None:
        findings = self._findings
        if self._failed:
            return
        if not self._candidates:
            findings.expect(
                "candidates", "are there, or why the prompt was blocked", [], holds=self._blocked
            )
        for index, candidate in self._candidates.items():
            findings.expect(
                f"candidates[{index}].finishReason",
                "is given by the end",
                None,
                holds=candidate.finish is not None,
            )
            findings.expect(
                f"candidates[{index}]",
                "has no open functionCall at its end",
                True,  # noqa: FBT003
                holds=not candidate.streaming_call,
            )
        indices = sorted(self._candidates)
        findings.expect(
            "candidates", "are numbered from 0", indices, holds=indices == list(range(len(indices)))
        )
        findings.expect(
            "usageMetadata", "is in the last chunk", None, holds=self._last_has_usage, strict=True
        )
        usage = self._usage
        if usage and "totalTokenCount" in usage:
            counts = [usage.get(name, 0) for name in ("totalTokenCount", *_PARTS_OF_TOTAL)]
            findings.expect(
                "usageMetadata.totalTokenCount",
                f"is {' + '.join(_PARTS_OF_TOTAL)}",
                counts,
                holds=counts[0] == sum(counts[1:]),
                strict=True,
            )
            cached, prompt = (
                usage.get(n, 0) for n in ("cachedContentTokenCount", "promptTokenCount")
            )
            findings.expect(
                "usageMetadata.cachedContentTokenCount",
                "is part of promptTokenCount",
                [cached, prompt],
                holds=cached <= prompt,
                strict=True,
            )
