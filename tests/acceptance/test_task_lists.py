"""`engine.tasks`: tasks by what they are, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import AsyncEngine, Engine, TaskHandle, TaskState
from flowledger.engine.bootstrap import open_engine
from flowledger.engine.client.engine import ALL_ROLES
from flowledger.engine.client.task_list import TaskPage
from flowledger.engine.domain.task_query import MOST_TAGS, MOST_TASKS
from flowledger.engine.errors import InvalidRequest
from support.builders import NOON, step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness

ONCE = {"handler": {"callable": "act"}, "retry": {"max_attempts": 1}}
WORD: Any = {"actor": "ada", "reason": "ticket 7"}
flow = controlled_steps(step("a", **ONCE), name="flow")
other = controlled_steps(step("a", **ONCE), name="other")
newer = controlled_steps(step("a", **ONCE), step("b", **ONCE), name="other", version="2")


def ids(page: TaskPage) -> list[UUID]:
    return [task.id for task in page]


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Generator[Engine]:
    """An engine that keeps the read models, too, that come with it."""
    settings = shared_harness.settings(projections={"builtin": True, "linger_seconds": 0.01})
    with open_engine([flow, other, newer], ALL_ROLES, settings) as engine:
        yield engine


@pytest.fixture(scope="module")
def tasks(engine: Engine, shared_harness: EngineHarness) -> dict[str, TaskHandle]:
    """Tasks that differ, by what they are, and what is known of them is known to read models."""
    found = {
        "flow": begin(engine, flow)[1],
        "failed flow": begin(engine, flow, fails="a", tags=["urgent", "vip"])[1],
        "other": begin(engine, other, correlation_id="batch 7", tags=["vip"])[1],
        "failed other": begin(engine, newer, fails="a")[1],
    }
    for task in found.values():
        task.wait(PATIENCE)
    found["late"] = begin(engine, flow, start_at=datetime.now(UTC) + timedelta(days=1))[1]
    found["late"].pause(**WORD)
    shared_harness.until(
        lambda: all(row.standing == "caught_up" for row in engine.projections.list())
    )
    return found


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "anything": ({}, {"flow", "failed flow", "other", "failed other", "late"}),
    "failed": ({"states": ["error"]}, {"failed flow", "failed other"}),
    "done or failed": (
        {"states": [TaskState.COMPLETE, TaskState.ERROR]},
        {"flow", "failed flow", "other", "failed other"},
    ),
    "a namespace": ({"namespace": "bank"}, set()),
    "a template": (
        {"namespace": "shop", "template": "flow"},
        {"flow", "failed flow", "late"},
    ),
    "a version": (
        {"namespace": "shop", "template": "other", "version": "2"},
        {"failed other"},
    ),
    "a failed template": (
        {"namespace": "shop", "template": "flow", "states": ["error"]},
        {"failed flow"},
    ),
    "a correlation": ({"correlation_id": "batch 7"}, {"other"}),
    "a tag": ({"tags": ["vip"]}, {"failed flow", "other"}),
    "two tags": ({"tags": ["vip", "urgent"]}, {"failed flow"}),
    "paused": ({"paused": True}, {"late"}),
    "parked": ({"parked": True}, set()),
    "old": ({"created_before": NOON}, set()),
    "new": ({"created_after": NOON}, {"flow", "failed flow", "other", "failed other", "late"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_tasks_are_found_by_what_they_are(
    engine: Engine, tasks: dict[str, TaskHandle], name: str
) -> None:
    filters, expected = FILTERS[name]

    found = ids(engine.tasks(**filters))

    assert {name for name, task in tasks.items() if task.id in found} == expected
    assert len(found) == len(expected)


def test_times_count_from_one_on_and_before_the_other(
    engine: Engine, tasks: dict[str, TaskHandle]
) -> None:
    newest, middle, *_ = engine.tasks()

    found = engine.tasks(created_after=middle.created_at, created_before=newest.created_at)

    assert ids(found) == [middle.id]


def test_a_task_is_told_with_what_it_is(engine: Engine, tasks: dict[str, TaskHandle]) -> None:
    (told,) = engine.tasks(tags=["urgent"])

    assert told.id == tasks["failed flow"].id
    assert (told.namespace, told.template, told.version) == ("shop", "flow", "1")
    assert (told.state, told.paused, told.parked) == (TaskState.ERROR, False, False)
    assert (told.correlation_id, told.tags) == (str(told.id), ("urgent", "vip"))
    assert told.ended_at is not None
    assert told.created_at < told.ended_at
    assert told.created_at.tzinfo is UTC


def test_a_page_says_how_old_its_tags_are(
    engine: Engine, tasks: dict[str, TaskHandle], harness: EngineHarness
) -> None:
    page = engine.tasks()

    assert page.tags_as_of_position is not None
    assert page.tags_as_of_position >= tasks["other"].history()[-1].position
    assert page.tags_as_of is not None
    assert page.tags_as_of.tzinfo is UTC
    unread = harness.open(roles=()).tasks()
    assert (unread.tags_as_of, unread.tags_as_of_position) == (None, None)


def test_pages_hold_every_task_once_while_others_are_submitted(harness: EngineHarness) -> None:
    client = harness.open(flow, roles=())
    known = [task.id for task in client.submit_many(flow, [{}] * 7)]
    page, found = client.tasks(limit=3), list[UUID]()

    while True:
        found += ids(page)
        if page.next is None:
            break
        client.submit(flow, {})
        page = client.tasks(limit=3, after=page.next)

    assert len(found) == 7
    assert set(found) == set(known)
    assert len(client.tasks()) == 7 + 2
    assert client.tasks(limit=9).next is None


def test_who_submitted_it_finds_a_task_before_any_coordinator_does(harness: EngineHarness) -> None:
    client = harness.open(flow, roles=())
    fresh = client.submit(flow, {}, correlation_id="c")
    with harness.connect() as connection:
        left = client.submit(flow, {}, connection=connection)
        connection.commit()

    found = client.tasks(states=["submitted"], namespace="shop", template="flow")

    assert set(ids(found)) == {fresh.id, left.id}
    assert ids(client.tasks(correlation_id="c")) == [fresh.id]
    assert len(client.tasks(states=["pending"])) == 0


def test_a_parked_task_is_found_whether_it_was_taken_on_or_not(harness: EngineHarness) -> None:
    client = harness.open(flow, roles=())
    task = client.submit(flow, {})
    harness.rows("update flowledger.shard set position = flowledger.last_position()")
    park = (
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'x', now(), now())"
    )
    harness.rows(park, task.id)

    (told,) = client.tasks(parked=True)

    assert (told.id, told.state, told.parked, told.template) == (
        *(task.id, TaskState.SUBMITTED, True),
        "flow",
    )


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no state": ({"states": ["eror"]}, "tasks: 'eror' is no state of a task; did you mean 'error'"),
    "a state alone": ({"states": "error"}, "tasks: states should be a list of states, got 'error'"),
    "no states": ({"states": []}, "tasks: states should name one state at least"),
    "a number for a state": ({"states": [7]}, "tasks: 7 is no state of a task: expected submitted"),
    "a template alone": ({"template": "x"}, "tasks: template is of a namespace, which should be"),
    "a version alone": ({"version": "1"}, "tasks: version is of a template, which should be given"),
    "a null character": ({"namespace": "a\0"}, "tasks: namespace should be text that Postgres can"),
    "half of a pair": ({"correlation_id": "\ud800"}, "tasks: correlation_id should be text that"),
    "nothing": ({"namespace": " "}, "tasks: namespace must say something visible"),
    "a number": ({"namespace": 7}, "tasks: namespace should be a string, got int"),
    "a long text": ({"correlation_id": "x" * 2000}, "correlation_id should have 1 to 1000 bytes"),
    "a tag alone": ({"tags": "vip"}, "tasks: tags should be a list of strings, got 'vip'"),
    "a bad tag": ({"tags": ["\0"]}, "tasks: a tag should be text that Postgres can store"),
    "many tags": ({"tags": map(str, range(MOST_TAGS + 1))}, "tasks: tags should be 100 at most"),
    "a time without a zone": (
        {"created_after": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is refused
        "tasks: created_after should be a datetime with a time zone",
    ),
    "no time": ({"created_before": "now"}, "tasks: created_before should be a datetime with"),
    "times the wrong way round": (
        {"created_after": NOON, "created_before": NOON},
        "should be later than created_after",
    ),
    "a word for a flag": ({"paused": "no"}, "tasks: paused should be True, False or None"),
    "a number for a flag": ({"parked": 1}, "tasks: parked should be True, False or None, got 1"),
    "no limit": ({"limit": 0}, f"tasks: limit should be a whole number from 1 to {MOST_TASKS}"),
    "a large limit": ({"limit": MOST_TASKS + 1}, "tasks: limit should be a whole number from 1"),
    "a flag for a limit": ({"limit": True}, "tasks: limit should be a whole number from 1"),
    "no page": ({"after": "AAAA"}, "tasks: after should be what a page of tasks has named"),
    "an empty page": ({"after": ""}, "tasks: after should be what a page of tasks has named"),
    "an odd page": ({"after": "é"}, "tasks: after should be what a page of tasks has named"),
    "an id for a page": ({"after": UUID(int=0)}, "tasks: after should be what a page of tasks"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked_is_refused_in_one_sentence(engine: Engine, name: str) -> None:
    given, said = BAD[name]

    with pytest.raises(InvalidRequest) as refused:
        engine.tasks(**given)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_filter_that_there_is_not_is_an_error_of_the_program(engine: Engine) -> None:
    misspelt: Any = {"state": ["error"]}

    with pytest.raises(TypeError, match="has no option 'state'; did you mean 'states'"):
        engine.tasks(**misspelt)


def test_an_event_loop_lists_the_same(harness: EngineHarness) -> None:
    client = harness.open(flow, roles=())
    client.submit_many(flow, [{}] * 3)

    async def pages() -> list[TaskPage]:
        asynchronous = AsyncEngine(client)
        first = await asynchronous.tasks(limit=2, namespace="shop")
        return [first, await asynchronous.tasks(limit=2, after=first.next, namespace="shop")]

    first, second = asyncio.run(pages())

    assert [*first, *second] == [*client.tasks()]
