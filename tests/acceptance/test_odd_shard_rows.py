"""Rows of shards that no engine writes: refused, led by nobody, told, and mended."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import everything_told, queued, told

flow = Workflow("odd", "shards", version="1")


@flow.step
def only() -> int:
    return 1


MANY = 32
NONE = "update flowledger.shard set shards = 0"
MOST = "update flowledger.shard set shards = 2147483647"
BEYOND = "insert into flowledger.shard (shard, position, shards) values (7, 0, 1), (-3, 99999, 1)"
BELOW = "update flowledger.shard set shard = -1"
CHECK = "alter table flowledger.shard drop constraint if exists shard_number_check"
BACK = (
    "alter table flowledger.shard add constraint shard_number_check check (shards >= 1"
    " and shards <= 1024 and shard >= 0 and shard < shards) not valid"
)
OF_MORE = "insert into flowledger.shard (shard, position, shards) values (7, 0, 8)"


def planted(harness: EngineHarness, row: str) -> None:
    """The row as it was written before there was a check, which does not look at what was there."""
    harness.rows(CHECK)
    harness.rows(row)
    harness.rows(BACK)


@pytest.mark.parametrize("row", [NONE, MOST, BEYOND, BELOW])
def test_they_are_refused_where_they_enter(harness: EngineHarness, row: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        harness.rows(row)


@pytest.mark.parametrize("row", [NONE, MOST, BELOW])
def test_a_shard_whose_row_cannot_be_is_told_and_goes_on_after_a_repair(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    task = queued(harness, flow)
    planted(harness, row)
    harness.open(flow)

    said = everything_told(monkeypatch, harness, task)

    assert "flowledger repair --all" in said["health"]
    assert "1 difference" in said["verify"] or "2 differences" in said["verify"], said["verify"]
    harness.rows("select * from flowledger_v1.system_health()")
    dry = told(monkeypatch, harness.url, "repair", "--all", "--dry-run", "--reason", "odd rows")
    mended = told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")
    assert dry.count("shard") == mended.count("shard"), (dry, mended)
    assert harness.rows("select shard, shards from flowledger.shard") == [(0, 1)]
    assert harness.open(flow).task(task.id).result(PATIENCE)
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


@pytest.mark.parametrize("row", [BEYOND, OF_MORE], ids=["beyond", "of more"])
def test_rows_of_no_shard_are_led_by_nobody_and_removed(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    task = queued(harness, flow)
    planted(harness, row)

    said = everything_told(monkeypatch, harness, task)
    assert "nobody leads shard 7" not in said["health"]
    assert "the row of shard 7 in flowledger.shard is of no shard" in said["health"]
    assert "shard 7" in said["verify"]

    engine, other = harness.open(flow), harness.open(flow, roles=["coordinator"])
    for done in engine.submit_many(flow, [{}] * 20):
        assert done.result(PATIENCE)
    assert engine.task(task.id).result(PATIENCE)
    assert harness.rows("select shard from flowledger.shard where leader is not null") == [(0,)]
    assert harness.value("select count(*) from flowledger.parked_task") == 0
    other.close()
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")

    assert harness.rows("select shard, shards from flowledger.shard") == [(0, 1)]
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


@pytest.mark.parametrize(
    "lease",
    [
        "lease_until = 'infinity', lease_seconds = 'NaN'",
        "lease_until = now() + interval '10 days', lease_seconds = null",
        "lease_until = now() + interval '10 days', lease_seconds = 2000000",
        "lease_until = null, lease_seconds = 15",
    ],
)
def test_a_lease_of_a_leader_whom_nobody_knows_ends_within_a_minute(
    harness: EngineHarness, lease: str
) -> None:
    task = queued(harness, flow)
    harness.rows(f"update flowledger.shard set leader = %s, {lease}", uuid4())  # noqa: S608
    findings = harness.open(roles=()).health_report().findings
    assert [one.kind for one in findings if one.about == "0"] == ["shard_unled"]
    engine = harness.open(flow)
    harness.until(lambda: harness.value("select count(*) from flowledger.coordinator") > 0)
    harness.until(
        lambda: (
            harness.value(
                "select count(*) from flowledger.shard"
                " where coalesce(lease_until, '-infinity') < now() + interval '1 minute'"
            )
            == 1
        )
    )

    harness.rows("update flowledger.clock_offset set shift = '61 s'")

    assert engine.task(task.id).result(PATIENCE)


def test_the_last_epoch_is_followed_by_the_first(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = queued(harness, flow)
    harness.rows(
        "update flowledger.shard set epoch = 1000000000000, leader = null, lease_until = null"
    )

    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")
    assert harness.open(flow).task(task.id).result(PATIENCE)


@pytest.mark.parametrize("count", [0, 2147483647, 7])
def test_beside_one_row_that_says_another_number_the_others_go_on(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    told(monkeypatch, harness.url, "db", "shards", "4", "--reason", "many tasks")
    engine = harness.open(flow)
    for task in engine.submit_many(flow, [{}] * 8):
        assert task.result(PATIENCE)
    planted(harness, f"update flowledger.shard set shards = {count} where shard = 2")  # noqa: S608

    tasks = engine.submit_many(flow, [{}] * MANY)

    for task in tasks:
        if shard_of(task.id, 4) != 2:
            assert task.result(PATIENCE)
    said = told(monkeypatch, harness.url, "health")
    assert f"says that there are {count} shards, and there are 4" in said
    assert harness.value("select count(*) from flowledger.parked_task") == 0
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")
    for task in tasks:
        assert task.result(PATIENCE)
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")
