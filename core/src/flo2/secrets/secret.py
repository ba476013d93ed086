"""A text that does not show itself, and the check that it can travel in a header.

Imports: errors.
"""

from __future__ import annotations

import hmac
import json
import unicodedata
from typing import NoReturn, final

from flo2.errors import SecretError

__all__ = ["Secret", "check_header_safe", "in_one_line"]

_HIDDEN = "***"


@final
class Secret:
    """A secret text.

    Every way in which Python shows or serialises a value gives `***` or is refused; `reveal` is the
    one way to the text. Two secrets are compared in constant time; a secret never equals a `str`,
    so that a comparison with plain text cannot become a timing oracle by accident.

    Args:
        text: The secret itself.
    """

    __slots__ = ("_text",)

    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """Give the secret itself; only to build the header it belongs into."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN!r})"

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        # Not format(_HIDDEN, spec): a width computed for the real text would still be no leak, but
        # `f"{secret:d}"` would raise, and an error while an error is being reported helps nobody.
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encoded(self._text), _encoded(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))  # SipHash under a key of this process: not reversible

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Secret does not change; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Secret does not change; {name!r} cannot be deleted")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; pass a reference (env:NAME, file:/path) on")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; pass a reference (env:NAME, file:/path) on")


def check_header_safe(text: str, what: str) -> None:
    """Refuse a key that no HTTP header can carry.

    A pasted key brings along zero-width spaces, line ends and typographic dashes. Without this the
    HTTP client raises a UnicodeEncodeError that holds the whole key.

    Args:
        text: The key.
        what: What the message calls it, such as `the key for provider 'acme'`; never the key.

    Raises:
        SecretError: It is empty, or holds anything but visible ASCII characters and inner blanks.
            The message names the character and its place, and nothing else of the text.
    """
    if not text:
        raise SecretError(f"{what} is empty; set it to the key and try again")
    if text != text.strip():
        raise SecretError(f"{what} begins or ends with a blank or a line end; remove it")
    if text.isascii() and text.isprintable():
        return
    place, char = next(
        (i, c) for i, c in enumerate(text, start=1) if not (c.isascii() and c.isprintable())
    )
    name = unicodedata.name(char, "a control character").lower()
    raise SecretError(
        f"{what} holds a character that no header can carry: U+{ord(char):04X} ({name}) at place "
        f"{place}; copy the key again without it"
    )


def in_one_line(text: str) -> str:
    """Give a JSON document in its one-line form, and any other text as it is.

    A cloud's console hands out a key as a file of many lines, which mean nothing in JSON.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):  # its message would hold the text
        return text


def _encoded(text: str) -> bytes:
    # surrogatepass: an environment variable that is not UTF-8 arrives with surrogates, and the
    # error of a strict encode would carry the text.
    return text.encode("utf-8", "surrogatepass")
