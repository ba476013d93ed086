"""Read the secret that a reference points to: `env:NAME`, `file:/path`, or a plugin's `vault:name`.

A reference is written by the operator; nothing that arrives over HTTP gets here.
Imports: errors, secrets.secret, secrets.redaction.
"""

from __future__ import annotations

import difflib
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flo2.errors import SecretError
from flo2.secrets.redaction import looks_like_provider_key, redact
from flo2.secrets.secret import Secret, check_header_safe, in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReferenceResolver", "file_mode_problem", "is_reference", "resolve"]

ReferenceResolver = Callable[[str], Secret | None]
"""What `flo2_resolve_secret` gives: the secret of a whole reference, or None if it is not its own.
It is asked on the request path, so it answers from memory."""

_REFERENCE = re.compile(r"(env|file|vault):(.+)", re.DOTALL)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_BYTES = 64 * 1024  # a service account's JSON is 2-3 kB


def is_reference(text: str) -> bool:
    """Say whether a text is written as a reference; what it points to need not exist."""
    return _REFERENCE.fullmatch(text) is not None


def resolve(
    reference: str,
    *,
    environ: Mapping[str, str],
    resolver: ReferenceResolver | None = None,
    multiline: bool = False,
) -> Secret:
    """Read what a reference points to.

    Args:
        reference: `env:NAME`, `file:/absolute/path` (one line end at its end is dropped, and
            a JSON document is put into one line), or `vault:name`, which only `resolver`
            understands.
        environ: Where `env:` looks.
        resolver: The plugins' hook, asked for `vault:` references.
        multiline: Allow line ends and any text inside (key files, service accounts); otherwise the
            secret must be able to travel in a header.

    Raises:
        SecretError: Naming the reference and the next step, never what it points to. A text that is
            no reference is not shown either: it may be a key in the wrong place.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise SecretError(
            "a secret is given as a reference, 'env:NAME' or 'file:/path', and this text is "
            "neither (it is not shown, as it may be a key); put the key into an environment "
            "variable or a file and refer to it"
        )
    scheme, rest = match[1], match[2]
    if scheme == "env":
        text = _from_environment(rest, environ)
    elif scheme == "file":
        text = _from_file(rest)
    else:
        return _from_plugin(reference, resolver)
    if multiline:
        if not text.strip():
            raise SecretError(f"secret {reference!r} is empty; set it and try again")
    else:
        text = in_one_line(text)
        check_header_safe(text, f"secret {reference!r}")
    return Secret(text)


def file_mode_problem(path: Path) -> str | None:
    """Say what is wrong with who may read a secret's file, for `doctor` and the start-up notes.

    A problem, not an error: container platforms mount secrets as 0444 and mean it.

    Returns:
        One line with the remedy; None when only the owner may read it, or there is no such file.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return (
            f"secret file {str(path)!r} may be read by others (mode {stat.S_IMODE(mode):04o}); "
            f"run: chmod 600 {path}"
        )
    return None


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if _ENV_NAME.fullmatch(name) is None or looks_like_provider_key(name) or redact(name) != name:
        raise SecretError(
            "what follows 'env:' is not the name of an environment variable (it is not shown, as "
            "it may be a key); write 'env:NAME' and put the key into the variable NAME"
        )
    text = environ.get(name)
    if text is None:
        near = difflib.get_close_matches(name, list(environ), n=1, cutoff=0.8)
        hint = f" (there is {near[0]!r})" if near else ""
        raise SecretError(
            f"secret 'env:{name}': the environment variable {name!r} is not set{hint}; export it "
            "for the process that runs flo2"
        )
    return text


def _from_file(name: str) -> str:
    path = Path(name)
    if not path.is_absolute():
        raise SecretError(
            f"secret {redact('file:' + name)!r}: the path must be absolute, so that it does not "
            "depend on where flo2 was started"
        )
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a pipe would block for ever
            raise SecretError(f"secret 'file:{name}' is not a regular file; refer to a file")
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        reason = getattr(exc, "strerror", None) or "the path is not valid"
        raise SecretError(
            f"secret 'file:{name}' cannot be read ({reason}); check the path, and that the user "
            "who runs flo2 may read it"
        ) from exc
    if len(raw) > _MAX_BYTES:
        raise SecretError(
            f"secret 'file:{name}' is larger than {_MAX_BYTES} bytes; is it the right file?"
        )
    # "replace" instead of an error: a UnicodeDecodeError would carry the file's bytes along.
    text = raw.decode("utf-8", "replace")
    return text.removesuffix("\n").removesuffix("\r")


def _from_plugin(reference: str, resolver: ReferenceResolver | None) -> Secret:
    secret = resolver(reference) if resolver is not None else None
    if secret is None:
        raise SecretError(
            f"secret {redact(reference)!r}: no plugin resolves it; install one that registers "
            "flo2_resolve_secret, or use 'env:NAME' or 'file:/path'"
        )
    return secret
