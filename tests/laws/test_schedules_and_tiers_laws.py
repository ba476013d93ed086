"""Laws of prices by the hour, of graduated tiers, minimums and steps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from flo2.canonical.usage import Usage
from flo2.errors import AmbiguousPrice, PricingError
from flo2.prices import Layer, PriceRow, PricingContext, Schedule, Tier, Window, build

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin"])
HOLIDAYS = st.frozensets(st.dates(date(2026, 10, 20), date(2026, 11, 10)), max_size=4)
FROM = datetime(2026, 10, 20, tzinfo=UTC)
INSTANTS = st.integers(0, 21 * 86_400 * 10**6).map(lambda us: FROM + timedelta(microseconds=us))


@st.composite
def windows(draw):
    start, stop = sorted(
        draw(st.lists(st.integers(0, 86_400), min_size=2, max_size=2, unique=True))
    )
    return Window(draw(st.integers(0, 6)), start, stop)


@st.composite
def schedules(draw):
    chosen = draw(st.lists(windows(), min_size=1, max_size=6))
    return Schedule(chosen, draw(ZONES), draw(HOLIDAYS), outside=draw(st.booleans()))


def row(name="r", price=1, *, per=1, meter="pages", **kw):
    return PriceRow(
        id=name,
        provider="acme",
        models=frozenset({"m"}),
        dimension=meter,
        unit_price=Decimal(price),
        per=per,
        source="law",
        read_on=date(2026, 11, 25),
        evidence="simulated",
        **kw,
    )


def price(rows, quantity, at=AT, meter="pages"):
    return build([Layer("t", rows)]).price(
        Usage({meter: quantity}), PricingContext("acme", "chat", "m", "m", at)
    )


@given(schedules(), INSTANTS)
def test_a_schedule_and_its_outside_share_out_all_instants(schedule, at):
    assert schedule.holds(at) is not evolve(schedule, outside=not schedule.outside).holds(at)


@given(schedules(), INSTANTS, st.integers(-14, 14))
def test_an_instant_is_the_same_in_every_zone(schedule, at, hours):
    assert schedule.holds(at) is schedule.holds(at.astimezone(timezone(timedelta(hours=hours))))


@given(st.lists(windows(), min_size=1), st.randoms())
def test_the_order_of_windows_changes_nothing(chosen, random):
    turned = list(chosen)
    random.shuffle(turned)
    assert Schedule(turned) == Schedule(chosen)
    assert Schedule([*chosen, *chosen]) == Schedule(chosen)


@given(schedules(), schedules(), INSTANTS)
def test_what_excludes_each_other_never_holds_at_once(a, b, at):
    if a.excludes(b):
        assert b.excludes(a)
        assert not (a.holds(at) and b.holds(at))


@given(schedules(), INSTANTS)
def test_peak_and_off_peak_give_one_price_at_every_instant(schedule, at):
    other = evolve(schedule, outside=not schedule.outside)
    rows = [row("on", 2, schedule=schedule), row("off", 1, schedule=other)]
    cost = price(rows, 3, at)
    assert cost.total == (6 if schedule.holds(at) else 3)
    assert cost.lines[0].row == ("on" if schedule.holds(at) else "off")


def test_an_edge_belongs_to_the_window_that_begins_with_it():
    night = Schedule([Window(0, 3600, 14_400)], "UTC")  # Monday 01:00 to 04:00
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    seconds = [3599, 3600, 14_399, 14_400]
    assert [night.holds(monday + timedelta(seconds=s)) for s in seconds] == [
        False,
        True,
        True,
        False,
    ]
    assert not night.holds(monday + timedelta(days=1, hours=2))


def test_a_holiday_is_outside_all_day_by_the_zone_s_own_date():
    window = Window(3, 0, 86_400)  # Thursdays
    peak = Schedule([window], "Asia/Shanghai", frozenset({date(2026, 10, 1)}))
    assert not peak.holds(datetime(2026, 9, 30, 16, tzinfo=UTC))  # already 1 October in Shanghai
    assert not peak.holds(datetime(2026, 10, 1, 15, 59, tzinfo=UTC))
    assert peak.holds(datetime(2026, 10, 7, 16, tzinfo=UTC))  # the Thursday after


@pytest.mark.parametrize("hour", range(4))
def test_the_wall_clock_decides_on_a_day_that_gains_an_hour(hour):
    # Clocks in Berlin go back from 03:00 to 02:00 on 25 October 2026: 02:30 comes twice.
    early = Schedule([Window(6, 2 * 3600, 3 * 3600)], "Europe/Berlin")
    at = datetime(2026, 10, 24, 23, 30, tzinfo=UTC) + timedelta(hours=hour)
    assert early.holds(at) is (hour in {1, 2})


def test_schedules_that_may_meet_are_refused():
    a = Schedule([Window(0, 0, 10)])
    both = [row("a", schedule=a), row("b", schedule=Schedule([Window(0, 9, 20)]))]
    with pytest.raises(AmbiguousPrice, match="rows 'a' and 'b' both price pages"):
        build([Layer("t", both)])
    with pytest.raises(AmbiguousPrice):
        build([Layer("t", [row("a", schedule=a), row("b")])])


def test_hours_without_a_row_are_unpriced():
    cost = price([row(schedule=Schedule([Window(0, 0, 10)]))], 1)
    assert cost.status == "unpriced"
    assert "no price row for meter 'pages'" in cost.reason


EDGES = st.lists(st.integers(1, 1000), min_size=0, max_size=4, unique=True).map(sorted)


@st.composite
def graduated(draw):
    """Rows from zero to infinity, and what a unit costs by its number."""
    edges = draw(EDGES)
    starts, stops = [0, *edges], [*edges, None]
    prices = draw(st.lists(st.integers(0, 50), min_size=len(starts), max_size=len(starts)))
    rows = [
        row(f"r{start}", each, tier=Tier(start, stop, graduated=True))
        for start, stop, each in zip(starts, stops, prices, strict=True)
        if stop is None or stop > max(start, 1)
    ]

    def unit(number):
        return [p for s, p in zip(starts, prices, strict=True) if s <= number][-1]

    return rows, unit


@given(graduated(), st.integers(1, 1500))
def test_each_unit_pays_the_price_of_its_own_tier(given_, quantity):
    rows, unit = given_
    cost = price(rows, quantity)
    assert cost.total == sum(unit(number) for number in range(1, quantity + 1))
    assert sum(line.quantity for line in cost.lines) == quantity


@given(graduated(), st.integers(1, 1000), st.integers(0, 500))
def test_more_never_costs_less_when_graduated(given_, quantity, more):
    rows, _ = given_
    assert price(rows, quantity).total <= price(rows, quantity + more).total


def test_a_gap_between_graduated_tiers_prices_nothing():
    rows = [row("a", tier=Tier(0, 11, graduated=True)), row("b", tier=Tier(20, graduated=True))]
    assert price(rows, 10).total == 10
    cost = price(rows, 25)
    assert cost.status == "unpriced"
    assert "graduated price rows 'a' and 'b' leave a part without a price" in cost.reason


def test_a_cliff_beside_graduated_tiers_is_ambiguous():
    rows = [
        row("a", tier=Tier(0, 10, graduated=True), meter="input_tokens"),
        row("b", tier=Tier(10), meter="input_tokens"),
    ]
    assert price(rows, 5, meter="input_tokens").total == 5
    assert "both match" in price(rows, 50, meter="input_tokens").reason


STEPS = st.decimals("0.001", 100, places=3)


@given(st.integers(1, 10_000), STEPS | st.none(), STEPS | st.none())
def test_what_is_billed_is_whole_steps_and_at_least_the_minimum(quantity, step, minimum):
    (line,) = price([row(step=step, minimum=minimum)], quantity).lines
    whole = Fraction(quantity)
    if step is not None:
        ratio = Fraction(quantity) / Fraction(step)
        whole = -(-ratio.numerator // ratio.denominator) * Fraction(step)
    expected = max(whole, Fraction(minimum or 0))
    assert Fraction(line.quantity) == Fraction(line.amount) == expected
    assert expected >= quantity


@given(st.decimals("0.01", 20, places=2))
def test_ten_seconds_at_least(seconds):
    cost = price([row(minimum=Decimal(10), per=3600, price="0.36", meter="input_seconds")], seconds,
                 meter="input_seconds")  # fmt: skip
    assert cost.total == max(seconds, Decimal(10)) * Decimal("0.0001")


def test_nothing_in_use_costs_nothing_whatever_the_minimum():
    assert price([row(minimum=Decimal(10))], 0).total == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Window(7, 0, 1),
        lambda: Window(0, 5, 5),
        lambda: Window(0, 0, 86_401),
        lambda: Schedule([]),
        lambda: Schedule([Window(0, 0, 1)], "Mars/Olympus"),
        lambda: row(minimum=Decimal(0)),
        lambda: row(step=Decimal("NaN")),
        lambda: row(step=Decimal(-1)),
        lambda: row(step=Decimal(1), tier=Tier(graduated=True)),
    ],
)
def test_what_has_no_meaning_is_refused(wrong):
    with pytest.raises(PricingError):
        wrong()


def test_each_new_feature_changes_the_version_and_none_the_old_ones():
    plain = build([Layer("t", [row()])]).version
    others = [
        row(schedule=Schedule([Window(0, 0, 1)])),
        row(schedule=Schedule([Window(0, 0, 1)], outside=True)),
        row(minimum=Decimal(1)),
        row(step=Decimal(1)),
        row(tier=Tier()),
        row(tier=Tier(graduated=True)),
    ]
    versions = {build([Layer("t", [each])]).version for each in others}
    assert len(versions | {plain}) == len(others) + 1
