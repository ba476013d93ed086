"""The vault opens what it sealed, for the host it was sealed for, and nothing else."""

from __future__ import annotations

import base64
import errno
import os
import stat

import attrs
import pytest

from flo2.errors import SecretError
from flo2.memory_store import MemoryStore
from flo2.secrets import Secret
from flo2.stored import Account, SealedCredential
from flo2.vault import KekRing, Vault, append_kek, generate_kek_file
from flo2.vault.seal import bind

NOW = 1_800_000_000_000_000
OLD = base64.urlsafe_b64encode(bytes(range(32))).decode()
NEW = base64.urlsafe_b64encode(bytes(range(100, 132))).decode()
CANARY = "sk-canary-0123456789abcdefghij"
HOST = "api.acme.test"


class OpenStore(MemoryStore):
    """A store whose rows can be reached into, as by somebody who has its file."""

    def __init__(self):
        super().__init__()
        for account in ("acme", "other", "third"):
            self.put_account(Account(account, account, NOW))

    @property
    def rows(self):
        return {row.id: row for row in self.credentials()}

    @property
    def wrapped(self):
        return self._data_keys

    @property
    def settings(self):
        return self._settings


def _ring(*keys):
    return KekRing.parse("\n".join(keys), source="env:FLO2_KEK")


def _vault(store, *keys, environ=None, **options):
    vault = Vault(store, _ring(*(keys or (OLD,))), environ or {}, **options)
    assert vault.open() == ()
    return vault


def _add(vault, account="acme", **options):
    return vault.add(account, "acme-ai", HOST, "main", Secret(CANARY), now_us=NOW, **options)


@pytest.fixture
def store():
    return OpenStore()


# The key ring -------------------------------------------------------------------------------------


def test_a_ring_takes_several_spellings_of_a_key_and_the_last_is_the_newest():
    plain = base64.b64encode(bytes(range(32))).decode()
    same = {
        _ring(text).newest.id
        for text in (OLD, OLD.rstrip("="), f"flo2_kek_{OLD.rstrip('=')}", plain, f" {OLD} # note")
    }
    assert same == {_ring(OLD).newest.id}
    both = KekRing.parse(f"# comment\n{OLD}\n\n{NEW}\n", source="x")
    assert both.ids == (_ring(OLD).newest.id, _ring(NEW).newest.id)
    assert both.newest.id == _ring(NEW).newest.id
    assert KekRing.parse(f"{OLD},{NEW}", source="x").ids == both.ids


def test_a_ring_and_its_keys_show_no_key():
    shown = repr(_ring(OLD).newest) + repr(_ring(OLD))
    assert OLD.rstrip("=") not in shown
    assert repr(bytes(range(32))) not in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        ("canary", "line 1 of key-encryption key 'env:K' is not a key"),
        (f"{OLD}\ncanary", "line 2 of key-encryption key 'env:K' is not a key"),
        (OLD[:-4] + "A", "is not a key"),
        ("é" * 43, "is not a key"),
        ("!" * 43, "is not a key"),
        ("A" * 43, "is not random: it uses 1 different bytes"),
        (f"{OLD}\n{OLD}", "holds one key twice"),
    ],
)
def test_a_ring_that_is_none_is_refused_and_not_shown(text, words):
    with pytest.raises(SecretError) as refused:
        KekRing.parse(text, source="env:K")
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)
    assert OLD.rstrip("=") not in str(refused.value)


def test_a_ring_is_read_from_a_reference(tmp_path):
    path = tmp_path / "kek"
    path.write_text(f"# keys\n{OLD}\n{NEW}\n")
    expected = _ring(OLD, NEW).ids
    assert KekRing.from_reference(f"file:{path}", environ={}).ids == expected
    assert KekRing.from_reference("env:K", environ={"K": f"{OLD}\n{NEW}"}).ids == expected
    found = KekRing.from_reference("vault:k", environ={}, resolver=lambda _: Secret(OLD))
    assert found.ids == _ring(OLD).ids
    with pytest.raises(SecretError, match="'K' is not set"):
        KekRing.from_reference("env:K", environ={})


