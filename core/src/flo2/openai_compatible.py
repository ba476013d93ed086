"""Providers that speak OpenAI's formats: state what differs, inherit the rest.

A host has chat and embeddings unless its facts say more; the other formats stand ready by name.
As a kind of its own, `openai-compatible`, it serves any such host by configuration alone.
Imports: http_provider, dialects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final, Literal

import msgspec
from attrs import evolve, field, frozen

from flo2.canonical import Usage
from flo2.dialects.base import Chunk, Decoder, Dialect, Observed, Profile, ReadUsage
from flo2.dialects.chat_host import ANY_HOST, ChatHost
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_chat.own_bytes import fit_bytes
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings, wants_base64, with_base64
from flo2.dialects.openai_images import OpenAIImageEdits, OpenAIImages
from flo2.dialects.openai_moderations import OpenAIModerations
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.dialects.openai_speech import OpenAISpeech
from flo2.dialects.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from flo2.errors import ProviderError
from flo2.http_provider import HttpProvider
from flo2.model_facts import ListedFacts
from flo2.model_lists import read_listed
from flo2.protocols import Call, CancelSemantics, Credential, Facts, ModelInfo, Reply
from flo2.services import Services

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "IMAGES",
    "IMAGE_EDITS",
    "INPUT_TOKENS",
    "MODERATIONS",
    "RESPONSES",
    "SPEECH",
    "TRANSCRIPTIONS",
    "TRANSLATIONS",
    "OpenAICompatible",
]

CHAT: Final = OpenAIChat()
COMPLETIONS: Final = OpenAICompletions()
EMBEDDINGS: Final = OpenAIEmbeddings()
IMAGES: Final = OpenAIImages()
IMAGE_EDITS: Final = OpenAIImageEdits()
MODERATIONS: Final = OpenAIModerations()
RESPONSES: Final = OpenAIResponses()
INPUT_TOKENS: Final = OpenAIInputTokens()
SPEECH: Final = OpenAISpeech()
TRANSCRIPTIONS: Final = OpenAITranscriptions()
TRANSLATIONS: Final = OpenAITranslations()
Endpoint = Literal[
    "completions",
    "image_edits",
    "images",
    "input_tokens",
    "moderations",
    "responses",
    "speech",
    "transcriptions",
    "translations",
]
_BY_ENDPOINT: Final[Mapping[str, Dialect]] = {
    "completions": COMPLETIONS,
    "image_edits": IMAGE_EDITS,
    "images": IMAGES,
    "input_tokens": INPUT_TOKENS,
    "moderations": MODERATIONS,
    "responses": RESPONSES,
    "speech": SPEECH,
    "transcriptions": TRANSCRIPTIONS,
    "translations": TRANSLATIONS,
}
_LIST_LIMIT: Final = 8 << 20
_JSON_BODIES: Final = frozenset(
    {CHAT.name, COMPLETIONS.name, EMBEDDINGS.name, IMAGES.name, MODERATIONS.name, SPEECH.name}
)

# What Mistral's SDKs say in other words than everybody else (mistralai 3.7,
# `models/chatcompletionrequest.py` and `models/toolchoiceenum.py`, read 2026-11-25).
_RANDOM_SEED: Final = "random_seed"


def _required(choice: Any) -> Mapping[str, Any]:
    return {"tool_choice": "required" if choice == "any" else choice}


_MISTRALS_WORDS: Final = Profile(
    renames={_RANDOM_SEED: "seed"}, chat=ChatHost(fields={"tool_choice": _required})
)


class OpenAICompatible(HttpProvider):
    """A host with OpenAI's API.

    A subclass sets `kind`, `base_url`, `facts`, and what differs: `rename` and `drop` request
    fields, `chat_host`, `usage_reader`, `paths`.
    """

    kind: ClassVar[str] = "openai-compatible"
    facts: Facts = Facts(dialects=(CHAT, EMBEDDINGS))
    paths: ClassVar[Mapping[str, str]] = {
        CHAT.name: "/chat/completions",
        COMPLETIONS.name: "/completions",
        EMBEDDINGS.name: "/embeddings",
        IMAGES.name: "/images/generations",
        IMAGE_EDITS.name: "/images/edits",
        MODERATIONS.name: "/moderations",
        RESPONSES.name: "/responses",
        INPUT_TOKENS.name: "/responses/input_tokens",
        SPEECH.name: "/audio/speech",
        TRANSCRIPTIONS.name: "/audio/transcriptions",
        TRANSLATIONS.name: "/audio/translations",
    }
    models_path: ClassVar[str] = "/models"
    rename: ClassVar[Mapping[str, str]] = {}
    """Request fields the host knows by another name."""
    drop: ClassVar[frozenset[str]] = frozenset()
    """Request fields the host does not take; each one in a request is a named loss."""
    chat_host: ClassVar[ChatHost] = ANY_HOST
    """What else of a chat request the host wants otherwise; `chat_host_of` may say more."""
    regions: ClassVar[Mapping[str, str]] = {}
    """Hosts of its own that cost more → the region that usage from there is marked with: without a
    price row for the region such a call is unpriced rather than wrong."""

    def __init_subclass__(cls) -> None:
        """Declare what follows from `drop` and `chat_host`."""
        super().__init_subclass__()
        if (cls.drop or cls.chat_host != ANY_HOST) and not cls.facts.adapts:
            cls.facts = evolve(cls.facts, adapts=True)

    @frozen(kw_only=True)
    class Config(HttpProvider.Config):
        """Settings of an OpenAI-compatible host.

        Attributes:
            keyless: The host wants no key: it serves every account.
            endpoints: What it has beyond chat and embeddings: `completions`, `image_edits`,
                `images`, `input_tokens`, `moderations`, `responses`, `speech`, `transcriptions`,
                `translations`.
            cancel_semantics: What closing the connection does at the host: it `stops` working and
                billing, or `runs_to_end` and bills all. Not said: as its kind declares.
        """

        keyless: bool = field(default=False)
        endpoints: tuple[Endpoint, ...] = ()
        cancel_semantics: CancelSemantics | None = None

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the endpoint; opens nothing."""
        super().__init__(config, services)
        changes: dict[str, Any] = {"needs_key": False} if config.keyless else {}
        if config.endpoints:
            have = {dialect.name for dialect in self.facts.dialects}
            more = [_BY_ENDPOINT[each] for each in config.endpoints]
            new = (each for each in more if each.name not in have)
            changes["dialects"] = (*self.facts.dialects, *new)
        if config.cancel_semantics is not None:
            changes["cancel_semantics"] = config.cancel_semantics
            changes["cancel_source"] = "the operator's configuration"
        if changes:
            self.facts: Facts = evolve(self.facts, **changes)
        self._differs: bool = self._everywhere("") != Profile()
        self._translates: bool = _RANDOM_SEED not in self.rename.values()

    def chat_host_of(self, model: str) -> ChatHost:
        """Give what a chat request to one model wants otherwise; pure, called often."""
        del model
        return self.chat_host

    def profile(self, model: str) -> Profile:
        """Give what differs for a model of this host; more of it may only count when rendered."""
        return self._everywhere(model)

    def _everywhere(self, model: str) -> Profile:
        """Give what also changes a client's own bytes."""
        return Profile(renames=self.rename, drops=self.drop, chat=self.chat_host_of(model))

    def body(self, call: Call) -> bytes:
        """Give the request body; a client's own bytes change where this host differs."""
        body = call.body()
        if not call.passthrough or call.dialect.name not in _JSON_BODIES:
            return body
        if self._translates and call.inbound.peek.own_words:
            body = fit_bytes(body, _MISTRALS_WORDS)
        if self._differs:
            # The losses were named when the call was checked (`Facts.adapts`).
            return fit_bytes(body, self._everywhere(call.model))
        return body

    def usage_reader(self, call: Call) -> ReadUsage | None:
        """Give the dialect's reader, at a regional host with its region."""
        if not self.regions or self.host not in self.regions:
            return None
        return self.regional(call.dialect.read_usage)

    def regional(self, read: ReadUsage) -> ReadUsage:
        """Say the region of a regional host, which no answer of it says."""
        region = self.regions.get(self.host)
        if region is None:
            return read

        def read_there(raw: Mapping[str, Any]) -> Usage:
            usage = read(raw)
            return evolve(usage, context={**usage.context, "region": region})

        return read_there

    def decoder(self, call: Call, read_usage: ReadUsage | None = None) -> Decoder:
        """Choose how an answer is decoded; embeddings come in the encoding that was asked for."""
        decoder = super().decoder(call, read_usage)
        if (
            call.dialect.name == EMBEDDINGS.name
            and call.passthrough
            and wants_base64(call.inbound.body)
        ):
            return _InBase64(decoder)
        return decoder

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at embeddings."""
        return self.chat(call)

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a count."""
        return self.chat(call)

    def make_images(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at images."""
        return self.chat(call)

    def speak(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at speech."""
        return self.chat(call)

    def transcribe(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a transcript."""
        return self.chat(call)

    def moderate(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a moderation."""
        return self.chat(call)

    def listed(self, item: Mapping[str, Any]) -> ModelInfo:
        """Read one entry of the host's own list of models."""
        name = str(item["id"])
        return ModelInfo(
            name,
            self.kind,
            int(item.get("created") or 0),
            owned_by=item.get("owned_by"),
            facts=self.as_listed(name, self.said_of(item)),
        )

    def said_of(self, item: Mapping[str, Any]) -> ListedFacts:
        """Read what the list says that the model can do."""
        return read_listed(item)

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask the host for its models."""
        headers = {"accept": "application/json", **self.config.headers}
        if credential.secret is not None:
            headers["authorization"] = f"Bearer {credential.secret.reveal()}"
        response = await self.endpoint.send("GET", self.models_path, list(headers.items()), b"")
        try:
            body = await response.read(_LIST_LIMIT)
        finally:
            await response.aclose()
        if response.status != 200:
            error = CHAT.decode_error(
                response.status, {name.lower(): value for name, value in response.headers}, body
            )
            error.provider = self.kind
            raise error
        try:
            listed = msgspec.json.decode(body)
            # One host gives the bare list (https://docs.together.ai/reference/models, read
            # 2026-11-25).
            data = listed if isinstance(listed, list) else listed["data"]
            return [self.listed(item) for item in data]
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
            msg = f"provider {self.kind!r} answered its model list with something else"
            raise ProviderError(msg, provider=self.kind, status=200) from exc


class _InBase64:
    """Write floats as base64: a client that asked for it gets it, also from a host without it."""

    def __init__(self, decoder: Decoder) -> None:
        self.observed: Observed = decoder.observed
        self._decoder = decoder

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        return self._decoder.feed(data)

    def close(self) -> Chunk:
        """Give the whole answer."""
        chunk = self._decoder.close()
        return chunk if self.observed.error else Chunk(with_base64(chunk.raw), chunk.events)
