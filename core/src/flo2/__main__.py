"""`python -m flo2` is the command `flo2`."""

from __future__ import annotations

from flo2.cli import main

if __name__ == "__main__":
    main()
