"""A shard whose position is not where its decisions stand: named, told once, and set right."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.errors import PositionBehindLog
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepError
from flowledger.handlers import Retry, Workflow
from support.engines import EngineHarness
from support.manual_coordinator import CLOCK, ManualCoordinator

WHY = {"actor": "ann", "reason": "a partial restore"}
AGAIN = Retry(max_attempts=5, backoff="fixed", base_seconds=0.0, jitter="none")
AWAY = StepError(error_class="OSError", message="away", category="network", retryable=True)
POSITION = 'select "position" from flowledger.shard'
tried = Workflow("shop", "tried", version="1")


@tried.step(retry=AGAIN)
def tries() -> None:
    """Fails a few times."""


@tried.step(after=[tries], retry=AGAIN)
def ends() -> None:
    """Follows."""


@pytest.fixture
def stage(harness: EngineHarness) -> Generator[ManualCoordinator]:
    """Tasks that were tried again and again, some of them halfway; nobody is at work."""
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, tried)
        stage.client.submit_many(tried, [{"number": number} for number in range(6)])
        stage.settle()
        for _ in range(3):
            each_attempt_ends(stage, StepAttemptFailed, error=AWAY)
        each_attempt_ends(stage, StepCompleted, result=1, limit=4)
        yield stage


def each_attempt_ends(stage: ManualCoordinator, kind: Any, limit: int = 6, **fields: Any) -> None:
    for claim in stage.worker.exchange(limit=limit).claims:
        stage.settle()
        stage.worker.exchange([stage.worker.fact(kind, claim, **fields)])
        stage.settle()


def put(stage: ManualCoordinator, by: int) -> tuple[int, int]:
    """Move the position; what it was and is."""
    was = stage.harness.value(POSITION)
    stage.harness.rows('update flowledger.shard set "position" = "position" + %s', by)
    return was, was + by


def found(stage: ManualCoordinator) -> list[Difference]:
    return list(stage.client.verify())


def parked(stage: ManualCoordinator) -> int:
    count: int = stage.harness.value("select count(*) from flowledger.parked_task")
    return count


def settle_anew(stage: ManualCoordinator) -> None:
    """The coordinator may have to notice first that it must begin anew."""
    stage.settle()
    stage.settle()


def work_on(stage: ManualCoordinator) -> None:
    for _ in range(50):
        stage.coordinator.step(CLOCK)


def let_all_end(stage: ManualCoordinator) -> None:
    settle_anew(stage)
    while claims := stage.worker.exchange(limit=9).claims:
        stage.worker.exchange([stage.worker.fact(StepCompleted, one, result=1) for one in claims])
        settle_anew(stage)
    ended = "select bool_and(ended_at is not null) from flowledger.task"
    assert stage.harness.value(ended)
    assert found(stage) == []


@pytest.mark.parametrize("by", [-3, -8, -25, -60])
def test_one_that_is_behind_its_decisions_is_named_and_set_right(
    stage: ManualCoordinator, by: int
) -> None:
    assert found(stage) == []
    was, now = put(stage, by)

    said = [str(one) for one in found(stage)]

    assert said == [
        f"shard 0: position is {now} in flowledger.shard, and {was} by the decisions in the log"
    ]
    dry = stage.client.repair(dry_run=True, **WHY)
    assert ([str(one) for one in dry.repaired], dry.left) == (said, [])
    assert stage.harness.value(POSITION) == now
    done = stage.client.repair(**WHY)
    assert ([str(one) for one in done.repaired], done.left) == (said, [])
    assert stage.harness.value(POSITION) == was
    assert found(stage) == []
    let_all_end(stage)


@pytest.mark.parametrize("by", [-25, -60])
def test_a_coordinator_parks_no_task_for_it_and_says_once_what_to_do(
    stage: ManualCoordinator, by: int
) -> None:
    was, now = put(stage, by)
    stage.harness.rows("update flowledger.shard set leader = null")
    stage.coordinator = stage.another()
    for _ in range(3):
        with pytest.raises(PositionBehindLog) as raised:
            work_on(stage)
        assert (raised.value.shard, raised.value.position, raised.value.decided) == (0, now, was)
    assert "flowledger verify --all" in str(raised.value)
    assert "flowledger repair --all" in str(raised.value)
    assert parked(stage) == 0

    stage.client.repair(**WHY)

    let_all_end(stage)


def test_one_that_passed_over_facts_is_named_and_set_right(stage: ManualCoordinator) -> None:
    claims = stage.worker.exchange(limit=2).claims
    stage.worker.exchange([stage.worker.fact(StepCompleted, one, result=1) for one in claims])
    assert found(stage) == []  # facts that no coordinator has read yet are no difference
    first = stage.harness.value(POSITION) + 1
    was, now = put(stage, 4 if len(claims) > 1 else 2)

    said = [str(one) for one in found(stage)]

    assert len(said) == 1
    stands = stage.harness.value(
        "select min(notification_id) - 1 from flowledger.event"
        " where notification_id >= %s and topic = 'step.started'",
        first,
    )
    assert said == [
        f"shard 0: position is {now} in flowledger.shard, and {stands} by the decisions in the log"
    ]
    assert [str(one) for one in stage.client.repair(**WHY).repaired] == said
    assert stage.harness.value(POSITION) == stands >= was
    let_all_end(stage)


def test_one_beyond_the_end_of_the_log_is_told_by_health_and_set_right(
    stage: ManualCoordinator,
) -> None:
    assert told_of_shards(stage) == []
    was, now = put(stage, 1000)
    end = stage.harness.value("select max(notification_id) from flowledger.event")

    assert told_of_shards(stage) == [
        f"shard 0 stands at position {now}, and the log ends at {end}:"
        " what happens to its tasks is passed over until the log is as long"
    ]
    (open_one, *_), *_ = stage.harness.rows(
        "select task_id from flowledger.task where ended_at is null"
    )
    left = stage.client.submit(tried, {"number": 7})
    for task in (open_one, left.id):
        told = str(stage.client.task(task).explain())
        assert f"shard 0 stands at position {now}, and the log ends at" in told
        assert "flowledger repair --all" in told
        assert "takes it on next" not in told
    assert [one.subject for one in stage.client.repair(**WHY).repaired] == ["shard 0"]
    assert was <= stage.harness.value(POSITION) <= end
    assert told_of_shards(stage) == []
    let_all_end(stage)


def told_of_shards(stage: ManualCoordinator) -> list[str]:
    findings = stage.client.health_report().findings
    return [one.sentence for one in findings if one.kind == "shard_ahead"]


def test_for_one_task_its_shard_is_named_and_left_to_a_repair_of_all(
    stage: ManualCoordinator,
) -> None:
    put(stage, -25)
    (task, *_) = [one for (one,) in stage.harness.rows("select task_id from flowledger.task")]

    assert [one.subject for one in stage.client.verify(task)] == ["shard 0"]
    done = stage.client.repair(task, **WHY)

    assert done.repaired == []
    assert [(one.difference.subject, "repair --all" in one.why) for one in done.left] == [
        ("shard 0", True)
    ]


def test_a_row_that_was_changed_is_not_taken_for_a_position(stage: ManualCoordinator) -> None:
    stage.harness.rows(
        "update flowledger.step set state = 'enqueued' where state = 'complete' and step = 'tries'"
    )

    assert "shard 0" not in {one.subject for one in found(stage)}


def test_that_a_position_was_set_right_is_recorded(stage: ManualCoordinator) -> None:
    put(stage, -25)
    stage.client.repair(**WHY)

    ((actor, reason, change),) = stage.harness.rows(
        "select d ->> 'actor', d ->> 'reason', d -> 'changes' ->> 0 from flowledger.event,"
        " flowledger.payload_json(state, encoding) as d where topic = 'engine.repaired'"
    )
    assert (actor, reason) == (WHY["actor"], WHY["reason"])
    assert change.startswith("shard 0: position is ")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param(StepAttemptFailed, {"error": AWAY}, id="a failed attempt"),
        pytest.param(StepCompleted, {"result": 1}, id="a completed step"),
        pytest.param(None, {}, id="a new task"),
    ],
)
def test_facts_that_were_passed_over_are_decided_on_after_a_repair(
    stage: ManualCoordinator, kind: Any, fields: dict[str, Any]
) -> None:
    """Here the coordinator went on from behind them, so that the position is right by now."""
    claims = stage.worker.exchange(limit=6).claims
    stage.settle()
    if kind is None:
        stage.client.submit(tried, {"number": 7})
    for claim in claims[:4] if kind else ():
        stage.worker.exchange([stage.worker.fact(kind, claim, **fields)])
    end = stage.harness.value("select max(notification_id) from flowledger.event")
    stage.harness.rows('update flowledger.shard set "position" = %s, epoch = epoch + 1', end)
    settle_anew(stage)
    stage.worker.exchange([stage.worker.fact(StepCompleted, claims[-1], result=1)])
    settle_anew(stage)
    others = claims[4:-1] if kind else claims[:-1]
    stage.worker.exchange([stage.worker.fact(StepCompleted, one, result=1) for one in others])
    settle_anew(stage)

    behind = found(stage)
    assert behind
    assert "flowledger.shard" not in {one.place for one in behind}

    assert stage.client.repair(**WHY).left == []

    assert found(stage) == []
    let_all_end(stage)


def test_of_several_shards_the_one_that_is_off_is_named(harness: EngineHarness) -> None:
    with harness.open(tried, coordinator={"shards": 2}) as engine:
        for task in engine.submit_many(tried, [{"number": number} for number in range(16)]):
            task.wait()
    client = harness.open(roles=())
    assert list(client.verify()) == []
    harness.rows('update flowledger.shard set "position" = "position" - 40 where shard = 1')

    said = [(one.subject, one.place) for one in client.verify()]

    assert said == [("shard 1", "flowledger.shard")]
    assert client.repair(**WHY).left == []
    assert list(client.verify()) == []
