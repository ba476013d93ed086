"""What differs at vLLM from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve, frozen

from flo2 import Facts, OpenAICompatible
from flo2.dialects.chat_host import ChatHost
from flo2.openai_compatible import COMPLETIONS, TRANSCRIPTIONS, TRANSLATIONS

__all__ = ["VLLM"]


class VLLM(OpenAICompatible):
    """A vLLM server of one's own, with a key or without.

    Source: https://docs.vllm.ai/en/latest/serving/online_serving/openai_compatible_server/ (read
    2026-11-25). Its usage is OpenAI's; cached tokens are told where the server was started with
    `--enable-prompt-tokens-details`.
    """

    kind: ClassVar[str] = "vllm"
    facts: Facts = evolve(
        OpenAICompatible.facts,
        dialects=(
            *OpenAICompatible.facts.dialects,
            COMPLETIONS,
            TRANSCRIPTIONS,
            TRANSLATIONS,
        ),
        needs_key=False,
        key_env="VLLM_API_KEY",
        cancel_semantics="stops",
        cancel_source=(
            "https://github.com/vllm-project/vllm/pull/32442: a request whose client has left is "
            "aborted inside AsyncLLM.generate (read 2026-11-25)"
        ),
        error_rule="it runs on a server of one's own: nobody bills",
    )
    # Most chat templates do not know the role `developer`: they refuse the request, or leave the
    # turn out (vllm-project/vllm#43590, ogx-ai/ogx#6077, read 2026-11-25).
    chat_host: ClassVar[ChatHost] = ChatHost(developer=False)

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings of the server.

        Attributes:
            base_url: Its address up to and with the version; `http://127.0.0.1:8000/v1` where it
                runs on this machine. A private address must lie in `[network] allow_private`.
        """

        base_url: str
