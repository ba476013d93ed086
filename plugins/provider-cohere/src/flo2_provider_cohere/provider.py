"""Cohere's API. Imports: flo2, its own dialects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final
from urllib.parse import quote

from flo2 import (
    Call,
    Credential,
    Decoder,
    Facts,
    HttpProvider,
    ListedFacts,
    ModelInfo,
    Profile,
    ProviderError,
    ReadUsage,
    Reply,
)
from flo2_provider_cohere.dialect import CohereChat, CohereEmbed
from flo2_provider_cohere.dialect.embed_answer import VectorDecoder
from flo2_provider_cohere.dialect.stream import BodyDecoder, StreamDecoder

__all__ = ["Cohere"]

CHAT: Final = CohereChat()
EMBED: Final = CohereEmbed()

_LIST_LIMIT: Final = 8 << 20
_PAGES: Final = 20
_MODEL: Final = re.compile(r"command(?:-|\Z)|c4ai-|embed-(?:v\d|english-|multilingual-)")
# "Reasoning is enabled by default for models that support it" (cohere-python 5, `Thinking`): the
# reasoning models are named so (https://docs.cohere.com/docs/reasoning), and Command A+ thinks as
# well (recordings/cohere, citations). Of these older ones none does. Read 2026-11-25.
_NO_THINKING: Final = re.compile(
    r"c4ai-|command(?:\Z|-light|-nightly|-r(?:\d+b)?(?:-|\Z)|-a-(?:\d|vision|translate))"
)


class Cohere(HttpProvider):
    """Cohere's API, version 2 (https://docs.cohere.com/reference/about, read 2026-11-25)."""

    kind: ClassVar[str] = "cohere"
    example_model: ClassVar[str] = "command-a-03-2025"
    base_url: ClassVar[str] = "https://api.cohere.com"
    facts: Facts = Facts(
        dialects=(CHAT, EMBED),
        key_env="COHERE_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Cohere among the providers "
            "that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Cohere "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2_provider_cohere",)
    paths: ClassVar[Mapping[str, str]] = {CHAT.name: "/v2/chat", EMBED.name: "/v2/embed"}
    # A trial key's calls of the month, and warnings about what is going away.
    reply_headers: ClassVar[tuple[str, ...]] = ("x-api-warning", "x-trial-endpoint-call-")

    def decoder(self, call: Call, read_usage: ReadUsage | None = None) -> Decoder:
        """Choose how an answer is decoded; it is told its model, as Cohere's answers do not say."""
        read = read_usage or call.dialect.read_usage
        if call.dialect.name == EMBED.name:
            return VectorDecoder(read, full=call.full, model=call.model)
        kind = StreamDecoder if call.stream else BodyDecoder
        return kind(full=call.full, read_usage=read, model=call.model)

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at embeddings."""
        return self.chat(call)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is Cohere's."""
        return _MODEL.match(model) is not None

    def profile(self, model: str) -> Profile:
        """Give what a model does not take; matters only where a call is translated or rewritten."""
        return Profile(drops=frozenset({"thinking"} if _NO_THINKING.match(model) else ()))

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask for the models that chat or embed, page by page."""
        found: list[ModelInfo] = []
        token = ""
        for _ in range(_PAGES):
            query = f"&page_token={quote(token, safe='')}" if token else ""
            page = await self._page(f"/v1/models?page_size=1000{query}", credential)
            try:
                found += [
                    self._model(item)
                    for item in page["models"]
                    if {"chat", "embed"} & set(item.get("endpoints") or ())
                ]
                token = page.get("next_page_token") or ""
            except (AttributeError, KeyError, TypeError) as exc:
                raise _odd() from exc
            if not token:
                break
        return found

    def _model(self, item: Mapping[str, Any]) -> ModelInfo:
        """Read one entry (https://docs.cohere.com/reference/get-model, read 2026-11-25)."""
        name = str(item["name"])
        said = ListedFacts(context_window=item.get("context_length"))
        return ModelInfo(name, self.kind, owned_by=self.kind, facts=self.as_listed(name, said))

    async def _page(self, path: str, credential: Credential) -> Any:
        headers = {"accept": "application/json", **self.config.headers}
        if credential.secret is not None:
            headers["authorization"] = f"Bearer {credential.secret.reveal()}"
        response = await self.endpoint.send("GET", path, list(headers.items()), b"")
        try:
            body = await response.read(_LIST_LIMIT)
        finally:
            await response.aclose()
        if response.status != 200:
            told = {name.lower(): value for name, value in response.headers}
            error = CHAT.decode_error(response.status, told, body)
            error.provider = self.kind
            raise error
        try:
            return json.loads(body)
        except ValueError as exc:
            raise _odd() from exc


def _odd() -> ProviderError:
    return ProviderError(
        "provider 'cohere' answered its model list with something else",
        provider=Cohere.kind,
        status=200,
    )
