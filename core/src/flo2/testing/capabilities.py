"""What each public dialect can say, for laws that draw their requests.

A law about one dialect, or between two, draws from these and says where it needs more or less.
Imports: testing.canonical_strategies.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.canonical_strategies import Capabilities

__all__ = ["ANTHROPIC_MESSAGES_CAN", "GEMINI_CAN", "OPENAI_CHAT_CAN", "OPENAI_RESPONSES_CAN"]

_FORMATS: Final = ("text", "json_object", "json_schema")
_EFFORTS: Final = ("minimal", "low", "medium", "high")
_SAMPLING: Final = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "n",
        "logprobs",
        "top_logprobs",
        "stop",
    }
)

OPENAI_CHAT_CAN: Final = Capabilities(
    "openai.chat",
    system_roles=("system", "developer"),
    names=True,
    audio=True,
    files=True,
    refusals=True,
    reasoning=True,
    cache_hints=True,
    max_output_fields=("max_tokens", "max_completion_tokens"),
    sampling=_SAMPLING | {"logit_bias"},
    response_formats=_FORMATS,
    efforts=_EFFORTS,
    custom_tools=True,
)

OPENAI_RESPONSES_CAN: Final = Capabilities(
    "openai.responses",
    system_roles=("system", "developer"),
    audio=True,
    files=True,
    refusals=True,
    reasoning=True,
    result_images=True,
    sampling=frozenset({"temperature", "top_p", "top_logprobs"}),
    response_formats=_FORMATS,
    efforts=_EFFORTS,
    custom_tools=True,
)

ANTHROPIC_MESSAGES_CAN: Final = Capabilities(
    "anthropic.messages",
    files=True,
    reasoning=True,
    signatures=True,
    result_images=True,
    result_errors=True,
    cache_hints=True,
    sampling=frozenset({"temperature", "top_p", "top_k", "stop"}),
    efforts=("low", "medium", "high"),
)

GEMINI_CAN: Final = Capabilities(
    "gemini",
    audio=True,
    files=True,
    reasoning=True,
    signatures=True,
    result_images=True,
    result_errors=True,
    sampling=_SAMPLING,
    response_formats=_FORMATS,
    efforts=_EFFORTS,
    end_user=False,
)
