"""The raw limit: how fast the same rows reach the same tables when nothing decides anything.

Processes that write events of the engine's sizes into copies of its log and queue, with psycopg
alone and in transactions like the engine's: a batch of steps is enqueued (with its queue rows),
then started, then completed (its queue rows go). Ids and payloads are made before the clock starts,
no lock keeps the log in order, nobody reads. How near an engine comes to this is `ratio_to_raw`.

    python benchmarks/raw.py --shape diamond --tasks 5000 --workers 2
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import harness
import psycopg
import shapes
from shapes import BackgroundLoad

from flowledger.engine import events
from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.schema.migrate import migrate

BATCH = 128
VARIANTS = 64
"""Payloads differ, as they do in life: repeated ones would compress too well in the WAL."""

SCHEMA = """
create schema bench_raw;
create table bench_raw.event (like flowledger.event including all);
create table bench_raw.queue (like flowledger.queue including all)
"""
APPEND = """
insert into bench_raw.event (originator_id, originator_version, task_id, topic, state)
select * from unnest(%b::uuid[], %b::bigint[], %b::uuid[], %b::text[], %b::bytea[])
"""
ENQUEUE = """
insert into bench_raw.queue
    (step_id, task_id, step, template_id, stream_version, sort_key, attempt, resets, correlation_id)
