"""What a Bedrock credential is: a Bedrock API key, or an AWS access key with its secret.

Both are one text, so that all of it is sealed, hidden and scrubbed as one secret:

    <a Bedrock API key>                                            sent as a bearer token
    <access key id>:<secret access key>                            signs each request
    <access key id>:<secret access key>:<session token>            the same, temporary

Neither an access key id nor base64 holds a colon. Pure. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html (bearer),
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (access key ids are
`AKIA…`, temporary ones `ASIA…`), read 2026-11-25.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from flo2 import SecretError

__all__ = ["Keys", "parts_of", "read_keys"]

_ACCESS_KEY: Final = re.compile(r"A(?:KI|SI)[A-Z0-9]{13,125}")


@frozen
class Keys:
    """An AWS access key.

    Attributes:
        access_key_id: Names the key; stands in every signed request.
        secret_access_key: Signs, and is never sent.
        session_token: Goes along with temporary keys.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)


def read_keys(secret: str) -> Keys | None:
    """Read a credential's text; None: it is an API key.

    Raises:
        SecretError: it begins like an access key and is not complete. Nothing of it is shown.
    """
    access_key_id, *rest = secret.split(":")
    if not _ACCESS_KEY.fullmatch(access_key_id):
        return None
    match rest:
        case [secret_key] if secret_key:
            return Keys(access_key_id, secret_key)
        case [secret_key, token] if secret_key and token:
            return Keys(access_key_id, secret_key, token)
        case _:
            raise SecretError(
                "an AWS access key is given as ACCESS_KEY_ID:SECRET_ACCESS_KEY or "
                "ACCESS_KEY_ID:SECRET_ACCESS_KEY:SESSION_TOKEN, and this one (not shown) is not; "
                "add it again: flo2 providers add bedrock"
            )


def parts_of(secret: str) -> tuple[str, ...]:
    """Give every text of a credential that nobody else may read."""
    _, *rest = secret.split(":")
    return (secret, *rest)
