"""The command line `flo2`: click commands, one file for each group, loaded when they are used.

Imports: click; every command imports what it needs itself, so that `flo2 --help` is quick.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    from flo2.cli.root import run  # noqa: PLC0415  # `import flo2.cli` alone costs nothing

    raise SystemExit(run())
