"""Check request headers before an engine sees them.

A refusal names the header and never its value: the value is often a key. Imports: errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flo2.errors import InvalidHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HeaderCheck"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")  # RFC 9110 §5.5, ASCII only
# Framing and routing belong to the engine; a second, different one is how requests are smuggled.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_REMEMBERED = 512
_VISIBLE = bytes(range(0x20, 0x7F))


class HeaderCheck:
    """Refuse what could break out of a header, or would be sent differently by each engine.

    Values are visible ASCII with inner blanks. Latin-1 is refused as well: RFC 9110 §5.5 tells
    senders to stay within ASCII, and aiohttp would send UTF-8 where h11 sends Latin-1.
    """

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}  # names that passed; bounded
        self._usual: set[str] = set()  # those of them that are not `accept-encoding`

    def check(self, headers: Sequence[tuple[str, str]]) -> bool:
        """Check names and values.

        Returns:
            Whether `accept-encoding` is among them.

        Raises:
            InvalidHeader: naming the header.
        """
        if headers:
            names, values = zip(*headers, strict=True)
            line = f"|{'|'.join(values)}|"
            # Nothing odd in all of them together, and no blank at an end: what nearly all pass.
            if (
                self._usual.issuperset(names)
                and line.isascii()
                and not line.encode().translate(None, _VISIBLE)
                and "| " not in line
                and " |" not in line
            ):
                return False
        known = self._known
        encoding = False
        for name, value in headers:
            if name in known:
                encoding |= known[name]
            else:
                encoding |= self._check_name(name)
            # The first test is the quick one, and stricter: the second also allows inner tabs.
            if not (value.isascii() and value.isprintable() and value.strip() == value) and (
                _VALUE.fullmatch(value) is None
            ):
                raise InvalidHeader(
                    f"the value of header {name!r} holds a control character, a blank at an end, "
                    "or a character outside ASCII; a pasted key often brings one along"
                )
        return encoding

    def _check_name(self, name: str) -> bool:
        if _TOKEN.fullmatch(name) is None:
            raise InvalidHeader(f"{name[:60]!r} is not a header name")
        lower = name.lower()
        if lower in _OURS:
            raise InvalidHeader(f"header {name!r} is set by the wire itself; leave it out")
        if len(self._known) < _REMEMBERED:
            self._known[name] = lower == "accept-encoding"
            if lower != "accept-encoding":
                self._usual.add(name)
        return lower == "accept-encoding"
