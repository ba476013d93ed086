"""The money of a gateway against a naive oracle: whatever happens, every sum agrees to the digit.

Real: the booking of calls, price books, contracts, corrections, repricing, the sums and budget
counters of both stores, and the chains. The oracle has fractions, lists and loops, and knows prices
as a table; it shares no code with what it checks. A batch's items are calls of that role.
"""

from __future__ import annotations

import faulthandler
import shutil
import tempfile
from bisect import bisect_left
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flo2.canonical.charge import Charge
from flo2.canonical.usage import Usage
from flo2.contracts import AccountContracts, read_contract
from flo2.dialects.base import Observed, Peek
from flo2.dialects.openai_chat import OpenAIChat
from flo2.errors import ConnectFailed
from flo2.executor import Booking
from flo2.ledger import Corrections, adjusted_entries, verify
from flo2.memory_store import MemoryStore
from flo2.meter import Meter
from flo2.prices import Layer, PriceRow, build
from flo2.protocols import Facts, Inbound
from flo2.records import Adjust, Attribution
from flo2.repricing import corrections, reprice
from flo2.spending import LeaseAsk
from flo2.stores import EntryFilter
from flo2.testing.records import an_intent, linked
from flo2_store_sql import SqlStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_US = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000
ALWAYS = -(2**50)
HOUR_US = 3_600_000_000
BODY = b'{"model": "m1", "max_tokens": 100, "messages": []}'
LONGEST_PROMPT, LONGEST_ANSWER = len(BODY) + 4096, 100
INBOUND = Inbound(OpenAIChat(), BODY, Peek("m1", max_output_tokens=LONGEST_ANSWER))
DEFAULTS = {"acme": {"service_tier": frozenset({"", "default"})}}
TIERS = ("", "flex")
METERS = ("input_tokens", "output_tokens")
GROUPS = ("model", "team", "feature", "customer", "end_user", "key", "role", "tag:env")
PARTITIONS = [(), *((each,) for each in GROUPS), ("model", "team", "customer"), ("tag:env", "key")]
ACCOUNTS = ("default", "other")
PER = 1_000_000

prices = st.decimals(0, 100, places=6)
rates = st.tuples(prices, prices)
accounts = st.sampled_from(["default", "default", "other"])
counts = st.integers(1, LONGEST_PROMPT)
models = st.sampled_from(["m1", "m1", "m2", "m2", "odd"])
tiers = st.sampled_from(["", "", "flex", "flex", "unheard-of"])
places = st.integers(0, 99)
writers = st.sampled_from(["w1", "w2"])
names = st.sampled_from([None, "ada", "bob"])
attributions = st.builds(
    Attribution,
    team=st.sampled_from([None, "red"]),
    feature=st.sampled_from([None, "chat"]),
    customer=names,
    end_user=names,
    tags=st.sampled_from([{}, {"env": "a"}, {"env": "b"}]),
)
usages = st.tuples(models, tiers, counts, st.integers(0, LONGEST_ANSWER))
whose = st.fixed_dictionaries(
    {
        "writer": writers,
        "account": accounts,
        "key": st.sampled_from(["key_1", "key_2"]),
        "model": models,
        "role": st.sampled_from(["primary", "race", "batch_item", "judge"]),
        "who": attributions,
        "budgets": st.sampled_from([(), ("ever",), ("ever", "team")]),
    }
)
calls = st.tuples(whose, st.none() | usages)


def at(us):
    return EPOCH + timedelta(microseconds=us)


def of(decimals):
    """Give the fractions of decimals; None stays."""
    return [None if each is None else Fraction(each) for each in decimals]


# The oracle ------------------------------------------------------------------------------------


