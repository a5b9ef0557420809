"""shard_status_of_task: who leads the shard of a task, and how far it has come."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_the_shard_of_a_task_tells_its_leader_its_position_and_the_end_of_the_log(
    connection: Connection,
) -> None:
    task, leader = new_id(), new_id()
    assert call(connection, "shard_status_of_task", task)[0][:7] == (0, 0, *[None] * 4, 0)
    call(connection, "heartbeat_coordinator", leader, "here", 71, 30.0)
    ((epoch, *_),) = call(connection, "acquire_shard_lease", 0, leader, 30.0)
    (position,) = append(connection, Row(task, task=task))
    call(connection, "advance_shard_position", 0, epoch, 0, position, 30.0)
    (end,) = append(connection, Row(new_id()))

    ((shard, at, leads, host, pid, lease, head, now),) = call(
        connection, "shard_status_of_task", task
    )

    assert (shard, at, leads, host, pid, head) == (0, position, leader, "here", 71, end)
    assert lease > now


def test_a_leader_whose_lease_has_run_out_leads_no_more(connection: Connection) -> None:
    leader = new_id()
    call(connection, "acquire_shard_lease", 0, leader, 30.0)
    call(connection, "advance_test_clock", "1 minute")

    ((_, _, leads, _, _, lease, _, now),) = call(connection, "shard_status_of_task", new_id())

    assert leads is None
    assert lease < now


def test_a_leader_who_is_not_registered_leads_nothing(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 30.0)

    ((_, _, leads, _, _, lease, _, _),) = call(connection, "shard_status_of_task", new_id())

    assert (leads, lease) == (None, None)