def test_a_new_key_file_is_its_owners_alone_and_never_overwritten(tmp_path):
    path = tmp_path / "kek"
    kek_id = generate_kek_file(path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KekRing.from_reference(f"file:{path}", environ={}).ids == (kek_id,)
    with pytest.raises(SecretError, match="exists and is not overwritten"):
        generate_kek_file(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


def test_two_key_files_differ(tmp_path):
    assert generate_kek_file(tmp_path / "a") != generate_kek_file(tmp_path / "b")


def test_a_key_file_in_no_folder_says_so(tmp_path):
    with pytest.raises(SecretError, match="check that its folder exists"):
        generate_kek_file(tmp_path / "none" / "kek")
    with pytest.raises(SecretError, match="cannot be written"):
        append_kek(tmp_path / "none")


def test_a_full_disk_leaves_no_half_a_key_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecretError, match=r"cannot be written \(No space left"):
        generate_kek_file(tmp_path / "kek")
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_added_behind_the_others(tmp_path):
    path = tmp_path / "kek"
    first = generate_kek_file(path)
    second = append_kek(path)
    assert KekRing.from_reference(f"file:{path}", environ={}).ids == (first, second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


def test_no_version_is_added_to_a_file_of_something_else(tmp_path):
    path = tmp_path / "notes"
    path.write_text("dear diary\n")
    with pytest.raises(SecretError, match="is not a key"):
        append_kek(path)
    assert path.read_text() == "dear diary\n"


# Credentials --------------------------------------------------------------------------------------


def test_a_credential_is_stored_sealed_and_opens_for_its_host(store):
    vault = _vault(store)
    credential = _add(vault, project="p1", data_terms=("hipaa",), settings={"region": "eu"})
    assert credential == SealedCredential(
        id=credential.id,
        account="acme",
        provider="acme-ai",
        host=HOST,
        name="main",
        last4="ghij",
        created_us=NOW,
        sealed=credential.sealed,
        data_key=next(iter(store.wrapped)),
        project="p1",
        data_terms=("hipaa",),
        settings={"region": "eu"},
    )
    assert store.rows == {credential.id: credential}
    assert vault.reveal(credential, HOST) == Secret(CANARY)
    assert vault.reveal(credential, HOST.upper()) == Secret(CANARY)
    written = repr((store.rows, store.wrapped, store.settings))
    assert "0123456789abcdefghij" not in written
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in written


def test_another_process_opens_it_after_open_or_refresh(store):
    early = _vault(store)
    credential = _add(_vault(store))
    assert _vault(store).reveal(credential, HOST) == Secret(CANARY)
    with pytest.raises(SecretError, match="is not loaded yet"):
        early.reveal(credential, HOST)
    assert early.refresh() == ()
    assert early.reveal(credential, HOST) == Secret(CANARY)


def test_an_account_has_one_data_key_and_another_account_another(store):
    vault = _vault(store)
    keys = [_add(vault, account).data_key for account in ("acme", "acme", "other")]
    assert keys[0] == keys[1] != keys[2]
    assert _add(_vault(store)).data_key == keys[0]
    assert _add(Vault(store, _ring(OLD), {})).data_key == keys[0]


def test_one_secret_is_never_sealed_to_the_same_text(store):
    vault = _vault(store)
    assert _add(vault).sealed != _add(vault).sealed


def test_a_short_secret_shows_no_last_characters(store):
    vault = _vault(store)
    credential = vault.add("acme", "local", "127.0.0.1", "x", Secret("none"), now_us=NOW)
    assert credential.last4 == ""
    assert vault.reveal(credential, "127.0.0.1") == Secret("none")


@pytest.mark.parametrize(
    "host", ["evil.test", "api.acme.test.evil.test", "acme.test", "", "api.acme.test:8443"]
)
def test_a_credential_is_not_given_out_for_another_host(store, host):
    vault = _vault(store)
    credential = _add(vault)
    with pytest.raises(SecretError, match=r"belongs to host 'api\.acme\.test' and is not sent to"):
        vault.reveal(credential, host)


@pytest.mark.parametrize(
    "change",
    [
        {"account": "other"},
        {"provider": "evil"},
        {"host": "evil.test"},
        {"id": "cred_x"},
        {"data_key": None},
        {"data_key": "dk_x"},
        {"sealed": None},
        {"sealed": ""},
        {"sealed": "AA=="},
        {"sealed": "é"},
        {"reference": "env:OTHER"},
        {"reference": "env:OTHER", "sealed": None},
    ],
)
def test_a_changed_row_does_not_open(store, change):
    vault = _vault(store, environ={"OTHER": CANARY})
    _add(vault, "other")
    row = attrs.evolve(_add(vault), **change)
    with pytest.raises(SecretError) as refused:
        vault.reveal(row, row.host)
    assert "canary" not in str(refused.value)


def test_a_row_that_opened_does_not_vouch_for_a_changed_one(store):
    vault = _vault(store)
    _add(vault, "other")
    row = _add(vault)
    assert vault.reveal(row, HOST) == Secret(CANARY)
    for change in ({"account": "other"}, {"provider": "evil"}, {"sealed": "AA=="}):
        with pytest.raises(SecretError):
            vault.reveal(attrs.evolve(row, **change), HOST)
    with pytest.raises(SecretError, match="is not sent to"):
        vault.reveal(row, "evil.test")
    assert vault.reveal(row, HOST) == Secret(CANARY)


def test_what_is_kept_of_a_row_is_no_secret_and_goes_with_the_next_refresh(store):
    vault = _vault(store)
    vault.reveal(_add(vault), HOST)
    (kept,) = vault._prepared.values()
    assert CANARY.encode() not in b"".join((kept.nonce, kept.sealed, kept.bound))
    assert set(attrs.asdict(kept, recurse=False)) == {
        "credential",
        "cipher",
        "nonce",
        "sealed",
        "bound",
        "what",
    }
    vault.refresh()
    assert vault._prepared == {}


def test_the_seals_of_two_rows_cannot_be_swapped(store):
    vault = _vault(store)
    one, two, other = _add(vault), _add(vault), _add(vault, "other")
    for thief in (two, other):
        for data_key in (one.data_key, other.data_key):
            row = attrs.evolve(thief, sealed=one.sealed, data_key=data_key)
            with pytest.raises(SecretError):
                vault.reveal(row, HOST)


def test_a_disabled_credential_is_not_given_out(store):
    vault = _vault(store)
    row = attrs.evolve(_add(vault), disabled_us=NOW)
    with pytest.raises(SecretError, match="is switched off"):
        vault.reveal(row, HOST)


@pytest.mark.parametrize("text", ["", "sk-\u200bcanary", "canary\n", "env:CANARY", "file:/canary"])
def test_what_is_not_a_key_is_not_added(store, text):
    vault = _vault(store)
    with pytest.raises(SecretError, match="the key for provider 'acme-ai'") as refused:
        vault.add("acme", "acme-ai", HOST, "main", Secret(text), now_us=NOW)
    assert "canary" not in str(refused.value).lower()
    assert store.rows == {}


@pytest.mark.parametrize("host", ["", "https://x", "a b", "u@h", "h/p", "h?x", "h#x", "é.test"])
def test_what_is_not_a_host_binds_nothing(store, host):
    with pytest.raises(SecretError, match="is not a host to bind a credential to"):
        _vault(store).add("acme", "acme-ai", host, "main", Secret(CANARY), now_us=NOW)
    assert store.rows == {}


def test_the_vaults_own_setting_cannot_be_given(store):
    with pytest.raises(SecretError, match=r"'flo2\.seal' is the vault's own"):
        _add(_vault(store), settings={"flo2.seal": "x"})


def test_deleting_is_for_the_own_account_only(store):
    vault = _vault(store)
    credential = _add(vault)
    assert vault.delete("other", credential.id) is False
    assert vault.delete("acme", credential.id) is True
    assert vault.delete("acme", credential.id) is False


# References ---------------------------------------------------------------------------------------


def _refer(vault, reference="env:ACME_KEY"):
    return vault.add_reference("acme", "acme-ai", HOST, "main", reference, now_us=NOW)


def test_a_reference_is_read_at_each_use(store):
    environ = {"ACME_KEY": CANARY}
    vault = _vault(store, environ=environ)
    credential = _refer(vault)
    assert (credential.sealed, credential.reference, credential.last4) == (None, "env:ACME_KEY", "")
    assert store.rows == {credential.id: credential}
    assert vault.reveal(credential, HOST) == Secret(CANARY)
    environ["ACME_KEY"] = "changed"
    assert vault.reveal(credential, HOST) == Secret("changed")
    with pytest.raises(SecretError, match=r"is not sent to 'evil\.test'"):
        vault.reveal(credential, "evil.test")
    del environ["ACME_KEY"]
    with pytest.raises(SecretError, match="'ACME_KEY' is not set"):
        vault.reveal(credential, HOST)


def test_a_plugins_reference_is_resolved_by_the_plugin(store):
    vault = _vault(store, resolver=lambda reference: Secret(reference.upper()))
    assert vault.reveal(_refer(vault, "vault:a"), HOST) == Secret("VAULT:A")


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "env:OTHER"},
        {"host": "evil.test"},
        {"account": "other"},
        {"provider": "evil"},
        {"id": "cred_x"},
        {"settings": {}},
    ],
)
def test_a_reference_row_changed_in_the_store_reads_no_variable(store, change):
    vault = _vault(store, environ={"ACME_KEY": CANARY, "OTHER": CANARY})
    row = attrs.evolve(_refer(vault), **change)
    with pytest.raises(SecretError):
        vault.reveal(row, row.host)


