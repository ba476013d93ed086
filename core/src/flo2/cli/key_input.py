"""How a provider's key gets in: from a hidden prompt, standard input or a file; never from argv.

Imports: click, secrets, keys.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from flo2.errors import ConfigError, SecretError
from flo2.keys import ADMIN_PREFIX, KEY_PREFIX
from flo2.secrets import Secret, looks_like_provider_key, redact, resolve

__all__ = ["ON_ARGV", "may_be_key", "read_key"]

_MIN_KEY: Final = 8
_LONG_WORD: Final = 20  # no provider, file or variable that is meant here has a longer name
_BETWEEN: Final = str.maketrans("", "", "-_/+=.:")
ON_ARGV: Final = (
    "a key on the command line is not taken: the shell's history and the list of processes would "
    "keep it.\nRemove it from the history (bash: history -d NUMBER, zsh: edit ~/.zsh_history, "
    "fish: history delete) and replace it at the provider if others use this machine.\n"
    "Then run `flo2 providers add NAME` and paste the key at the prompt, or use --stdin, --file or "
    "--env."
)


def may_be_key(word: str) -> bool:
    """Whether a word of the command line may be a secret; paths and references are none."""
    if looks_like_provider_key(word) or redact(word) != word:
        return True
    plain = word.isascii() and word.translate(_BETWEEN).isalnum() and not _is_path(word)
    mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return plain and mixed and len(word) >= _LONG_WORD and not word.isupper()


def _is_path(word: str) -> bool:
    return word.startswith(("/", "./", "../", "~")) or Path(word).exists()


def read_key(provider: str, *, from_stdin: bool, file: str | None) -> Secret:
    """Read a provider's key.

    Args:
        provider: Its name, for the prompt and messages.
        from_stdin: Take the first line of standard input, or the JSON document that begins there.
        file: Take the content of this file; its line end is dropped.

    Raises:
        ConfigError: there is no terminal that could hide what is typed.
        SecretError: what was given is no key; it is not shown.
    """
    if file is not None:
        secret = resolve(f"file:{Path(file).expanduser().absolute()}", environ={})
        text = secret.reveal()
    elif from_stdin:
        text = sys.stdin.readline()
        if text.startswith("{"):  # a JSON document, of many lines perhaps
            text += sys.stdin.read()
    else:
        if not sys.stdin.isatty():
            raise ConfigError(
                ["standard input is no terminal, so no prompt can hide the key; use --stdin"]
            )
        text = click.prompt(f"Key for {provider}", hide_input=True, err=True, type=str)
    text = text.strip()
    if text.startswith((KEY_PREFIX, ADMIN_PREFIX)):
        raise SecretError(
            f"this is a key that flo2 issued, not one of {provider}'s; get one from the provider"
        )
    if len(text) < _MIN_KEY:
        raise SecretError(
            f"what was given for {provider!r} has {len(text)} characters, which no key has; "
            "copy it again"
        )
    return Secret(text)
