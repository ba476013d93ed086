"""What differs at xAI from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from flo2 import Call, Facts, OpenAICompatible, Profile, ProviderError, ReadUsage
from flo2.openai_compatible import CHAT, IMAGE_EDITS, IMAGES, RESPONSES
from flo2_provider_xai.usage import read_chat, read_image, read_response

__all__ = ["XAI"]

# "presencePenalty, frequencyPenalty and stop parameters are not supported by reasoning models.
# Adding them in the request would result in an error" (https://docs.x.ai/developers/models, read
# 2026-11-25). All models but these reason.
_NO_REASONING: Final = re.compile(r"grok-2(?:-|$)|grok-3(?!-mini)|.*-non-reasoning")
_OF_NO_REASONING: Final = frozenset({"frequency_penalty", "presence_penalty", "stop"})
# "Grok 4 does not have a reasoning_effort parameter. If a reasoning_effort is provided, the request
# will return an error" (same page), nor have 4.20 (vercel/ai release @ai-sdk/xai@4.0.8) and the
# code models (docs.rs/mindfork 0.17.0, measured 2026-10-01). grok-3-mini and from 4.3 on have it.
_NO_EFFORT: Final = re.compile(
    r"grok-2(?:-|$)|grok-3(?!-mini)|grok-4(?:-|$)|grok-4\.20|grok-(?:code|build)-"
)
# One status and one code for two things: a key without rights, and a prompt that is refused
# (UKGovernmentBEIS/inspect_ai#2267, Wei-Shaw/sub2api#5359, read 2026-11-25). Only the second costs:
# "when your request is deemed to be in violation of our usage guideline by our system, we will
# charge a $0.05 per request usage guidelines violation fee" (https://docs.x.ai/docs/models, as
# quoted 2025-09-02 in https://news.ycombinator.com/item?id=45100178).
_VIOLATION: Final = "violates usage guidelines"
_VIOLATION_CODE: Final = "usage_guidelines_violation"

_READERS: Final[Mapping[str, ReadUsage]] = {
    CHAT.name: read_chat,
    RESPONSES.name: read_response,
    IMAGES.name: read_image,
    IMAGE_EDITS.name: read_image,
}


class XAI(OpenAICompatible):
    """xAI's API (https://docs.x.ai/developers/rest-api-reference, read 2026-11-25)."""

    kind: ClassVar[str] = "xai"
    example_model: ClassVar[str] = "grok-4.3"
    base_url: ClassVar[str] = "https://api.x.ai/v1"
    facts: Facts = Facts(
        # Responses first: a chat gives back no reasoning, runs none of xAI's tools, and is called
        # deprecated (https://docs.x.ai/developers/model-capabilities/text/comparison, read
        # 2026-11-25); a call that it expresses better still goes there.
        dialects=(RESPONSES, CHAT, IMAGES, IMAGE_EDITS),
        key_env="XAI_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists xAI among the providers "
            "that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; xAI publishes "
            "one exception, the fee for a violation of its usage guidelines, looked for 2026-11-25)"
        ),
        billed_errors=frozenset({_VIOLATION_CODE}),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_xai",)
    reply_headers: ClassVar[tuple[str, ...]] = ("x-request-id", "x-zero-data-retention")

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """Read an error answer; a refused prompt is no missing permission."""
        error = super().error(call, status, headers, body)
        if isinstance(error, ProviderError) and _VIOLATION in error.message:
            error.kind, error.code = "invalid_request", _VIOLATION_CODE
        return error

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give xAI's own reader: its answers state what they cost."""
        return _READERS.get(call.dialect.name)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is xAI's."""
        return model.startswith("grok-")

    def profile(self, model: str) -> Profile:
        """Give what a model does not take; matters only where a call is translated or rewritten."""
        drops: frozenset[str] = frozenset()
        if not _NO_REASONING.match(model):
            drops |= _OF_NO_REASONING
        if _NO_EFFORT.match(model):
            drops |= {"reasoning", "reasoning_effort"}  # as Responses and as a chat say it
        return Profile(drops=drops)
