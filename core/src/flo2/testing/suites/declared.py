# ruff: noqa: S101  # asserting is what a suite does
"""What every store must do besides the ledger: keep what is declared, count, remember settings.

A part of `StoreSuite`. Imports: stores, stored, errors, testing.records, pytest.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from flo2.errors import StoreError
from flo2.stored import (
    Account,
    AttributionRules,
    DataKey,
    Declaration,
    IssuedKey,
    LabelRule,
    RouteSpec,
    SealedCredential,
    TargetSpec,
)
from flo2.testing.records import an_intent, linked

if TYPE_CHECKING:
    from collections.abc import Callable

    from flo2.stores import Store

__all__ = ["ACCOUNT", "DeclaredSuite"]

ACCOUNT = Account("default", "Default", 1)
"""The one account of a suite's store."""
_OTHER = Account("other", "Other", 2)
_KEY = IssuedKey(
    id="key_1",
    account="default",
    name="laptop",
    hash="ab" * 32,
    prefix="flo2_sk_a",
    last4="wxyz",
    created_us=5,
    models=("acme/*",),
    tags={"env": "dev"},
    lineage="key_0",
    attribution=AttributionRules(
        customer=LabelRule("acme corp", ("acme corp", "globex"), required=True),
        tags={"env": LabelRule(allowed=("dev", "prod-*"))},
        other_tags=False,
    ),
)
_CREDENTIAL = SealedCredential(
    id="cred_1",
    account="default",
    provider="acme",
    host="api.acme.example",
    name="main",
    last4="1234",
    created_us=6,
    sealed="c2VhbGVk",
    data_key="dk_1",
    data_terms=("zero_retention",),
    settings={"region": "eu"},
)
_ROUTE = RouteSpec(
    account="default",
    name="fast",
    strategy="ordered",
    targets=(TargetSpec("acme", "small", Decimal("0.5")), TargetSpec("acme", "big")),
    options={"retries": 2, "note": None},
)
_BUDGET = Declaration("default", "budget", "monthly", {"limit": "100.00", "hard": True}, 7)


