"""What an answer says to its client, whatever the dialect: the measure of a translation.

The readers here are written for this purpose alone and share nothing with `flo2.dialects`: they
believe what they read, and leave to the validators whether it is well-formed. They read the first
choice. Imports: testing.validators (framing), testing.conformance readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from flo2.testing.validators.findings import Findings
from flo2.testing.validators.framing import parse_frames

__all__ = ["Finish", "Meaning", "arguments", "error_message", "joined", "objects_of"]

Finish = Literal["stop", "length", "tool_calls", "filtered"]


@frozen
class Meaning:
    """An answer as its client acts on it.

    Attributes:
        text: All text, refusals too.
        calls: Name and arguments of each tool call the client is to run; free text input counts as
            `{"input": text}`.
        finish: Why it ended; None: it did not, or did not say.
        usage: Input tokens (cached ones too) and output tokens (reasoning too), or None.
        error: The message of an error that came in place of the rest.
    """

    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    finish: Finish | None = None
    usage: tuple[int, int] | None = None
    error: str | None = None


def objects_of(body: bytes, *, stream: bool) -> list[dict[str, Any]]:
    """Give the JSON objects of an answer; what is none is left out."""
    if not stream or body.lstrip()[:1] in {b"[", b"{"}:
        value = _parsed(body.decode("utf-8", "replace"))
        values = value if isinstance(value, list) else [value]
    else:
        frames = parse_frames(body, Findings("compatible"))
        values = [_parsed(frame.data) for frame in frames]
    return [value for value in values if isinstance(value, dict)]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def arguments(text: str | None) -> Any:
    """Parse arguments of a tool; text that is no JSON stays text."""
    value = _parsed(text or "{}")
    return text if value is None and text != "null" else value or {}


def joined(values: Any, *, key: str = "text") -> str:
    """Join the texts of content that is text or a list of parts."""
    if isinstance(values, str):
        return values
    parts = values if isinstance(values, list) else []
    return "".join(str(part.get(key) or "") for part in parts if isinstance(part, dict))


def error_message(value: Mapping[str, Any]) -> str | None:
    """Find the message of an error envelope of any dialect."""
    inner = value.get("error")
    if isinstance(inner, dict):
        return str(inner.get("message"))
    return None if inner is None else str(inner)