class Oracle:
    """What is owed, by lists of what happened.

    A call is a namespace: whom it is for, what it used, and how it stands.
    """

    def __init__(self):
        self.calls = []
        self.prices = {}  # (model, tier) → [(since, price of a million in, out)], the first always
        self.discounts = []  # [(since, fraction that is left)]
        self.leases = {}  # (account, counter, writer) → amount

    def rate(self, model, tier, us):
        dated = self.prices.get((model, tier), ())
        return next((each[1:] for each in reversed(dated) if each[0] <= us), None)

    def left(self, account, us):
        """Give what a discount leaves of a list price."""
        held = [left for since, left in self.discounts if since <= us and account == "default"]
        return held[-1] if held else Fraction(1)

    def price(self, call, usage):
        model, tier, *used = usage
        rate = self.rate(model, tier, call.started)
        if rate is None:
            return None
        listed = sum(Fraction(price) * count for price, count in zip(rate, used, strict=True))
        return listed * self.left(call.account, call.started) / PER

    def most(self, model, tier, us, prompt):
        """Give what the longest answer to a prompt costs at list prices."""
        rate = self.rate(model, tier, us)
        return rate and (Fraction(rate[0]) * prompt + Fraction(rate[1]) * LONGEST_ANSWER) / PER

    def dearest(self, model, us):
        """Give what a call may cost in whichever tier; prompt and answer each at its dearest."""
        found = [rate for tier in TIERS if (rate := self.rate(model, tier, us))]
        both = zip((LONGEST_PROMPT, LONGEST_ANSWER), zip(*found, strict=True), strict=True)
        return sum(Fraction(max(rates)) * count for count, rates in both) / PER if found else None

    def end(self, call, status, amount=None, *, low=None, high=None, usage=None, model=None):
        """End a call; what was leased for it goes to what is spent or pending."""
        was_open, call.status = call.status == "open", status
        call.amount, call.low, call.high = amount, low, high
        call.usage, call.model = usage, model or call.model
        if was_open:
            for counter in call.budgets:
                place = (call.account, counter, call.writer)
                self.leases[place] = self.leases.get(place, 0) - sum(self.counted(call))

    def counted(self, call):
        """Give what a call counts in budgets: as spent, and as pending."""
        bounds = (call.high, call.hold, call.low)
        if call.status == "pending":
            return 0, next((each for each in bounds if each is not None), 0)
        if call.status == "unpriced":
            return 0, call.hold or 0
        return call.amount or 0, 0

    def counters(self, account):
        found = {}
        for call in self.calls:
            for counter in call.budgets if call.account == account else ():
                spent, pending = found.get(counter, (0, 0))
                now = (0, 0) if call.status == "open" else self.counted(call)
                corrected = call.repriced + call.corrected
                found[counter] = (spent + now[0] + corrected, pending + now[1])
        return {counter: sums for counter, sums in found.items() if any(sums)}

    def sums(self, account, by):
        found = {}
        for call in self.calls:
            if call.account != account:
                continue
            group = tuple(self.value(call, each) for each in by)
            row = found.setdefault(group, [0, Counter(), 0, 0, 0, 0, Counter()])
            adjusted = call.repriced + call.corrected
            row[0] += 1
            row[1][call.status] += 1
            row[2] += (call.amount or 0) + adjusted
            row[3] += adjusted
            if call.status in {"open", "pending"}:
                row[4] += call.low or 0
                row[5] = None if row[5] is None or call.high is None else row[5] + call.high
            if call.usage is not None:
                row[6].update(dict(zip(METERS, call.usage[2:], strict=True)))
        return {group: [*row[:6], +row[6]] for group, row in found.items()}

    def value(self, call, dimension):
        if dimension in {"model", "key", "role"}:
            return getattr(call, dimension)
        if dimension == "tag:env":
            return call.who.tags.get("env")
        return getattr(call.who, dimension)


# The machine -----------------------------------------------------------------------------------


