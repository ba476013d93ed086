"""What can be said of a call's size before it runs. Pure. Imports: protocols."""

from __future__ import annotations

import re
from typing import Final

from flo2.protocols import Inbound

__all__ = ["input_bound", "output_bound"]

# Each begins with one literal byte, which `re` looks for first: a sixth of the time of seven `in`
# tests at 1 KB (0.9 µs against 4.6), and a seventh at 20 KB.
_NAMED: Final = re.compile(rb'"(?:image|file|document|input_|url"|container)').search
_REFERENCE: Final = re.compile(rb"_(?:id|container)").search
_HIDDEN_TOKENS: Final = 4096


def input_bound(inbound: Inbound) -> int | None:
    """Give a count that the prompt's tokens cannot pass, or None where bytes do not bound it.

    A token is at least one byte of text, and JSON around the text is longer than what a provider
    adds for roles; what it adds for tools is covered by a constant. Images, files, references and
    stored context are not bounded by their bytes.
    """
    body = inbound.body
    if not body or _NAMED(body) is not None:
        return None
    # To the first one with memchr: a long prompt of prose, five times as quick as `re` alone.
    first = body.find(b"_")
    if first >= 0 and _REFERENCE(body, first) is not None:
        return None
    return len(body) + _HIDDEN_TOKENS


def output_bound(inbound: Inbound) -> int | None:
    """Give the most output tokens the client allowed, over all choices, or None."""
    peek = inbound.peek
    return None if peek.max_output_tokens is None else peek.max_output_tokens * max(peek.n, 1)
