"""Leases and holds against a naive oracle: whatever happens to a worker, never a digit over.

The oracle knows everything that was ever promised: what ended calls cost, stored or not, what open
ones may cost, what grants still hold. The store knows what it was told. Neither may pass a limit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from flo2.admission import Asked
from flo2.budgets import Budget, BudgetGate, Purse, period_at
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import BudgetExceeded, StoreError, Unavailable
from flo2.memory_store import MemoryStore
from flo2.money import total
from flo2.plan import Candidate, Plan, Stage
from flo2.prices import Bounds
from flo2.protocols import Inbound
from flo2.records import Attribution, Pend, Settle, Void, fold_entry
from flo2.spending import counted
from flo2.stored import Account, IssuedKey
from flo2.stores import WriterHead
from flo2.testing.records import an_intent, linked, pend_of, settle_of, void_of

BODY = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
DIALECT = OpenAIChat()
KEY = IssuedKey("key_1", "default", "k", "ab", "p", "l", 1)
DIGIT = Decimal("1e-12")
LIMITS = {"ever": Decimal(10), "daily": Decimal(4), "each": Decimal(3)}
BUDGETS = [
    Budget("default", "ever", LIMITS["ever"], "total"),
    Budget("default", "daily", LIMITS["daily"], "day", "America/New_York"),
    Budget("default", "each", LIMITS["each"], "week", each="customer"),
]
# The clocks of New York go back on 2026-11-01.
START_US = int(datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp()) * 1_000_000

money = st.sampled_from(
    [Decimal(each) for each in ("0", "1e-12", "0.3", "1", "1.7")]
) | st.decimals(0, Decimal("1.5"), places=12)
shares = st.sampled_from([Decimal(each) for each in ("0", "0.25", "0.5", "1")])


class World:
    """What all workers share: the store, and two clocks."""

    def __init__(self):
        self.store = MemoryStore()
        self.store.put_account(Account("default", "Default", 1))
        self.now_us = START_US
        self.clock_s = 0.0
        self.fails = None
        self.lost = False  # something was leased that nobody knows of

    def lease(self, writer, asks):
        return self.asked(lambda: self.store.lease(writer, asks))

    def give_back(self, writer, amounts):
        return self.asked(lambda: self.store.give_back(writer, amounts))

    def asked(self, ask):
        """Ask the store, which may fail once: before it has done anything, or after all."""
        fails, self.fails = self.fails, None
        self.lost = self.lost or fails is not None
        if fails == "before":
            raise StoreError("it is down")
        answer = ask()
        if fails == "after":
            raise StoreError("its answer is lost")
        return answer


class Worker:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.journal, self.stored = [], 0
        self.purse = Purse(world, name, lambda: world.clock_s)
        self.gate = BudgetGate(BUDGETS, self.purse, None, lambda: world.now_us, b"pepper")
        self.grants = []

    def store(self, upto):
        """Store the journal up to a record; what is there already is sent again."""
        links = linked(*self.journal[:upto], writer=self.name, head=WriterHead(self.name, 0, ""))
        self.world.store.append(links)
        self.stored = max(self.stored, upto)


class Running:
    """A call: what it holds for attempts that have not begun, and those that have not ended."""

    def __init__(self, grant, parts):
        self.grant, self.waiting, self.open, self.closed = grant, dict(parts), {}, False


class Leases(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.context = start_blocking_portal()
        self.portal = self.context.__enter__()
        self.world = World()
        self.names = iter(range(1_000_000))
        self.workers = [Worker(self.world, f"w{next(self.names)}") for _ in range(3)]
        self.written = []  # every record that was ever durable anywhere
        self.entries = {}  # entry → intent

    def teardown(self):
        try:
            self.settle_all()
        finally:
            self.context.__exit__(None, None, None)

    # What happens ---------------------------------------------------------------------------

    @rule(
        number=st.integers(0, 2),
        amounts=st.lists(money, min_size=1, max_size=3),
        retries=st.integers(0, 1),
        at_once=st.booleans(),
        customer=st.sampled_from(["a", "b\0"]),
        begun=st.integers(0, 3),
    )
    def call(self, number, amounts, retries, at_once, customer, begun):
        worker = self.workers[number]
        found = {f"c{at}": amount for at, amount in enumerate(amounts)}
        candidates = [Candidate(name, "acme", "m") for name in found]
        stages = (
            (Stage(tuple(candidates), retries=retries),)
            if at_once
            else tuple(Stage((each,), retries=retries) for each in candidates)
        )
        asked = Asked(
            "x",
            KEY,
            Attribution(customer=customer),
            Inbound(DIALECT, BODY, DIALECT.peek(BODY)),
            Plan(stages),
            None,
            lambda candidate: Bounds(Decimal(0), found[candidate.id]),
            {}.get,
        )
        try:
            grant = self.portal.call(worker.gate.admit, asked)
        except (BudgetExceeded, Unavailable):
            return
        assert dict(grant.terms.holds) == found
        parts = {
            (name, tries): amount for name, amount in found.items() for tries in range(retries + 1)
        }
        worker.grants.append(Running(grant, parts))
        for _ in range(begun):
            self.begin(number, len(worker.grants) - 1)

    def pick(self, worker, at):
        grants = self.workers[worker].grants
        return grants[at % len(grants)] if grants else None

    @rule(worker=st.integers(0, 2), at=st.integers(0, 9))
    def begin(self, worker, at):
        one = self.pick(worker, at)
        if one is None or not one.waiting:
            return
        _, hold = one.waiting.popitem()
        intent = an_intent(
            len(self.entries) + 1, hold=hold, high=hold, budgets=one.grant.terms.budgets,
            started_us=self.world.now_us,
        )  # fmt: skip
        self.entries[intent.entry_id] = intent
        self.workers[worker].journal.append(intent)
        self.written.append(intent)
        one.grant.begun(intent)
        one.open[intent.entry_id] = intent

    @rule(
        worker=st.integers(0, 2),
        at=st.integers(0, 9),
        share=shares,
        how=st.sampled_from("spnuv"),
        stored=st.booleans(),
    )
    def end(self, worker, at, share, how, stored):
        one = self.pick(worker, at)
        if one is None or not one.open:
            return
        _, intent = one.open.popitem()
        amount = (intent.hold * share).quantize(DIGIT, "ROUND_DOWN")
        end = {
            "s": settle_of(intent, total=amount),
            "u": settle_of(intent, total=None, status="unpriced", lines=()),
            "p": replace(pend_of(intent), high=amount),
            "n": replace(pend_of(intent), high=None),
            "v": void_of(intent),
        }[how]
        self.workers[worker].journal.append(end)
        self.written.append(end)
        one.grant.ended(intent, end)
        self.tidy(worker)
        if stored:
            self.store_some(worker, Decimal(1))

    @rule(worker=st.integers(0, 2), at=st.integers(0, 9))
    def close(self, worker, at):
        one = self.pick(worker, at)
        if one is None:
            return
        one.grant.closed()
        one.waiting.clear()
        one.closed = True
        self.tidy(worker)

    def tidy(self, worker):
        worker = self.workers[worker]
        worker.grants = [each for each in worker.grants if not each.closed or each.open]

    @rule(worker=st.integers(0, 2), share=shares)
    def store_some(self, worker, share):
        worker = self.workers[worker]
        worker.store(int(len(worker.journal) * share))

    @rule(worker=st.integers(0, 2), idle_s=st.sampled_from([0.0, 5.0]))
    def sweep(self, worker, idle_s):
        give_back = self.workers[worker].purse.give_back
        try:
            self.portal.call(lambda: give_back(idle_s=idle_s, forget_s=8.0))
        except StoreError:
            assert self.world.fails is None

    @rule(worker=st.integers(0, 2))
    def crash(self, worker):
        """Its memory is gone; the next worker adopts its journal."""
        dead = self.workers[worker]
        self.workers[worker] = adopter = Worker(self.world, f"w{next(self.names)}")
        dead.store(len(dead.journal))
        for entry in self.world.store.open_entries(dead.name):
            intent = entry.intent
            pend = Pend(intent.entry_id, 1, "crashed", "", Decimal(0), intent.high)
            adopter.journal.append(pend)
            self.written.append(pend)
        adopter.store(len(adopter.journal))
        self.world.store.end_leases(dead.name)

    @rule(amount=shares, void=st.booleans(), at=st.integers(0, 99))
    def reconcile(self, amount, void, at):
        """Somebody closes what was pending; only what is stored can be seen."""
        pending = [
            intent
            for intent in self.entries.values()
            if fold_entry(self.records_of(intent)).status in {"pending", "unpriced"}
        ]
        if not pending:
            return
        intent = pending[at % len(pending)]
        worker = self.workers[0]
        for each in self.workers:
            each.store(len(each.journal))
        last = fold_entry(self.records_of(intent))
        if void and last.status == "unpriced":
            return
        _, upper = counted(intent.hold, last.end)
        cost = (upper * amount).quantize(DIGIT, "ROUND_DOWN")
        end = void_of(intent) if void else settle_of(intent, total=cost)
        worker.journal.append(end)
        self.written.append(end)
        worker.store(len(worker.journal))

    @rule(hours=st.integers(-30, 60), seconds=st.floats(0, 30))
    def time_goes_by(self, hours, seconds):
        """The clock on the wall may jump, also back."""
        self.world.now_us += hours * 3_600_000_000
        self.world.clock_s += seconds

    @rule(how=st.sampled_from(["before", "after"]))
    def store_fails(self, how):
        self.world.fails = how

    # What must hold -------------------------------------------------------------------------

    def records_of(self, intent):
        return [each for each in self.written if each.entry_id == intent.entry_id]

    def promised(self):
        """Everything that is or may be spent, by counter."""
        sums = {}

        def count(counters, amount):
            for counter in counters:
                sums.setdefault(counter, []).append(amount)

        for intent in self.entries.values():
            entry = fold_entry(self.records_of(intent))
            amount = intent.hold
            if isinstance(entry.end, Settle | Pend | Void):
                amount = total(counted(intent.hold, entry.end))
            count(intent.budgets, amount)
        for worker in self.workers:
            for one in worker.grants:
                count(one.grant.terms.budgets, total(one.waiting.values()))
        return {counter: total(amounts) for counter, amounts in sums.items()}

    @invariant()
    def nothing_passes_a_limit(self):
        for counter, amount in self.promised().items():
            assert amount <= LIMITS[counter.partition(":")[0]], counter
        for standing in self.world.store.standings("default"):
            assert standing.taken <= LIMITS[standing.counter.partition(":")[0]], standing

    def settle_all(self):
        """In the end the store's sums are the ledger's, to the last digit, and nothing is held."""
        self.world.fails = None
        for worker in self.workers:
            for one in worker.grants:
                one.grant.closed()
                for intent in one.open.values():
                    end = settle_of(intent, total=intent.hold)
                    worker.journal.append(end)
                    self.written.append(end)
                    one.grant.ended(intent, end)
            assert all(pot.running == 0 for pot in worker.purse.pots)
            worker.store(len(worker.journal))
        for standing in self.world.store.standings("default"):
            free = total(
                pot.free
                for worker in self.workers
                for pot in worker.purse.pots
                if pot.counter == standing.counter
            )
            assert free == standing.leased or (self.world.lost and free < standing.leased)
        for worker in self.workers:
            self.world.store.end_leases(worker.name)
        spent, pending = {}, {}
        for intent in self.entries.values():
            entry = fold_entry(self.records_of(intent))
            for counter in intent.budgets:
                one, other = counted(intent.hold, entry.end)
                spent[counter] = spent.get(counter, Decimal(0)) + one
                pending[counter] = pending.get(counter, Decimal(0)) + other
        for standing in self.world.store.standings("default"):
            assert standing.leased == 0
            assert standing.spent == spent.pop(standing.counter, 0)
            assert standing.pending == pending.pop(standing.counter, 0)
        assert not any(spent.values())


TestLeases = Leases.TestCase
TestLeases.settings = settings(stateful_step_count=100)

# ---------------------------------------------------------------------------------------- periods

ZONES = sorted(available_timezones())


@given(
    per=st.sampled_from(["day", "week", "month"]),
    name=st.sampled_from(ZONES),
    now_us=st.integers(31_536_000_000_000, 2_051_222_400_000_000),  # 1971 to 2035
)
def test_periods_hold_their_instants_and_follow_one_another(per, name, now_us):
    zone = ZoneInfo(name)
    period = period_at(per, zone, now_us)
    assert period.start_us <= now_us < period.end_us
    assert period.holds(now_us)
    first = period_at(per, zone, period.start_us)
    assert first == period == period_at(per, zone, period.end_us - 1)
    following = period_at(per, zone, period.end_us)
    assert following.start_us == period.end_us
    assert following.key > period.key
    before = period_at(per, zone, period.start_us - 1)
    assert before.end_us == period.start_us
