"""Write the compiled prices of this package: `python -m flo2_pricing_list.compile`.

Two artefacts lie in `compiled`: `list`, of the tables in `data`, and `genai-prices`, of the package
of that name (the extra `genai`); beside them the licences of others' data. The same sources give
the same bytes, so `--check` says whether what lies there is what the sources give.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from flo2.prices import pack
from flo2_pricing_list.artefacts import path_of
from flo2_pricing_list.genai import GenaiPrices
from flo2_pricing_list.tables import read_tables

__all__ = ["compile_all", "main"]

_COMMAND: Final = "python -m flo2_pricing_list.compile"


def compile_all() -> Mapping[str, bytes]:
    """Give each artefact by its name.

    Raises:
        PricingError: a table is wrong, or `genai-prices` is not installed.
    """
    tables = read_tables()
    theirs = GenaiPrices(GenaiPrices.Config(installed=True))
    converted = theirs.layer()
    about = {
        "made_by": _COMMAND,
        "made_from": theirs.version,
        "read_on": theirs.read_on.isoformat(),
        "licence": "MIT: see genai-prices.LICENSE",
        "left_out": str(len(theirs.skipped)),
    }
    return {
        "list": pack(
            tables.rows,
            tables.defaults,
            {
                "made_by": _COMMAND,
                "made_from": "the tables in data",
                "licence": "Apache-2.0; rows of other sources MIT: see the LICENSE files",
            },
        ),
        "genai-prices": pack(converted.rows, theirs.defaults(), about),
    }


def main(arguments: Sequence[str]) -> int:
    """Write the artefacts, or with `--check` say which are not what the sources give."""
    folder = Path(str(resources.files("flo2_pricing_list")))
    code = 0
    for name, data in compile_all().items():
        file = folder / path_of(name)
        if "--check" not in arguments:
            file.write_bytes(data)
            sys.stdout.write(f"{file.name}: {len(data)} bytes\n")
        elif not file.exists() or file.read_bytes() != data:
            sys.stdout.write(f"{file.name} is not what its sources give; run: {_COMMAND}\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