def test_a_key_given_as_a_reference_is_not_shown(store):
    with pytest.raises(SecretError, match="is not a reference") as refused:
        _refer(_vault(store), CANARY)
    assert "canary" not in str(refused.value)


# Start --------------------------------------------------------------------------------------------


def test_the_wrong_key_encryption_key_is_refused_at_start(store):
    _vault(store)
    with pytest.raises(SecretError) as refused:
        Vault(store, _ring(NEW), {}).open()
    assert str(refused.value) == (
        f"the store is sealed under key-encryption key {_ring(OLD).newest.id!r}, and "
        f"'env:FLO2_KEK' holds {_ring(NEW).newest.id!r}; put the key that belongs to this store "
        "back (as an earlier line, if it was replaced), or point flo2 at the store that belongs to "
        "this key"
    )


def test_a_store_with_data_keys_but_no_canary_is_not_taken_for_new(store):
    _add(_vault(store))
    store.settings.clear()
    with pytest.raises(SecretError, match="is sealed under key-encryption key"):
        Vault(store, _ring(NEW), {}).open()
    assert store.settings == {}


def test_a_changed_canary_is_refused_at_start(store):
    _vault(store)
    kek_id, _, text = store.settings["vault.canary"].partition(" ")
    store.settings["vault.canary"] = (
        f"{kek_id} {text[:20]}{'B' if text[20] != 'B' else 'C'}{text[21:]}"
    )
    with pytest.raises(SecretError, match=r"'vault\.canary' does not open"):
        Vault(store, _ring(OLD), {}).open()


