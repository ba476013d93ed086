"""Read the JSON of an answer, chunk or whole, into events and into what metering needs.

Pure. Imports: canonical, base.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import evolve

from flo2.canonical import (
    Event,
    Failed,
    Finish,
    PartStart,
    Start,
    Text,
    Usage,
    UsageUpdate,
)
from flo2.dialects.base import Observed, ReadUsage
from flo2.dialects.gemini.candidate import Candidate, says_something
from flo2.dialects.gemini.errors import stream_error
from flo2.dialects.gemini.grounding import Searches
from flo2.dialects.gemini.vocabulary import NAME
from flo2.errors import ProviderError

__all__ = ["AnswerReader"]

_TOP: Final = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_FIRST: Final = PartStart(0, Text(""))
_PROMPT: Final = "promptTokenCount"


class AnswerReader:
    """What has been read of one answer.

    Args:
        full: Read all content; else say only once that content has begun.
        whole: It comes in one piece, not as a stream.
        read_usage: Turns a usage object into meters.
    """

    def __init__(self, *, full: bool, whole: bool, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self.started: bool = False
        self._full = full
        self._whole = whole
        self._read_usage = read_usage
        self._candidates: dict[int, Candidate] = {}
        self._searches = Searches()
        self._usage_raw: Mapping[str, Any] | None = None
        self._blocked: Finish | None = None

    @property
    def is_warm(self) -> bool:
        """True when only usage, the end and errors are still of interest to a light decoder."""
        return self.started and self.observed.has_content

    def take(self, payload: Mapping[str, Any], raw: bytes, out: list[Event]) -> None:
        """Read one chunk, or a whole answer; an error inside it gives a `Failed`."""
        if payload.get("error"):
            self.fail(stream_error(raw), out)
            return
        if not self.started:
            self._start(payload, out)
        if (usage := payload.get("usageMetadata")) is not None:
            self.take_usage(usage, out)
        candidates = payload.get("candidates")
        if isinstance(candidates, list):
            for candidate in candidates:
                if isinstance(candidate, dict):
                    self._candidate(candidate, out)
        feedback = payload.get("promptFeedback")
        if isinstance(feedback, dict) and isinstance(reason := feedback.get("blockReason"), str):
            self._blocked = Finish("content_filter", reason, extras={"promptFeedback": feedback})
            self.observed.finish = reason

    def take_usage(self, usage: Any, out: list[Event]) -> None:
        """Keep the counts of a chunk: they are cumulative, the last ones hold.

        What is no object says nothing, and earlier counts would be too low: no usage is sound then.
        """
        usage = usage if isinstance(usage, dict) else {}
        early = self._usage_raw is None and not self._whole and _PROMPT in usage
        self._usage_raw = usage
        if early and self._full:
            out.append(UsageUpdate(self._read_usage(usage), final=False))

    def _start(self, payload: Mapping[str, Any], out: list[Event]) -> None:
        observed = self.observed
        response_id, model = payload.get("responseId"), payload.get("modelVersion")
        observed.response_id = response_id if isinstance(response_id, str) and response_id else None
        observed.model = model if isinstance(model, str) and model else None
        extras = {
            key: value for key, value in payload.items() if key not in _TOP and value is not None
        }
        feedback = extras.get("promptFeedback")
        if isinstance(feedback, dict) and "blockReason" in feedback:
            del extras["promptFeedback"]  # says how it ends, not how it begins
        self.started = True
        created = _seconds(payload.get("createTime"))
        out.append(Start(observed.response_id or "", observed.model or "", created, extras, NAME))

    def _candidate(self, candidate: Mapping[str, Any], out: list[Event]) -> None:
        number = candidate.get("index")
        number = number if type(number) is int else 0
        reader = self._candidates.get(number)
        if reader is None:
            seed = self.observed.response_id or ""
            reader = Candidate(number, seed, whole=self._whole)
            self._candidates[number] = reader
        if "groundingMetadata" in candidate:
            self._searches.see(candidate["groundingMetadata"])
        if self._full:
            before = len(out)
            reader.take(candidate, out)
            if not self.observed.has_content:
                self.observed.has_content = any(
                    isinstance(event, PartStart) for event in out[before:]
                )
        else:
            reader.note(candidate)
            if not self.observed.has_content and _has_content(candidate):
                self.observed.has_content = True
                out.append(_FIRST)
        if number == 0 and reader.finish is not None:
            self.observed.finish = reader.finish

    def close(self, out: list[Event]) -> bool:
        """Tell how the answer ends; False: it does not say."""
        if self.observed.error is not None:
            return True
        readers = [reader for _, reader in sorted(self._candidates.items())]
        ended = self._blocked is not None
        if readers:  # a plain answer is whole as it stands
            ended = self._whole or all(reader.finish for reader in readers)
        for reader in readers:
            reader.close(out)
        if self._blocked is not None and not readers:
            out.append(self._blocked)
        if self._usage_raw is not None:
            usage = self._usage(self._usage_raw)
            self.observed.usage = usage
            out.append(UsageUpdate(usage, final=ended))
        self.observed.complete = ended
        return ended

    def _usage(self, raw: Mapping[str, Any]) -> Usage:
        usage = self._read_usage(raw)
        searches = self._searches.meters(self.observed.model or "")
        if not searches:
            return usage
        return evolve(usage, quantities={**usage.quantities, **searches})

    def fail(self, error: ProviderError, out: list[Event]) -> None:
        """Note that the answer broke off."""
        if self._usage_raw is not None and self.observed.usage is None:
            self.observed.usage = self._usage(self._usage_raw)
            out.append(UsageUpdate(self.observed.usage, final=False))
        self.observed.error = error
        self.observed.complete = False
        out.append(Failed(error))


def _has_content(candidate: Mapping[str, Any]) -> bool:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return isinstance(parts, list) and any(says_something(part) for part in parts)


def _seconds(value: Any) -> int:
    """Read an RFC 3339 time as Unix seconds; 0: there is none."""
    if not isinstance(value, str):
        return 0
    try:
        return int(datetime.fromisoformat(value).timestamp())
    except (ValueError, OverflowError):
        return 0
