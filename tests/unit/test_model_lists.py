"""What hosts say of a model in their lists, read into one form."""

from __future__ import annotations

from datetime import date

import pytest

from flo2.model_facts import ListedFacts, ModelFacts
from flo2.model_lists import read_listed

TODAY = date(2026, 11, 25)
NO = {"tools": False, "json_schema": False, "reasoning": False}
KNOWN = ModelFacts(
    "acme-*",
    "https://acme.example/models",
    date(2026, 11, 1),
    context_window=1000,
    max_output_tokens=100,
    input=["text", "image"],
    abilities=["tools", "prompt_caching"],
)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"id": "m", "object": "model", "created": 0, "owned_by": "acme"}, ListedFacts()),
        (
            {
                "context_window": 131072,
                "max_completion_tokens": 65536,
                "input_modalities": ["text", "image"],
                "output_modalities": ["text"],
                "supported_features": ["tools", "json_mode", "structured_outputs"],
            },
            ListedFacts(
                context_window=131072,
                max_output_tokens=65536,
                input=["text", "image"],
                output=["text"],
                abilities=NO | {"tools": True, "json_mode": True, "json_schema": True},
            ),
        ),
        ({"max_model_len": 4096}, ListedFacts(context_window=4096)),
        ({"context_length": 8192.0}, ListedFacts(context_window=8192)),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 40960}}, ListedFacts(context_window=4096)),
        (
            {"input_modalities": ["AUDIO"], "output_modalities": ["transcription"]},
            ListedFacts(input=["audio"], output=["text"]),
        ),
        (
            {"max_output_tokens": 9, "capabilities": ["reasoning", "web_search"]},
            ListedFacts(
                max_output_tokens=9, abilities=NO | {"reasoning": True, "web_search": True}
            ),
        ),
    ],
)
def test_each_hosts_words_are_read(item, expected):
    assert read_listed(item) == expected


@pytest.mark.parametrize(
    "item",
    [
        {"context_length": 0},
        {"context_length": "4096"},
        {"context_length": -1},
        {"context_length": 0.5},
        {"context_length": True},
        {"input_modalities": ["smell", 1]},
        {"input_modalities": "text"},
        {"capabilities": {"vision": True}},
        {"supported_features": None},
        {"meta": []},
    ],
)
def test_what_is_strange_says_nothing(item):
    assert read_listed(item) == ListedFacts()


def test_the_list_counts_before_the_table_and_the_table_fills_what_it_leaves_out():
    said = ListedFacts(context_window=2000, abilities=NO | {"reasoning": True, "a word": True})
    assert said.over(KNOWN, "acme-1", TODAY) == ModelFacts(
        "acme-*",
        "the provider's own list; for what it leaves out, https://acme.example/models, read "
        "2026-11-01",
        TODAY,
        context_window=2000,
        max_output_tokens=100,
        input=["text", "image"],
        abilities=["reasoning", "prompt_caching"],
    )
    assert said.over(None, "acme-1", TODAY) == ModelFacts(
        "acme-1", "the provider's own list", TODAY, context_window=2000, abilities=["reasoning"]
    )
    assert not said.silent
    assert ListedFacts().silent
