"""Whatever becomes of the coordinator's commits, the log stays legal and every task ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowledger.engine.errors import DatabaseUnavailable, LeadershipLost
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepError, StepReleased
from flowledger.engine.ports.worker import Claim
from flowledger.handlers import Retry, Workflow
from support.engines import EngineHarness, completions, shared_harness
from support.examples import examples
from support.manual_coordinator import CLOCK, ManualCoordinator, nothing

__all__ = ["shared_harness"]

TASKS = 3
ROUNDS = 500
PATIENT_ROUNDS = 20
"""After so many time passes: a step that was taken away is not begun again at once."""
NO = StepError(error_class="ValueError", message="no", category="unknown", retryable=True)

flow = Workflow("property", "commits", version="1")
patient = Retry(max_attempts=1_000, backoff="none")


@flow.step(retry=patient)
def start() -> None:
    """Run by hand here, as all of them."""


@flow.step(after=[start], retry=patient)
def left() -> None:
    """One branch."""


@flow.step(after=[start], retry=patient)
def right() -> None:
    """The other branch."""


@flow.step(after=[left, right], retry=patient)
def end() -> None:
    """Where they meet."""


class Hands:
    """What the worker does in a round. May be called by the commit, from its thread."""

    def __init__(self, stage: ManualCoordinator) -> None:
        self._stage = stage
        self._held: dict[UUID, Claim] = {}
        self._lock = Lock()

    def work(self, outcome: str) -> None:
        worker = self._stage.worker
        with self._lock:
            worker.board.renew(worker.identity, 36_000)
            facts: list[Any] = []
            if outcome != "hold":
                facts = [self._fact(claim, outcome) for claim in self._held.values()]
                self._held.clear()
            worker.exchange(facts, limit=2)
            # The board knows best: a step may have been taken away, and be held here anew.
            self._held = {claim.step_id: claim for claim in worker.board.claims_of(worker.identity)}

    def _fact(self, claim: Claim, outcome: str) -> Any:
        worker = self._stage.worker
        if outcome == "fail":
            return worker.fact(StepAttemptFailed, claim, error=NO)
        return worker.fact(StepReleased if outcome == "hand back" else StepCompleted, claim)


def interference(
    stage: ManualCoordinator, hands: Hands, fates: list[str]
) -> tuple[Callable[..., None], ...]:
    """What happens before and after each commit: the fates in their order, then nothing."""
    fate = iter(fates)
    now = ["stored"]

    def before(_: Any) -> None:
        now[0] = next(fate, "stored")
        if now[0] == "race":
            hands.work("complete")
        elif now[0] == "cut before":
            raise DatabaseUnavailable("cut off before the commit")
        elif now[0] == "deposed":
            raise LeadershipLost("another leads")

    def after(_: Any) -> None:
        if now[0] == "cut after":
            raise DatabaseUnavailable("cut off after the commit")

    return before, after


def ended(stage: ManualCoordinator, tasks: list[Any]) -> bool:
    count = stage.harness.value(
        "select count(*) from flowledger.task where ended_at is not null and task_id = any (%s)",
        [task.id for task in tasks],
    )
    return bool(count == len(tasks))


def settle(stage: ManualCoordinator) -> None:
    """The tasks may have ended by a commit that is under way yet, and so is its fate."""
    with suppress(DatabaseUnavailable):
        stage.settle()
    stage.ledger.before = stage.ledger.after = nothing
    stage.settle()


def free_shard(harness: EngineHarness) -> None:
    """A coordinator that was cut off last does not resign; the next example is to lead at once."""
    harness.rows("update flowledger.shard set leader = null, lease_until = flowledger.clock()")


FATES = st.lists(st.sampled_from(["stored", "cut before", "cut after", "deposed", "race"]))
WORK = st.lists(st.sampled_from(["complete", "fail", "hand back", "hold", "silent"]), max_size=10)


@pytest.mark.timeout(120)
@settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(fates=FATES, work=WORK, hurry=st.sampled_from([1, 2, 1_000]), size=st.integers(1, 5))
@example(fates=["cut after"] * 60, work=[], hurry=1, size=3)
def test_whatever_becomes_of_commits_the_log_is_legal_and_every_task_ends(
    shared_harness: EngineHarness, fates: list[str], work: list[str], hurry: int, size: int
) -> None:
    with ExitStack() as opened:
        stage = ManualCoordinator(
            shared_harness, opened, flow, pipeline_events=hurry, batch_size=size
        )
        opened.callback(stage.client.close)
        opened.callback(stage.worker.board.retire, stage.worker.identity)
        opened.callback(free_shard, shared_harness)
        opened.callback(stage.coordinator.resign)
        hands = Hands(stage)
        stage.ledger.before, stage.ledger.after = interference(stage, hands, fates)
        tasks = stage.client.submit_many(flow, [{}] * TASKS)
        doings = iter(work)
        for number in range(ROUNDS):
            if number % PATIENT_ROUNDS == PATIENT_ROUNDS - 1:
                shared_harness.move_clock("1 minute")
            doing = next(doings, "complete")
            if doing == "silent":
                stage.silence()
            else:
                hands.work(doing)
            try:
                stage.coordinator.step(CLOCK)
            except DatabaseUnavailable:
                continue
            if ended(stage, tasks):
                break
        settle(stage)

        assert ended(stage, tasks)
        for task in tasks:
            assert stage.differences(task.id) == []
            assert task.history()[-1].event.topic == "task.completed"
        assert set(completions(shared_harness).values()) == {1}
