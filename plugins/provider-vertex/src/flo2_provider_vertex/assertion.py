"""Sign the assertion that a service account exchanges for an access token. Pure. Imports: flo2.

Source: https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests,
read 2026-11-25.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any, Final
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flo2 import SecretError
from flo2_provider_vertex.credentials import ServiceAccount

__all__ = ["assertion", "exchange_body"]

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_S: Final = 3600  # the longest that is allowed


def assertion(account: ServiceAccount, *, now_s: int) -> str:
    """Make a signed assertion (JWT, RS256).

    Args:
        account: Who asserts.
        now_s: Unix seconds.

    Raises:
        SecretError: the private key is no RSA key in PEM.
    """
    header = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    claims = {
        "iss": account.email,
        "scope": _SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + _LIFETIME_S,
    }
    signed = f"{_part(header)}.{_part(claims)}"
    signature = _key(account).sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{_base64(signature)}"


def exchange_body(signed: str) -> bytes:
    """Write the form that exchanges an assertion."""
    return urlencode({"grant_type": _GRANT, "assertion": signed}).encode()


def _key(account: ServiceAccount) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(account.private_key.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        key = None  # an error of the library may quote what it read
    if not isinstance(key, RSAPrivateKey):
        raise SecretError(
            f"the private key of service account {account.email!r} is no RSA key in PEM; add the "
            "whole JSON again: flo2 providers add google-vertex"
        )
    return key


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
