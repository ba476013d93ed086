"""Sign a request for AWS: Signature Version 4, in headers.

Pure: the instant is an argument. Imports: credentials.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, read
2026-11-25; tried with the published vectors of AWS's SigV4 test suite.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from flo2_provider_bedrock.credentials import Keys

__all__ = ["sign"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def sign(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: Keys,
    region: str,
    service: str,
    at: datetime,
) -> dict[str, str]:
    """Give the headers that a request needs besides its own.

    Args:
        method: In capitals.
        target: Path and query as they are sent, percent-encoded.
        headers: What the signature covers, lower-case names; `host` must be among them.
        body: The body as it is sent.
        keys: Who signs.
        region: The region of the host.
        service: The service of the host.
        at: Now (UTC).

    Returns:
        `authorization`, `x-amz-date`, and `x-amz-security-token` for temporary keys.
    """
    instant = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": instant}
    if keys.session_token is not None:
        added["x-amz-security-token"] = keys.session_token
    covered = sorted({**headers, **added}.items())
    signed = ";".join(name for name, _ in covered)
    path, _, query = target.partition("?")
    canonical = "\n".join(
        [
            method,
            # The path is encoded once more, for every service but S3.
            quote(path, safe="/"),
            "&".join(sorted(query.split("&"))),
            *(f"{name}:{' '.join(value.split())}" for name, value in covered),
            "",
            signed,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{instant[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{keys.secret_access_key}".encode()
    for word in scope.split("/"):
        key = _mac(key, word)
    signature = _mac(key, f"{_ALGORITHM}\n{instant}\n{scope}\n{digest}").hex()
    added["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    return added


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)
