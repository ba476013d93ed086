"""From a model's name to its targets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from flo2.errors import InvalidRequest, NotFound
from flo2.gateway.directory import Tenant
from flo2.gateway.resolve import Bound, resolve
from flo2.protocols import Facts
from flo2.stored import RouteSpec, SealedCredential, TargetSpec


class Fake:
    """A provider that knows models by a prefix."""

    kind = "fake"

    def __init__(self, prefix: str = "", *, needs_key: bool = True) -> None:
        self.facts = Facts(needs_key=needs_key)
        self.prefix = prefix

    def chat(self, call: Any) -> Any:
        raise AssertionError(call)

    def knows(self, model: str) -> bool:
        return bool(self.prefix) and model.startswith(self.prefix)


def credential(provider: str, number: int = 1) -> SealedCredential:
    return SealedCredential(
        f"c{number}", "default", provider, "host.example", f"name{number}", "", number, sealed="x"
    )


PROVIDERS = {
    "acme": Bound("acme", Fake("acme-"), listed=frozenset({"shared-1"})),
    "other": Bound("other", Fake("other-"), listed=frozenset({"shared-1", "listed-1", "acme-8"})),
    "local": Bound("local", Fake(needs_key=False)),
    "unkeyed": Bound("unkeyed", Fake("unkeyed-")),
}


def tenant(**routes: RouteSpec) -> Tenant:
    return Tenant(
        "default",
        {"acme": (credential("acme", 1), credential("acme", 2)), "other": (credential("other"),)},
        routes,
    )


def ids(model: str, of: Tenant | None = None) -> list[str]:
    return [target.id for target in resolve(model, of or tenant(), PROVIDERS).targets]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "acme/anything/with/slashes",
            ["acme/anything/with/slashes@c1", "acme/anything/with/slashes@c2"],
        ),
        ("acme-7", ["acme/acme-7@c1", "acme/acme-7@c2"]),
        ("acme-8", ["acme/acme-8@c1", "acme/acme-8@c2"]),  # acme's own; other only prices it
        ("listed-1", ["other/listed-1@c1"]),
        ("local/any", ["local/any@-"]),
    ],
)
def test_a_name_finds_its_targets(model: str, expected: list[str]) -> None:
    assert ids(model) == expected


def test_a_bare_name_that_two_providers_know_is_refused_with_both() -> None:
    with pytest.raises(InvalidRequest, match="acme/shared-1, other/shared-1"):
        ids("shared-1")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("unkeyed/m", "flo2 providers add unkeyed"),
        ("unkeyed-9", "flo2 providers add unkeyed"),
        ("listed-2", r"; did you mean 'other/listed-1'\. Any model"),
        ("nobody/m", "no provider of this account knows model 'nobody/m'"),
        ("acme/", "write acme/MODEL"),
    ],
)
def test_what_nobody_serves_is_not_found_and_says_what_to_do(model: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        ids(model)


def test_a_route_comes_before_a_model_and_its_credentials_share_a_weight() -> None:
    spec = RouteSpec(
        "default",
        "acme-7",
        "weighted",
        (
            TargetSpec("acme", "a", Decimal(3)),
            TargetSpec("other", "b", Decimal(1)),
            TargetSpec("acme", "c", Decimal(1), credential="name2"),
            TargetSpec("unkeyed", "d"),
        ),
    )

    found = resolve("acme-7", tenant(**{"acme-7": spec}), PROVIDERS)

    assert (found.route, found.strategy) == ("acme-7", "weighted")
    assert [(target.id, target.weight) for target in found.targets] == [
        ("acme/a@c1", Decimal("1.5")),
        ("acme/a@c2", Decimal("1.5")),
        ("other/b@c1", Decimal(1)),
        ("acme/c@c2", Decimal(1)),
    ]


def test_a_route_without_a_usable_target_says_whose_credential_is_missing() -> None:
    spec = RouteSpec("default", "r", "ordered", (TargetSpec("unkeyed", "m"),))

    with pytest.raises(NotFound, match="no credential for unkeyed"):
        ids("r", tenant(r=spec))


def test_what_was_resolved_is_kept_with_the_snapshot() -> None:
    of = tenant()

    assert resolve("acme-7", of, PROVIDERS) is resolve("acme-7", of, PROVIDERS)
    assert evolve(of, memo={}).memo == {}
