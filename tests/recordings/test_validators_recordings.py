"""The validators against real traffic: the vendors' own is right by definition.

A rule that recorded traffic of the vendor breaks is a wrong rule, or the recording is not what the
vendor sent; a rule that hosts of the same API break belongs to the strict level only.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from flo2.testing.traces import Trace, golden_traces, recorded_traces
from flo2.testing.validators import VALIDATORS, Level

VENDORS = {
    ("openai", "/v1/chat/completions"): "openai.chat",
    ("openai", "/v1/completions"): "openai.completions",
    ("openai", "/v1/responses"): "openai.responses",
    ("openai", "/v1/embeddings"): "openai.embeddings",
    ("anthropic", "/v1/messages"): "anthropic.messages",
    ("google", ":generateContent"): "gemini",
    ("google", ":streamGenerateContent"): "gemini",
    ("google-vertex", ":generateContent"): "gemini",
    ("google-vertex", ":streamGenerateContent"): "gemini",
    ("google-vertex", ":rawPredict"): "anthropic.messages",
}
HOSTS = (
    "alibaba",
    "azure",
    "cerebras",
    "deepseek",
    "google",
    "groq",
    "huggingface",
    "llamacpp",
    "mistral",
    "ollama",
    "openrouter",
    "perplexity",
    "together",
    "venice",
    "vercel-gateway",
    "voyageai",
    "xai",
    "zai",
)
OF_HOSTS = {
    "/chat/completions": "openai.chat",
    "/v1/completions": "openai.completions",
    "/responses": "openai.responses",
    "/embeddings": "openai.embeddings",
}
GOLDEN = {"openai_chat": "openai.chat", "anthropic_messages": "anthropic.messages"}

_OLD = "recorded before the API had `refusal` (August 2024)"
_UNNUMBERED = "recorded before the API had `sequence_number` (spring 2025)"
_SHORTENED = "frames or fields were taken out by its source"
_BY_HAND = "test data that the authors of an SDK wrote or shortened by hand"
_TWO = "two streams that its source wrote behind each other"
_OTHER = "an answer of another API under this address"
_TOTAL = "Gemini's total counts something that it does not name"
EXCEPTIONS = {
    "dd-trace-py-v1-chat-completion-async-0907a8-0": _OLD,
    "dd-trace-py-v1-chat-completion-function-call-abf688-0": _OLD,
    "dd-trace-py-v1-chat-completion-image-input-6ea900-0": "a preview model with `finish_details`",
    "openllmetry-test-chat-test-chat-tools-18facb-0": _OLD,
    "openllmetry-test-functions-test-open-ai-function-calls-tools-parallel-0a09ad-0": _OLD,
    "openllmetry-test-functions-test-open-ai-function-calls-with-events-with-no-content-39de80-0": (
        _OLD
    ),
    "openllmetry-test-lcel-test-simple-lcel-2c5564-0": _OLD,
    "openllmetry-test-vision-test-vision-with-events-with-no-content-05f0b9-0": _OLD,
    "ai-responses-openai-phase-1-5b9535-0": _SHORTENED,
    "ai-responses-openai-phase-1-60dee8-0": _SHORTENED,
    "ai-responses-openai-shell-container-1-73e4ad-0": _SHORTENED,
    "prism-openai-generate-text-with-required-tool-call-1-9c5a8e-0": _SHORTENED,
    "dd-trace-py-openai-agents-test-simple-agent-streamed-e94418-0": _UNNUMBERED,
    "dd-trace-py-v1-response-stream-3d4812-0": _UNNUMBERED,
    "ai-anthropic-anthropic-tool-search-bm25-1-70d853-0": _TWO,
    "anthropic-sdk-python-streaming-basic-response-b70c79-0": _BY_HAND,
    "anthropic-sdk-python-streaming-tool-use-response-4ea1a6-0": _BY_HAND,
    "claude-code-issue-10314-b41728-0": "a 413 of the proxy before the API, without `type`",
    "prism-gemini-generate-text-with-a-prompt-with-no-thinking-budget-1-0c041d-0": _BY_HAND,
    "prism-gemini-generate-text-with-a-prompt-with-thinking-budget-1-62ab32-0": _TOTAL,
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-11": _TOTAL,
    "newrelic-python-agent-mlmodel-gemini-cassette-d81e70-7": _TOTAL,
    "ai-azure-azure-deepseek-reasoning-1-89e900-0": _OTHER,
    "ai-azure-azure-reasoning-encrypted-content-1-471a86-0": _TWO,
    "ai-groq-groq-transcription-text-1cb02c-0": _OTHER,
    "openllmetry-test-azure-test-chat-content-filtering-with-events-with-no-content-4673df-0": (
        "Azure leaves the message of a filtered choice out; the SDK gives None for it"
    ),
    "openllmetry-test-embeddings-test-azure-openai-embeddings-2e5c44-0": (
        "the recordings have a picture in place of its long base64"
    ),
    **{
        f"vertexai-sdk-test-data-{name}": _BY_HAND
        for name in (
            "googleai-streaming-failure-prompt-blocked-safety-c730c1-0",
            "googleai-unary-failure-with-message-no-content-03c879-0",
            "vertexai-streaming-failure-empty-content-5d0785-0",
            "vertexai-streaming-failure-error-mid-stream-769447-0",
            "vertexai-streaming-failure-recitation-no-content-1179a7-0",
            "vertexai-streaming-success-function-call-short-590bea-0",
            "vertexai-unary-success-detailed-token-response-9199ad-0",
            "vertexai-unary-success-function-call-empty-arguments-1ad571-0",
            "vertexai-unary-success-function-call-mixed-content-59c874-0",
            "vertexai-unary-success-function-call-no-arguments-0c606a-0",
            "vertexai-unary-success-image-invalid-safety-ratings-2145cd-0",
            "vertexai-unary-success-no-billable-characters-0890a0-0",
            "vertexai-unary-success-quote-reply-35b0a2-0",
        )
    },
}
ODD = {
    "cut_stream",
    "broken_off",
    "agent_turn_with_mid_conversation_system",  # its signature comes in two pieces
    "data_lines_only",
    "no_blank_line_at_the_end",
    "pause_turn_after_server_tools",  # has an event that does not exist
    "plain_with_everything",  # has a block that does not exist
}
"""Golden traces that break a rule on purpose."""


class Case(NamedTuple):
    """A trace, and how to check it."""

    dialect: str
    level: Level
    trace: Trace


def cases() -> list[Case]:
    found = [
        Case(dialect, "strict", trace)
        for folder, dialect in GOLDEN.items()
        for trace in golden_traces(folder)
        if not trace.endpoint.endswith("count_tokens")
    ]
    for (vendor, endpoint), dialect in VENDORS.items():
        # Shapes that nobody has seen prove nothing about a rule.
        found += [
            Case(dialect, "strict", trace)
            for trace in recorded_traces(vendor)
            if trace.endpoint.endswith(endpoint) and "unverified_shape" not in trace.tags
        ]
    for host in HOSTS:
        found += [
            Case(dialect, "compatible", trace)
            for trace in recorded_traces(host)
            for endpoint, dialect in OF_HOSTS.items()
            if trace.endpoint.endswith(endpoint)
        ]
    return found


def violations(case: Case):
    validator, trace = VALIDATORS[case.dialect], case.trace
    if trace.stream and trace.status == 200:
        return validator.stream(trace.body, level=case.level)
    # Some sources kept no headers.
    headers = {"content-type": "application/json", **trace.headers}
    return validator.answer(trace.status, headers, trace.body, level=case.level)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.dialect}-{case.trace.name}")
def test_recorded_answers_pass(case, count_replay):
    count_replay(case.trace.kind)
    found = violations(case)
    if case.trace.name in EXCEPTIONS.keys() | ODD:
        assert found != []  # else it is no exception
    else:
        assert found == []
