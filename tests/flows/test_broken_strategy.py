"""A strategy that raises, or plans nonsense, breaks only the calls of its routes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from attrs import evolve, frozen

from flo2 import Candidate, Inbound, Plan, Register, RouteView, hookimpl
from flo2.testing.harness import running

pytestmark = pytest.mark.anyio


class _Strategy:
    @frozen
    class Config:
        """Nothing."""

    def __init__(self, config: object, services: object) -> None:
        pass


class Raises(_Strategy):
    kind: ClassVar[str] = "raises"

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        raise ZeroDivisionError("secret words of a plugin")


class PlansOthers(_Strategy):
    kind: ClassVar[str] = "plans-others"

    def plan(self, inbound: Inbound, candidates: Sequence[Candidate], view: RouteView) -> Plan:
        return Plan.fallback([evolve(candidates[0], id="nobody/m@-")])


def plugin() -> Any:
    @hookimpl
    def flo2_register_strategies(register: Register) -> None:
        register(Raises)
        register(PlansOthers)

    return SimpleNamespace(flo2_register_strategies=flo2_register_strategies)


@pytest.mark.parametrize("kind", ["raises", "plans-others", "not-there"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_it_is_an_error_in_the_envelope_and_nothing_is_spent(kind: str, path: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}
    async with running(plugins={"broken": plugin()}) as house:
        await house.route("broken", kind, "sandbox/sandbox-small", "sandbox/sandbox-large")
        refused = await house.post(path, {**body, "model": "broken"})
        entries = await house.entries()
        fine = await house.post(path, {**body, "model": "sandbox/sandbox-small"})

    assert refused.status == 500
    assert "secret words" not in refused.body.decode()
    error = json.loads(refused.body)["error"]
    assert error["type"] in {"server_error", "api_error"}
    assert entries == []
    assert fine.status == 200
