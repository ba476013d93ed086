"""Two accounts with the same names for everything: neither reaches, sees or guesses the other's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from flo2 import Gateway, MemoryStore, Secret
from flo2.keys import issue, issue_admin, revoke
from flo2.shell import create_app
from flo2.stored import Account, IssuedKey, RouteSpec, SealedCredential, TargetSpec
from flo2.stores import Store
from flo2.testing import ASGIDriver, FakeUpstream
from flo2.wire import Wire
from flo2_store_sql import SqlStore

ACCOUNTS = ("one", "two")
PROVIDERS = ("acme", "beta")
MODELS = ("acme/m", "beta/m", "smart", "acme/secret-of-two")
ANSWER: dict[str, Any] = {
    "id": "r1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@define(eq=False)
class Key:
    record: IssuedKey
    text: str
    works: bool = True


@define(eq=False)
class Made:
    """A call that was made."""

    account: str
    key_id: str
    call_id: str


@define
class Model:
    """What must be true, as simply as can be said."""

    keys: list[Key] = field(factory=list)
    # account → provider → credential id → the provider key
    credentials: dict[str, dict[str, dict[str, str]]] = field(
        factory=lambda: {name: {p: {} for p in PROVIDERS} for name in ACCOUNTS}
    )
    routes: dict[str, tuple[str, ...]] = field(factory=dict)
    calls: list[Made] = field(factory=list)

    def may_use(self, account: str, model: str) -> set[str]:
        """Give the provider keys that a call of this account may carry; none: it is refused."""
        names = self.routes.get(account, ()) if model == "smart" else (model.partition("/")[0],)
        return {key for name in names for key in self.credentials[account][name].values()}


class House:
    """A gateway over a store, driven from a test without an event loop of its own."""

    def __init__(self, store: Store, portal: BlockingPortal, stack: ExitStack) -> None:
        self.store = store
        self.portal = portal
        self.upstream = FakeUpstream()
        compatible = {"kind": "openai-compatible"}
        # The same host for both providers: only the credential tells the accounts apart.
        hosts = {name: {**compatible, "base_url": "http://h.example"} for name in PROVIDERS}
        self.gateway = Gateway.build(
            {
                "plugins": {"only": []},
                "data_dir": stack.enter_context(TemporaryDirectory()),
                "providers": hosts,
            },
            store=store,
            environ={},
            wire=Wire(transport=self.upstream.transport()),
        )
        stack.enter_context(portal.wrap_async_context_manager(self.gateway))
        self.driver = ASGIDriver(create_app(self.gateway, lifespan=False))
        self.vault = self.gateway.runtime.vault
        self.pepper = self.vault.pepper()
        self.admin = issue_admin(store, pepper=self.pepper).reveal()
        for name in ACCOUNTS:
            store.put_account(Account(name, name, self.now()))
        self.refresh()

    def now(self) -> int:
        return self.gateway.services.now_us()

    def refresh(self) -> None:
        self.portal.call(lambda: self.gateway.refresh(force=True))

    def request(self, method: str, path: str, token: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {token}"}
        return self.portal.call(
            lambda: self.driver.request(method, path, headers=headers, json=body)
        )

    def call(self, token: str, model: str) -> Any:
        self.upstream.forget()
        self.upstream.reply(json=ANSWER)
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        return self.request("POST", "/v1/chat/completions", token, body)


class Tenants(RuleBasedStateMachine):
    """Random sequences of what owners and clients do, against the naive model."""

    keys: Bundle[Key] = Bundle("keys")
    credentials: Bundle[SealedCredential] = Bundle("credentials")
    calls: Bundle[Made] = Bundle("calls")
    accounts = st.sampled_from(ACCOUNTS)
    providers = st.sampled_from(PROVIDERS)

    def store(self, stack: ExitStack) -> Store:
        return MemoryStore()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        portal = self.stack.enter_context(start_blocking_portal())
        self.house = House(self.store(self.stack), portal, self.stack)
        self.model = Model()
        self.made = 0

    def teardown(self) -> None:
        self.stack.close()

    @initialize(target=keys)
    def first_key(self) -> Key:
        return self.create_key_of("one")

    def create_key_of(self, account: str) -> Key:
        house = self.house
        record, secret = issue(house.store, account, "app", pepper=house.pepper, now_us=house.now())
        house.refresh()
        key = Key(record, secret.reveal())
        self.model.keys.append(key)
        return key

    @rule(target=keys, account=accounts)
    def create_key(self, account: str) -> Key:
        return self.create_key_of(account)

    @rule(key=keys)
    def revoke_key(self, key: Key) -> None:
        revoke(self.house.store, key.record, now_us=self.house.now())
        self.house.refresh()
        key.works = False

    @rule(target=credentials, account=accounts, provider=providers)
    def add_credential(self, account: str, provider: str) -> SealedCredential:
        self.made += 1
        text = f"sk-{account}-{provider}-{self.made:04}-0123456789"
        house = self.house
        sealed = house.vault.add(
            account, provider, "h.example", "main", Secret(text), now_us=house.now()
        )
        house.refresh()
        self.model.credentials[account][provider][sealed.id] = text
        return sealed

    @rule(credential=credentials, account=accounts)
    def remove_credential(self, credential: SealedCredential, account: str) -> None:
        """Remove it in an account; in another one than its own there is nothing to remove."""
        own = self.model.credentials[credential.account][credential.provider]
        there = account == credential.account and credential.id in own
        assert self.house.vault.delete(account, credential.id) == there
        self.house.refresh()
        if there:
            del own[credential.id]

    @rule(account=accounts, names=st.lists(providers, min_size=1, unique=True))
    def make_route(self, account: str, names: list[str]) -> None:
        targets = tuple(TargetSpec(name, "m") for name in names)
        self.house.store.put_route(RouteSpec(account, "smart", "ordered", targets))
        self.house.refresh()
        self.model.routes[account] = tuple(names)

    @rule(account=accounts)
    def remove_route(self, account: str) -> None:
        gone = self.house.store.delete_route(account, "smart")
        assert gone == (account in self.model.routes)
        self.house.refresh()
        self.model.routes.pop(account, None)

    @rule(target=calls, key=keys, model=st.sampled_from(MODELS))
    def call(self, key: Key, model: str) -> Made:
        before = len(self.house.upstream.requests)
        answer = self.house.call(key.text, model)
        sent = [each.headers["authorization"] for each in self.house.upstream.requests[before:]]
        allowed = self.model.may_use(key.record.account, model)
        if not key.works:
            assert (answer.status, sent) == (401, [])
        elif not allowed:
            assert (answer.status, sent) == (404, [])
        else:
            assert answer.status == 200
            assert {value.removeprefix("Bearer ") for value in sent} <= allowed
            assert len(sent) == 1
        self.sees_nothing_of_the_other(key.record.account, answer)
        call_id = answer.header("x-flo2-request-id") or "0" * 32
        made = Made(key.record.account, key.record.id, call_id)
        if key.works:
            self.model.calls.append(made)
        return made

    @rule(key=keys, made=calls)
    def read_receipt(self, key: Key, made: Made) -> None:
        answer = self.house.request("GET", f"/api/calls/{made.call_id}", key.text)
        mine = made in self.model.calls and made.key_id == key.record.id
        assert answer.status == (401 if not key.works else 200 if mine else 404)
        self.sees_nothing_of_the_other(key.record.account, answer)

    @rule(key=keys, made=calls, by=st.integers(-3, 3))
    def guess(self, key: Key, made: Made, by: int) -> None:
        """Try ids next to one's own, as the count in them goes up by one a call."""
        count = (int(made.call_id[12:20], 16) + by) % 2**32
        guessed = f"{made.call_id[:12]}{count:08x}{made.call_id[20:]}"
        mine = {each.call_id for each in self.model.calls if each.key_id == key.record.id}
        answer = self.house.request("GET", f"/api/calls/{guessed}", key.text)
        assert answer.status == (401 if not key.works else 200 if guessed in mine else 404)

    @rule(made=calls, account=accounts)
    def admin_reads_receipt(self, made: Made, account: str) -> None:
        path = f"/api/calls/{made.call_id}?account={account}"
        answer = self.house.request("GET", path, self.house.admin)
        theirs = made in self.model.calls and made.account == account
        assert answer.status == (200 if theirs else 404)
        if theirs:
            assert answer.json()["account"] == account

    @rule(account=accounts)
    def admin_lists(self, account: str) -> None:
        ask = self.house.request
        mine = {each.call_id for each in self.model.calls if each.account == account}
        suffix = f"account={account}&limit=1000"
        listed = ask("GET", f"/api/calls?{suffix}", self.house.admin).json()["data"]
        assert {each["id"] for each in listed} == mine
        entries = ask("GET", f"/api/entries?{suffix}", self.house.admin).json()["data"]
        assert {each["id"].partition(".")[0] for each in entries} <= mine
        known = {key.record.id for key in self.model.keys if key.record.account == account}
        rows = ask("GET", f"/api/usage?by=key&account={account}", self.house.admin).json()["data"]
        assert {each["key"] for each in rows} <= known
        assert sum(each["entries"] for each in rows) == len(entries)

    @rule(key=keys)
    def list_models(self, key: Key) -> None:
        answer = self.house.request("GET", "/v1/models", key.text)
        if not key.works:
            assert answer.status == 401
            return
        names = {each["id"] for each in answer.json()["data"]}
        assert names == ({"smart"} if key.record.account in self.model.routes else set())

    @rule(key=keys, path=st.sampled_from(["calls", "entries", "usage", "plugins", "x"]))
    def administer_with_a_key(self, key: Key, path: str) -> None:
        for account in ACCOUNTS:
            answer = self.house.request("GET", f"/api/{path}?account={account}", key.text)
            assert answer.status == 403

    @invariant()
    def credentials_open_only_where_they_belong(self) -> None:
        for account in ACCOUNTS:
            for sealed in self.house.store.credentials(account):
                expected = self.model.credentials[account][sealed.provider][sealed.id]
                assert self.house.vault.reveal(sealed, "h.example").reveal() == expected

    def sees_nothing_of_the_other(self, account: str, answer: Any) -> None:
        (other,) = set(ACCOUNTS) - {account}
        seen = f"{answer.headers!r} {answer.text}"
        for provider in PROVIDERS:
            for credential_id, text in self.model.credentials[other][provider].items():
                assert credential_id not in seen
                assert text not in seen
        for key in self.model.keys:
            if key.record.account == other:
                assert key.record.id not in seen


