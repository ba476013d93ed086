"""The page of the laws names every test that shows one, and no other."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "design" / "laws.md"
LAWS = range(1, 39)
UNNUMBERED = ("Stateful", "Metamorphic")

TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
NUMBERS = re.compile(r"(?:(?<=^test)|(?<=\d))_p(\d+)(?=_)")
ROW = re.compile(r"^\| (P\d+|[A-Z][a-z]+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(\w+)`|\[[^\]]+\]\(\.\./\.\./([^)]+)\)")


def every_test():
    """Give every test by its file."""
    for folder in (ROOT / "tests", *ROOT.glob("plugins/*/tests")):
        for path in sorted(folder.rglob("test_*.py")):
            for name in TEST.findall(path.read_text(encoding="utf-8")):
                yield path.relative_to(ROOT).as_posix(), name


def shown():
    """Give, for each row of the page, the tests that it names, by their files."""
    found = {}
    for law, cell in ROW.findall(PAGE.read_text(encoding="utf-8")):
        assert law not in found
        found[law] = named = set()
        path = None
        for name, link in NAMED.findall(cell):
            path = link or path
            if name:
                named.add((path, name))
    return found


def test_each_law_is_shown_by_the_tests_that_carry_its_number():
    numbered = defaultdict(set)
    for path, name in every_test():
        for number in NUMBERS.findall(name):
            numbered[f"P{number}"].add((path, name))
    assert {law: each for law, each in shown().items() if law not in UNNUMBERED} == numbered
    assert numbered.keys() == {f"P{number}" for number in LAWS}


def test_laws_without_a_number_are_shown_by_tests_that_exist():
    there, page = set(every_test()), shown()
    for law in UNNUMBERED:
        assert page[law]
        assert page[law] <= there
