"""An event whose text is nested deeper than any release writes ends no command and no reader."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.json_values import MOST_STORED
from flowledger.engine.events.step import StepCheckpointed, StepCompleted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.handlers import Workflow
from support.builders import NOON
from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.sql_calls import Row, columns, new_id
from support.unchecked_rows import DROP_CHECKS

flow = Workflow("nesting", "forged", version="1")


@flow.step
def only() -> int:
    return 1


COMMANDS = [
    ("status", "{task}"),
    ("explain", "{task}"),
    ("history", "{task}"),
    ("history", "{task}", "--json"),
    ("history", "{task}", "--timeline"),
    ("replay", "{task}"),
    ("result", "{task}"),
    ("result", "{task}", "--json"),
    ("verify", "{task}"),
    ("verify", "--all"),
    ("tasks", "list"),
    ("parked",),
    ("health",),
]


@pytest.fixture
def program(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def arrays(levels: int) -> str:
    """JSON as text: the codecs of this process would not write it."""
    return "[" * levels + "]" * levels


def append(harness: EngineHarness, topic: str, task: UUID, levels: int) -> None:
    """The levels are those of one field, which is one below the event."""
    fields = {
        "event_id": str(new_id()),
        "occurred_at": NOON.isoformat(),
        "namespace": flow.template.namespace,
        "template": flow.template.name,
        "version": "1",
        "definition_hash": flow.template.definition_hash,
        "template_id": str(flow.template.template_id),
        "context": None,
    }
    if topic != TaskCreated.topic:
        kept = ("event_id", "occurred_at", "namespace", "template")
        fields = {name: fields[name] for name in kept}
        fields |= {"step": "forged", "attempt": 1}
        fields["result" if topic == StepCompleted.topic else "state"] = None
    state = json.dumps(fields).replace("null", arrays(levels)).encode()
    stream = task if topic == TaskCreated.topic else step_id(task, "forged")
    query = "select flowledger.append_events(%s, %s, %s, %s, %s, %s)"
    harness.rows(query, *columns([Row(stream, 1, topic, state, task)]))


@pytest.mark.parametrize(
    ("topic", "levels"),
    [
        (TaskCreated.topic, MOST_STORED),
        (TaskCreated.topic, 5_000),
        (StepCompleted.topic, 1_000),
        (StepCheckpointed.topic, MOST_STORED - 1),
    ],
)
def test_it_is_told_as_one_that_cannot_be_read(
    harness: EngineHarness, program: Command, topic: str, levels: int
) -> None:
    engine = harness.open(flow)
    forged = new_id() if topic == TaskCreated.topic else engine.submit(flow, {}).id
    append(harness, topic, forged, levels)

    assert engine.submit(flow, {}).result(PATIENCE)

    for command in COMMANDS:
        done = program(*(part.format(task=forged) for part in command))
        assert "Traceback" not in done.out + done.error, command
        assert done.code in {0, 1}, command
    history = engine.task(forged).history()
    odd = [one.event.why for one in history if isinstance(one.event, UnreadableEvent)]
    assert bool(odd) == (levels >= MOST_STORED)
    assert list(engine.explain(forged))


@pytest.mark.parametrize("levels", [MOST_STORED - 1, 1_000, 2_000, 5_000])
def test_a_view_has_null_in_its_place(harness: EngineHarness, levels: int) -> None:
    harness.open(flow, roles=())
    task = new_id()
    append(harness, TaskCreated.topic, task, levels)

    with psycopg.connect(harness.url) as reader:
        rows = [
            reader.execute(query, {"task": task}).fetchall()
            for query in (
                "select data from flowledger_v1.events where task_id = %(task)s",
                "select data from flowledger_v1.task_events(%(task)s)",
            )
        ]

    assert [row[0][0] is None for row in rows] == [levels >= MOST_STORED] * 2


@pytest.mark.parametrize("deep", [arrays(1_000), arrays(2_000), "[1e5000]"], ids=lambda v: v[:9])
def test_rows_with_values_that_no_release_writes_end_no_view_and_no_verification(
    harness: EngineHarness, program: Command, deep: str
) -> None:
    engine = harness.open(flow, roles=["coordinator"])
    engine.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    harness.rows(DROP_CHECKS)
    harness.rows("update flowledger.queue set heartbeat_details = %s", deep)
    harness.rows(
        "insert into flowledger.template (template_id, namespace, name, version, definition_hash,"
        " definition, registered_at) values (gen_random_uuid(), 'odd', 'rows', '1', 'h',"
        " jsonb_build_object('steps', %s::jsonb), now())",
        deep,
    )
    harness.rows(
        "insert into flowledger.waiting_step (step_id, task_id, step, kind, limit_key, since,"
        " sort_key, demand) select step_id, task_id, 'only', 'rate', 'k', now(), 1, %s"
        " from flowledger.queue",
        deep,
    )
    harness.rows(
        "insert into flowledger_notes__1.annotation values"
        " (1, gen_random_uuid(), 'odd', 'rows', 'note', %s, 'ann', null, now())",
        deep,
    )
    columns = harness.rows(
        "select table_name::text, column_name::text from information_schema.columns"
        " where table_schema = 'flowledger_v1' and data_type in ('json', 'jsonb')"
    )

    with psycopg.connect(harness.url) as reader:
        for view, column in columns:
            query = sql.SQL("select {} from {}").format(
                sql.Identifier(column), sql.Identifier("flowledger_v1", view)
            )
            assert reader.execute(query).fetchall(), view
    # Nobody but its projection writes there, which takes no such value from an event.
    harness.rows("delete from flowledger_notes__1.annotation")
    for command in (("verify", "--all"), ("repair", "--all", "--dry-run", "--reason", "odd")):
        done = program(*command)
        assert "Traceback" not in done.out + done.error, command
        assert done.code in {0, 1}, done.error
    assert list(engine.verify())
