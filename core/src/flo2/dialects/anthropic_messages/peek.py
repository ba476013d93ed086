"""Read the few fields of a request that every call needs.

Only the top level is looked at: a body that is odd further down is the provider's to judge, whose
words clients act on (Claude Code tries again with fewer features on any 400).
Pure. Imports: base, errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from flo2.dialects.anthropic_messages.block_parse import expect
from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import Peek
from flo2.dialects.carrier import holds_carrier
from flo2.dialects.jsonio import loads
from flo2.dialects.openai_chat.peek import labels_of
from flo2.errors import InvalidRequest

__all__ = ["peek_request"]


class _Head(msgspec.Struct):
    model: str
    messages: msgspec.Raw
    max_tokens: int | None = None
    stream: bool | None = None
    metadata: msgspec.Raw | None = None


# Thinking of nobody known is shown to the client as a block with an empty signature; the API takes
# only its own, so such a block must not go back to it as it stands.
_UNSIGNED = re.compile(rb'"signature"\s*:\s*""')

_decode = msgspec.json.Decoder(_Head).decode


def peek_request(body: bytes, *, bounded: bool) -> Peek:
    """Peek, and check the top level.

    Args:
        body: The request's bytes.
        bounded: Whether `max_tokens` must be there.

    Raises:
        InvalidRequest: no JSON object, a required field missing, or a wrong type.
    """
    try:
        head = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _slowly(body, bounded=bounded)
    messages = bytes(head.messages)
    empty = not head.model or messages[:1] != b"[" or not messages[1:-1].strip()
    if empty or (bounded and head.max_tokens is None):
        return _slowly(body, bounded=bounded)
    metadata = None if head.metadata is None else loads(bytes(head.metadata))
    return Peek(
        model=head.model,
        stream=bool(head.stream),
        max_output_tokens=head.max_tokens,
        end_user=_user(metadata),
        metadata=_labels(metadata),
        needs_render=_needs_render(body),
    )


def _needs_render(body: bytes) -> bool:
    return holds_carrier(body) or _UNSIGNED.search(body) is not None


def _user(metadata: Any) -> str | None:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user if isinstance(user, str) else None


def _labels(metadata: Any) -> Mapping[str, str] | None:
    """Give what metadata says beside the user: the API takes nothing else, other hosts may."""
    found = labels_of(metadata)
    if found is None or "user_id" not in found:
        return found
    return {name: text for name, text in found.items() if name != "user_id"} or None


def _slowly(body: bytes, *, bounded: bool) -> Peek:
    """Peek at a body that did not decode, to say why, or because only `json` takes it.

    Raises:
        InvalidRequest: in the API's own words where it has some.
    """
    fields = load_object(body)
    required = ("model", "messages", "max_tokens") if bounded else ("model", "messages")
    for name in required:
        if fields.get(name) is None:
            raise InvalidRequest(f"{name}: Field required", param=name)
    model = expect(fields["model"], str, "model")
    if not model:
        raise InvalidRequest("model: String should have at least 1 character", param="model")
    if not expect(fields["messages"], list, "messages"):
        raise InvalidRequest("messages: at least one message is required", param="messages")
    bound, stream = fields.get("max_tokens"), fields.get("stream")
    return Peek(
        model=model,
        stream=False if stream is None else expect(stream, bool, "stream"),
        max_output_tokens=None if bound is None else expect(bound, int, "max_tokens"),
        end_user=_user(fields.get("metadata")),
        metadata=_labels(fields.get("metadata")),
        needs_render=_needs_render(body),
    )
