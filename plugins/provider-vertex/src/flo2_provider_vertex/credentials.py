"""What a Vertex credential is: a service account's key, an access token, or an API key.

All three are one text. A service account's key is the JSON that the console gives; it comes from a
tenant, so nothing in it chooses where a call goes: the address it names must be one of Google's
own. Pure. Imports: flo2.

Source: https://developers.google.com/identity/protocols/oauth2/service-account (keys),
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/start/api-keys (`x-goog-api-key`), read
2026-11-25.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

from attrs import field, frozen

from flo2 import SecretError

__all__ = ["ServiceAccount", "kind_of", "read_service_account"]

Kind = Literal["service_account", "access_token", "api_key"]

# `AIza` and 35 characters, or the newer keys bound to a service account, `AQ.` and more.
_API_KEY: Final = re.compile(r"AIza[\w-]{35}|AQ\.[\w-]{20,}", re.ASCII)
_TOKEN_URIS: Final = frozenset(
    {"https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token"}
)


@frozen
class ServiceAccount:
    """A service account's key.

    Attributes:
        email: Who it is.
        key_id: Which of its keys.
        private_key: RSA key in PEM.
        token_uri: Where its assertion is exchanged; one of Google's.
        project: The project it belongs to, or "".
    """

    email: str
    key_id: str
    private_key: str = field(repr=False)
    token_uri: str
    project: str = ""


def kind_of(secret: str) -> Kind:
    """Tell which of the three a credential's text is."""
    if secret.lstrip().startswith("{"):
        return "service_account"
    return "api_key" if _API_KEY.fullmatch(secret) else "access_token"


def read_service_account(secret: str) -> ServiceAccount:
    """Read a service account's key.

    Raises:
        SecretError: it is not one; nothing of it is shown.
    """
    try:
        data = json.loads(secret)
    except ValueError:
        data = None  # the error would carry the text along
    if not isinstance(data, dict) or data.get("type") != "service_account":
        raise SecretError(
            'the credential is JSON, but not a service account\'s key ("type": '
            '"service_account"); make one in the Google Cloud console, under IAM, Service Accounts'
        )
    token_uri = _text(data, "token_uri")
    if token_uri not in _TOKEN_URIS:
        raise SecretError(
            "the service account's key names a token_uri that is none of Google's; it must be "
            f"{' or '.join(sorted(_TOKEN_URIS))}"
        )
    project = data.get("project_id")
    return ServiceAccount(
        email=_text(data, "client_email"),
        key_id=_text(data, "private_key_id"),
        private_key=_text(data, "private_key"),
        token_uri=token_uri,
        project=project if isinstance(project, str) else "",
    )


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise SecretError(
            f"the service account's key has no {name!r}; add the whole JSON again: "
            "flo2 providers add google-vertex"
        )
    return value
