"""Counting the tokens of a request: `POST /v1/messages/count_tokens` → `{"input_tokens": n}`.

"Token counting is free to use", so a count is informational and no meter
(https://platform.claude.com/docs/en/build-with-claude/token-counting, read 2026-11-25).
Pure. Imports: canonical, base.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Event, Failed, Loss, Request, Response, Start, Usage, UsageUpdate
from flo2.dialects.anthropic_messages.errors import stream_error
from flo2.dialects.anthropic_messages.request_render import render_request
from flo2.dialects.base import Chunk, Observed, Profile, ReadUsage, Rendered
from flo2.dialects.jsonio import dumps, loads
from flo2.errors import ProviderError

__all__ = ["COUNT_NAME", "CountDecoder", "encode_count", "read_count", "render_count"]

COUNT_NAME: Final = "anthropic.count_tokens"

# What bears on drawing the answer or on its bill and is refused here ("Extra inputs are not
# permitted"); see `MessageCountTokensParams` in the official SDK, anthropic 2.13.
_NOT_COUNTED: Final = frozenset(
    {
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)


def read_count(raw: Mapping[str, Any]) -> Usage:
    """Read a count."""
    count = raw.get("input_tokens")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        return Usage({}, raw=raw, dialect=COUNT_NAME, problem=f"input_tokens is {count!r}")
    return Usage({}, {"input_tokens": count}, raw, COUNT_NAME)


def render_count(
    request: Request, *, model: str, profile: Profile
) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """Write a counting request; losses are named as for the call that would follow it."""
    body, losses = render_request(request, model=model, profile=profile, bounded=False)
    kept = {key: value for key, value in body.items() if key not in _NOT_COUNTED}
    return kept, losses


def encode_count(response: Response) -> Rendered:
    """Write a count."""
    usage = response.usage
    count = 0 if usage is None else usage.informational.get("input_tokens", usage.input_total)
    return Rendered(dumps({"input_tokens": count}))


class CountDecoder:
    """Gather a count and decode it at its end."""

    def __init__(self, read_usage: ReadUsage) -> None:
        self.observed: Observed = Observed()
        self._read_usage = read_usage
        self._body = bytearray()

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._body += data
        return Chunk(b"")

    def close(self) -> Chunk:
        """Give the count."""
        raw = bytes(self._body)
        return Chunk(raw, self._events(raw))

    def _events(self, raw: bytes) -> tuple[Event, ...]:
        try:
            value = loads(raw)
        except ValueError:
            value = None
        if isinstance(value, dict) and "input_tokens" in value:
            self.observed.usage = self._read_usage(value)
            self.observed.complete = True
            return (Start("", "", origin=COUNT_NAME), UsageUpdate(self.observed.usage))
        if isinstance(value, dict) and "error" in value:
            error = stream_error(raw)
        else:
            error = ProviderError(
                f"the answer is no token count ({len(raw)} bytes)", status=200, retryable=True
            )
        self.observed.error = error
        return (Failed(error),)
