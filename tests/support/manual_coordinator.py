"""A coordinator and a worker led by hand, on a store that a test may interfere with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.domain.verify.replay_and_compare_rows import (
    Difference,
    Replay,
    differences,
    visible_at,
)
from flowledger.engine.events.base import Recorded, TaskEvent
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, CrashPoints
from flowledger.engine.ports.coordinator import Commit, JointAnswer, WorkerPart
from flowledger.engine.runtime.coordinator.joint_rounds import JointCoordinator
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.coordinator_store import PostgresCoordinatorStore
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.task_store import PostgresTaskStore
from flowledger.engine.store.uuid_generator import Identifiers
from support.engines import EngineHarness
from support.manual_worker import ManualWorker

Interference = Callable[[Any], None]
CLOCK = frozenset({"clock"})


def nothing(_: Any) -> None:
    """No interference."""


class InterferedStore(PostgresCoordinatorStore):
    """The store, with something that happens before or after a commit, or after facts are read."""

    def __init__(self, pool: Pool, clock: DatabaseClock) -> None:
        super().__init__(pool, EventMapper(), clock, 36_000.0)
        self.before: Interference = nothing
        self.after: Interference = nothing
        self.read: Interference = nothing
        self.stored: list[Commit] = []
        self.vacuums = 0

    def commit(self, commit: Commit) -> None:
        self.before(commit)
        super().commit(commit)
        self.stored.append(commit)
        self.after(commit)

    def commit_jointly(self, commit: Commit, part: WorkerPart, known: int) -> JointAnswer:
        self.before(commit)
        answer = super().commit_jointly(commit, part, known)
        self.stored.append(commit)
        self.after(commit)
        return answer

    def facts(self, after: int, limit: int) -> Sequence[Recorded]:
        found = super().facts(after, limit)
        self.read(found)
        return found

    def vacuum_queue(self) -> None:
        super().vacuum_queue()
        self.vacuums += 1


class ManualCoordinator:
    """One coordinator, one worker, and everything in the rows held against the log."""

    def __init__(
        self, harness: EngineHarness, opened: ExitStack, flow: Any, **coordinator: Any
    ) -> None:
        self.harness = harness
        self.flow = flow
        self.client = harness.open(flow, roles=())
        self.worker = ManualWorker(harness, opened, flow)
        self._opened = opened
        self._settings = harness.settings(
            coordinator={"lease_seconds": 36_000.0, "max_lost_leases": 1_000, **coordinator}
        )
        self.clock = DatabaseClock()
        self.ledger = InterferedStore(self._pool(), self.clock)
        self.coordinator = self.another(self.ledger, self.clock)

    def another(
        self,
        ledger: PostgresCoordinatorStore | None = None,
        clock: DatabaseClock | None = None,
        faults: CrashPoints = NO_CRASH_POINTS,
    ) -> JointCoordinator:
        """A coordinator on a store of its own, unless one is given."""
        clock = clock or DatabaseClock()
        return JointCoordinator(
            store=ledger or InterferedStore(self._pool(), clock),
            clock=clock,
            notify=nothing,
            identity=uuid4(),
            settings=self._settings.coordinator,
            crash_points=faults,
        )

    def settle(self) -> None:
        """Let the coordinator go on until there is nothing to do but to wait."""
        for _ in range(1_000):
            if self.coordinator.step(CLOCK):
                return
        raise AssertionError("the coordinator does not come to rest")

    def silence(self) -> None:
        """The worker's lease runs out."""
        self.harness.rows(
            "update flowledger.worker set lease_until = flowledger.clock() - interval '1 s'"
        )

    def topics(self, task_id: UUID) -> list[str]:
        """What the log says of the task's steps, in its order."""
        rows = self.harness.rows(
            "select topic from flowledger.event where task_id = %s and topic like 'step.%%'"
            " order by notification_id",
            task_id,
        )
        return [topic.removeprefix("step.") for (topic,) in rows]

    def row(self, task_id: UUID) -> tuple[str, int]:
        """State and version of the one step that has a row."""
        (row,) = self.harness.rows(
            "select state, stream_version from flowledger.step where task_id = %s", task_id
        )
        return row

    def differences(self, task_id: UUID, flow: Any = None) -> Sequence[Difference]:
        """Where the task's rows differ from its log. Raises where the log is illegal."""
        return row_differences(self.worker.pool, task_id, flow or self.flow)

    def _pool(self) -> Pool:
        return self._opened.enter_context(engine_pool(self.harness.url, self.harness.settings()))


def row_differences(pool: Pool, task_id: UUID, flow: Any) -> Sequence[Difference]:
    """Where the rows of a task differ from the fold of its log. Raises where that is illegal."""
    tasks = PostgresTaskStore(pool, EventMapper(), DatabaseClock(), Identifiers())
    snapshot = tasks.snapshot(task_id)
    plan = compile_plan(flow.template)
    log = [
        (one.position, one.event) for one in snapshot.history if isinstance(one.event, TaskEvent)
    ]
    for _ in Replay(plan).frames(log):
        pass
    replay = Replay(plan)
    for _ in replay.frames(visible_at(log, snapshot.position)):
        pass
    task = snapshot.task and {**fields(snapshot.task), "ended": snapshot.task.ended_at is not None}
    return differences(replay.run, task, {step.step: fields(step) for step in snapshot.steps})


def fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
