"""Bugs that are planted one at a time: the simulation finds each of them within a few seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from math import inf
from typing import Any
from uuid import UUID

import pytest
from simulation.agenda import Violation
from simulation.coordinator_store import MemoryCoordinatorStore
from simulation.database import Database
from simulation.log import Log
from simulation.simulate import simulate

from flowledger.engine.domain.limits.admission import AdmissionControl
from flowledger.engine.domain.limits.task_starts import TaskStarts
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.events.base import Event, StepEvent
from flowledger.engine.events.step import StepStarted
from flowledger.engine.ports.coordinator import Commit, JointAnswer, Leadership, Row, WorkerPart
from flowledger.engine.ports.worker import Claim
from flowledger.engine.runtime.coordinator import coordinator
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch, in_order
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.runtime.coordinator.joint_rounds import JointCoordinator
from flowledger.engine.runtime.coordinator.shard_decider import Decider
from flowledger.engine.runtime.coordinator.step_starts import start_of, started
from flowledger.engine.runtime.worker.worker import Worker

SEEDS = 1_000
Plant = Callable[[pytest.MonkeyPatch], None]


def no_log_lock(patch: pytest.MonkeyPatch) -> None:
    """Positions are given before the commit: every other transaction is overtaken by the next."""
    append = Log.append
    numbers = count()

    def overtaken(self: Log, events: Sequence[Event]) -> None:
        hole = self._last
        self._last += 20 if next(numbers) % 2 else 0
        append(self, events)
        if self._last - hole > 20:
            self._holes = hole  # type: ignore[attr-defined]
        elif hasattr(self, "_holes"):
            del self._holes

    def position(self: Log) -> int:
        if hasattr(self, "_holes"):
            self._holes += 1
            return int(self._holes)
        self._last += 1
        return self._last

    patch.setattr(Log, "append", overtaken)
    patch.setattr(Log, "_position", position)


def no_compare_and_swap(patch: pytest.MonkeyPatch) -> None:
    """Whoever believes to lead may move the position."""
    patch.setattr(Database, "check_shard", lambda *_: None)


def all_or_nothing(patch: pytest.MonkeyPatch) -> None:
    """One refused step rolls the whole batch back."""
    report = Database.report_outcomes

    def refuse_all(
        self: Database, worker: UUID, facts: Sequence[StepEvent], *args: Any, **options: Any
    ) -> frozenset[UUID]:
        log = self.log
        exclusive = ((fact.originator_id, [fact]) for fact in facts)
        if not any(log._moved(*one) and not log._stored(*one) for one in exclusive):
            return report(self, worker, facts, *args, **options)
        for fact in facts:
            if isinstance(fact, StepStarted):
                self.queue[fact.originator_id].worker_id = None
        return frozenset(fact.originator_id for fact in facts)

    patch.setattr(Database, "report_outcomes", refuse_all)


def ambiguous_is_lost(patch: pytest.MonkeyPatch) -> None:
    """A fact that is reported again, because the answer was lost, counts as refused."""
    patch.setattr(Log, "_stored", lambda *_: False)


def lost_wake_up(patch: pytest.MonkeyPatch) -> None:
    """A worker waits for a wakeup, for ever."""
    patch.setattr(Worker, "_pause", lambda _: 1e9)


def counted_twice(patch: pytest.MonkeyPatch) -> None:
    """A completed step counts for two dependencies."""
    count_open = TaskRun._count_open

    def twice(self: TaskRun, number: int, *, lets: bool) -> None:
        count_open(self, number, lets=lets)
        count_open(self, number, lets=lets)

    patch.setattr(TaskRun, "_count_open", twice)


def late_completion_accepted(patch: pytest.MonkeyPatch) -> None:
    """What a worker reports is appended, whoever got there first."""

    def accept(self: Log, events: Sequence[Event]) -> frozenset[UUID]:
        for event in events:
            version = event.originator_version
            if self._moved(event.originator_id, [event]):
                version = self.version(event.originator_id) + 1
            self.append([event.model_copy(update={"originator_version": version})])
        return frozenset()

    patch.setattr(Log, "append_per_stream", accept)


def leaked_slot(patch: pytest.MonkeyPatch) -> None:
    """A step that leaves the queue keeps its slots."""
    patch.setattr(AdmissionControl, "_leave_queue", lambda *_: None)


def forgotten_timer(patch: pytest.MonkeyPatch) -> None:
    """The last of the timers of a transaction is not stored."""
    store = Database.upsert_timers
    patch.setattr(Database, "upsert_timers", lambda self, rows: store(self, rows[:-1]))


def position_first(patch: pytest.MonkeyPatch) -> None:
    """The position is stored in a transaction before that of the decisions."""
    commit = Database.commit_decisions
    numbers = count()

    def in_two(self: Database, number: int, transaction: Commit, lease: float) -> None:
        self.check_shard(number, transaction.epoch, transaction.old)
        if next(numbers) % 7 == 6:
            self.advance_shard_position(number, transaction.new, lease)
            raise DatabaseUnavailable("cut off between the two")
        commit(self, number, transaction, lease)

    patch.setattr(Database, "commit_decisions", in_two)


def lost_queue_row(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks for steps that should be queued and are not."""
    patch.setattr(MemoryCoordinatorStore, "unqueued", lambda *_: [])


