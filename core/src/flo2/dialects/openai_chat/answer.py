"""Read the JSON of an answer, chunk or whole, into events and into what metering needs.

Imports: canonical, base.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2.canonical import (
    Event,
    Failed,
    Finish,
    Opaque,
    PartDelta,
    PartStart,
    Start,
    UsageUpdate,
)
from flo2.dialects.base import Observed, ReadUsage
from flo2.dialects.exact_charge import ANSWER, exact_charge, wants_answer
from flo2.dialects.openai_chat.choice import ChoiceReader
from flo2.dialects.openai_chat.errors import error_from_frame
from flo2.dialects.openai_chat.fields import residue
from flo2.dialects.openai_chat.usage import DIALECT
from flo2.dialects.openai_chat.usage import read_usage as read_own
from flo2.errors import ProviderError

__all__ = ["AnswerReader"]

_TOP: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation"})


class AnswerReader:
    """What has been read of one answer.

    Args:
        whole: It comes in one piece, not as a stream.
        full: Read all content; else the first piece alone, which says that content has begun.
        read_usage: Turns a usage object into meters.
        observed: What to fill, where it is there already.
    """

    origin: ClassVar[str] = DIALECT
    """The dialect whose answers it reads; a subclass may read another one of this shape."""

    def __init__(
        self,
        *,
        full: bool,
        whole: bool,
        read_usage: ReadUsage,
        observed: Observed | None = None,
    ) -> None:
        self.observed: Observed = observed or Observed()
        self.started: bool = False
        self.finished: bool = False
        self._full = full
        self._whole = whole
        self._read_usage = read_usage
        self._choices: dict[int, ChoiceReader] = {}
        self._early: dict[str, Any] = {}
        self._tier: str | None = None
        self._models: Any = None
        self._tools: dict[tuple[int, int], str] = {}
        self._usage_raw: Any = None
        self._usage_final = False

    @property
    def is_warm(self) -> bool:
        """True when only usage, finish and errors are still of interest to a light decoder."""
        return self.started and self.observed.has_content

    def take(self, payload: dict[str, Any], raw: bytes, out: list[Event]) -> None:
        """Read one chunk, or a whole answer; an error inside it gives a `Failed`."""
        choices = payload.get("choices")
        choices = choices if isinstance(choices, list) else []
        self._identity(payload, out, has_choices=bool(choices))
        for choice in choices:
            if isinstance(choice, dict):
                self._choice(self.shaped(choice), out)
        self._usage(payload, raw, out)
        if _is_error(payload):
            self.fail(error_from_frame(payload, raw), out)
        elif failed := next(filter(_has_failed, choices), None):
            self.fail(error_from_frame(failed, raw), out)

    def shaped(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Give a choice in the shape of a chat's."""
        return choice

    def fail(self, error: ProviderError, out: list[Event]) -> None:
        """Note that the answer broke off."""
        self.observed.error = error
        self.observed.complete = False
        out.append(Failed(error))

    def flush(self, out: list[Event]) -> None:
        """Give what was kept back, at the end of an answer that never said how it finished."""
        if self._full:
            for choice in self._choices.values():
                choice.flush(self.observed.response_id or "", out)

    def _identity(self, payload: dict[str, Any], out: list[Event], *, has_choices: bool) -> None:
        observed = self.observed
        if observed.response_id is None and isinstance(found := payload.get("id"), str) and found:
            observed.response_id = found
        if observed.model is None and isinstance(found := payload.get("model"), str) and found:
            observed.model = found
        if isinstance(tier := payload.get("service_tier"), str):
            self._tier = tier
        if self.started:
            return
        self._early |= residue(payload, _TOP)
        # Azure begins with a chunk that has neither id nor model nor choices (wire fact 8).
        if has_choices or observed.model or observed.response_id:
            self.started = True
            created = payload.get("created")
            self._early.pop("error", None)
            out.append(
                Start(
                    observed.response_id or "",
                    observed.model or "",
                    created if isinstance(created, int) else 0,
                    self._early,
                    origin=self.origin,
                )
            )

    def _choice(self, choice: dict[str, Any], out: list[Event]) -> None:
        number = choice.get("index")
        number = number if isinstance(number, int) else 0
        reader = self._choices.get(number)
        if reader is None:
            reader = self._choices[number] = ChoiceReader(number)
        self._count_tools(number, choice)
        before = len(out)
        wanted = self._full or not self.observed.has_content
        known = self.observed.response_id or ""
        reader.take(choice, known, out, deltas=wanted, whole=self._whole)
        for event in out[before:]:
            if isinstance(event, Finish):
                self.finished = True
                if number == 0:
                    self.observed.finish = event.raw
            elif _is_content(event):
                self.observed.has_content = True

    def _count_tools(self, number: int, choice: dict[str, Any]) -> None:
        """Count the tools that the host ran itself: no usage tells them, and a bill may.

        A stream says each one twice, as it begins and as it ends (wire fact 30).
        """
        for key in ("delta", "message"):
            said = choice.get(key)
            ran = said.get("executed_tools") if isinstance(said, dict) else None
            for at, tool in enumerate(ran if isinstance(ran, list) else ()):
                if isinstance(tool, dict) and isinstance(kind := tool.get("type"), str):
                    index = tool.get("index")
                    self._tools[number, index if isinstance(index, int) else at] = kind

    def _usage(self, payload: dict[str, Any], data: bytes, out: list[Event]) -> None:
        raw, beside = payload.get("usage"), payload
        if isinstance(groq := payload.get("x_groq"), dict):
            raw, beside = raw or groq.get("usage"), {**groq, **payload}
        # Several models in one answer, each with a usage of its own (wire fact 30).
        if isinstance(found := beside.get("usage_breakdown"), dict) and found.get("models"):
            self._models = found
        if not raw or not isinstance(raw, dict):
            return
        if self._models is not None:
            raw = {**raw, "usage_breakdown": self._models}
        if self._tools:
            raw = {**raw, "executed_tools": dict(Counter(self._tools.values()))}
        read = self._read_usage
        if wants_answer(read):
            raw = {**raw, ANSWER: payload}
        # Groq says the same usage three times (wire fact 28); Perplexity a new one in each chunk.
        if raw == self._usage_raw and self._usage_final == self.finished:
            return
        self._usage_raw, self._usage_final = raw, self.finished
        if read is read_own:
            usage = read_own(raw, self._tier)
        else:
            usage = exact_charge(read(raw), read, raw, data)
        if self._tier is not None and "service_tier" not in usage.context:
            usage = evolve(usage, context={"service_tier": self._tier, **usage.context})
        self.observed.usage = usage
        out.append(UsageUpdate(usage, final=self.finished))


def _is_content(event: Event) -> bool:
    """Tell what the model made from what its host put beside it."""
    if isinstance(event, PartStart):
        return not (isinstance(event.part, Opaque) and event.part.aside)
    return isinstance(event, PartDelta)


def _has_failed(choice: Any) -> bool:
    """Tell a choice whose model failed under way, as a reseller says it in an answer of 200.

    https://openrouter.ai/docs/api/reference/errors-and-debugging (read 2026-11-25).
    """
    return isinstance(choice, dict) and isinstance(choice.get("error"), dict)


def _is_error(payload: dict[str, Any]) -> bool:
    if payload.get("error") or payload.get("object") == "error":
        return True
    if "choices" in payload or "usage" in payload:
        return False
    return payload.get("type") == "error" or isinstance(
        payload.get("message", payload.get("detail")), str
    )
