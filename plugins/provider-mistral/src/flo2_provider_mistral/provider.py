"""What differs at Mistral from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2 import Call, ChatHost, Facts, ListedFacts, OpenAICompatible, ReadUsage
from flo2.openai_compatible import CHAT, MODERATIONS, SPEECH, TRANSCRIPTIONS
from flo2_provider_mistral.parts import audio_part, file_part
from flo2_provider_mistral.usage import read_transcript, read_usage

__all__ = ["Mistral"]

_MODEL: Final = re.compile(
    r"(?:open-)?(?:codestral|devstral|magistral|ministral|mistral|mixtral|pixtral|voxtral)"
    r"-(?!.*(?:instruct|[0-9]b-v0))|ft:(?:open-)?(?:codestral|ministral|mistral|pixtral)-|labs-"
)

_CAPABILITIES: Final = {"tools": "function_calling", "reasoning": "reasoning"}
"""flo2's name of an ability → its name in the list of models."""


class Mistral(OpenAICompatible):
    """Mistral's API (https://docs.mistral.ai/api, read 2026-11-25).

    What its schema does not have it answers with 422, `extra_forbidden`; the fields named here are
    those of https://github.com/mistralai/client-python, models/chatcompletionrequest.py and
    usermessage.py (read 2026-11-25).
    """

    kind: ClassVar[str] = "mistral"
    example_model: ClassVar[str] = "mistral-small-latest"
    base_url: ClassVar[str] = "https://api.mistral.ai/v1"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(*OpenAICompatible.facts.dialects, MODERATIONS, SPEECH, TRANSCRIPTIONS),
        key_env="MISTRAL_API_KEY",
        cancel_semantics="runs_to_end",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Mistral among the providers "
            "that do not support cancelling: they run to the end and bill all (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Mistral "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_mistral",)
    # The last one is of embeddings (models/embeddingrequest.py of the same client).
    rename: ClassVar[Mapping[str, str]] = {
        "max_completion_tokens": "max_tokens",
        "seed": "random_seed",
        "dimensions": "output_dimension",
    }
    drop: ClassVar[frozenset[str]] = frozenset(
        {
            "logit_bias",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
            "user",
            "verbosity",
        }
    )
    chat_host: ClassVar[ChatHost] = ChatHost(
        developer=False,
        names=False,
        # "loc": ["body", "messages", 0, "user", "name"], … "input": null
        # (nomtek/mistralai_client_dart#44, read 2026-11-25).
        nulls=False,
        # `reasoning_content` is forbidden (charmbracelet/crush#1590, read 2026-11-25); thinking
        # stands among the content (wire fact 33, recordings/mistral …model-thinking-part-e22773-1).
        reasoning="thinking",
        # "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9" (code 3280,
        # openclaw/openclaw#57672, read 2026-11-25).
        call_id_chars=9,
        # "Expected last role User or Tool (or Assistant with prefix True)" (NEKOparapa/AiNiee#641,
        # read 2026-11-25).
        marks_prefix=True,
        # Usage is in the finish chunk unasked (wire fact 32), and `stream_options.include_usage` is
        # forbidden (dnakov/anon-kode#53, read 2026-11-25).
        asks_usage=False,
        parts={"file": file_part, "input_audio": audio_part},
    )
    # "Regional inference is billed at 1.1× standard list pricing"
    # (https://docs.mistral.ai/inference/regional-inference, read 2026-11-25).
    regions: ClassVar[Mapping[str, str]] = {"api.eu.mistral.ai": "eu", "api.us.mistral.ai": "us"}
    reply_headers: ClassVar[tuple[str, ...]] = (
        "mistral-correlation-id",
        "ratelimit",
        "x-ratelimitbysize-",
    )

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give Mistral's own readers for chats and transcripts."""
        own = {CHAT.name: read_usage, TRANSCRIPTIONS.name: read_transcript}
        return self.regional(own.get(call.dialect.name, call.dialect.read_usage))

    def said_of(self, item: Mapping[str, Any]) -> ListedFacts:
        """Read the list's `max_context_length` and `capabilities`.

        Source: recordings/mistral/rig-response-identity-edge-verify-succeeds-….
        """
        told = item.get("capabilities")
        if not isinstance(told, dict):
            return ListedFacts(context_window=item.get("max_context_length"))
        heard = {"audio_transcription", "audio_transcription_realtime"}
        given = {"image": "vision", "audio": "audio"}
        modalities = ["text", *(name for name, word in given.items() if told.get(word))]
        return ListedFacts(
            context_window=item.get("max_context_length"),
            input=["audio"] if any(told.get(word) for word in heard) else modalities,
            abilities={
                name: bool(told[word]) for name, word in _CAPABILITIES.items() if word in told
            },
        )

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is Mistral's."""
        return _MODEL.match(model) is not None
