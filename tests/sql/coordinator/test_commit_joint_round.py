"""commit_joint_round: what ended, what followed and what starts next, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import psycopg
import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import (
    Connection,
    Others,
    Row,
    append,
    call,
    claim,
    columns,
    log,
    new_id,
    queue,
    queue_row,
    rows_of,
    table,
    wait_until_blocked,
)

CHANNELS = ("queue", "fact", "ended", "cancel", "room")
TEMPLATE = new_id()


class World:
    """A task whose step `a` runs, at the position of its start; `b` follows."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.task = next(task for task in iter(new_id, None) if shard_of(task, 2) == 0)
        self.worker = new_id()
        definition = (TEMPLATE, "shop", "order", "1", "hash", "{}", "template.registered", b"{}", 0)
        call(connection, "register_template", *definition)
        a = step_id(self.task, "a")
        append(connection, Row(a, 1, "step.enqueued", b"{}", self.task))
        queue(connection, queue_row(self.task, TEMPLATE, "a"))
        claim(connection, self.worker, [TEMPLATE], 1)
        append(connection, Row(a, 2, "step.started", b"{}", self.task))
        (self.position,) = call(connection, "last_position")
        ((self.epoch, self.old, _),) = call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
        self.fact = Row(a, 3, "step.completed", b"{}", self.task)
        self.decision = Row(step_id(self.task, "b"), 1, "step.enqueued", b"{}", self.task)

    def asked(  # noqa: PLR0913 - what a round may differ in
        self,
        *,
        known: int = 0,
        limit: int = 5,
        epoch: int = 0,
        shards: int = 1,
        begins: bool = False,
        looks: bool = True,
        near: Sequence[int] | None = None,
        facts: int = 1,
    ) -> tuple[Any, ...]:
        """The arguments of the round; where `b` begins with it, by its start in it."""
        starts = [Row(self.decision.stream, 2, "step.started", b"{}", self.task)] if begins else []
        row = queue_row(self.task, TEMPLATE, "b")
        queued = {**row, "worker": self.worker} if begins else row
        return (
            *(0, shards, epoch or self.epoch, self.old, self.position, 60.0),
            *(known, facts, len(starts)),
            *columns([*([self.fact] if facts else []), self.decision, *starts]),
            *(UuidArray([self.fact.stream]) if facts else None, None),
            rows_of([queued]),
            *(None, None, None, None, False, None),
            *(self.worker, UuidArray([TEMPLATE]), limit, new_id(), looks, near, 1.0),
        )

    def told(self, **asked: Any) -> set[str]:
        """The channels on which the round tells others of it."""
        for channel in CHANNELS:
            self.connection.execute(f'listen "flowledger.{channel}"'.encode())
        self.commit(**asked)
        heard = self.connection.notifies(timeout=0)
        return {one.channel.removeprefix("flowledger.") for one in heard}

    def commit(self, **asked: Any) -> tuple[Any, ...]:
        """The round. Returns the position and the claimed steps."""
        position, _, _, _, steps, *_ = self.answer(**asked)
        return position, steps

    def answer(self, **asked: Any) -> tuple[Any, ...]:
        """The round. Returns all of its answer."""
        (answer,) = call(self.connection, "commit_joint_round", *self.asked(**asked))
        return tuple(answer)

    def everything(self) -> list[Any]:
        rows = table(self.connection, "queue", "step_id", "stream_version", "worker_id")
        return [log(self.connection), rows, table(self.connection, "shard", "position", "epoch")]


def reported() -> Row:
    """What another worker tells of another task."""
    return Row(new_id(), 1, "step.completed", b"{}", new_id())


def created() -> Row:
    """A task that is submitted."""
    task = new_id()
    return Row(task, 1, "task.created", b"{}", task)


@pytest.fixture
def world(connection: Connection) -> World:
    return World(connection)


def test_the_facts_come_first_then_decisions_then_starts(
    connection: Connection, world: World
) -> None:
    b = step_id(world.task, "b")

    position, steps = world.commit()

    assert log(connection)[-3:] == [(world.fact.stream, 3), (b, 1), (b, 2)]
    assert steps == [b]
    assert table(connection, "queue", "step_id", "worker_id") == [(b, world.worker)]
    assert table(connection, "shard", "position") == [position]
    ((fact_position,),) = connection.execute(
        "select notification_id from flowledger.event where topic = 'step.completed'"
    ).fetchall()
    assert position == fact_position


def test_nothing_is_claimed_where_nothing_is_asked_for(
    connection: Connection, world: World
) -> None:
    assert world.commit(limit=0)[1] is None
    assert table(connection, "queue", "worker_id") == [None]


@pytest.mark.parametrize(
    ("before", "known", "refused"),
    [(0, 0, False), (1, 1, False), (1, 0, True), (2, 1, True), (0, 1, True)],
)
def test_as_many_facts_stand_before_them_as_are_known(
    connection: Connection, world: World, before: int, known: int, refused: bool
) -> None:
    for _ in range(before):
        append(connection, reported())
    stands = world.everything()

    if not refused:
        world.commit(known=known)
        return
    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit(known=known)
    assert caught.value.sqlstate == "FL009"
    assert world.everything() == stands


def test_a_fact_that_is_in_the_log_by_then_stands_before_them(
    connection: Connection, world: World, others: Others
) -> None:
    """Whoever holds the log first is before them, however late the round looks."""
    with others.begin() as beside:
        append(beside, reported())
        late = others.later("commit_joint_round", *world.asked())
        wait_until_blocked(connection)

    with pytest.raises(psycopg.DatabaseError) as caught:
        late.result()
    assert caught.value.sqlstate == "FL009"


