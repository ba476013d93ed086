"""Small values that requests and answers write alike. Pure. Imports: canonical, errors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from flo2.canonical import CacheHint, Severity, ToolCall
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest

__all__ = ["allowed_id", "render_cache", "sent_arguments", "tool_arguments"]

# `messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`, so says the
# API to the ids of other vendors such as `functions.get_weather:0`.
_BAD_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


def render_cache(hint: CacheHint) -> dict[str, Any]:
    """Write a `cache_control` object."""
    ttl = {} if hint.ttl is None else {"ttl": hint.ttl}
    return {"type": "ephemeral", **ttl, **hint.extras}


def tool_arguments(text: str, path: str) -> dict[str, Any]:
    """Read a tool call's arguments, which this dialect sends as an object.

    Raises:
        InvalidRequest: they are no JSON object; `param` is the path.
    """
    try:
        # Llama models on Groq write null for a function without parameters (recordings/groq).
        value = loads(text) if text.strip() not in {"", "null"} else {}
    except ValueError as exc:
        raise InvalidRequest(f"{path}: not valid JSON ({exc})", param=path) from exc
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"{path}: must be a JSON object, not {type(value).__name__}", param=path
        )
    return value


def sent_arguments(
    part: ToolCall, path: str, lose: Callable[[str, str, Severity], None]
) -> dict[str, Any]:
    """Write a call of an earlier turn as an object; a model's slip must not end a conversation.

    Args:
        part: The call; of one of free text, the text is the one field of an object.
        path: Where it stands.
        lose: Told of arguments that are none.
    """
    if part.kind == "custom":
        return {"input": part.arguments}
    try:
        return tool_arguments(part.arguments, f"{path}.arguments")
    except InvalidRequest as exc:
        lose(f"{path}.arguments", f"{exc.message}; sent as {{'arguments': text}}", "note")
        return {"arguments": part.arguments}


def allowed_id(value: str) -> str:
    """Rewrite an id of a tool call that the API would refuse; the same id always alike."""
    if not _BAD_ID.search(value):
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"{_BAD_ID.sub('_', value)}_{digest}"
