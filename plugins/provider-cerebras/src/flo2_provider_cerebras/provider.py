"""What differs at Cerebras from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from typing import ClassVar

from flo2 import ChatHost, Facts, OpenAICompatible
from flo2.openai_compatible import CHAT

__all__ = ["Cerebras"]


class Cerebras(OpenAICompatible):
    """Cerebras' API (https://inference-docs.cerebras.ai/api-reference, read 2026-11-25)."""

    kind: ClassVar[str] = "cerebras"
    example_model: ClassVar[str] = "gpt-oss-120b"
    base_url: ClassVar[str] = "https://api.cerebras.ai/v1"
    # Nobody says what closing a stream does there: the list that flo2's other plugins go by does
    # not name it (https://openrouter.ai/docs/api-reference/streaming, read 2026-11-25).
    facts: Facts = Facts(
        dialects=(CHAT,),
        key_env="CEREBRAS_API_KEY",
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Cerebras "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_cerebras",)
    # `logit_bias` is "accepted and validated, never applied" (measured 2026-08-20,
    # pydantic/pydantic-ai#7653); "property 'body.store' is unsupported"
    # (Gitlawb/openclaude#740, read 2026-11-25).
    drop: ClassVar[frozenset[str]] = frozenset({"logit_bias", "store"})
    # Reasoning comes and goes back as `reasoning`; `reasoning_content` is answered with 400
    # (QwenLM/qwen-code#11045, measured in proxysoul/Empryo#209, read 2026-11-25).
    chat_host: ClassVar[ChatHost] = ChatHost(reasoning="reasoning")
