"""Anthropic's API. Imports: flo2, its codec of the Messages API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote

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
from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.anthropic_messages.families import profile_of

__all__ = ["Anthropic"]

MESSAGES: Final = AnthropicMessages()
COUNT_TOKENS: Final = AnthropicCountTokens()

_VERSION: Final = "2023-06-01"
_LIST_LIMIT: Final = 8 << 20
_PAGES: Final = 20
# Reached for the month; asking again fails until the next one begins
# (https://learn.microsoft.com/en-us/microsoft-cloud/dev/dev-proxy/concepts/anthropic-529-overloaded-error,
# read 2026-11-25).
_NO_MONEY: Final = "enforced_spend_limit_reached"

# flo2's names → those of `capabilities` in the list of models.
_TAKES: Final = {"image": "image_input", "file": "pdf_input"}
_CAN: Final = {"json_schema": "structured_outputs", "reasoning": "thinking"}


class Anthropic(HttpProvider):
    """Anthropic's Messages API (https://platform.claude.com/docs/en/api, read 2026-11-25).

    A client's `anthropic-version` and `anthropic-beta` go on to it as they came, unknown values
    included; without a version of the client's the gateway says 2023-06-01.
    """

    kind: ClassVar[str] = "anthropic"
    base_url: ClassVar[str] = "https://api.anthropic.com"
    facts: Facts = Facts(
        dialects=(MESSAGES, COUNT_TOKENS),
        key_env="ANTHROPIC_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://openrouter.ai/docs/api-reference/streaming lists Anthropic among the "
            "providers that stop processing and billing on abort (read 2026-11)"
        ),
        error_rule=(
            "an error status before any answer is not billed (flo2's default rule; Anthropic "
            "publishes none of its own, looked for 2026-11-25)"
        ),
    )
    facts_in: ClassVar[tuple[str, ...]] = ("flo2.dialects.anthropic_messages",)
    paths: ClassVar[Mapping[str, str]] = {
        MESSAGES.name: "/v1/messages",
        COUNT_TOKENS.name: "/v1/messages/count_tokens",
    }
    forward_headers: ClassVar[frozenset[str]] = frozenset({"anthropic-beta", "anthropic-version"})
    # Not `anthropic-organization-id`: it names the account behind the credential.
    reply_headers: ClassVar[tuple[str, ...]] = ("anthropic-ratelimit-", "request-id")

    def headers(self, call: Call) -> dict[str, str]:
        """Give the request headers; the key goes into `x-api-key`."""
        constant = {name.lower(): value for name, value in self.config.headers.items()}
        headers = {"anthropic-version": _VERSION, **super().headers(call)}
        headers.pop("authorization", None)
        if "anthropic-beta" in constant and "anthropic-beta" in call.inbound.headers:
            # Both lists count: the operator's and the client's.
            headers["anthropic-beta"] = (
                f"{constant['anthropic-beta']},{call.inbound.headers['anthropic-beta']}"
            )
        return headers | self._key(call.credential)

    def _key(self, credential: Credential) -> dict[str, str]:
        return {} if credential.secret is None else {"x-api-key": credential.secret.reveal()}

    def error(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """Read an error answer; a month's spend limit is no rate limit."""
        error = super().error(call, status, headers, body)
        if isinstance(error, ProviderError) and error.code == _NO_MONEY:
            error.kind, error.retryable = "budget", False
        return error

    def count_tokens(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open one attempt at a count; it is free."""
        return self.chat(call)

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is Anthropic's."""
        return model.startswith("claude-")

    def profile(self, model: str) -> Profile:
        """Give the facts of a model's family."""
        return profile_of(model)

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """Ask for the models, page by page."""
        found: list[ModelInfo] = []
        query = "limit=1000"
        for _ in range(_PAGES):
            page = await self._page(f"/v1/models?{query}", credential)
            try:
                found += [self._model(item) for item in page["data"]]
                if not page.get("has_more"):
                    return found
                query = f"limit=1000&after_id={quote(page['data'][-1]['id'], safe='')}"
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
                raise _odd() from exc
        return found

    def _model(self, item: Mapping[str, Any]) -> ModelInfo:
        """Read one entry (recordings/anthropic/ellmer-vcr-anthropic-list-models-…)."""
        name, created = str(item["id"]), item.get("created_at")
        can = {
            word: bool(told.get("supported"))
            for word, told in (item.get("capabilities") or {}).items()
        }
        takes = ["text", *(each for each, word in _TAKES.items() if can.get(word))]
        said = ListedFacts(
            context_window=item.get("max_input_tokens"),
            max_output_tokens=item.get("max_tokens"),
            input=takes if can else (),
            abilities={each: can[word] for each, word in _CAN.items() if word in can},
        )
        return ModelInfo(
            name,
            self.kind,
            int(datetime.fromisoformat(created).timestamp()) if created else 0,
            display_name=item.get("display_name"),
            owned_by=self.kind,
            facts=self.as_listed(name, said),
        )

    async def _page(self, path: str, credential: Credential) -> Any:
        headers = {
            "accept": "application/json",
            "anthropic-version": _VERSION,
            **self.config.headers,
            **self._key(credential),
        }
        response = await self.endpoint.send("GET", path, list(headers.items()), b"")
        try:
            body = await response.read(_LIST_LIMIT)
        finally:
            await response.aclose()
        if response.status != 200:
            told = {name.lower(): value for name, value in response.headers}
            error = MESSAGES.decode_error(response.status, told, body)
            error.provider = self.kind
            raise error
        try:
            return json.loads(body)
        except ValueError as exc:
            raise _odd() from exc


def _odd() -> ProviderError:
    return ProviderError(
        "provider 'anthropic' answered its model list with something else",
        provider=Anthropic.kind,
        status=200,
    )
