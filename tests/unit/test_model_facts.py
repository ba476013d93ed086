"""Facts about families of models: read from data, found by the first pattern that matches."""

from __future__ import annotations

from datetime import date

import pytest

from flo2.model_facts import ModelFacts, facts_of, read_facts

DATA = """
source = "https://acme.example/models"
read = 2026-11-25

[[family]]
match = "acme-large-*"
context_window = 200_000
max_output_tokens = 64_000
input = ["text", "image"]
abilities = ["tools", "json_schema"]

[[family]]
match = "acme-*"
source = "https://acme.example/old"
"""


def test_the_first_family_that_matches_counts():
    large, rest = families = read_facts(DATA)
    assert large == ModelFacts(
        "acme-large-*",
        "https://acme.example/models",
        date(2026, 11, 25),
        context_window=200_000,
        max_output_tokens=64_000,
        input=["text", "image"],
        abilities=["tools", "json_schema"],
    )
    assert facts_of("acme-large-2", families) is large
    assert facts_of("acme-small", families) is rest
    assert facts_of("other", families) is None
    assert (rest.context_window, rest.source) == (None, "https://acme.example/old")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour = 1", "family[1]: there is no field colour"),
        ('input = ["smell"]', "family[1].input: smell is none of"),
        ("context_window = -1", "family[1].context_window: -1 is no number of tokens"),
        ("max_output_tokens = true", "family[1].max_output_tokens: True is no number of tokens"),
    ],
)
def test_what_is_wrong_is_named(line, words):
    with pytest.raises(ValueError, match=r"family\[1\]") as raised:
        read_facts(f"{DATA}{line}\n")
    assert words in str(raised.value)


def test_a_family_says_where_it_is_from():
    with pytest.raises(ValueError, match=r"family\[0\]: match, read, source must be given"):
        read_facts("[[family]]\n")
