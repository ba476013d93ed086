"""The kit against flo2 itself: a gateway in this process, on a real socket, and a provider behind.

Imports: testing.replay, testing.conformance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from attrs import frozen

from flo2.testing.conformance.rehearsed import RehearsedUpstream
from flo2.testing.conformance.report import Report, Result
from flo2.testing.conformance.run import run
from flo2.testing.conformance.surfaces import SURFACES
from flo2.testing.replay import staged
from flo2.testing.validators import Level

__all__ = ["run_against_flo2"]


@frozen
class _Provider:
    """A provider to try.

    Attributes:
        plugin: The entry point it comes with; "" for one of the core's own.
        model: What to ask it for.
        table: Its part of the configuration, by the upstream's address.
    """

    plugin: str
    model: str
    table: Callable[[str], Mapping[str, Any]]


_PROVIDERS: Final[Mapping[str, _Provider]] = {
    "compatible": _Provider(
        "", "m1", lambda url: {"kind": "openai-compatible", "base_url": f"{url}/v1"}
    ),
    "openai": _Provider(
        "provider-openai",
        "gpt-4o-mini",
        lambda url: {"kind": "openai", "base_url": f"{url}/v1"},
    ),
    "anthropic": _Provider(
        "provider-anthropic",
        "claude-haiku-4-5",
        lambda url: {"kind": "anthropic", "base_url": url},
    ),
    "google": _Provider(
        "provider-google",
        "gemini-2.5-flash",
        lambda url: {"kind": "google", "base_url": f"{url}/v1beta"},
    ),
}


async def run_against_flo2(
    *, surfaces: Sequence[str] = tuple(SURFACES), level: Level = "strict"
) -> Report:
    """Try everything against flo2, with a provider of each kind that is installed.

    Args:
        surfaces: Names of the surfaces to speak to.
        level: How strict to be.
    """
    installed = {point.name for point in entry_points(group="flo2")} | {""}
    tried = {name: each for name, each in _PROVIDERS.items() if each.plugin in installed}
    upstream = RehearsedUpstream()

    def tables(url: str) -> Mapping[str, Mapping[str, Any]]:
        return {name: each.table(url) for name, each in tried.items()}

    async with staged(tables, upstream=upstream) as stage:
        models = [f"{name}/{each.model}" for name, each in tried.items()]
        report = await run(
            stage.url, stage.key, models, surfaces=surfaces, upstream=upstream, level=level
        )
    report.results += [
        Result("", name, "the provider", "skip", (f"flo2-{each.plugin} is not installed",))
        for name, each in _PROVIDERS.items()
        if name not in tried
    ]
    return report
