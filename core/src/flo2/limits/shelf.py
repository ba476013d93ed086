"""Change what the workers of one store count together. Imports: stores, errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from attrs import frozen

from flo2.errors import StoreError
from flo2.stores import Store

__all__ = ["Blocking", "Shelf", "Step"]

T = TypeVar("T")

Step = Callable[[str | None], tuple[str | None, T]]
"""From what a counter says (None: it is new) to what it shall say (None: no change) and a result;
pure, for it may be called several times."""

_TRIES: Final = 100


class Blocking(Protocol):
    """Runs a blocking function off the event loop, to its end."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Give what the function gives."""
        ...


@frozen
class Shelf:
    """The counters of a store.

    Attributes:
        store: Where they are.
        blocking: Runs its methods.
        now_us: The wall clock, microseconds.
    """

    store: Store
    blocking: Blocking
    now_us: Callable[[], int]

    async def change(self, account: str, name: str, step: Step[T]) -> T:
        """Take a step that nobody else's comes in between of.

        Raises:
            StoreError: the store fails, and it is not known whether the step was taken; or others
                were always quicker.
        """

        def swap() -> T:
            for _ in range(_TRIES):
                known = self.store.counter(account, name)
                value, result = step(known)
                if value is None or self.store.swap_counter(
                    account, name, known, value, self.now_us()
                ):
                    return result
            raise StoreError(
                f"counter {name!r} of account {account!r} was changed by others {_TRIES} times in "
                "a row; is some process writing it in a loop?"
            )

        return await self.blocking(swap)

    async def drop(self, before_us: int) -> None:
        """Drop the counters that nobody has changed since.

        Raises:
            StoreError: the store fails.
        """
        await self.blocking(lambda: self.store.drop_counters(before_us))
