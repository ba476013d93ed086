"""Write the tables that say what becomes of one dialect's features in another: `docs/dialects/`.

    python -m flo2.testing.pairs docs/dialects

Every row is made by the codecs themselves: a feature is laid over the smallest request or answer
of its own dialect, both are carried into the other one, and what differs is what became of it.
Imports: dialects, testing.features.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from flo2.canonical import Loss, Request, fold
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.base import Dialect, Profile
from flo2.dialects.gemini import Gemini
from flo2.dialects.gemini_embed import GeminiBatchEmbed
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.errors import UnsupportedCall
from flo2.testing.features import Feature, Features
from flo2.testing.features.anthropic_messages import ANTHROPIC_MESSAGES
from flo2.testing.features.gemini import GEMINI
from flo2.testing.features.gemini_embed import GEMINI_EMBED
from flo2.testing.features.openai_chat import OPENAI_CHAT
from flo2.testing.features.openai_completions import OPENAI_COMPLETIONS
from flo2.testing.features.openai_embeddings import OPENAI_EMBEDDINGS
from flo2.testing.features.openai_responses import OPENAI_RESPONSES

__all__ = ["EMBEDDING", "SILENT", "SPOKEN", "page", "pages"]

SPOKEN: Final[Sequence[tuple[Dialect, Features]]] = (
    (OpenAIChat(), OPENAI_CHAT),
    (OpenAIResponses(), OPENAI_RESPONSES),
    (AnthropicMessages(), ANTHROPIC_MESSAGES),
    (Gemini(), GEMINI),
)
EMBEDDING: Final[Sequence[tuple[Dialect, Features]]] = (
    (OpenAIEmbeddings(), OPENAI_EMBEDDINGS),
    (GeminiBatchEmbed(), GEMINI_EMBED),
)
_TEXTS: Final[tuple[Dialect, Features]] = (OpenAICompletions(), OPENAI_COMPLETIONS)
SILENT: Final = "as without it"
"""What stands in a row where nothing differs and nothing is named."""
_NOTHING: Final = Profile()
_NUMBER: Final = re.compile(r"\[\d+\]")
_MOST: Final = 4
"""How many places are named before a row says that there are more."""


@frozen
class _Row:
    feature: str
    becomes: str
    losses: str


def pages() -> Iterator[tuple[str, str]]:
    """Give each pair's file name and text."""
    for client, asks, provider, tells in _pairs():
        yield f"{client.name}-to-{provider.name}.md", page(client, asks, provider, tells)


def _pairs() -> Iterator[tuple[Dialect, Features, Dialect, Features]]:
    for group in (SPOKEN, EMBEDDING):
        for client, asks in group:
            for provider, tells in group:
                if client is not provider:
                    yield client, asks, provider, tells
    for provider, tells in SPOKEN:
        yield *_TEXTS, provider, tells


def page(client: Dialect, asks: Features, provider: Dialect, tells: Features) -> str:
    """Write the page of one pair."""
    return "\n".join(
        [
            f"# A client of {client.name} on a provider of {provider.name}",
            "",
            "Made by the codecs: `python -m flo2.testing.pairs docs/dialects`.",
            "`refuse`: the call is refused before it costs anything. `drop`: left out, and named",
            "in `x-flo2-losses` and in the receipt. `note`: other words, the same meaning.",
            "",
            "## The request",
            "",
            *_table(client.name, provider.name, _requests(client, asks, provider)),
            "",
            "## The answer",
            "",
            *_table(provider.name, client.name, _answers(provider, tells, client)),
            "",
        ]
    )


def _table(source: str, target: str, rows: Sequence[_Row]) -> list[str]:
    lines = [f"| {source} | in {target} | loss |", "|---|---|---|"]
    return lines + [f"| {row.feature} | {row.becomes} | {row.losses} |" for row in rows]


def _requests(source: Dialect, features: Features, target: Dialect) -> list[_Row]:
    plain = _request(source, features, None)
    before, usual = _rendered(target, plain)
    rows = []
    for feature in features.asks:
        request = _request(source, features, feature)
        after, losses = _rendered(target, request)
        lost = [loss for loss in losses if str(loss) not in {str(each) for each in usual}]
        rows.append(_row(feature, before, after, lost))
    return rows


def _request(source: Dialect, features: Features, feature: Feature | None) -> Request:
    given = {**features.request, **({} if feature is None else feature.fields)}
    return source.parse(json.dumps(given).encode())


def _rendered(target: Dialect, request: Request) -> tuple[Any, Sequence[Loss]]:
    losses = target.check(request, _NOTHING)
    try:
        rendered = target.render(request, model="m", profile=_NOTHING)
    except UnsupportedCall:
        return None, losses
    return json.loads(rendered.body), losses


def _answers(source: Dialect, features: Features, target: Dialect) -> list[_Row]:
    before, usual = _told(source, features, None, target)
    rows = []
    for feature in features.tells:
        after, losses = _told(source, features, feature, target)
        lost = [loss for loss in losses if str(loss) not in {str(each) for each in usual}]
        rows.append(_row(feature, before, after, lost))
    return rows


def _told(
    source: Dialect, features: Features, feature: Feature | None, target: Dialect
) -> tuple[Any, Sequence[Loss]]:
    given = {**features.answer, **({} if feature is None else feature.fields)}
    decoder = source.body_decoder(full=True)
    first, last = decoder.feed(json.dumps(given).encode()), decoder.close()
    answer = fold([*first.events, *last.events], origin=source.name)
    rendered = target.encode_response(answer)
    return json.loads(rendered.body), rendered.losses


def _row(feature: Feature, before: Any, after: Any, losses: Sequence[Loss]) -> _Row:
    refused = after is None or any(loss.severity == "refuse" for loss in losses)
    places = [] if refused else list(dict.fromkeys(_places(before, after)))
    shown = ", ".join(f"`{place}`" for place in places[:_MOST])
    if len(places) > _MOST:
        shown += ", …"
    words = dict.fromkeys(
        f"{loss.severity} `{_NUMBER.sub('[]', loss.path)}`: {loss.reason}" for loss in losses
    )
    becomes = "refused" if refused else shown or ("left out" if losses else SILENT)
    return _Row(feature.name, becomes, "; ".join(words).replace("|", "\\|") or "none")


def _places(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Name the places where one JSON value differs from another; lists are `[]`."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in after:
            yield from _places(before.get(name), after[name], f"{path}.{name}" if path else name)
        return
    if isinstance(before, list) and isinstance(after, list):
        for place, value in enumerate(after):
            known = before[place] if place < len(before) else None
            yield from _places(known, value, f"{path}[]")
        return
    if isinstance(after, list) and after and isinstance(after[0], Mapping):
        for value in after:
            yield path + "[]" + _kind(value)
        return
    yield path + _kind(after)


def _kind(value: Any) -> str:
    """Say what an object is, where it says so itself."""
    if isinstance(value, Mapping):
        for name in ("type", "role"):
            if isinstance(value.get(name), str):
                return f" ({value[name]})"
    return ""


def main(arguments: Sequence[str]) -> int:
    """Write the pages into the folder that is named."""
    (folder,) = arguments
    for name, text in pages():
        (Path(folder) / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
