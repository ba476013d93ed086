"""What an answer was grounded on: searches, which cost money, and sources, which are citations.

Pure. Imports: canonical.

Source: https://ai.google.dev/gemini-api/docs/google-search and
https://ai.google.dev/gemini-api/docs/pricing, read 2026-11-25: before Gemini 3 a grounded prompt is
billed, from then on each search query; empty queries are not counted, equal ones once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["Searches", "citations", "grounding_of"]

_BY_PROMPT: Final = re.compile(r"(?:models/)?gemini-[12](?![0-9])")

Json = Mapping[str, Any]


class Searches:
    """The searches of one answer; `groundingMetadata` is their only trace."""

    def __init__(self) -> None:
        self._web: set[str] = set()
        self._images: set[str] = set()
        self._maps = False

    def see(self, metadata: Any) -> None:
        """Look at a `groundingMetadata`; that of a later chunk may repeat an earlier one."""
        if not isinstance(metadata, dict):
            return
        for key, found in (("webSearchQueries", self._web), ("imageSearchQueries", self._images)):
            queries = metadata.get(key)
            if isinstance(queries, list):
                found.update(query for query in queries if isinstance(query, str) and query)
        self._maps = self._maps or any(
            isinstance(chunk, dict) and "maps" in chunk
            for chunk in _list(metadata, "groundingChunks")
        )

    def meters(self, model: str) -> dict[str, int]:
        """Give what is billed for them, of an answer by this model."""
        if _BY_PROMPT.match(model):
            counts = {
                "grounded_prompts": int(bool(self._web)),
                "maps_grounded_prompts": int(self._maps),
            }
        else:
            counts = {
                "web_search_requests": len(self._web),
                "image_search_requests": len(self._images),
                "maps_grounded_prompts": int(self._maps),
            }
        return {meter: count for meter, count in counts.items() if count}


def _list(holder: Json, key: str) -> list[Any]:
    value = holder.get(key)
    return value if isinstance(value, list) else []


def citations(extras: Json) -> Iterator[Json]:
    """Give the sources that a candidate names, each as one citation with `uri` and `title`."""
    metadata = extras.get("groundingMetadata")
    if isinstance(metadata, dict):
        cited = _cited(metadata)
        for number, chunk in enumerate(_list(metadata, "groundingChunks")):
            segments = {"segments": cited[number]} if number in cited else {}
            for kind, source in chunk.items() if isinstance(chunk, dict) else ():
                if isinstance(source, dict):
                    yield {"type": f"grounding_{kind}", **source, **segments}
    metadata = extras.get("citationMetadata")
    if isinstance(metadata, dict):
        # The Gemini API says `citationSources`, Vertex `citations`.
        for key in ("citationSources", "citations"):
            for one in _list(metadata, key):
                if isinstance(one, dict):
                    yield {"type": "citation", **one}


def _cited(metadata: Json) -> dict[int, list[Any]]:
    """Give the pieces of text that rest on a source, by the source's number."""
    cited: dict[int, list[Any]] = {}
    for support in _list(metadata, "groundingSupports"):
        if isinstance(support, dict):
            for number in _list(support, "groundingChunkIndices"):
                if isinstance(number, int):
                    cited.setdefault(number, []).append(support.get("segment"))
    return cited


def grounding_of(notes: list[Json]) -> dict[str, Any] | None:
    """Write another dialect's citations of web pages; None: there are none."""
    chunks: list[Any] = []
    for note in notes:
        inner = note.get("url_citation")
        source = inner if isinstance(inner, dict) else note
        url, title = source.get("url") or source.get("uri"), source.get("title")
        if isinstance(url, str):
            titled = {"title": title} if isinstance(title, str) else {}
            chunk = {"web": {"uri": url, **titled}}
            if chunk not in chunks:
                chunks.append(chunk)
    return {"groundingChunks": chunks} if chunks else None
