"""Google's Gemini API. Imports: flo2, its codecs of generateContent and of embeddings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from flo2 import (
    Call,
    Credential,
    Facts,
    HttpProvider,
    ListedFacts,
    ModelInfo,
    Profile,
    ProviderError,
    Reply,
)
from flo2.dialects.gemini import Gemini, GeminiCountTokens, profile_of
from flo2.dialects.gemini_embed import GeminiBatchEmbed, GeminiEmbed

__all__ = ["Google"]

CONTENT: Final = Gemini()
COUNT_TOKENS: Final = GeminiCountTokens()
EMBED: Final = GeminiEmbed()
BATCH_EMBED: Final = GeminiBatchEmbed()

_KEY: Final = "x-goog-api-key"
_LIST_LIMIT: Final = 8 << 20
_PAGES: Final = 20
_PAGE_SIZE: Final = "1000"
# https://ai.google.dev/gemini-api/docs/models, read 2026-11-25.
_MODEL: Final = re.compile(
    r"(?:gemini|gemma|imagen|veo|lyria|learnlm)-"
    r"|(?:text-embedding-00[45]|embedding-001|aqa|nano-banana-[\w.-]+)$"
)
_FULL: Final = re.compile(r"(models|tunedModels)/([^/]+)")


class Google(HttpProvider):
    """The Gemini API (https://ai.google.dev/api, read 2026-11-25)."""

    kind: ClassVar[str] = "google"
    example_model: ClassVar[str] = "gemini-flash-latest"
    base_url: ClassVar[str] = "https://generativelanguage.googleapis.com/v1beta"
    facts: Facts = Facts(
        dialects=(CONTENT, COUNT_TOKENS, BATCH_EMBED, EMBED),
        key_env="GEMINI_API_KEY",
        cancel_semantics="runs_to_end",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Google AI Studio among the "
            "providers where a cancelled stream runs to its end and is billed (read 2026-11)"
        ),
        error_rule=(
            "\"If your request fails with a 400 or 500 error, you won't be charged for the tokens "
            'used" (https://ai.google.dev/gemini-api/docs/billing, read 2026-11-25)'
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2.dialects.gemini",)
    paths: ClassVar[Mapping[str, str]] = {
        CONTENT.name: "generateContent",
        COUNT_TOKENS.name: "countTokens",
        BATCH_EMBED.name: "batchEmbedContents",
        EMBED.name: "embedContent",
    }
    """Dialect name → verb of a model."""

    def url(self, call: Call) -> str:
        """Give the path: the model and what is wanted of it.

        The client's query stays behind: it may hold its key (`?key=`), and how it wants the answer
        written is not how we do.
        """
        model = _path(call.model)
        if call.stream:
            return f"/{model}:streamGenerateContent?alt=sse"
        return f"/{model}:{self.paths[call.dialect.name]}"

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers; the key goes into `x-goog-api-key`."""
        headers = super().headers(call)
        headers.pop("authorization", None)
        return headers | self._key(call.credential)

    def _key(self, credential: Credential) -> dict[str, str]:
        return {} if credential.secret is None else {_KEY: credential.secret.reveal()}

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a count; it is free."""
        return self.chat(call)

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at embeddings; older models do not tell what they use."""
        return self.chat(call)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is Google's."""
        return _MODEL.match(model) is not None

    def profile(self, model: str) -> Profile:
        """Give the facts of a model's family."""
        return profile_of(model)

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask for the models, page by page."""
        found: list[ModelInfo] = []
        query = {"pageSize": _PAGE_SIZE}
        for _ in range(_PAGES):
            page = await self._page(f"/models?{urlencode(query)}", credential)
            try:
                found += [self._model(item) for item in page.get("models", ())]
                if not (token := page.get("nextPageToken")):
                    return found
            except (AttributeError, KeyError, TypeError) as exc:
                raise _odd() from exc
            query["pageToken"] = str(token)
        return found

    def _model(self, item: Mapping[str, Any]) -> ModelInfo:
        """Read one entry (https://ai.google.dev/api/models, read 2026-11-25)."""
        name = str(item["name"]).removeprefix("models/")
        shown = item.get("displayName")
        embeds = "generateContent" not in item.get("supportedGenerationMethods", ())
        thinking = item.get("thinking")
        said = ListedFacts(
            context_window=item.get("inputTokenLimit"),
            # An embedding model "writes" one token (recordings/google/rig-gemini-list-models-…).
            max_output_tokens=None if embeds else item.get("outputTokenLimit"),
            abilities={"reasoning": thinking} if isinstance(thinking, bool) else {},
        )
        return ModelInfo(
            name,
            self.kind,
            display_name=shown if isinstance(shown, str) else None,
            owned_by=self.kind,
            facts=self.as_listed(name, said),
        )

    async def _page(self, path: str, credential: Credential) -> Any:
        headers = {
            "accept": "application/json",
            **{name.lower(): value for name, value in self.config.headers.items()},
            **self._key(credential),
        }
        response = await self.endpoint.send("GET", path, list(headers.items()), b"")
        try:
            body = await response.read(_LIST_LIMIT)
        finally:
            await response.aclose()
        if response.status != 200:
            told = {name.lower(): value for name, value in response.headers}
            error = CONTENT.decode_error(response.status, told, body)
            error.provider = self.kind
            raise error
        try:
            return json.loads(body)
        except ValueError as exc:
            raise _odd() from exc


def _path(model: str) -> str:
    """Write a model's name as a path of two parts, whatever characters it holds."""
    if found := _FULL.fullmatch(model):
        return f"{found[1]}/{quote(found[2], safe='')}"
    return f"models/{quote(model, safe='')}"


def _odd() -> ProviderError:
    return ProviderError(
        "provider 'google' answered its model list with something else",
        provider=Google.kind,
        status=200,
    )
