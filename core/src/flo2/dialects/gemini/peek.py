"""Read the few fields of a request that every call needs.

Only the top level is looked at: a body that is odd further down is the provider's to judge.
Pure. Imports: base, errors.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2.dialects.anthropic_messages.request_parse import load_object
from flo2.dialects.base import Peek
from flo2.dialects.gemini.seals import holds_wrapped_carrier
from flo2.dialects.gemini.spelling import items, message, whole
from flo2.dialects.openai_chat.peek import ABSENT, labels, labels_of
from flo2.errors import InvalidRequest

__all__ = ["peek_request"]

_COUNTED: Final = "generateContentRequest"


class _Generation(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    max_output: Any = msgspec.field(name="max_output_tokens", default=None)
    candidates: Any = msgspec.field(name="candidate_count", default=None)


class _Head(msgspec.Struct):
    contents: msgspec.Raw
    generation: _Generation | None = msgspec.field(name="generationConfig", default=None)
    other: Any = msgspec.field(name="generation_config", default=None)
    labels: msgspec.Raw = ABSENT  # Vertex AI's word for metadata


_decode = msgspec.json.Decoder(_Head).decode


def peek_request(body: bytes, *, counting: bool) -> Peek:
    """Peek, and check the top level.

    Args:
        body: The request's bytes.
        counting: It is to be counted, and may be a request inside of a request.

    Raises:
        InvalidRequest: no JSON object, no contents, or a wrong type.
    """
    try:
        head = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _slowly(body, counting=counting)
    contents, config = bytes(head.contents), head.generation
    if contents[:1] != b"[" or not contents[1:-1].strip() or head.other is not None:
        return _slowly(body, counting=counting)
    if config is not None and (config.max_output, config.candidates) != (None, None):
        return _slowly(body, counting=counting)
    return Peek(
        model="",
        max_output_tokens=None if config is None else config.max_output_tokens,
        n=1 if config is None else config.candidate_count or 1,
        metadata=None if head.labels is ABSENT else labels(head.labels),
        needs_render=holds_wrapped_carrier(body),
    )


def _slowly(body: bytes, *, counting: bool) -> Peek:
    """Peek at a body that is spelled otherwise, or say what is wrong with it.

    Raises:
        InvalidRequest: in the API's own words where it has some.
    """
    fields = message(load_object(body), "body")
    if counting and _COUNTED in fields:
        fields = message(fields[_COUNTED], _COUNTED)
    if not items(fields.get("contents"), "contents"):
        raise InvalidRequest(
            "GenerateContentRequest.contents: contents is not specified", param="contents"
        )
    path = "generationConfig"
    config = message(fields.get(path) or {}, path)
    return Peek(
        model="",
        metadata=labels_of(fields.get("labels")),
        max_output_tokens=whole(config.get("maxOutputTokens"), f"{path}.maxOutputTokens"),
        n=whole(config.get("candidateCount"), f"{path}.candidateCount") or 1,
        needs_render=holds_wrapped_carrier(body),
    )
