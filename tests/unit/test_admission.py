"""The gate in single cases: what opens a place, and what a held retry is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from simulation.limits import StoredLimits

from flowledger.engine.domain.limits.admission import AdmissionControl, AdmissionRules, LimitState
from flowledger.engine.domain.limits.circuit_breaker import CircuitRules
from flowledger.engine.domain.limits.demand import Demand
from flowledger.engine.domain.machine.decide import admitted
from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import (
    StepCancelRequested,
    TaskPauseRequested,
    TaskResumeRequested,
)
from support.builders import NOON, Story, names, step, template

RULES = AdmissionRules(
    namespaces={},
    circuit=CircuitRules(1, 60.0, 60.0, 1, frozenset({"unknown"})),
    priority_ageing_seconds=60.0,
    weights={},
)
AT_ONCE = Retry(max_attempts=9, backoff="none")


def nothing_stored() -> LimitState:
    """What a coordinator begins with where nothing has a limit yet."""
    return StoredLimits().state(NOON, lambda _: True)


class Gated(Story):
    """A task in memory behind a gate."""

    def __init__(self, *steps: Any, gate: AdmissionControl | None = None, **fields: Any) -> None:
        self.gate = gate or AdmissionControl(RULES, nothing_stored())
        super().__init__(template(*steps, **fields), admit=self.gate.admit)
        self.decided()

    def reported(self) -> list[str]:
        """What follows from the last fact, with those who are let go."""
        fact = self.log[-1]
        assert isinstance(fact, StepEvent)
        self.gate.record_outcome(self.run, fact, self.now)
        return names(self.decided()) + self.let_go()

    def let_go(self, *touched: str) -> list[str]:
        """Those who can go now; without names, any step may have been touched."""
        numbers = self.plan.numbers
        self.gate.sync(self.run, [numbers[name] for name in touched or numbers])
        found: list[TaskEvent] = []
        for waiter in self.gate.admissible(self.now):
            number = self.plan.numbers[waiter.step]
            found += admitted(self.run, number, self.now, self.rules)
        self.log += found
        return names(found)


def bank() -> Gated:
    """Two steps of one system, whose circuit has opened: one failed, the other waits behind it."""
    story = Gated(
        step("a", system="bank", retry=AT_ONCE),
        step("b", "c", system="bank", retry=AT_ONCE),
        step("c"),
    )
    story.begin("a")
    story.fail("a")
    assert story.reported() == ["StepRetryScheduled a"]
    story.begin("c")
    story.complete("c")
    assert "StepEnqueued b" not in story.reported()
    return story


def test_the_first_after_the_time_is_a_probe_and_the_others_wait_for_what_becomes_of_it() -> None:
    story = bank()

    assert story.let_go() == []
    story.now += timedelta(seconds=60)
    assert story.let_go() == ["StepEnqueued a", "TaskWaitEnded"]

    story.begin("a")
    story.complete("a")
    assert "StepEnqueued b" in story.reported()


def test_a_probe_that_ends_without_an_outcome_makes_room_for_another() -> None:
    story = bank()
    story.now += timedelta(seconds=60)
    story.let_go()

    story.begin("a")
    story.hand_back("a")

    told = story.reported()
    assert [name for name in told if name.startswith("StepEnqueued")] == ["StepEnqueued b"]
    assert story.run.waiting == {0: Wait("circuit", "bank")}


def test_an_attempt_from_before_says_nothing_while_probes_are_out() -> None:
    """It began before the circuit opened, and neither opens nor closes it now."""
    story = Gated(
        *(step(name, system="bank", retry=AT_ONCE) for name in "ab"),
        step("c", "a", system="bank"),
    )
    for name in "ab":
        story.begin(name)
    story.fail("a")
    story.reported()
    story.now += timedelta(seconds=60)
    assert story.let_go() == ["StepEnqueued a"]

    story.complete("b")
    story.reported()
    story.begin("a")
    story.complete("a")
    story.reported()

    kinds = [type(event).__name__ for event in story.gate.drain().circuits.events]
    assert kinds == ["CircuitOpened", "CircuitHalfOpened", "CircuitClosed"]
    assert story.run.step("c").state is StepState.ENQUEUED


def test_a_failure_from_before_does_not_open_it_again() -> None:
    story = Gated(*(step(name, system="bank", retry=AT_ONCE) for name in "ab"))
    for name in "ab":
        story.begin(name)
    story.fail("a")
    story.reported()
    story.now += timedelta(seconds=60)
    story.let_go()

    story.fail("b")
    story.reported()

    kinds = [type(event).__name__ for event in story.gate.drain().circuits.events]
    assert kinds == ["CircuitOpened", "CircuitHalfOpened"]


def test_a_probe_that_is_cancelled_lets_the_next_try() -> None:
    story = bank()
    story.now += timedelta(seconds=60)
    story.let_go()

    story.asked(StepCancelRequested, "a")

    assert "StepEnqueued b" in story.let_go()


def test_a_retry_at_once_that_is_held_is_scheduled_so_that_a_fold_finds_it() -> None:
    story = bank()

    number = story.plan.numbers["a"]
    assert story.run.timers[number][0] == "retry"
    assert number not in story.run.undecided
    assert story.fire("a", after=1) == ()


def test_a_task_that_is_resumed_leaves_held_retries_to_the_gate() -> None:
    story = bank()
    story.asked(TaskPauseRequested)

    assert names(story.asked(TaskResumeRequested)) == ["TaskResumed", "RequestGranted"]

    assert set(story.run.waiting) == {0, 1}
    story.now += timedelta(seconds=60)
    assert story.let_go()[0] == "StepEnqueued a"


def test_nobody_overtakes_who_waits_for_the_same() -> None:
    story = Gated(
        step("a", concurrency={"limit": 1, "key": "k"}),
        step("b", concurrency={"limit": 1, "key": "k"}),
        step("c", "a"),
        concurrency={"limit": 2},
    )
    assert names(story.log) == ["TaskCreated", "TaskStarted", "StepEnqueued a", "StepEnqueued b"]
    story.begin("a")
    story.complete("a")

    assert story.reported() == ["StepEnqueued c"]


def test_what_is_not_limited_is_not_asked_for() -> None:
    story = Gated(step("a"), step("b", "a"))
    story.through("a", "b")

    assert not story.gate.drain()
    assert not story.gate.open


class Counting(AdmissionControl):
    """A gate that counts how often it looks at limits."""

    looks = 0

    def _obstacle(self, demand: Demand, now: datetime) -> Wait | None:
        self.looks += 1
        return super()._obstacle(demand, now)


def test_a_wide_fan_under_a_narrow_limit_costs_what_its_width_costs() -> None:
    width = 1_000
    gate = Counting(RULES, nothing_stored())
    story = Gated(*(step(f"s{n}") for n in range(width)), gate=gate, concurrency={"limit": 2})
    queued = ["s0", "s1"]
    for name in queued:
        story.begin(name)
        story.complete(name)
        story.gate.record_outcome(story.run, story.log[-1], story.now)  # type: ignore[arg-type]
        story.decided()
        queued += [one.split()[1] for one in story.let_go(name) if one.startswith("StepEnqueued")]

    assert len(queued) == width
    assert story.run.ended
    assert gate.looks <= 4 * width


def test_what_is_queued_is_called_back_only_while_the_circuit_is_shut() -> None:
    story = bank()
    assert story.gate.to_withdraw(story.now) == ([], ["bank"])
    assert story.gate.must_withdraw

    later = story.now + timedelta(seconds=RULES.circuit.open_seconds)

    assert story.gate.to_withdraw(later) == ([], [])
    assert not story.gate.must_withdraw


def test_a_circuit_that_was_opened_by_a_clock_that_was_ahead_is_tried() -> None:
    story = bank()

    before = story.now - timedelta(hours=1)

    assert story.gate.to_withdraw(before) == ([], [])


def test_what_one_transaction_queues_before_it_opens_is_looked_for_in_the_next() -> None:
    story = bank()
    story.gate.withdrawals_done()
    assert story.gate.to_withdraw(story.now) == ([], ["bank"])

    story.gate.withdrawals_done()

    assert story.gate.to_withdraw(story.now) == ([], [])
