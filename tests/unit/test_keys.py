"""Issued keys: their form, their check, their life, and messages that say which of these failed."""

from __future__ import annotations

import re
import string
import zlib

import attrs
import pytest

from flo2.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    SecretError,
)
from flo2.keys import (
    ADMIN_PREFIX,
    KEY_PREFIX,
    Authenticator,
    allows_model,
    check_admin,
    checksum_ok,
    digest,
    generate,
    issue,
    issue_admin,
    presented,
    revoke,
    rotate,
)
from flo2.memory_store import MemoryStore
from flo2.stored import Account, IssuedKey

PEPPER = bytes(range(32))
NOW = 1_800_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
def store():
    store = MemoryStore()
    store.put_account(Account("acme", "Acme", NOW))
    return store


def _rows(store):
    return {key.id: key for key in store.keys(None)}


def _issue(store, **options):
    return issue(store, "acme", "laptop", pepper=PEPPER, now_us=NOW, **options)


def _refused(call, *args, **options):
    with pytest.raises(AuthenticationFailed) as refused:
        call(*args, **options)
    return refused.value


# Form ---------------------------------------------------------------------------------------------


def test_a_key_is_a_prefix_30_random_characters_and_a_checksum():
    made = generate()
    text = made.secret.reveal()
    assert re.fullmatch(r"flo2_sk_[0-9A-Za-z]{36}", text)
    assert checksum_ok(text)
    assert (made.prefix, made.last4) == (text[:12], text[-4:])
    assert text not in repr(made)


def test_the_checksum_is_the_crc32_of_all_before_it_in_base62():
    text = "flo2_sk_" + "0" * 30
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    value = sum(alphabet.index(c) * 62**i for i, c in enumerate(reversed("2qbgjc")))
    assert value == zlib.crc32(text.encode())
    assert checksum_ok(f"{text}2qbgjc")
    assert not checksum_ok("flo2_admin_" + "0" * 30 + "2qbgjc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flo2_sk_",
        "sk-0123456789",
        "flo2_sk_" + "é" * 36,
        "flo2_sk_" + "\udc80" * 36,
        "flo2_sk_" + "0" * 35 + "\n",
        "FLO2_SK_" + "0" * 36,
    ],
)
def test_what_has_not_the_form_has_no_right_checksum(text):
    assert checksum_ok(text) is False


def test_the_digest_depends_on_the_pepper():
    assert digest("a", PEPPER) == digest("a", PEPPER)
    assert re.fullmatch(r"[0-9a-f]{64}", digest("a", PEPPER))
    assert digest("a", PEPPER) != digest("a", PEPPER[::-1])


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_pepper_that_is_none_is_refused(size):
    with pytest.raises(SecretError, match=f"has {size} bytes; it needs 16 to 64"):
        digest("a", bytes(size))


# Headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer k")],
        [(b"authorization", b"bearer   k ")],
        [(b"authorization", b"BEARER k"), (b"x-api-key", b"k")],
        [(b"x-api-key", b" k")],
        [(b"x-goog-api-key", b"k"), (b"content-type", b"x")],
        [(b"authorization", b"Bearer "), (b"x-api-key", b"k")],
        [(b"authorization", b"Basic abc"), (b"x-api-key", b"k")],
        [(b"x-api-key", b""), (b"authorization", b"Bearer k")],
        {"Authorization": "Bearer k"},
        {"X-API-Key": "k"},
    ],
)
def test_the_key_is_found_in_any_header(headers):
    assert presented(headers) == "k"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer canary1"), (b"x-api-key", b"canary2")],
        [(b"x-goog-api-key", b"canary1"), (b"x-api-key", b"canary2")],
        [(b"x-api-key", b"canary1"), (b"x-api-key", b"canary2")],
        {"Authorization": "Bearer canary1", "x-api-key": "canary2"},
    ],
)
def test_two_different_keys_are_refused(headers):
    refused = _refused(presented, headers)
    assert (refused.code, refused.status) == ("conflicting_keys", 401)
    assert "canary" not in str(refused)


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ([], "no key was sent; send"),
        ({}, "no key was sent; send"),
        ([(b"authorization", b"")], "no key was sent; send"),
        ([(b"authorization", b"Bearer")], "no key was sent; send"),
        ([(b"authorization", b"Basic canary")], "not of the scheme Bearer"),
        ([(b"authorization", b"canary")], "not of the scheme Bearer"),
    ],
)
def test_no_key_says_how_to_send_one(headers, word):
    refused = _refused(presented, headers)
    assert refused.code == "missing_key"
    assert word in str(refused)
    assert "canary" not in str(refused)


