"""Shapes that OpenAI's completions APIs share: usage, log probabilities, errors.

Source: https://platform.openai.com/docs/api-reference/chat/object (read 2026-11-25), and the types
of openai-python 3.57.
Imports: testing.validators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.testing.validators.findings import Findings
from flo2.testing.validators.framing import check_content_type, parse_object
from flo2.testing.validators.shapes import (
    COUNT,
    INT,
    NUMBER,
    TEXT,
    array,
    maybe,
    record,
    strictly,
)

__all__ = ["ERROR", "LOGPROBS", "check_error_answer", "check_sums", "check_usage"]

_LOGPROB: Final = {"token": TEXT, "logprob": NUMBER, "bytes": maybe(array(INT))}
_TOKENS: Final = array(
    record(_LOGPROB, strict={"top_logprobs": array(record(_LOGPROB))}), filled=False
)
LOGPROBS: Final = record(
    {}, optional={"content": maybe(_TOKENS)}, strict={"refusal": maybe(_TOKENS)}
)

_ERROR: Final = record(
    {"message": TEXT},
    strict={"type": maybe(TEXT), "param": maybe(TEXT), "code": maybe(TEXT)},
)
ERROR: Final = strictly(_ERROR)
"""What stands under `error`; compatible hosts write text, lists and objects of their own."""

_USAGE: Final = record(
    {"total_tokens": COUNT},
    strict={"prompt_tokens": COUNT},
    optional={
        "completion_tokens": COUNT,
        "prompt_tokens_details": maybe(
            record({}, optional={"cached_tokens": maybe(COUNT), "audio_tokens": maybe(COUNT)})
        ),
        "completion_tokens_details": maybe(
            record({}, optional={"reasoning_tokens": maybe(COUNT), "audio_tokens": maybe(COUNT)})
        ),
    },
)


def check_usage(findings: Findings, path: str, usage: Any) -> None:
    """Check a usage object and its sums."""
    _USAGE(findings, path, usage)
    if isinstance(usage, dict):
        check_sums(
            findings,
            path,
            usage,
            total="total_tokens",
            parts=("prompt_tokens", "completion_tokens"),
            inside={
                "prompt_tokens": ("prompt_tokens_details", "cached_tokens"),
                "completion_tokens": ("completion_tokens_details", "reasoning_tokens"),
            },
        )


def check_sums(
    findings: Findings,
    path: str,
    usage: Mapping[str, Any],
    *,
    total: str,
    parts: tuple[str, ...],
    inside: Mapping[str, tuple[str, str]],
) -> None:
    """Check that parts add up to the total, and that a detail is no larger than its whole."""
    counts = [usage.get(name, 0) for name in (total, *parts)]
    if all(isinstance(count, int) for count in counts):
        rule = f"is {' + '.join(parts)}"
        holds = counts[0] == sum(counts[1:])
        findings.expect(f"{path}.{total}", rule, counts, holds=holds, strict=True)
    for whole, (details, name) in inside.items():
        held = usage.get(details)
        part = held.get(name) if isinstance(held, dict) else None
        limit = usage.get(whole)
        if isinstance(part, int) and isinstance(limit, int):
            findings.expect(
                f"{path}.{details}.{name}",
                f"is part of {whole}",
                [part, limit],
                holds=part <= limit,
                strict=True,
            )


def check_error_answer(headers: Mapping[str, str], body: bytes, findings: Findings) -> None:
    """Check the answer of a status from 400 on."""
    if not findings.is_strict:
        return  # the official SDK takes whatever it is for the message
    check_content_type(headers, "application/json", findings)
    value = parse_object(body, findings)
    if value is not None:
        record({"error": _ERROR})(findings, "", value)
