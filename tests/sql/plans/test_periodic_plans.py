"""What the loops ask again and again costs what is open, whatever has ended and whatever waits.

The database has a history that was analyzed, and since then a backlog that nobody can work off: the
statistics know nothing of it. Each query may read a few times the rows that are open, never their
product; most of them read next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowledger.engine.events.registry import FACT_TOPICS
from flowledger.engine.store.connection.pool import PLANS
from support.databases import database_on
from support.sql_calls import Connection, call, new_id

ROOT = Path(__file__).parents[3]
ENDED, OPEN = 100_000, 20_000
FEW, ONCE, TWICE = 200, OPEN + 1_000, 3 * OPEN + 1_000
WORKER, KNOWN, UNKNOWN, PAUSED = (new_id() for _ in range(4))
TOPICS = list(FACT_TOPICS)

HISTORY = """
    insert into flowledger.task select
        md5(n::text)::uuid, %(known)s, 'n', 't', '1', 'complete', 3, false, 0, n::text, now(), now()
    from generate_series(1, %(ended)s) as n;
    insert into flowledger.step
    select task_id, 'a', 'complete', 1, 3 from flowledger.task;
    insert into flowledger.queue
        (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step)
    select task_id, task_id, template_id, 1, 0, 1, 0, 'a' from flowledger.task limit 100;
    delete from flowledger.queue;
    analyze;
"""
BACKLOG = """
    insert into flowledger.task select
        md5('o' || n)::uuid, %(unknown)s, 'n', 'u', '1',
        case n %% 2 when 0 then 'pending' else 'in_progress' end, 2, false,
        n %% 7, n::text, now(), null, case n %% 4 when 0 then (n %% 8)::text end
    from generate_series(1, %(open)s) as n;
    insert into flowledger.step
    select task_id, 'a', 'enqueued', 0, 1 from flowledger.task where ended_at is null;
    insert into flowledger.queue
        (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step)
    select
        flowledger.step_id_lower_bound(task_id), task_id, %(unknown)s, 1, 0, 1, 0, 'a'
    from flowledger.task where ended_at is null;
    insert into flowledger.timer
    select
        flowledger.step_id_lower_bound(task_id), task_id, 'a', 'start_timeout',
        now() + interval '1 day'
    from flowledger.task where ended_at is null;