@pytest.mark.parametrize(("epoch", "moved", "sqlstate"), [(99, False, "FL002"), (0, True, "23505")])
def test_another_leader_or_a_step_that_was_taken_away_refuse_all_of_it(
    connection: Connection, world: World, epoch: int, moved: bool, sqlstate: str
) -> None:
    if moved:
        append(connection, Row(world.fact.stream, 3, "step.lease_expired", b"{}", world.task))
    stands = world.everything()

    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit(epoch=epoch)

    assert caught.value.sqlstate == sqlstate
    assert world.everything() == stands


def test_nobody_is_told_of_what_starts_here_at_once(world: World) -> None:
    assert world.told() == set()


def test_workers_are_told_of_what_is_left_in_the_queue(world: World) -> None:
    assert world.told(limit=0) == {"queue"}


def test_projectors_are_told_where_there_are_any(connection: Connection, world: World) -> None:
    call(connection, "heartbeat_projection_host", new_id(), "host", 1, 60.0)

    assert world.told() == {"fact"}


@pytest.mark.parametrize("shard", [0, 1])
def test_coordinators_are_told_of_starts_in_their_shards(
    connection: Connection, world: World, shard: int
) -> None:
    other = next(task for task in iter(new_id, None) if shard_of(task, 2) == shard)
    append(connection, Row(step_id(other, "a"), 1, "step.enqueued", b"{}", other))
    queue(connection, queue_row(other, TEMPLATE, "a"))

    assert world.told(shards=2) == ({"fact"} if shard else set())


def test_a_step_that_begins_with_the_round_is_the_workers_from_the_first(
    connection: Connection, world: World
) -> None:
    b = step_id(world.task, "b")

    position, claimed = world.commit(begins=True)

    assert claimed is None
    assert log(connection)[-3:] == [(world.fact.stream, 3), (b, 1), (b, 2)]
    assert table(connection, "queue", "step_id", "worker_id") == [(b, world.worker)]
    assert table(connection, "shard", "position") == [position] == call(connection, "last_position")


def test_a_round_without_facts_moves_past_its_starts(connection: Connection, world: World) -> None:
    position, _ = world.commit(begins=True, facts=0)

    assert table(connection, "shard", "position") == [position] == call(connection, "last_position")


def test_a_round_with_neither_facts_nor_starts_leaves_the_position_where_it_is_told(
    connection: Connection, world: World
) -> None:
    append(connection, reported())  # to be decided on later

    position, (claimed,) = world.commit(facts=0)

    assert position == world.position
    assert table(connection, "shard", "position") == [world.position]
    assert claimed == step_id(world.task, "b")


@pytest.mark.parametrize("before", [0, 1])
def test_a_fact_in_between_refuses_a_round_that_begins_something(
    connection: Connection, world: World, before: int
) -> None:
    for _ in range(before):
        append(connection, reported())
    stands = world.everything()

    if not before:
        world.commit(begins=True, facts=0)
        return
    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit(begins=True, facts=0)
    assert caught.value.sqlstate == "FL009"
    assert world.everything() == stands


@pytest.mark.parametrize(
    "change",
    [
        "delete from flowledger.worker",
        "update flowledger.worker set lease_until = flowledger.clock() - interval '1 s'",
        "update flowledger.worker set condition = 'isolated'",
    ],
    ids=["unknown", "lease over", "isolated"],
)
def test_a_worker_that_may_start_nothing_begins_nothing(
    connection: Connection, world: World, change: str
) -> None:
    connection.execute(change.encode())
    stands = world.everything()

    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit(begins=True)

    assert caught.value.sqlstate == "FL009"
    assert world.everything() == stands


def test_who_does_not_look_is_told_nothing_of_the_queue(world: World) -> None:
    _, _, front, _, claimed, *_ = world.answer(looks=False)

    assert (front, claimed) == (None, None)


@pytest.mark.parametrize(("limit", "front"), [(0, 0.0), (1, inf)])
def test_who_looks_is_told_what_is_left_at_the_front(
    world: World, limit: int, front: float
) -> None:
    assert world.answer(limit=limit)[2] == front


def test_nobody_is_told_of_what_begins_with_the_round(world: World) -> None:
    assert world.told(begins=True) == set()


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("tasks", [1, 3])
def test_tasks_that_were_created_meanwhile_are_left_behind(
    connection: Connection, world: World, tasks: int, begins: bool
) -> None:
    for _ in range(tasks):
        append(connection, created())

    position, created_from, *_ = world.answer(begins=begins)

    assert created_from == world.position
    assert table(connection, "shard", "position", "created_from") == [(position, world.position)]
    assert call(connection, "creations_left_behind", 0) == [world.position]


def test_those_of_another_shard_are_not(connection: Connection, world: World) -> None:
    row = next(row for row in iter(created, None) if shard_of(row.stream, 2) == 1)
    append(connection, row)

    assert world.answer(shards=2)[1] is None
    assert table(connection, "shard", "created_from") == [None]


def test_more_than_can_be_looked_at_refuse_the_round(connection: Connection, world: World) -> None:
    append(connection, *(created() for _ in range(501)))
    stands = world.everything()

    with pytest.raises(psycopg.DatabaseError) as caught:
        world.commit()

    assert caught.value.sqlstate == "FL009"
    assert world.everything() == stands


def test_the_next_commit_says_what_is_left(connection: Connection, world: World) -> None:
    append(connection, created())
    position, *_ = world.answer()

    for left in (world.position, None):
        nothing = (None,) * 14
        asked = (0, world.epoch, position, position, 60.0, *nothing, False, None, False, left)
        call(connection, "commit_decisions", *asked)

        assert table(connection, "shard", "created_from") == [left]
        assert call(connection, "creations_left_behind", 0) == [left]
