"""Limits as people declare them: at the command line and through the API; what is wrong is told."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.errors import ConfigError
from flo2.limits import Limit, limit_json, read_limit
from flo2.limits.spec import whole_units
from flo2.memory_store import MemoryStore
from flo2.shell import create_app
from flo2.stored import Declaration, IssuedKey
from flo2.testing.harness import running


def declared(document, name="x", keys=None):
    return read_limit(Declaration("a", "limit", name, document, 1), keys)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (
            {"unit": "requests", "amount": "100", "per": "minute"},
            "100 requests in any minute",
        ),
        (
            {"unit": "tokens", "amount": 5000, "per": "hour", "each": "key"},
            "5000 tokens in any hour for each key",
        ),
        (
            {"unit": "usd", "amount": "0.5", "per": "day", "for": {"team": "red"}},
            "0.5 USD in any day for team 'red'",
        ),
        (
            {"unit": "parallel", "amount": "1", "for": {"tag:env": "t"}, "each": "customer"},
            "1 call at once for tag:env 't', each customer",
        ),
        (
            {"unit": "input_tokens", "amount": "1", "per": "day", "unbounded": "refuse"},
            "1 input token in any day",
        ),
    ],
)
def test_a_limit_is_read_said_and_written_again(document, sentence):
    limit = declared(document)
    assert limit.sentence() == sentence
    assert limit_json(limit) == {**document, "amount": str(document["amount"])}
    assert declared(limit_json(limit)) == limit


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (
            {},
            [
                (
                    "missing key 'unit'; one of requests, tokens, input_tokens, output_tokens, "
                    "usd, parallel @ limit 'x'.unit"
                ),
                "None is no amount; write a number such as '100' @ limit 'x'.amount",
                "missing key 'per'; one of minute, hour, day @ limit 'x'.per",
            ],
        ),
        (
            {"unit": "request", "amount": "0", "per": "minutes", "fro": 1},
            [
                "unknown key 'fro'; did you mean 'for'? @ limit 'x'.fro",
                (
                    "'request' is none of requests, tokens, input_tokens, output_tokens, usd, "
                    "parallel; did you mean 'requests'? @ limit 'x'.unit"
                ),
                "0 is not above 0 and at most 10^15 @ limit 'x'.amount",
                "'minutes' is none of minute, hour, day; did you mean 'minute'? @ limit 'x'.per",
            ],
        ),
        (
            {"unit": "requests", "amount": "1.5", "per": "day", "each": "model"},
            [
                "1.5 requests cannot be counted; write a whole number @ limit 'x'.amount",
                (
                    "'model' is none of team, key, customer, feature, end_user, route, tag:<name> "
                    "@ limit 'x'.each"
                ),
            ],
        ),
        (
            {"unit": "parallel", "amount": 1.0, "per": "day", "for": {"tag:": "x", "team": 7}},
            [
                "1.0 is no amount; write a number such as '100' @ limit 'x'.amount",
                "calls at once have no period; leave it out @ limit 'x'.per",
                (
                    "'tag:' is none of team, key, customer, feature, end_user, route, provider, "
                    "model, tag:<name> @ limit 'x'.for.tag:"
                ),
                "7 is no text of 1 to 256 characters @ limit 'x'.for.team",
            ],
        ),
        (
            {"unit": "usd", "amount": "0.0000000000001", "per": "day", "for": [], "unbounded": 1},
            [
                "0.0000000000001 has more than 12 decimals @ limit 'x'.amount",
                "[] is no table of dimension = value @ limit 'x'.for",
                "1 is neither 'estimate' nor 'refuse' @ limit 'x'.unbounded",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_all_at_once_with_its_path(document, problems):
    with pytest.raises(ConfigError) as caught:
        declared(document)
    assert list(caught.value.problems) == problems


def test_a_key_is_known_by_its_id_its_line_or_its_name():
    def key(id_, name, lineage=None):
        return IssuedKey(id_, "a", name, "", "", "", 0, lineage=lineage)

    keys = [key("k1", "app"), key("k2", "app", "k1"), key("k3", "two"), key("k4", "two")]
    base = {"unit": "requests", "amount": "1", "per": "day"}
    for wanted in ("app", "k1", "k2"):
        limit = declared({**base, "for": {"key": wanted}}, keys=keys)
        assert limit == Limit("a", "x", "requests", 1, "day", {"key": "k1"})
    for wanted, words in (("two", "give an id: k3, k4"), ("none", "there is no key 'none'")):
        with pytest.raises(ConfigError, match=words):
            declared({**base, "for": {"key": wanted}}, keys=keys)
    with pytest.raises(ConfigError, match="there is no key 'app'"):
        declared({**base, "for": {"key": "app"}}, keys=[])


def test_a_fraction_of_a_unit_counts_as_a_whole_one():
    assert whole_units("usd", Decimal("0.0000000000011")) == 2
    assert whole_units("tokens", Decimal("1.0")) == 1


@pytest.fixture
def state(tmp_path):
    return State({"FLO2_DATA_DIR": str(tmp_path)}, store=MemoryStore())


def told(state, capsys, *arguments):
    assert run([*arguments, "--json"], State(state.environ, store=state.store)) == 0
    return json.loads(capsys.readouterr().out)


def test_limits_at_the_command_line(state, capsys):
    key = told(state, capsys, "keys", "create", "app")
    given = ("--requests", "60", "--per", "minute", "--for", "key=app", "--each", "customer")
    expected = {
        "account": "default",
        "name": "burst",
        "unit": "requests",
        "amount": "60",
        "per": "minute",
        "for": {"key": key["id"]},
        "each": "customer",
    }
    assert told(state, capsys, "limits", "set", "burst", *given) == {**expected, "changed": True}
    assert told(state, capsys, "limits", "set", "burst", *given) == {**expected, "changed": False}
    assert told(state, capsys, "limits", "show", "burst") == expected
    assert told(state, capsys, "limits") == [expected]
    for command in (["limits"], ["limits", "show", "burst"]):
        assert run(command, State(state.environ, store=state.store)) == 0
        assert "60 requests in any minute" in "".join(capsys.readouterr())
    removed = {"account": "default", "name": "burst", "removed": True}
    assert told(state, capsys, "limits", "remove", "burst") == removed
    assert told(state, capsys, "limits") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--requests", "1", "--usd", "1"], "give one of --requests, --tokens"),
        ([], "give one of --requests, --tokens"),
        (["--requests", "many", "--per", "day"], "'many' is no amount"),
        (["--requests", "1"], "missing key 'per'"),
        (["--requests", "1", "--per", "day", "--for", "team"], "'team' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(state, capsys, arguments, words):
    assert run(["limits", "set", "x", *arguments], state) != 0
    assert words in capsys.readouterr().err


def test_a_limit_that_is_not_there(state, capsys):
    for command in ("show", "remove"):
        assert run(["limits", command, "x"], State(state.environ, store=state.store)) == 1
        assert "account 'default' has no limit 'x'" in capsys.readouterr().err


async def test_limits_through_the_api():
    async with running({"plugins": {"only": []}, "pricing": {}}) as house:
        admin = {"authorization": f"Bearer {house.admin}"}

        async def ask(method, path, body=None):
            answer = await house.driver.request(method, path, headers=admin, json=body)
            return answer.status, json.loads(answer.body)

        document = {"unit": "requests", "amount": "2", "per": "hour"}
        expected = {"account": "default", "name": "r", **document}
        assert await ask("PUT", "/api/limits/r", document) == (200, {**expected, "changed": True})
        assert house.gateway.runtime.admission is not None
        assert await ask("GET", "/api/limits/r") == (200, expected)
        assert await ask("GET", "/api/limits") == (200, {"object": "list", "data": [expected]})
        status, refused = await ask("PUT", "/api/limits/r", {**document, "per": "week"})
        assert (status, refused["error"]["code"]) == (400, "invalid_declaration")
        assert refused["error"]["message"] == (
            "'week' is none of minute, hour, day @ limit 'r'.per"
        )
        assert (await ask("PUT", "/api/limits/r", [1]))[0] == 400
        assert (await ask("PUT", "/api/limits/r?account=nobody", document))[0] == 404
        assert (await ask("DELETE", "/api/limits/r"))[1]["removed"] is True
        assert house.gateway.runtime.admission is None
        assert [await ask(each, "/api/limits/r") for each in ("GET", "DELETE")] == [
            (404, refused_of("limit_not_found"))
        ] * 2


async def test_a_client_that_leaves_before_its_body_is_whole_is_no_failure_of_ours():
    async with running({"plugins": {"only": []}, "pricing": {}}) as house:
        admin = f"Bearer {house.admin}".encode()
        headers = [(b"host", b"localhost"), (b"authorization", admin)]
        path = "/api/limits/r"
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("h", 80),
        }  # fmt: skip
        messages = [
            {"type": "http.request", "body": b'{"unit"', "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        await create_app(house.gateway, lifespan=False)(scope, receive, send)
        assert [each.get("status") for each in sent] == [499, None]
        assert house.gateway.store.declarations("limit") == []


def refused_of(code):
    message = "account 'default' has no limit 'r'; see: flo2 limits list"
    error = {"message": message, "type": "invalid_request_error", "param": "name", "code": code}
    return {"error": error}
