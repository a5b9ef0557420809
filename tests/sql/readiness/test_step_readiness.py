"""step_readiness: what may run next, and what keeps the rest.

That it says what the coordinator's fold says, whatever happened, is shown in tests/property.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import Any

import pytest

from flowledger.engine.domain.templates.template import StepTemplate
from support.builders import NEVER, NOON, diamond, step, template
from support.controlled_steps import begin, controlled_steps
from support.engines import harness_on
from support.sql_calls import Connection, call, now, rows_of, task_row
from support.stored_tasks import failed_at, given_task, readiness

slow = controlled_steps(
    step(
        "a",
        handler={"callable": "act"},
        retry={"backoff": "fixed", "base_seconds": 60.0, "jitter": "none"},
    ),
    step("b", "a", handler={"callable": "act"}),
)


def ready(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, row in found.items() if row["ready_for_execution"]]


def test_a_step_is_ready_when_all_its_dependencies_are_satisfied(connection: Connection) -> None:
    task = given_task(
        connection,
        diamond(),
        {"step": "start", "state": "complete", "attempt": 1},
        {"step": "left", "state": "resolved_manually"},
    )

    found = readiness(connection, task)

    assert ready(found) == ["right"]
    assert found["end"] == {
        "task_id": task,
        "step": "end",
        "current_state": "pending",
        "dependencies_satisfied": False,
        "retry_eligible": True,
        "ready_for_execution": False,
        "last_failure_at": None,
        "next_retry_at": None,
        "total_parents": 2,
        "completed_parents": 1,
        "attempts": 0,
        "max_attempts": 3,
    }
    assert found["start"]["attempts"] == 1


@pytest.mark.parametrize(("word", "expected"), [("continue", ["end"]), ("stop", [])])
def test_a_skipped_dependency_counts_as_its_template_says(
    connection: Connection, word: str, expected: list[str]
) -> None:
    flow = template(step("a", when_skipped=word), step("end", "a"))
    task = given_task(connection, flow, {"step": "a", "state": "skipped"})

    assert ready(readiness(connection, task)) == expected


def test_4_a_step_that_is_asked_for_alone_is_judged_by_all_its_dependencies(
    connection: Connection,
) -> None:
    done = [{"step": name, "state": "complete"} for name in ("start", "left", "right")]
    task = given_task(connection, diamond(), *done)

    assert ready(readiness(connection, task, ["end"])) == ["end"]
    assert readiness(connection, task, ["end", "?"]).keys() == {"end"}
    assert readiness(connection, task, []) == {}


def test_a_retry_is_ready_when_it_is_due(connection: Connection) -> None:
    due = now(connection) + timedelta(minutes=1)
    task = given_task(
        connection,
        template(step("a")),
        {"step": "a", "state": "waiting_for_retry", "attempt": 1, "due_at": due},
    )

    before = readiness(connection, task)["a"]
    call(connection, "advance_test_clock", timedelta(minutes=2))
    after = readiness(connection, task)["a"]

    assert (before["ready_for_execution"], after["ready_for_execution"]) == (False, True)
    assert (before["next_retry_at"], before["retry_eligible"]) == (due, True)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"paused": True}, id="paused"),
        pytest.param({"state": "pending"}, id="not taken on yet"),
        pytest.param({"state": "cancelled", "ended_at": NOON}, id="ended"),
    ],
)
def test_nothing_of_a_task_that_does_not_go_on_is_ready(
    connection: Connection, changed: dict[str, Any]
) -> None:
    task = given_task(connection, template(step("a")))
    assert ready(readiness(connection, task)) == ["a"]
    template_id = template(step("a")).template_id

    call(connection, "upsert_tasks", rows_of([task_row(task, template_id, **changed)]))

    found = readiness(connection, task)
    assert ready(found) == []
    assert found["a"]["dependencies_satisfied"]


def test_8_a_permanent_error_is_never_eligible_however_many_attempts_were_left(
    connection: Connection,
) -> None:
    task = given_task(
        connection,
        template(step("a"), step("b", "a")),
        {"step": "a", "state": "error", "attempt": 1},
    )
    failed_at(connection, task, "a", NOON)

    found = readiness(connection, task)

    assert (found["a"]["retry_eligible"], found["a"]["last_failure_at"]) == (False, NOON)
    assert ready(found) == []


def test_9_a_step_that_may_be_attempted_0_times_is_never_ready(connection: Connection) -> None:
    task = given_task(connection, template(step("a", retry=NEVER)))

    row = readiness(connection, task)["a"]

    assert row["dependencies_satisfied"]
    assert (row["retry_eligible"], row["ready_for_execution"], row["max_attempts"]) == (
        False,
        False,
        0,
    )


def chain(length: int) -> list[StepTemplate]:
    names = [f"s{n}" for n in range(length)]
    return [step(names[0]), *(step(name, above) for above, name in pairwise(names))]


def fan(width: int) -> list[StepTemplate]:
    middle = [f"m{n}" for n in range(width)]
    return [step("first"), *(step(name, "first") for name in middle), step("last", *middle)]


def layers(depth: int, width: int) -> list[StepTemplate]:
    rows = [[f"l{n}_{m}" for m in range(width)] for n in range(depth)]
    return [step(n) for n in rows[0]] + [step(n, *a) for a, r in pairwise(rows) for n in r]


@pytest.mark.parametrize(
    ("steps", "undone"),
    [
        pytest.param(layers(10, 4), 4, id="10 fully connected layers of 4"),
        pytest.param(fan(1_000), 1, id="1 to 1000 to 1"),
        pytest.param(chain(1_000), 1, id="a chain of 1000"),
    ],
)
def test_5_and_6_wide_and_deep_graphs_cost_what_they_are_large(
    connection: Connection, steps: list[StepTemplate], undone: int
) -> None:
    done = [{"step": s.name, "state": "complete"} for s in steps[:-undone]]
    task = given_task(connection, template(*steps), *done)
    began = monotonic()

    found = readiness(connection, task)

    assert monotonic() - began < 2
    assert ready(found) == [s.name for s in steps[-undone:]]
    assert len(found) == len(steps)


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
def test_5_the_sixth_call_of_a_prepared_statement_is_as_fast_as_the_first(
    connection: Connection, mode: str
) -> None:
    steps = layers(20, 20)
    task = given_task(connection, template(*steps), {"step": "l0_0", "state": "complete"})
    connection.execute(f"set plan_cache_mode = {mode}".encode())
    times = []
    for _ in range(12):
        began = monotonic()
        rows = connection.execute(
            "select * from flowledger_v1.step_readiness_batch(%s)", ([task],), prepare=True
        ).fetchall()
        times.append(monotonic() - began)
        assert len(rows) == len(steps)

    assert median(times[5:]) < max(10 * median(times[:5]), 0.5)


def test_a_running_engine_is_told_about_as_it_is(database: str) -> None:
    with harness_on(database) as harness:
        engine = harness.open(slow)
        began = harness.value("select flowledger.clock()")
        _, task = begin(engine, slow, fails="a")
        harness.until(
            lambda: (
                harness.value("select flowledger_v1.next_retry_at(%s, 'a')", task.id) is not None
            )
        )

        (row,) = harness.rows(
            "select ready_for_execution, attempts, last_failure_at, next_retry_at"
            " from flowledger.step_readiness(%s, array['a'])",
            task.id,
        )

        assert row[:2] == (False, 1)
        assert began <= row[2] <= harness.value("select flowledger.clock()")
        assert row[3] - row[2] >= timedelta(seconds=60)
