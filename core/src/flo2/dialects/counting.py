"""Token counts: an answer that is one number, whatever its dialect.

Counting is free ("Token counting is free to use",
https://platform.claude.com/docs/en/build-with-claude/token-counting, read 2026-11-25), so a count
is informational and no meter. Pure. Imports: canonical, base.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flo2.canonical import Event, Failed, Response, Start, Usage, UsageUpdate
from flo2.dialects.base import Chunk, Observed, ReadUsage
from flo2.dialects.jsonio import loads
from flo2.errors import ProviderError

__all__ = ["CountDecoder", "count_of", "read_count"]


_INPUT_TOKENS: Final = "input_tokens"


def read_count(raw: Mapping[str, Any], dialect: str, *, name: str = _INPUT_TOKENS) -> Usage:
    """Read a count, out of the field of this name."""
    count = raw.get(name)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        return Usage({}, raw=raw, dialect=dialect, problem=f"{name} is {count!r}")
    return Usage({}, {"input_tokens": count}, raw, dialect)


def count_of(response: Response) -> int:
    """Give the number that an answer holds."""
    usage = response.usage
    return 0 if usage is None else usage.informational.get("input_tokens", usage.input_total)


class CountDecoder:
    """Gather a count and decode it at its end.

    Args:
        dialect: Its name.
        read_usage: Reads the count.
        error_of: Reads an error that came in its place, from the object and from its bytes.
        name: The field that holds the count.
    """

    def __init__(
        self,
        dialect: str,
        read_usage: ReadUsage,
        error_of: Callable[[Mapping[str, Any], bytes], ProviderError],
        *,
        name: str = _INPUT_TOKENS,
    ) -> None:
        self.observed: Observed = Observed()
        self._dialect = dialect
        self._read_usage = read_usage
        self._error_of = error_of
        self._name = name
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
        if isinstance(value, dict) and self._name in value:
            self.observed.usage = self._read_usage(value)
            self.observed.complete = True
            return (Start("", "", origin=self._dialect), UsageUpdate(self.observed.usage))
        if isinstance(value, dict) and "error" in value:
            error = self._error_of(value, raw)
        else:
            error = ProviderError(
                f"the answer is no token count ({len(raw)} bytes)", status=200, retryable=True
            )
        self.observed.error = error
        return (Failed(error),)
