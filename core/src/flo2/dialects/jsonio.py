r"""Read and write JSON: msgspec, and the standard library for what msgspec refuses.

msgspec rejects lone surrogates (`"\ud83d"`), which models do produce when a token border falls
inside an emoji; both directions then go through `json`, which keeps them as escapes.
Pure. Imports: nothing of flo2.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import msgspec

__all__ = ["bare_error", "dumps", "loads"]

_DIGITS: Final = 4300
"""Longer ones Python refuses to read, as the time that takes grows with the square."""

_decode = msgspec.json.decode
_encode = msgspec.json.encode


def loads(data: bytes | str) -> Any:
    """Parse JSON text.

    Raises:
        ValueError: it is no JSON, or no UTF-8.
    """
    try:
        try:
            return _decode(data)
        except msgspec.DecodeError:
            return json.loads(data, parse_int=_integer, parse_constant=_no_constant)
    except RecursionError as exc:
        raise ValueError("JSON is nested too deeply") from exc


def dumps(value: Any) -> bytes:
    """Write compact JSON."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def bare_error(raw: bytes) -> dict[str, Any] | None:
    """Read an error that came as plain JSON where a stream of events was due.

    A host, or a proxy before it, may answer so with status 200: its reason is then the only one
    there is, and a reader of events passes over it.

    Args:
        raw: What is left of the stream at its end.

    Returns:
        The whole body; None where it is no such error.
    """
    raw = raw.strip()
    if raw[:1] != b"{" or b'"error"' not in raw:
        return None
    try:
        found = loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("error") else None


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is none that anything counts")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
