"""Take what looks like a secret out of a text, and out of log records.

The last line of defence: flo2 never logs a secret on purpose, but an exception of a library, or a
plugin's debug line, may hold one. Imports: nothing of flo2.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

__all__ = ["Redact", "looks_like_provider_key", "redact"]

# Prefixes of keys as their issuers print them. flo2's own come first; the others are what the key
# scanners of code hosts look for (https://docs.github.com/en/code-security/reference/secret-security/
# supported-secret-scanning-patterns, by memory 2026-11).
_OWN_PREFIXES = ("flo2_sk_", "flo2_admin_", "flo2_kek_")
_PROVIDER_PREFIXES = (
    "sk-", "sk_", "rk_", "AIza", "AKIA", "ASIA", "gsk_", "csk-", "xai-", "hf_", "r8_", "fw_",
    "pplx-", "nvapi-", "tgp_v1_", "ghp_", "github_pat_", "jina_", "pa-", "ya29.",
)  # fmt: skip
_MIN_TAIL = 16  # `sk-test` in a text is no key; the shortest real ones have 20 and more


def _token(prefix: str) -> str:
    """Match a prefix where a token begins, and its tail.

    A token begins after anything but a letter or digit, after an escaped line end as in a repr, and
    after a percent escape.
    """
    p = re.escape(prefix)
    begins = rf"(?:(?<![A-Za-z0-9]{p})|(?<=\\[nrt]{p})|(?<=%[0-9A-Fa-f]{{2}}{p}))"
    return rf"{p}{begins}(?=[\w\-+/.=]{{{_MIN_TAIL}}})[\w\-+/.=]+"


_PREFIXES = (*_OWN_PREFIXES, *_PROVIDER_PREFIXES)
_TOKEN = re.compile("|".join(f"({_token(prefix)})" for prefix in _PREFIXES), re.ASCII)
# A header or field that holds a key whatever it looks like: `authorization: Bearer x`,
# `{'x-api-key': 'x'}`, `(b'x-api-key', b'x')`, `?key=x`, `api_key=x`. References are no secrets.
_FIELD = re.compile(
    r"""(?P<name>
            (?:proxy-)?authorization | (?:x-(?:goog-)?)?api[-_]?key | (?<=[?&])key | client_secret
        )
        (?P<between> \\?['"]? \s*[:=]\s* b?\\?['"]? | ['"],\s*b?['"] )
        (?P<scheme> (?:bearer|basic|token)\s+ )?
        (?!env:|file:|vault:|\*\*\*)
        [^\s'"\\&,;)}\]]{8,}""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_BEARER = re.compile(r"\b(bearer\s+)(?!\*\*\*)[\w\-+/.=~]{8,}", re.IGNORECASE | re.ASCII)
# A private key in PEM, as it is or inside a JSON document with its line ends escaped (RFC 7468).
_PEM = re.compile(
    r"(-----BEGIN (?:[A-Z]{2,12} )?PRIVATE KEY)(?:-----)?[\w+/=\\\s:,]{16,}"
    r"(?:-----END (?:[A-Z]{2,12} )?PRIVATE KEY-----)?",
    re.ASCII,
)
_PEM_HINT = "PRIVATE KEY"
_FIELD_HINTS = ("key", "bearer", "authorization", "client_secret")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_MAX_DEPTH = 4


def looks_like_provider_key(text: str) -> bool:
    """Say whether a text begins as providers' keys do; for a kinder error message only."""
    return text.startswith(_PROVIDER_PREFIXES) and len(text) >= _MIN_TAIL


def redact(text: str) -> str:
    """Replace what looks like a secret by its prefix and `***`.

    Returns:
        The same object when there is nothing to hide.
    """
    # Plain searches first: a clean line of 130 characters takes 3 µs instead of 50.
    clean = text
    if any(prefix in text for prefix in _PREFIXES):
        clean = _TOKEN.sub(lambda m: _PREFIXES[(m.lastindex or 1) - 1] + "***", clean)
    if _PEM_HINT in text:
        clean = _PEM.sub(r"\1***", clean)
    lowered = text.lower()
    if any(hint in lowered for hint in _FIELD_HINTS):
        clean = _FIELD.sub(lambda m: f"{m['name']}{m['between']}{m['scheme'] or ''}***", clean)
        clean = _BEARER.sub(r"\1***", clean)
    return text if clean == text else clean


class Redact(logging.Filter):
    """A logging filter that never drops a record and takes secrets out of it.

    Add it to *handlers*: a logger's filter does not see what its children log. It covers the
    message and its arguments, extra fields, the stack, and an exception's text with its causes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean one record in place; always True."""
        self._clean_message(record)
        if record.exc_info:
            self._clean_exception(record)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        for name in record.__dict__.keys() - _STANDARD:
            record.__dict__[name] = _cleaned(record.__dict__[name])
        return True

    def _clean_message(self, record: logging.LogRecord) -> None:
        rendered = _rendered(record)
        if rendered is not None and redact(rendered) is rendered:
            return
        # Arguments keep their places, because formatters read them (uvicorn's access log takes
        # five).
        record.msg = redact(str(record.msg))
        if isinstance(record.args, Mapping):
            record.args = {name: _cleaned(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_cleaned(value) for value in record.args)
        rendered = _rendered(record)
        if rendered is None:
            # logging would print the arguments to standard error, as they are.
            record.msg, record.args = f"{record.msg} (arguments that do not fit are left out)", ()
        elif redact(rendered) is not rendered:
            record.msg, record.args = redact(rendered), ()

    def _clean_exception(self, record: logging.LogRecord) -> None:
        if not record.exc_text and record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text and redact(record.exc_text) is not record.exc_text:
            record.exc_info = None  # some handlers format it themselves; the clean text stays


def _rendered(record: logging.LogRecord) -> str | None:
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError):
        return (
            None  # a filter runs outside logging's own guard: an error here would reach the caller
        )


def _cleaned(value: object, depth: int = 0) -> object:
    """Clean a text and what a container holds; an error or bytes that show a secret become text.

    Other objects stay: calling their `__str__` may do anything. The rendered message is checked.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes | BaseException):
        text = repr(value) if isinstance(value, bytes) else str(value)
        clean = redact(text)
        return value if clean is text else clean
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {name: _cleaned_field(name, item, depth) for name, item in value.items()}
        if type(value) is list:
            return [_cleaned(item, depth + 1) for item in value]
        if type(value) is tuple:
            return tuple(_cleaned(item, depth + 1) for item in value)
    return value


def _cleaned_field(name: object, value: object, depth: int) -> object:
    """Clean a mapping's value; the name decides too, as in `{'x-api-key': 'abc'}`."""
    if isinstance(value, str):
        shown = f"{name}: {value}"
        clean = redact(shown)
        return value if clean is shown else clean.removeprefix(f"{name}: ")
    return _cleaned(value, depth + 1)