def test_a_setting_cannot_stand_in_for_another(store):
    vault = _vault(store)
    vault.pepper()
    store.settings["vault.canary"] = store.settings["vault.pepper"]
    with pytest.raises(SecretError, match=r"'vault\.canary' does not open"):
        vault.open()


def test_a_data_key_that_does_not_open_fails_its_own_account_only(store):
    vault = _vault(store)
    good, bad = _add(vault, "acme"), _add(vault, "other")
    store.wrapped[bad.data_key] = attrs.evolve(store.wrapped[bad.data_key], wrapped="AA==")
    fresh = Vault(store, _ring(OLD), {})
    (problem,) = fresh.open()
    assert problem.startswith(f"data key {bad.data_key!r} of account 'other' does not open")
    assert fresh.reveal(good, HOST) == Secret(CANARY)
    with pytest.raises(SecretError, match="has no data key here"):
        fresh.reveal(bad, HOST)


@pytest.mark.parametrize("change", [{"account": "other"}, {"id": "dk_x"}, {"kek_id": "new"}])
def test_a_data_key_is_bound_to_its_account_its_id_and_its_key_encryption_key(store, change):
    credential = _add(_vault(store))
    ring = _ring(OLD, NEW)
    if "kek_id" in change:
        change = {"kek_id": ring.newest.id}
    changed = attrs.evolve(store.wrapped.pop(credential.data_key), **change)
    store.wrapped[changed.id] = changed
    (problem,) = Vault(store, ring, {}).open()
    assert "does not open" in problem


