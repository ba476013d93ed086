"""What a budget may say, and what is told of it: declarations, alerts, the CLI, the admin API."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from datetime import datetime
from decimal import Decimal

import anyio
import anyio.lowlevel
import pytest
from attrs import evolve

from flo2.admission import value_of
from flo2.budgets import (
    Alerts,
    Budget,
    BudgetGate,
    Keeper,
    Purse,
    budget_json,
    period_at,
    read_budget,
)
from flo2.budgets.bounding import refers_elsewhere, uses_server_tools
from flo2.budgets.model import Webhook
from flo2.budgets.periods import zone
from flo2.budgets.webhook import PAUSES_S, deliver, sign
from flo2.cli.root import run
from flo2.cli.state import State
from flo2.errors import ConfigError
from flo2.memory_store import MemoryStore
from flo2.records import Attribution
from flo2.secrets import Secret
from flo2.services import wall_us
from flo2.spending import LeaseAsk, Standing
from flo2.stored import Account, Declaration, IssuedKey
from flo2.testing.harness import running
from flo2.testing.records import an_intent, linked, pend_of, settle_of
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

KEY = IssuedKey("key_1", "default", "app", "ab", "p", "l", 1, team="red", tags={"env": "prod"})
FULL = {
    "limit_usd": "100.5",
    "per": "week",
    "time_zone": "Europe/Berlin",
    "for": {"team": "red", "key": "app"},
    "each": "tag:env",
    "hard": True,
    "unbounded": "cap",
    "max_tokens": 512,
    "pending": {"after_days": 7, "share": "0.5"},
    "alerts": [80, 50],
    "webhook": {"url": "https://hooks.example/a?b=1", "secret": "env:HOOK"},
}


def declared(name="b", **document):
    return Declaration("default", "budget", name, document, 1)


# ----------------------------------------------------------------------------------- declarations


def test_a_declaration_is_read_and_written_back():
    budget = read_budget(declared(**FULL), [KEY])
    assert budget == Budget(
        "default",
        "b",
        Decimal("100.5"),
        "week",
        "Europe/Berlin",
        {"team": "red", "key": "key_1"},
        "tag:env",
        unbounded="cap",
        max_tokens=512,
        pending_days=7,
        pending_share=Decimal("0.5"),
        alerts=(50, 80),
        webhook=Webhook("https://hooks.example/a?b=1", "env:HOOK"),
    )
    written = budget_json(budget)
    assert written == FULL | {"for": {"team": "red", "key": "key_1"}, "alerts": [50, 80]}
    assert read_budget(declared(**written), [KEY]) == budget
    assert budget.sentence() == "100.5 USD a week for team 'red', key 'key_1', each tag:env"


def test_a_rotation_is_no_way_out_of_a_budget():
    rotated = evolve(KEY, id="key_2", lineage=KEY.id)
    for named in (KEY.id, rotated.id, rotated.name):
        budget = read_budget(declared(limit_usd="1", **{"for": {"key": named}}), [KEY, rotated])
        assert budget.only == {"key": KEY.id}
        assert budget.covers(rotated)
    assert value_of("key", rotated, Attribution()) == KEY.id


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "it is missing; write it as text, like '100' or '0.50' @ budget 'b'.limit_usd"),
        ({"limit_usd": 0.1}, "money from 0.1 (float) is refused"),
        ({"limit_usd": "many"}, "'many' is no decimal number"),
        ({"limit_usd": "NaN"}, "'NaN' is no decimal number"),
        ({"limit_usd": "0"}, "0 is no budget"),
        ({"limit_usd": "-5"}, "-5 is no budget"),
        ({"limit_usd": "1e13"}, "at most 10^12"),
        ({"limit_usd": "1e-13"}, "12 decimal places"),
        ({"limit": "1", "limit_usd": "1"}, "unknown key 'limit'; did you mean 'limit_usd'?"),
        ({"limit_usd": "1", "per": "year"}, "'year' is none of day, week, month, total"),
        ({"limit_usd": "1", "time_zone": "Mars/Base"}, "there is no time zone 'Mars/Base'"),
        ({"limit_usd": "1", "time_zone": "../etc"}, "there is no time zone '../etc'"),
        ({"limit_usd": "1", "time_zone": 3}, "expected str, got 3 @ budget 'b'.time_zone"),
        ({"limit_usd": "1", "hard": "yes"}, "expected bool, got 'yes'"),
        ({"limit_usd": "1", "for": ["team"]}, "expected dict, got ['team']"),
        ({"limit_usd": "1", "for": {"model": "m"}}, "'model' is none of team, key, customer"),
        ({"limit_usd": "1", "for": {"team": ""}}, "'' is no text of 1 to 256 characters"),
        ({"limit_usd": "1", "for": {"key": "nobody"}}, "no key is called 'nobody'"),
        ({"limit_usd": "1", "each": "feature"}, "'feature' is none of"),
        ({"limit_usd": "1", "each": "tag:"}, "'tag:' is none of"),
        ({"limit_usd": "1", "each": "team", "for": {"team": "a"}}, "cannot be for each"),
        ({"limit_usd": "1", "unbounded": "guess"}, "none of refuse, cap, model_max"),
        ({"limit_usd": "1", "unbounded": "cap"}, "'max_tokens' and 'unbounded': 'cap' belong"),
        ({"limit_usd": "1", "max_tokens": 9}, "'max_tokens' and 'unbounded': 'cap' belong"),
        ({"limit_usd": "1", "unbounded": "cap", "max_tokens": True}, "True is no whole number"),
        ({"limit_usd": "1", "hard": False, "unbounded": "refuse"}, "a soft budget refuses nothing"),
        ({"limit_usd": "1", "pending": {"share": "1"}}, "expected {'after_days': …, 'share': …}"),
        ({"limit_usd": "1", "pending": {"after_days": 0, "share": "1"}}, "0 is no whole number"),
        ({"limit_usd": "1", "pending": {"after_days": 1, "share": "1.1"}}, "no share from 0 to 1"),
        ({"limit_usd": "1", "alerts": [50]}, "'alerts' and 'webhook' belong together"),
        ({**FULL, "for": {}, "alerts": []}, "'alerts' and 'webhook' belong together"),
        ({**FULL, "for": {}, "alerts": [50, 50]}, "a threshold stands there twice"),
        ({**FULL, "for": {}, "alerts": [0]}, "0 is no whole number from 1 to 1000"),
        ({**FULL, "for": {}, "webhook": "https://a.example"}, "expected {'url': …, 'secret': …}"),
        (
            {**FULL, "for": {}, "webhook": {"url": "ftp://a.example", "secret": "env:A"}},
            "@ budget 'b'.webhook.url",
        ),
        (
            {**FULL, "for": {}, "webhook": {"url": "https://a.example", "secret": "s3cret"}},
            "it must be a reference: env:NAME, file:/path @ budget 'b'.webhook.secret",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_path_and_reason(document, problem):
    with pytest.raises(ConfigError) as raised:
        read_budget(declared(**document), [KEY])
    assert problem in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_budget(declared("a b", limit_usd="-1", per="x", each="y", nonsense=1), [KEY])
    assert len(raised.value.problems) == 5


def test_a_webhook_that_is_wrong_is_told_once():
    hook = {"url": "https://a.example", "secret": "s3cret"}
    with pytest.raises(ConfigError) as raised:
        read_budget(declared(limit_usd="1", alerts=[50], webhook=hook), [KEY])
    (problem,) = raised.value.problems
    assert problem.startswith("it must be a reference")
    with pytest.raises(ConfigError) as raised:
        read_budget(declared(limit_usd="1", alerts=[5], webhook={**hook, "url": None}), [KEY])
    (problem,) = raised.value.problems
    assert problem.startswith("where to? there is a secret and no URL @ budget")


def test_a_key_of_which_there_are_two_must_be_named_by_its_id():
    with pytest.raises(ConfigError, match="several keys are called 'app'"):
        read_budget(declared(**FULL), [KEY, evolve(KEY, id="key_2")])


def test_a_budget_says_what_its_calls_must_name_and_which_keys_it_covers():
    one = read_budget(declared(limit_usd="1", each="customer", **{"for": {"tag:env": "x"}}))
    team = read_budget(declared(limit_usd="1", each="tag:job", **{"for": {"team": "blue"}}))
    assert (one.labels, team.labels) == ({"customer", "tag:env"}, {"tag:job"})
    blue, other = evolve(KEY, team="blue"), evolve(KEY, account="other")
    assert [one.covers(key) for key in (KEY, blue, other)] == [True, True, False]
    assert [team.covers(key) for key in (KEY, blue, other)] == [False, True, False]


@pytest.mark.parametrize(
    ("body", "tools", "elsewhere"),
    [
        ('{"tools": [{"type": "web_search_20250305", "name": "web_search"}]}', True, False),
        ('{"tools": [{"type":"mcp","server_url":"https://a.example"}]}', True, False),
        ('{"tools": [{"googleSearch": {}}]}', True, False),
        ('{"tools": [{"code_execution": {}}]}', True, False),
        ('{"web_search_options": {}}', True, False),
        ('{"search_parameters": {"mode": "on"}}', True, False),
        (r'{"tools": [{"ty\u0070e": "x"}]}', True, False),
        ('{"tools": [{"type": "function", "function": {"name": "web_search"}}]}', False, False),
        ('{"messages": [{"role": "user", "content": "web_search, mcp"}]}', False, False),
        (r'{"content": "\u003cb\u003e caf\u00e9"}', False, False),
        ('{"prompt": {"id": "pmpt_1"}}', False, True),
        ('{"prompt": "Once upon a time"}', False, False),
        ('{"conversation": "conv_1"}', False, True),
        ('{"cachedContent": "cachedContents/1"}', False, True),
    ],
)
def test_what_costs_more_than_its_bytes_say_is_told_by_its_fields(body, tools, elsewhere):
    found = (uses_server_tools(body.encode()), refers_elsewhere(body.encode()))
    assert found == (tools, elsewhere)


# Midnight in these places: https://www.iana.org/time-zones, 2026a.
@pytest.mark.parametrize(
    ("per", "name", "now", "key", "hours"),
    [
        ("day", "UTC", "2026-11-25T23:59:59.999999Z", "2026-11-25", 24),
        ("day", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29", 23),
        ("day", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25", 25),
        ("week", "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-W43", 169),
        ("week", "UTC", "2027-01-01T00:00:00Z", "2026-W53", 168),
        ("month", "America/New_York", "2026-03-01T05:00:00Z", "2026-03", 743),
        # The clock went from 23:59:59 to 01:00: that day had no midnight.
        ("day", "Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-24", 23),
        # 2011-12-30 was left out.
        ("day", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29", 24),
        ("day", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31", 24),
    ],
)
def test_a_period_is_as_long_as_the_clock_on_the_wall_says(per, name, now, key, hours):
    now_us = round(datetime.fromisoformat(now).timestamp() * 1_000_000)
    period = period_at(per, zone(name), now_us)
    assert period.key == key
    assert (period.end_us - period.start_us) / 3_600_000_000 == hours


# ----------------------------------------------------------------------------------------- alerts


def test_a_message_is_signed_as_standard_webhooks_has_it():
    # The example of https://github.com/standard-webhooks/standard-webhooks, read 2026-11-25.
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    plain = hmac.digest(b"not base64", b"a.1.b", "sha256")
    assert sign(Secret("not base64"), "a", 1, b"b") == f"v1,{b64encode(plain).decode()}"


async def post(upstream, url="https://hooks.example/a?b=1", secret=lambda: Secret("key")):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    async with Wire(transport=upstream.transport()) as wire:
        why = await deliver(
            wire, url, secret, "flo2_1", b"{}", now_us=lambda: 7_000_000, sleep=sleep
        )
    return why, pauses


async def test_a_message_is_sent_until_it_is_taken():
    upstream = FakeUpstream()
    upstream.reply(503)
    upstream.stream([], ends="refuse")
    upstream.reply(204)
    assert await post(upstream) == (None, list(PAUSES_S[:2]))
    first, *more = upstream.requests
    assert more[-1] == first
    assert (first.method, first.target, first.body) == ("POST", "/a?b=1", b"{}")
    assert {name: first.headers[name] for name in first.headers if name.startswith("webhook")} == {
        "webhook-id": "flo2_1",
        "webhook-timestamp": "7",
        "webhook-signature": sign(Secret("key"), "flo2_1", 7, b"{}"),
    }


async def test_a_message_nobody_takes_is_given_up():
    upstream = FakeUpstream()
    for _ in range(5):
        upstream.reply(302, headers={"location": "https://elsewhere.example/"})
    assert await post(upstream) == ("it answered 302", list(PAUSES_S))


async def test_a_message_never_goes_where_it_must_not():
    async with Wire() as wire:
        why = await deliver(
            wire, "http://169.254.169.254/x", lambda: Secret("k"), "1", b"", now_us=lambda: 1
        )
    assert "169.254.169.254" in why


class House:
    """A worker's budgets, with all it takes to tell of them."""

    def __init__(self, upstream, group, budget):
        self.store = MemoryStore()
        self.store.put_account(Account("default", "Default", 1))
        self.now_us, self.clock_s = 1_795_618_686_000_000, 100.0
        self.wire = Wire(transport=upstream.transport())
        self.alerts = Alerts(
            self.store, self.wire, lambda _: Secret("key"), lambda: self.now_us, group
        )
        self.purse = Purse(self.store, "w1", lambda: self.clock_s)
        self.keeper = Keeper(
            self.store, self.purse, self.alerts, lambda: self.now_us, lambda: self.clock_s
        )
        gate = BudgetGate([budget], self.purse, None, lambda: self.now_us, b"pepper")
        self.keeper.gates = {"default": gate}

    def spend(self, number, amount, *, pending=False):
        pot = self.purse.pot("default", "b:2026-11", None)
        pot.used_s = self.clock_s
        intent = an_intent(number, budgets=("b:2026-11",), hold=Decimal(amount))
        end = settle_of(intent, total=Decimal(amount))
        if pending:
            end = pend_of(intent)
            end = type(end)(intent.entry_id, 5, "lost", "why", Decimal(0), Decimal(amount))
        self.store.append(linked(intent, end, writer=f"w{number}.1"))