class TenantsInSql(Tenants):
    """The same over a database."""

    def store(self, stack: ExitStack) -> Store:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        return SqlStore(SqlStore.Config(path=str(folder / "flo2.db")))


# A failure is told as it was found: making it shorter takes minutes, as each try builds a gateway.
_AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
TestTenants = Tenants.TestCase
TestTenants.settings = settings(max_examples=30, stateful_step_count=40, phases=_AS_FOUND)
TestTenantsInSql = TenantsInSql.TestCase
TestTenantsInSql.settings = settings(max_examples=6, stateful_step_count=30, phases=_AS_FOUND)


# ------------------------------------------------------------------------- what one example shows


@pytest.fixture(params=["memory", "sql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    store: Store = MemoryStore()
    if request.param == "sql":
        store = SqlStore(SqlStore.Config(path=str(tmp_path / "flo2.db")))
    with ExitStack() as stack:
        yield House(store, stack.enter_context(start_blocking_portal()), stack)


def people(house: House) -> dict[str, tuple[IssuedKey, str]]:
    """Give each account a key and a credential of the same names."""
    made = {}
    for name in ACCOUNTS:
        record, secret = issue(
            house.store, name, "app", pepper=house.pepper, now_us=house.now(), tags={"of": name}
        )
        text = f"sk-{name}-0123456789abcdef"
        house.vault.add(name, "acme", "h.example", "main", Secret(text), now_us=house.now())
        house.store.put_route(RouteSpec(name, "smart", "ordered", (TargetSpec("acme", name),)))
        made[name] = (record, secret.reveal())
    house.refresh()
    return made


def test_the_same_names_mean_each_account_its_own(house: House) -> None:
    for name, (_, token) in people(house).items():
        for model in ("acme/m", "smart"):
            assert house.call(token, model).status == 200
            sent = house.upstream.last
            assert sent.headers["authorization"] == f"Bearer sk-{name}-0123456789abcdef"
            assert sent.json()["model"] == ("m" if model == "acme/m" else name)


def test_who_has_no_credential_does_not_borrow_one(house: House) -> None:
    made = people(house)
    (one,) = house.store.credentials("one")
    house.vault.delete("one", one.id)
    house.refresh()
    for model in ("acme/m", "smart"):
        assert house.call(made["one"][1], model).status == 404
    assert house.upstream.requests == []


@pytest.mark.parametrize("change", ["account", "provider", "host", "id"])
def test_a_row_that_was_moved_in_the_database_does_not_open(house: House, change: str) -> None:
    """Whoever can write to the store still cannot make one account use another's key."""
    from attrs import evolve  # noqa: PLC0415  # for this test only

    made = people(house)
    (one,) = house.store.credentials("one")
    (two,) = house.store.credentials("two")
    moved = {
        "account": evolve(two, account="one", data_key=one.data_key),
        "provider": evolve(two, provider="beta"),
        "host": evolve(two, host="evil.example"),
        "id": evolve(two, account="one", id=one.id),
    }[change]
    house.vault.delete("one", one.id)
    house.store.put_credential(moved)
    house.refresh()
    for _, token in made.values():
        for model in ("acme/m", "beta/m"):
            house.call(token, model)
    keys = {each.headers["authorization"] for each in house.upstream.requests}
    assert keys <= {"Bearer sk-two-0123456789abcdef"}
    assert all(each.headers["authorization"] for each in house.upstream.requests)
    one_calls = [house.call(made["one"][1], "acme/m").status]
    assert 200 not in one_calls


def test_errors_name_nothing_of_the_other_account(house: House) -> None:
    made = people(house)
    record, token = made["one"]
    seen = [
        house.call(token, model).text
        for model in ("smarter", "beta/m", "two", "acme/", "smart@two", "m", f"{record.id}")
    ]
    (two,) = house.store.credentials("two")
    for text in seen:
        assert two.id not in text
        assert made["two"][0].id not in text
        assert "sk-two" not in text


def test_attribution_does_not_move_a_call_to_another_account(house: House) -> None:
    made = people(house)
    body = {"model": "acme/m", "messages": [{"role": "user", "content": "x"}], "account": "two"}
    names = ("x-flo2-account", "x-flo2-team", "x-account", "x-tenant", "openai-organization")
    house.upstream.reply(json=ANSWER)
    answer = house.portal.call(
        lambda: house.driver.request(
            "POST",
            "/v1/chat/completions?account=two",
            headers={
                "authorization": f"Bearer {made['one'][1]}",
                "x-flo2-tags": json.dumps({"account": "two", "team": "two"}),
                **dict.fromkeys(names, "two"),
            },
            json=body,
        )
    )
    call_id = answer.header("x-flo2-request-id")
    found = {
        name: house.request("GET", f"/api/calls/{call_id}?account={name}", house.admin).status
        for name in ACCOUNTS
    }
    receipt = house.request("GET", f"/api/calls/{call_id}", made["one"][1]).json()
    assert found == {"one": 200, "two": 404}
    assert (receipt["account"], receipt["attribution"]["team"]) == ("one", None)
    # A receipt's own reader cannot choose an account either.
    other = house.request("GET", f"/api/calls/{call_id}?account=one", made["two"][1])
    assert other.status == 404
