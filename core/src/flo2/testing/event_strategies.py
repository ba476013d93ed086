"""Hypothesis strategies of answers as any decoder may give them, whatever the dialect.

`canonical_strategies.answers` gives what one dialect can say, for laws about meaning; `wild_events`
gives all that an encoder may meet, for laws about form: several choices, parts of every kind and of
other dialects, parts that take turns, citations, early usage, an end in the middle.
Imports: canonical, errors, hypothesis, testing.canonical_strategies.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from flo2.canonical import (
    Annotation,
    Audio,
    Event,
    Failed,
    Finish,
    FinishReason,
    LogprobsDelta,
    Opaque,
    Part,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
)
from flo2.errors import ProviderError
from flo2.testing.canonical_strategies import json_objects, texts

__all__ = ["wild_events"]

_ENDS: Final[tuple[FinishReason, ...]] = (
    "stop",
    "length",
    "context_window",
    "content_filter",
    "refusal",
    "pause",
    "other",
)
_USAGE: Final = Usage(
    {"input_tokens": 9, "cache_read_tokens": 4, "output_tokens": 12},
    {"reasoning_tokens": 3},
    dialect="elsewhere",
)
_FAILURE: Final = ProviderError("it broke off", status=200, kind="overloaded", retryable=True)


def _pieces(text: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges) if a < b]


@st.composite
def _part(draw: st.DrawFn, origins: Sequence[str], number: str) -> tuple[Part, str, str]:
    """Give a part as it begins, the text that follows, and its signature."""
    origin = draw(st.sampled_from(origins))
    kind = draw(
        st.sampled_from(["text", "reasoning", "refusal", "call", "custom", "speech", "opaque"])
    )
    match kind:
        case "text":
            return Text(draw(texts())), draw(texts()), ""
        case "reasoning":
            return Reasoning(origin=origin), draw(texts()), draw(st.sampled_from(["", "c2ln"]))
        case "refusal":
            return Refusal(""), draw(texts(1)), ""
        case "call":
            whole = json.dumps(draw(json_objects()))
            at = draw(st.sampled_from([0, len(whole)]))
            return ToolCall(f"call_{number}", "look", whole[:at]), whole[at:], ""
        case "custom":
            return ToolCall(f"call_{number}", "shell", "", "custom"), draw(texts(1)), ""
        case "speech":
            return Audio("AAAA", "wav"), draw(texts()), ""
        case _:
            return Opaque(origin, {"type": "something_new"}), "", ""


@st.composite
def _parts(
    draw: st.DrawFn, origins: Sequence[str], choice: int
) -> tuple[list[list[Event]], bool, bool]:
    """Give the events of each part, and whether a tool is called, or something refused."""
    rows: list[list[Event]] = []
    called = refused = False
    for index in range(draw(st.integers(0, 4))):
        part, text, signature = draw(_part(origins, f"{choice}_{index}"))
        called |= isinstance(part, ToolCall)
        refused |= isinstance(part, Refusal)
        row: list[Event] = [PartStart(index, part, choice)]
        if isinstance(part, Text) and draw(st.booleans()):
            row.append(LogprobsDelta({"something_told": [0.5]}, choice))
        cuts = draw(st.lists(st.integers(1, 12), max_size=3))
        row += [PartDelta(index, piece, choice=choice) for piece in _pieces(text, cuts)]
        if isinstance(part, Text) and draw(st.booleans()):
            row.append(Annotation(index, {"type": "something_cited"}, choice))
        if signature:
            row.append(PartDelta(index, signature=signature, choice=choice))
        if draw(st.booleans()):
            row.append(PartStop(index, choice))
        rows.append(row)
    return rows, called, refused


@st.composite
def _in_turns(draw: st.DrawFn, rows: list[list[Event]]) -> list[Event]:
    """Mix rows of events, each in its own order; most often one after another."""
    if not draw(st.integers(0, 3)):
        rows = [list(row) for row in rows if row]
        mixed: list[Event] = []
        while rows:
            row = draw(st.sampled_from(rows))
            mixed.append(row.pop(0))
            rows = [each for each in rows if each]
        return mixed
    return [event for row in rows for event in row]


@st.composite
def wild_events(
    draw: st.DrawFn, origins: Sequence[str], *, choices: int = 1, fails: bool = False
) -> list[Event]:
    """Give the events of an answer.

    Args:
        draw: Given by Hypothesis.
        origins: Names of dialects that reasoning and opaque parts may come from.
        choices: At most so many.
        fails: It ends with a failure, anywhere behind its start.
    """
    events: list[Event] = [Start("answer_1", "model-1", 7, origin=draw(st.sampled_from(origins)))]
    if draw(st.booleans()):
        events.append(UsageUpdate(_USAGE, final=False))
    of_choices: list[list[Event]] = []
    for choice in range(draw(st.integers(1, choices))):
        rows, called, refused = draw(_parts(origins, choice))
        reasons: Sequence[FinishReason] = ("refusal",) if refused else _ENDS
        reason = draw(st.sampled_from(("tool_calls", *reasons) if called else reasons))
        row = draw(_in_turns(rows))
        of_choices.append([*row, Finish(reason, None, choice=choice)])
    events += draw(_in_turns(of_choices))
    events.append(UsageUpdate(_USAGE))
    if fails:
        return [*events[: draw(st.integers(1, len(events)))], Failed(_FAILURE)]
    return events
