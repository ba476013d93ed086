"""Laws of keys and of the vault: round trips, and that no small change goes unseen."""

from __future__ import annotations

import string

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.errors import SecretError
from flo2.keys import checksum_ok, digest, generate
from flo2.memory_store import MemoryStore
from flo2.secrets import Secret, redact
from flo2.stored import Account
from flo2.vault import KekRing, Vault
from flo2.vault.seal import bind

NOW = 1_800_000_000_000_000
KEK = "flo2_kek_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
BASE62 = string.digits + string.ascii_letters

texts = st.text(max_size=20)
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
provider_keys = keys.filter(lambda text: not text.startswith(("env:", "file:", "vault:")))
bodies = st.text(st.sampled_from(BASE62), min_size=30, max_size=30)


class FromText:
    """A source of choices that gives a text's characters, so that Hypothesis draws the key."""

    def __init__(self, text):
        self._rest = iter(text)

    def choice(self, seq):
        return next(self._rest)


def _vault():
    store = MemoryStore()
    vault = Vault(store, KekRing.parse(KEK, source="test"), {})
    assert vault.open() == ()
    return store, vault


def _add(store, vault, secret, account="acme", provider="ai", host="api.test"):
    store.put_account(Account(account, account, NOW))
    return vault.add(account, provider, host, "main", Secret(secret), now_us=NOW)


def _changed(text, place, by):
    """Change one byte of an ASCII text, to any other byte value that is still a character."""
    return text[:place] + chr((ord(text[place]) + by) % 256) + text[place + 1 :]


@given(secret=provider_keys, account=texts, provider=texts)
def test_what_is_sealed_opens_to_the_same(secret, account, provider):
    store, vault = _vault()
    row = _add(store, vault, secret, account, provider)
    assert vault.reveal(row, "api.test") == Secret(secret)
    assert row.last4 in secret
    assert len(secret) < 16 or secret not in row.sealed


@given(secret=provider_keys, place=st.integers(min_value=0), by=st.integers(1, 255))
def test_a_seal_with_any_one_byte_changed_does_not_open(secret, place, by):
    store, vault = _vault()
    row = _add(store, vault, secret)
    row = attrs.evolve(row, sealed=_changed(row.sealed, place % len(row.sealed), by))
    with pytest.raises(SecretError):
        vault.reveal(row, "api.test")


@given(
    field=st.sampled_from(["account", "provider", "host", "id", "data_key"]),
    place=st.integers(min_value=0),
    by=st.integers(1, 255),
)
def test_a_row_with_any_one_byte_of_what_it_is_bound_to_changed_does_not_open(field, place, by):
    store, vault = _vault()
    row = _add(store, vault, "secret")
    text = getattr(row, field)
    row = attrs.evolve(row, **{field: _changed(text, place % len(text), by)})
    with pytest.raises(SecretError):
        vault.reveal(row, row.host.lower())


@given(
    field=st.sampled_from(["account", "id", "kek_id", "wrapped"]),
    place=st.integers(min_value=0),
    by=st.integers(1, 255),
)
def test_a_data_key_with_any_one_byte_changed_does_not_open(field, place, by):
    store, vault = _vault()
    _add(store, vault, "secret")
    row = store._data_keys.popitem()[1]
    text = getattr(row, field)
    changed = attrs.evolve(row, **{field: _changed(text, place % len(text), by)})
    store._data_keys[changed.id] = changed
    fresh = Vault(store, KekRing.parse(KEK, source="test"), {})
    assert len(fresh.open()) == 1


@given(
    one=st.tuples(texts, texts),
    two=st.tuples(texts, texts),
)
def test_a_seal_opens_in_its_own_row_only(one, two):
    store, vault = _vault()
    first, second = _add(store, vault, "secret", *one), _add(store, vault, "secret", *two)
    stolen = attrs.evolve(second, sealed=first.sealed, data_key=first.data_key)
    with pytest.raises(SecretError):
        vault.reveal(stolen, "api.test")


@given(one=st.lists(texts, max_size=4), two=st.lists(texts, max_size=4))
def test_two_lists_are_bound_to_the_same_bytes_only_if_they_are_equal(one, two):
    assert (bind(*one) == bind(*two)) == (one == two)


@given(body=bodies)
def test_every_issued_key_has_a_right_checksum_and_is_redacted(body):
    text = generate(FromText(body)).secret.reveal()
    assert text[8:38] == body
    assert checksum_ok(text)
    assert redact(f"got {text}!") == "got flo2_sk_***!"


@given(body=bodies, place=st.integers(0, 43), other=st.characters())
def test_the_checksum_catches_every_change_of_one_character(body, place, other):
    text = generate(FromText(body)).secret.reveal()
    changed = text[:place] + other + text[place + 1 :]
    assert checksum_ok(changed) == (changed == text)


@given(body=bodies, place=st.integers(8, 43), other=st.sampled_from(BASE62))
def test_the_checksum_catches_every_change_to_another_letter_or_digit(body, place, other):
    text = generate(FromText(body)).secret.reveal()
    changed = text[:place] + other + text[place + 1 :]
    assert checksum_ok(changed) == (changed == text)


@given(body=bodies, place=st.integers(8, 42))
def test_the_checksum_catches_two_swapped_neighbours(body, place):
    text = generate(FromText(body)).secret.reveal()
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert checksum_ok(swapped) == (swapped == text)


@given(one=keys, two=keys, pepper=st.binary(min_size=16, max_size=64))
def test_two_keys_never_share_a_digest_whatever_they_begin_with(one, two, pepper):
    for a, b in ((one, two), (one, one + two), ("flo2_sk_" + one, "flo2_sk_" + two)):
        assert (digest(a, pepper) == digest(b, pepper)) == (a == b)


@given(text=st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    once = redact(text)
    assert redact(once) == once
