"""What families of models can do, as dated data: a provider's package holds it in `models.toml`.

    source = "https://acme.example/models"
    read = 2026-11-25

    [[family]]
    match = "acme-large-*"        # as in a shell; the first family that matches counts
    context_window = 200_000
    max_output_tokens = 64_000
    input = ["text", "image"]
    abilities = ["tools", "json_schema"]

Imports: nothing of flo2.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any, Final

import attrs
from attrs import field, frozen

__all__ = ["ABILITIES", "MODALITIES", "ModelFacts", "facts_of", "load_facts", "read_facts"]

MODALITIES: Final = frozenset({"text", "image", "audio", "video", "file", "embedding"})
"""What may go in, or come out."""

ABILITIES: Final = frozenset(
    {
        "tools",
        "parallel_tools",
        "json_schema",
        "reasoning",
        "prompt_caching",
        "web_search",
        "logprobs",
    }
)
"""What a model's host offers for it."""


@frozen
class ModelFacts:
    """What one family of models can do.

    Attributes:
        match: Pattern of its names, as in a shell (`acme-large-*`).
        context_window: Most tokens of prompt and answer together, or None when it is not said.
        max_output_tokens: Most tokens of an answer, or None when it is not said.
        input, output: Modalities; see `MODALITIES`.
        abilities: See `ABILITIES`.
        source: Where this is said.
        read: When it was read there.
    """

    match: str
    source: str
    read: date
    context_window: int | None = None
    max_output_tokens: int | None = None
    input: frozenset[str] = field(default=frozenset({"text"}), converter=frozenset)
    output: frozenset[str] = field(default=frozenset({"text"}), converter=frozenset)
    abilities: frozenset[str] = field(default=frozenset(), converter=frozenset)


_FIELDS: Final = frozenset(each.name for each in attrs.fields(ModelFacts))


def facts_of(model: str, families: Sequence[ModelFacts]) -> ModelFacts | None:
    """Find the family of a model: the first whose pattern matches its name."""
    return next((each for each in families if fnmatchcase(model, each.match)), None)


def load_facts(package: str) -> tuple[ModelFacts, ...]:
    """Read the `models.toml` of a package.

    Raises:
        ValueError: it holds something else; the message says where.
    """
    return read_facts(resources.files(package).joinpath("models.toml").read_text("utf-8"))


def read_facts(text: str) -> tuple[ModelFacts, ...]:
    """Read families from TOML.

    Raises:
        ValueError: it holds something else; the message says where.
    """
    data = tomllib.loads(text)
    shared: dict[str, Any] = {name: data[name] for name in ("source", "read") if name in data}
    return tuple(
        _family({**shared, **each}, f"family[{place}]")
        for place, each in enumerate(data.get("family", []))
    )


def _family(data: dict[str, Any], where: str) -> ModelFacts:
    if unknown := data.keys() - _FIELDS:
        msg = f"{where}: there is no field {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    if missing := {"match", "source", "read"} - data.keys():
        msg = f"{where}: {', '.join(sorted(missing))} must be given"
        raise ValueError(msg)
    facts = ModelFacts(**data)
    for name, known in (("input", MODALITIES), ("output", MODALITIES), ("abilities", ABILITIES)):
        if strange := getattr(facts, name) - known:
            msg = f"{where}.{name}: {', '.join(sorted(strange))} is none of {sorted(known)}"
            raise ValueError(msg)
    for name in ("context_window", "max_output_tokens"):
        value = getattr(facts, name)
        if value is not None and (type(value) is not int or value <= 0):
            msg = f"{where}.{name}: {value!r} is no number of tokens"
            raise ValueError(msg)
    return facts