class Money(RuleBasedStateMachine):
    def __init__(self, empty):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        shutil.copy(empty, self.folder.name)
        sql = SqlStore(SqlStore.Config(path=f"{self.folder.name}/{empty.name}"))
        sql.open()
        self.stores = (MemoryStore(), sql)
        self.oracle = Oracle()
        self.now_us, self.turn = START_US, 0
        self.journals = {"w1": [], "w2": []}
        self.contracts = []
        self.numbers = iter(range(1, 1_000_000))
        self.booking = Booking(Meter(lambda: self.book))
        for model, price in (("m1", "1.5"), ("m2", "0.25")):
            for tier in TIERS:
                rate = (Decimal(price), Decimal(price) * 4)
                self.oracle.prices[model, tier] = [(ALWAYS, *rate)]
        self.rebuild()

    def teardown(self):
        self.stores[1].close()
        self.folder.cleanup()

    def rebuild(self):
        """Publish the oracle's table of prices as a book."""
        rows = []
        for (model, tier), dated in self.oracle.prices.items():
            untils = [at(each[0]) for each in dated[1:]] + [None]
            for number, ((since, *rate), until) in enumerate(zip(dated, untils, strict=True)):
                rows += [
                    PriceRow(
                        f"{model}/{tier}/{meter}/{number}", "acme", frozenset({model}), meter,
                        price, PER, "law", date(2026, 11, 25), "simulated",
                        when={"service_tier": frozenset({tier})} if tier else {},
                        valid_from=at(since) if number else None, valid_until=until,
                    )
                    for meter, price in zip(METERS, rate, strict=True)
                ]  # fmt: skip
        self.book = build([Layer("law", rows, DEFAULTS)])

    def write(self, writer, *records):
        """Write records as a worker does; both stores get the same."""
        journal = self.journals[writer]
        links = linked(*records, writer=writer, head=self.stores[0].writer_head(writer))
        journal += links
        for store in self.stores:
            store.append(links)

    def correct(self, *records):
        """Write records as one does who corrects entries later."""
        for store in self.stores:
            corrections = Corrections(store)
            for record in records:
                corrections.add(record)
            corrections.flush()
            assert corrections.written == len(records)

    def pick(self, place, *statuses):
        found = [each for each in self.oracle.calls if each.status in statuses]
        return found[place % len(found)]

    def any(self, *statuses):
        return any(each.status in statuses for each in self.oracle.calls)

    # What happens ------------------------------------------------------------------------------

    @initialize(calls=st.lists(calls, min_size=3, max_size=5))
    def begins(self, calls):
        for call, usage in calls:
            self.called(call, usage)

    @rule(call=calls)
    def called_once(self, call):
        self.called(*call)

    def called(self, whose, usage):
        """A call comes in, and is perhaps answered before anything else happens."""
        call = SimpleNamespace(exchange=next(self.numbers), attempt=1, **whose)
        self.begin(call)
        if usage is not None:
            self.end(call, usage)

    @rule(place=places, role=st.sampled_from(["retry", "fallback"]), model=models, usage=usages)
    @precondition(lambda self: self.any("void", "pending", "settled", "unpriced"))
    def tried_again(self, place, role, model, usage):
        one = self.pick(place, "void", "pending", "settled", "unpriced")
        attempts = [each for each in self.oracle.calls if each.exchange == one.exchange]
        changes = {"role": role, "model": model, "attempt": len(attempts) + 1}
        call = SimpleNamespace(**vars(one) | changes)
        self.begin(call)
        self.end(call, usage)

    def begin(self, call):
        """Begin an attempt: what it may cost is leased, then the intent is written."""
        call.started = self.now_us
        bounds = self.booking.bounds(
            "acme", call.model, call.started, INBOUND, account=call.account
        )
        call.low, call.high = of((bounds.low, bounds.high))
        assert (call.low, call.high) == (0, self.oracle.dearest(call.model, call.started))
        call.hold, call.status, call.usage, call.amount = call.high, "open", None, None
        call.repriced = call.corrected = Fraction(0)
        call.intent = an_intent(
            call.exchange, entry_id=f"x{call.exchange}.{call.attempt}", attempt=call.attempt,
            role=call.role, account=call.account, key_id=call.key, provider_kind="acme",
            model=call.model, started_us=call.started, attribution=call.who, budgets=call.budgets,
            hold=bounds.high, low=bounds.low, high=bounds.high,
        )  # fmt: skip
        if bounds.high:
            zero, limit = Decimal(0), Decimal(10**9)
            for counter in call.budgets:
                ask = LeaseAsk(call.account, counter, None, bounds.high, bounds.high, limit, zero)
                for store in self.stores:
                    (lease,) = store.lease(call.writer, [ask])
                    assert lease.granted == bounds.high
                place = (call.account, counter, call.writer)
                self.oracle.leases[place] = self.oracle.leases.get(place, 0) + call.hold
        self.oracle.calls.append(call)
        self.write(call.writer, call.intent)

    def told(self, call, observed, *, failure=None, status=200):
        """Book how an attempt ended."""
        return self.booking.end(
            intent=call.intent, facts=Facts(), outcome="answered", observed=observed,
            failure=failure, http_status=status, ended_us=call.started + 1, first_byte_us=None,
            inbound=INBOUND,
        )  # fmt: skip

    def answer(self, call, usage, charge=None):
        """Make the end record of a whole answer; the oracle's figure must be its total."""
        model, tier, *used = usage
        read = Usage(
            {meter: count for meter, count in zip(METERS, used, strict=True) if count},
            context={"service_tier": tier} if tier else {},
            reported=None if charge is None else Charge(charge),
        )
        end = self.told(call, Observed(read, "r", model, "stop", complete=True))
        amount = self.oracle.price(call, usage) if charge is None else Fraction(charge)
        status = "unpriced" if amount is None else "settled" if charge is None else "reported"
        assert (end.status, *of([end.total])) == (status, amount)
        return end, status, amount

    @rule(place=places, usage=usages, charge=st.none() | prices)
    @precondition(lambda self: self.any("open"))
    def answered(self, place, usage, charge):
        self.end(self.pick(place, "open"), usage, charge)

    def end(self, call, usage, charge=None):
        end, status, amount = self.answer(call, usage, charge)
        self.oracle.end(call, status, amount, usage=usage, model=usage[0])
        self.write(call.writer, end)

    @rule(place=places)
    @precondition(lambda self: self.any("open"))
    def not_reached(self, place):
        call = self.pick(place, "open")
        end = self.told(call, None, failure=ConnectFailed("no route"), status=None)
        self.oracle.end(call, "void", Fraction(0))
        self.write(call.writer, end)

    @rule(place=places, seen=st.none() | usages)
    @precondition(lambda self: self.any("open"))
    def cancelled(self, place, seen):
        """Its client went away: before any usage was told, or when some was."""
        call = self.pick(place, "open")
        if seen is None:
            end = self.told(call, Observed())
            low, model = 0, call.model
            high = self.oracle.most(call.model, "", call.started, LONGEST_PROMPT)
        else:
            model, tier, *used = seen
            quantities = dict(zip(METERS, used, strict=True))
            context = {"service_tier": tier} if tier else {}
            read = Usage({m: q for m, q in quantities.items() if q}, context=context)
            end = self.told(call, Observed(read, "r", model))
            low = self.oracle.price(call, seen) or 0
            high = self.oracle.most(model, tier, call.started, used[0])
        assert of((end.low, end.high)) == [low, high]
        self.oracle.end(call, "pending", low=low, high=high, model=model)
        self.write(call.writer, end)

    @rule(place=places, usage=usages)
    @precondition(lambda self: self.any("pending"))
    def closed_late(self, place, usage):
        """The provider's bill says what a cancelled call used."""
        call = self.pick(place, "pending")
        end, status, amount = self.answer(call, usage)
        self.oracle.end(call, status, amount, usage=usage, model=usage[0])
        self.correct(end)

    @rule(
        parts=st.dictionaries(places, st.decimals(-5, 5, places=9), min_size=1, max_size=3),
        cause=st.sampled_from(["tier_served", "price_differs"]),
    )
    @precondition(lambda self: self.oracle.calls)
    def corrected(self, parts, cause):
        """A bill says otherwise, of several calls at once."""
        found = {place % len(self.oracle.calls): amount for place, amount in parts.items()}
        calls = {each: self.oracle.calls[place] for place, each in zip(found, found, strict=True)}
        account = next(iter(calls.values())).account
        amounts = {}
        for place, call in calls.items():
            # That a price was wrong is said of calls whose usage is known.
            known = call.amount is not None or call.status == "unpriced"
            if call.account == account and (cause == "tier_served" or known):
                amounts[call.intent.entry_id] = found[place]
                name = "repriced" if cause == "price_differs" else "corrected"
                setattr(call, name, getattr(call, name) + Fraction(found[place]))
        if not amounts:
            return
        number = next(self.numbers)
        self.correct(Adjust(f"a{number}", account, self.now_us, cause, "bill", amounts))

    @rule(
        model=models, rates=st.none() | st.tuples(rates, rates), wrong=st.booleans(), also=accounts
    )
    def price_changes(self, model, rates, wrong, also):
        """From now on; or it was wrong from its last change on, and calls are priced anew."""
        for tier, rate in zip(TIERS, rates or TIERS, strict=True):
            if rates is None:  # the model is in the book no more
                self.oracle.prices.pop((model, tier), None)
                continue
            dated = self.oracle.prices.setdefault((model, tier), [(ALWAYS, *rate)])
            since = dated[-1][0] if wrong else self.now_us
            place = bisect_left(dated, (since,))
            same = place < len(dated) and dated[place][0] == since
            dated[place : place + same] = [(since, *rate)]
        self.rebuild()
        if wrong:
            self.repriced(also)

    @rule(percent=st.decimals(0, 100, places=2))
    def contract_changes(self, percent):
        if any(since == self.now_us for since, _ in self.oracle.discounts):
            return
        self.oracle.discounts.append((self.now_us, 1 - Fraction(percent) / 100))
        self.oracle.discounts.sort()
        terms = {"name": "d", "percent": str(percent), "order": 0, "stacks": "multiply"}
        document = {"valid_from": at(self.now_us).isoformat(), "discounts": [terms]}
        self.contracts.append(read_contract("deal", document))
        self.booking.meter.contracts = {"default": AccountContracts(self.contracts)}

    @rule(account=accounts)
    def repriced(self, account):
        """Both stores give the same corrections; a second run writes none."""
        self.now_us += 1  # what is written is named by its entry and the time
        written = [self.corrections(store, account) for store in self.stores]
        assert written[0] == written[1]
        self.correct(*written[0])
        for call in self.oracle.calls:
            if call.account != account or call.status not in {"settled", "unpriced"}:
                continue
            amount = self.oracle.price(call, call.usage)
            if amount is not None and call.status == "settled":
                call.repriced = amount - call.amount
            elif amount is not None:
                self.oracle.end(call, "settled", amount, usage=call.usage)
                call.repriced = Fraction(0)
        assert [self.corrections(store, account) for store in self.stores] == [[], []]

    def corrections(self, store, account):
        def price(usage, context):
            return self.booking.meter.cost(usage, context, account)

        entries = adjusted_entries(store, EntryFilter(account))
        made = (corrections(reprice(each, price), self.now_us, "book") for each in entries)
        return [record for records in made for record in records]

    @rule(account=accounts, customer=names, end_user=names)
    def forgotten(self, account, customer, end_user):
        for store in self.stores:
            store.erase_attribution(account, customer=customer, end_user=end_user)
        for call in self.oracle.calls:
            found = {("c", call.who.customer), ("e", call.who.end_user)} - {
                ("c", None),
                ("e", None),
            }
            if call.account == account and found & {("c", customer), ("e", end_user)}:
                call.who = Attribution()

    @rule(writer=writers, begin=places, size=st.integers(1, 9))
    def stored_again(self, writer, begin, size):
        """A worker does not know what was stored when the store went away."""
        for store in self.stores:
            store.append(self.journals[writer][begin : begin + size])

    @rule(hours=st.integers(-3, 48))
    def time_goes_by(self, hours):
        self.now_us += hours * HOUR_US

    # What must hold ----------------------------------------------------------------------------

    @rule(account=accounts)
    @precondition(lambda self: self.turn % 8 == 0)
    def by_whatever_they_are_grouped(self, account):
        for by in PARTITIONS:
            self.agrees(account, by)
        assert list(self.stores[1].check_usage()) == []

    @invariant()
    def every_sum_agrees(self):
        self.turn += 1
        for account in ACCOUNTS:
            self.agrees(account, PARTITIONS[self.turn % len(PARTITIONS)])
            self.counters_agree(account)

    def agrees(self, account, by):
        sums = self.oracle.sums(account, by)
        for store in self.stores:
            rows = store.usage(EntryFilter(account), by)
            assert {row.group: self.plain(row) for row in rows} == sums
            assert len(rows) == len(sums)

    def counters_agree(self, account):
        sums, leases = self.oracle.counters(account), self.oracle.leases
        for store in self.stores:
            standings = store.standings(account)
            told = {each.counter: tuple(of((each.spent, each.pending))) for each in standings}
            assert {counter: both for counter, both in told.items() if any(both)} == sums
            for each in standings:
                assert {writer: Fraction(left) for writer, left in each.leases.items() if left} == {
                    writer: amount
                    for (whose, counter, writer), amount in leases.items()
                    if (whose, counter) == (account, each.counter) and amount
                }

    def plain(self, row):
        numbers = of((row.total, row.adjusted, row.pending_low, row.pending_high))
        meters = {meter: Fraction(count) for meter, count in row.meters.items()}
        return [row.entries, dict(row.statuses), *numbers, meters]

    @invariant()
    def every_chain_verifies(self):
        for store in self.stores:
            assert [each for one in store.writers() for each in verify(store.chain(one))] == []


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without records; a copy of it is quicker than making one."""
    path = tmp_path_factory.mktemp("empty") / "flo2.db"
    store = SqlStore(SqlStore.Config(path=str(path)))
    store.open()
    store.close()
    return path


def test_every_sum_agrees_with_the_oracle_whatever_happens(empty):
    short = settings(max_examples=settings().max_examples // 5, stateful_step_count=30)
    run_state_machine_as_test(lambda: Money(empty), settings=short)


@pytest.mark.deep
def test_every_sum_agrees_with_the_oracle_for_long(empty):
    faulthandler.cancel_dump_traceback_later()  # it takes longer than a test that hangs may
    long = settings(max_examples=600, stateful_step_count=80)
    run_state_machine_as_test(lambda: Money(empty), settings=long)
