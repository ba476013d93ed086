"""What is particular to PostgreSQL: how to connect, and what its errors mean.

Errors are told apart by SQLSTATE, because the server's words come in the language of its
`lc_messages`; only a refused connection has no SQLSTATE, and is told apart by its words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["APPEND_LOCK_ID", "SCHEMA_LOCK_ID", "engine_options", "explain"]

# Advisory locks are numbers, and each database has its own.
SCHEMA_LOCK_ID: Final = 0x666C6F32  # "flo2": held while the schema is brought up to date
APPEND_LOCK_ID: Final = SCHEMA_LOCK_ID + 1  # shared by all that append, exclusive to erase

_GONE: Final = "look whether the server runs and can be reached; records wait in the journal"
_LOCKED: Final = "another process holds it; end that process, or raise busy_timeout_s"
_BUSY: Final = "raise the server's max_connections, or lower pool_size or the number of workers"
_REFUSED: Final = "correct the url or the password, or the server's pg_hba.conf"
_NO_DATABASE: Final = "create the database (ENCODING 'UTF8'), or correct the url"
# By SQLSTATE, or by its class (the first two characters).
# Source: https://www.postgresql.org/docs/18/errcodes-appendix.html, read 2026-11-25.
_ADVICE: Final[Mapping[str, str]] = {
    "08": _GONE,
    "28": _REFUSED,
    "58": "look at the server's disk: reading or writing it fails",
    "XX": "see the server's log; if its data is damaged, restore a backup",
    "3D000": _NO_DATABASE,
    "22021": "the text cannot be kept; leave out NUL characters",
    "23503": "the account does not exist; create it first",
    "23505": "it exists already",
    "25006": "it only reads: name the primary server, not a standby",
    "40001": "another process changed the same; do it again",
    "40P01": "another process changed the same; do it again",
    "42501": "let this user create tables in that schema and write to them",
    "42P01": "the schema is missing; open the store again to create it",
    "53100": "make room on the server's disk",
    "53200": "give the server more memory",
    "53300": _BUSY,
    "55P03": _LOCKED,
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": _GONE,
}
_REFUSALS: Final = (
    ("authentication", _REFUSED),
    ("pg_hba.conf", _REFUSED),
    ("no password supplied", _REFUSED),
    ("does not exist", _NO_DATABASE),
    ("too many", _BUSY),
    ("remaining connection slots", _BUSY),
    ("cannot contain nul", _ADVICE["22021"]),
)


def engine_options(url: URL, *, busy_timeout_s: float, pool_size: int) -> dict[str, Any]:
    """Give the options of SQLAlchemy's engine; what the URL itself says is left alone.

    Args:
        url: Address of the database.
        busy_timeout_s: How long to wait for a lock, for a free connection, and to connect.
        pool_size: How many connections this process keeps at most.
    """
    limits = {
        # libpq takes whole seconds, and 1 as 2.
        "connect_timeout": max(2, math.ceil(busy_timeout_s)),
        # Without it a write to a server that vanished from the network waits a quarter of an hour.
        "tcp_user_timeout": 30_000,
        "options": f"-c lock_timeout={max(1, int(busy_timeout_s * 1000))}",
        "client_encoding": "utf8",
        "application_name": "flo2",
    }
    return {
        "connect_args": {name: each for name, each in limits.items() if name not in url.query},
        "isolation_level": "READ COMMITTED",  # whatever the server's default is
        "max_overflow": 0,
        # Connections from before the server's restart are replaced instead of failing once each.
        "pool_pre_ping": True,
        "pool_size": pool_size,
        "pool_timeout": busy_timeout_s,
    }


def explain(error: BaseException | None) -> tuple[str, str]:
    """Say what went wrong, and what to do; without the values, which the error may quote.

    Args:
        error: The driver's. Its own text ends with the server's DETAIL, and that quotes whole rows.
    """
    state = getattr(error, "sqlstate", None)
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if state is not None:
        advice = _ADVICE.get(state) or _ADVICE.get(state[:2], "see the server's log")
        return f"{primary or type(error).__name__} (SQLSTATE {state})", advice
    told = str(error).strip().partition("\n")[0]
    lower = str(error).lower()
    return told, next((advice for sign, advice in _REFUSALS if sign in lower), _GONE)