BUDGET = Budget("default", "b", Decimal(10), alerts=(50, 80, 100), webhook=Webhook(
    "https://hooks.example/a", "env:HOOK"
))  # fmt: skip


async def test_each_threshold_is_told_once_by_whoever_sees_it_first():
    upstream = FakeUpstream()
    for _ in range(3):
        upstream.reply(200)
    async with anyio.create_task_group() as group:
        house = House(upstream, group, BUDGET)
        other = House(upstream, group, BUDGET)
        other.store = house.store
        other.purse._store = other.alerts._store = other.keeper._store = house.store
        house.spend(1, "4.999999999999")
        await house.keeper.once()
        house.spend(2, "0.000000000001")
        other.purse.pot("default", "b:2026-11", None).used_s = 100.0
        for keeper in (house.keeper, other.keeper, house.keeper):
            await keeper.once()
        house.spend(3, "6", pending=True)
        for keeper in (other.keeper, house.keeper):
            await keeper.once()
    told = [json.loads(each.body) for each in upstream.requests]
    assert [each["data"]["percent"] for each in told] == [50, 80, 100]
    assert len({each.headers["webhook-id"] for each in upstream.requests}) == 3
    assert told[0] == {
        "type": "budget.threshold",
        "timestamp": "2026-11-25T14:58:06Z",
        "data": {
            "account": "default",
            "budget": "b",
            "allows": "10 USD a month",
            "for": None,
            "percent": 50,
            "limit_usd": "10",
            "spent_usd": "5",
            "pending_usd": "0",
            "hard": True,
            "period": "2026-11",
            "resets_at": "2026-12-01T00:00:00Z",
        },
    }
    assert (told[2]["data"]["spent_usd"], told[2]["data"]["pending_usd"]) == ("5", "6")


