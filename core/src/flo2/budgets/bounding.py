"""What a call may cost at most, so that it can be held; or that nobody can say.

Imports: protocols, dialects, errors.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import evolve
from msgspec.structs import replace

from flo2.protocols import Inbound

__all__ = ["capped", "refers_elsewhere", "uses_server_tools"]

# Tools that run at the provider: each use has its price, and what they find is read as prompt, by
# the model, as often as it likes. They are told by their type (`web_search`, `code_execution`, …)
# or by the field that holds their settings (the hosts' API references, read 2026-11-25). A field of
# a caller's own that is called like one counts as one.
# Begins with one literal byte, and looks no further at the types that every request is full of: a
# fifth of the time of a plain search (20 µs for ten tools of six parameters each).
_SERVER_TOOLS: Final = re.compile(
    rb'"(?:type"\s*:\s*"(?!string|object|function|text|integer|number|boolean|array|custom|null)'
    rb"[a-z0-9_]*(?:search|fetch|execution|interpreter|mcp|retrieval|grounding|advisor)"
    rb"|(?:g[a-z]{5}_?(?:[sS]earch|[mM]aps)|code_?[eE]xecution|url_?[cC]ontext|file_?[sS]earch"
    rb"|enterprise_?[wW]eb_?[sS]earch|[rR]etrieval|systemTool|web_search_options"
    rb'|search_parameters|mcp_servers|plugins)"\s*:\s*[\[{])'
).search
# JSON may write any letter as an escape, which a provider reads and a search in the bytes does not.
_HIDDEN: Final = re.compile(rb"\\u00(?:3[0-9]|[4-7][0-9a-fA-F])").search
# Context that lies at the provider: a prompt kept there, a conversation, cached content.
_ELSEWHERE: Final = re.compile(
    rb'"(?:prompt"\s*:\s*\{|conversation"\s*:|cached_?[cC]ontent)'
).search


def uses_server_tools(body: bytes) -> bool:
    """Say whether a request may use tools whose cost it does not bound, or hides it."""
    return _SERVER_TOOLS(body) is not None or _HIDDEN(body) is not None


def refers_elsewhere(body: bytes) -> bool:
    """Say whether a prompt goes on from something that its bytes do not hold."""
    return _ELSEWHERE(body) is not None


def capped(inbound: Inbound, most: int, budget: str) -> Inbound:
    """Give a request with a bound on its answer that the client did not set.

    Args:
        inbound: A chat without one; its bytes stay, to be measured.
        most: Tokens of each answer.
        budget: Whose rule it is.

    Raises:
        InvalidRequest: the body is no request of its dialect.
    """
    request = inbound.request
    sampling = evolve(request.sampling, max_output_tokens=most)
    made = Inbound(
        inbound.dialect,
        inbound.body,
        replace(inbound.peek, max_output_tokens=most),
        headers=inbound.headers,
        query=inbound.query,
        request=evolve(request, sampling=sampling),
    )
    made.notes = (*inbound.notes, f"max_tokens set to {most} by budget {budget!r}")
    return made
