"""What a gateway lends to the classes that plugins bring: one frozen value, no container.

Imports: wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from flo2.wire import Wire

__all__ = ["Services", "wall_us"]


def wall_us() -> int:
    """Read the wall clock: microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


@frozen
class Services:
    """Handed to every plugin class as its second argument.

    Attributes:
        wire: The only way to the network.
        data_dir: Where files of this gateway may lie, or None when it keeps nothing on disk.
        clock: Monotonic seconds, for durations and deadlines.
        now_us: Wall clock, microseconds UTC, for what is written down.
        environ: The environment, for references that the operator wrote.
    """

    wire: Wire
    data_dir: Path | None = None
    clock: Callable[[], float] = time.monotonic
    now_us: Callable[[], int] = wall_us
    environ: dict[str, str] = field(factory=dict, repr=False)