async def test_an_alert_nobody_took_is_logged_without_its_secret(caplog):
    async def at_once(_):
        await anyio.lowlevel.checkpoint()

    upstream = FakeUpstream()
    for _ in range(5):
        upstream.reply(500)
    async with anyio.create_task_group() as group:
        house = House(upstream, group, BUDGET)
        house.alerts._sleep = at_once
        house.spend(1, "5")
        await house.keeper.once()
    (record,) = caplog.records
    assert record.getMessage() == (
        "budget 'b' of account 'default' passed 50 %, and its webhook was not told: it answered 500"
    )


async def test_what_is_pending_for_long_is_aged_by_its_budgets_rule():
    async with anyio.create_task_group() as group:
        rule = {"pending_days": 1, "pending_share": Decimal("0.1")}
        house = House(FakeUpstream(), group, evolve(BUDGET, alerts=(), webhook=None, **rule))
        house.spend(1, "4", pending=True)
        await house.keeper.once()
        house.spend(2, "1", pending=True)
        await house.keeper.once()  # once in a minute
        stands = {each.counter: each.pending for each in house.store.standings("default")}
        assert stands == {"b:2026-11": Decimal("1.4")}
        house.clock_s += 61
        await house.keeper.once()
        (standing,) = house.store.standings("default")
        assert standing.pending == Decimal("0.5")


