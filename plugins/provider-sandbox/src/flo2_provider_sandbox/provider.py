"""The simulated provider: no key, no network, no charge. Imports: flo2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final

import anyio
from attrs import field, frozen
from attrs.validators import ge

from flo2 import (
    Call,
    Credential,
    Facts,
    ModelInfo,
    ProviderError,
    Reply,
    Services,
    Start,
    WireTimeout,
    kind_of_status,
)
from flo2_provider_sandbox.model import answer, input_tokens
from flo2_provider_sandbox.reply import Pace, SandboxReply

__all__ = ["Sandbox"]

MODELS: Final = ("sandbox-small", "sandbox-large")
_ERROR: Final = "sandbox-error-"
_RETRY_AFTER_S: Final = 1.0
_CHOICES: Final = 16


class Sandbox:
    """A simulated provider, for first steps, demonstrations and tests.

    `sandbox-small` and `sandbox-large` answer; `sandbox-error-429` (any status from 400 to 599)
    fails with that status, `sandbox-error-stream` breaks off after a few words, and
    `sandbox-error-timeout` gives nothing in time. A token is four characters: simulated as well.
    """

    kind: ClassVar[str] = "sandbox"
    facts: Facts = Facts(
        needs_key=False,
        simulated=True,
        cancel_semantics="stops",
        cancel_source="it runs in this process and stops when it is left",
        error_rule="simulated: no provider, no charge",
    )

    @frozen(kw_only=True)
    class Config:
        """Settings.

        Attributes:
            first_word_s: Seconds until the first word.
            word_s: Seconds between words.
        """

        first_word_s: float = field(default=0.05, validator=ge(0))
        word_s: float = field(default=0.01, validator=ge(0))

    def __init__(self, config: Config, services: Services) -> None:
        self._pace = Pace(config.first_word_s, config.word_s)
        self._now_us = services.now_us

    @asynccontextmanager
    async def chat(self, call: Call) -> AsyncIterator[Reply]:
        """Open one answer; see `flo2.Provider`."""
        request, model = call.inbound.request, call.model
        breaks = model == f"{_ERROR}stream"
        if not breaks and model not in MODELS:
            await self._fail(model)
        said = [answer(request, model)] * min(max(request.sampling.n or 1, 1), _CHOICES)
        now_us = self._now_us()
        head = Start(f"sandbox-{call.entry_id or now_us}", model, now_us // 1_000_000)
        pace = self._pace if call.stream else Pace(self._pace.first_word_s, 0)
        reply = SandboxReply(head, said, input_tokens(request), pace, breaks=breaks)
        try:
            yield reply
        finally:
            reply.abort()

    async def _fail(self, model: str) -> None:
        """Fail in the way the model's name asks for.

        Raises:
            WireTimeout: for `sandbox-error-timeout`.
            ProviderError: always, else.
        """
        word = model.removeprefix(_ERROR)
        await anyio.sleep(self._pace.first_word_s)
        if model == f"{_ERROR}timeout":
            raise WireTimeout("no response head in time (simulated)", phase="first_byte")
        if model.startswith(_ERROR) and word.isdigit() and 400 <= int(word) < 600:
            status = int(word)
            kind, retryable = kind_of_status(status)
            raise ProviderError(
                f"the sandbox answers {status}, as model {model!r} is there to do",
                provider=self.kind,
                status=status,
                kind=kind,
                retryable=retryable,
                retry_after_s=_RETRY_AFTER_S if status == 429 else None,
            )
        raise ProviderError(
            f"the sandbox has no model {model!r}; it has {' and '.join(MODELS)}",
            provider=self.kind,
            status=404,
            kind="not_found",
            code="model_not_found",
            param="model",
        )

    async def models(self, credential: Credential) -> Sequence[ModelInfo]:
        """List its models."""
        return [
            ModelInfo(name, self.kind, display_name=f"{name} (simulated)", owned_by="flo2")
            for name in MODELS
        ]

    def knows(self, model: str) -> bool:
        """Say whether a bare model name is the sandbox's."""
        return model in MODELS or model.startswith(_ERROR)
