"""list_tasks: the tasks that are all of what is asked for, the newest first, page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from flowledger.engine.domain.deterministic_ids import milliseconds, uuid7
from support.builders import NOON
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, task_row

SECOND = timedelta(seconds=1)


def store(connection: Connection, *rows: dict[str, Any]) -> None:
    call(connection, "upsert_tasks", rows_of(rows))


def listed(connection: Connection, limit: int = 50, **given: Any) -> list[tuple[Any, ...]]:
    """The rows of a page; arguments are given by their names, without `p_`."""
    named = [
        sql.SQL("{} => {}").format(sql.Identifier(f"p_{name}"), sql.Placeholder())
        for name in ("limit", *given)
    ]
    query = sql.SQL("select * from flowledger.list_tasks({})").format(sql.SQL(", ").join(named))
    return connection.execute(query, (limit, *given.values())).fetchall()


def ids(connection: Connection, **given: Any) -> list[UUID]:
    return [row[0] for row in listed(connection, **given)]


def task_at(seconds: int, **changed: Any) -> dict[str, Any]:
    at = NOON + seconds * SECOND
    row = task_row(uuid7(milliseconds(at), seconds), new_id(), created_at=at)
    return {**row, **changed}


def test_the_newest_tasks_come_first_and_at_most_so_many(connection: Connection) -> None:
    rows = [task_at(n) for n in (2, 1, 3)]
    store(connection, *rows)
    second, first, third = (row["task_id"] for row in rows)

    assert ids(connection) == [third, second, first]
    assert ids(connection, limit=2) == [third, second]
    told = ("shop", "order", "1", "in_progress", False, False, str(third), [])
    assert listed(connection, 1) == [(third, *told, NOON + 3 * SECOND, None)]


FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a namespace": ({"namespace": "bank"}, {"namespace": "bank"}),
    "a template": ({"template": "refund"}, {"namespace": "shop", "template": "refund"}),
    "a version": ({"version": "2"}, {"version": "2"}),
    "a state": ({"state": "error"}, {"states": ["error"]}),
    "one of two states": ({"state": "error"}, {"states": ["blocked", "error"]}),
    "an open state": ({"state": "waiting"}, {"states": ["waiting"]}),
    "an open state or one in the end": (
        {"state": "error", "ended_at": NOON},
        {"states": ["waiting", "error"]},
    ),
    "a state that most tasks have": ({"state": "complete"}, {"states": ["complete"]}),
    "paused": ({"paused": True}, {"paused": True}),
    "a correlation": ({"correlation": "7"}, {"correlation_id": "7"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_out_all_others(connection: Connection, name: str) -> None:
    changed, given = FILTERS[name]
    mine, other = task_at(1, **changed), task_at(2)
    store(connection, mine, other)

    assert ids(connection, **given) == [mine["task_id"]]


def test_filters_hold_together(connection: Connection) -> None:
    rows = [task_at(1, state="error"), task_at(2, version="2"), task_at(3, state="error")]
    store(connection, *rows, task_at(4, state="error", version="2"))

    assert len(ids(connection, states=["error"], version="2")) == 1
    assert ids(connection, states=["error"], paused=True) == []


def test_what_is_not_paused_is_asked_for_too(connection: Connection) -> None:
    rows = [task_at(1, paused=True), task_at(2)]
    store(connection, *rows)

    assert ids(connection, paused=False) == [rows[1]["task_id"]]


@pytest.mark.parametrize("written", [False, True], ids=["as now", "as in old rows"])
def test_a_task_that_nobody_named_belongs_to_itself(
    connection: Connection, *, written: bool
) -> None:
    mine, other = task_at(1), task_at(2)
    mine["correlation"] = str(mine["task_id"]) if written else None
    follower = task_at(3, correlation=str(mine["task_id"]))
    store(connection, mine, other, follower)

    assert ids(connection, correlation_id=str(mine["task_id"])) == [
        follower["task_id"],
        mine["task_id"],
    ]


def test_times_are_from_one_on_and_before_another(connection: Connection) -> None:
    rows = [task_at(n) for n in (1, 2, 3)]
    store(connection, *rows)

    found = ids(
        connection, created_from=rows[1]["created_at"], created_before=rows[2]["created_at"]
    )

    assert found == [rows[1]["task_id"]]


@pytest.mark.parametrize("parked", [True, False])
def test_parked_tasks_are_told_from_others(connection: Connection, parked: bool) -> None:
    mine, other = task_at(1), task_at(2)
    store(connection, mine, other)
    park(connection, mine["task_id"])

    (row,) = listed(connection, parked=parked)

    assert (row[0], row[6]) == ((mine if parked else other)["task_id"], parked)


def park(connection: Connection, task: UUID) -> None:
    connection.execute(
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'x', now(), now())",
        (task,),
    )


def tag(connection: Connection, task: UUID, *tags: str) -> None:
    for one in tags:
        connection.execute(
            "insert into flowledger_notes.tag (task_id, tag, namespace, template, at)"
            " values (%s, %s, 'shop', 'order', now())",
            (task, one),
        )


def test_a_task_has_all_tags_that_are_asked_for(connection: Connection) -> None:
    mine, other = task_at(1), task_at(2)
    store(connection, mine, other)
    tag(connection, mine["task_id"], "vip", "urgent")
    tag(connection, other["task_id"], "vip")

    assert ids(connection, tags=["vip", "urgent"]) == [mine["task_id"]]
    assert [row[8] for row in listed(connection, tags=["vip"])] == [["vip"], ["urgent", "vip"]]
    assert ids(connection, tags=["nobody's"]) == []


def test_pages_follow_one_another_without_gap_or_repetition(connection: Connection) -> None:
    store(connection, *[task_at(n) for n in range(9)])
    every, found = ids(connection), list[UUID]()
    after: dict[str, Any] = {}

    while page := ids(connection, limit=2, **after):
        found += page
        after = {"after": page[-1]}

    assert len(found) == 9
    assert found == every


def test_tasks_that_no_coordinator_knows_are_submitted(connection: Connection) -> None:
    known, fresh = task_at(1), uuid7(milliseconds(NOON), 7)
    store(connection, known)
    payload = (
        b'{"occurred_at":"2026-03-01T12:00:00Z","namespace":"shop","template":"order",'
        b'"version":"1","correlation_id":"c"}'
    )
    append(connection, Row(fresh, 1, "task.created", payload, fresh))

    found = listed(connection, states=["submitted"], namespace="shop")

    assert [row[:8] for row in found] == [
        (fresh, "shop", "order", "1", "submitted", False, False, "c")
    ]
    assert ids(connection, namespace="bank") == []
    assert set(ids(connection)) == {known["task_id"], fresh}


def test_a_value_is_never_part_of_the_statement(connection: Connection) -> None:
    store(connection, task_at(1))

    for name in ("namespace", "template", "version", "correlation_id"):
        assert ids(connection, **{name: "' or true --"}) == []
    assert ids(connection, tags=["' or true --"]) == []
    assert ids(connection, states=["' or true --"]) == []