# ----------------------------------------------------------------------------- the CLI and the API


def test_the_command_declares_shows_and_removes(capsys):
    store = MemoryStore()

    def flo2(*words):
        code = run([*words, "--json"], State({}, store=store))
        captured = capsys.readouterr()
        return code, json.loads(captured.out or captured.err)

    assert flo2("keys", "create", "app")[0] == 0
    words = ("budgets", "set", "m", "--limit", "1", "--for", "key=app", "--alert", "50")
    hook = ("--webhook", "https://a.example/x", "--secret", "env:A", "--pending-after", "30d")
    code, made = flo2(*words, *hook, "--pending-share", "0.5", "--unbounded", "model_max")
    (key,) = store.keys()
    expected = {
        "limit_usd": "1",
        "per": "month",
        "time_zone": "UTC",
        "for": {"key": key.id},
        "hard": True,
        "unbounded": "model_max",
        "pending": {"after_days": 30, "share": "0.5"},
        "alerts": [50],
        "webhook": {"url": "https://a.example/x", "secret": "env:A"},
    }
    assert (code, made) == (0, {"account": "default", "name": "m", "changed": True, **expected})
    assert flo2(*words, *hook, "--pending-share", "0.5", "--unbounded", "model_max")[1] == {
        **made,
        "changed": False,
    }
    counter = f"m:{period_at('month', zone('UTC'), wall_us()).key}"
    ask = LeaseAsk("default", counter, None, *[Decimal("0.25")] * 2, Decimal(1), Decimal(0))
    store.lease("w1", [ask])
    code, (listed,) = flo2("budgets")
    assert code == 0
    assert listed["counters"] == [
        {
            "counter": counter,
            "for": None,
            "spent_usd": "0",
            "pending_usd": "0",
            "in_hand_usd": "0.25",
            "workers": {"w1": "0.25"},
            "left_usd": "0.75",
        }
    ]
    assert flo2("budgets", "show", "m") == (0, listed)
    assert run(["budgets", "show", "m"], State({}, store=store)) == 0
    captured = capsys.readouterr()
    assert "budget m: 1 USD a month for key" in captured.err
    assert "0.75" in captured.out
    assert "in hand of worker w1: 0.25 USD" in captured.err
    assert flo2("budgets", "release", "w9")[0] == 1
    assert flo2("budgets", "release", "w1")[1] == {"worker": "w1", "released": True}
    assert flo2("budgets", "show", "m")[1]["counters"][0]["in_hand_usd"] == "0"
    code, told = flo2("budgets", "set", "m", "--limit", "0", "--per", "day", "--alert", "5")
    assert code == 1
    assert "'m'.alerts" in told["error"]["message"]
    assert "'m'.limit_usd" in told["error"]["message"]
    assert flo2("budgets", "set", "x", "--limit", "1", "--account", "nobody")[0] == 1
    assert flo2("budgets", "remove", "m")[1]["removed"]
    assert flo2("budgets", "remove", "m")[0] == flo2("budgets", "show", "m")[0] == 1
    assert flo2("budgets") == (0, [])


