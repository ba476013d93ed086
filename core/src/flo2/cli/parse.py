"""Read what people give: durations, instants, `name=value`, files that declare something.

Imports: instants, errors, click.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from flo2.errors import ConfigError
from flo2.instants import instant, microseconds

__all__ = ["declaration", "duration_s", "instant_us", "pair", "pairs", "toml_value"]

_DURATION = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)", re.IGNORECASE)
_LONGEST_S = 100 * 366 * 86_400
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_s(text: str) -> int:
    """Read a duration such as `90s`, `15m`, `12h`, `30d`, `2w`; gives seconds.

    Raises:
        click.BadParameter: it is not one.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _SECONDS[match[2].lower()] if match else None
    if seconds is None or seconds > _LONGEST_S:
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 15m, 12h, 30d or 2w")
    return seconds


def instant_us(text: str, now_us: int) -> int:
    """Read an instant: a duration back from now, a date, or RFC 3339; UTC where nothing is said.

    Returns:
        Microseconds since the Unix epoch.

    Raises:
        click.BadParameter: it is none of these.
    """
    try:
        if _DURATION.fullmatch(text.strip()):
            when = instant(now_us) - timedelta(seconds=duration_s(text))
        else:
            when = datetime.fromisoformat(text.strip())
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: before the year 1, or after 9999
        raise click.BadParameter(
            f"{text!r} is no time; write 7d (ago), 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None
    return microseconds(when)


def pair(text: str) -> tuple[str, str]:
    """Read `name=value`.

    Raises:
        click.BadParameter: it is not one.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Read `name=value` of each; of two values for one name, neither could be meant.

    Raises:
        click.BadParameter: one is not of that form, or a name is there twice.
    """
    read: dict[str, str] = {}
    for name, value in map(pair, texts):
        if name in read:
            raise click.BadParameter(f"{name} is given twice: {read[name]!r} and {value!r}")
        read[name] = value
    return read


def toml_value(text: str) -> object:
    """Read a value as TOML would (7, true, [1]), else as text."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def declaration(file: Path) -> Mapping[str, Any]:
    """Read a file that declares something, in JSON where its name says so, else in TOML.

    Returns:
        Its table; fractions as Decimals, to the last digit.

    Raises:
        ConfigError: it cannot be read, or holds no table.
    """
    try:
        written = file.read_text("utf-8")
        if file.suffix == ".json":
            found = json.loads(written, parse_float=Decimal)
        else:
            found = tomllib.loads(written, parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as exc:
        raise ConfigError([f"{str(file)!r} cannot be read as TOML or JSON: {exc}"]) from exc
    if not isinstance(found, Mapping):
        raise ConfigError([f"{str(file)!r} holds no table"])
    return found
