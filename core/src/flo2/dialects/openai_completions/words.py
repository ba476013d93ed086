"""What a text completion says otherwise than a chat: how it ended, and log probabilities.

Imports: canonical, openai_chat's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import FinishReason, Loss
from flo2.dialects.openai_chat.words import finish_word as chat_word

__all__ = ["finish_word", "lists_of"]

_WORDS: Final = frozenset({"stop", "length", "content_filter"})


def finish_word(
    reason: FinishReason, raw: str | None, stop_sequence: str | None, losses: list[Loss]
) -> str:
    """Choose the finish reason to write; a text does not end with a tool."""
    word = chat_word(reason, raw, stop_sequence, losses)
    if word in _WORDS:
        return word
    losses.append(Loss("finish_reason", f"{word!r} is written as 'stop'", "note"))
    return "stop"


def lists_of(data: Mapping[str, Any], offset: int) -> dict[str, Any] | None:
    """Write log probabilities.

    Args:
        data: As the answer's dialect has them.
        offset: Where the text they are about begins, in characters.

    Returns:
        Those of this dialect as they are, a chat's as lists, None for any other.
    """
    if isinstance(data.get("tokens"), list):
        return dict(data)
    content = data.get("content")
    if not isinstance(content, list) or not all(isinstance(each, Mapping) for each in content):
        return None
    tokens = [str(each.get("token", "")) for each in content]
    offsets, at = [], offset
    for token in tokens:
        offsets.append(at)
        at += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [each.get("logprob") for each in content],
        "top_logprobs": [
            {
                str(one.get("token", "")): one.get("logprob")
                for one in each.get("top_logprobs") or ()
                if isinstance(one, Mapping)
            }
            for each in content
        ],
        "text_offset": offsets,
    }