"""

# Role, function, its arguments, and how many rows of the large tables it may read.
PERIODIC: list[tuple[str, str, tuple[Any, ...], int]] = [
    ("coordinator", "acquire_shard_lease", (0, WORKER, 60.0, 1), FEW),
    ("coordinator", "position_before_next_fact", (0, 1, 0, TOPICS), FEW),
    ("coordinator", "facts_of_shard", (0, 1, 0, 500, TOPICS), FEW),
    ("coordinator", "creations_left_behind", (0,), FEW),
    ("coordinator", "due_timers", (500, 0, 1), FEW),
    ("coordinator", "shard_agenda", (0, 1), FEW),
    ("coordinator", "next_worker_silence", (), FEW),
    ("coordinator", "tasks_waiting_to_begin", (10, [], 60.0, 0, 1), FEW),
    ("coordinator", "tasks_waiting_to_begin", (10, [UNKNOWN], 60.0, 0, 1), FEW),
    ("coordinator", "tasks_to_begin_in_turn", (10, [], 60.0, [UNKNOWN], ["4"], 0, 1), FEW),
    ("coordinator", "steps_of_dead_workers", (500, False, 0, 1), FEW),
    ("coordinator", "pending_submissions", (500, 0, 1), FEW),
    ("coordinator", "parked_tasks_asked_to_retry", (500, 0, 1), FEW),
    ("coordinator", "retry_parked_tasks_of_shard", (0, 1), FEW),
    ("coordinator", "slots_in_use", (["k"],), FEW),
    ("coordinator", "waiters_of_other_shards", (["k"], [1.0], 16, 0, 2), FEW),
    ("coordinator", "load_limit_state", (0, 1), FEW),
    ("coordinator", "steps_to_withdraw", ([UNKNOWN], [], 500, 0, 1), TWICE),
    ("coordinator, reconciling", "missing_queue_rows", (500, 0, 1), TWICE),
    ("coordinator, reconciling", "steps_of_dead_workers", (500, True, 0, 1), ONCE),
    ("coordinator, reconciling", "delete_dead_workers", (), ONCE),
    ("coordinator, reconciling", "forget_rates", (), FEW),
    ("coordinator, reconciling", "relist_queue_lanes", (0,), FEW),
    ("runtime", "heartbeat_coordinator", (WORKER, "here", 1, 60.0), FEW),
    ("runtime", "renew_shard_leases", (WORKER, [0], 60.0), FEW),
    ("runtime", "live_coordinators", (), FEW),
    ("runtime", "shard_leases", (), FEW),
    ("runtime", "which_ended", ([WORKER],), FEW),
    ("runtime", "templates_without_worker", (), ONCE),
    ("runtime", "request_answers", ([WORKER],), FEW),
    ("worker", "heartbeat_worker", (WORKER, "here", 1, 60.0), FEW),
    ("worker", "claim_steps", (WORKER, [KNOWN], 16), TWICE),
    ("worker", "front_of_queue", ([KNOWN],), TWICE),
    ("worker", "elect_isolated_worker", (WORKER, [KNOWN]), FEW),
    ("worker", "check_claims_and_record_heartbeats", (WORKER, [WORKER], [None]), FEW),
    ("worker, after an outage", "claimed_steps", (WORKER,), ONCE),
    ("projector", "heartbeat_projection_host", (WORKER, "here", 1, 60.0, "x"), FEW),
    ("projector", "generation_leases", (), FEW),
    ("projector", "renew_generation_leases", (WORKER, 60.0), FEW),
    ("projector", "acquire_generation_lease", ("x", 1, WORKER, 60.0), FEW),
    ("projector", "next_task_rebuild", ("x", 10), FEW),
    ("projector", "unresolved_parked_events", ("x", 1), FEW),
    ("projector", "last_position", (), FEW),
    ("projector", "serving_position", ("x",), FEW),
    ("projector", "unapplied_event_positions", ("x", 1), FEW),
    ("projector", "terminate_stale_batches", ("x", 1, 1), FEW),
    ("projector", "drop_retired_generations", ("x",), FEW),
    ("projector", "generation_writer_role", ("x", 1), FEW),
    ("projector", "advance_task_rebuild", (1, WORKER, 10, None), FEW),
    ("projector", "record_failed_event", ("x", 1, 1, 1, "no", None), FEW),
]
STORES = (
    "engine/store/coordinator_sql",
    "engine/store/coordinator_store",
    "engine/store/shard_membership_store",
    "engine/store/task_store",
    "engine/store/worker_store",
    "projections/host/host_store",
)
NOT_PERIODIC = {
    "proved_circuits": "looks up an event or two for each outside system",
    "list_shards": "asked by people",
    "missing_shards": "asked by people",
    "set_shard_count": "asked by people",
    "commit_decisions": "costs what it stores",
    "commit_joint_round": "costs what it stores",
    "decided_task_events": "reads one task",
    "decided_events_of_tasks": "the tasks that are asked about",
    "last_decided_fact": "where something is wrong with a shard",
    "park_tasks": "costs what it stores",
    "delete_parked_tasks": "costs what it stores",
    "release_shard_lease": "at the end",
    "deregister_coordinator": "at the end",
    "deregister_worker": "at the end",
    "checkpoint_step": "one step",
    "complete_transactional_step": "one step",
    "step_completed_events": "the steps that are asked about",
    "task_created_events": "the tasks that are asked about",
    "first_events_of_ids": "the ids that are submitted",
    "last_event_of_streams": "the streams that are asked about",
    "last_checkpoints_of_steps": "the steps that are asked about",
    "report_and_claim": "claim_steps, and what is reported",
    "already_started_claims": "reads no table",
    "report_outcomes": "costs what it stores",
    "append_per_stream": "costs what it stores",
    "set_worker_stuck": "one worker",
    "clock": "reads no table",
    "register_template": "one template, once",
    "set_template_paused": "asked by people",
    "list_templates": "asked by people",
    "open_tasks_by_template": "asked by people",
    "workers_for_template": "asked by people",
    "submit_tasks": "costs what it stores",
    "task_exists": "one task",
    "task_row": "one task",
    "task_events": "one task",
    "step_rows": "one task",
    "step_counts_of_task": "one task",
    "shard_position_of_task": "one task",
    "create_generation": "once for each version",
    "promote_generation": "once for each version",
    "advance_generation_position": "one generation, by its key",
    "refuse_session_role_switch": "reads no table",
    "park_events": "costs what it stores",
    "record_parked_outcomes": "costs what it stores",
    "release_generation_lease": "at the end",
    "deregister_projection_host": "at the end",
}


@pytest.fixture(scope="module")
def crowd(server: str, template: str) -> Generator[Connection]:
    """A connection as the engine has it, to a database with a history and a backlog."""
    values = {"known": KNOWN, "unknown": UNKNOWN, "ended": ENDED, "open": OPEN}
    with (
        database_on(server, f"{template}_crowd", template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute("alter table flowledger.task set (autovacuum_enabled = off)")
        for text in (HISTORY, BACKLOG):
            for statement in filter(str.strip, text.split(";")):
                named = set(re.findall(r"%\((\w+)\)s", statement))
                bound = {key: values[key] for key in named}
                connection.execute(
                    psycopg.ClientCursor(connection).mogrify(statement.encode(), bound)
                    if bound
                    else statement.encode()
                )
        for key, value in PLANS.items():
            connection.execute(f"set {key} = {value}".encode())
        connection.execute("set statement_timeout = '5 s'")
        for key, called in ((KNOWN, "t"), (UNKNOWN, "u")):
            definition = (key, "n", called, "1", called, "{}", "template.registered", b"{}", 0)
            call(connection, "register_template", *definition)
        call(connection, "heartbeat_worker", WORKER, "here", 1, 60.0, [KNOWN], 16)
        yield connection


def rows_read(connection: Connection) -> int:
    """So far, of all tables of the engine, by any plan."""
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint from pg_stat_user_tables"
        " where schemaname = 'flowledger'"
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("function", "arguments", "most"),
    [case[1:] for case in PERIODIC],
    ids=[f"{role}: {function}" for role, function, *_ in PERIODIC],
)
def test_what_is_asked_periodically_reads_no_more_than_is_open(
    crowd: Connection, function: str, arguments: tuple[Any, ...], most: int
) -> None:
    before = rows_read(crowd)

    call(crowd, function, *arguments)

    assert rows_read(crowd) - before <= most


@pytest.mark.parametrize("file", STORES)
def test_every_function_that_the_loops_call_is_measured_or_named(file: str) -> None:
    text = (ROOT / f"{file}.py").read_text("utf-8")
    called = set(re.findall(r"flowledger\.([a-z_]+)\(", text))

    assert called - {function for _, function, *_ in PERIODIC} <= set(NOT_PERIODIC)
