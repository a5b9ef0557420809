"""Claiming costs what is claimed, however much is leased or waits for others."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.query_plans import plan_of
from support.sql_calls import Connection, Others, call, claim, new_id, queue, queue_row

TEMPLATE, FOREIGN = new_id(), new_id()
VARIABLES = {"v_isolated": "false", "v_lanes": "'{0}'::bigint[]", "v_steps": "'{8}'::bigint[]"}
LEASED, FREE, GONE = 20_000, 40, 20_000


@pytest.fixture
def crowded(connection: Connection, mode: str) -> Connection:
    """A queue with 20 000 leased rows and a few that are free, some of an unknown template."""
    worker = new_id()
    for _ in range(LEASED // 10_000):
        queue(connection, *(queue_row(new_id(), TEMPLATE) for _ in range(10_000)))
        claim(connection, worker, [TEMPLATE], 10_000)
    queue(connection, *(queue_row(new_id(), TEMPLATE) for _ in range(FREE)))
    queue(connection, *(queue_row(new_id(), FOREIGN) for _ in range(FREE)))
    connection.execute("vacuum analyze flowledger.queue")
    connection.execute(f"set plan_cache_mode = {mode}".encode())
    return connection


def claim_plan(connection: Connection, worker: UUID) -> str:
    # A limit of 0 claims nothing while the plan is made often enough to become generic.
    asked = (worker, [TEMPLATE, FOREIGN], 0, None, 0.0)
    return plan_of(connection, "claim_steps", *asked, times=8, **VARIABLES)


def test_a_claim_reads_the_index_of_what_is_claimable(crowded: Connection) -> None:
    plan = claim_plan(crowded, new_id())

    assert "queue_claimable" in plan
    assert "Tid Scan on queue" in plan
    assert "Seq Scan on queue " not in plan
    assert len(claim(crowded, new_id(), [TEMPLATE], 100)) == FREE


def test_what_a_report_releases_is_found_by_its_key(crowded: Connection) -> None:
    steps = [row[0] for row in claim(crowded, new_id(), [TEMPLATE], 10)]
    crowded.execute("select pg_stat_force_next_flush()")
    crowded.execute("select pg_stat_reset()")

    for step in steps:
        arguments = ([step], [2], ["step.started"], [b"{}"], [None], [0])
        call(crowded, "report_outcomes", new_id(), [step], *arguments, "fact")
    crowded.execute("select pg_stat_force_next_flush()")

    scans = crowded.execute(
        "select seq_scan from pg_stat_user_tables where relname = 'queue'"
    ).fetchone()
    assert scans == (0,)


def index_entries_read(connection: Connection) -> int:
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'queue_claimable'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_has_gone_costs_nothing_while_somebody_holds_a_transaction_open(
    connection: Connection, others: Others
) -> None:
    """Nothing of it can be cleared away then, in the index neither."""
    worker = new_id()
    with others.begin() as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select count(*) from flowledger.queue")
        for _ in range(GONE // 1_000):
            rows = [queue_row(new_id(), TEMPLATE) for _ in range(1_000)]
            queue(connection, *rows)
            claim(connection, worker, [TEMPLATE], 1_000)
            steps = [row["step_id"] for row in rows]
            connection.execute("delete from flowledger.queue where step_id = any (%s)", [steps])
        queue(connection, queue_row(new_id(), TEMPLATE))
        before = index_entries_read(connection)

        assert len(claim(connection, worker, [TEMPLATE], 100)) == 1

        assert index_entries_read(connection) - before <= GONE / 3
