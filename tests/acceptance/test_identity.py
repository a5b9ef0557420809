"""When two submissions are one task."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import DuplicateTask, Engine, MissingIdempotencyKey
from flowledger.engine.domain.templates.template import Identity
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness


def workflow_with(identity: Identity, version: str = "1") -> Workflow[dict[str, Any]]:
    workflow = Workflow("identity", identity, version=version, identity=identity)
    workflow.step(name="note")(note)
    return workflow


def note(context: dict[str, Any]) -> dict[str, Any]:
    return context


strict = workflow_with("strict")
by_key = workflow_with("caller_provided")
unique = workflow_with("always_unique")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(strict, by_key, unique)


def created(harness: EngineHarness) -> int:
    count: int = harness.value("select count(*) from flowledger.event where topic = 'task.created'")
    return count


def test_unless_told_otherwise_every_submission_is_a_task(engine: Engine) -> None:
    first, second = engine.submit(unique, {"a": 1}), engine.submit(unique, {"a": 1})

    assert first.id != second.id


def test_strict_tasks_with_the_same_context_are_one(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    first = engine.submit(strict, {"a": 1, "b": [1, {"c": None, "d": 2}]})
    before = created(shared_harness)

    second = engine.submit(strict, {"b": [1, {"d": 2, "c": None}], "a": 1})

    assert second.id == first.id
    assert created(shared_harness) == before
    assert second.result(PATIENCE)["note"]["a"] == 1


def test_strict_tasks_with_other_contexts_or_versions_are_others(harness: EngineHarness) -> None:
    newer = workflow_with("strict", version="2")
    client = harness.open(strict, newer, roles=())

    ids = {
        client.submit(workflow, context).id
        for workflow in (strict, newer)
        for context in ({"a": 1}, {"a": 2}, {"a": "1"}, {})
    }

    assert len(ids) == 8


def test_tasks_with_the_same_key_are_one_whatever_their_context(engine: Engine) -> None:
    first = engine.submit(by_key, {"a": 1}, idempotency_key="order-1")
    second = engine.submit(by_key, {"a": 2}, idempotency_key="order-1")
    other = engine.submit(by_key, {"a": 1}, idempotency_key="order-2")

    assert first.id == second.id != other.id
    assert second.result(PATIENCE)["note"] == {"a": 1}


def test_a_key_that_is_asked_for_must_be_given(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    before = created(shared_harness)

    with pytest.raises(MissingIdempotencyKey, match="identity/caller_provided@1"):
        engine.submit(by_key, {"a": 1})

    assert created(shared_harness) == before


@pytest.mark.parametrize("workflow", [strict, unique], ids=lambda workflow: workflow.key)
def test_a_key_counts_whatever_the_strategy(
    engine: Engine, workflow: Workflow[dict[str, Any]]
) -> None:
    first = engine.submit(workflow, {"a": 5}, idempotency_key="five")
    second = engine.submit(workflow, {"a": 6}, idempotency_key="five")

    assert first.id == second.id


def test_a_duplicate_is_told_to_whoever_asks(engine: Engine, shared_harness: EngineHarness) -> None:
    first = engine.submit(strict, {"duplicate": True})
    before = created(shared_harness)

    with pytest.raises(DuplicateTask, match=str(first.id)) as caught:
        engine.submit(strict, {"duplicate": True}, on_duplicate="raise")

    assert caught.value.task_id == first.id
    assert created(shared_harness) == before


def test_of_many_tasks_a_refused_duplicate_stores_none(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    engine.submit(strict, {"many": 2})
    before = created(shared_harness)

    with pytest.raises(DuplicateTask):
        engine.submit_many(strict, [{"many": 1}, {"many": 2}, {"many": 3}], on_duplicate="raise")

    assert created(shared_harness) == before


def test_duplicates_within_one_batch_are_one_task(engine: Engine) -> None:
    tasks = engine.submit_many(strict, [{"batch": 1}, {"batch": 2}, {"batch": 1}])

    assert tasks[0].id == tasks[2].id != tasks[1].id
    assert [task.result(PATIENCE)["note"]["batch"] for task in tasks] == [1, 2, 1]


def race(*racers: Callable[[], UUID]) -> list[UUID]:
    """Run all at the same moment."""
    barrier = Barrier(len(racers))

    def run(racer: Callable[[], UUID]) -> UUID:
        barrier.wait(PATIENCE)
        return racer()

    with ThreadPoolExecutor(len(racers)) as threads:
        return list(threads.map(run, racers))


def test_racing_submitters_get_one_task(harness: EngineHarness) -> None:
    clients = [harness.open(strict, roles=()) for _ in range(2)]

    for number in range(20):
        context = {"race": number}
        ids = race(*(lambda c=c: c.submit(strict, context).id for c in clients * 2))  # noqa: B023
        assert len(set(ids)) == 1

    assert created(harness) == 20


def test_a_submitter_waits_for_a_racing_transaction_and_gets_its_task(
    harness: EngineHarness,
) -> None:
    client = harness.open(strict, roles=())
    with harness.connect() as connection, ThreadPoolExecutor(1) as thread:
        first = client.submit(strict, {"raced": 1}, connection=connection)
        second = thread.submit(client.submit, strict, {"raced": 1})
        waiting(harness)
        connection.commit()
        assert second.result(PATIENCE).id == first.id

    assert created(harness) + harness.value("select count(*) from flowledger.submission") == 1


def test_a_submitter_that_waited_for_a_rolled_back_transaction_gets_the_task(
    harness: EngineHarness,
) -> None:
    client = harness.open(strict, roles=())
    with harness.connect() as connection, ThreadPoolExecutor(1) as thread:
        first = client.submit(strict, {"raced": 1}, connection=connection)
        second = thread.submit(client.submit, strict, {"raced": 1})
        waiting(harness)
        connection.rollback()
        assert second.result(PATIENCE).id != first.id

    assert created(harness) == 1
    assert harness.value("select count(*) from flowledger.submission") == 0


def waiting(harness: EngineHarness) -> None:
    """Until a session waits for another's transaction; the server is asked, nobody sleeps."""
    count = 0
    while not count:
        count = harness.value(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
