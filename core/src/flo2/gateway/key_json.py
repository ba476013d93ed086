"""An issued key as JSON, for whoever lists keys: never the key itself, of which nothing is kept.

Pure. Imports: stored, keys, instants.
"""

from __future__ import annotations

from typing import Any

from flo2.instants import timestamp
from flo2.keys.rules import rules_json
from flo2.stored import IssuedKey

__all__ = ["key_json"]


def key_json(key: IssuedKey) -> dict[str, Any]:
    """Write what may be shown of a key."""
    return {
        "id": key.id,
        "account": key.account,
        "name": key.name,
        "prefix": key.prefix,
        "last4": key.last4,
        "team": key.team,
        "models": list(key.models),
        "tags": dict(key.tags),
        "attribution": rules_json(key.attribution),
        "created_at": timestamp(key.created_us),
        "expires_at": None if key.expires_us is None else timestamp(key.expires_us),
        "revoked_at": None if key.revoked_us is None else timestamp(key.revoked_us),
        "replaced_by": key.replaced_by,
    }
