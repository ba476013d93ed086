"""Limits: whatever the workers do, no window ever holds more than it may."""

from __future__ import annotations

import anyio
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from flo2 import MemoryStore
from flo2.limits.counters import Denied, OwnCounter, SharedCounter
from flo2.limits.places import HELD_US, OwnPlaces, SharedPlaces
from flo2.limits.shelf import Shelf
from flo2.limits.steady import Steady
from flo2.limits.window import SLOTS, Window
from flo2.stored import Account

SLOT_US = 1_000_000
WINDOW_US = SLOTS * SLOT_US
START_US = 1_790_000_000_000_000


@define
class Clock:
    us: int = START_US

    def __call__(self):
        return self.us


@define
class Taken:
    """What was let through, and when in real time."""

    counter: SharedCounter
    at_us: int
    place: int
    amount: int


@define
class House:
    """Workers over one store, each with a clock of its own that differs by less than a slot."""

    limit: int
    skews: list[int]
    clock: Clock = field(factory=Clock)
    taken: list[Taken] = field(factory=list)
    workers: list[SharedCounter] = field(init=False)
    shelf: Shelf = field(init=False)

    def __attrs_post_init__(self):
        store = MemoryStore()
        store.put_account(Account("a", "a", 0))

        async def blocking(function):
            return function()

        self.shelf = Shelf(store, blocking, self.clock)
        self.workers = [self.worker(skew) for skew in self.skews]

    def worker(self, skew):
        return SharedCounter(self.shelf, "a", "n", SLOT_US, lambda: self.clock.us + skew)

    def check(self):
        """Sum up what was let through in the window that ends now."""
        lately = [each.amount for each in self.taken if each.at_us >= self.clock.us - WINDOW_US]
        assert sum(lately) <= self.limit

    async def do(self, step):
        what, worker, number = step
        if what == "wait":
            self.clock.us += number * 173_000
        elif what == "long":
            self.clock.us += number * 2_700_000
        elif what == "take":
            amount = 1 + number % 12
            place = await self.workers[worker].take(self.limit, amount)
            if not isinstance(place, Denied):
                self.taken.append(Taken(self.workers[worker], self.clock.us, place, amount))
                self.check()
        elif what == "settle" and self.taken:
            each = self.taken[number % len(self.taken)]
            back = min(number % 5, each.amount)
            each.amount -= back
            each.counter.put_back(each.place, back)
        elif what == "flush":
            await self.workers[worker].flush()
        elif what == "die":  # what it had leased is lost, what it had let through goes on counting
            self.workers[worker] = self.worker(self.skews[worker])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "wait", "long", "take", "take", "take", "settle", "flush", "die"]),
        st.integers(0, 2),
        st.integers(0, 60),
    ),
    max_size=80,
)


@given(st.integers(1, 60), st.lists(st.integers(0, SLOT_US - 1), min_size=3, max_size=3), STEPS)
def test_workers_together_never_let_more_through_than_the_limit(limit, skews, steps):
    async def run():
        house = House(limit, skews)
        for step in steps:
            await house.do(step)

    anyio.run(run)


@given(
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(0, 12)), max_size=80),
)
def test_one_worker_is_exact_within_a_slot(limit, calls):
    """Nothing over the limit in any window; nothing refused that a longer window has room for."""
    clock = Clock(0)
    counter = OwnCounter(SLOT_US, clock)
    taken: list[tuple[int, int]] = []

    async def run():
        for waits, amount, back in calls:
            clock.us += waits * 273_000
            place = await counter.take(limit, amount)
            longer = clock.us - WINDOW_US - SLOT_US
            lately = sum(used for at, used in taken if at > longer)
            if isinstance(place, Denied):
                assert lately + amount > limit
                assert amount > limit or 0 < place.wait_us <= WINDOW_US + SLOT_US
                continue
            counter.put_back(place, min(back, amount))
            taken.append((clock.us, amount - min(back, amount)))
            assert sum(used for at, used in taken if at >= clock.us - WINDOW_US) <= limit

    anyio.run(run)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 9)), min_size=1, max_size=40))
