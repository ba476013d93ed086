"""Attribution: frozen when a call comes, as its key allows; every partition is exact (P31)."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flo2.errors import InvalidRequest
from flo2.gateway.caller import attribute
from flo2.ledger import DIMENSIONS, summarise
from flo2.money import total
from flo2.records import Adjust, fold_entry
from flo2.stored import AttributionRules, IssuedKey, LabelRule
from flo2.testing.records import an_intent, attributions, pend_of, settle_of, void_of

TAGS = ("env", "job", "ü")
WORDS = st.sampled_from(["a", "ab", "b", "test"])
MONEY = st.decimals(0, 10_000, places=12)
VARIED = {
    "model": ["m1", "m2"],
    "provider": ["acme", "beta"],
    "key_id": ["key_1", "key_2"],
    "route": [None, "fast"],
    "experiment": [None, "x"],
    "arm": [None, "b"],
    "role": ["primary", "judge"],
}


@st.composite
def entries(draw):
    made = []
    for number in range(draw(st.integers(0, 8))):
        varied = {name: draw(st.sampled_from(values)) for name, values in VARIED.items()}
        intent = an_intent(number, attribution=draw(attributions()), **varied)
        end = draw(st.sampled_from(["open", "settled", "pending", "void"]))
        if end == "open":
            made.append(fold_entry([intent]))
        elif end == "settled":
            amount = draw(MONEY)
            made.append(fold_entry([intent, settle_of(intent, total=amount, model_billed=None)]))
        else:
            made.append(fold_entry([intent, (pend_of if end == "pending" else void_of)(intent)]))
    return made


def corrections(found):
    """Give adjustments: parts for some of the entries and for one that is not among them."""
    ids = [each.intent.entry_id for each in found]
    parts = st.dictionaries(
        st.sampled_from([*ids, "gone.1"]), MONEY.map(lambda amount: amount - 5000), min_size=1
    )
    made = st.builds(Adjust, st.just("adj"), st.just("default"), st.just(1), st.just("reprice"),
                     st.just("bill"), parts)  # fmt: skip
    return st.lists(made, max_size=3)


def sums(rows):
    highs = [row.pending_high for row in rows]
    return (
        sum(row.entries for row in rows),
        total(row.total for row in rows),
        total(row.pending_low for row in rows),
        None if None in highs else total(high for high in highs if high is not None),
        {
            meter: total(Decimal(row.meters.get(meter, 0)) for row in rows)
            for row in rows
            for meter in row.meters
        },
    )


BY = st.lists(
    st.sampled_from([*DIMENSIONS, *(f"tag:{name}" for name in TAGS)]), max_size=5, unique=True
)


@given(entries(), BY, st.data())
def test_p31_sums_over_any_partition_equal_the_total(found, by, data):
    adjusts = data.draw(corrections(found))
    rows = summarise(found, by, adjusts)
    assert sums(rows) == sums(summarise(found, [], adjusts))
    assert len({(row.group, row.currency) for row in rows}) == len(rows)
    ids = {each.intent.entry_id for each in found}
    booked = [each.total for each in found if each.total is not None]
    added = [part for each in adjusts for entry, part in each.amounts.items() if entry in ids]
    assert total(row.total for row in rows) == total([*booked, *added])


RULES = st.none() | st.builds(
    LabelRule,
    default=st.none() | WORDS,
    allowed=st.lists(st.sampled_from(["a*", "b", "test"]), max_size=2).map(tuple),
    required=st.booleans(),
)


@given(
    st.builds(
        AttributionRules,
        feature=RULES,
        customer=RULES,
        end_user=RULES,
        tags=st.dictionaries(st.sampled_from(TAGS[:2]), RULES.filter(bool), max_size=2),
        other_tags=st.booleans(),
    ),
    st.dictionaries(st.sampled_from(["x-flo2-feature", "x-flo2-customer"]), WORDS),
    st.none() | WORDS,
    st.dictionaries(st.sampled_from(["env", "job", "run"]), WORDS, min_size=1) | st.none(),
    st.dictionaries(st.sampled_from(["job", "own"]), WORDS),
)
def test_what_is_written_down_is_allowed_and_nothing_required_is_missing(
    rules, headers, end_user, metadata, own
):
    key = IssuedKey("key_1", "a", "k", "", "", "", 0, team="red", tags=own, attribution=rules)
    said = {
        "feature": headers.get("x-flo2-feature"),
        "customer": headers.get("x-flo2-customer"),
        "end_user": end_user,
    }
    try:
        whom = attribute(key, headers, end_user, metadata)
    except InvalidRequest as exc:
        refused = exc.code
    else:
        refused = None
    if refused is not None:
        assert refused in {"attribution_required", "attribution_not_allowed"}
        return
    assert whom.team == "red"
    for name, value in said.items():
        rule = getattr(rules, name) or LabelRule()
        found = getattr(whom, name)
        assert found == (rule.default if value is None else value)
        assert value is None or may(rule, value)
        assert found is not None or not rule.required
    for name, rule in rules.tags.items():
        stated = (metadata or {}).get(name)
        assert stated is None or may(rule, stated)
        assert name in whom.tags or not rule.required
    if not rules.other_tags:
        assert whom.tags.keys() <= rules.tags.keys() | own.keys()


def may(rule, value):
    return not rule.allowed or any(fnmatchcase(value, pattern) for pattern in rule.allowed)


def test_a_key_that_changes_changes_no_entry():
    """What a call was for is written down when it comes."""
    tags = {"env": "test"}
    key = IssuedKey("key_1", "a", "k", "", "", "", 0, team="red", tags=tags)
    whom = attribute(key, {})
    tags["env"] = "prod"
    assert (whom.team, whom.tags) == ("red", {"env": "test"})
    with pytest.raises(AttributeError, match="immutable"):
        whom.team = "blue"
    assert replace(whom, team="blue") != whom
