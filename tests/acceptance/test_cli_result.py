"""`flowledger result`: what the steps of a task returned."""

from __future__ import annotations

from uuid import uuid4

import pytest

from support.cli import Command

HANDLERS = """def charge(context: dict) -> int:
    return 5


def ship(charge: int) -> dict:
    if charge < 9:
        raise ValueError("not enough")
    return {}
"""
ORDER = """namespace: shop
name: order
version: "1"
steps:
- name: charge
- name: ship
  dependencies: [charge]
  retry: {max_attempts: 1}
"""


@pytest.fixture
def task(command: Command) -> str:
    """A task one step of which has a result, and the other has failed."""
    command.write("hands.py", HANDLERS)
    path = command.write("order.yaml", ORDER)
    return str(command("run", path, "--handlers", "hands", "--json").value["task"])


def test_results_are_told_of_all_steps_and_of_one(command: Command, task: str) -> None:
    one = command("result", task, "charge")

    assert command("result", task).out == "charge: 5\n"
    assert command("result", task, "--json").value == {"charge": 5}
    assert (one.code, one.out, one.error) == (0, "5\n", "")
    assert command("result", task, "charge", "--json").value == 5


def test_a_step_without_a_result_says_so(command: Command, task: str) -> None:
    missing = command("result", task, "ship")

    assert (missing.code, missing.out) == (1, "")
    assert missing.error == (
        f"step 'ship' of task {task} has no result: it is error, ValueError: not enough\n"
    )


def test_what_does_not_exist_is_bad_input(command: Command, task: str) -> None:
    step, unknown = command("result", task, "shipp"), command("result", str(uuid4()))

    assert (step.code, step.out) == (2, "")
    assert step.error == f"error: task {task} has no step 'shipp'; did you mean 'ship'?\n"
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no task" in unknown.error


def test_a_task_that_nothing_ran_of_has_no_result(command: Command) -> None:
    command.write("hands.py", HANDLERS)
    path = command.write("order.yaml", ORDER)
    task = command("submit", path, "--handlers", "hands").out.strip()

    told, step = command("result", task), command("result", task, "ship")

    assert (told.code, told.out) == (0, "no step has a result yet: the task is submitted\n")
    assert command("result", task, "--json").value == {}
    assert (step.code, step.error) == (
        1,
        f"step 'ship' of task {task} has no result: it is pending\n",
    )
