"""Who calls, for whom, and with which wishes: what the policies find out before a plan is made.

Pure. Imports: attribution, stored, records, keys, errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Final

from msgspec import Struct, field

from flo2.errors import InvalidRequest, PermissionRefused
from flo2.gateway.attribution import ruled
from flo2.keys import ADMIN_PREFIX, CREDENTIAL_HEADERS, KEY_PREFIX
from flo2.records import Attribution, Role
from flo2.stored import IssuedKey

__all__ = ["Caller", "ClientHeaders", "attribute", "caller_of", "check_access", "without_keys"]

_MAX_LABEL: Final = 256
_MAX_TAGS: Final = 32
# As long as `metadata` may be in the APIs that have it: 64 and 512 characters a pair (their
# references, read 2026-11-25).
_MAX_PAIR: Final = 64 + 512
_SESSION_HEADERS: Final = ("x-claude-code-session-id", "session-id")
_WISHES: Final = (
    "x-flo2-customer",
    "x-flo2-feature",
    "x-flo2-receipt",
    "x-flo2-route",
    "x-flo2-tags",
    *_SESSION_HEADERS,
)
_CREDENTIALS: Final = frozenset(map(str.encode, CREDENTIAL_HEADERS))
_SAID: Final[frozenset[str | bytes]] = frozenset({*_WISHES, *map(str.encode, _WISHES)})
"""Every header that bears on who a caller is and what it wants, as text and as bytes."""


class Caller(Struct, frozen=True):
    """An authenticated caller and what it said about the call.

    Attributes:
        route: The route asked for by header, or None: by the model's name.
        role: `primary` for clients; internal calls say what they are.
        parent: The entry or exchange an internal call belongs to.
    """

    key: IssuedKey
    attribution: Attribution = field(default_factory=Attribution)
    route: str | None = None
    role: Role = "primary"
    parent: str | None = None
    trailer: bool = False


class ClientHeaders(Mapping[str, str]):
    """A request's headers, read when somebody asks: most calls need none of them.

    What proves who the client is stays out, as `without_keys` has it: plugins may look in here.

    Attributes:
        raw: The same as bytes, as ASGI gives them: lower-case names.
    """

    __slots__ = ("_text", "raw")

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        """Keep all but the keys.

        Args:
            raw: Of a header that is there twice, the last one.
        """
        kept = dict(raw)
        for name in _CREDENTIALS.intersection(kept):
            del kept[name]
        self.raw: Mapping[bytes, bytes] = kept
        self._text: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._text is None:
            raw = self.raw
            self._text = {k.decode("latin-1"): v.decode("latin-1") for k, v in raw.items()}
        return self._text

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"ClientHeaders({[*self._read()]})"


def caller_of(
    key: IssuedKey,
    headers: Mapping[str, str],
    end_user: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Caller:
    """Say who calls, for whom, and with which wishes; arguments and errors are `attribute`'s."""
    said: Mapping[Any, Any] = headers.raw if isinstance(headers, ClientHeaders) else headers
    silent = end_user is None and metadata is None
    if silent and key.attribution is None and _SAID.isdisjoint(said):
        return Caller(key, Attribution(key.team, None, None, None, dict(key.tags)))
    return Caller(
        key,
        attribute(key, headers, end_user, metadata),
        headers.get("x-flo2-route"),
        trailer=headers.get("x-flo2-receipt") == "trailer",
    )


def attribute(
    key: IssuedKey,
    headers: Mapping[str, str],
    end_user: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Attribution:
    """Say whom a call is for, as its key's rules will have it.

    Args:
        key: Gives the team (never a header does) and tags of its own.
        headers: Lower-case request headers: `x-flo2-feature`, `-customer`, `-tags`
            (`a=1,b=2` or a JSON object).
        end_user: The request's own `user`, `safety_identifier` or `metadata.user_id`.
        metadata: The texts of its own `metadata`: tags, unless a header says otherwise.

    Raises:
        InvalidRequest: a label is too long, no label at all, missing or not allowed.
    """
    stated = {} if metadata is None else _of_metadata(metadata)
    if text := headers.get("x-flo2-tags"):
        stated.update(_tags(text))
    labels: Mapping[str, str | None] = {
        "feature": _optional("x-flo2-feature", headers),
        "customer": _optional("x-flo2-customer", headers),
        "end_user": end_user[:_MAX_LABEL] if end_user else None,
    }
    if key.attribution is None:
        tags = {**key.tags, **stated}
    else:
        labels, tags = ruled(key, key.attribution, labels, stated)
    for name in _SESSION_HEADERS:
        if name in headers:
            tags.setdefault("session", _label(name, headers[name]))
            break
    return Attribution(team=key.team, tags=tags, **labels)


def without_keys(headers: Mapping[str, str], query: str = "") -> Mapping[str, str]:
    """Give request headers (lower-case names) without what proves who the client is.

    Plugins read the rest, and providers get some of it.

    Raises:
        InvalidRequest: an issued key is in the query, which goes on to the provider as it came.
    """
    if query and (KEY_PREFIX in query or ADMIN_PREFIX in query):
        msg = "a key of flo2 is in the URL's query; send it in the Authorization header only"
        raise InvalidRequest(msg, code="key_in_query")
    if isinstance(headers, ClientHeaders) or CREDENTIAL_HEADERS.isdisjoint(headers):
        return headers
    return {name: value for name, value in headers.items() if name not in CREDENTIAL_HEADERS}


def check_access(key: IssuedKey, model: str) -> None:
    """Refuse a model that the key may not use.

    Raises:
        PermissionRefused: none of the key's patterns matches.
    """
    if key.models and not any(fnmatchcase(model, pattern) for pattern in key.models):
        msg = f"this key may not use model {model!r}; it may use: {', '.join(key.models)}"
        raise PermissionRefused(msg, code="model_not_allowed", param="model")


def _optional(name: str, headers: Mapping[str, str]) -> str | None:
    text = headers.get(name)
    return _label(name, text) if text else None


def _label(name: str, text: str) -> str:
    if len(text) > _MAX_LABEL:
        msg = f"header {name} is longer than {_MAX_LABEL} characters"
        raise InvalidRequest(msg, code="invalid_header", param=name)
    return text


def _of_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give what of a request's metadata becomes tags; the rest is the provider's to judge."""
    pairs = islice(metadata.items(), _MAX_TAGS)
    return {name: value for name, value in pairs if name and len(name) + len(value) <= _MAX_PAIR}


def _tags(text: str) -> dict[str, str]:
    wrong = InvalidRequest(
        "header x-flo2-tags must be name=value pairs split by commas, or a JSON object of strings",
        code="invalid_header",
        param="x-flo2-tags",
    )
    if text.startswith("{"):
        try:
            data = json.loads(text)
        except ValueError:
            raise wrong from None
        pairs = list(data.items())
    else:
        pairs = [
            (name.strip(), value.strip())
            for name, equals, value in (item.partition("=") for item in text.split(","))
            if equals
        ]
        if len(pairs) != len([item for item in text.split(",") if item.strip()]):
            raise wrong
    if len(pairs) > _MAX_TAGS or not all(
        name and isinstance(value, str) and len(name) + len(value) <= _MAX_LABEL
        for name, value in pairs
    ):
        raise wrong
    return dict(pairs)