def test_a_header_that_is_not_ascii_fails_as_malformed():
    for headers in ([(b"x-api-key", b"caf\xc3\xa9")], {"x-api-key": "\u200bkey"}):
        assert _refused(Authenticator(PEPPER).authenticate, presented(headers), NOW).code == (
            "malformed_key"
        )


# Authentication -----------------------------------------------------------------------------------


def test_an_issued_key_authenticates(store):
    key, secret = _issue(store)
    assert Authenticator(PEPPER, store.keys()).authenticate(secret.reveal(), NOW) == key


def _flip(text, place):
    return text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda text: text[:-1], "malformed_key", "36 letters and digits"),
        (lambda text: text + "x", "malformed_key", "36 letters and digits"),
        (lambda _: "", "malformed_key", "not a key that flo2 issued"),
        (lambda _: "x" * 44, "malformed_key", "not a key that flo2 issued"),
        (lambda text: text[:-1] + "-", "malformed_key", "not a key that flo2 issued"),
        (lambda text: "\u200b" + text[:-1], "malformed_key", "not a key that flo2 issued"),
        (lambda _: "x" * 100_000, "malformed_key", "not a key that flo2 issued"),
        (lambda _: "sk-" + "canary" * 8, "provider_key", "looks like a provider's own key"),
        (lambda _: "AIza" + "canary" * 5, "provider_key", "looks like a provider's own key"),
        (lambda text: _flip(text, 20), "bad_checksum", "typing error"),
        (lambda text: _flip(text, 43), "bad_checksum", "typing error"),
        (lambda _: generate().secret.reveal(), "unknown_key", "not known here"),
        (
            lambda _: generate(prefix=ADMIN_PREFIX).secret.reveal(),
            "admin_token",
            "this is an admin token",
        ),
    ],
)
def test_a_key_that_cannot_be_used_says_why_and_is_not_shown(store, make, code, words):
    _, secret = _issue(store)
    wrong = make(secret.reveal())
    refused = _refused(Authenticator(PEPPER, store.keys()).authenticate, wrong, NOW)
    assert (refused.code, refused.status, refused.kind) == (code, 401, "authentication")
    assert words in str(refused)
    assert len(wrong) < 8 or wrong not in str(refused)
    assert "canary" not in str(refused)


def test_another_pepper_knows_no_key(store):
    _, secret = _issue(store)
    other = Authenticator(PEPPER[::-1], store.keys())
    assert _refused(other.authenticate, secret.reveal(), NOW).code == "unknown_key"


def test_a_revoked_key_ends_at_the_next_refresh(store):
    key, secret = _issue(store)
    keys = Authenticator(PEPPER, store.keys())
    revoked = revoke(store, key, now_us=NOW)
    assert revoked == attrs.evolve(key, revoked_us=NOW)
    assert keys.authenticate(secret.reveal(), NOW) == key
    keys.refresh(store.keys())
    refused = _refused(keys.authenticate, secret.reveal(), NOW)
    assert (refused.code, f"id {key.id!r}" in str(refused)) == ("revoked_key", True)
    assert revoke(store, key, now_us=NOW + 1) == revoked


def test_a_key_works_until_it_expires(store):
    key, secret = _issue(store, expires_us=NOW + SECOND)
    keys = Authenticator(PEPPER, store.keys())
    assert keys.authenticate(secret.reveal(), NOW + SECOND - 1) == key
    refused = _refused(keys.authenticate, secret.reveal(), NOW + SECOND)
    assert (refused.code, "has expired" in str(refused)) == ("expired_key", True)


def test_a_removed_key_is_unknown_after_a_refresh(store):
    _, secret = _issue(store)
    keys = Authenticator(PEPPER, store.keys())
    keys.refresh([])
    assert _refused(keys.authenticate, secret.reveal(), NOW).code == "unknown_key"


# Look-up of what is not in the snapshot -----------------------------------------------------------


async def test_a_key_issued_elsewhere_works_at_once_and_is_looked_up_once(store):
    keys = Authenticator(PEPPER)
    key, secret = _issue(store)
    asked = []

    async def lookup(key_hash):
        asked.append(key_hash)
        return store.key_by_hash(key_hash)

    for _ in range(3):
        assert await keys.authenticate_or_look_up(secret.reveal(), NOW, lookup) == key
    assert asked == [key.hash]


async def test_a_key_that_no_store_knows_is_looked_up_once_until_the_refresh(store):
    keys = Authenticator(PEPPER)
    unknown = generate().secret.reveal()
    asked = []

    async def lookup(key_hash):
        asked.append(key_hash)

    for _ in range(3):
        with pytest.raises(AuthenticationFailed, match="not known here"):
            await keys.authenticate_or_look_up(unknown, NOW, lookup)
    assert asked == [digest(unknown, PEPPER)]
    keys.refresh([])
    assert keys.needs_lookup(unknown, NOW) == digest(unknown, PEPPER)


