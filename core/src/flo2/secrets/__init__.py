"""Hold secrets, read them where a reference points, and keep them out of logs.

Does not store anything: credentials at rest are `flo2.vault`. Imports: errors.
"""

from flo2.secrets.redaction import Redact, looks_like_provider_key, redact
from flo2.secrets.references import (
    ReferenceResolver,
    file_mode_problem,
    is_reference,
    resolve,
)
from flo2.secrets.scrub import scrub, scrub_bytes, scrub_error, spellings
from flo2.secrets.secret import Secret, check_header_safe, in_one_line

__all__ = [
    "Redact",
    "ReferenceResolver",
    "Secret",
    "check_header_safe",
    "file_mode_problem",
    "in_one_line",
    "is_reference",
    "looks_like_provider_key",
    "redact",
    "resolve",
    "scrub",
    "scrub_bytes",
    "scrub_error",
    "spellings",
]
