"""A row that says what cannot be, by a login that may write it, stops nobody else."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from flowledger.engine.cli.program import program
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.unchecked_rows import DROP_CHECKS

flow = Workflow("odd", "rows", version="1")


@flow.step
def only() -> int:
    return 1


WORKER = (
    "insert into flowledger.worker (worker_id, lease_until, started_at, host, pid, condition,"
    " templates, concurrency, seen_at, lease_seconds) values (gen_random_uuid(), now() + '1 h',"
    " now(), 'h', 1, 'ready', '{}', 1, now(), %s)"
)
ROWS = [
    "select * from flowledger_v1.workers",
    "select * from flowledger_v1.shards",
    "select * from flowledger_v1.system_health()",
    "select * from flowledger_v1.projection_status()",
]


def told(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> str:
    """What a command prints, which ends without a traceback."""
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", url)
    answer = CliRunner().invoke(program, arguments)
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.output


@pytest.mark.parametrize("seconds", ["NaN", "infinity", "-infinity", "1e300"])
def test_a_lease_of_any_length_lets_coordinators_lead(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    harness.rows(WORKER, seconds)
    harness.rows("update flowledger.projection set lease_seconds = %s", seconds)

    engine = harness.open(flow)
    assert engine.submit(flow, {}).result(PATIENCE)
    harness.rows("update flowledger.shard set lease_seconds = %s", seconds)
    assert engine.submit(flow, {}).result(PATIENCE)

    for rows in ROWS:
        assert harness.rows(rows)
    assert told(monkeypatch, harness.url, "health")


HEAD = b"\x01" + bytes(16)
FAR = ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"]
COMMANDS = [
    ("status", "{task}"),
    ("explain", "{task}"),
    ("history", "{task}", "--timeline"),
    ("tasks", "list"),
    ("db", "shards"),
    ("db", "shards", "--json"),
    ("parked",),
    ("health",),
    ("health", "--json"),
    ("projections", "list"),
    ("projections", "status", "flowledger_notes"),
    ("templates", "list"),
    ("verify", "--all"),
]
TIMES = [
    "update flowledger.projection set moved_at = %s, failed_at = %s, failed_position = 1",
    "update flowledger.projection set lease_until = %s",
    "update flowledger.shard set leader = gen_random_uuid(), lease_until = %s, lease_seconds = 1",
    "update flowledger.worker set lease_until = %s, seen_at = %s",
    "insert into flowledger.coordinator (coordinator_id, lease_until, started_at, host, pid,"
    " lease_seconds) values (gen_random_uuid(), %s, %s, 'h', 1, 3)",
    "insert into flowledger.clock_put_back (noticed_at, reached) values (%s, %s)"
    " on conflict (one) do update set noticed_at = excluded.noticed_at, reached = excluded.reached",
    "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
    " select task_id, 'odd', %s, %s from flowledger.task",
    "update flowledger.task set created_at = %s, ended_at = %s",
    "update flowledger.step set due_at = %s",
    "insert into flowledger.circuit (system, revision, state, failures, openings, open_until,"
    " probes, stream_version, changed_at) values ('odd', 1, 'open', 1, 1, %s, '{}', 1, %s)",
]


@pytest.mark.parametrize("far", FAR)
def test_a_time_that_no_calendar_has_ends_no_list(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, far: str
) -> None:
    harness.rows(WORKER, 3)
    client = harness.open(flow, roles=["coordinator"])
    task = client.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    client.close()

    harness.rows(DROP_CHECKS)
    for statement in TIMES:
        harness.rows(statement, *[far] * statement.count("%s"))

    for command in COMMANDS:
        assert told(monkeypatch, harness.url, *(part.format(task=task.id) for part in command))


@pytest.mark.parametrize(
    "state", [b"{}", HEAD + b"\x7f" + b"\xff" * 7 + b"{}", HEAD + b"\x80" + bytes(7) + b"{}"]
)
@pytest.mark.parametrize("first", ["7fffffff", "ffffffff"])
def test_an_id_of_a_time_far_away_ends_no_list(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, state: bytes, first: str
) -> None:
    harness.rows(
        "insert into flowledger.submission (task_id, topic, state, encoding)"
        " values (%s, 'task.created', %s, 0)",
        f"{first}-ffff-7fff-8fff-ffffffffffff",
        state,
    )

    assert first in told(monkeypatch, harness.url, "tasks", "list")
    assert first in told(monkeypatch, harness.url, "tasks", "list", "--json")
    assert harness.value("select count(created_at) from flowledger_v1.tasks") is not None


@pytest.mark.parametrize("field", ["occurred_at", "priority", "template_id"])
def test_words_that_are_no_value_end_no_view(harness: EngineHarness, field: str) -> None:
    task = "01a22784-0000-7000-8000-000000000001"
    said = f'{{"{field}": "of no kind"}}'.encode()
    harness.rows(
        "insert into flowledger.submission (task_id, topic, state, encoding)"
        " values (%s, 'task.created', %s, 0)",
        *(task, said),
    )
    harness.rows(
        "insert into flowledger.event (originator_id, originator_version, task_id, topic, state,"
        " encoding) values (%s, 1, %s, 'task.created', %s, 0)",
        *(task.replace("01a22784", "01a22785"), task.replace("01a22784", "01a22785"), said),
    )

    rows = harness.rows("select template_id, priority, created_at from flowledger_v1.tasks")

    assert rows == [(None, None, None)] * 2
    assert len(harness.rows("select * from flowledger_v1.transitions")) == 1


@pytest.mark.parametrize("sort_key", ["NaN", "infinity", "-infinity", "1e300"])
def test_a_place_in_the_queue_that_is_no_time_ends_no_view(
    harness: EngineHarness, sort_key: str
) -> None:
    harness.open(flow, roles=["coordinator"]).submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    harness.rows("update flowledger.queue set sort_key = %s", sort_key)

    assert len(harness.rows("select * from flowledger_v1.queue")) == 1
