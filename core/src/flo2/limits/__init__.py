"""Rate limits: how many requests, tokens, dollars in a while, and how many calls at once.

`spec` says what a limit is, `window` and `places` count, `counters` shares what is counted between
the workers of one store, `reserve` says how much a call may need, `limiter` asks them all.
"""

from __future__ import annotations

from flo2.limits.limiter import Limiter
from flo2.limits.spec import KIND, Limit, limit_json, read_limit

__all__ = ["KIND", "Limit", "Limiter", "limit_json", "read_limit"]