class DeclaredSuite:
    """Tests of accounts, keys, credentials, routes, declarations, counters and settings."""

    # Accounts and keys ----------------------------------------------------------------------

    def test_accounts_are_created_and_replaced(self, store: Store) -> None:
        """By id."""
        store.put_account(_OTHER)
        store.put_account(evolve(_OTHER, name="Renamed"))
        assert list(store.accounts()) == [ACCOUNT, evolve(_OTHER, name="Renamed")]

    def test_keys_are_found_by_hash(self, store: Store) -> None:
        """The one look-up a request makes."""
        store.put_account(_OTHER)
        foreign = evolve(_KEY, id="key_2", account="other", hash="cd" * 32, created_us=4)
        store.put_key(_KEY)
        store.put_key(foreign)
        revoked = evolve(_KEY, revoked_us=9, replaced_by="key_2", team="red", expires_us=10)
        store.put_key(revoked)
        assert list(store.keys()) == [foreign, revoked]
        assert list(store.keys("default")) == [revoked]
        assert store.key_by_hash(_KEY.hash) == revoked
        assert store.key_by_hash("ef" * 32) is None

    def test_data_keys_and_credentials_are_kept(self, store: Store) -> None:
        """As they were, sealed."""
        data_key = DataKey("dk_1", "default", "kek_1", "d3JhcHBlZA==", 3)
        store.put_data_key(data_key)
        store.put_data_key(evolve(data_key, kek_id="kek_2"))
        assert list(store.data_keys()) == [evolve(data_key, kek_id="kek_2")]
        assert list(store.data_keys("other")) == []
        referring = evolve(
            _CREDENTIAL, id="cred_2", sealed=None, data_key=None, reference="env:ACME_KEY"
        )
        store.put_credential(_CREDENTIAL)
        store.put_credential(referring)
        store.put_credential(evolve(_CREDENTIAL, disabled_us=8))
        assert list(store.credentials("default")) == [evolve(_CREDENTIAL, disabled_us=8), referring]
        assert not store.delete_credential("other", "cred_1")
        assert store.delete_credential("default", "cred_1")
        assert not store.delete_credential("default", "cred_1")
        assert list(store.credentials()) == [referring]

    def test_routes_are_kept(self, store: Store) -> None:
        """Weights as decimals, options as given."""
        store.put_route(_ROUTE)
        store.put_route(evolve(_ROUTE, name="cheap", options={}))
        store.put_route(evolve(_ROUTE, strategy="weighted"))
        expected = [evolve(_ROUTE, name="cheap", options={}), evolve(_ROUTE, strategy="weighted")]
        assert list(store.routes("default")) == expected
        assert list(store.routes("other")) == []
        assert store.delete_route("default", "cheap")
        assert not store.delete_route("default", "cheap")
        assert list(store.routes()) == expected[1:]

    def test_declarations_are_kept(self, store: Store) -> None:
        """By account, kind and name; documents as given."""
        revision = store.revision()
        other = evolve(_BUDGET, kind="contract")
        weekly = evolve(_BUDGET, name="weekly", document={"limit": "0.10", "rows": [1, None]})
        for each in (weekly, other, evolve(_BUDGET, document={}), _BUDGET):
            store.put_declaration(each)
        assert store.revision() != revision
        assert list(store.declarations("budget")) == [_BUDGET, weekly]
        assert list(store.declarations("contract", "default")) == [other]
        assert list(store.declarations("budget", "other")) == []
        assert not store.delete_declaration("other", "budget", "monthly")
        assert store.delete_declaration("default", "budget", "monthly")
        assert not store.delete_declaration("default", "budget", "monthly")
        assert list(store.declarations("budget", "default")) == [weekly]

    def test_what_belongs_to_no_account_is_refused(self, store: Store) -> None:
        """An account comes first."""
        with pytest.raises(StoreError, match="account"):
            store.put_key(evolve(_KEY, account="nobody"))
        with pytest.raises(StoreError, match="account"):
            store.put_credential(evolve(_CREDENTIAL, account="nobody"))
        with pytest.raises(StoreError, match="account"):
            store.put_route(evolve(_ROUTE, account="nobody"))
        with pytest.raises(StoreError, match="account"):
            store.put_declaration(evolve(_BUDGET, account="nobody"))
        with pytest.raises(StoreError, match="account"):
            store.put_data_key(DataKey("dk", "nobody", "kek", "", 1))

    def test_settings_are_kept(self, store: Store) -> None:
        """The last value written."""
        assert store.setting("pepper") is None
        store.put_setting("pepper", "1")
        assert store.first_setting("pepper", "9") == "1"
        assert store.first_setting("first", "9") == "9" == store.setting("first")
        store.put_setting("pepper", "2")
        assert store.setting("pepper") == "2"

    def test_of_several_that_swap_a_counter_one_succeeds(self, store: Store) -> None:
        """Whoever knows what it is; nobody writes over what it has not seen."""
        assert store.counter("default", "a") is None
        assert store.swap_counter("default", "a", None, "1", 10)
        assert not store.swap_counter("default", "a", None, "2", 11)
        assert not store.swap_counter("default", "a", "0", "2", 11)
        assert store.swap_counter("default", "a", "1", "2", 12)
        assert not store.swap_counter("default", "b", "1", "2", 12)
        store.put_account(_OTHER)
        assert store.swap_counter("other", "a", None, "u\u00fc", 20)
        assert [store.counter(name, "a") for name in ("default", "other")] == ["2", "u\u00fc"]
        assert store.drop_counters(20) == 1
        assert [store.counter(name, "a") for name in ("default", "other")] == [None, "u\u00fc"]

    def test_threads_that_count_together_lose_nothing(self, store: Store) -> None:
        """Each one adds one, again until it was first."""

        def count() -> None:
            for _ in range(5):
                while True:
                    known = store.counter("default", "n")
                    if store.swap_counter("default", "n", known, str(int(known or 0) + 1), 1):
                        break

        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(count) for _ in range(4)]:
                each.result()
        assert store.counter("default", "n") == "20"

    def test_the_revision_changes_with_every_change(self, store: Store) -> None:
        """Other processes read anew when it does, and only then."""
        seen = [store.revision()]
        changes: list[Callable[[], object]] = [
            lambda: store.put_account(_OTHER),
            lambda: store.put_key(_KEY),
            lambda: store.put_key(evolve(_KEY, revoked_us=1)),
            lambda: store.put_data_key(DataKey("dk_1", "default", "kek_1", "", 3)),
            lambda: store.put_credential(_CREDENTIAL),
            lambda: store.delete_credential("default", "cred_1"),
            lambda: store.put_route(_ROUTE),
            lambda: store.delete_route("default", "fast"),
        ]
        for change in changes:
            change()
            seen.append(store.revision())
        assert len(set(seen)) == len(seen)
        store.append(linked(an_intent(1)))
        store.delete_route("default", "fast")
        store.put_setting("a", "b")
        assert store.revision() == seen[-1]
