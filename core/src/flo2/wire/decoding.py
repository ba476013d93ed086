"""Undo `content-encoding` while the body streams, within bounds.

flo2 asks for `identity` (see `client`), so this runs only when a caller asked for gzip or
deflate, or an upstream compresses unasked. Only those two are known: a coding nobody asked for is
an error of the upstream and is refused by name. Imports: errors.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from flo2.errors import ReadFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Decoder", "decoder_for"]

# One inflated piece at most, so that a small hostile body cannot fill memory before limits see it.
_PIECE = 256 * 1024


class Decoder:
    """Inflate gzip (also several members in a row), zlib or raw deflate.

    Args:
        coding: `gzip` or `deflate`.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Inflate one piece from the wire.

        Yields:
            Non-empty pieces of at most 256 KiB.

        Raises:
            ReadFailed: the bytes are not what the header promised.
        """
        full = False
        while data or full:
            if self._inflate.eof:  # another gzip member, RFC 1952 §2.2
                self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            piece = self._step(data)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            # zlib may hold more output although it took all input.
            full = len(piece) == _PIECE and not self._inflate.eof
            if piece:
                yield piece

    def _step(self, data: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._inflate.decompress(data, _PIECE)
        except zlib.error:
            raw = self._coding == "deflate" and not begun
        if raw:  # some servers send deflate without the zlib wrapper of RFC 9110 §8.4.1.2
            self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
            try:
                return self._inflate.decompress(data, _PIECE)
            except zlib.error:
                raw = False
        raise ReadFailed(f"the response body is not the {self._coding} that its header promises")

    def finish(self) -> None:
        """Check that the end of the body is the end of the compressed stream.

        Raises:
            ReadFailed: it is cut off.
        """
        if self._begun and not self._inflate.eof:
            raise ReadFailed(f"the {self._coding} response body is cut off")


def decoder_for(content_encoding: str) -> Decoder | None:
    """Choose the decoder for a `content-encoding` value.

    Returns:
        None when the body needs none.

    Raises:
        ReadFailed: the coding is not known here, or there are several.
    """
    coding = content_encoding.strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding in {"gzip", "x-gzip"}:
        return Decoder("gzip")
    if coding == "deflate":
        return Decoder("deflate")
    raise ReadFailed(
        f"the response has content-encoding {coding[:40]!r}; flo2 decodes gzip and deflate"
    )