async def test_a_typing_error_is_not_looked_up():
    async def lookup(key_hash):
        raise AssertionError(key_hash)

    wrong = _flip(generate().secret.reveal(), 20)
    with pytest.raises(AuthenticationFailed, match="typing error"):
        await Authenticator(PEPPER).authenticate_or_look_up(wrong, NOW, lookup)


async def test_a_revoked_key_that_is_looked_up_stays_revoked(store):
    key, secret = _issue(store)
    revoke(store, key, now_us=NOW)

    async def lookup(key_hash):
        return store.key_by_hash(key_hash)

    with pytest.raises(AuthenticationFailed, match="was revoked"):
        await Authenticator(PEPPER).authenticate_or_look_up(secret.reveal(), NOW, lookup)


def test_guessing_does_not_reach_the_store_more_often_than_allowed():
    keys = Authenticator(PEPPER, lookups_per_s=3)
    guesses = [generate().secret.reveal() for _ in range(10)]
    assert sum(keys.needs_lookup(guess, NOW) is not None for guess in guesses) == 3
    assert keys.needs_lookup(guesses[9], NOW + SECOND) == digest(guesses[9], PEPPER)


def test_what_is_remembered_of_guesses_is_bounded():
    keys = Authenticator(PEPPER, lookups_per_s=2)
    for number in range(100):
        keys.learn(f"{number:064x}", None)
    assert len(keys._absent) == 20


def test_a_store_that_answers_with_another_key_lets_nobody_in(store):
    key, _ = _issue(store)
    unknown = generate().secret.reveal()
    keys = Authenticator(PEPPER)
    keys.learn(digest(unknown, PEPPER), key)
    assert _refused(keys.authenticate, unknown, NOW).code == "unknown_key"


def test_the_admin_token_needs_no_lookup():
    token = generate(prefix=ADMIN_PREFIX).secret.reveal()
    assert Authenticator(PEPPER).needs_lookup(token, NOW) is None


# Life ---------------------------------------------------------------------------------------------


def test_issue_stores_the_hash_and_not_the_key(store):
    key, secret = _issue(store, team="search", models=["gpt-*"], tags={"env": "dev"})
    text = secret.reveal()
    assert key == IssuedKey(
        id=key.id,
        account="acme",
        name="laptop",
        hash=digest(text, PEPPER),
        prefix=text[:12],
        last4=text[-4:],
        created_us=NOW,
        team="search",
        models=("gpt-*",),
        tags={"env": "dev"},
    )
    assert _rows(store) == {key.id: key}
    assert text[12:-4] not in repr(_rows(store))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"account": "nobody"}, NotFound, "no account 'nobody'"),
        ({"name": " "}, InvalidRequest, "needs a name"),
        ({"models": [""]}, InvalidRequest, "empty model pattern"),
        ({"expires_us": NOW}, InvalidRequest, "not after now"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_issued(store, change, error, words):
    options = {"account": "acme", "name": "x", "pepper": PEPPER, "now_us": NOW, **change}
    with pytest.raises(error, match=words):
        issue(store, **options)
    assert _rows(store) == {}


def test_rotation_keeps_both_keys_for_the_grace_and_then_the_new_one(store):
    old, old_secret = _issue(store, team="search", models=["a"], tags={"env": "dev"})
    new, new_secret = rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW + SECOND)
    text = new_secret.reveal()
    assert new == attrs.evolve(
        old,
        id=new.id,
        hash=digest(text, PEPPER),
        prefix=text[:12],
        last4=text[-4:],
        created_us=NOW + SECOND,
        lineage=old.id,
    )
    ends = NOW + 61 * SECOND
    assert _rows(store)[old.id] == attrs.evolve(old, expires_us=ends, replaced_by=new.id)
    keys = Authenticator(PEPPER, store.keys())
    assert keys.authenticate(old_secret.reveal(), ends - 1).id == old.id
    assert keys.authenticate(text, ends) == new
    refused = _refused(keys.authenticate, old_secret.reveal(), ends)
    assert (refused.code, f"replaced by {new.id!r}" in str(refused)) == ("expired_key", True)


def test_rotation_without_grace_ends_the_old_key_now(store):
    old, old_secret = _issue(store)
    rotate(store, old, grace_s=0, pepper=PEPPER, now_us=NOW)
    keys = Authenticator(PEPPER, store.keys())
    assert _refused(keys.authenticate, old_secret.reveal(), NOW).code == "expired_key"


