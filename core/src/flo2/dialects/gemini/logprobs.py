"""Log probabilities of another dialect in Google's form. Pure. Imports: nothing of flo2.

Source: https://ai.google.dev/api/generate-content#LogprobsResult, read 2026-11-25, and OpenAI's
`ChatCompletionTokenLogprob` (openai-python 3.57).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["logprobs_result"]


def logprobs_result(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Join the pieces of a stream; None: they are of no form that is known."""
    chosen: list[Any] = []
    top: list[Any] = []
    for piece in pieces:
        content = piece.get("content")
        for token in content if isinstance(content, list) else ():
            if isinstance(token, dict) and (found := _candidate(token)) is not None:
                others = token.get("top_logprobs")
                listed = others if isinstance(others, list) else []
                written = [_candidate(each) for each in listed if isinstance(each, dict)]
                chosen.append(found)
                top.append({"candidates": [each for each in written if each is not None]})
    if not chosen:
        return None
    result: dict[str, Any] = {"chosenCandidates": chosen}
    return {"topCandidates": top, **result} if any(each["candidates"] for each in top) else result


def _candidate(token: Mapping[str, Any]) -> dict[str, Any] | None:
    text, logprob = token.get("token"), token.get("logprob")
    if not isinstance(text, str) or not isinstance(logprob, int | float):
        return None
    return {"token": text, "logProbability": logprob}
