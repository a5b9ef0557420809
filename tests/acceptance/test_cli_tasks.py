"""Submitting, looking, telling again: `submit`, `status`, `history`, `replay`, `templates`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from importlib.metadata import version
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
import pytest
import yaml

from support.cli import PROGRAM, Command, read_until

FILE = """namespace: shop
name: order
version: "1"
steps:
- name: validate
- name: charge
  dependencies: [validate]
- name: ship
  dependencies: [charge]
"""
HANDLERS = """def validate(context: dict) -> bool:
    return True


def charge(context: dict) -> int:
    return context["cents"]


def ship(charge: int) -> str:
    return f"shipped for {charge}"
"""


@pytest.fixture
def order(command: Command) -> str:
    """A file with a workflow; its handlers are in `hands`."""
    command.write("hands.py", HANDLERS)
    return command.write("order.yaml", FILE)


def run(command: Command, order: str) -> str:
    """The id of a task that has just completed."""
    arguments = ("--handlers", "hands", "--context", '{"cents": 5}', "--json")
    return str(command("run", order, *arguments).value["task"])


def execute(command: Command, statement: str) -> None:
    with psycopg.connect(command.environment["FLOWLEDGER_DATABASE__URL"]) as connection:
        connection.execute(statement.encode())


def test_history_has_an_object_a_line_for_every_event(command: Command, order: str) -> None:
    task = run(command, order)

    lines = command("history", task, "--json").lines

    assert [line["type"] for line in lines] == [
        *("TaskCreated", "TaskStarted"),
        *("StepEnqueued", "StepStarted", "StepCompleted") * 3,
        "TaskCompleted",
    ]
    assert {tuple(line) for line in lines if "step" not in line} == {
        ("position", "recorded_at", "type", "task", "version", "actor", "writer", "data")
    }
    positions = [line["position"] for line in lines]
    assert positions == sorted(set(positions))
    assert {line["task"] for line in lines} == {task}
    charge = [line for line in lines if line.get("step") == "charge"]
    assert [line["version"] for line in charge] == [1, 2, 3]
    assert charge[2]["data"]["result"] == 5
    assert UUID(charge[2]["data"]["event_id"]).version == 7


def test_history_tells_people_position_time_stream_version_and_who(
    command: Command, order: str
) -> None:
    task = run(command, order)

    text = command("history", task).out.splitlines()

    assert text[0].split() == ["position", "time", "(UTC)", "stream", "version", "event"]
    ship = [line for line in text if " ship " in line]
    assert ship[0].endswith("1  queued for attempt 1  [coordinator]")
    assert " 2  attempt 1 started  [worker " in ship[1]
    assert ship[2].endswith('3  completed with "shipped for 5"  [worker]')


def test_a_timeline_indents_each_step_by_its_depth(command: Command, order: str) -> None:
    lines = command("history", run(command, order), "--timeline").out.splitlines()

    streams = [line.split(" ms  ")[1][:10].rstrip() for line in lines]
    assert list(dict.fromkeys(streams)) == ["task", "  validate", "    charge", "      ship"]
    assert lines[0].strip().startswith("0.0 ms  task")


def test_status_tells_where_every_step_stands(command: Command, order: str) -> None:
    task = run(command, order)

    told = command("status", task, "--json").value

    assert (told["task"], told["state"], told["template"]) == (task, "complete", "shop/order@1")
    assert told["ended_at"] > told["created_at"]
    stands = {name: (step["state"], step["attempts"]) for name, step in told["steps"].items()}
    assert stands == dict.fromkeys(("validate", "charge", "ship"), ("complete", 1))
    text = command("status", task).out
    assert "state                 complete" in text
    assert told["recommended_action"] == "finalize_task"
    assert told["completion_percentage"] == 100
    assert "  charge    complete           done, at attempt 1" in text


def test_a_replay_agrees_with_the_rows(command: Command, order: str) -> None:
    task = run(command, order)

    done = command("replay", task)
    told = command("replay", task, "--json").value

    assert done.code == 0, done.out
    assert done.out.endswith("12 events folded: the rows say the same\n")
    assert told["differences"] == []
    states = [(frame["stream"], frame["state"]) for frame in told["frames"]]
    assert states[:4] == [
        ("task", "pending"),
        ("task", "in_progress"),
        ("validate", "enqueued"),
        ("validate", "in_progress"),
    ]
    assert states[-1] == ("task", "complete")


PLANTED = {
    "update flowledger.task set state = 'error', stream_version = 9, priority = 5,"
    " ended_at = null": [
        "task: state is error in the row, and complete by the log",
        "task: stream_version is 9 in the row, and 3 by the log",
        "task: priority is 5 in the row, and 0 by the log",
        "task: ended is False in the row, and True by the log",
    ],
    "update flowledger.step set state = 'enqueued', attempt = 4 where step = 'ship'": [
        "step 'ship': state is enqueued in the row, and complete by the log",
        "step 'ship': attempt is 4 in the row, and 1 by the log",
    ],
    "update flowledger.step set due_at = '2026-01-01Z', stream_version = 2 where step = 'charge'": [
        "step 'charge': stream_version is 2 in the row, and 3 by the log",
        "step 'charge': due_at is 2026-01-01 00:00:00+00:00 in the row, and None by the log",
    ],
    "delete from flowledger.step where step = 'validate'": [
        "step 'validate': state is None in the row, and complete by the log",
    ],
    "insert into flowledger.step (task_id, step, state, attempt, stream_version)"
    " select task_id, 'refund', 'enqueued', 1, 2 from flowledger.task": [
        "step 'refund': state is enqueued in the row, and None by the log",
    ],
}


def test_a_replay_finds_every_planted_difference(command: Command, order: str) -> None:
    task = run(command, order)
    for statement in PLANTED:
        execute(command, statement)

    done = command("replay", task)

    assert done.code == 1, done.out
    assert set(chain(*PLANTED.values())) == set(done.out.splitlines()[12:-1])
    assert done.out.endswith("12 events folded: 10 differences\n")


def test_a_replay_finds_that_the_row_of_a_task_is_gone(command: Command, order: str) -> None:
    task = run(command, order)
    execute(command, "delete from flowledger.task")

    done = command("replay", task)

    assert done.code == 1
    assert "task: state is None in the row, and complete by the log" in done.out.splitlines()


def test_a_replay_tells_its_differences_as_json(command: Command, order: str) -> None:
    task = run(command, order)
    execute(command, "update flowledger.step set state = 'enqueued' where step = 'ship'")

    done = command("replay", task, "--json")

    assert done.code == 1
    assert done.value["differences"] == [
        {"subject": "step 'ship'", "field": "state", "log": "complete", "row": "enqueued"}
    ]


def test_facts_that_no_coordinator_has_seen_are_not_held_against_the_rows(
    command: Command, order: str
) -> None:
    task = command("submit", order, "--context", '{"cents": 5}').out.strip()

    done = command("replay", task)

    assert done.code == 0, done.out
    assert "1 events are behind the coordinator's position 0" in done.out
    assert command("status", task, "--json").value == {
        "task": task,
        "state": "submitted",
        "words": ["submitted; a coordinator must run to take it on"],
        "steps": {},
    }


def test_a_submitted_task_is_run_by_processes_that_start_later(
    command: Command, order: str
) -> None:
    task = command("submit", order, "--context", '{"cents": 5}').out.strip()
    coordinator = command.start("coordinator")
    worker = command.start("worker", order, "--handlers", "hands")
    read_until(coordinator, "engine.opened")
    read_until(worker, "engine.opened")

    assert read_until_complete(command, task)["state"] == "complete"

    for process, number, code in ((coordinator, signal.SIGTERM, 0), (worker, signal.SIGINT, 130)):
        process.send_signal(number)
        _, log = process.communicate(timeout=60)
        assert process.returncode == code, log
        assert "engine.closed" in log


def test_start_plays_all_roles_until_it_is_stopped(command: Command, order: str) -> None:
    started = command.start("start", order, "--handlers", "hands")
    read_until(started, "coordinator.elected")

    task = command("submit", order, "--context", '{"cents": 5}', "--json").value["task"]
    told = read_until_complete(command, task)

    assert told["state"] == "complete"
    started.terminate()
    started.communicate(timeout=60)
    assert started.returncode == 0


def read_until_complete(command: Command, task: str) -> Any:
    """Each look is a program of its own, which takes longer than the task."""
    for _ in range(20):
        told = command("status", task, "--json").value
        if told["state"] == "complete":
            return told
    return told


def test_one_key_gives_one_task(command: Command) -> None:
    path = command.write(
        "once.yaml", FILE.replace("steps:", "identity: caller_provided\nsteps:", 1)
    )
    first = command("submit", path, "--key", "a")
    again = command("submit", path, "--key", "a")
    refused = command("submit", path, "--key", "a", "--on-duplicate", "raise")
    without = command("submit", path)

    assert first.out == again.out != ""
    assert refused.code == 2
    assert first.out.strip() in refused.error
    assert without.code == 2
    assert "needs an idempotency_key" in without.error


def test_templates_are_listed_shown_and_validated(command: Command, order: str) -> None:
    run(command, order)

    listed = command("templates", "list", "--json").lines
    shown = command("templates", "show", "shop/order@1").out
    command.write("again.yaml", shown)
    checked = command("templates", "validate", "again.yaml", "--handlers", "hands", "--json").value

    assert [line["template"] for line in listed] == ["shop/order@1"]
    assert [step["name"] for step in yaml.safe_load(shown)["steps"]] == [
        "validate",
        "charge",
        "ship",
    ]
    assert checked == {
        "file": "again.yaml",
        "template": "shop/order@1",
        "steps": 3,
        "hash": listed[0]["hash"],
    }
    as_json = command("templates", "show", "shop/order@1", "--json").value
    assert as_json == json.loads(json.dumps(yaml.safe_load(shown)))
    assert command("templates", "list").out == f"shop/order@1  {listed[0]['hash']}  0 open\n"


def test_a_reader_that_leaves_early_is_no_defect(command: Command, order: str) -> None:
    task = run(command, order)
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(  # noqa: S603 - the program under test
        [*PROGRAM, "history", task],
        env=command.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out == f"flowledger {version('flowledger')}\n"
