"""Rows of odd names, ids and numbers: each is named and mended, or left, and hinders no other."""

from __future__ import annotations

import pytest

from flowledger.handlers import Workflow
from support.tampered_database import TamperedDatabase

WHY = {"actor": "ann", "reason": "ticket 7"}
NAMES = {
    "none": "",
    "blank": " ",
    "a task's": "task",
    "the word that stands for a step": "step 'first'",
    "control characters": "\x1b[2J\n\x7f",
    "quotes": "'\"\\",
}
STEP = (
    "insert into flowledger.step (task_id, step, state, attempt, stream_version)"
    " values (%s, %s, 'enqueued', 0, 1)"
)
BESIDE = "overlay(%s::text placing '8' from 15)::uuid"
"""An id in the task's range that none of its steps has."""

WORK = {
    "timer": "insert into flowledger.timer (step_id, task_id, step, kind, due_at)"  # noqa: S608
    f" values ({BESIDE}, %s, %s, 'retry', now() + interval '1 day')",
    "queue": "insert into flowledger.queue"  # noqa: S608
    " (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step)"
    f" select {BESIDE}, %s, template_id, 1, 0, 1, 0, %s from flowledger.template",
}


another = Workflow("shop", "another", version="1")


@another.step
def only() -> int:
    """Complete."""
    return 1


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_a_step_of_any_name_is_mended(standing: TamperedDatabase, name: str) -> None:
    standing.harness.rows(STEP, standing.names["one"], NAMES[name])

    done = standing.engine.repair(**WHY)

    assert f"step {NAMES[name]!r}" in {found.subject for found in done.repaired}
    assert (done.left, standing.differences()) == ([], [])


@pytest.mark.parametrize("relation", WORK)
@pytest.mark.parametrize("name", NAMES)
def test_work_of_a_step_of_any_name_is_mended(
    standing: TamperedDatabase, relation: str, name: str
) -> None:
    one = standing.names["one"]
    standing.harness.rows(WORK[relation], one, one, NAMES[name])

    done = standing.engine.repair(one, **WHY)

    assert [found.subject for found in done.repaired] == [f"step {NAMES[name]!r}"]
    assert (done.left, standing.differences()) == ([], [])


def test_a_row_of_a_template_that_has_anothers_name_is_left_and_the_rest_is_mended(
    standing: TamperedDatabase,
) -> None:
    standing.harness.open(another, roles=()).submit(another, {})
    standing.plant(
        "update flowledger.template set template_id = '{nobody}' where name = 'order';"
        "update flowledger.template set paused = true where name = 'another';"
        "update flowledger.circuit set state = 'open', failures = 0;"
        "update flowledger.task set priority = 7 where task_id = '{one}'"
    )

    done = standing.engine.repair(**WHY)

    others = {"circuit 'bank'", "task", f"template {another.template.template_id}"}
    assert others <= {found.subject for found in done.repaired}
    template = f"template {standing.names['template']}"
    (why,) = {left.why for left in done.left if left.difference.subject == template}
    assert "another row has its place" in why
    assert "(namespace, name, version)=(shop, order, 1)" in why
    assert {one.subject.split(",")[0] for one in standing.differences()} == {
        template,
        f"template {standing.names['nobody']}",
    }


@pytest.mark.parametrize("number", [-1, -7, -32768, 5, 32767])
def test_a_step_of_a_template_of_any_number_is_mended(
    standing: TamperedDatabase, number: int
) -> None:
    standing.harness.rows(
        "update flowledger.template_step set number = %s where step = 'last'", number
    )

    done = standing.engine.repair(**WHY)

    template = f"template {standing.names['template']}, step"
    assert {found.subject for found in done.repaired} == {f"{template} {number}", f"{template} 4"}
    assert (done.left, standing.differences()) == ([], [])


HELD = {
    "another limit": ("limit_key = 'step:shop/order/first'", "hold"),
    "no limit": ("limit_key = ''", "hold"),
    "another kind": ("kind = 'rate'", "hold"),
    "a circuit": ("kind = 'circuit', limit_key = 'bank'", "hold"),
    "before its turn": ("sort_key = -1", "sort_key"),
    "behind its turn": ("sort_key = sort_key + 7000", "sort_key"),
    "since before its task": ("since = since - interval '1 day'", "since"),
    "since what is to come": ("since = since + interval '1 day'", "since"),
    "until a time that no slot has": ("until = since", "until"),
}


@pytest.mark.parametrize("case", HELD)
def test_a_step_that_is_said_to_wait_for_another_thing_is_named_and_mended(
    standing: TamperedDatabase, case: str
) -> None:
    change, field = HELD[case]
    standing.plant(f"update flowledger.waiting_step set {change}")  # noqa: S608

    found = standing.differences()
    done = standing.engine.repair(standing.names["two"], **WHY)

    assert [(one.subject, one.field, one.place) for one in found] == [
        ("step 'runs'", field, "flowledger.waiting_step")
    ]
    assert done.repaired == found
    assert standing.differences() == []


@pytest.mark.parametrize("key", ["", "k"])
def test_a_rate_of_another_key_is_no_difference_and_forgotten_with_its_time(
    standing: TamperedDatabase, key: str
) -> None:
    """The log has no rates: they are kept for as long as they hold somebody back."""
    standing.harness.rows(
        "insert into flowledger.rate (limit_key, expected_at, set_at)"
        " values (%s, flowledger.clock() + interval '1 minute', flowledger.clock())",
        key,
    )
    assert standing.differences() == []

    standing.harness.move_clock("3 minutes")
    standing.harness.rows("select flowledger.forget_rates()")

    assert standing.harness.value("select count(*) from flowledger.rate") == 0
