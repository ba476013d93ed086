"""The command line `flo2`: click commands, one file for each group, loaded when they are used.

Imports: click; every command imports what it needs itself, so that `flo2 --help` is quick.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Here, so that `import flo2.cli` alone costs nothing.
    import os  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from flo2.cli.root import excepthook, run  # noqa: PLC0415
    from flo2.cli.state import State  # noqa: PLC0415

    state = State(os.environ)
    sys.excepthook = excepthook(state)
    raise SystemExit(run(None, state))
