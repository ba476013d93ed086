"""Providers that speak OpenAI's chat and embeddings formats: state what differs, inherit the rest.

As a kind of its own, `openai-compatible`, it serves any such host by configuration alone.
Imports: http_provider, dialects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

import msgspec
from attrs import evolve, field, frozen

from flo2.dialects.base import Profile
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.errors import ProviderError
from flo2.http_provider import HttpProvider
from flo2.protocols import Call, CancelSemantics, Credential, Facts, ModelInfo, Reply
from flo2.services import Services

__all__ = ["CHAT", "EMBEDDINGS", "OpenAICompatible"]

CHAT: Final = OpenAIChat()
EMBEDDINGS: Final = OpenAIEmbeddings()
_LIST_LIMIT: Final = 8 << 20


class OpenAICompatible(HttpProvider):
    """A host with OpenAI's API.

    A subclass sets `kind`, `base_url`, `facts`, and what differs: `rename` and `drop` request
    fields, `usage_reader`, `paths`.
    """

    kind: ClassVar[str] = "openai-compatible"
    facts: Facts = Facts(dialects=(CHAT, EMBEDDINGS))
    paths: ClassVar[Mapping[str, str]] = {
        CHAT.name: "/chat/completions",
        EMBEDDINGS.name: "/embeddings",
    }
    models_path: ClassVar[str] = "/models"
    rename: ClassVar[Mapping[str, str]] = {}
    """Request fields the host knows by another name."""
    drop: ClassVar[frozenset[str]] = frozenset()
    """Request fields the host does not take; each one in a request is a named loss."""

    def __init_subclass__(cls) -> None:
        """Declare what follows from `drop`."""
        super().__init_subclass__()
        if cls.drop and not cls.facts.adapts:
            cls.facts = evolve(cls.facts, adapts=True)

    @frozen(kw_only=True)
    class Config(HttpProvider.Config):
        """Settings of an OpenAI-compatible host.

        Attributes:
            keyless: The host wants no key: it serves every account.
            cancel_semantics: What closing the connection does at the host: it `stops` working and
                billing, or `runs_to_end` and bills all. Not said: as its kind declares.
        """

        keyless: bool = field(default=False)
        cancel_semantics: CancelSemantics | None = None

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the endpoint; opens nothing."""
        super().__init__(config, services)
        changes: dict[str, Any] = {"needs_key": False} if config.keyless else {}
        if config.cancel_semantics is not None:
            changes["cancel_semantics"] = config.cancel_semantics
            changes["cancel_source"] = "the operator's configuration"
        if changes:
            self.facts: Facts = evolve(self.facts, **changes)

    def profile(self, model: str) -> Profile:
        """Give what differs for every model of this host."""
        return Profile(renames=self.rename, drops=self.drop)

    def body(self, call: Call) -> bytes:
        """Give the request body; fields that this host names otherwise are renamed."""
        if call.passthrough and (self.rename or self.drop):
            return self._adapted(call.body())
        return call.body()

    def _adapted(self, body: bytes) -> bytes:
        fields: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        changed = {
            self.rename.get(name, name): value
            for name, value in fields.items()
            if name not in self.drop
        }
        return body if changed == fields else msgspec.json.encode(changed)

    def embed(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at embeddings."""
        return self.chat(call)

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
            data = msgspec.json.decode(body)["data"]
            return [
                ModelInfo(
                    str(item["id"]),
                    self.kind,
                    int(item.get("created") or 0),
                    owned_by=item.get("owned_by"),
                )
                for item in data
            ]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as exc:
            msg = f"provider {self.kind!r} answered its model list with something else"
            raise ProviderError(msg, provider=self.kind, status=200) from exc
