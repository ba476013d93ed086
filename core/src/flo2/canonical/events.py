"""An answer as it arrives: events, in the order they came.

A stream and a plain answer decode to the same events; `response.fold` adds them up. Deltas name
the `choice` they belong to and the `index` of the part inside it (0, 1, … in order of appearance).
Pure data. Imports: `parts`, `usage`, `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen
from msgspec import Struct

from flo2.canonical.parts import Extras, Part
from flo2.canonical.usage import Usage
from flo2.errors import ProviderError

__all__ = [
    "Annotation",
    "Event",
    "Failed",
    "Finish",
    "FinishReason",
    "LogprobsDelta",
    "PartDelta",
    "PartStart",
    "PartStop",
    "Start",
    "UsageUpdate",
    "Vector",
]

FinishReason = Literal[
    "stop",
    "stop_sequence",
    "length",
    "context_window",
    "tool_calls",
    "content_filter",
    "refusal",
    "pause",
    "other",
]


@frozen(slots=False)
class Start:
    """The answer begins.

    Attributes:
        created: Unix seconds, 0 when the dialect does not say.
        origin: The dialect that was decoded; every `extras`, citation and opaque part that follows
            belongs to it. "" when the events were made in Python.
    """

    id: str
    model: str
    created: int = 0
    extras: Extras = field(factory=dict)
    origin: str = ""


@frozen(slots=False)
class PartStart:
    """A part begins.

    `part` holds its fixed fields (a tool call's id and name, an opaque block whole) and whatever
    content came with it; text, arguments and signatures follow as deltas and are appended.
    """

    index: int
    part: Part
    choice: int = 0


@frozen(slots=False)
class PartDelta:
    """More of a part.

    Attributes:
        text: Appended to `text` of Text, Reasoning and Refusal, to `arguments` of a ToolCall, to
            `transcript` of Audio.
        signature: Appended to a Reasoning's signature.
        data: Appended to base64 `data` of Audio.
        encrypted: Appended to a Reasoning's blob, which may come after a readable summary.
    """

    index: int
    text: str = ""
    signature: str = ""
    data: str = ""
    choice: int = 0
    extras: Extras = field(factory=dict)
    encrypted: str = ""


@frozen(slots=False)
class Annotation:
    """A citation or grounding note on a Text part: the dialect's own JSON object."""

    index: int
    data: Mapping[str, Any]
    choice: int = 0


@frozen(slots=False)
class PartStop:
    """A part is complete. Dialects that do not say so need not send it."""

    index: int
    choice: int = 0


@frozen(slots=False)
class LogprobsDelta:
    """Log probabilities of the newest tokens: the dialect's own JSON object."""

    data: Mapping[str, Any]
    choice: int = 0


@frozen(slots=False)
class Vector:
    """One input has become a vector.

    Attributes:
        index: Number of the input in the request.
        values: Numbers of 32 bits as a rule, whatever the dialect writes them in.
    """

    index: int
    values: tuple[float, ...]
    extras: Extras = field(factory=dict)


class UsageUpdate(Struct, frozen=True, gc=False):
    """Usage so far; the last one of an answer is the whole. `final` False: an early figure."""

    usage: Usage
    final: bool = True


@frozen(slots=False)
class Finish:
    """A choice ends.

    Attributes:
        reason: What it means.
        raw: The provider's own word for it.
        stop_sequence: The stop sequence that was hit, where the provider says so.
    """

    reason: FinishReason
    raw: str | None = None
    stop_sequence: str | None = None
    choice: int = 0
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Failed:
    """The answer broke off: an error event, a garbled frame, an end without its terminator."""

    error: ProviderError


Event = (
    Start
    | PartStart
    | PartDelta
    | Annotation
    | PartStop
    | LogprobsDelta
    | Vector
    | UsageUpdate
    | Finish
    | Failed
)
