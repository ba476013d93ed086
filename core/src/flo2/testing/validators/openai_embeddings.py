"""Check answers of OpenAI's embeddings.

Source: https://platform.openai.com/docs/api-reference/embeddings/create (read 2026-11-25).
Imports: testing.validators.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from flo2.testing.validators.findings import Findings, Level, Violation
from flo2.testing.validators.framing import check_content_type, parse_object
from flo2.testing.validators.openai_usage import check_error_answer, check_usage
from flo2.testing.validators.shapes import (
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

_FLOAT_BYTES: Final = 4


def _vector(findings: Findings, path: str, value: Any) -> None:
    """Ask for numbers, or for base64 of 32-bit floats (`encoding_format`)."""
    if not isinstance(value, str):
        array(NUMBER, filled=True)(findings, path, value)
        return
    try:
        size = len(base64.b64decode(value, validate=True))
    except binascii.Error:
        size = -1
    findings.expect(
        path, "is base64 of 32-bit floats", value, holds=size > 0 and size % _FLOAT_BYTES == 0
    )


_ANSWER: Final = record(
    {
        "object": strictly(word("list"), TEXT),
        "data": array(
            record(
                {"embedding": _vector},
                strict={"index": COUNT, "object": word("embedding")},
            ),
            filled=True,
        ),
        "model": strictly(FILLED, TEXT),
    },
    strict={"usage": OBJECT},
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
    if value is None:
        return findings.violations
    before = len(findings.violations)
    _ANSWER(findings, "", value)
    if isinstance(value.get("usage"), dict):
        check_usage(findings, "usage", value["usage"])
    if len(findings.violations) == before:
        indices = [each.get("index") for each in value["data"]]
        findings.expect(
            "data",
            "is numbered from 0, in order",
            indices,
            holds=indices == list(range(len(indices))),
            strict=True,
        )
        sizes = {len(each["embedding"]) for each in value["data"]}
        findings.expect("data", "has vectors of one length", sorted(sizes), holds=len(sizes) == 1)
    return findings.violations


def validate_stream(body: bytes, *, level: Level = "strict") -> list[Violation]:
    """Embeddings do not stream: a stream is a violation of its own."""
    findings = Findings(level)
    findings.add("", "is one JSON object: embeddings do not stream", body)
    return findings.violations
