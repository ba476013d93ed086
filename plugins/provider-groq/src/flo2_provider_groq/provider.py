"""What differs at Groq from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from flo2 import Call, ChatHost, Facts, OpenAICompatible, ProviderError, ReadUsage
from flo2.openai_compatible import CHAT, SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from flo2_provider_groq.usage import read_usage

__all__ = ["Groq"]

_OWN_STATUS: Final = 498
# https://console.groq.com/docs/reasoning, supported models (read 2026-11-25); others are taken for
# models that do not reason: reasoning left out is a loss with a name, reasoning refused is a 400.
_REASONS: Final = re.compile(r"openai/gpt-oss-|qwen/qwen-?3|deepseek-r1-")
_REASONING_HOST: Final = ChatHost(names=False, reasoning="reasoning")
# The model has written, and what it wrote fits no tool or no schema; Groq does not say whether it
# bills that (https://console.groq.com/docs/errors, read 2026-11-25; recordings/groq
# …tool-use-failed-error). "Retry" is its advice, and another draw often fits.
_FAILED_WRITING: Final = frozenset({"json_validate_failed", "tool_use_failed"})


class Groq(OpenAICompatible):
    """Groq's API (https://console.groq.com/docs/api-reference, read 2026-11-25)."""

    kind: ClassVar[str] = "groq"
    example_model: ClassVar[str] = "openai/gpt-oss-20b"
    base_url: ClassVar[str] = "https://api.groq.com/openai/v1"
    facts: Facts = Facts(
        dialects=(CHAT, SPEECH, TRANSCRIPTIONS, TRANSLATIONS),
        key_env="GROQ_API_KEY",
        cancel_semantics="runs_to_end",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Groq among the providers "
            "that do not support cancelling: they run to the end and bill all (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Groq publishes "
            "none of its own, looked for 2026-11-25)"
        ),
        billed_errors=_FAILED_WRITING,
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_groq",)
    # Answered with 400 (https://console.groq.com/docs/openai, currently unsupported features, where
    # a turn's `name` stands as well; `store`: fanenr/chatbot#21; read 2026-11-25).
    drop: ClassVar[frozenset[str]] = frozenset({"logit_bias", "logprobs", "store", "top_logprobs"})
    # `reasoning_content` "is unsupported" (janhq/jan#8136, tashfeenahmed/freellmapi#1070), and so
    # is `reasoning` "with this model" where the model does not reason (vercel/ai#8056; read
    # 2026-11-25).
    chat_host: ClassVar[ChatHost] = ChatHost(names=False, reasoning="left_out")
    reply_headers: ClassVar[tuple[str, ...]] = ("x-groq-region", "x-request-id")

    def chat_host_of(self, model: str) -> ChatHost:
        """Say where a model takes its earlier reasoning back."""
        return _REASONING_HOST if _REASONS.match(model) else self.chat_host

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """Read an error answer; two of them mean "try again" though their status does not."""
        error = super().error(call, status, headers, body)
        if isinstance(error, ProviderError):
            if status == _OWN_STATUS:
                # "498 Custom: Flex Tier Capacity Exceeded … try again later" (same errors page).
                error.kind, error.retryable = "overloaded", True
            elif error.code in _FAILED_WRITING:
                error.kind, error.retryable = "upstream", True
        return error

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give Groq's own reader for chats."""
        return read_usage if call.dialect.name == CHAT.name else None
