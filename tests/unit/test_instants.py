"""Instants: exact, both ways, over all that a datetime can say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.instants import instant, microseconds, timestamp


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_and_instants_are_the_same_thing(at):
    assert instant(microseconds(at)) == at


def test_an_instant_is_exact():
    assert instant(1_795_608_338_000_001) == datetime(2026, 11, 25, 12, 5, 38, 1, UTC)


def test_an_instant_is_the_same_in_every_zone():
    at = datetime(2026, 11, 25, 13, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert microseconds(at) == 1_795_593_600_000_000
    assert instant(microseconds(at)) == at


@pytest.mark.parametrize(
    ("us", "written"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_795_593_600_000_001, "2026-11-25T08:00:00.000001Z"),
    ],
)
def test_an_instant_is_written_as_rfc_3339(us, written):
    assert timestamp(us) == written
