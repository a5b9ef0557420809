"""Times that not every clock can tell: refused where they enter, and parked where they got in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine import AsyncEngine, Engine, TaskHandle
from flowledger.engine.domain.argument_checks import TIMES, check_times
from flowledger.engine.errors import InvalidSubmission
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

NEW_YORK, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
ENDS = [
    datetime.max.replace(tzinfo=NEW_YORK),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=TOKYO),
    datetime.min.replace(tzinfo=UTC),
    TIMES[1] + timedelta(microseconds=1),
    TIMES[0] - timedelta(microseconds=1),
]

flow = Workflow("times", "flow", version="1")


@flow.step
def only() -> int:
    return 1


def plainly(engine: Engine, harness: EngineHarness, **times: datetime) -> None:
    engine.submit(flow, {}, **times)


def many(engine: Engine, harness: EngineHarness, **times: datetime) -> None:
    engine.submit_many(flow, [{}, {}], **times)


def in_a_transaction(engine: Engine, harness: EngineHarness, **times: datetime) -> None:
    with harness.connect() as connection:
        engine.submit(flow, {}, connection=connection, **times)


def asynchronously(engine: Engine, harness: EngineHarness, **times: datetime) -> None:
    async def submit() -> None:
        async with await AsyncEngine.open(roles=(), settings=engine.settings) as opened:
            await opened.submit(flow, {}, **times)

    asyncio.run(submit())


@pytest.mark.parametrize("way", [plainly, many, in_a_transaction, asynchronously])
def test_a_time_at_the_ends_of_time_is_refused(
    shared_harness: EngineHarness, way: Callable[..., None]
) -> None:
    engine = shared_harness.open(flow, roles=())

    for moment in ENDS:
        for name in ("start_at", "deadline_at"):
            with pytest.raises(InvalidSubmission, match=f"times/flow@1: {name} should be between"):
                way(engine, shared_harness, **{name: moment})

    assert (
        shared_harness.value("select count(*) from flowledger.event where task_id is not null") == 0
    )
    assert shared_harness.value("select count(*) from flowledger.submission") == 0


@given(
    st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-23, minutes=-59)))),
    st.booleans(),
)
def test_a_time_comes_back_in_utc_or_is_refused(moment: datetime, is_start: bool) -> None:
    times: tuple[Any, Any] = (moment, None) if is_start else (None, moment)
    try:
        found = check_times("w", *times)
    except InvalidSubmission:
        return
    (told,) = [one for one in found if one is not None]
    assert told == moment.astimezone(UTC)  # a local time that comes twice equals nothing
    assert told.tzinfo is UTC
    assert TIMES[0] <= told <= TIMES[1]


def submitted(engine: Engine, harness: EngineHarness) -> list[TaskHandle]:
    """Tasks that are still to be taken on."""
    tasks = engine.submit_many(flow, [{}] * 5)
    with harness.connect() as connection:
        tasks += engine.submit_many(flow, [{}] * 5, connection=connection)
        connection.commit()
    return tasks


@pytest.mark.parametrize("place", [2, 7], ids=["a fact", "a submission"])
def test_a_task_whose_rows_cannot_be_stored_is_parked_and_no_other(
    harness: EngineHarness, place: int
) -> None:
    """Whatever the database refuses about it, it is found among those that were decided with it."""
    engine = harness.open(flow, roles=())
    tasks = submitted(engine, harness)
    broken = tasks.pop(place)
    harness.rows(f"alter table flowledger.task add check (task_id <> '{broken.id}')")

    harness.open(flow)

    for task in [*tasks, engine.submit(flow, {})]:
        assert task.result(PATIENCE) == {"only": 1}
    ((task_id, reason),) = harness.rows("select task_id, reason from flowledger_v1.parked_tasks")
    assert task_id == broken.id
    assert "cannot be stored" in reason
