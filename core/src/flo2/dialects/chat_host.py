"""How a host's Chat Completions differ from the format's own, message by message.

A provider declares it, and `openai_chat.fit` carries it out. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from attrs import field, frozen

__all__ = ["ANY_HOST", "ChatHost", "WriteField", "WritePart"]

WriteField = Callable[[Any], Mapping[str, Any]]
"""Turns the value of a request field into the host's own fields for it."""

WritePart = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Turns a content part of Chat Completions into the host's own form of it."""


@frozen
class ChatHost:
    """What a host wants otherwise; the defaults change nothing.

    Attributes:
        developer: It knows the role `developer`; else such a turn is written as `system`.
        names: A turn may say its speaker's `name` (a tool's result always may).
        nulls: It takes fields of a turn that say nothing (`refusal: null`); else they are left out.
        reasoning: Where it takes the model's earlier reasoning back: under the field it came in, as
            text in one named field, or as a content part; nowhere: it is left out, by name. What
            names a place takes any readable reasoning, another provider's too.
        calls_reason: A turn that calls tools must have reasoning, an empty one where there is none,
            unless the request's `thinking` is disabled.
        call_id_chars: A tool call's id is exactly so many letters and digits; 0: any id. Others are
            mapped, in the call and in its result, the same one always to the same.
        marks_prefix: A last turn of the assistant, for the model to go on from, is marked `prefix`.
        asks_usage: A stream is asked for its usage; else the host tells it unasked and refuses the
            question.
        formats: The kinds of `response_format` it takes; None: all.
        fields: How it writes request fields whose values it knows otherwise, by their name.
        parts: How it writes content parts that it knows in another form, by their type.
    """

    developer: bool = True
    names: bool = True
    nulls: bool = True
    reasoning: Literal["as_given", "left_out", "reasoning", "reasoning_content", "thinking"] = (
        "as_given"
    )
    calls_reason: bool = False
    call_id_chars: int = 0
    marks_prefix: bool = False
    asks_usage: bool = True
    formats: frozenset[str] | None = None
    fields: Mapping[str, WriteField] = field(factory=dict)
    parts: Mapping[str, WritePart] = field(factory=dict)

    @property
    def takes_reasoning(self) -> bool:
        """Whether it takes readable reasoning of any origin."""
        return self.reasoning not in {"as_given", "left_out"}


ANY_HOST: Final = ChatHost()
"""One that wants nothing otherwise."""
