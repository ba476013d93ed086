"""What decides a price besides the meters: who billed, which model, when, under which conditions.

Pure data. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from msgspec import Struct

__all__ = ["PricingContext"]

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


class PricingContext(Struct, frozen=True, gc=False):
    """The circumstances of one attempt, as the answer and the endpoint tell them.

    Attributes:
        provider: Whose prices apply.
        api: The billing word of the API: `chat`, `messages`, `embeddings`, …
        model_requested: The model sent upstream.
        model_billed: The model the answer names; the one that is priced.
        at: When the attempt began (aware, UTC): it is priced by that instant.
        context: `service_tier`, `speed`, `inference_geo`, `region`, `processing`, …: only what is
            known.
        input_total: Tokens of the whole prompt, cache included: selects the tier. None: taken from
            the usage that is priced.
    """

    provider: str
    api: str
    model_requested: str
    model_billed: str
    at: datetime
    context: Mapping[str, str] = _EMPTY
    input_total: int | None = None

    def __post_init__(self) -> None:
        """Refuse an instant without a time zone."""
        if self.at.tzinfo is None:
            raise ValueError(f"instant {self.at.isoformat()!r} has no time zone; pass it in UTC")

    @property
    def instant(self) -> datetime:
        """`at` in UTC."""
        return self.at.astimezone(UTC)
