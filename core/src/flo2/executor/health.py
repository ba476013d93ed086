"""What has been learned of each candidate: does it work, and how fast is it.

Written by the executor as attempts begin and end, read by strategies through `RouteView`.
Kept in memory, one per gateway. Imports: plan, errors.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from attrs import define, field, frozen

from flo2.errors import InvalidHeader, ProviderError, ResponseTooLarge, WireError
from flo2.plan import Candidate, Health, Latency

__all__ = ["HealthModel", "View", "is_callers_fault"]

_FAILURES_TO_EJECT = 5
_EJECT_S = 30.0
_MAX_EJECT_S = 300.0
_SMOOTHING = 0.2
_MOST_TRACKS = 10_000
_CALLERS_FAULT = frozenset({"invalid_request", "too_large"})


def is_callers_fault(error: ProviderError | WireError) -> bool:
    """Say whether the request is to blame, and no target would take it.

    A refused credential, a missing model or an exhausted account is the candidate's own trouble.
    """
    if isinstance(error, ProviderError):
        return error.kind in _CALLERS_FAULT
    return isinstance(error, InvalidHeader | ResponseTooLarge)


@define
class _Track:
    """What is known of one candidate."""

    failures: int = 0
    ejections: int = 0
    retry_at: float | None = None
    first_s: float | None = None
    total_s: float | None = None
    samples: int = 0

    def rest_until(self, at: float) -> None:
        """Rest until then, or longer where that was said before."""
        self.retry_at = at if self.retry_at is None else max(self.retry_at, at)


class HealthModel:
    """Counts failures and smooths latencies, per candidate id.

    A candidate that failed five times in a row rests for 30 s, twice as long for each further time
    (Envoy's outlier numbers); one that says when to come back rests that long, five minutes at
    most, and that is no failure. What the request itself is to blame for counts for nothing.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin knowing nothing."""
        self._clock = clock
        self._tracks: dict[str, _Track] = {}

    def succeeded(self, candidate: str, first_s: float | None, total_s: float | None) -> None:
        """Take note of an answer; latencies in seconds, None when they were not measured."""
        track = self._tracks.get(candidate) or self._track(candidate)
        track.failures = 0
        track.ejections = 0
        track.retry_at = None
        track.samples += 1
        if first_s is not None:
            track.first_s = _smooth(track.first_s, first_s)
        if total_s is not None:
            old = track.total_s  # as `_smooth`: one frame less at every call
            track.total_s = total_s if old is None else old + _SMOOTHING * (total_s - old)

    def failed(self, candidate: str, error: ProviderError | WireError) -> None:
        """Take note of a failure; an error that is the caller's own counts for nothing."""
        if is_callers_fault(error):
            return
        track = self._track(candidate)
        retry_after = error.retry_after_s if isinstance(error, ProviderError) else None
        if retry_after is not None:
            track.rest_until(self._clock() + min(retry_after, _MAX_EJECT_S))
            return
        track.failures += 1
        if track.failures >= _FAILURES_TO_EJECT:
            rest = min(_EJECT_S * 2.0 ** min(track.ejections, 10), _MAX_EJECT_S)
            track.rest_until(self._clock() + rest)
            track.ejections += 1
            track.failures = 0

    def health(self, candidate: str) -> Health:
        """Say whether it works now."""
        track = self._tracks.get(candidate)
        if track is None:
            return Health()
        resting = track.retry_at is not None and track.retry_at > self._clock()
        return Health(
            available=not resting,
            failures=track.failures,
            retry_at=track.retry_at if resting else None,
        )

    def latency(self, candidate: str) -> Latency:
        """Say how fast it has been."""
        track = self._tracks.get(candidate)
        if track is None:
            return Latency()
        return Latency(track.first_s, track.total_s, track.samples)

    def _track(self, candidate: str) -> _Track:
        track = self._tracks.get(candidate)
        if track is None:
            if len(self._tracks) >= _MOST_TRACKS:  # callers name models freely: forget the oldest
                del self._tracks[next(iter(self._tracks))]
            track = self._tracks[candidate] = _Track()
        return track


@frozen
class View:
    """The `RouteView` of one plan."""

    model: HealthModel = field(repr=False)
    now: float
    rng: Random = field(repr=False)

    def health(self, candidate: Candidate) -> Health:
        """Say whether a candidate works."""
        return self.model.health(candidate.id)

    def latency(self, candidate: Candidate) -> Latency:
        """Say how fast a candidate has been."""
        return self.model.latency(candidate.id)


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + _SMOOTHING * (new - old)
