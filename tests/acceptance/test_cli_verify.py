"""`flowledger verify` prints a line for each difference, a summary, and exits by what it found."""

from __future__ import annotations

import psycopg
import pytest

from support.cli import Command

FILE = """namespace: shop
name: order
version: "1"
steps:
- name: charge
- name: ship
  dependencies: [charge]
"""
HANDLERS = """def charge(context: dict) -> int:
    return context["cents"]


def ship(charge: int) -> str:
    return f"shipped for {charge}"
"""


@pytest.fixture
def task(command: Command) -> str:
    """The id of a task that has just completed."""
    command.write("hands.py", HANDLERS)
    order = command.write("order.yaml", FILE)
    arguments = ("--handlers", "hands", "--context", '{"cents": 5}', "--json")
    return str(command("run", order, *arguments).value["task"])


def execute(command: Command, statement: str) -> None:
    with psycopg.connect(command.environment["FLOWLEDGER_DATABASE__URL"]) as connection:
        connection.execute(statement.encode())


def test_it_says_that_nothing_differs(command: Command, task: str) -> None:
    for arguments in ([task], ["--all"]):
        done = command("verify", *arguments)

        assert (done.code, done.error) == (0, "")
        assert done.out.startswith("1 task with 9 events in ")
        assert done.out.endswith("tasks/s): nothing differs\n")


def test_it_names_each_difference_and_exits_with_1(command: Command, task: str) -> None:
    execute(command, "update flowledger.task set priority = 3")
    execute(command, "update flowledger.shard set position = 999")

    done = command("verify", "--all")

    assert done.code == 1
    *lines, summary = done.out.splitlines()
    assert lines[0].startswith("shard 0: position is 999 in flowledger.shard, and at most ")
    assert lines[1] == f"task {task}: priority is 3 in the row, and 0 by the log"
    assert summary.endswith("tasks/s): 2 differences")
    assert command("verify", task).out.splitlines()[:-1] == lines


def test_it_prints_an_object_a_line(command: Command, task: str) -> None:
    execute(command, "update flowledger.step set attempt = 2 where step = 'ship'")

    done = command("verify", "--all", "--json")

    difference, summary = done.lines
    assert done.code == 1
    assert difference == {
        "check": "tasks",
        "task": task,
        "subject": "step 'ship'",
        "field": "attempt",
        "log": 1,
        "row": 2,
        "place": "the row",
        "source": "the log",
    }
    assert (summary["tasks"], summary["events"], summary["differences"]) == (1, 9, 1)
    assert summary["tasks_s"] > 0


def test_it_names_the_projections_whose_code_it_does_not_have(command: Command, task: str) -> None:
    tables = "'create table {schema}.t (a int)'"
    execute(command, f"select flowledger.create_generation('spend', 1, {tables}, false, false)")
    command.write("spend.py", SPEND)

    plain, unknown = command("verify", task), command("verify", "--all", "--json").value
    command.environment["FLOWLEDGER_PROJECTIONS__CLASSES"] = "spend:Spend"
    other = command("verify", "--all")

    assert plain.code == other.code == 0
    assert plain.out.endswith(
        "nothing differs\nnot compared: projection spend, as its code is not known here"
        " (see projections.classes)\n"
    )
    assert list(unknown["not_compared"]) == ["spend"]
    assert other.out.endswith(
        "not compared: projection spend, as version 1 serves and the code here is version 2\n"
    )


SPEND = """
from flowledger.engine.events import TaskCompleted
from flowledger.projections import Cursor, Projection, on

class Spend(Projection):
    name, version, tables = "spend", 2, "create table {schema}.t (a int, b int)"

    @on(TaskCompleted)
    def ended(self, event: TaskCompleted, cursor: Cursor) -> None:
        pass
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "say which TASK, or --all of them", id="nothing"),
        pytest.param(["T", "--all"], "'T' is not the id of a task", id="no id"),
        pytest.param(
            ["019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071", "--all"], "say which TASK", id="both"
        ),
        pytest.param(
            ["019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"],
            "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071",
            id="an unknown task",
        ),
    ],
)
def test_bad_input_is_told_in_a_line(command: Command, arguments: list[str], words: str) -> None:
    done = command("verify", *arguments)

    assert (done.code, done.out) == (2, "")
    assert words in done.error
    assert done.error.count("\n") == 1
