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

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fnmatch import translate
from importlib import resources
from typing import Any, Final

import attrs
from attrs import evolve, field, frozen

__all__ = [
    "ABILITIES",
    "MODALITIES",
    "ListedFacts",
    "ModelFacts",
    "facts_of",
    "load_facts",
    "read_facts",
]

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


def _words(value: Iterable[str]) -> frozenset[str]:
    return frozenset(value)


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
    input: frozenset[str] = field(default=("text",), converter=_words)
    output: frozenset[str] = field(default=("text",), converter=_words)
    abilities: frozenset[str] = field(default=(), converter=_words)
    _pattern: re.Pattern[str] = field(init=False, repr=False, eq=False)

    @_pattern.default
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(translate(self.match))

    def fits(self, model: str) -> bool:
        """Say whether a model is of this family."""
        return self._pattern.match(model) is not None


def _tokens(value: object) -> int | None:
    """Take a number of tokens; a list that says 0, or something else, says nothing."""
    if type(value) is float and value.is_integer():  # JSON has one kind of number
        value = int(value)
    return value if type(value) is int and value > 0 else None


def _modalities(value: Iterable[object] | None) -> frozenset[str]:
    """Take the modalities that are known; none of them: nothing is said."""
    return MODALITIES.intersection(each for each in value or () if isinstance(each, str))


@frozen(kw_only=True)
class ListedFacts:
    """What a provider's own list says of one model; a strange value counts as not said.

    Attributes:
        context_window, max_output_tokens: As in `ModelFacts`, or None.
        input, output: As in `ModelFacts`; empty when it does not say.
        abilities: Name → whether the model has it, of those that the list tells about.
    """

    context_window: int | None = field(default=None, converter=_tokens)
    max_output_tokens: int | None = field(default=None, converter=_tokens)
    input: frozenset[str] = field(default=(), converter=_modalities)
    output: frozenset[str] = field(default=(), converter=_modalities)
    abilities: Mapping[str, bool] = field(factory=dict)

    @property
    def silent(self) -> bool:
        """Whether the list says nothing of the model."""
        return self == ListedFacts()

    def over(self, known: ModelFacts | None, model: str, read: date) -> ModelFacts:
        """Put what the list says, which is something, over what was known before.

        Args:
            known: The facts of the model's family, which stay where the list says nothing.
            model: The model.
            read: Today.
        """
        source = "the provider's own list"
        if known is None:
            base = ModelFacts(model, source, read)
        else:
            rest = f"{known.source}, read {known.read.isoformat()}"
            base = evolve(known, source=f"{source}; for what it leaves out, {rest}", read=read)
        said = self.abilities
        return evolve(
            base,
            context_window=self.context_window or base.context_window,
            max_output_tokens=self.max_output_tokens or base.max_output_tokens,
            input=self.input or base.input,
            output=self.output or base.output,
            abilities={name for name in ABILITIES if said.get(name, name in base.abilities)},
        )


_FIELDS: Final = frozenset(each.name for each in attrs.fields(ModelFacts) if each.init)


def facts_of(model: str, families: Sequence[ModelFacts]) -> ModelFacts | None:
    """Find the family of a model: the first whose pattern matches its name."""
    return next((each for each in families if each.fits(model)), None)


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
