"""Find the shared data (recordings, price samples, bench) that lies outside the repository.

Recorded traffic of providers is not copied into the repository; tests read it from a folder beside
the checkout and run on golden traces alone where it is absent. Imports: the standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["repository_root", "shared_dir"]

_MARKER = "noxfile.py"


def repository_root() -> Path | None:
    """Return the checkout that holds the working directory, or else this file.

    Returns:
        The nearest folder upwards that holds `noxfile.py`; None for a wheel used elsewhere.
    """
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / _MARKER).is_file():
                return folder
    return None


def shared_dir() -> Path | None:
    """Return the folder of shared data, or None where there is none.

    `FLO2_SHARED` names it; otherwise it is `shared` beside the checkout.

    Returns:
        An existing folder, or None.

    Raises:
        FileNotFoundError: `FLO2_SHARED` names no folder, or there is none although
            `FLO2_REQUIRE_SHARED=1`.
    """
    named = os.environ.get("FLO2_SHARED")
    if named:
        if not Path(named).is_dir():
            msg = f"FLO2_SHARED={named!r} is no folder; correct it or unset it"
            raise FileNotFoundError(msg)
        return Path(named)
    root = repository_root()
    beside = root.parent / "shared" if root else None
    if beside and beside.is_dir():
        return beside
    if os.environ.get("FLO2_REQUIRE_SHARED") == "1":
        msg = (
            f"no shared data at {str(beside)!r} but FLO2_REQUIRE_SHARED='1'; "
            "set FLO2_SHARED to its folder, or unset FLO2_REQUIRE_SHARED to use golden traces alone"
        )
        raise FileNotFoundError(msg)
    return None
