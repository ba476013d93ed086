"""Small values that requests and answers write alike. Pure. Imports: canonical, errors."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from flo2.canonical import CacheHint
from flo2.dialects.jsonio import loads
from flo2.errors import InvalidRequest

__all__ = ["allowed_id", "render_cache", "tool_arguments"]

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


def allowed_id(value: str) -> str:
    """Rewrite an id of a tool call that the API would refuse; the same id always alike."""
    if not _BAD_ID.search(value):
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"{_BAD_ID.sub('_', value)}_{digest}"
