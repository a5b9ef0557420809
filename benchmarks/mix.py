"""A mix of tasks, most of them finished, as the rows and events that an engine would have left.

Rows go in by COPY, since half a million tasks would take an hour to run. What they say is legal:
the events of a task fold to its rows, and `flowledger verify` agrees.

The shapes and their shares are those of the suite that is compared with: 30 % linear, 25 % diamond,
20 % parallel merge, 15 % tree and 10 % mixed. Of five tasks four have ended, one in twenty of those
in error. An open task has done some of its steps; what it can do next is queued, runs or waits for
a retry.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from ours import workflow
from psycopg import sql
from shapes import NAMESPACE, RESULT, Shape

from flowledger.engine import events
from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.handlers import Workflow

MIX = (
    (30, Shape("linear_4", {"s1": (), "s2": ("s1",), "s3": ("s2",), "s4": ("s3",)})),
    (25, Shape("diamond_4", {"start": (), "b": ("start",), "c": ("start",), "merge": ("b", "c")})),
    (20, Shape("merge_4", {"p1": (), "p2": (), "p3": (), "merge": ("p1", "p2", "p3")})),
    (
        15,
        Shape(
            "tree_7",
            {
                "root": (),
                "left": ("root",),
                "right": ("root",),
                "d": ("left",),
                "e": ("left",),
                "f": ("right",),
                "g": ("right",),
            },
        ),
    ),
    (
        10,
        Shape(
            "mixed_7",
            {
                "init": (),
                "left": ("init",),
                "right": ("init",),
                "validate": ("left", "right"),
                "transform": ("left",),
                "analyze": ("right",),
                "finalize": ("validate", "transform", "analyze"),
            },
        ),
    ),
)
FINISHED, IN_ERROR = 0.8, 0.05
NEXT = {"enqueued": 70, "in_progress": 25, "waiting_for_retry": 5}
WORKERS = 4
CHUNK = 20_000
"""Tasks whose rows are in memory at once."""

COLUMNS = {
    "task": {
        "task_id": "uuid",
        "template_id": "uuid",
        "namespace": "text",
        "template": "text",
        "version": "text",
        "state": "text",
        "stream_version": "int8",
        "priority": "int4",
        "correlation_id": "text",
        "created_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    "step": {
        "task_id": "uuid",
        "step": "text",
        "state": "text",
        "attempt": "int4",
        "stream_version": "int8",
        "due_at": "timestamptz",
    },
    "queue": {
        "step_id": "uuid",
        "task_id": "uuid",
        "template_id": "uuid",
        "stream_version": "int8",
        "sort_key": "float8",
        "worker_id": "uuid",
        "attempt": "int4",
        "resets": "int4",
        "step": "text",
    },
    "timer": {
        "step_id": "uuid",
        "task_id": "uuid",
        "step": "text",
        "kind": "text",
        "due_at": "timestamptz",
    },
    "event": {
        "originator_id": "uuid",
        "originator_version": "int8",
        "task_id": "uuid",
        "topic": "text",
        "state": "bytea",
        "recorded_at": "timestamptz",
    },
}


def workflows() -> list[Workflow[dict[str, Any]]]:
    """The shapes as workflows, in the order of the mix."""
    return [workflow(shape) for _, shape in MIX]


@dataclass(slots=True)
class Life:
    """What is left of one task."""

    task_id: UUID
    shape: Shape
    template: Template
    created_at: datetime
    rows: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=lambda: {name: [] for name in COLUMNS}
    )
    happened: list[events.TaskEvent] = field(default_factory=list)

    def own(self, kind: type[events.TaskEvent], version: int, /, **data: Any) -> None:
        """Something happened to the task."""
        self._add(kind, self.task_id, version, data)

    def of_step(
        self, kind: type[events.StepEvent], name: str, version: int, /, **data: Any
    ) -> None:
        """Something happened to a step in its first attempt."""
        self._add(kind, step_id(self.task_id, name), version, {"step": name, "attempt": 1, **data})

    def _add(self, kind: type[Any], stream: UUID, version: int, data: dict[str, Any]) -> None:
        number = len(self.happened)
        at = self.created_at + timedelta(milliseconds=number)
        self.happened.append(
            kind.of(
                originator_id=stream,
                originator_version=version,
                event_id=uuid7(int(at.timestamp() * 1000), self.task_id.int + number),
                occurred_at=at,
                correlation_id=str(self.task_id),
                task_id=self.task_id,
                namespace=NAMESPACE,
                template=self.shape.name,
                **data,
            )
        )


class Mix:
    """So many tasks, always the same ones. With events where they are wanted."""

    def __init__(self, tasks: int, *, with_events: bool) -> None:
        self.tasks, self.with_events = tasks, with_events
        self.ids: list[UUID] = []
        self._random = random.Random(7)  # noqa: S311 - the same tasks in every run
        self._templates = [flow.template for flow in workflows()]
        self._mapper = EventMapper()
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(milliseconds=50 * tasks)
        self.workers = [uuid7(int(time.time() * 1000), self._bits()) for _ in range(WORKERS)]

    def copy(self, connection: psycopg.Connection) -> None:
        """Put all rows into a migrated database in which the templates are registered."""
        for start in range(0, self.tasks, CHUNK):
            lives = [self._life(number) for number in range(start, min(start + CHUNK, self.tasks))]
            for name, columns in COLUMNS.items():
                rows = self._stored(lives) if name == "event" else _rows(lives, name)
                _copy(connection, name, columns, rows)
        _settle(connection, self.workers)

    def _bits(self) -> int:
        return self._random.getrandbits(74)

    def _life(self, number: int) -> Life:
        (which,) = self._random.choices(range(len(MIX)), [share for share, _ in MIX])
        created_at = self._start + timedelta(milliseconds=50 * number)
        task_id = uuid7(int(created_at.timestamp() * 1000), self._bits())
        self.ids.append(task_id)
        life = Life(task_id, MIX[which][1], self._templates[which], created_at)
        if self.with_events:
            template = life.template
            life.own(
                events.TaskCreated,
                1,
                version=template.version,
                definition_hash=template.definition_hash,
                template_id=template.template_id,
                context={"number": number},
            )
            life.own(events.TaskStarted, 2)
        if self._random.random() < FINISHED:
            self._finish(life)
        else:
            self._leave_open(life)
        return life

    def _finish(self, life: Life) -> None:
        names = list(life.shape.parents)
        failed = names.pop() if self._random.random() < IN_ERROR else None
        for name in names:
            self._complete(life, name)
        if failed is not None:
            self._fail(life, failed)
        if self.with_events:
            if failed is None:
                life.own(events.TaskCompleted, 3)
            else:
                life.own(events.TaskFailed, 3, failed_steps=(failed,))
        ended_at = life.happened[-1].occurred_at if life.happened else life.created_at
        self._task_row(life, "error" if failed else "complete", 3, ended_at)

    def _leave_open(self, life: Life) -> None:
        names = list(life.shape.parents)
        done = set(names[: self._random.randrange(len(names))])
        for name in done:
            self._complete(life, name)
        ready = [
            n for n, parents in life.shape.parents.items() if n not in done and done >= {*parents}
        ]
        for place, name in enumerate(ready):
            (state,) = self._random.choices(list(NEXT), list(NEXT.values()))
            # With something in the queue the task does not wait as a whole.
            self._begin(life, name, state if place else "enqueued")
        self._task_row(life, "in_progress", 2, None)

    def _task_row(self, life: Life, state: str, version: int, ended_at: datetime | None) -> None:
        template = life.template
        head = (life.task_id, template.template_id, NAMESPACE, template.name, template.version)
        tail = (0, str(life.task_id), life.created_at, ended_at)
        life.rows["task"].append((*head, state, version, *tail))

    def _complete(self, life: Life, name: str) -> None:
        life.rows["step"].append((life.task_id, name, "complete", 1, 3, None))
        if self.with_events:
            self._run(life, name)
            life.of_step(events.StepCompleted, name, 3, result=RESULT)

    def _fail(self, life: Life, name: str) -> None:
        life.rows["step"].append((life.task_id, name, "error", 1, 4, None))
        if self.with_events:
            self._run(life, name)
            life.of_step(events.StepAttemptFailed, name, 3, error=_error(retryable=False))
            life.of_step(events.StepFailed, name, 4, reason="permanent", message="no")

    def _run(self, life: Life, name: str) -> None:
        life.of_step(events.StepEnqueued, name, 1)
        life.of_step(events.StepStarted, name, 2, worker=self.workers[0])

    def _begin(self, life: Life, name: str, state: str) -> None:
        if state == "waiting_for_retry":
            self._put_off(life, name)
            return
        worker = self._random.choice(self.workers) if state == "in_progress" else None
        attempt, version = (0, 1) if worker is None else (1, 2)
        life.rows["step"].append((life.task_id, name, state, attempt, version, None))
        head = (step_id(life.task_id, name), life.task_id, life.template.template_id, 1)
        life.rows["queue"].append((*head, life.created_at.timestamp(), worker, 1, 0, name))
        if self.with_events:
            life.of_step(events.StepEnqueued, name, 1)
            if worker is not None:
                life.of_step(events.StepStarted, name, 2, worker=worker)

    def _put_off(self, life: Life, name: str) -> None:
        due_at = datetime.now(UTC) + timedelta(hours=24)
        life.rows["step"].append((life.task_id, name, "waiting_for_retry", 1, 4, due_at))
        head = (step_id(life.task_id, name), life.task_id, name)
        life.rows["timer"].append((*head, "retry", due_at))
        if self.with_events:
            self._run(life, name)
            life.of_step(events.StepAttemptFailed, name, 3, error=_error(retryable=True))
            life.of_step(events.StepRetryScheduled, name, 4, due_at=due_at)

    def _stored(self, lives: Sequence[Life]) -> Iterator[tuple[Any, ...]]:
        for event in (event for life in lives for event in life.happened):
            stored = self._mapper.to_stored_event(event)
            place = (stored.originator_id, stored.originator_version, stored.task_id)
            yield (*place, stored.topic, stored.state, event.occurred_at)


def _error(*, retryable: bool) -> events.StepError:
    return events.StepError(
        error_class="ValueError", message="no", category="unknown", retryable=retryable
    )


def _rows(lives: Sequence[Life], name: str) -> Iterator[tuple[Any, ...]]:
    return (row for life in lives for row in life.rows[name])


def _copy(
    connection: psycopg.Connection,
    table: str,
    columns: dict[str, str],
    rows: Iterator[tuple[Any, ...]],
) -> None:
    statement = sql.SQL("copy flowledger.{} ({}) from stdin (format binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([*columns.values()])
        for row in rows:
            copy.write_row(row)


def _settle(connection: psycopg.Connection, workers: Sequence[UUID]) -> None:
    """What the rows imply: counters, positions, statistics, workers that hold what runs."""
    for worker in workers:
        connection.execute("select flowledger.heartbeat_worker(%s, 'bench', 1, 86400)", (worker,))
    connection.execute("select flowledger.recount_states()")
    connection.execute(
        "update flowledger.shard set position ="
        " (select coalesce(max(notification_id), 0) from flowledger.event)"
    )
    connection.execute("vacuum analyze")