async def test_the_admin_declares_over_http_and_a_key_sees_its_own():
    async with running({"plugins": {"only": []}, "pricing": {}}) as house:

        async def http(method, path, body=None, *, admin=True):
            token = house.admin if admin else house.key
            answer = await house.driver.request(
                method,
                path,
                headers={"authorization": f"Bearer {token}"},
                body=b"" if body is None else json.dumps(body).encode(),
            )
            return answer.status, json.loads(answer.body)

        document = {"limit_usd": "5", "per": "total"}
        status, made = await http("PUT", "/api/budgets/mine", document)
        assert (status, made["changed"], made["limit_usd"]) == (200, True, "5")
        assert (await http("PUT", "/api/budgets/mine", document))[1]["changed"] is False
        assert set(house.gateway.runtime.admission.gates) == {"default"}
        for name, whom in (("reds", {"team": "red"}), ("acmes", {"customer": "acme"})):
            await http("PUT", f"/api/budgets/{name}", {"limit_usd": "1", "for": whom})
        await http("PUT", "/api/budgets/keys", {"limit_usd": "1", "each": "key"})
        _, listed = await http("GET", "/api/budgets")
        assert [each["name"] for each in listed["data"]] == ["acmes", "keys", "mine", "reds"]
        status, own = await http("GET", "/api/budgets", admin=False)
        assert [each["name"] for each in own["data"]] == ["keys", "mine"]
        _, one = await http("GET", "/api/budgets/mine", admin=False)
        assert one == own["data"][1]
        assert (one["period"], one["resets_at"]) == ("total", None)
        assert one["counters"][0]["left_usd"] == "5"
        assert (await http("GET", "/api/budgets/mine"))[1] == one
        for path in ("/api/budgets/reds", "/api/budgets/nothing"):
            assert (await http("GET", path, admin=False))[0] == 404
        for method in ("PUT", "DELETE"):
            status, told = await http(method, "/api/budgets/mine", document, admin=False)
            assert (status, told["error"]["type"]) == (403, "permission_error")
        status, told = await http("PUT", "/api/budgets/mine", {"limit_usd": "-1"})
        assert (status, told["error"]["code"]) == (400, "invalid_budget")
        hook = {"alerts": [5], "webhook": {"url": "https://a.example", "secret": "env:HOME"}}
        status, told = await http("PUT", "/api/budgets/mine", {**document, **hook})
        assert (status, told["error"]["code"]) == (400, "operator_only")
        assert (await http("PUT", "/api/budgets/x", [1]))[0] == 400
        assert (await http("PUT", "/api/budgets/x?account=nobody", document))[0] == 404
        assert (await http("GET", "/api/budgets/nothing"))[0] == 404
        assert (await http("DELETE", "/api/budgets/mine"))[0] == 200
        assert (await http("DELETE", "/api/budgets/mine"))[0] == 404


def test_a_standing_says_what_is_taken():
    standing = Standing("a", "b", None, Decimal(1), Decimal(2), {"x": Decimal(3), "y": Decimal(-1)})
    assert standing.taken == Decimal(6)
