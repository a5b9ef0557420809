"""The two stores behind the ports, Postgres and memory, with one clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from simulation.coordinator_store import MemoryCoordinatorStore
from simulation.database import Database, Shard
from simulation.local_clock import LocalClock
from simulation.task_store import MemoryTaskStore
from simulation.worker_store import MemoryWorkerStore

from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.deterministic_ids import request_id, step_id
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCompleted, StepEnqueued
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.client import Tasks
from flowledger.engine.ports.coordinator import Commit, CoordinatorStore, Row
from flowledger.engine.ports.worker import Claim, Exchange, WorkerStore
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.coordinator_store import PostgresCoordinatorStore
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.task_store import PostgresTaskStore
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.engine.store.worker_store import PostgresWorkerStore
from support.builders import NOON, diamond
from support.engines import EngineHarness
from support.sql_calls import new_id

E = TypeVar("E", bound=StepEvent)
LEASE = 30.0


@dataclass
class Stores:
    """The ports on one database, and a task template that is registered there."""

    ledger: CoordinatorStore
    board: WorkerStore
    tasks: Tasks
    clock: Any
    move: Callable[[float], object]
    own_transaction: Callable[[], AbstractContextManager[object]]

    def __post_init__(self) -> None:
        self.template = diamond()
        self.plan = compile_plan(self.template)
        self.worker, self.leader = new_id(), new_id()
        self.position = self.epoch = 0

    def now(self) -> datetime:
        """The database's time, as one learns it by a call."""
        self.board.renew(new_id(), LEASE)
        now: datetime = self.clock.now()
        return now

    def begin(self) -> None:
        """Register the template and the worker, and lead."""
        self.tasks.register(self.template)
        self.board.renew(self.worker, LEASE)
        leadership = self.ledger.lead(self.leader, LEASE)
        assert leadership is not None
        self.epoch, self.position = leadership.epoch, leadership.position

    def created(self, **fields: Any) -> TaskCreated:
        """The first event of a task."""
        task = new_id()
        return TaskCreated(
            **{
                "originator_id": task,
                "originator_version": 1,
                "event_id": new_id(),
                "occurred_at": NOON,
                "correlation_id": str(task),
                "task_id": task,
                "namespace": self.template.namespace,
                "template": self.template.name,
                "version": self.template.version,
                "definition_hash": self.template.definition_hash,
                "template_id": self.template.template_id,
                **fields,
            }
        )

    def submitted(self, **fields: Any) -> UUID:
        """A task that is stored."""
        (task,) = self.tasks.submit([self.created(**fields)], None, only_new=False)
        return task

    def event(self, kind: type[E], task: UUID, version: int, step: str = "start", **data: Any) -> E:
        """An event of a step."""
        values = {"attempt": 1, **data}
        return kind(
            originator_id=step_id(task, step),
            originator_version=version,
            event_id=new_id(),
            occurred_at=NOON,
            correlation_id=str(task),
            task_id=task,
            namespace=self.template.namespace,
            template=self.template.name,
            step=step,
            **values,
        )

    def request(self, kind: type[Any], task: UUID, key: str = "k", **data: Any) -> Any:
        """Something that an operator asks for."""
        return kind(
            originator_id=request_id(task, key),
            originator_version=1,
            event_id=new_id(),
            occurred_at=NOON,
            correlation_id=str(task),
            task_id=task,
            namespace=self.template.namespace,
            template=self.template.name,
            actor="ann",
            reason="a reason",
            **data,
        )

    def queue_row(self, task: UUID, step: str = "start", **changed: Any) -> Row:
        """A row for the queue."""
        row = {
            "step_id": step_id(task, step),
            "task_id": task,
            "template_id": self.template.template_id,
            "version": 1,
            "sort_key": 0.0,
            "attempt": 1,
            "resets": 0,
            "step": step,
            "correlation": None,
            "exclusive": False,
        }
        return {**row, **changed}

    def step_row(self, task: UUID, step: str = "start", **changed: Any) -> Row:
        """A row of the step readiness."""
        row = {"task_id": task, "step": step, "state": "enqueued", "attempt": 0, "version": 1}
        return {**row, "due_at": None, **changed}

    def task_row(self, task: UUID, **changed: Any) -> Row:
        """A row of the tasks."""
        row = {
            "task_id": task,
            "template_id": self.template.template_id,
            "namespace": self.template.namespace,
            "template": self.template.name,
            "version": self.template.version,
            "state": "in_progress",
            "stream_version": 2,
            "paused": False,
            "priority": 0,
            "correlation": str(task),
            "created_at": NOON,
            "ended_at": None,
        }
        return {**row, **changed}

    def timer_row(self, task: UUID, due_at: datetime, step: str = "start") -> Row:
        """A row of the timers."""
        return {
            "step_id": step_id(task, step),
            "task_id": task,
            "step": step,
            "kind": "retry",
            "due_at": due_at,
        }

    def commit(self, *, to: int | None = None, **fields: Any) -> None:
        """A transaction of the leader, which moves its position on."""
        new = self.position if to is None else to
        self.ledger.commit(Commit(epoch=self.epoch, old=self.position, new=new, **fields))
        self.position = new

    def queued(self, count: int = 1, **changed: Any) -> list[UUID]:
        """Tasks whose step `start` is queued."""
        tasks = [self.submitted() for _ in range(count)]
        self.commit(
            events=[self.event(StepEnqueued, task, 1) for task in tasks],
            queued=[self.queue_row(task, **changed) for task in tasks],
            steps=[self.step_row(task) for task in tasks],
            tasks=[self.task_row(task) for task in tasks],
        )
        return tasks

    def exchange(self, *facts: StepEvent, limit: int = 0, worker: UUID | None = None) -> Exchange:
        """One exchange of a worker with the board."""
        templates = [self.template.template_id]
        identity = worker or self.worker
        return self.board.exchange(identity, facts, templates, limit, quiet=False)