def cancel_misses_a_step(patch: pytest.MonkeyPatch) -> None:
    """A step that is queued and cancelled in one batch stays in the queue."""
    commit = CommitBatch.commit

    def with_all_that_was_queued(self: CommitBatch, *arguments: Any) -> Commit:
        made = commit(self, *arguments)
        now = arguments[-1]
        made.queued = [self._queue_row(run, n, now) for run, n in in_order(self._queued)]
        return made

    patch.setattr(CommitBatch, "commit", with_all_that_was_queued)


def same_batch_again(patch: pytest.MonkeyPatch) -> None:
    """After a conflict with a fact beyond its batch the coordinator reads the same batch."""
    patch.setattr(coordinator, "MOST_DOUBLINGS", 0)


def blind_to_successors(patch: pytest.MonkeyPatch) -> None:
    """A coordinator takes decisions that it does not know of for a broken log."""

    def park(
        self: MemoryCoordinatorStore, epoch: int, position: int, reasons: Mapping[UUID, str]
    ) -> None:
        raise Violation(f"the coordinator parks {dict(reasons)}")

    patch.setattr(MemoryCoordinatorStore, "park", park)
    patch.setattr(Coordinator, "_is_sound", sound_or_parked)


def sound_or_parked(self: Coordinator, leadership: Leadership) -> bool:
    """As it is, but for the look at who leads."""
    if self._quarantine.unsaved:
        self._store.park(leadership.epoch, self._position, self._quarantine.unsaved)
    if self._quarantine.spoiled:
        self._begin_anew()
    return not self._quarantine.spoiled


def late_claim(patch: pytest.MonkeyPatch) -> None:
    """A worker asks the board once for claims of an exchange that was cut off."""
    patch.setattr(Worker, "_reconcile_claims", lambda _: None)


def joint_facts_are_decided_again(patch: pytest.MonkeyPatch) -> None:
    """The position stays before the facts that a joint round has answered."""
    patch.setattr(MemoryCoordinatorStore, "commit_jointly", jointly_at(lambda first, _: first))


def joint_starts_are_passed_over(patch: pytest.MonkeyPatch) -> None:
    """The position moves past the starts of a joint round, which nobody has folded."""
    patch.setattr(MemoryCoordinatorStore, "commit_jointly", jointly_at(lambda _, end: end))


def jointly_at(
    position: Callable[[int, int], int],
) -> Callable[[MemoryCoordinatorStore, Commit, WorkerPart, int], JointAnswer]:
    """A joint round that leaves its shard at another position."""
    jointly = MemoryCoordinatorStore.commit_jointly

    def misplaced(
        self: MemoryCoordinatorStore, commit: Commit, part: WorkerPart, known: int
    ) -> JointAnswer:
        answer = jointly(self, commit, part, known)
        shard, database = self._database.shards[self._shard], self._database
        shard.position = position(commit.new, database.log.end)
        return replace(answer, position=shard.position)

    return misplaced


def refused_round_is_kept(patch: pytest.MonkeyPatch) -> None:
    """After a joint round was refused, what it had decided stays in memory."""
    patch.setattr(JointCoordinator, "_undo", lambda _: None)


def joint_claims_without_a_row(patch: pytest.MonkeyPatch) -> None:
    """What is started in a joint round is in nobody's hands, and nobody looks for it."""
    jointly = MemoryCoordinatorStore.commit_jointly

    def let_go(
        self: MemoryCoordinatorStore, commit: Commit, part: WorkerPart, known: int
    ) -> JointAnswer:
        answer = jointly(self, commit, part, known)
        for claim in answer.exchange.claims:
            del self._database.queue[claim.step_id]
        return answer

    patch.setattr(MemoryCoordinatorStore, "commit_jointly", let_go)
    lost_queue_row(patch)


