"""What differs at Azure OpenAI from OpenAI's own API. Imports: flo2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal
from urllib.parse import quote

from attrs import evolve, field, frozen

from flo2 import (
    Call,
    Credential,
    Facts,
    ModelFacts,
    ModelInfo,
    OpenAICompatible,
    ReadUsage,
    Services,
    Usage,
)
from flo2.openai_compatible import (
    IMAGE_EDITS,
    IMAGES,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)

__all__ = ["Azure", "DeploymentType"]

DeploymentType = Literal["global", "data_zone", "regional", "provisioned"]
"""How a deployment is billed; its answers do not say it."""

# People paste the resource's endpoint, or the base URL of OpenAI's client.
_API_PATH: Final = re.compile(r"/openai(?:/v1)?/*\Z")


class Azure(OpenAICompatible):
    """Azure OpenAI (https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle).

    A model is called by the name of its deployment. Without `api_version` the v1 API is spoken,
    `/openai/v1/…`; with one the older, dated API, `/openai/deployments/{name}/…?api-version=…`.
    """

    kind: ClassVar[str] = "azure"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(
            # Not every deployment is at every endpoint, and its name does not tell: a chat is the
            # one that nearly all have.
            *OpenAICompatible.facts.dialects,
            RESPONSES,
            IMAGES,
            IMAGE_EDITS,
            SPEECH,
            TRANSCRIPTIONS,
            TRANSLATIONS,
        ),
        key_env="AZURE_OPENAI_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Azure among the providers "
            "that stop processing and billing on abort (read 2026-11-25)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Microsoft "
            "publishes one exception, the content filter, looked for 2026-11-25)"
        ),
        # "When content filtering is triggered for a prompt and a "status": 400 is received … there
        # will be a charge for this request as the prompt was evaluated by the service"
        # (https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter, as of
        # MicrosoftDocs/azure-docs b06500e, read 2026-11-25).
        billed_errors=frozenset({"content_filter"}),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2.dialects.openai_chat",)
    # Base models of the resource, not deployments: those only the management API lists.
    models_path: ClassVar[str] = "/openai/v1/models"
    reply_headers: ClassVar[tuple[str, ...]] = ("apim-request-id", "x-ms-region", "x-request-id")

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings of one Azure OpenAI resource.

        Attributes:
            base_url: Its endpoint, `https://RESOURCE.openai.azure.com`.
            api_version: A dated version such as `2024-10-21` for the older API; empty: v1.
            auth: What the credential is: the resource's `key`, or a `token` of Microsoft Entra ID.
            deployment_type: How deployments are billed that `deployments` does not name: `global`
                (list prices hold), `data_zone`, `regional` or `provisioned`. Empty: not known, and
                so unpriced.
            deployments: The same by the name of the deployment; these are also listed as models.
            region: Where the resource lies, such as `swedencentral`: what a data zone or a region
                costs may depend on it.
            base_models: Which model stands behind a deployment, by the deployment's name; what it
                can do is known by that. One not named here is looked up by its own name.
        """

        base_url: str
        api_version: str = ""
        auth: Literal["key", "token"] = "key"
        deployment_type: Literal["", DeploymentType] = ""
        deployments: Mapping[str, DeploymentType] = field(factory=dict)
        region: str = ""
        base_models: Mapping[str, str] = field(factory=dict)

    config: Config

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the endpoint; opens nothing."""
        super().__init__(evolve(config, base_url=_API_PATH.sub("", config.base_url)), services)

    def url(self, call: Call) -> str:
        """Give the path of either API; the dated one names the deployment and its version."""
        path, mark, query = super().url(call).partition("?")
        if not self.config.api_version:
            return f"/openai/v1{path}{mark}{query}"
        dated = f"api-version={quote(self.config.api_version, safe='')}"
        query = f"{query}&{dated}" if query else dated
        if call.dialect.name == RESPONSES.name:
            # Here the body names the deployment: the official SDK has a list of the endpoints whose
            # URL does, and this is not on it (openai 3.57, `lib/azure.py`, read 2026-11-25).
            return f"/openai{path}?{query}"
        return f"/openai/deployments/{quote(call.model, safe='')}{path}?{query}"

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers; a key goes into `api-key`, a token is a bearer's."""
        headers = super().headers(call)
        secret = call.credential.secret
        if secret is not None and self.config.auth == "key":
            del headers["authorization"]
            headers["api-key"] = secret.reveal()
        return headers

    def usage_reader(self, call: Call) -> ReadUsage:
        """Say how the deployment is billed, which no answer of it says.

        Data zones and regions cost more than the global list price, provisioned throughput is paid
        by the hour (https://azure.microsoft.com/pricing/details/cognitive-services/openai-service/,
        read 2026-11-25): without a price row for it such a call is unpriced rather than wrong.
        """
        read = call.dialect.read_usage
        config = self.config
        billed = config.deployments.get(call.model, config.deployment_type) or "unknown"
        if billed == "global":
            return read

        where = {"region": config.region} if config.region else {}

        def read_usage(raw: Mapping[str, Any]) -> Usage:
            usage = read(raw)
            return evolve(usage, context={**usage.context, "deployment": billed, **where})

        return read_usage

    @property
    def _named(self) -> list[str]:
        """The deployments that the configuration names, in its order."""
        return [*{**self.config.deployments, **self.config.base_models}]

    def describe(self, model: str) -> ModelFacts | None:
        """Give the facts of the model behind a deployment."""
        return super().describe(self.config.base_models.get(model, model))

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is a deployment that the configuration names."""
        return model in self._named

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask the resource; where the configuration names deployments, those are its models."""
        listed = await super().models(credential)
        if not self._named:
            return listed
        return [ModelInfo(name, self.kind, owned_by="azure") for name in self._named]
