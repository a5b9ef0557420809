"""What operators see and do of projections on the command line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowledger.engine import Engine
from flowledger.engine.events import StepCompleted
from flowledger.handlers import Workflow
from flowledger.projections import Cursor, Projection, on
from support.cli import Command, read_until
from support.engines import EngineHarness

WHY = ("--reason", "ticket 7", "--actor", "ann")
flow = Workflow("shop", "count", version="1")


@flow.step
def one() -> int:
    return 1


class Counted(Projection):
    name, version = "counted", 1
    tables = "create table {schema}.step (task_id uuid, at bigint)"
    on_error = "park_event"
    fails = False

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        if type(self).fails:
            raise ValueError("no more room")
        cursor.execute("insert into step values (%s, %s)", (event.task_id, cursor.position))

    def forget(self, tasks: object, cursor: Cursor) -> None:
        cursor.execute("delete from step where task_id = any(%s)", (tasks,))


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the lab's database."""
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


@pytest.fixture
def engine(harness: EngineHarness) -> Engine:
    Counted.fails = False
    return harness.open(flow, projections=[Counted])


def run_one(engine: Engine) -> str:
    task = engine.submit(flow, {})
    task.wait(timeout=30)
    engine.projections.wait_for("counted", timeout=30)
    return str(task.id)


def test_the_list_has_every_projection_with_its_standing(command: Command, engine: Engine) -> None:
    run_one(engine)

    rows = {row["name"]: row for row in command("projections", "list", "--json").lines}

    assert {"counted", "step_readiness", "flowledger_history"} <= set(rows)
    assert rows["counted"]["standing"] == "caught_up"
    assert rows["counted"]["behind"] == 0
    assert rows["counted"]["healthy"] is True


def test_a_paused_projection_says_so_and_goes_on_when_it_is_resumed(
    command: Command, engine: Engine
) -> None:
    run_one(engine)

    assert command("projections", "pause", "counted", *WHY).out == "counted is paused\n"
    assert "): paused, at " in command("projections", "status", "counted").out
    assert command("projections", "resume", "counted", *WHY).out == "counted goes on\n"
    run_one(engine)


def test_a_rebuild_makes_a_generation_that_serves_in_the_end(
    command: Command, engine: Engine, harness: EngineHarness
) -> None:
    run_one(engine)

    done = command("projections", "rebuild", "counted", "--json", *WHY)
    harness.until(lambda: engine.projections.status("counted").generation == 2)

    assert done.value == {"name": "counted", "generation": 2}
    assert harness.value("select count(*) from counted.step") == 1


def test_a_rebuild_of_the_whole_is_waited_for(
    command: Command, engine: Engine, harness: EngineHarness
) -> None:
    run_one(engine)

    done = command("projections", "rebuild", "counted", "--wait", "--json", *WHY)
    told = command("projections", "rebuild", "counted", "--wait", "30", *WHY)

    built = {"name": "counted", "generation": 2, "state": "done", "tasks": 0, "error": None}
    assert (done.code, done.value) == (0, built)
    assert (told.code, told.out) == (0, "counted: generation 3: done\n")
    assert engine.projections.status("counted").generation == 3


def test_a_rebuild_that_is_not_built_within_the_time_is_exit_code_1(
    command: Command, engine: Engine
) -> None:
    run_one(engine)
    engine.projections.pause("counted", actor="ann", reason="a look")

    done = command("projections", "rebuild", "counted", "--wait", "0", *WHY)

    assert done.code == 1
    assert done.out.startswith("counted: generation 2 is to be built; see `projections status")


def test_the_rows_of_one_task_are_made_anew_in_place(
    command: Command, engine: Engine, harness: EngineHarness
) -> None:
    kept, damaged = run_one(engine), run_one(engine)
    harness.rows("update counted__1.step set at = 0")

    done = command("projections", "rebuild", "counted", "--task", damaged, "--json", *WHY)

    assert done.value["state"] == "done"
    assert done.value["tasks"] == 1
    rows = dict(harness.rows("select task_id::text, at from counted.step"))
    assert rows[kept] == 0
    assert rows[damaged] > 0


def test_the_rows_of_a_template_are_made_anew_in_place(
    command: Command, engine: Engine, harness: EngineHarness
) -> None:
    for _ in range(3):
        run_one(engine)
    harness.rows("update counted__1.step set at = 0")

    done = command("projections", "rebuild", "counted", "--template", "shop/count@1", *WHY)

    assert done.out == "counted: done, tasks rebuilt: 3\n"
    assert harness.value("select min(at) from counted.step") > 0


def test_what_was_put_aside_is_shown_retried_and_dropped(
    command: Command, engine: Engine, harness: EngineHarness
) -> None:
    Counted.fails = True
    first, second = run_one(engine), run_one(engine)
    Counted.fails = False

    shown = command("projections", "parked", "list", "counted", "--json").lines
    retried = command("projections", "parked", "retry", "counted", "--task", first, *WHY)
    harness.until(lambda: harness.value("select count(*) from counted.step") == 1)
    dropped = command("projections", "parked", "drop", "counted", "--all", *WHY)
    harness.until(lambda: not engine.projections.parked("counted"))

    assert [row["task_id"] for row in shown] == [first, second]
    assert {row["error"] for row in shown} == {"ValueError: no more room"}
    assert retried.out == "to be retried: 1; see `projections parked list counted`\n"
    assert dropped.out == "to be dropped: 1; see `projections parked list counted`\n"
    assert command("projections", "parked", "list", "counted").out == "nothing is parked\n"
    assert harness.rows("select task_id::text from counted.step") == [(first,)]