def joint_start_overtakes(patch: pytest.MonkeyPatch) -> None:
    """What follows starts at once, whatever is in the queue."""
    patch.setattr(JointCoordinator, "_front", property(lambda _: inf, lambda *_: None))


def joint_start_is_dead_before_it_runs(patch: pytest.MonkeyPatch) -> None:
    """The row of a step that starts in a joint round names nobody."""
    queue_row = CommitBatch._queue_row

    def nameless(self: CommitBatch, *args: Any) -> Row:
        row = queue_row(self, *args)
        return {name: value for name, value in row.items() if name != "worker"}

    patch.setattr(CommitBatch, "_queue_row", nameless)


def joint_start_is_not_folded(patch: pytest.MonkeyPatch) -> None:
    """The position moves past a start that the coordinator itself does not know of."""

    def unknown(
        _: Decider, batch: CommitBatch, run: TaskRun, number: int, worker: UUID, now: datetime
    ) -> Claim:
        start = start_of(run, number, worker, now)
        batch.started(run, started(run, start))
        return start.claim

    patch.setattr(Decider, "start_here", unknown)


def created_meanwhile_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The position moves past tasks that were created while a joint round was on its way."""
    jointly = MemoryCoordinatorStore.commit_jointly

    def forgetful(
        self: MemoryCoordinatorStore, commit: Commit, part: WorkerPart, known: int
    ) -> JointAnswer:
        answer = jointly(self, commit, part, known)
        self._database.shards[self._shard].created_from = None
        return replace(answer, created_from=None)

    patch.setattr(MemoryCoordinatorStore, "commit_jointly", forgetful)


def created_meanwhile_is_not_told_to_the_next_leader(patch: pytest.MonkeyPatch) -> None:
    """Only who made the round knows of the tasks that were created meanwhile."""
    patch.setattr(MemoryCoordinatorStore, "created_from", lambda _: None)


def who_waits_to_begin_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Once what is in memory is given up, nobody looks for tasks that wait to begin."""
    forget = TaskStarts.forget

    def forgetful(self: TaskStarts) -> None:
        forget(self)
        self.unknown = False

    patch.setattr(TaskStarts, "forget", forgetful)


def joint_catch_up_keeps_its_slots(patch: pytest.MonkeyPatch) -> None:
    """What a joint round has caught up with is stored without what it means for the limits."""

    def stored(self: JointCoordinator, leadership: Leadership, batch: CommitBatch) -> None:
        if batch and self._is_sound(leadership):
            self._commit(leadership, batch, background=False)
            self._await_commit()

    patch.setattr(JointCoordinator, "_store_ordinarily", stored)


PLANTS = (
    no_log_lock,
    no_compare_and_swap,
    all_or_nothing,
    ambiguous_is_lost,
    lost_wake_up,
    counted_twice,
    late_completion_accepted,
    leaked_slot,
    forgotten_timer,
    position_first,
    lost_queue_row,
    cancel_misses_a_step,
    same_batch_again,
    blind_to_successors,
    late_claim,
    joint_facts_are_decided_again,
    joint_starts_are_passed_over,
    refused_round_is_kept,
    joint_claims_without_a_row,
    joint_start_overtakes,
    joint_start_is_dead_before_it_runs,
    joint_start_is_not_folded,
    created_meanwhile_is_forgotten,
    created_meanwhile_is_not_told_to_the_next_leader,
    who_waits_to_begin_is_forgotten,
    joint_catch_up_keeps_its_slots,
)


TOGETHER = {
    plant.__name__
    for plant in PLANTS
    if plant.__name__.startswith(("joint_", "refused_", "created_"))
}
"""Bugs of joint rounds: they are looked for where every process has all roles."""

RARE = {
    joint_catch_up_keeps_its_slots: (2_234,),
    no_compare_and_swap: (90, 208, 495),
    all_or_nothing: (76, 90, 179),
    blind_to_successors: (655,),
    late_claim: range(280, 290),
}
"""Bugs that few seeds meet, and seeds among which one did: these are tried before all others."""


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    together = plant.__name__ in TOGETHER
    with pytest.raises(Violation):
        simulate_all([*RARE.get(plant, ()), *range(SEEDS)], together=together)


def simulate_all(seeds: Sequence[int], *, together: bool) -> None:
    for seed in seeds:
        simulate(seed, together=together)
