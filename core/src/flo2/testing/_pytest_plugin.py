"""What flo2 adds to pytest: Hypothesis profiles on request, and a count of replayed traffic.

Loaded by every pytest run in an environment where flo2 is installed, so it imports nothing but
pytest and changes nothing until a project asks: by the ini option, or by the fixture.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = ["CountReplay", "count_replay", "pytest_addoption", "pytest_configure"]

CountReplay = Callable[..., None]

_PROFILE_OPTION = "flo2_hypothesis_profile"
_PROPERTY = "flo2.replayed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option that names the Hypothesis profile."""
    parser.addini(
        _PROFILE_OPTION,
        "Hypothesis profile of flo2: 'ci' or 'deep' (FLO2_DEEP=1 means 'deep'); '' for none",
        default="",
    )


# First, so that Hypothesis' own --hypothesis-profile, read later, still wins.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the profile before a test module can build settings from the default one."""
    name = str(config.getini(_PROFILE_OPTION))
    if not name:
        return
    if os.environ.get("FLO2_DEEP") == "1":
        name = "deep"
    _load_profile(name)


def _load_profile(name: str) -> None:
    # Heavy (about 0.2 s): a project that uses no profile of ours does not pay for it.
    from hypothesis import HealthCheck, settings  # noqa: PLC0415

    # A laden CI machine is slow at random; that is no finding about the code.
    suppressed = [HealthCheck.too_slow]
    profiles = {
        "ci": settings(
            derandomize=True,
            database=None,
            deadline=None,
            max_examples=40,
            suppress_health_check=suppressed,
        ),
        "deep": settings(
            derandomize=False,
            database=None,
            deadline=None,
            max_examples=2000,
            print_blob=True,
            suppress_health_check=suppressed,
        ),
    }
    if name not in profiles:
        msg = f"{_PROFILE_OPTION} is {name!r}; known: {', '.join(sorted(profiles))}"
        raise pytest.UsageError(msg)
    for each, profile in profiles.items():
        settings.register_profile(each, profile)
    settings.load_profile(name)


@pytest.fixture
def count_replay(record_property: Callable[[str, object], None]) -> CountReplay:
    """Return a function that counts traffic replayed by this test, for the line at the end.

    `count_replay("recordings")` counts one, `count_replay("golden traces", 3)` three.
    A property travels with the test's report, so the sum is right under pytest-xdist too.
    """

    def count(kind: str, number: int = 1) -> None:
        record_property(_PROPERTY, (kind, number))

    return count


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print how many recordings and golden traces were replayed, if a test counted any."""
    totals = _replayed(terminalreporter)
    if totals:
        recordings, golden = totals.pop("recordings", 0), totals.pop("golden traces", 0)
        line = f"recordings: {recordings} replayed, golden traces: {golden}"
        line += "".join(f", {kind}: {number}" for kind, number in sorted(totals.items()))
        terminalreporter.write_line(line)


def _replayed(reporter: TerminalReporter) -> Counter[str]:
    totals: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, ()):
            # Set-up and teardown reports repeat the properties of the call.
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    totals[value[0]] += value[1]
    return totals
