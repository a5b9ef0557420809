"""Reading the log costs what is read, however long the log is and however reading is planned."""

from __future__ import annotations

import pytest

from flowledger.engine.events.registry import FACT_TOPICS
from flowledger.engine.store.log import eventsourcing_recorders
from support.query_plans import history, plan_of, prepared, tasks
from support.sql_calls import Connection, call

TASK = tasks()[1_234]
PAST_THE_SIXTH = 8


@pytest.fixture(autouse=True)
def _planned(long_log: Connection, mode: str) -> None:
    long_log.execute(f"set plan_cache_mode = {mode}".encode())


def test_the_log_is_long(long_log: Connection) -> None:
    assert long_log.execute("select count(*) from flowledger.event").fetchone() == (100_000,)


def test_a_task_is_read_by_the_primary_key(long_log: Connection) -> None:
    plan = plan_of(long_log, "task_events", TASK, times=PAST_THE_SIXTH)

    assert "event_pkey" in plan
    assert "Seq Scan" not in plan
    assert "event_notification_id_key" not in plan
    assert len(call(long_log, "task_events", TASK)) == len(history(TASK))


def test_a_task_is_read_by_the_primary_key_through_the_function(long_log: Connection) -> None:
    query = "select * from flowledger.task_events($1)"

    plan = prepared(long_log, query, ["uuid"], [TASK], PAST_THE_SIXTH)

    assert "event_pkey" in plan
    assert "Seq Scan" not in plan


def test_what_was_decided_is_read_by_the_primary_key(long_log: Connection) -> None:
    arguments = [TASK, 50_000, ["task.created"]]

    plan = plan_of(long_log, "decided_task_events", *arguments, times=PAST_THE_SIXTH)

    assert "event_pkey" in plan
    assert "Seq Scan" not in plan


def test_a_task_is_read_in_a_few_pages(long_log: Connection) -> None:
    long_log.execute("select pg_stat_force_next_flush()")
    long_log.execute("select pg_stat_reset()")
    for _ in range(PAST_THE_SIXTH):
        call(long_log, "task_events", TASK)
    long_log.execute("select pg_stat_force_next_flush()")

    read = long_log.execute(
        "select seq_scan, idx_tup_fetch from pg_stat_user_tables where relname = 'event'"
    ).fetchone()

    assert read is not None
    assert read[0] == 0
    # Five tasks share a millisecond at most, so at most as much as five histories is looked at.
    assert read[1] <= PAST_THE_SIXTH * 5 * len(history(TASK))


@pytest.mark.parametrize("after", [0, 50_000, 99_900])
def test_a_follower_of_everything_reads_by_position(long_log: Connection, after: int) -> None:
    arguments = [after, 2**63 - 1, 128]

    plan = follower_plan(
        long_log, eventsourcing_recorders.LOG, ["bigint", "bigint", "bigint"], arguments
    )

    assert "event_notification_id_key" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("after", [0, 50_000, 99_900])
def test_a_follower_of_facts_reads_by_position(long_log: Connection, after: int) -> None:
    arguments = [after, 2**63 - 1, list(FACT_TOPICS), 128]
    types = ["bigint", "bigint", "text[]", "bigint"]

    plan = follower_plan(long_log, eventsourcing_recorders.LOG_OF_TOPICS, types, arguments)

    assert "event_notification_id_key" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def follower_plan(
    long_log: Connection, text: str, types: list[str], arguments: list[object]
) -> str:
    text = text.replace("%b", "%s")
    for number in range(1, len(types) + 1):
        text = text.replace("%s", f"${number}", 1)
    return prepared(long_log, text, types, arguments, PAST_THE_SIXTH)


@pytest.mark.parametrize("function", ["task_created_events", "step_completed_events"])
def test_streams_are_read_by_the_primary_key(long_log: Connection, function: str) -> None:
    plan = plan_of(long_log, function, tasks()[:64], times=PAST_THE_SIXTH)

    assert "event_pkey" in plan
    assert "Seq Scan" not in plan


def test_where_streams_stand_is_read_by_the_primary_key(long_log: Connection) -> None:
    versions, states = [6] * 64, [b"{}"] * 64

    plan = plan_of(
        long_log, "conflicting_streams", tasks()[:64], versions, states, times=PAST_THE_SIXTH
    )

    assert "event_pkey" in plan
    assert "Seq Scan" not in plan
