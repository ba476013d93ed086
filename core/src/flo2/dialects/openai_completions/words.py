"""Log probabilities of a chat in the older form: parallel lists. Imports: nothing of flo2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["lists_of"]


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
