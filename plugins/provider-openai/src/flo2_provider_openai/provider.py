"""What differs at OpenAI from a host that only speaks its API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import evolve

from flo2 import (
    Call,
    Dialect,
    Facts,
    ModelFacts,
    OpenAICompatible,
    Profile,
    ProviderError,
    ReadUsage,
    Usage,
)
from flo2.openai_compatible import (
    CHAT,
    COMPLETIONS,
    IMAGE_EDITS,
    IMAGES,
    INPUT_TOKENS,
    MODERATIONS,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)

__all__ = ["OpenAI"]

# `gpt-oss` models are open weights that other hosts serve and OpenAI's API does not.
_MODEL: Final = re.compile(
    r"(?!gpt-oss)(?:gpt-|chatgpt-|chat-latest$|o[1-9](?:-|$)|codex-|computer-use-|ft:"
    r"|text-embedding-|(?:omni|text)-moderation-|dall-e-|tts-|whisper-|(?:babbage|davinci)-002$)"
)
# These continue a text and hold no conversation; all others do the opposite
# (https://platform.openai.com/docs/models, endpoints of each model, read 2026-11-25).
_CONTINUES: Final = re.compile(r"(?:ft:)?(?:gpt-3\.5-turbo-instruct|babbage-002|davinci-002)")
# Audio and search-preview models are at chat completions alone; these others are not there
# (https://platform.openai.com/docs/models, endpoints of each model, read 2026-11-25).
_CHATS_ONLY: Final = re.compile(r"-audio|gpt-audio|-search-preview|-search-api")
_RESPONDS_ONLY: Final = re.compile(
    r"^(?:o1|o3|gpt-5[.\d]*)-pro(?:-|$)|-codex(?:-|$)|^codex-|computer-use|deep-research"
)
# Billed by the characters of the request, which no answer tells; the newer models, billed by
# tokens, tell them in a stream only (https://platform.openai.com/docs/pricing, read 2026-11).
_BY_CHARACTER: Final = re.compile(r"tts-1(?:-|$)")
# "temperature, top_p, logprobs … older GPT-5 models … that include these fields will raise an
# error" (https://platform.openai.com/docs/guides/latest-model, parameter compatibility), and the
# same for o-series (…/docs/guides/reasoning, limitations); gpt-5-chat takes them
# (BerriAI/litellm#13781). From gpt-5.1 on it hangs on the effort (vercel/ai#10932), so those are
# sent as they are. Read 2026-11-25.
_FIXED_SAMPLING: Final = re.compile(r"o[1-9](?:-|$)|gpt-5(?:-(?!chat)|$)")
_SAMPLING: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "presence_penalty",
        "temperature",
        "top_logprobs",
        "top_p",
    }
)
# Money has run out: waiting does not help (https://platform.openai.com/docs/guides/error-codes,
# read 2026-11-25).
_NO_MONEY: Final = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "credit_balance_exhausted"}
)
_HOST: Final = "api.openai.com"


class OpenAI(OpenAICompatible):
    """OpenAI's own API (https://platform.openai.com/docs/api-reference, read 2026-11-25).

    A credential may name a `project`, and an `organization` in its settings; a client's own
    headers for these are not passed on.
    """

    kind: ClassVar[str] = "openai"
    base_url: ClassVar[str] = "https://api.openai.com/v1"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(
            # First, as it alone gives reasoning back to a client of another dialect; a call that
            # chat completions express better goes there.
            RESPONSES,
            *OpenAICompatible.facts.dialects,
            INPUT_TOKENS,
            COMPLETIONS,
            IMAGES,
            IMAGE_EDITS,
            MODERATIONS,
            SPEECH,
            TRANSCRIPTIONS,
            TRANSLATIONS,
        ),
        priced_by_name=False,
        key_env="OPENAI_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists OpenAI among the providers "
            "that stop processing and billing on abort (read 2026-11)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; OpenAI "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2.dialects.openai_chat",)
    # Besides the API's own: what Codex says of its sessions (codex 0.169, seen 2026-11).
    forward_headers: ClassVar[frozenset[str]] = frozenset(
        {
            "openai-beta",
            "originator",
            "session-id",
            "thread-id",
            "x-client-request-id",
            "x-codex-beta-features",
            "x-codex-turn-metadata",
            "x-codex-window-id",
        }
    )
    reply_headers: ClassVar[tuple[str, ...]] = (
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "x-request-id",
    )

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers; organisation and project come from the credential."""
        headers = super().headers(call)
        credential = call.credential
        if organization := credential.settings.get("organization"):
            headers["openai-organization"] = organization
        if credential.project:
            headers["openai-project"] = credential.project
        return headers

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """Read an error answer; an empty account is no rate limit."""
        error = super().error(call, status, headers, body)
        if isinstance(error, ProviderError) and {error.code, error.error_type} & _NO_MONEY:
            error.kind, error.retryable = "budget", False
        return error

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Count what is billed and not told, and say the region of a regional host.

        A data-residency host (`eu.api.openai.com`) costs 10 % more for newer models and its usage
        does not show it (https://platform.openai.com/docs/pricing, read 2026-11), so without a row
        for the region such a call is unpriced rather than wrong.
        """
        own: ReadUsage | None = None
        if call.dialect.name == MODERATIONS.name:
            own = _nothing
        elif call.dialect.name == SPEECH.name and _BY_CHARACTER.match(call.model):
            own = _characters_of(call)
        region = self.host.removesuffix(_HOST).rstrip(".")
        if not region or not self.host.endswith("." + _HOST):
            return own
        read = own or call.dialect.read_usage

        def read_usage(raw: Mapping[str, Any]) -> Usage:
            usage = read(raw)
            return evolve(usage, context={**usage.context, "region": region})

        return read_usage

    def speaks(self, model: str) -> tuple[Dialect, ...]:
        """Give the dialects of one model: not every model is at every endpoint."""
        chats = {RESPONSES.name, CHAT.name}
        if _CONTINUES.match(model):
            chats = {COMPLETIONS.name}
        elif _CHATS_ONLY.search(model):
            chats = {CHAT.name}
        elif _RESPONDS_ONLY.search(model):
            chats = {RESPONSES.name}
        return tuple(
            dialect
            for dialect in self.facts.dialects
            if dialect.operation != "chat" or dialect.name in chats
        )

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is OpenAI's."""
        return _MODEL.match(model) is not None

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of a model's family; a fine-tuned model is of its base's."""
        return super().describe(model.removeprefix("ft:"))

    def profile(self, model: str) -> Profile:
        """Give what a model does not take; matters only where a call is translated or rewritten."""
        base = model.removeprefix("ft:")
        return Profile(drops=_SAMPLING if _FIXED_SAMPLING.match(base) else frozenset())


def _nothing(raw: Mapping[str, Any]) -> Usage:
    """Count nothing, as moderation "is free to use".

    Source: https://platform.openai.com/docs/guides/moderation, read 2026-11-25.
    """
    return Usage({}, {}, raw, MODERATIONS.name)


def _characters_of(call: Call) -> ReadUsage:
    """Count the characters of a text that is read aloud."""
    spoken = call.inbound.request.extras.get("input")
    count = len(spoken) if isinstance(spoken, str) else 0

    def read_usage(raw: Mapping[str, Any]) -> Usage:
        problem = None if count else "the request holds no text to count"
        told = {**raw, "input_characters": count}
        return Usage({"input_characters": count}, {}, told, SPEECH.name, problem=problem)

    return read_usage
