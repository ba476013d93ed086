"""What of an answer this dialect can say: how it ended, citations. Imports: canonical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Finish, FinishReason, Loss
from flo2.dialects.openai_responses.vocabulary import JSON

__all__ = ["annotation_of", "ending"]

_OWN: Final = ("file_citation", "url_citation", "container_file_citation", "file_path")
_CUT: Final[Mapping[FinishReason, str]] = {
    "length": "max_output_tokens",
    "context_window": "max_output_tokens",
    "content_filter": "content_filter",
    # A provider that refuses stops its model in mid-answer; OpenAI's word for that is the filter.
    "refusal": "content_filter",
}


def ending(finish: Finish | None, losses: list[Loss], *, own: bool) -> tuple[str, JSON | None]:
    """Give the `status` of a whole answer and its `incomplete_details`."""
    if finish is None:
        return "completed", None
    if own and finish.raw is not None:
        done = finish.raw == "completed"
        return ("completed", None) if done else ("incomplete", {"reason": finish.raw})
    if finish.stop_sequence is not None:
        losses.append(Loss("stop_sequence", "which sequence was hit has no field", "note"))
    reason = _CUT.get(finish.reason)
    if finish.reason in {"context_window", "refusal", "pause", "other"}:
        word = reason or "completed"
        told = finish.raw or finish.reason
        losses.append(Loss("finish_reason", f"{told!r} is written as {word!r}", "note"))
    return ("completed", None) if reason is None else ("incomplete", {"reason": reason})


def annotation_of(
    data: Mapping[str, Any], start: int, end: int, path: str, losses: list[Loss], *, own: bool
) -> JSON | None:
    """Write a citation as an annotation, where it is one or points to a web page.

    Args:
        data: The citation in its own dialect.
        start: Where the cited text begins in its content part, in characters.
        end: Where it ends.
        path: Where it stands, for the loss.
        losses: Takes what does not fit.
        own: It is of this dialect.
    """
    if own:
        return dict(data)
    inner = data.get("url_citation")  # Chat Completions has the facts one level down
    if isinstance(inner, Mapping):
        return {"type": "url_citation", **inner}
    if data.get("type") in _OWN:  # a tuple: it may be of any type
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
        "url": url,
        "title": title if isinstance(title, str) else "",
        "start_index": start,
        "end_index": end,
    }
