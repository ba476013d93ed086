"""Seal bytes under a key and bind them to where they belong (AES-256-GCM).

Format: base64 of one version byte, 12 nonce bytes, ciphertext, 16 tag bytes. Pure but for the
    nonce.
Imports: errors.
"""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from flo2.errors import SecretError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["bind", "decrypt", "open_sealed", "parts_of", "seal"]

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16


def bind(*parts: str) -> bytes:
    """Join what a seal is bound to, so that no two different lists give the same bytes.

    Each part goes in with its length: ("ab", "c") and ("a", "bc") differ, whatever they hold.
    """
    joined = bytearray()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        joined += len(raw).to_bytes(4)
        joined += raw
    return bytes(joined)


def seal(cipher: AESGCM, plain: bytes, bound: bytes) -> str:
    """Seal.

    The nonce is random: safe for 2**32 seals under one key (NIST SP 800-38D §8.3), which a data key
    of one account's credentials never reaches.
    """
    nonce = os.urandom(_NONCE)
    sealed = cipher.encrypt(nonce, plain, bound)
    return binascii.b2a_base64(_VERSION + nonce + sealed, newline=False).decode()


def open_sealed(cipher: AESGCM, text: str, bound: bytes, what: str) -> bytes:
    """Open.

    Args:
        cipher: Cipher under the key.
        text: What `seal` gave.
        bound: As it was given to `seal`.
        what: What the message calls it.

    Raises:
        SecretError: Any bit of the text, of the key or of what it is bound to is another.
    """
    nonce, sealed = parts_of(text, what)
    return decrypt(cipher, nonce, sealed, bound, what)


def parts_of(text: str, what: str) -> tuple[bytes, bytes]:
    """Take a seal's text apart; what needs no key of opening it.

    Args:
        text: What `seal` gave.
        what: What the message calls it.

    Returns:
        Nonce, and ciphertext with tag.

    Raises:
        SecretError: It is no seal.
    """
    raw = _decoded(text)
    if raw is None or len(raw) < 1 + _NONCE + _TAG or raw[:1] != _VERSION:
        raise _does_not_open(what)
    return raw[1 : 1 + _NONCE], raw[1 + _NONCE :]


def decrypt(cipher: AESGCM, nonce: bytes, sealed: bytes, bound: bytes, what: str) -> bytes:
    """Open what `parts_of` took apart; arguments and errors are those of `open_sealed`."""
    plain: bytes | None = None
    try:
        plain = cipher.decrypt(nonce, sealed, bound)
    except InvalidTag:
        plain = None
    if plain is None:  # outside of the `except`: no library's exception stays attached
        raise _does_not_open(what)
    return plain


def _does_not_open(what: str) -> SecretError:
    return SecretError(
        f"{what} does not open: it was changed in the store, or belongs to another row, "
        "account, provider or host; delete it and add it again, or restore the store from a "
        "backup"
    )


def _decoded(text: str) -> bytes | None:
    """Decode base64 in its one spelling: spare bits are ignored, so two texts could be one seal."""
    try:
        raw = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == text.encode("ascii") else None
