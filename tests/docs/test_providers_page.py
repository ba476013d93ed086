"""The page of providers says what their classes declare.

python tests/docs/test_providers_page.py > docs/providers.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from flo2 import builtins
from flo2.plugins import Plugins

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
HEAD = """# Providers

Each is a package of its own; `flo2 providers add NAME` asks for its key.
Made from what their classes declare: `python tests/docs/test_providers_page.py`.

**On a cancelled call:** `stops`: the provider stops working and billing, so flo2
closes the connection.
`runs_to_end`: it bills to the end, so flo2 reads to the end and settles exactly.
`unknown`: nobody has said, so flo2 reads to the end as well.
**Lines** are those of the package's Python that are neither blank nor comment.
"""


def lines_of(folder):
    return sum(
        1
        for file in folder.rglob("*.py")
        for line in file.read_text().splitlines()
        if line.strip() and not line.strip().startswith("#")
    )


def rows():
    """Give a row for each kind of provider that a package of this repository registers."""
    plugins = Plugins.load(extra={"flo2": builtins})
    for kind in sorted(plugins.kinds("provider")):
        item, plugin = plugins.get("provider", kind), plugins.origin("provider", kind)
        folder = ROOT / "plugins" / plugin / "src"
        facts = item.facts
        own = [dialect.name for dialect in facts.dialects]
        marks = [word for word in ("simulated", "reseller") if getattr(facts, word)]
        yield (
            f"`{kind}`" + "".join(f", {mark}" for mark in marks),
            ", ".join(own) or "flo2's own",
            f"`{facts.key_env}`" if facts.key_env else "",
            facts.cancel_semantics.replace("_", " "),
            str(lines_of(folder)) if folder.is_dir() else "in core",
        )


def page():
    names = ("kind", "speaks", "key in", "on a cancelled call", "lines")
    table = [names, ("---",) * len(names), *rows()]
    return "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in table), ""])


def test_the_page_is_the_generated_one():
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    sys.stdout.write(page())
