"""The tables of what becomes of each dialect in each other one are what the codecs do."""

from __future__ import annotations

from pathlib import Path

import pytest

from flo2.testing.pairs import SILENT, pages

FOLDER = Path(__file__).parents[2] / "docs" / "dialects"
PAGES = dict(pages())

REASONS = {
    "`input` as text": "the same message in fewer words",
    "`encoding_format`": "the answer is written as it was asked for",
    "`include`": "asks for what a translated answer holds anyway",
    "`reasoning.summary`": "what can be read of the reasoning is always shown",
    "`includeThoughts`": "what can be read of the reasoning is always shown",
    "`thinking: adaptive`": "how a model of the other kind thinks anyway",
    "`service_tier`": "a fact of the bill, which is in the receipt",
    "web searches": "a fact of the bill, which is in the receipt",
    "`store: false`": "no other API keeps an answer",
    "`system_fingerprint`": "names the provider's own deployment and means nothing elsewhere",
    "logprobs": "nobody can ask for them in this dialect",
}
"""Why a feature may leave no trace, neither in the other dialect nor as a loss."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_generated_one(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]


def test_no_page_is_left_over():
    assert {each.name for each in FOLDER.glob("*-to-*.md")} == PAGES.keys()


def test_nothing_is_lost_in_silence():
    rows = [
        (name, line.split(" | ")[0].removeprefix("| "))
        for name, text in PAGES.items()
        for line in text.splitlines()
        if f"| {SILENT} | none |" in line
    ]
    assert [row for row in rows if row[1] not in REASONS] == []
    assert {feature for _, feature in rows} == REASONS.keys()
