"""The first start: what is made, once, and what is left alone."""

from __future__ import annotations

import stat
from datetime import date
from decimal import Decimal

import pytest
from attrs import evolve, frozen

from flo2.config import Config
from flo2.errors import SecretError, StoreError
from flo2.gateway.first_run import (
    credential_name,
    has_admin,
    open_keks,
    prepare,
    setup_lock,
    suggest_model,
    unused_variables,
)
from flo2.gateway.resolve import Bound
from flo2.keys import Authenticator, check_admin
from flo2.keys.issuing import ADMIN_SETTING
from flo2.memory_store import MemoryStore
from flo2.plugins import Plugins
from flo2.prices import Layer, PriceBook, PriceRow
from flo2.protocols import Facts
from flo2.vault import Vault

NOW_US = 1_700_000_000_000_000


@frozen
class Upstream:
    facts: Facts
    kind: str = "acme"
    example_model: str = ""


def bound(name, env="", host="acme.example", listed=(), **more):
    return Bound(name, Upstream(Facts(key_env=env), **more), host, frozenset(listed))


PROVIDERS = {
    "acme": bound("acme", "ACME_API_KEY"),
    "beta": bound("beta", "BETA_API_KEY", "beta.example"),
    "free": bound("free", "", ""),
}
ENVIRON = {"ACME_API_KEY": "sk-acme-0123456789", "BETA_API_KEY": " "}


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def vault(store, tmp_path):
    vault = Vault(store, open_keks(Config(), tmp_path, {}), ENVIRON)
    vault.open()
    return vault


def test_an_empty_store_gets_an_account_a_key_a_token_and_what_the_environment_holds(store, vault):
    made = prepare(store, vault, PROVIDERS, ENVIRON, NOW_US)
    assert [account.id for account in store.accounts()] == ["default"]
    (credential,) = store.credentials()
    assert made.added == (credential,)
    assert (credential.provider, credential.host, credential.reference, credential.sealed) == (
        "acme",
        "acme.example",
        "env:ACME_API_KEY",
        None,
    )
    assert vault.reveal(credential, "acme.example").reveal() == "sk-acme-0123456789"
    record, secret = made.key
    who = Authenticator(vault.pepper(), store.keys())
    assert who.authenticate(secret.reveal(), NOW_US) == record
    check_admin(made.admin.reveal(), store.setting(ADMIN_SETTING), pepper=vault.pepper())
    assert made.is_first


def test_a_second_start_makes_nothing_and_brings_nothing_back(store, vault):
    prepare(store, vault, PROVIDERS, ENVIRON, NOW_US)
    store.delete_credential("default", store.credentials()[0].id)
    before = (store.revision(), store.setting(ADMIN_SETTING))
    again = prepare(store, vault, PROVIDERS, ENVIRON, NOW_US + 1)
    assert (again.is_first, again.added) == (False, ())
    assert (store.revision(), store.setting(ADMIN_SETTING)) == before
    assert unused_variables(store, PROVIDERS, ENVIRON) == {"acme": "ACME_API_KEY"}


def test_who_cannot_show_secrets_leaves_them_to_the_next_start(store, vault):
    assert not prepare(store, vault, PROVIDERS, ENVIRON, NOW_US, secrets=False).is_first
    assert (has_admin(store), store.keys()) == (False, [])
    assert prepare(store, vault, PROVIDERS, ENVIRON, NOW_US).is_first
    assert has_admin(store)


def test_secrets_are_not_in_what_is_printed_of_the_result(store, vault):
    made = prepare(store, vault, PROVIDERS, ENVIRON, NOW_US)
    assert made.admin.reveal() not in repr(made)
    assert made.key[1].reveal() not in repr(made)


def test_the_key_file_is_made_once_and_private(tmp_path):
    first = open_keks(Config(), tmp_path, {})
    assert open_keks(Config(), tmp_path, {}).ids == first.ids
    assert stat.S_IMODE((tmp_path / "kek").stat().st_mode) == 0o600


def test_a_configured_key_makes_no_file(tmp_path):
    config = Config(secrets=evolve(Config().secrets, kek="env:KEK"))
    with pytest.raises(SecretError, match="the environment variable 'KEK' is not set"):
        open_keks(config, tmp_path, {})
    assert not (tmp_path / "kek").exists()


def test_a_second_process_waits_for_the_first_and_gives_up_with_a_reason(tmp_path):
    folder, slept = tmp_path / "data", []
    with setup_lock(folder), pytest.raises(StoreError, match="has been preparing"):  # noqa: SIM117
        with setup_lock(folder, sleep=slept.append):
            raise AssertionError("two at once")
    assert sum(slept) == pytest.approx(20.0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with setup_lock(folder):
        assert (folder / "setup.lock").exists()
    assert not (folder / "setup.lock").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another with --data-dir"):  # noqa: SIM117
        with setup_lock(tmp_path / "file" / "data"):
            pass


def test_names_of_credentials_do_not_clash():
    assert credential_name("acme", []) == "acme"
    assert credential_name("acme", ["acme", "acme-2"]) == "acme-3"


def row(model, meter, price):
    return PriceRow(
        f"{model}/{meter}",
        "acme",
        frozenset({model}),
        meter,
        Decimal(price),
        1_000_000,
        "https://acme.example/pricing",
        date(2026, 11, 1),
        "published",
    )


def test_the_example_is_the_cheapest_model_with_both_prices():
    rows = [
        row("big", "input_tokens", "5"),
        row("big", "output_tokens", "9"),
        row("small", "input_tokens", "1"),
        row("small", "output_tokens", "2"),
        row("embedding", "input_tokens", "0.1"),
    ]
    book = PriceBook((Layer("list", rows),))
    listed = ["big", "small", "embedding", "unpriced"]
    assert suggest_model(bound("acme", listed=listed), book, NOW_US) == "acme/small"
    own = bound("acme", listed=listed, example_model="big")
    assert suggest_model(own, book, NOW_US) == "acme/big"
    assert suggest_model(bound("acme"), book, NOW_US) is None


@pytest.mark.parametrize(
    "kind", ["cerebras", "cohere", "google", "groq", "mistral", "openrouter", "together", "xai"]
)
def test_a_provider_without_prices_still_has_a_model_to_try(kind):
    provider = Plugins.load().get("provider", kind)
    assert provider.example_model