def test_a_grace_never_lengthens_a_keys_life(store):
    old, _ = _issue(store, expires_us=NOW + SECOND)
    new, _ = rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW)
    assert _rows(store)[old.id].expires_us == NOW + SECOND
    assert new.expires_us == NOW + SECOND


def test_the_successor_is_stored_before_the_old_key_is_limited(store):
    old, _ = _issue(store)
    order = []
    put = store.put_key
    store.put_key = lambda key: (order.append(key.id), put(key))
    new, _ = rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW)
    assert order == [new.id, old.id]


def test_rotation_reads_the_current_record_and_not_the_callers_copy(store):
    stale, _ = _issue(store)
    revoke(store, stale, now_us=NOW)
    with pytest.raises(InvalidRequest, match="has ended"):
        rotate(store, stale, grace_s=60, pepper=PEPPER, now_us=NOW)


def test_a_key_is_rotated_once(store):
    old, _ = _issue(store)
    new, _ = rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW)
    with pytest.raises(InvalidRequest, match=f"replaced by '{new.id}'; rotate that one"):
        rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW)
    assert set(_rows(store)) == {old.id, new.id}


def test_an_expired_key_and_a_negative_grace_are_not_rotated(store):
    old, _ = _issue(store, expires_us=NOW + 1)
    with pytest.raises(InvalidRequest, match="has ended"):
        rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW + 1)
    with pytest.raises(InvalidRequest, match="is negative"):
        rotate(store, old, grace_s=-1, pepper=PEPPER, now_us=NOW)


def test_revoking_the_old_key_in_its_grace_leaves_the_new_one(store):
    old, old_secret = _issue(store)
    new, new_secret = rotate(store, old, grace_s=60, pepper=PEPPER, now_us=NOW)
    revoke(store, old, now_us=NOW)
    keys = Authenticator(PEPPER, store.keys())
    assert _refused(keys.authenticate, old_secret.reveal(), NOW).code == "revoked_key"
    assert keys.authenticate(new_secret.reveal(), NOW) == new


def test_a_key_the_store_does_not_hold_cannot_be_revoked(store):
    key, _ = _issue(store)
    store._keys.clear()
    with pytest.raises(NotFound, match=f"no key '{key.id}' in account 'acme'"):
        revoke(store, key, now_us=NOW)


@pytest.mark.parametrize(
    ("models", "model", "expected"),
    [
        ((), "anything", True),
        (("m-*",), "m-4", True),
        (("m-*",), "n-4", False),
        (("a", "b"), "b", True),
        (("a",), "A", False),
        (("a",), "ab", False),
        (("acme/*",), "acme/x/y", True),
    ],
)
def test_which_models_a_key_may_use(store, models, model, expected):
    key, _ = _issue(store, models=models)
    assert allows_model(key, model) is expected


# Admin token --------------------------------------------------------------------------------------


def test_the_admin_token_passes_and_only_the_last_one(store):
    first = issue_admin(store, pepper=PEPPER).reveal()
    check_admin(first, store.setting("admin.token"), pepper=PEPPER)
    second = issue_admin(store, pepper=PEPPER).reveal()
    check_admin(second, store.setting("admin.token"), pepper=PEPPER)
    assert re.fullmatch(r"flo2_admin_[0-9A-Za-z]{36}", second)
    refused = _refused(check_admin, first, store.setting("admin.token"), pepper=PEPPER)
    assert refused.code == "bad_admin_token"
    assert second != store.setting("admin.token")


@pytest.mark.parametrize("wrong", ["", "x", "flo2_admin_", "flo2_admin_" + "0" * 36, "\udc80"])
def test_what_is_not_the_admin_token_is_refused(store, wrong):
    issue_admin(store, pepper=PEPPER)
    refused = _refused(check_admin, wrong, store.setting("admin.token"), pepper=PEPPER)
    assert (refused.code, refused.status) == ("bad_admin_token", 401)


def test_the_stored_hash_is_not_accepted_as_a_token(store):
    issue_admin(store, pepper=PEPPER)
    stored = store.setting("admin.token")
    assert _refused(check_admin, stored, stored, pepper=PEPPER).code == "bad_admin_token"


def test_nobody_is_admin_before_a_token_was_made():
    token = generate(prefix=ADMIN_PREFIX).secret.reveal()
    assert _refused(check_admin, token, None, pepper=PEPPER).code == "bad_admin_token"


def test_an_issued_key_is_told_that_it_is_no_admin_token(store):
    _, secret = _issue(store)
    with pytest.raises(PermissionRefused, match="needs the admin token") as refused:
        check_admin(secret.reveal(), None, pepper=PEPPER)
    assert refused.value.status == 403
    assert secret.reveal().removeprefix(KEY_PREFIX) not in str(refused.value)
