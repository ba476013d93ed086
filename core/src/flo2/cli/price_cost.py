"""Price usage objects in JSON, one or many; for `flo2 prices cost`.

Imports: gateway.costing, cli.bench.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from flo2.cli.bench import Bench
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest, PluginError
from flo2.gateway.costing import Priced, cost_json, price_question, read_question
from flo2.instants import instant
from flo2.protocols import Provider

__all__ = ["answer_lines", "price_text"]

_NOWHERE: Final = "https://host.invalid/v1"
"""The address of a provider whose plugin wants one; nothing is sent there."""


def _finder(bench: Bench) -> Callable[[str], tuple[Provider | None, str]]:
    """Give a function that finds a provider, configured or only installed, and its price name."""
    made: dict[str, tuple[Provider | None, str]] = {}

    def find(name: str) -> tuple[Provider | None, str]:
        if name not in made:
            bound = bench.providers.get(name)
            if bound is not None:
                made[name] = bound.provider, bound.priced_as
            else:
                made[name] = _installed(bench, name), name
        return made[name]

    return find


def _installed(bench: Bench, kind: str) -> Provider | None:
    """Make a provider that no configuration names; None where no plugin has the kind."""
    if kind not in bench.plugins.kinds("provider"):
        return None
    cls = bench.plugins.get("provider", kind)
    fields = attrs.fields_dict(cls.Config)
    settings = {"base_url": _NOWHERE} if "base_url" in fields else {}
    try:
        provider: Provider = cls(cls.Config(**settings), bench.services)
    except TypeError as exc:
        raise PluginError(
            f"provider {kind!r} needs a table [providers.{kind}] in flo2.toml: {exc}"
        ) from exc
    return provider


def price_text(data: bytes, bench: Bench) -> Priced:
    """Price one JSON object.

    Raises:
        InvalidRequest: it cannot be read.
    """
    return _price(data, bench, _finder(bench), _now(bench))


def answer_lines(data: bytes, bench: Bench) -> Iterator[tuple[dict[str, Any], bool]]:
    """Price one object a line; each gets its answer or its error, in order, blank lines none.

    Yields:
        The answer, and whether the line could be read.
    """
    find, now = _finder(bench), _now(bench)
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield cost_json(_price(line, bench, find, now)), True
        except InvalidRequest as exc:
            error = {"message": str(exc), "param": exc.param, "line": number}
            yield {"status": "error", "error": error}, False


def _price(
    data: bytes,
    bench: Bench,
    find: Callable[[str], tuple[Provider | None, str]],
    now: datetime,
) -> Priced:
    try:
        document = loads(data)
    except ValueError as exc:
        raise InvalidRequest(f"this is no JSON: {exc}") from exc
    spoken = [d for bound in bench.providers.values() for d in bound.provider.facts.dialects]
    return price_question(read_question(document, now), bench.book, find, spoken)


def _now(bench: Bench) -> datetime:
    return instant(bench.now_us())
