"""Take one known secret out of what somebody else says about a call.

`redact` knows what keys look like; this knows the key. Providers and proxies quote requests in
their errors, headers included, and their words go to a client that must never see the key, into
the ledger, and into logs. Imports: errors.
"""

from __future__ import annotations

import base64
import json
from typing import Protocol
from urllib.parse import quote, quote_plus

from flo2.errors import ProviderError

__all__ = ["scrub", "scrub_bytes", "scrub_error", "spellings"]


class _Hidden(Protocol):
    def reveal(self) -> str: ...


_HIDDEN = "***"
# Shorter texts occur by chance, and taking them out would garble what is said.
_SHORTEST = 8
# So much of a spelling is taken for the secret cut off; fewer characters are its issuer's prefix.
_BEGINNING = 12
# Of the base64 of a longer text, the characters that depend on the secret alone: how many to leave
# out at the beginning for each place where the secret may begin within three bytes.
_LEFT_OUT = (0, 2, 3)


def spellings(secret: str) -> tuple[str, ...]:
    """Give the texts that show a secret: as it is, and in the encodings it is quoted in.

    Plain, reversed, percent-encoded, escaped as in JSON, hexadecimal, and base64 at each of the
    three places it may begin (`Basic` credentials hold it after a user name).

    Returns:
        Longest first; nothing for a secret too short to be told from chance.
    """
    if len(secret) < _SHORTEST:
        return ()
    raw = secret.encode("utf-8", "surrogatepass")
    found = {
        secret,
        secret[::-1],
        json.dumps(secret)[1:-1],
        secret.replace("/", "\\/"),
        quote(raw, safe=""),
        quote_plus(raw),
        raw.hex(),
        raw.hex().upper(),
    }
    for shift, left_out in enumerate(_LEFT_OUT):
        padded = b"\0" * shift + raw
        whole = padded[: len(padded) // 3 * 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(whole).decode()[left_out:])
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def scrub(text: str, *secrets: str) -> str:
    """Replace every spelling of secrets in a text by `***`, cut off ones too."""
    for secret in secrets:
        spelled = spellings(secret)
        # Whole ones first: two spellings may begin alike, and the rest of one would be left.
        for spelling in spelled:
            text = text.replace(spelling, _HIDDEN)
        for spelling in spelled:
            text = _without_beginning(text, spelling)
    return text


def scrub_bytes(data: bytes, *secrets: str) -> bytes:
    """Replace every spelling of secrets in bytes by `***`, cut off ones too."""
    # Latin-1 maps each byte to one character and back; all spellings of a key are ASCII.
    return scrub(data.decode("latin-1"), *secrets).encode("latin-1")


def scrub_error(error: ProviderError, *hidden: str | _Hidden) -> None:
    """Take secrets out of everything an error says."""
    secrets = [each if isinstance(each, str) else each.reveal() for each in hidden]
    error.message = scrub(error.message, *secrets)
    error.args = (error.message,)
    error.body = scrub_bytes(error.body, *secrets)
    error.code, error.error_type, error.param = (
        None if text is None else scrub(text, *secrets)
        for text in (error.code, error.error_type, error.param)
    )
    error.headers = {name: scrub(value, *secrets) for name, value in error.headers.items()}


def _without_beginning(text: str, spelling: str) -> str:
    """Take out what begins like a spelling: an excerpt may end in the middle of a key."""
    begins = spelling[:_BEGINNING]
    pieces: list[str] = []
    done = 0
    while (at := text.find(begins, done)) >= 0:
        pieces += [text[done:at], _HIDDEN]
        done = at + len(begins)
        for char in spelling[_BEGINNING:]:
            if text[done : done + 1] != char:
                break
            done += 1
    return "".join((*pieces, text[done:])) if pieces else text
