"""The base64 form of a vector: little-endian 32-bit floats. Pure. Imports: nothing of flo2.

Source: the official SDK reads it as `array.array("f")` or `numpy.float32` (openai-python 3.57.0,
`resources/embeddings.py`, read 2026-11-25); recorded answers hold four bytes a dimension.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final

__all__ = ["from_base64", "to_base64"]

_MOST: Final = 1e9
"""No model's vectors come near it, and other bytes read as floats nearly always pass it."""
_SWAP = sys.byteorder == "big"


def to_base64(values: Iterable[float]) -> str:
    """Write a vector.

    Raises:
        TypeError: an element is no number.
    """
    numbers = array("f", values)
    if _SWAP:
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode("ascii")


def from_base64(text: str) -> tuple[float, ...]:
    """Read a vector.

    Raises:
        ValueError: it is no base64, no whole number of floats, or another kind of numbers: some
            hosts write whole numbers of 8 bits the same way (recordings/perplexity).
    """
    numbers = array("f")
    numbers.frombytes(b64decode(text, validate=True))
    if _SWAP:
        numbers.byteswap()
    values = tuple(numbers)
    if not all(-_MOST < value < _MOST for value in values):  # nor is NaN between them
        raise ValueError("it holds other numbers than floats of 32 bits")
    return values
