"""One host of OpenAI's chat format, asked once: what it is sent, and what comes of its answer.

    host = OneHost(Acme)
    assert host.sent(seed=1)["seed"] == 1
    received, reply = host.ask(headers={"x-ratelimit-remaining": "5"})

For the tests of a provider's own quirks, beside what `ProviderSuite` asks of all.
Imports: openai_compatible, testing.upstream, wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import anyio

from flo2.openai_compatible import CHAT, OpenAICompatible
from flo2.protocols import Call, Credential, Inbound, Reply
from flo2.secrets import Secret
from flo2.services import Services
from flo2.testing.upstream import FakeUpstream, Received
from flo2.wire import Wire

__all__ = ["HELLO", "OneHost"]

HELLO: Final = ({"role": "user", "content": "hi"},)
"""The messages of every call."""
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


class OneHost:
    """A provider's class and calls to it.

    Args:
        provider: The class.
    """

    def __init__(self, provider: type[OpenAICompatible]) -> None:
        self._provider = provider

    def make(self, **options: Any) -> OpenAICompatible:
        """Make a provider of these settings; it is not asked."""
        return self._provider(self._provider.Config(**options), Services(wire=Wire()))

    def call(self, **fields: Any) -> Call:
        """Make a call whose bytes pass through; `fields` are laid over its body."""
        body = json.dumps({"model": "m", "messages": HELLO, **fields}).encode()
        credential = Credential("c", Secret("key-test"))
        inbound = Inbound(CHAT, body, CHAT.peek(body))
        return Call(inbound, CHAT, "its-model", credential, passthrough=True)

    def sent(self, **fields: Any) -> dict[str, Any]:
        """Give the body that the host is sent."""
        body: dict[str, Any] = json.loads(self.make().body(self.call(**fields)))
        return body

    def ask(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        usage: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Received, Reply]:
        """Ask once, of a host that answers with these headers and this usage.

        Args:
            headers: Of the answer.
            usage: In the answer; None: a small one.
            options: Settings of the provider.

        Returns:
            The request as it arrived, and the reply, read whole.
        """
        upstream = FakeUpstream()
        message = {"role": "assistant", "content": "ho"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = {"id": "1", "model": "its-model", "choices": [choice], "usage": usage or _USAGE}
        upstream.reply(json=told, headers=headers)

        async def asked() -> Reply:
            async with Wire(transport=upstream.transport()) as wire:
                provider = self._provider(self._provider.Config(**options), Services(wire=wire))
                async with provider.chat(self.call()) as reply:
                    async for _ in reply.chunks():
                        pass
                    return reply

        reply = anyio.run(asked)
        return upstream.last, reply
