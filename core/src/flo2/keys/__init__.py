"""The keys flo2 issues: their form, their check on every call, their issue, rotation and end.

Provider keys are `flo2.vault`'s. Imports: secrets, stored, errors.
"""

from flo2.keys.authenticator import Authenticator, allows_model
from flo2.keys.form import (
    ADMIN_PREFIX,
    KEY_PREFIX,
    Draws,
    IssuedSecret,
    checksum_ok,
    digest,
    generate,
)
from flo2.keys.headers import CREDENTIAL_HEADERS, bearer, presented
from flo2.keys.issuing import ADMIN_SETTING, check_admin, issue, issue_admin, revoke, rotate

__all__ = [
    "ADMIN_PREFIX",
    "ADMIN_SETTING",
    "CREDENTIAL_HEADERS",
    "KEY_PREFIX",
    "Authenticator",
    "Draws",
    "IssuedSecret",
    "allows_model",
    "bearer",
    "check_admin",
    "checksum_ok",
    "digest",
    "generate",
    "issue",
    "issue_admin",
    "presented",
    "revoke",
    "rotate",
]
