"""The breaker: quick to open, quick to close, slow to trust a flapper, and never in a state that makes no sense."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.engines.routing import health
from app.engines.routing.health import Health


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def made() -> tuple[Health, Clock]:
    clock = Clock()
    return Health(clock, lambda: 0.5), clock


def eject(breaker: Health) -> None:
    for _ in range(health.FAILURES):
        breaker.failed("it broke")


def test_one_failure_is_forgiven_two_in_a_row_are_not() -> None:
    breaker, _ = made()
    breaker.failed("first")
    breaker.succeeded()
    breaker.failed("second")
    assert breaker.admitted
    breaker.failed("third")
    assert not breaker.admitted
    assert (breaker.state, breaker.reason, breaker.ejections) == ("out", "third", 1)


def test_it_is_probed_after_a_second_and_then_every_second_for_as_long_as_it_takes() -> None:
    breaker, clock = made()
    eject(breaker)
    assert not breaker.probe_due
    clock.time += 1.0
    for _ in range(100):
        assert breaker.probe_due
        breaker.probed()
        breaker.probe_failed("still down")
        assert not breaker.probe_due
        clock.time += health.PROBE_AGAIN
    breaker.readmitted()
    assert breaker.admitted and breaker.reason == ""


def test_a_returned_route_gets_its_share_bit_by_bit() -> None:
    breaker, clock = made()
    assert breaker.share == 1.0
    eject(breaker)
    assert breaker.share == 0.0
    breaker.readmitted()
    shares = []
    for _ in range(12):
        shares.append(breaker.share)
        clock.time += 1.0
    assert shares[0] == health.LEAST_SHARE
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_only_a_route_that_flaps_is_left_alone_for_longer() -> None:
    breaker, clock = made()
    waits = []
    for _ in range(8):
        eject(breaker)
        began = clock.time
        while not breaker.probe_due:
            clock.time += 0.05
        waits.append(clock.time - began)
        breaker.readmitted()
        clock.time += 5.0
    assert waits[0] < 1.2
    assert all(later > sooner for sooner, later in pairwise(waits[:6]))
    assert max(waits) <= health.LONGEST_OUT + 0.1
    clock.time += health.FLAPPING
    eject(breaker)
    clock.time += 1.2
    assert breaker.probe_due


def test_the_last_route_stays_in() -> None:
    breaker, _ = made()
    for _ in range(20):
        breaker.failed("it broke", last=True)
    assert breaker.admitted and breaker.reason == "it broke"
    breaker.failed("it broke")  # now there is another one
    assert not breaker.admitted


def test_a_busy_route_is_passed_over_for_as_long_as_it_says() -> None:
    breaker, clock = made()
    breaker.busy_for(3.0)
    assert breaker.busy and breaker.admitted and breaker.failures == 0
    clock.time += 2.9
    assert breaker.busy
    clock.time += 0.2
    assert not breaker.busy
    breaker.busy_for(None)
    clock.time += health.BUSY + 0.01
    assert not breaker.busy


def test_a_misconfigured_route_is_out_at_once_and_looked_at_now_and_then() -> None:
    breaker, clock = made()
    breaker.misconfigured("401")
    assert breaker.state == "misconfigured" and breaker.ejections == 0
    assert not breaker.probe_due
    clock.time += health.PROBE_SETUP
    assert breaker.probe_due
    breaker.probed()
    breaker.probe_failed("401")
    clock.time += health.PROBE_SETUP - 0.1
    assert not breaker.probe_due
    breaker.readmitted()
    assert breaker.admitted


def test_what_ends_well_after_it_went_out_proves_nothing() -> None:
    breaker, _ = made()
    eject(breaker)
    breaker.succeeded()
    assert not breaker.admitted


class Breaker(RuleBasedStateMachine):
    """Whatever happens in whatever order: the promises above hold."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Health(self.clock, lambda: 0.5)
        self.in_a_row = 0
        self.was_in = True

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule()
    def succeed(self) -> None:
        state = self.breaker.state
        self.breaker.succeeded()
        assert self.breaker.state == state
        self.in_a_row = 0 if self.breaker.admitted else self.in_a_row

    @rule(last=st.booleans())
    def fail(self, last: bool) -> None:
        state, ejections = self.breaker.state, self.breaker.ejections
        self.in_a_row += state == "in"
        self.breaker.failed("broken", last=last)
        assert self.breaker.reason == "broken"
        if state != "in" or last:
            assert (self.breaker.state, self.breaker.ejections) == (state, ejections)
        else:
            assert self.breaker.admitted == (self.in_a_row < health.FAILURES)

    @rule()
    def misconfigure(self) -> None:
        self.breaker.misconfigured("wrong key")
        assert self.breaker.state == "misconfigured"

    @rule(seconds=st.one_of(st.none(), st.floats(-1, 60)))
    def be_busy(self, seconds: float | None) -> None:
        state = self.breaker.state
        self.breaker.busy_for(seconds)
        assert self.breaker.state == state

    @precondition(lambda self: self.breaker.probe_due)
    @rule(well=st.booleans())
    def probe(self, well: bool) -> None:
        self.breaker.probed()
        if well:
            self.breaker.readmitted()
            self.in_a_row = 0
            assert self.breaker.admitted and self.breaker.share == health.LEAST_SHARE and not self.breaker.busy
        else:
            self.breaker.probe_failed("still broken")
            assert not self.breaker.probe_due

    @invariant()
    def holds(self) -> None:
        breaker = self.breaker
        assert breaker.admitted == (breaker.state == "in")
        assert 0.0 <= breaker.share <= 1.0
        assert (breaker.share == 0.0) == (not breaker.admitted)
        assert not (breaker.probe_due and breaker.admitted)
        assert breaker.since is None or breaker.since <= self.clock.time
        if not breaker.admitted:  # it is probed again within half a minute, whatever it did
            now, self.clock.time = self.clock.time, self.clock.time + health.LONGEST_OUT + 0.01
            assert breaker.probe_due
            self.clock.time = now


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(max_examples=200, stateful_step_count=40)