def test_after_the_wait_that_was_told_there_is_room(calls):
    window = Window(SLOT_US)
    now = 0
    for waits, amount in calls:
        now += waits * 311_000
        wait_us = window.wait_us(now, 9, amount)
        assert (wait_us == 0) == bool(window.draw(now, 9, amount, amount))
        if wait_us:
            now += wait_us
            assert window.draw(now, 9, amount, amount) == amount
    assert window.used(now + window.empty_in_us(now)) == 0


class Crowd:
    """Three workers whose calls run at once."""

    def __init__(self):
        store = MemoryStore()
        store.put_account(Account("a", "a", 0))
        self.clock = Clock()

        async def blocking(function):
            return function()

        self.shelf = Shelf(store, blocking, self.clock)
        self.made = 0
        self.workers = [self.worker() for _ in range(3)]
        self.running = [0, 0, 0]

    def worker(self):
        self.made += 1
        name = f"w{self.made}"
        return SharedPlaces(self.shelf, "a", "p", name, self.clock, lambda: None)

    async def flush(self):
        for each in self.workers:
            await each.flush()

    async def do(self, limit, what, which, number):
        if what == "begin":
            place = await self.workers[which].take(limit, 1)
            self.running[which] += not isinstance(place, Denied)
        elif what == "end" and self.running[which]:
            self.running[which] -= 1
            self.workers[which].put_back(0, 1)
        elif what == "flush":
            await self.workers[which].flush()
        elif what == "die":
            self.workers[which], self.running[which] = self.worker(), 0
        elif what == "wait":
            for _ in range(number):  # each says in time that it still runs
                self.clock.us += HELD_US // 4
                await self.flush()


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "begin", "end", "flush", "die", "wait"]),
            st.integers(0, 2),
            st.integers(0, 9),
        ),
        max_size=60,
    ),
)
def test_no_more_calls_run_at_once_than_may(limit, steps):
    """A worker that died holds its places for half a minute; its calls are gone with it."""

    async def run():
        crowd = Crowd()
        for step in steps:
            await crowd.do(limit, *step)
            assert sum(crowd.running) <= limit
        for each, count in zip(crowd.workers, crowd.running, strict=True):
            each.put_back(0, count)
        crowd.clock.us += HELD_US + 1
        await crowd.flush()
        assert [await crowd.workers[0].take(limit, 1) for _ in range(limit)] == [0] * limit
        assert isinstance(await crowd.workers[1].take(limit, 1), Denied)

    anyio.run(run)


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(-(10**9), 10**9)), max_size=40))
def test_time_never_jumps_whatever_the_wall_clock_does(steps):
    """It goes on at real speed at most, and at half of it at least."""
    wall, clock = START_US, 0.0
    steady = Steady(lambda: wall, lambda: clock)
    before = steady()
    for seconds, jump in steps:
        clock += seconds
        wall += round(seconds * 1e6) + jump
        now = steady()
        assert seconds * 1e6 / 2 - 2 <= now - before <= seconds * 1e6 + 2
        before = now


async def test_places_of_one_worker_are_exact():
    one = OwnPlaces()
    assert [await one.take(2, 1), await one.take(2, 1)] == [0, 0]
    assert isinstance(await one.take(2, 1), Denied)
    one.put_back(0, 1)
    assert await one.take(2, 1) == 0


async def test_one_that_was_overtaken_in_the_store_looks_again():
    """Between the look and the write another worker draws all there is."""
    house = House(3, [0, 0, 0])
    store, first = house.shelf.store, house.workers[0]
    other = SharedCounter(house.shelf, "a", "n", SLOT_US, house.clock)
    plain = store.counter

    def overtaken(account, name):
        known = plain(account, name)
        store.counter = plain
        store.swap_counter(account, name, known, f'{{"{START_US // SLOT_US}": 3}}', 1)
        return known

    store.counter = overtaken
    assert isinstance(await first.take(3, 1), Denied)
    assert isinstance(await other.take(3, 3), Denied)
