"""Rules of a key for the attribution of its calls, as people declare them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.cli.root import run
from flo2.cli.state import State
from flo2.errors import ConfigError
from flo2.keys.rules import read_rules, rules_json
from flo2.memory_store import MemoryStore
from flo2.stored import AttributionRules, LabelRule
from flo2.testing.harness import running

TEXT = st.text(min_size=1, max_size=9)
RULE = st.builds(
    LabelRule, st.none() | TEXT, st.just(()) | st.lists(TEXT).map(lambda all_: (*all_, "*")),
    st.booleans(),
)  # fmt: skip


@given(
    st.builds(
        AttributionRules,
        st.none() | RULE,
        st.none() | RULE,
        st.none() | RULE,
        st.dictionaries(TEXT, RULE, max_size=3),
        st.booleans(),
    )
)
def test_rules_are_read_as_they_were_written(rules):
    document = json.loads(json.dumps(rules_json(rules)))
    assert read_rules(document) == (None if rules == AttributionRules() else rules)


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ([], ["[] is no table @ attribution"]),
        (
            {"custommer": {}, "feature": 1},
            [
                "unknown key 'custommer'; did you mean 'customer'? @ attribution.custommer",
                "1 is no table @ attribution.feature",
            ],
        ),
        (
            {"tags": {"": {}, "env": {"allow": [], "default": "", "allowed": "x"}}},
            [
                "'' is no name of a tag @ attribution.tags.",
                "unknown key 'allow'; did you mean 'allowed'? @ attribution.tags.env.allow",
                "'' is no text of 1 to 256 characters @ attribution.tags.env.default",
                "'x' is no list of texts @ attribution.tags.env.allowed",
            ],
        ),
        (
            {"customer": {"default": "b", "allowed": ["a", "c*"]}},
            ["'b' is not allowed by ['a', 'c*'] @ attribution.customer.default"],
        ),
        (
            {"tags": 1, "other_tags": 0, "customer": {"required": "yes"}},
            [
                "'yes' is neither true nor false @ attribution.customer.required",
                "1 is no table of tag = rule @ attribution.tags",
                "0 is neither true nor false @ attribution.other_tags",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_all_at_once_with_its_path(document, problems):
    with pytest.raises(ConfigError) as caught:
        read_rules(document)
    assert list(caught.value.problems) == problems


@pytest.fixture
def state(tmp_path):
    return State({"FLO2_DATA_DIR": str(tmp_path)}, store=MemoryStore())


def told(state, capsys, *arguments):
    assert run([*arguments, "--json"], State(state.environ, store=state.store)) == 0
    return json.loads(capsys.readouterr().out)


def test_rules_at_the_command_line(state, capsys):
    made = told(
        state, capsys, "keys", "create", "app", "--bind", "customer=acme", "--require", "feature",
        "--allow", "tag:env=test", "--allow", "tag:env=prod-*", "--no-other-tags",
    )  # fmt: skip
    assert made["attribution"] == {
        "feature": {"required": True},
        "customer": {"default": "acme", "allowed": ["acme"]},
        "tags": {"env": {"allowed": ["test", "prod-*"]}},
        "other_tags": False,
    }
    changed = told(
        state, capsys, "keys", "update", "app", "--clear", "customer", "--other-tags",
        "--allow", "tag:env=dev", "--default", "tag:env=dev",
    )  # fmt: skip
    assert changed["attribution"] == {
        "feature": {"required": True},
        "tags": {"env": {"default": "dev", "allowed": ["dev"]}},
    }
    assert run(["keys", "update", "app"], State(state.environ, store=state.store)) == 0
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  feature: required",
        "  tag:env: default dev; allowed dev",
    ]
    rotated = told(state, capsys, "keys", "rotate", "app")
    assert rotated["attribution"] == changed["attribution"]
    ended = told(state, capsys, "keys", "update", rotated["id"], "--clear", "all")
    assert ended["attribution"] is None


def test_a_label_that_is_none_is_refused(state, capsys):
    assert run(["keys", "create", "app", "--require", "team"], state) != 0
    assert "'team' is none of feature, customer, end_user, tag:<name>" in capsys.readouterr().err
    assert run(["keys"], State(state.environ, store=state.store)) == 0
    assert "app" not in capsys.readouterr().out


async def test_keys_through_the_api():
    async with running({"plugins": {"only": []}, "pricing": {}}) as house:
        admin = {"authorization": f"Bearer {house.admin}"}

        async def ask(method, path, body=None):
            answer = await house.driver.request(method, path, headers=admin, json=body)
            return answer.status, json.loads(answer.body)

        rules = {"customer": {"default": "acme", "allowed": ["acme"]}}
        given = {"name": "app", "team": "red", "tags": {"env": "t"}, "attribution": rules}
        status, made = await ask("POST", "/api/keys", given)
        secret = made.pop("key")
        assert (status, house.gateway.recognise(secret).id) == (201, made["id"])
        assert {name: made[name] for name in given} == given
        listed = (await ask("GET", "/api/keys"))[1]["data"]
        assert made in listed
        assert secret not in json.dumps(listed)
        path = f"/api/keys/{made['id']}"
        changed = {"attribution": {"feature": {"required": True}}}
        assert await ask("PATCH", path, changed) == (200, {**made, **changed})
        assert house.gateway.recognise(secret).attribution.feature == LabelRule(required=True)
        none = {"attribution": None}
        assert await ask("PATCH", path, none) == (200, {**made, **none})
        for body, words in (
            ({"name": 1, "tags": {"a": 1}}, "1 is no text @ name; {'a': 1} is no table of texts"),
            ({"name": "x", "hash": "y"}, "unknown key 'hash'; known: name, team, models, tags"),
            ({"name": "x", "models": "m"}, "'m' is no list of patterns @ models"),
            ({"name": " "}, "a key needs a name"),
            ({"name": None}, "a key needs a name"),
            ({"name": "x", "attribution": {"feature": 1}}, "1 is no table @ attribution.feature"),
        ):
            status, refused = await ask("POST", "/api/keys", body)
            assert status == 400
            assert words in refused["error"]["message"]
        assert (await ask("PATCH", path, {"team": "blue"}))[0] == 400
        assert (await ask("PATCH", "/api/keys/key_none", none))[0] == 404
