r"""Read the bytes of an answer: JSON, or an event stream, and what is wrong with either.

Written anew for the validators: the parsers of `flo2.dialects` forgive what they can, these do not.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (section 9.2.6, read
2026-11-25): lines end with CRLF, LF or CR; a colon first makes a comment; a blank line dispatches;
what is not dispatched by the end is dropped.
Imports: testing.validators.findings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from flo2.testing.validators.findings import Findings

__all__ = ["MISSING", "Frame", "check_content_type", "parse_frames", "parse_json", "parse_object"]

MISSING: Final = object()
"""In place of a value that could not be read."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_FIELDS: Final = frozenset({"data", "event", "id", "retry"})


@frozen
class Frame:
    """One event of a stream.

    Attributes:
        number: From 1.
        event: The `event` field, or None.
        data: The `data` lines, joined.
    """

    number: int
    event: str | None
    data: str

    @property
    def name(self) -> str:
        """How violations name it."""
        return f"frame {self.number}"


def parse_frames(body: bytes, findings: Findings) -> list[Frame]:
    """Cut a stream into its events."""
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        findings.add("", "is UTF-8", body[exc.start : exc.start + 40])
        text = body.decode("utf-8", "replace")
    frames: list[Frame] = []
    fields: list[tuple[str, str]] = []
    lines = _LINE_END.split(text)
    for line in lines:
        if line == "":
            _dispatch(frames, fields, findings)
            fields = []
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields.append((name, value.removeprefix(" ")))
    if fields:
        # Clients drop it by the letter of the standard; the official SDKs dispatch it.
        findings.expect(
            "end", "the last event ends with a blank line", lines[-1], holds=False, strict=True
        )
        _dispatch(frames, fields, findings)
    return frames


def _dispatch(frames: list[Frame], fields: list[tuple[str, str]], findings: Findings) -> None:
    if not fields:
        return
    number = len(frames) + 1
    with findings.at(f"frame {number}"):
        for name, value in fields:
            holds = name in _FIELDS
            findings.expect(
                name[:40], "is a field of an event stream", value, holds=holds, strict=True
            )
        events = [value for name, value in fields if name == "event"]
        findings.expect("event", "is given once", events, holds=len(events) <= 1)
        data = [value for name, value in fields if name == "data"]
        if not data:
            findings.expect("data", "is there", fields, holds=False, strict=True)
            return
    frames.append(Frame(number, events[-1] if events else None, "\n".join(data)))


def parse_json(text: str | bytes, path: str, findings: Findings) -> Any:
    """Parse JSON by its letter: no NaN, no key twice. `MISSING` where it cannot be parsed."""

    def constant(name: str) -> None:
        findings.add(path, "is JSON, which has no such number", name)

    def pairs(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            findings.expect(
                f"{path}.{key}" if path else key, "is given once", value, holds=key not in found
            )
            found[key] = value
        return found

    try:
        return json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        findings.add(path, "is JSON", text)
        return MISSING


def parse_object(text: str | bytes, findings: Findings) -> dict[str, Any] | None:
    """Parse a JSON object; None where there is none."""
    value = parse_json(text, "", findings)
    if value is MISSING:
        return None
    if not isinstance(value, dict):
        findings.add("", "is an object", value)
        return None
    return value


def check_content_type(headers: Mapping[str, str], wanted: str, findings: Findings) -> None:
    """Ask for a media type, whatever its parameters; no header at all passes below strict."""
    named = {name.lower(): value for name, value in headers.items()}
    given = named.get("content-type", "")
    holds = given.partition(";")[0].strip().lower() == wanted
    findings.expect("header content-type", f"is {wanted}", given, holds=holds, strict=not given)
