"""Where an answer lies that a client goes on from: what a provider keeps is bound to its call.

A provider's id of an answer is good for the issued key that got it, at the provider and with the
credential that gave it, and is not found for anyone else: a guessed id reads nobody's conversation.
The ledger knows where each answer came from. Imports: lanes, stores, runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from attrs import frozen

from flo2.errors import InvalidRequest
from flo2.gateway.caller import Caller
from flo2.gateway.lanes import Lanes
from flo2.protocols import Inbound
from flo2.stores import EntryFilter

if TYPE_CHECKING:
    from flo2.gateway.runtime import Runtime

__all__ = ["Home", "find_home", "lanes_at"]

_ELSEWHERE_S: Final = 0.6
"""What another worker has written is in the store within half a second."""


@frozen
class Home:
    """Who gave an answer: the configured provider and the credential it was called with."""

    answer_id: str
    provider: str
    credential_id: str | None


async def find_home(runtime: Runtime, caller: Caller, inbound: Inbound) -> Home:
    """Find where the answer lies that a call goes on from.

    Raises:
        InvalidRequest: this key got no answer of this id.
        StoreError: the ledger cannot be read.
    """
    answer_id = inbound.peek.continues or ""
    where = EntryFilter(
        caller.key.account, key_id=caller.key.id, answer_id=answer_id, limit=1, newest_first=True
    )
    for pause_s in (0, _ELSEWHERE_S):
        await anyio.sleep(pause_s)
        for entry in await runtime.ledger.entries(where):
            return Home(answer_id, entry.intent.provider, entry.intent.credential_id)
    raise _not_found(f"this key was given no answer with the id {answer_id[:200]!r}")


def lanes_at(lanes: Lanes, home: Home) -> Lanes:
    """Keep the lanes that lead to where the answer lies.

    Raises:
        InvalidRequest: none does.
    """
    by_id = {
        name: lane
        for name, lane in lanes.by_id.items()
        if lane.same
        and lane.candidate.provider == home.provider
        and lane.candidate.credential_id == home.credential_id
    }
    if not by_id:
        raise _not_found(
            f"the answer {home.answer_id!r} lies at provider {home.provider!r}, where this model "
            "does not lead; ask the model that gave it, or send the whole conversation"
        )
    return Lanes(by_id, lanes.sole if len(lanes.by_id) == 1 else None)


def _not_found(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="previous_response_not_found", param="previous_response_id")
