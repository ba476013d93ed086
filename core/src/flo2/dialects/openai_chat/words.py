"""What of an answer Chat Completions can say: finish reasons, citations. Imports: canonical."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flo2.canonical import FinishReason, Image, Loss

__all__ = ["annotation_of", "finish_word", "image_of", "join_logprobs", "logprobs_of"]

_OWN: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_WORD_OF: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_window": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    # A provider that refuses stops its model in mid-answer; OpenAI's word for that is the filter.
    "refusal": "content_filter",
    "pause": "stop",
    "other": "stop",
}


def finish_word(
    reason: FinishReason, raw: str | None, stop_sequence: str | None, losses: list[Loss]
) -> str:
    """Choose the finish reason to write, and name what it does not say."""
    if raw in _OWN:
        return str(raw)
    word = _WORD_OF[reason]
    if stop_sequence is not None:
        losses.append(Loss("stop_sequence", "which sequence was hit has no field", "note"))
    if reason in {"context_window", "refusal", "pause", "other"}:
        losses.append(Loss("finish_reason", f"{raw or reason!r} is written as {word!r}", "note"))
    return word


def annotation_of(
    data: Mapping[str, Any], start: int, end: int, path: str, losses: list[Loss], *, own: bool
) -> dict[str, Any] | None:
    """Write a citation as an annotation, where it is one or points to a web page.

    Args:
        data: The citation in its own dialect.
        start: Where the cited text begins in the content, in characters.
        end: Where it ends.
        path: Where it stands, for the loss.
        losses: Takes what does not fit.
        own: The citation is one of this dialect, and stays as it is.
    """
    if own or "url_citation" in data:
        return dict(data)
    url = data.get("url") or data.get("uri")
    if not isinstance(url, str):
        losses.append(Loss(path, f"a citation of kind {data.get('type')!r} has no form here"))
        return None
    if others := sorted(data.keys() - {"type", "url", "uri", "title"}):
        losses.append(Loss(path, f"only URL and title are kept, not {', '.join(others)}", "note"))
    title = data.get("title")
    return {
        "type": "url_citation",
        "url_citation": {
            "url": url,
            "title": title if isinstance(title, str) else "",
            "start_index": start,
            "end_index": end,
        },
    }


def image_of(part: Image, number: int) -> dict[str, Any] | None:
    """Write a picture that the model made as an entry of `images`; None: it is a provider's file.

    OpenAI's own API answers with none; compatible hosts have them there
    (https://openrouter.ai/docs/features/multimodal/image-generation, read 2026-11-25).
    """
    url = part.url
    if part.data is not None:
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    if url is None:
        return None
    return {"index": number, "type": "image_url", "image_url": {"url": url}}


def logprobs_of(
    data: Mapping[str, Any], path: str, losses: list[Loss], *, own: bool
) -> Mapping[str, Any] | None:
    """Write log probabilities: this dialect's as they are, those of Responses, which look alike."""
    if own:
        return data
    if isinstance(data.get("content"), list):
        return {"content": data["content"], "refusal": None}
    loss = Loss(path, "log probabilities of this kind have no form here")
    if loss not in losses:
        losses.append(loss)
    return None


def join_logprobs(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Join the pieces of a stream: each of their lists continues the one before."""
    joined: dict[str, Any] = {}
    for piece in pieces:
        for key, value in piece.items():
            present = joined.get(key)
            if isinstance(present, list) and isinstance(value, list):
                joined[key] = present + value
            elif present is None:
                joined[key] = value
    return joined or None
