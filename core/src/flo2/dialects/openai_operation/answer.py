"""Read a plain answer that only its own dialect can say: JSON, text, or the bytes of a file.

Imports: canonical, base, openai_chat's errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import evolve

from flo2.canonical import Event, Failed, Opaque, PartStart, Start, UsageUpdate
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.errors import ProviderError

__all__ = ["BYTES", "AnswerDecoder", "OpaqueAnswer", "read_object", "shown"]

BYTES: Final = "bytes"
"""Key of an opaque part that holds an answer which is no JSON."""
_GARBAGE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_PAGE: Final = (b"<!doctype", b"<html", b"<?xml")
_decode: Final = msgspec.json.Decoder().decode


def read_object(data: bytes) -> dict[str, Any] | None:
    """Parse a JSON object; None for all else."""
    try:
        payload = _decode(data)
    except _GARBAGE:
        return None
    return payload if isinstance(payload, dict) else None


def shown(raw: bytes) -> str:
    """Give the beginning of an answer, for an error."""
    return raw[:100].decode("utf-8", "replace")


class OpaqueAnswer:
    """What decoders of these answers share."""

    def __init__(self, dialect: str, reader: ReadUsage, *, full: bool) -> None:
        self.observed: Observed = Observed()
        self.dialect: str = dialect
        self._reader = reader
        self._full = full
        self._parts = 0

    def fail(self, error: ProviderError, events: list[Event]) -> None:
        """Note that the answer broke off."""
        self.observed.error, self.observed.complete = error, False
        events.append(Failed(error))

    def broke(self, message: str, *, retryable: bool = True) -> ProviderError:
        """Make the error of an answer that is none."""
        text = f"{message} ({self.dialect})"
        return ProviderError(text, status=200, kind="upstream", retryable=retryable)

    def opaque(self, data: Mapping[str, Any], events: list[Event]) -> None:
        """Give content as it came; the light form marks that there is some, once."""
        begins = not self._parts
        if begins:
            events.append(Start("", self.observed.model or "", origin=self.dialect))
        self.observed.has_content = True
        if self._full:
            events.append(PartStart(self._parts, Opaque(self.dialect, data)))
        self._parts += 1

    def use(self, raw: Mapping[str, Any], events: list[Event], doubt: str | None = None) -> None:
        """Read a usage object; a doubt about it is its problem."""
        usage = self._reader(raw)
        self.observed.usage = usage = usage if doubt is None else evolve(usage, problem=doubt)
        events.append(UsageUpdate(usage))


class AnswerDecoder(OpaqueAnswer):
    """Read a plain answer: JSON as a rule, or the bytes of a file.

    Args:
        dialect: Name of the dialect.
        reader: Turns a usage object into meters.
        full: Give the answer as an opaque part too.
        key: A key that an answer in JSON holds, whatever else is in it.
        takes_text: Text is an answer too, with no usage in it.
        takes_bytes: So are bytes of any kind.
    """

    def __init__(
        self,
        dialect: str,
        reader: ReadUsage,
        *,
        full: bool,
        key: str,
        takes_text: bool = False,
        takes_bytes: bool = False,
    ) -> None:
        super().__init__(dialect, reader, full=full)
        self._key = key
        self._takes_text = takes_text
        self._takes_bytes = takes_bytes
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._pieces.append(data)
        return Chunk(b"")

    def close(self) -> Chunk:
        """Read the whole body."""
        raw = b"".join(self._pieces)
        events: list[Event] = []
        head = raw[:16].lstrip().lower()
        if head.startswith(b"{") or not (self._takes_text or self._takes_bytes):
            self._json(raw, events)
        elif head.startswith(_PAGE) or not self._is_answer(raw):
            self.fail(self.broke(f"the answer is none: {shown(raw)!r}"), events)
        else:
            self.observed.complete = True
            self.opaque({BYTES: raw}, events)
            self.untold(events)
        return Chunk(raw, tuple(events))

    def untold(self, events: list[Event]) -> None:
        """Take an answer that has no place for a usage object."""

    def told(self, payload: dict[str, Any], events: list[Event]) -> None:
        """Take the usage of an answer in JSON."""
        if isinstance(usage := payload.get("usage"), dict) and usage:
            self.use(usage, events)

    def _is_answer(self, raw: bytes) -> bool:
        if not self._takes_bytes:
            try:
                raw.decode()
            except UnicodeDecodeError:
                return False
        return bool(raw)

    def _json(self, raw: bytes, events: list[Event]) -> None:
        payload = read_object(raw)
        if payload is None:
            self.fail(self.broke(f"the answer is no JSON object: {shown(raw)!r}"), events)
            return
        if payload.get("error"):
            self.fail(error_from_frame(payload, raw), events)
            return
        if self._key not in payload:
            self.fail(self.broke(f"the answer has no {self._key!r}: {shown(raw)!r}"), events)
            return
        observed = self.observed
        observed.model, observed.response_id = _text(payload, "model"), _text(payload, "id")
        observed.complete = True
        self.opaque(payload, events)
        self.told(payload, events)


def _text(payload: Mapping[str, Any], key: str) -> str | None:
    value = payload.get(key)
    return value if isinstance(value, str) and value else None
