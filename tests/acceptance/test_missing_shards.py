"""Rows of shards that are gone: named by whoever is asked, and made again from the log."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.errors import ShardsBehind
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness

WHY = {"actor": "ann", "reason": "a partial restore"}
MANY = 48
"""Tasks, of which each of four shards has some but once in a million times."""
flow = Workflow("shop", "sharded", version="1")


@flow.step
def only() -> int:
    return 1


class Lost(NamedTuple):
    """A database in which these shards have no row, with tasks that ended and others that did not.

    All tasks are of shards that are lost, where all are.
    """

    harness: EngineHarness
    client: Engine
    shards: list[int]
    ended: list[TaskHandle]
    waiting: list[TaskHandle]


def resize(harness: EngineHarness, shards: int) -> None:
    with engine_pool(harness.url, harness.settings()) as pool:
        PostgresShardStore(pool, DatabaseClock()).resize(shards, **WHY)


@pytest.fixture(params=[[2], [0, 1, 2, 3]], ids=["one of four", "all of four"])
def lost(request: pytest.FixtureRequest, harness: EngineHarness) -> Lost:
    resize(harness, 4)
    with harness.open(flow) as engine:
        ended = engine.submit_many(flow, [{}] * MANY)
        for task in ended:
            task.wait(PATIENCE)
    client = harness.open(flow, roles=())
    waiting = client.submit_many(flow, [{}] * MANY)
    harness.rows("delete from flowledger.shard where shard = any (%s)", request.param)
    handles = [client.task(task.id) for task in ended]
    return Lost(harness, client, request.param, handles, list(waiting))


def test_health_names_them_with_the_command(lost: Lost) -> None:
    (one,) = [f for f in lost.client.health_report().findings if f.kind == "shard_missing"]

    assert one.about == ", ".join(map(str, lost.shards))
    assert f"of shard{'s' * (len(lost.shards) > 1)} {one.about} " in one.sentence
    assert str(one.command).startswith("flowledger repair --all --reason WHY")


def test_status_and_explain_say_it_of_their_tasks(lost: Lost, tmp_path: Path) -> None:
    tasks = {str(task.explain()): task for task in lost.waiting}

    for shard in lost.shards:
        assert any(f"the row of shard {shard} is gone" in said for said in tasks)
    stuck = next(task for said, task in tasks.items() if " is gone, and `flowledger" in said)
    with ExitStack() as opened:
        command = Command(lost.harness.url, tmp_path, opened)
        assert "is gone, and `flowledger repair --all" in command("status", str(stuck.id)).out
        for task in lost.ended[:3]:
            assert task.explain().state == "complete"
        assert "complete" in command("status", str(lost.ended[0].id)).out


def test_verify_names_them_first_and_blames_no_task(lost: Lost) -> None:
    run = lost.client.verify()

    assert [(one.subject, one.field, one.row) for one in run] == [
        (f"shard {shard}", "row", "none") for shard in lost.shards
    ]
    assert any(name.startswith("tasks of shard") for name in run.not_compared)


def test_one_task_of_them_is_not_blamed_either(lost: Lost) -> None:
    found = [one for task in lost.ended for one in lost.client.verify(task.id)]

    assert {one.subject for one in found} == {f"shard {shard}" for shard in lost.shards}


def test_a_repair_makes_them_again_and_all_tasks_end(lost: Lost) -> None:
    dry = lost.client.repair(dry_run=True, **WHY)
    assert [one.subject for one in dry.repaired] == [f"shard {shard}" for shard in lost.shards]

    repair = lost.client.repair(**WHY)

    assert [str(one) for one in repair.repaired] == [str(one) for one in dry.repaired]
    assert repair.left == []
    assert list(lost.client.verify()) == []
    lost.harness.open(flow)
    for task in lost.waiting:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert list(lost.client.verify()) == []


def test_the_others_go_on_and_the_log_says_it_once(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    resize(harness, 4)
    with harness.open(flow) as engine:
        engine.submit_many(flow, [{}] * 4)[0].wait(PATIENCE)
        harness.rows("delete from flowledger.shard where shard = 2")
        harness.until(lambda: told_missing(caplog))

        tasks = engine.submit_many(flow, [{}] * MANY)

        for task in tasks:
            if shard_of(task.id, 4) != 2:
                assert task.wait(PATIENCE) is TaskState.COMPLETE
        engine.repair(**WHY)
        harness.rows("update flowledger.shard set lease_until = flowledger.clock() where shard = 2")
        for task in tasks:
            assert task.wait(PATIENCE) is TaskState.COMPLETE
    (told,) = told_missing(caplog)
    assert "shards=[2]" in told
    assert list(harness.open(roles=()).verify()) == []


def told_missing(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = (record.getMessage() for record in caplog.records)
    return [one for one in told if one.startswith("coordinator.shards_missing")]


def test_the_list_of_shards_names_them(lost: Lost, tmp_path: Path) -> None:
    with ExitStack() as opened:
        done = Command(lost.harness.url, tmp_path, opened)("db", "shards")

    assert done.code == 1
    assert len(done.out.splitlines()) == 4 - len(lost.shards)
    assert [line.split(" is gone")[0] for line in done.error.splitlines()] == [
        f"the row of shard {shard}" for shard in lost.shards
    ]


def test_their_number_is_not_changed_meanwhile(lost: Lost) -> None:
    with pytest.raises(ShardsBehind, match=f"shard {lost.shards[0]} has no row"):
        resize(lost.harness, 2)
