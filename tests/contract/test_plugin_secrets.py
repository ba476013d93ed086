"""`flo2_resolve_secret`: references that plugins resolve, and what a broken resolver may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flo2 import Gateway, MemoryStore, Secret, SecretError, hookimpl
from flo2.plugins import Plugins

pytestmark = pytest.mark.anyio


class Safe:
    """Resolves `vault:` references out of a dict."""

    def __init__(self, content: Mapping[str, object]) -> None:
        self._content = content

    @hookimpl
    def flo2_resolve_secret(self, reference: str) -> Any:
        found = self._content.get(reference)
        if isinstance(found, Exception):
            raise found
        return found


KEK = Secret("flo2_kek_" + "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA")


async def test_flo2_resolve_secret():
    other, safe = Safe({}), Safe({"vault:acme/team": Secret("sk-secret-1"), "vault:kek": KEK})
    gateway = Gateway.build(
        {
            "plugins": {"only": []},
            "secrets": {"kek": "vault:kek"},
            "providers": {"acme": {"kind": "openai-compatible", "base_url": "https://a.example"}},
        },
        plugins={"other": other, "safe": safe},
        store=MemoryStore(),
        environ={},
    )
    async with gateway:
        sealed = await gateway.add_credential("acme", "vault:acme/team")
        found = gateway.runtime.vault.reveal(sealed, "a.example")

    assert (sealed.reference, found) == ("vault:acme/team", Secret("sk-secret-1"))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (RuntimeError("the secret is sk-abc"), "plugin 'safe' raised RuntimeError for 'vault:x'"),
        ("sk-plain-text", "plugin 'safe' gave str, which is no flo2.Secret"),
        (SecretError("sealed"), "sealed"),
    ],
)
def test_a_resolver_that_fails_is_told_without_its_words(content: object, error: str):
    plugins = Plugins.load(found=(), extra={"safe": Safe({"vault:x": content})})
    with pytest.raises(SecretError) as caught:
        plugins.resolver()("vault:x")
    assert str(caught.value) == error


def test_a_hook_wrapper_is_refused():
    class Wrapping:
        @hookimpl(wrapper=True)
        def flo2_resolve_secret(self, reference: str) -> Any:
            return (yield)

    plugins = Plugins.load(found=(), extra={"wrapping": Wrapping()})
    assert [(each.name, each.error) for each in plugins.loaded] == [
        ("wrapping", "flo2_resolve_secret is a hook wrapper; flo2 calls hooks one by one")
    ]
    assert plugins.resolver()("vault:x") is None
