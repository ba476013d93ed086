"""How a message begins and ends, in a stream and in a plain answer alike.

Pure. Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from flo2.canonical import Finish, Start, Usage
from flo2.dialects.anthropic_messages.vocabulary import FINISH_OF, NAME

__all__ = ["doubt", "finish_event", "start_event"]

_MESSAGE: Final = frozenset(
    {"id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "usage"}
)
_ENDING: Final = frozenset({"stop_details", "container", "context_management"})
"""Facts that a plain answer has beside its content and a stream has in its message_delta."""

_FALLBACK: Final = (
    "another model took over in mid-answer and the usage does not say which tokens are whose"
)


def start_event(message: Mapping[str, Any]) -> Start:
    """Read the head of a message."""
    extras = {
        key: value
        for key, value in message.items()
        if key not in _MESSAGE and key not in _ENDING and value is not None
    }
    return Start(
        str(message.get("id") or ""), str(message.get("model") or ""), extras=extras, origin=NAME
    )


def finish_event(
    delta: Mapping[str, Any], beside: Mapping[str, Any], *, plain: bool = False
) -> Finish:
    """Read how a message ended.

    Args:
        delta: The object that holds `stop_reason`.
        beside: The event around it.
        plain: `delta` is a whole answer, of which only some fields tell about the end.
    """
    raw, stop = delta.get("stop_reason"), delta.get("stop_sequence")
    return Finish(
        reason=FINISH_OF.get(raw, "other") if isinstance(raw, str) else "other",
        raw=raw if isinstance(raw, str) else None,
        stop_sequence=stop if isinstance(stop, str) else None,
        extras={
            key: value
            for holder in (beside, delta)
            for key, value in holder.items()
            if value is not None
            and (key in _ENDING if plain else key not in _MESSAGE and key != "delta")
        },
    )


def doubt(usage: Usage, *, fell_back: bool) -> Usage:
    """Mark a usage that may hold another model's tokens under this one's name."""
    if fell_back and not usage.subcalls and usage.problem is None:
        return evolve(usage, problem=_FALLBACK)
    return usage