def test_one_that_nobody_runs_any_more_is_removed(command: Command, engine: Engine) -> None:
    run_one(engine)

    stays = command("projections", "remove", "counted", *WHY)
    engine.close()
    gone = command("projections", "remove", "counted", "--json", *WHY)

    assert stays.code == 2
    assert stays.error.startswith("error: projection counted stays: process ")
    assert stays.error.endswith(" runs it\n")
    assert gone.value == {"name": "counted", "removed": True}
    assert '"counted"' not in command("projections", "list", "--json").out
    assert command("projections", "remove", "counted", *WHY).code == 2


def test_what_is_not_parked_is_told(command: Command, engine: Engine) -> None:
    run_one(engine)

    retried = command("projections", "parked", "retry", "counted", "--all", *WHY)
    dropped = command("projections", "parked", "drop", "counted", "--position", "7", *WHY)

    assert (retried.code, retried.out) == (0, "nothing is parked\n")
    assert (dropped.code, dropped.out) == (1, "nothing is parked at position 7\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("status", "nobody"), "there is no projection 'nobody'"),
        (("rebuild", "nobody"), "there is no projection 'nobody'"),
        (("remove", "nobody"), "there is no projection 'nobody'"),
        (("pause", "nobody"), "there is no projection 'nobody'"),
        (("rebuild", "counted", "--task", "x"), "'x' is not the id of a task"),
        (("rebuild", "counted", "--template", "shop/cnt@1"), "did you mean 'shop/count@1'?"),
        (("parked", "retry", "counted"), "expected one of --task, --position and --all"),
    ],
)
def test_bad_input_is_refused_with_one_sentence(
    command: Command, engine: Engine, arguments: tuple[str, ...], sentence: str
) -> None:
    run_one(engine)

    why = () if arguments[0] == "status" else WHY
    done = command("projections", *arguments, *why)

    assert done.code == 2
    assert sentence in done.error
    assert "Traceback" not in done.error


def test_a_process_of_its_own_runs_projections_that_are_named(
    command: Command, harness: EngineHarness
) -> None:
    command.write("model.py", MODEL)
    command.environment["FLOWLEDGER_PROJECTIONS__BUILTIN"] = "false"
    process = command.start("projector", "model:Ends")
    read_until(process, "projection.acquired")
    with harness.open(flow, roles=("coordinator", "worker")) as engine:
        engine.submit(flow, {}).wait(timeout=30)
        engine.projections.wait_for("ends", timeout=30)

    assert harness.value("select count(*) from ends.task") == 1


def test_where_nobody_runs_one_the_command_that_health_suggests_does(
    command: Command, harness: EngineHarness
) -> None:
    with harness.open(flow, projections=[Counted]) as engine:
        task = run_one(engine)
    harness.rows("delete from flowledger.projection where name <> 'counted'")

    told = command("health", "--json").value["findings"]

    (unled,) = [one for one in told if one["kind"] == "projection_unled"]
    assert unled["command"].startswith("flowledger projector MODULE:CLASS (where counted is;")
    harness.rows("update flowledger.projection set position = 0")
    explained = command("explain", task).out
    assert "flowledger projector MODULE:CLASS (where counted is)" in explained


def write_flow(command: Command) -> str:
    """A file with a workflow, whose handler is in `hands`."""
    command.write("hands.py", "def act(context: dict) -> int:\n    return 1\n")
    steps = "steps:\n- name: act\n"
    return command.write("flow.yaml", f"namespace: shop\nname: acting\nversion: '1'\n{steps}")


def test_a_process_of_all_roles_runs_projections_that_are_named(
    command: Command, harness: EngineHarness
) -> None:
    command.write("model.py", MODEL + MODEL_AGAIN)
    file = write_flow(command)
    command.environment["FLOWLEDGER_PROJECTIONS__BUILTIN"] = "false"
    process = command.start(
        "start",
        file,
        "--handlers",
        "hands",
        "--projection",
        "model:Ends",
        "--projection",
        "model:Again",
    )
    read_until(process, "projection.acquired")
    read_until(process, "projection.acquired")
    with harness.open(roles=()) as engine:
        task = command("submit", file, "--handlers", "hands").out.strip()
        engine.task(task).wait(timeout=30)
        for name in ("ends", "ends_again"):
            engine.projections.wait_for(name, timeout=30)

    assert harness.value("select count(*) from ends.task") == 1
    assert harness.value("select count(*) from ends_again.task") == 1


def test_what_is_configured_is_found_in_the_working_directory(command: Command) -> None:
    """As a script the command has the folder of the script on its path, and not this one."""
    command.environment["PYTHONSAFEPATH"] = "1"
    command.environment["FLOWLEDGER_PROJECTIONS__CLASSES"] = "model:Ends"
    command.write("model.py", MODEL)

    done = command("verify", "--all")

    assert (done.code, done.error) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("projector", "nowhere:Nothing"),
        ("start", "flow.yaml", "--handlers", "hands", "--projection", "nowhere:Nothing"),
    ],
)
def test_a_module_that_is_not_there_is_told(command: Command, arguments: tuple[str, ...]) -> None:
    write_flow(command)

    done = command(*arguments)

    assert done.code == 2
    assert "projections.classes: 'nowhere:Nothing' cannot be imported" in done.error


MODEL = """
from flowledger.engine.events import TaskCompleted
from flowledger.projections import Cursor, Projection, on

class Ends(Projection):
    name, version = "ends", 1
    tables = "create table {schema}.task (id uuid)"

    @on(TaskCompleted)
    def ended(self, event: TaskCompleted, cursor: Cursor) -> None:
        cursor.execute("insert into task values (%s)", (event.task_id,))
"""
MODEL_AGAIN = """
class Again(Ends):
    name = "ends_again"
"""
