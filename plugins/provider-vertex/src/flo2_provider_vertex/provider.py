"""Google's Vertex AI. Imports: flo2, its dialects, tokens."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Final

from attrs import evolve, frozen
from msgspec.structs import replace

from flo2 import (
    Call,
    ConfigError,
    Credential,
    Dialect,
    Facts,
    HttpProvider,
    InvalidRequest,
    Profile,
    ProviderError,
    ReadUsage,
    Reply,
    Services,
    Usage,
)
from flo2.dialects import gemini
from flo2.dialects.anthropic_messages import families as claude
from flo2_provider_vertex.claude import VertexCountTokens, VertexMessages
from flo2_provider_vertex.credentials import kind_of
from flo2_provider_vertex.gemini import VertexGemini, VertexGeminiCount, tier_in
from flo2_provider_vertex.tokens import Token, Tokens

__all__ = ["Vertex"]

GEMINI: Final = VertexGemini()
GEMINI_COUNT: Final = VertexGeminiCount()
MESSAGES: Final = VertexMessages()
MESSAGES_COUNT: Final = VertexCountTokens()

_LOCATION: Final = re.compile(r"[a-z]+(?:-[a-z]+\d+)?")
_PROJECT: Final = re.compile(r"(?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{0,62}")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,200}")
_ENDPOINT: Final = re.compile(r"endpoints/\d{1,30}")
_TIER_HEADER: Final = "x-vertex-ai-llm-shared-request-type"
_TIERS: Final = frozenset({"flex", "priority"})


class Vertex(HttpProvider):
    """Vertex AI (https://docs.cloud.google.com/vertex-ai/generative-ai/docs, read 2026-11-25).

    Gemini is spoken to in Google's API and Claude in Anthropic's, so that a client of either passes
    through.
    """

    kind: ClassVar[str] = "google-vertex"
    facts: Facts = Facts(
        dialects=(GEMINI, GEMINI_COUNT, MESSAGES, MESSAGES_COUNT),
        cancel_semantics="runs_to_end",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Google's APIs, Vertex too, "
            "among those that do not stop on abort (read 2026-11)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; none of "
            "Google's own for Vertex AI was found, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = (
        "flo2.dialects.gemini",
        "flo2.dialects.anthropic_messages",
    )
    paths: ClassVar[Mapping[str, str]] = {
        GEMINI.name: "generateContent",
        GEMINI_COUNT.name: "countTokens",
        MESSAGES.name: "rawPredict",
        MESSAGES_COUNT.name: "rawPredict",
    }
    streaming: ClassVar[Mapping[str, str]] = {
        GEMINI.name: "streamGenerateContent?alt=sse",
        MESSAGES.name: "streamRawPredict",
    }
    forward_headers: ClassVar[frozenset[str]] = frozenset({"anthropic-beta", _TIER_HEADER})
    reply_headers: ClassVar[tuple[str, ...]] = ("anthropic-ratelimit-", "request-id")

    @frozen(kw_only=True)
    class Config(HttpProvider.Config):
        """Settings of Vertex AI in one location.

        Attributes:
            location: The location that is called and that prices go by: `global`, `us`, `eu`, or a
                region such as `europe-west4`.
            project: The project that is called, where the credential names none.
            version: The version of Google's own API; its SDKs use this one.
        """

        location: str = "global"
        project: str = ""
        version: str = "v1beta1"

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the location's endpoint; opens nothing.

        Raises:
            ConfigError: `location`, `project` or `version` is none.
        """
        for name, value, pattern in (
            ("location", config.location, _LOCATION),
            ("project", config.project or "x", _PROJECT),
            ("version", config.version, re.compile(r"v1(?:beta1)?")),
        ):
            if not pattern.fullmatch(value):
                raise ConfigError([f"{value!r} is no {name} of Vertex AI @ {name}"])
        self.location: str = config.location
        self.project: str = config.project
        self.version: str = config.version
        own = f"https://{_host(config.location)}"
        super().__init__(evolve(config, base_url=config.base_url or own), services)
        self.tokens: Tokens = Tokens(services, self.kind)

    # The steps --------------------------------------------------------------------------------

    def url(self, call: Call) -> str:
        """Give the path; a client's query string is for its own API's host.

        Raises:
            InvalidRequest: the model is no name of one, or nothing names a project.
        """
        name = call.dialect.name
        action = (self.streaming if call.stream else self.paths)[name]
        model = _checked(call.model)
        if name == MESSAGES_COUNT.name:
            model = "count-tokens"  # the body names the one that counts
        if name in {MESSAGES.name, MESSAGES_COUNT.name}:
            place = f"/v1{self._parent(call.credential)}/publishers/anthropic/models"
        elif _ENDPOINT.fullmatch(model):
            place = f"/{self.version}{self._parent(call.credential)}"
        elif _is_api_key(call.credential):
            # "Express mode" names no project: the key does.
            place = f"/{self.version}/publishers/google/models"
        else:
            place = f"/{self.version}{self._parent(call.credential)}/publishers/google/models"
        return f"{place}/{model}:{action}"

    def _parent(self, credential: Credential) -> str:
        project = credential.project or self.project
        if not project:
            raise InvalidRequest(
                "nothing names the Google Cloud project to call; set `project` of the provider, or "
                "give it to the credential: flo2 providers add google-vertex --project PROJECT",
                code="no_project",
            )
        if not _PROJECT.fullmatch(project):
            raise InvalidRequest(
                f"{project!r} is no id of a Google Cloud project", code="no_project"
            )
        return f"/projects/{project}/locations/{self.location}"

    def headers(self, call: Call) -> dict[str, str]:
        """Give the headers: a token, or an API key, and the tier that was asked for."""
        headers = super().headers(call)
        secret = call.credential.secret
        if secret is not None and _is_api_key(call.credential):
            del headers["authorization"]
            headers["x-goog-api-key"] = secret.reveal()
        if tier := _tier(call):
            headers[_TIER_HEADER] = tier
        return headers

    def usage_reader(self, call: Call) -> ReadUsage:
        """Say the location, which no answer says and which bears on the price.

        A regional or multi-regional endpoint costs 10 % more than the global one for Claude
        (https://platform.claude.com/docs/en/about-claude/pricing, read 2026-11) and for new models
        of Gemini (https://cloud.google.com/vertex-ai/generative-ai/pricing, by LiteLLM's map).
        """
        read = call.dialect.read_usage

        def read_usage(raw: Mapping[str, Any]) -> Usage:
            usage = read(raw)
            return evolve(usage, context={**usage.context, "region": self.location})

        return read_usage

    # Tokens -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def chat(self, call: Call) -> AsyncGenerator[Reply, None]:
        """Open one attempt, with an access token where the credential is a service account's key.

        Raises on entering, besides what a call itself raises:
            SecretError: the credential is no key of a service account.
        """
        secret = call.credential.secret
        key = None if secret is None else secret.reveal()
        if key is None or kind_of(key) != "service_account":
            async with super().chat(call) as reply:
                yield reply
            return
        token = await self.tokens.of(key)
        try:
            async with super().chat(_with(call, token)) as reply:
                yield reply
        except ProviderError as error:
            if error.status == 401:
                self.tokens.forget(key, token)
            raise

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a count; it is free."""
        return self.chat(call)

    # Models -----------------------------------------------------------------------------------

    def speaks(self, model: str) -> tuple[Dialect, ...]:
        """Give the dialects of one model."""
        if model.startswith("claude-"):
            return (MESSAGES, MESSAGES_COUNT)
        return (GEMINI, GEMINI_COUNT)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is one of those that Vertex serves in these APIs."""
        return model.startswith(("gemini-", "claude-"))

    def profile(self, model: str) -> Profile:
        """Give the facts of a model's family."""
        if model.startswith("claude-"):
            return claude.profile_of(model)
        return gemini.profile_of(model)


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in {"us", "eu"}:  # several regions of one jurisdiction
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _checked(model: str) -> str:
    """Let a name pass that is one segment of a path, or an endpoint of one's own.

    Raises:
        InvalidRequest: it is neither; a client's text must not reach another operation.
    """
    if _MODEL.fullmatch(model) or _ENDPOINT.fullmatch(model):
        return model
    raise InvalidRequest(
        f"{model!r} is no name of a model on Vertex AI; write one such as 'gemini-2.5-pro', "
        "'claude-sonnet-4-5@20250929' or 'endpoints/123'",
        code="model_not_found",
        param="model",
    )


def _is_api_key(credential: Credential) -> bool:
    secret = credential.secret
    return secret is not None and kind_of(secret.reveal()) == "api_key"


def _tier(call: Call) -> str | None:
    """Find the tier of a Gemini call, which only a header can say."""
    inbound = call.inbound
    if call.dialect.name != GEMINI.name or (call.passthrough and not tier_in(inbound.body)):
        return None
    tier = (inbound.request.service_tier or "").lower()
    return tier if tier in _TIERS else None


def _with(call: Call, token: Token) -> Call:
    credential = call.credential
    project = credential.project or token.project or None
    return replace(call, credential=replace(credential, secret=token.secret, project=project))
