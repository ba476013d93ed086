"""What differs at DeepSeek from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from flo2 import ChatHost, Facts, OpenAICompatible
from flo2.openai_compatible import CHAT

__all__ = ["DeepSeek"]

# Distilled models and `deepseek-ai/…` are open weights that other hosts serve.
_MODEL: Final = re.compile(r"deepseek-(?:chat|reasoner|flash|pro|v[0-9])(?!.*(?:distill|/))")


def _thinking(effort: Any) -> Mapping[str, Any]:
    """Write how much to think: not at all is a switch of its own, which is on by default.

    https://api-docs.deepseek.com/guides/thinking_mode (read 2026-11-25).
    """
    return {"thinking": {"type": "disabled"}} if effort == "none" else {"reasoning_effort": effort}


class DeepSeek(OpenAICompatible):
    """DeepSeek's API (https://api-docs.deepseek.com/api/create-chat-completion, read 2026-11-25).

    Its prices differ by the hour; price rows say when which holds.
    """

    kind: ClassVar[str] = "deepseek"
    base_url: ClassVar[str] = "https://api.deepseek.com"
    facts: Facts = Facts(
        dialects=(CHAT,),
        key_env="DEEPSEEK_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists DeepSeek among the providers "
            "that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; DeepSeek "
            "publishes none of its own, https://api-docs.deepseek.com/quick_start/error_codes, "
            "looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_deepseek",)
    # `max_completion_tokens` is ignored in silence, `max_tokens` is kept (measured 2026-08-12,
    # earendil-works/pi#8018).
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    chat_host: ClassVar[ChatHost] = ChatHost(
        # "unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`,
        # `latest_reminder`" (OpenCoworkAI/open-codesign#316, read 2026-11-25).
        developer=False,
        # "For turns that do perform tool calls, the reasoning_content must be fully passed back …
        # the API will return a 400 error" (https://api-docs.deepseek.com/guides/thinking_mode, read
        # 2026-11-25); an empty one will do (NousResearch/hermes-agent#15717).
        reasoning="reasoning_content",
        calls_reason=True,
        # "This response_format type is unavailable now" for `json_schema` (measured 2026-07-10,
        # llm-exe/llm-exe#662).
        formats=frozenset({"json_object", "text"}),
        fields={"reasoning_effort": _thinking},
    )
    reply_headers: ClassVar[tuple[str, ...]] = ("x-ds-trace-id",)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is DeepSeek's."""
        return _MODEL.match(model) is not None
