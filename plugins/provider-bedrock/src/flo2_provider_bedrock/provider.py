"""Amazon Bedrock. Imports: flo2, both dialects, signing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from attrs import evolve, frozen

from flo2 import (
    Call,
    Chunk,
    ConfigError,
    Credential,
    Decoder,
    Dialect,
    Facts,
    HttpProvider,
    ModelFacts,
    ModelInfo,
    Observed,
    Profile,
    ReadUsage,
    Reply,
    Services,
    Usage,
)
from flo2_provider_bedrock.catalogue import list_models
from flo2_provider_bedrock.converse import BedrockConverse
from flo2_provider_bedrock.converse.answer import BodyDecoder
from flo2_provider_bedrock.converse.stream import StreamDecoder
from flo2_provider_bedrock.count import BedrockCountTokens
from flo2_provider_bedrock.credentials import parts_of, read_keys
from flo2_provider_bedrock.invoke import BedrockMessages, dressed
from flo2_provider_bedrock.models import (
    billed_as,
    counted_as,
    family_of,
    in_path,
    is_claude,
    is_known,
    profile,
)
from flo2_provider_bedrock.sigv4 import sign

__all__ = ["Bedrock"]

CONVERSE: Final = BedrockConverse()
MESSAGES: Final = BedrockMessages()
COUNT_TOKENS: Final = BedrockCountTokens()

_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d{1,2}")
_REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
# What AWS's own clients and Anthropic's fall back to is no region at all; a gateway that starts
# without one must still start.
_FALLBACK_REGION: Final = "us-east-1"
# Any other beta flag is a 400 `invalid beta flag`, and coding agents send many
# (anthropics/claude-code#49648, #56595; the list: BerriAI/litellm#19877 and
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html,
# read 2026-11-25).
_BETAS: Final = frozenset(
    {
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "interleaved-thinking-2025-05-14",
        "output-128k-2025-02-19",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    }
)


class Bedrock(HttpProvider):
    """Amazon Bedrock's runtime (https://docs.aws.amazon.com/bedrock/latest/APIReference/, read
    2026-11-25).

    Anthropic's models are spoken to in Anthropic's own API, so that nothing is lost and a client of
    it passes through; all others in Converse.
    """  # noqa: D205  # the first sentence has a URL

    kind: ClassVar[str] = "bedrock"
    facts: Facts = Facts(
        dialects=(MESSAGES, CONVERSE, COUNT_TOKENS),
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        cancel_semantics="runs_to_end",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Bedrock among the providers "
            "that do not stop on abort; BerriAI/litellm#36008 measured it (read 2026-11)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; AWS publishes "
            "none of its own for Bedrock, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = (
        "flo2_provider_bedrock",
        "flo2.dialects.anthropic_messages",
    )
    paths: ClassVar[Mapping[str, str]] = {
        CONVERSE.name: "converse",
        MESSAGES.name: "invoke",
        COUNT_TOKENS.name: "count-tokens",
    }
    streaming: ClassVar[Mapping[str, str]] = {
        CONVERSE.name: "converse-stream",
        MESSAGES.name: "invoke-with-response-stream",
    }
    reply_headers: ClassVar[tuple[str, ...]] = ("x-amzn-requestid",)

    @frozen(kw_only=True)
    class Config(HttpProvider.Config):
        """Settings of Bedrock in one region.

        Attributes:
            region: The region that is called, that signatures name and that prices go by. Empty:
                `AWS_REGION`, `AWS_DEFAULT_REGION`, or us-east-1.
            betas: Flags of a client's `anthropic-beta` that go on to Bedrock.
        """

        region: str = ""
        betas: frozenset[str] = _BETAS

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the region's endpoint; opens nothing.

        Raises:
            ConfigError: `region` is none.
        """
        found = (services.environ.get(name, "") for name in _REGION_VARIABLES)
        self.region: str = config.region or next(filter(None, found), _FALLBACK_REGION)
        if not _REGION.fullmatch(self.region):
            raise ConfigError(
                [f"{self.region!r} is no AWS region; write one such as 'eu-central-1' @ region"]
            )
        self.betas: frozenset[str] = config.betas
        own = f"https://bedrock-runtime.{self.region}.amazonaws.com"
        super().__init__(evolve(config, base_url=config.base_url or own), services)
        # Models are listed by another host of the region, unless the operator has put one address
        # in front of all.
        control = config.base_url or f"https://bedrock.{self.region}.amazonaws.com"
        self.control = services.wire.endpoint(control)

    # The steps --------------------------------------------------------------------------------

    def url(self, call: Call) -> str:
        """Give the path; a client's query string is for its own API's host.

        Raises:
            InvalidRequest: the model is no name of one.
        """
        name, model = call.dialect.name, call.model
        if name == COUNT_TOKENS.name:
            model = counted_as(model)
        actions = self.streaming if call.stream else self.paths
        return f"/model/{in_path(model)}/{actions[name]}"

    def headers(self, call: Call) -> dict[str, str]:
        """Give the headers, with an API key; what an access key signs is added by `request`."""
        return {**self._headers, "accept": "*/*", **self._bearer(call.credential)}

    def body(self, call: Call) -> bytes:
        """Give the body; beta flags are a field of it."""
        body = call.body()
        asked = call.inbound.headers.get("anthropic-beta")
        if asked and call.dialect.name == MESSAGES.name:
            words = (word.strip() for word in asked.split(","))
            return dressed(body, [word for word in words if word in self.betas])
        return body

    def request(self, call: Call) -> tuple[str, list[tuple[str, str]], bytes]:
        """Put the request together, and sign it with an access key."""
        path, headers, body = self.url(call), self.headers(call), self.body(call)
        target = self.endpoint.address.prefix + path
        signed = self._signature(call.credential, self.host_header, "POST", target, body)
        return path, [*headers.items(), *signed.items()], body

    @property
    def host_header(self) -> str:
        """The `host` that is sent, and so is signed."""
        return self.endpoint.address.origin.partition("://")[2]

    def _bearer(self, credential: Credential) -> dict[str, str]:
        secret = None if credential.secret is None else credential.secret.reveal()
        if secret is None or read_keys(secret) is not None:
            return {}
        return {"authorization": f"Bearer {secret}"}

    def _signature(
        self, credential: Credential, host: str, method: str, target: str, body: bytes
    ) -> dict[str, str]:
        keys = None if credential.secret is None else read_keys(credential.secret.reveal())
        if keys is None:
            return {}
        return sign(
            method,
            target,
            {"host": host},
            body,
            keys=keys,
            region=self.region,
            service="bedrock",
            at=datetime.fromtimestamp(self.services.now_us() / 1e6, UTC),
        )

    def secrets(self, call: Call) -> tuple[str, ...]:
        """Give what no error may repeat: every part of the credential."""
        secret = call.credential.secret
        return (*(() if secret is None else parts_of(secret.reveal())), *self._hidden)

    def usage_reader(self, call: Call) -> ReadUsage:
        """Say the region, which bears on the price and stands in no answer."""
        read = call.dialect.read_usage

        def read_usage(raw: Mapping[str, Any]) -> Usage:
            usage = read(raw)
            return evolve(usage, context={**usage.context, "region": self.region})

        return read_usage

    def decoder_of(self, call: Call, headers: Mapping[str, str]) -> Decoder:
        """Choose how the answer is decoded; it goes by the name that prices go by."""
        model = billed_as(call.model)
        if call.dialect.name == COUNT_TOKENS.name:
            return self.decoder(call)
        if call.dialect.name == MESSAGES.name:
            return _Billed(self.decoder(call), model)
        return (StreamDecoder if call.stream else BodyDecoder)(
            full=call.full,
            read_usage=self.usage_reader(call),
            id=headers.get("x-amzn-requestid", ""),
            model=model,
        )

    # Abilities --------------------------------------------------------------------------------

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a count; it is free."""
        return self.chat(call)

    def speaks(self, model: str) -> tuple[Dialect, ...]:
        """Give the dialects of one model."""
        return (MESSAGES, CONVERSE, COUNT_TOKENS) if is_claude(model) else (CONVERSE,)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is one of Bedrock's."""
        return is_known(model)

    def profile(self, model: str) -> Profile:
        """Give the facts of a model's family."""
        return profile(model)

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of a model's family, whatever profile leads to it."""
        return super().describe(family_of(model))

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask for the region's models and inference profiles."""
        host = self.control.address.origin.partition("://")[2]

        def headers(path: str) -> list[tuple[str, str]]:
            target = self.control.address.prefix + path
            signed = self._signature(credential, host, "GET", target, b"")
            constant = {name.lower(): value for name, value in self.config.headers.items()}
            sent = {**constant, "accept": "application/json", **self._bearer(credential)}
            return [*sent.items(), *signed.items()]

        secret = credential.secret
        hidden = () if secret is None else parts_of(secret.reveal())
        found = await list_models(self.control, headers, hidden)
        return [evolve(info, facts=self.as_listed(info.id, said)) for info, said in found]


class _Billed:
    """A decoder whose answer is booked under another name than it gives itself.

    Claude calls itself `claude-opus-4-6` whatever inference profile was asked, and profiles have
    prices of their own (recordings/bedrock/fantasy-bedrock-anthropic-claude-opus-4-6-…).
    """

    def __init__(self, inner: Decoder, model: str) -> None:
        self._inner = inner
        self._model = model
        self.observed: Observed = inner.observed

    def feed(self, data: bytes) -> Chunk:
        """See `Decoder.feed`."""
        return self._named(self._inner.feed(data))

    def close(self) -> Chunk:
        """See `Decoder.close`."""
        return self._named(self._inner.close())

    def _named(self, chunk: Chunk) -> Chunk:
        if self.observed.model is not None:
            self.observed.model = self._model
        return chunk
