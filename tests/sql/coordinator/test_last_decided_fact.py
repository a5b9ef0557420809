"""last_decided_fact: how far a shard has come at least, by the decisions in the log."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.events.step import StepEnqueued, StepStarted
from flowledger.engine.store.log.event_mapper import EventMapper
from support.builders import event
from support.sql_calls import Connection, Row, append, call, new_id

DECISIONS = ["step.enqueued", "step.retry_scheduled"]


def head(event_id: UUID, cause: UUID | None = None) -> bytes:
    """A payload with a head in binary."""
    kind = b"\x01" if cause is None else b"\x02"
    return kind + event_id.bytes + bytes(8) + (cause.bytes if cause else b"") + b"{}"


def task_of(shard: int) -> UUID:
    """A task of one of two shards."""
    task = new_id()
    return task if shard_of(task, 2) == shard else task_of(shard)


def decided(connection: Connection, after: int = 0, shard: int = 0, shards: int = 1) -> int | None:
    (found,) = call(connection, "last_decided_fact", shard, shards, after, DECISIONS)
    return found if found is None else int(found)


def caused(task: UUID, topic: str = "step.completed", state: bytes = b"") -> tuple[Row, Row]:
    """A fact in one stream, and a decision on it in another."""
    cause = new_id()
    fact = Row(new_id(), 1, topic, state=head(cause) + state, task=task)
    return fact, Row(new_id(), 1, "step.enqueued", state=head(new_id(), cause), task=task)


def test_a_log_without_decisions_says_nothing(connection: Connection) -> None:
    assert decided(connection) is None
    append(connection, caused(new_id())[0])
    assert decided(connection) is None


def test_the_last_cause_of_a_decision_is_decided_and_what_came_later_is_not(
    connection: Connection,
) -> None:
    task = new_id()
    first, second = caused(task), caused(task)
    positions = append(connection, *first, *second, caused(task)[0])

    assert decided(connection) == positions[2]
    assert decided(connection, after=positions[1]) == positions[2]
    assert decided(connection, after=positions[2]) is None


def test_a_fact_that_a_decision_follows_in_its_stream_is_decided(connection: Connection) -> None:
    stream, task = new_id(), new_id()
    positions = append(
        connection,
        Row(stream, 1, "step.attempt_failed", task=task),
        Row(stream, 2, "step.retry_scheduled", task=task),
        Row(stream, 3, "step.started", task=task),
    )

    assert decided(connection) == positions[0]


def test_what_has_its_names_in_the_head_tells_its_cause_too(connection: Connection) -> None:
    task, fact = new_id(), event(StepStarted, 2, step="a", worker=new_id())
    decision = event(StepEnqueued, 1, step="b", causation_id=fact.event_id)
    mapper = EventMapper()
    position, _ = append(
        connection,
        Row(new_id(), 1, "step.completed", state=mapper.payload(fact), task=task),
        Row(new_id(), 1, "step.enqueued", state=mapper.payload(decision), task=task),
    )

    assert decided(connection) == position


def test_a_shard_knows_of_its_own_tasks_alone(connection: Connection) -> None:
    positions = append(connection, *caused(task_of(0)), *caused(task_of(1)))

    assert decided(connection, shard=0, shards=2) == positions[0]
    assert decided(connection, shard=1, shards=2) == positions[2]


def test_what_the_coordinator_created_itself_is_no_fact_that_it_read(
    connection: Connection,
) -> None:
    task, cause = new_id(), new_id()
    decision = Row(new_id(), 1, "step.enqueued", state=head(new_id(), cause), task=task)
    plain, taken = head(cause), head(cause)[:-2] + b'{"submission":7}'
    append(connection, Row(task, 1, "task.created", state=taken, task=task), decision)
    assert decided(connection) is None

    other = new_id()
    fact, again = Row(other, 1, "task.created", state=plain, task=other), decision.at(2)
    (position, _) = append(connection, fact, again)

    assert decided(connection) == position


def test_a_payload_that_is_encoded_tells_nothing_of_causes(connection: Connection) -> None:
    fact, decision = caused(new_id())
    append(connection, fact, Row(**{**vars(decision), "encoding": 1}))

    assert decided(connection) is None
