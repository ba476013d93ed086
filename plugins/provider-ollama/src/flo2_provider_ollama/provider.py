"""What differs at Ollama from a host that only speaks OpenAI's API. Imports: flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import evolve, frozen

from flo2 import ConfigError, Facts, OpenAICompatible, Services
from flo2.dialects.chat_host import ChatHost
from flo2.openai_compatible import COMPLETIONS

__all__ = ["Ollama", "OllamaCloud"]

_CLOUD: Final = "ollama.com"
_BOTH: Final = evolve(
    OpenAICompatible.facts, dialects=(*OpenAICompatible.facts.dialects, COMPLETIONS)
)


class _Ollama(OpenAICompatible):
    """What both have in common (https://docs.ollama.com/api/openai-compatibility).

    What Ollama does not know in a request it ignores in silence, so it is taken out and named.
    """

    # Accepted and ignored: `max_completion_tokens: 10` gave 422 tokens, `max_tokens: 10` gave 10
    # (ollama/ollama#7125, 0.32.5, read 2026-11-25). No bound would hold without this.
    rename: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    # Not ticked in the list of request fields (docs/api/openai-compatibility.mdx of ollama/ollama,
    # read 2026-11-25); a forced tool is not called and "none" calls one (ollama/ollama#17921).
    drop: ClassVar[frozenset[str]] = frozenset(
        {"logit_bias", "n", "parallel_tool_calls", "tool_choice"}
    )
    # A turn in the role `developer` does not reach most models (earendil-works/pi#140,
    # fgrehm/pi-ollama-cloud#10); Ollama leaves roles to the model (ollama/ollama-python#453, all
    # read 2026-11-25).
    chat_host: ClassVar[ChatHost] = ChatHost(developer=False)


class Ollama(_Ollama):
    """Ollama on a machine of one's own: no key, and nothing to pay by use."""

    kind: ClassVar[str] = "ollama"
    facts: Facts = evolve(
        _BOTH,
        needs_key=False,
        cancel_semantics="stops",
        cancel_source=(
            "https://github.com/ollama/ollama/issues/2876: 'If you abort the request Ollama will "
            "stop generation' (read 2026-11-25)"
        ),
        error_rule="it runs on one's own machine: nobody bills",
    )

    @frozen(kw_only=True)
    class Config(OpenAICompatible.Config):
        """Settings of the server.

        Attributes:
            base_url: Its address up to and with the version; `http://127.0.0.1:11434/v1` where it
                runs on this machine. A private address must lie in `[network] allow_private`.
        """

        base_url: str

    def __init__(self, config: Config, services: Services) -> None:
        """Prepare the endpoint; opens nothing.

        Raises:
            ConfigError: the address is that of Ollama's cloud, which is not free.
        """
        super().__init__(config, services)
        if self.host == _CLOUD or self.host.endswith("." + _CLOUD):
            raise ConfigError(
                [f"base_url {config.base_url!r} is Ollama's cloud; use kind = 'ollama-cloud'"]
            )


class OllamaCloud(_Ollama):
    """Ollama's cloud (https://docs.ollama.com/cloud, read 2026-11-25).

    Billed by a plan or by use; without price rows of the operator's own its calls are unpriced.
    """

    kind: ClassVar[str] = "ollama-cloud"
    base_url: ClassVar[str] = "https://ollama.com/v1"
    # Whether the cloud stops, and stops billing, when a client leaves is said nowhere (looked for
    # 2026-11-25): what its program does on a machine of one's own is no evidence. So it is read on.
    facts: Facts = evolve(_BOTH, key_env="OLLAMA_API_KEY")
