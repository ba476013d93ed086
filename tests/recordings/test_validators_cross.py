"""Recorded answers of one dialect, written in another one, pass that one's validator."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from flo2.canonical import Event, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Dialect
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing.traces import Trace, golden_traces, recorded_traces
from flo2.testing.validators import VALIDATORS, Level

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (OpenAIChat(), AnthropicMessages())
}
GOLDEN = {"openai.chat": "openai_chat", "anthropic.messages": "anthropic_messages"}
RECORDED = {
    "openai.chat": [
        ("openai", "/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
        ("deepseek", "/chat/completions"),
        ("xai", "/v1/chat/completions"),
        ("openrouter", "/api/v1/chat/completions"),
    ],
    "anthropic.messages": [("anthropic", "/v1/messages")],
}
NO_REASON = {
    # The provider said no reason why the answer ended, and flo2 makes up none.
    "dd-trace-py-v1-chat-completion-image-input-6ea900-0",
    "crewai-crewai-test-deepseek-r1-with-open-router-463817-0",
}
ODD = {
    # Invented types of blocks pass between equal dialects; their validator knows none.
    ("plain_with_everything", "anthropic.messages"),
    ("pause_turn_after_server_tools", "anthropic.messages"),
    # Its signature comes in two pieces.
    ("agent_turn_with_mid_conversation_system", "anthropic.messages"),
}
JSON = {"content-type": "application/json"}


class Case(NamedTuple):
    """An answer, and the dialect it is written in."""

    target: str
    trace: Trace
    events: list[Event]
    level: Level

    @property
    def name(self) -> str:
        """Name the trace and the target."""
        return f"{self.trace.name}-{self.target}"


def events_of(dialect: Dialect, trace: Trace) -> list[Event] | None:
    """Decode a whole answer; None for one that broke."""
    if trace.stream:
        decoder = dialect.decoder(full=True, hide_usage=False)
    else:
        decoder = dialect.body_decoder(full=True)
    events = [*decoder.feed(trace.body).events, *decoder.close().events]
    return events if decoder.observed.complete else None


def cases() -> list[Case]:
    found = []
    for source, dialect in DIALECTS.items():
        traces = [*golden_traces(GOLDEN[source])]
        vendor = len(traces)
        for number, (host, endpoint) in enumerate(RECORDED[source]):
            traces += [each for each in recorded_traces(host) if each.endpoint == endpoint]
            vendor = len(traces) if number == 0 else vendor
        for number, trace in enumerate(traces):
            if trace.status != 200 or trace.name in NO_REASON:
                continue
            if (events := events_of(dialect, trace)) is None:
                continue
            for target in DIALECTS:
                # What a host of the same API says its own way stays as it said it.
                own_way = target == source and number >= vendor
                level: Level = "compatible" if own_way else "strict"
                if (trace.name, target) not in ODD:
                    found.append(Case(target, trace, events, level))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_recorded_answer_in_another_dialect_passes_its_validator(case, count_replay):
    count_replay(case.trace.kind)
    response = fold(case.events)
    validator = VALIDATORS[case.target]
    for include_usage in (True, False):
        encoder = DIALECTS[case.target].encoder(include_usage=include_usage)
        body = b"".join(map(encoder.feed, case.events)) + encoder.close()
        found = validator.stream(body, level=case.level)
        if response.usage is None:  # asked for, and never told
            found = [each for each in found if "usage" not in each.where]
        assert found == []
    rendered = DIALECTS[case.target].encode_response(response)
    found = validator.answer(200, JSON, rendered.body, level=case.level)
    if response.usage is None:
        found = [each for each in found if "usage" not in each.where]
    assert found == []
