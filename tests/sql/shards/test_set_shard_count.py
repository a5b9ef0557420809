"""set_shard_count: another number of shards, and no fact is lost or decided on twice."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.sql_calls import (
    Connection,
    Others,
    Row,
    append,
    call,
    claim,
    heard,
    log,
    new_id,
    queue_row,
    rows_of,
    table,
    wait_until_blocked,
)
from support.unchecked_rows import plant_on

FACT = "step.completed"
ONE, TWO = new_id(), new_id()


def resize(connection: Connection, shards: int) -> None:
    call(connection, "set_shard_count", shards, [FACT])


def shards(connection: Connection) -> list[Any]:
    return connection.execute(
        "select shard, shards, position, epoch, leader from flowledger.shard order by shard"
    ).fetchall()


def test_where_nobody_ever_led_all_shards_begin_at_the_beginning(connection: Connection) -> None:
    append(connection, Row(new_id(), 1, FACT, task=new_id()))

    resize(connection, 3)

    assert shards(connection) == [(n, 3, 0, 0, None) for n in range(3)]


def test_where_everything_is_decided_on_all_shards_go_on_at_the_end_of_the_log(
    connection: Connection,
) -> None:
    (fact,) = append(connection, Row(new_id(), 1, FACT, task=new_id()))
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    call(connection, "advance_shard_position", 0, 1, 0, fact, 60.0)
    (last,) = append(connection, Row(new_id(), 1, "step.enqueued", task=new_id()))

    resize(connection, 3)

    assert shards(connection) == [(n, 3, last, 2, None) for n in range(3)]


def test_while_a_fact_is_left_nothing_changes(connection: Connection) -> None:
    resize(connection, 2)
    tasks = [new_id() for _ in range(4)]
    positions = append(connection, *(Row(new_id(), 1, FACT, task=task) for task in tasks))
    for shard in range(2):
        call(connection, "acquire_shard_lease", shard, ONE, 60.0, 2)
    call(connection, "advance_shard_position", 0, 1, 0, positions[-1], 60.0)
    before = shards(connection)

    with pytest.raises(psycopg.DatabaseError, match="shard 1 has facts") as caught:
        resize(connection, 1)

    assert caught.value.sqlstate == "FL005"
    assert shards(connection) == before


def test_who_led_leads_no_longer_under_any_number(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    for count in (2, 1):
        resize(connection, count)
        with pytest.raises(psycopg.DatabaseError) as caught:
            call(connection, "advance_shard_position", 0, 1, 0, 1, 60.0)
        assert caught.value.sqlstate == "FL002"

    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0)[0][:2] == (4, 0)


def test_an_epoch_never_comes_back(connection: Connection) -> None:
    """A shard that is taken away and made again goes on beyond every epoch there was."""
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    resize(connection, 2)
    for leader in (ONE, TWO):
        call(connection, "acquire_shard_lease", 1, leader, -1.0, 2)
    resize(connection, 1)
    resize(connection, 2)

    assert call(connection, "acquire_shard_lease", 1, ONE, 60.0, 2)[0][0] > 4


def test_as_many_as_there_are_change_nothing(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    append(connection, Row(new_id(), 1, FACT, task=new_id()))
    before = shards(connection)

    resize(connection, 1)

    assert shards(connection) == before


def test_processes_are_told(connection: Connection, other: Connection) -> None:
    assert heard(other, "shard", connection, "set_shard_count", 2, [FACT]) == [""]


def test_a_commit_that_is_under_way_is_waited_for(connection: Connection, others: Others) -> None:
    (fact,) = append(connection, Row(new_id(), 1, FACT, task=new_id()))
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    with others.begin() as leader:
        call(leader, "advance_shard_position", 0, 1, 0, fact, 60.0)
        later = others.later("set_shard_count", 2, [FACT])
        wait_until_blocked(connection)

    later.result(timeout=30)
    assert [row[2] for row in shards(connection)] == [fact, fact]


def test_no_fact_comes_while_the_number_changes(connection: Connection, others: Others) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    with others.begin() as operator:
        call(operator, "set_shard_count", 2, [FACT])
        fact = Row(new_id(), 1, FACT, task=new_id())
        arguments = ([fact.stream], [1], [FACT], [b"{}"], [fact.task], [0])
        late = others.later("append_events", *arguments)
        wait_until_blocked(connection)
        assert log(connection) == []

    late.result(timeout=30)
    assert [row[2] for row in shards(connection)] == [0, 0]


def test_who_waited_for_the_same_change_is_told_that_it_is_made(
    connection: Connection, others: Others
) -> None:
    with others.begin() as operator:
        assert call(operator, "set_shard_count", 2, [FACT]) == [1]
        late = others.later("set_shard_count", 2, [FACT])
        wait_until_blocked(connection)

    assert late.result(timeout=30) == [2]


def test_rows_of_no_shard_go_and_count_for_nothing(connection: Connection) -> None:
    connection.execute("update flowledger.shard set epoch = 1000000000000")
    plant_on(connection, "insert into flowledger.shard (shard, shards) values (-1, 1), (5, 0)")

    assert call(connection, "set_shard_count", 2, [FACT]) == [1]

    assert [row[:4] for row in shards(connection)] == [(0, 2, 0, 1), (1, 2, 0, 1)]


def test_the_lanes_of_a_shard_that_goes_are_looked_at_further_on(connection: Connection) -> None:
    template = new_id()
    resize(connection, 2)
    call(connection, "open_queue_lane", 1, 7)
    call(connection, "enqueue_steps", rows_of([queue_row(new_id(), template)]), 1)

    resize(connection, 1)

    assert table(connection, "queue_lane", "shard", "lane") == [(0, 7)]
    assert len(claim(connection, new_id(), [template], 10)) == 1
