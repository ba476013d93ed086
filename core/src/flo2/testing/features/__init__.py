"""What each dialect can say, one small request or answer a feature: the rows of the pair tables.

A feature is a piece of a dialect's own JSON, laid over its smallest request or answer. They show
what becomes of it in another dialect (`flo2.testing.pairs`), and each is a golden case for laws.
Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

__all__ = ["PIXEL", "Feature", "Features"]

PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A whole picture, in base64: PNG of one pixel."""


@frozen
class Feature:
    """One thing a dialect can say.

    Attributes:
        name: As the dialect's documentation names it, with its path.
        fields: Top-level fields laid over the smallest request or answer.
    """

    name: str
    fields: Mapping[str, Any]


@frozen
class Features:
    """All features of one dialect.

    Attributes:
        dialect: Its name.
        request: The smallest request.
        answer: The smallest answer.
        asks: Features of requests.
        tells: Features of answers.
    """

    dialect: str
    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    asks: tuple[Feature, ...]
    tells: tuple[Feature, ...]
