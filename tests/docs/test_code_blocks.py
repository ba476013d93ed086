"""The code in README.md and docs/ does what it says.

```` ```python ```` blocks of one page run in order in one namespace, in an empty folder;
```` ```python fragment ```` blocks, which need a running gateway or a key, are compiled only.
Blocks in toml and json are parsed. Links to files of this repository lead to one.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]+)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:|#)(?P<target>[^)#\s]+)")

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


class Block(NamedTuple):
    """One fenced block of a page."""

    line: int
    language: str
    words: list[str]
    code: str


def _blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            text.count("\n", 0, match.start()) + 2,
            match["info"].split()[0],
            match["info"].split()[1:],
            textwrap.dedent(match["code"]),
        )
        for match in FENCE.finditer(text)
    ]


@each_page
def test_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in _blocks(page):
        if block.language == "python":
            # Blank lines first, so that a traceback names the line of the page.
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
            if "fragment" not in block.words:
                exec(code, namespace)  # noqa: S102  # the page is this repository's own
        elif block.language == "toml":
            tomllib.loads(block.code)
        elif block.language == "json":
            json.loads(block.code)


@each_page
def test_links_into_the_repository_lead_somewhere(page: Path):
    targets = [match["target"] for match in LINK.finditer(page.read_text())]
    assert [target for target in targets if not (page.parent / target).exists()] == []