select id, task, step, task, 1, 0, 1, 0, task::text
from unnest(%b::uuid[], %b::uuid[], %b::text[]) row (id, task, step)
"""
RELEASE = "delete from bench_raw.queue where step_id = any(%b::uuid[])"
STATEMENTS = {
    "append": APPEND,
    "enqueue": f"with queue as ({ENQUEUE}) {APPEND}",
    "release": f"with queue as ({RELEASE}) {APPEND}",
}
COPY = """
copy bench_raw.event (originator_id, originator_version, task_id, topic, state)
from stdin (format binary)
"""
COPY_TYPES = ("uuid", "int8", "uuid", "text", "bytea")


@dataclass(slots=True)
class Write:
    """One transaction: what it does to the queue, and the columns of its events."""

    kind: str
    queue: tuple[list[object], ...] = ()
    columns: tuple[list[object], ...] = field(default_factory=lambda: ([], [], [], [], []))

    def add(self, stream: UUID, version: int, task: UUID, topic: str, state: bytes) -> None:
        """Append one event."""
        for column, value in zip(self.columns, (stream, version, task, topic, state), strict=True):
            column.append(value)


class Payloads:
    """The bytes of events as the engine stores them, with ids that differ."""

    def __init__(self, shape: shapes.Shape) -> None:
        step = max(shape.parents, key=len)
        variants = [_payloads(shape.name, step) for _ in range(VARIANTS)]
        self.made = {topic: [variant[topic] for variant in variants] for topic in variants[0]}
        self.sort_key = 0

    def next(self, topic: str) -> bytes:
        """The next payload of that topic."""
        self.sort_key = (self.sort_key + 1) % VARIANTS
        return self.made[topic][self.sort_key]


def _payloads(template: str, step: str) -> dict[str, bytes]:
    task_id, worker = _new_id(), _new_id()
    head: dict[str, Any] = {
        "originator_id": task_id,
        "originator_version": 1,
        "correlation_id": str(task_id),
        "task_id": task_id,
        "namespace": shapes.NAMESPACE,
        "template": template,
    }
    step_fields = {"step": step, "attempt": 1}
    definition = {"version": "1", "definition_hash": "v1:sha256:" + "0" * 64}
    made: list[tuple[type[events.Event], dict[str, Any]]] = [
        (events.TaskCreated, {**definition, "template_id": worker, "context": {"number": 1}}),
        (events.TaskStarted, {}),
        (events.TaskCompleted, {}),
        (events.StepEnqueued, step_fields),
        (events.StepStarted, {**step_fields, "worker": worker}),
        (events.StepCompleted, {**step_fields, "result": shapes.RESULT}),
    ]
    mapper, now = EventMapper(), datetime.now(UTC)
    return {
        kind.topic: mapper.to_stored_event(
            kind(event_id=_new_id(), causation_id=_new_id(), occurred_at=now, **head, **fields)
        ).state
        for kind, fields in made
    }


def _new_id() -> UUID:
    return uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)) >> 6)


def writes(shape: shapes.Shape, tasks: int, batch: int) -> Iterator[Write]:
    """The transactions of that many tasks, in the order in which an engine would commit them."""
    payloads = Payloads(shape)
    names = [name for wave in shape.waves() for name in wave]
    for task_ids in _batches([_new_id() for _ in range(tasks)], batch):
        created = Write("append")
        for task in task_ids:
            created.add(task, 1, task, "task.created", payloads.next("task.created"))
        yield created
        steps = [(task, step_id(task, name), name) for task in task_ids for name in names]
        ends = {names[0]: ("task.started", 2), names[-1]: ("task.completed", 3)}
        for some in _batches(steps, batch):
            yield from _life(some, ends, payloads)


def _life(
    steps: list[tuple[UUID, UUID, str]], ends: dict[str, tuple[str, int]], payloads: Payloads
) -> Iterator[Write]:
    tasks, ids, names = (list(column) for column in zip(*steps, strict=True))
    enqueue, start = Write("enqueue", (ids, tasks, names)), Write("append")
    complete = Write("release", (ids,))
    for task, step, name in steps:
        if name in ends:
            topic, version = ends[name]
            enqueue.add(task, version, task, topic, payloads.next(topic))
        enqueue.add(step, 1, task, "step.enqueued", payloads.next("step.enqueued"))
        start.add(step, 2, task, "step.started", payloads.next("step.started"))
        complete.add(step, 3, task, "step.completed", payloads.next("step.completed"))
    yield from (enqueue, start, complete)


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def by_unnest(connection: psycopg.Connection, work: Iterable[Write]) -> None:
    """One prepared statement is one transaction and one round trip."""
    for write in work:
        connection.execute(STATEMENTS[write.kind], (*write.queue, *write.columns), prepare=True)


def by_copy(connection: psycopg.Connection, work: Iterable[Write]) -> None:
    """The events by COPY, the queue rows by a statement beside it."""
    for write in work:
        with connection.transaction(), connection.cursor() as cursor:
            if write.queue:
                query = ENQUEUE if write.kind == "enqueue" else RELEASE
                cursor.execute(query, write.queue, prepare=True)
            with cursor.copy(COPY) as copy:
                copy.set_types(COPY_TYPES)
                for row in zip(*write.columns, strict=True):
                    copy.write_row(row)


METHODS = {"unnest": by_unnest, "copy": by_copy}


def _writer(child: harness.Child, url: str, load: BackgroundLoad, method: str, batch: int) -> None:
    share = child.share(load.tasks)
    work = list(writes(load.dag, share, batch))
    with psycopg.connect(url, autocommit=True) as connection:
        child.stand_by()
        METHODS[method](connection, work)
    child.end(share)
    child.report(())


def run(
    server_url: str, load: BackgroundLoad, method: str = "unnest", batch: int = BATCH
) -> harness.Figures:
    """Write the load's events, into a database of their own."""
    with harness.database(server_url, "flowledger_bench_raw") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
            connection.execute(SCHEMA)
        crew = harness.Crew(_writer, load.workers, (url, load, method, batch))
        return harness.measure(url, crew, load, runs_steps=False)


def main() -> None:
    """Both methods, one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shape", default="diamond")
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--database-url")
    args = parser.parse_args()
    load = BackgroundLoad(args.shape, args.tasks, args.workers)
    with harness.postgres(args.database_url) as url:
        surroundings = harness.surroundings(url, {"psycopg": psycopg.__version__})
        found = {method: run(url, load, method, args.batch).line() for method in METHODS}
        print(json.dumps({**vars(args), **found, **surroundings}))


if __name__ == "__main__":
    main()
