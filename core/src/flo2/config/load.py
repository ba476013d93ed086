"""Read a configuration: file, then `FLO2__A__B` from the environment; every problem at once.

Imports: model, errors, secrets.
"""

from __future__ import annotations

import difflib
import shlex
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import make_dict_structure_fn

from flo2.config.model import Config
from flo2.errors import ConfigError
from flo2.secrets import redact

__all__ = ["load", "structure", "structure_table"]

T = TypeVar("T")
_PREFIX = "FLO2__"
_TABLES = frozenset(each.name for each in attrs.fields(Config))


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read a configuration.

    Args:
        path: A `flo2.toml`, or None for none.
        environ: The environment; `FLO2__SERVER__PORT=9000` sets `[server] port`.

    Raises:
        ConfigError: with every problem in it, each with its path.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            make = f"flo2 init --config {shlex.quote(str(path))}"
            raise ConfigError([f"there is no file {str(path)!r}; make one: {make}"]) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError([f"{path} is not valid TOML: {exc}"]) from exc
    problems: list[str] = []
    for name, text in sorted(environ.items()):
        if name.startswith(_PREFIX):
            _put(data, name.removeprefix(_PREFIX).lower().split("__"), _value(text))
        elif (meant := _meant(name)) is not None:
            problems.append(f"{name} is not read; did you mean {meant}? @ environment")
    try:
        config = structure(data, Config, "config")
    except ConfigError as exc:
        raise ConfigError([*problems, *exc.problems]) from None
    if problems:
        raise ConfigError(problems)
    return config


def _meant(name: str) -> str | None:
    """Say what a variable was meant to be that names a table with too few underscores."""
    if not name.startswith("FLO2_"):
        return None
    table, _, rest = name.removeprefix("FLO2_").partition("_")
    if rest.strip("_") and table.lower() in _TABLES:
        return f"{_PREFIX}{table}__{rest.strip('_')}"
    return None


def structure(data: object, to: type[T], where: str) -> T:
    """Make an attrs value out of parsed data.

    Raises:
        ConfigError: with every problem in it, each as `what @ path`.
    """
    try:
        return _converter().structure(data, to)
    except BaseValidationError as exc:
        problems = _problems(exc, where)
    except (TypeError, ValueError, LookupError, AttributeError) as exc:
        problems = [f"{exc} @ {where}"]
    # Raised out here, so that what a validator said of a key in the wrong place is not its cause.
    raise ConfigError([redact(problem) for problem in problems])


def structure_table(table: Mapping[str, Any], to: type[T], where: str) -> T:
    """Like `structure`, for a plugin's table: its `kind` is not part of the plugin's own class."""
    return structure({key: value for key, value in table.items() if key != "kind"}, to, where)


def _put(data: dict[str, Any], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        inner = data.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        data = inner
    data[keys[-1]] = value


def _value(text: str) -> object:
    """Read an environment value as TOML would (7, true, [1]), else as text."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, bool, float):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(Path, lambda value, _: Path(_strict(value, str)).expanduser())

    def of_attrs(cls: type[Any]) -> Any:
        structure = make_dict_structure_fn(
            cls, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True
        )

        def check(value: object, to: type[Any]) -> object:
            if not isinstance(value, Mapping):
                msg = f"expected a table, got {_shown(value)}"
                raise TypeError(msg)
            try:
                return structure(value, to)
            except ClassValidationError as exc:
                # What attrs' validators refuse: they stop at the first, and a reader wants all.
                raise _whole(exc, cls, value) from None

        return check

    converter.register_structure_hook_factory(attrs.has, of_attrs)
    for origin, make in ((tuple, _sequence), (Mapping, _table), (Literal, _choice)):
        converter.register_structure_hook_factory(
            partial(_comes_from, origin), partial(make, converter=converter)
        )
    return converter


def _comes_from(origin: object, to: Any) -> bool:
    return get_origin(to) is origin


def _whole(
    exc: ClassValidationError, cls: type[Any], given: Mapping[str, Any]
) -> ClassValidationError:
    """Add what every validator says: attrs stops at the first of them, a reader wants all."""
    grouped, leaves = exc.group_exceptions()
    told = {note.name for _, note in grouped}
    found: list[Exception] = []
    for attribute in attrs.fields(cls):
        name, validator = attribute.name, attribute.validator
        if validator is not None and name in given and name not in told:
            try:
                validator(None, attribute, given[name])
            except ValueError as error:
                found.append(error)
    if not found:
        return exc
    kept = [inner for inner, _ in grouped]
    kept += [leaf for leaf in leaves if isinstance(leaf, ForbiddenExtraKeysError)]
    return ClassValidationError(exc.message, [*kept, *found], cls)


def _sequence(to: Any, converter: cattrs.Converter) -> Callable[[object, Any], object]:
    item = get_args(to)[0]

    def check(value: object, _: Any) -> object:
        # A text is iterable too: "drop" must not become the four items d, r, o and p.
        if not isinstance(value, list | tuple):
            msg = f"expected a list, got {_shown(value)}"
            raise TypeError(msg)
        return tuple(converter.structure(value, list[item]))  # type: ignore[valid-type]

    return check


def _table(to: Any, converter: cattrs.Converter) -> Callable[[object, Any], object]:
    key, item = get_args(to)

    def check(value: object, _: Any) -> object:
        if not isinstance(value, Mapping):
            msg = f"expected a table, got {_shown(value)}"
            raise TypeError(msg)
        return converter.structure(value, dict[key, item])  # type: ignore[valid-type]

    return check


def _choice(to: Any, converter: cattrs.Converter) -> Callable[[object, Any], object]:
    del converter  # a choice has no parts
    choices = get_args(to)

    def check(value: object, _: Any) -> object:
        if value not in choices:
            msg = f"expected one of {', '.join(map(repr, choices))}, got {_shown(value)}"
            raise ValueError(msg)
        return value

    return check


def _strict(value: object, kind: type[Any]) -> Any:
    fits = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not fits:
        msg = f"expected {kind.__name__}, got {_shown(value)}"
        raise TypeError(msg)
    return value


def _shown(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


def _problems(exc: BaseException, path: str) -> list[str]:
    if isinstance(exc, IterableValidationError):
        grouped, leaves = exc.group_exceptions()
        found = [
            line for inner, note in grouped for line in _problems(inner, f"{path}[{note.index!r}]")
        ]
        return found + [f"{leaf} @ {path}" for leaf in leaves]
    if isinstance(exc, ClassValidationError):
        grouped_c, leaves = exc.group_exceptions()
        found = []
        for inner, note in grouped_c:
            if isinstance(inner, KeyError):
                found.append(f"missing key {note.name!r} @ {path}")
            else:
                found += _problems(inner, f"{path}.{note.name}")
        for leaf in leaves:
            found += _problems(leaf, path)
        return found
    if isinstance(exc, ForbiddenExtraKeysError):
        known = [a.name for a in attrs.fields(exc.cl)] if attrs.has(exc.cl) else []
        lines = []
        for name in sorted(exc.extra_fields):
            near = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; known: {', '.join(known)}"
            lines.append(f"unknown key {name!r}{hint} @ {path}")
        return lines
    return [f"{exc} @ {path}"]