def test_the_pepper_is_made_once_and_kept_sealed(store):
    pepper = _vault(store).pepper()
    assert len(pepper) == 32
    assert _vault(store).pepper() == pepper
    assert base64.b64encode(pepper).decode() not in store.settings["vault.pepper"]


def test_of_two_peppers_made_at_once_the_stored_one_counts(store):
    one, two = _vault(store), _vault(store)
    kept = two.pepper()
    first = store.settings.pop("vault.pepper")
    store.first_setting = lambda name, _: store.settings.setdefault(name, first)
    assert one.pepper() == kept


def test_a_store_that_keeps_no_setting_gives_no_pepper(store):
    vault = _vault(store)
    store.first_setting = lambda *_: ""
    with pytest.raises(SecretError, match="did not keep its setting"):
        vault.pepper()


# Rotation -----------------------------------------------------------------------------------------


def test_rewrapping_moves_everything_to_the_newest_key_while_calls_go_on(store):
    old = _vault(store, OLD)
    running = _vault(store, OLD, NEW)
    credentials = [_add(old, account) for account in ("acme", "other", "third")]
    pepper = old.pepper()
    running.refresh()

    assert running.rewrap() == 3
    assert running.rewrap() == 0

    assert {key.kek_id for key in store.wrapped.values()} == {_ring(NEW).newest.id}
    for vault in (old, running, _vault(store, NEW)):
        assert [vault.reveal(row, HOST) for row in credentials] == [Secret(CANARY)] * 3
    assert _vault(store, NEW).pepper() == pepper
    with pytest.raises(SecretError, match="is sealed under key-encryption key"):
        Vault(store, _ring(OLD), {}).open()
    assert store.rows == {row.id: row for row in credentials}


def test_rewrapping_that_was_stopped_goes_on_and_needs_the_old_key_until_it_is_through(store):
    old = _vault(store, OLD)
    credentials = [_add(old, account) for account in ("acme", "other")]
    old.pepper()
    put = store.put_data_key
    done = []

    def stops_after_one(key):
        if done:
            raise KeyboardInterrupt
        done.append(key.id)
        put(key)

    store.put_data_key = stops_after_one
    vault = _vault(store, OLD, NEW)
    with pytest.raises(KeyboardInterrupt):
        vault.rewrap()
    store.put_data_key = put
    with pytest.raises(SecretError, match="is sealed under key-encryption key"):
        Vault(store, _ring(NEW), {}).open()
    assert [vault.reveal(row, HOST) for row in credentials] == [Secret(CANARY)] * 2
    assert _vault(store, OLD, NEW).rewrap() == 1
    assert [_vault(store, NEW).reveal(row, HOST) for row in credentials] == [Secret(CANARY)] * 2


def test_new_data_keys_are_wrapped_under_the_newest_key(store):
    credential = _add(_vault(store, OLD, NEW))
    assert store.wrapped[credential.data_key].kek_id == _ring(NEW).newest.id


def test_what_is_bound_together_cannot_be_cut_differently():
    assert bind("ab", "c") != bind("a", "bc")
    assert bind("a", "") != bind("", "a")
    assert bind("a|b") != bind("a", "b")
    assert bind("\udc80") != bind("?")