def memory_stores(shard: int = 0, shards: int = 1) -> Stores:
    """The ports in memory."""
    shift = [timedelta()]

    def move(seconds: float) -> None:
        shift[0] += timedelta(seconds=seconds)

    database = Database(lambda: NOON + shift[0], shards=[Shard() for _ in range(shards)])
    clock = LocalClock(lambda: NOON)
    ledger = MemoryCoordinatorStore(database, clock, LEASE, shard)
    tasks = MemoryTaskStore(database, Identifiers().new)
    board = MemoryWorkerStore(database, clock, Identifiers().new)
    return Stores(ledger, board, tasks, clock, move, lambda: nullcontext("a transaction"))


def postgres_stores(harness: EngineHarness, opened: ExitStack) -> Stores:
    """The ports in Postgres."""
    pool = opened.enter_context(engine_pool(harness.url, harness.settings()))
    mapper, clock = EventMapper(), DatabaseClock()
    return Stores(
        PostgresCoordinatorStore(pool, mapper, clock, LEASE),
        PostgresWorkerStore(pool, mapper, clock),
        PostgresTaskStore(pool, mapper, clock, Identifiers()),
        clock,
        lambda seconds: harness.move_clock(f"{seconds} s"),
        lambda: psycopg.connect(harness.url),
    )


def kinds(store: Stores, task: UUID) -> list[str]:
    """The names of the task's events."""
    return [type(recorded.event).__name__ for recorded in store.tasks.history(task)]


def claimed(store: Stores, **changed: object) -> Claim:
    """A step that was queued and claimed."""
    store.queued(**changed)
    (claim,) = store.exchange(limit=1).claims
    return claim


def completed(store: Stores, claim: Claim, version: int | None = None) -> StepCompleted:
    """The completion that follows the start, or has another version."""
    version = version or claim.version + 1
    return store.event(StepCompleted, claim.task_id, version, attempt=claim.attempt, result=7)
