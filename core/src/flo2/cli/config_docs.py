"""Write `docs/configuration.md` and the file of `flo2 init` from the configuration's classes.

So neither can tell what is not so. Pure. Imports: config, http_provider.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from flo2.config import (
    Config,
    DrainConfig,
    NetworkConfig,
    PluginsConfig,
    SecretsConfig,
    ServerConfig,
)
from flo2.http_provider import HttpProvider
from flo2.openai_compatible import OpenAICompatible

__all__ = ["configuration_page", "starter_file"]

_SECTIONS: Final[tuple[tuple[str, type[Any]], ...]] = (
    ("server", ServerConfig),
    ("plugins", PluginsConfig),
    ("network", NetworkConfig),
    ("secrets", SecretsConfig),
    ("drain", DrainConfig),
)
_WORDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
}
_ENTRY = re.compile(r"    (\w[\w, ]*): (.*)")

_INTRO: Final = """\
# Configuration

flo2 runs without any configuration.
What one process needs to know can be put into a `flo2.toml`.
What people change while it runs (keys, provider keys, routes) lives in the store and is edited with
the command line.

This page is generated from the configuration's classes: `flo2 config docs > docs/configuration.md`.

## Where values come from

The first of these that says something wins:

1. a flag: `flo2 serve --port 9000`,
2. an environment variable: `FLO2__SERVER__PORT=9000` (two underscores between the levels; values
   are read as TOML, else as text),
3. the file: `--config FILE`, else `$FLO2_CONFIG`, else `~/.config/flo2/flo2.toml` where it exists,
4. the default.

`flo2 config show` prints every value with the place it comes from, `flo2 config check` tells every
problem of a file at once, and `flo2 init` writes a file that holds all of this as comments.
A `flo2.toml` in the working folder is read only when it is named: a folder that somebody else wrote
must not decide where your keys go.

A secret is never written into the file: where one is needed, write a reference, `env:NAME` or
`file:/absolute/path`.
"""

_STORE: Final = """\
## [store]

`kind` picks the store; the other keys are the store's own, see its README.
Without a table: `sql` where its plugin is installed (a SQLite file `flo2.db` in the data folder),
else `memory`.

```toml
[store]
kind = "sql"
path = "/var/lib/flo2/flo2.db"
```
"""

_PROVIDERS: Final = """\
## [providers.NAME]

Providers that need no settings are there without a table.
A table changes their settings, or makes another one of the same `kind` under a name of its own.

```toml
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000/v1"
keyless = true

[network]
allow_private = ["127.0.0.0/8"]
```

Settings of every provider that is reached over HTTP:
"""

_OTHERS: Final = """\
## [pricing.NAME], [strategies.NAME] and [observers.NAME]

Settings of price sources, strategies and observers; see the README of the plugin that brings them.
"""


def configuration_page() -> str:
    """Write the whole page."""
    parts = [_INTRO, "## Top level\n", _table(Config, leave_out={name for name, _ in _SECTIONS})]
    for name, cls in _SECTIONS:
        parts += [f"## [{name}]\n", _summary(cls), _table(cls)]
    parts += [
        _STORE,
        _PROVIDERS,
        _table(HttpProvider.Config),
        'And of `kind = "openai-compatible"`, which needs its `base_url`:\n',
        _table(OpenAICompatible.Config, leave_out=_names(HttpProvider.Config)),
        _OTHERS,
    ]
    return "\n".join(parts)


def starter_file() -> str:
    """Write a `flo2.toml` in which everything is a comment, at its default."""
    lines = [
        "# flo2's configuration. Everything here is optional; what is a comment shows the default.",
        "# Environment variables go before it: FLO2__SERVER__PORT=9000. `flo2 config show` says",
        "# what holds. No secrets in here: provider keys are added with `flo2 providers add`.",
        "",
        '# data_dir = "~/.local/share/flo2"',
    ]
    for name, cls in _SECTIONS:
        lines += ["", f"[{name}]"]
        told = _attributes(cls)
        for attribute in attrs.fields(cls):
            lines.append(f"# {told.get(attribute.name, '')}".rstrip())
            value = _default(attribute)
            lines.append(f"# {attribute.name} = {'…' if value == '–' else value}")
    lines += [
        "",
        "# [store]",
        '# kind = "sql"',
        "",
        "# [providers.local]",
        '# kind = "openai-compatible"',
        '# base_url = "http://127.0.0.1:8000/v1"',
        "# keyless = true",
        "",
    ]
    return "\n".join(lines)


def _names(cls: type[Any]) -> set[str]:
    return {attribute.name for attribute in attrs.fields(cls)}


def _table(cls: type[Any], *, leave_out: set[str] | None = None) -> str:
    told, hints = _attributes(cls), get_type_hints(cls)
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    rows += [
        f"| `{attribute.name}` | {_type(hints[attribute.name])} | {_code(_default(attribute))} | "
        f"{told.get(attribute.name, '')} |"
        for attribute in attrs.fields(cls)
        if attribute.name not in (leave_out or set())
    ]
    return "\n".join(rows) + "\n"


def _summary(cls: type[Any]) -> str:
    first = (inspect.getdoc(cls) or "").partition("\n")[0]
    said = first.partition(": ")[2] or first
    return said[:1].upper() + said[1:] + "\n"


def _attributes(cls: type[Any]) -> Mapping[str, str]:
    """Read the `Attributes:` of the docstrings of a class and of those it inherits from."""
    told: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        doc = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")[2]
        names: list[str] = []
        for line in doc.splitlines():
            if match := _ENTRY.fullmatch(line):
                names = [name.strip() for name in match[1].split(",")]
                told.update(dict.fromkeys(names, match[2]))
            elif line.startswith("        "):
                for name in names:
                    told[name] += " " + line.strip()
            elif line.strip():
                names = []
    return told


def _type(kind: Any) -> str:
    """Say a type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return " or ".join(_type(each) for each in inner if each is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is Mapping:
        if inner[1] is str:
            return "table of texts"
        return "tables" if get_origin(inner[1]) is Mapping else "table"
    return _WORDS[kind]


def _default(attribute: attrs.Attribute[Any]) -> str:
    value = attribute.default
    if value is attrs.NOTHING:
        return "needed"
    if isinstance(value, attrs.Factory) or value is None:  # type: ignore[arg-type]  # a class in its stubs
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    if isinstance(value, str | Path):
        return f'"{value}"'
    return str(value)


def _code(text: str) -> str:
    return text if text in {"–", "needed"} else f"`{text}`"
