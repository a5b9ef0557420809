"""`flowledger start --processes`: several processes play all roles, and one sees to them."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowledger.engine import TaskState
from flowledger.engine.cli.options import system_user
from support.cli import PATIENCE, Command, read_until
from support.engines import EngineHarness, kinds
from support.started_program import StartedProgram
from support.supervised import MODULE, Supervised, supervised

__all__ = ["supervised"]

SHARDS = "select count(*) from flowledger.shard"
CHANGES = "select count(*) from flowledger.event where topic = 'shards.changed'"


def children(process: StartedProgram) -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children()}


def end(descriptor: int) -> None:
    """Kill a process that is left."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)


def line_of(process: StartedProgram, word: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_until(process, word))
    return found


def test_two_processes_lead_a_shard_each_and_run_steps(supervised: Supervised) -> None:
    process = supervised.start()

    leaders = supervised.until_led(1, 1)

    assert set(leaders) == children(process)
    tasks = [supervised.submit(name) for name in ("first", "second")]
    ran = {supervised.until_entered(name) for name in ("first", "second")}
    assert ran == set(leaders)
    for name in ("first", "second"):
        supervised.release(name)
    assert {task.result(PATIENCE)["held"] for task in tasks} == ran


def test_a_killed_process_is_followed_by_another_and_what_it_ran_is_finished(
    supervised: Supervised,
) -> None:
    process = supervised.start()
    supervised.until_led(1, 1)
    task = supervised.submit("first")
    killed = supervised.until_entered("first")

    (supervised.command.folder / "first.entered").unlink()
    os.kill(killed, signal.SIGKILL)

    told = line_of(process, "program.process_ended")
    assert (told["level"], told["pid"], told["signal"]) == ("warning", killed, "SIGKILL")
    assert supervised.until_entered("first") != killed
    supervised.release("first")
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    leaders = supervised.until_led(1, 1)
    assert set(leaders) == children(process)
    assert killed not in leaders


@pytest.mark.long
def test_a_process_that_ends_again_and_again_is_followed_more_and_more_slowly(
    supervised: Supervised,
) -> None:
    supervised.command.write("ends", "")
    process = supervised.start()

    first = line_of(process, "program.process_ended")
    pauses = [first["seconds"]]
    while pauses[-1] <= 1.0:
        pauses.append(line_of(process, "program.process_ended")["seconds"])

    assert first["code"] == 7
    assert first["seconds"] <= 0.5
    (supervised.command.folder / "ends").unlink()
    supervised.until_led(1, 1)


def test_sigterm_ends_all_in_order(supervised: Supervised) -> None:
    process = supervised.start()
    supervised.until_led(1, 1)
    task = supervised.submit("first")
    supervised.until_entered("first")
    started = children(process)

    process.terminate()
    read_until(process, "worker.stopping")
    supervised.release("first")

    # All that write there have ended when it ends.
    _, log = process.communicate(PATIENCE)
    assert process.returncode == 0
    assert log.count("engine.closed") == 2
    assert "program.process_ended" not in log
    assert not any(map(psutil.pid_exists, started))
    assert kinds(task.history(), "held") == ["StepEnqueued", "StepStarted", "StepCompleted"]


def test_a_process_that_its_service_manager_asks_to_stop_as_well_has_its_grace(
    supervised: Supervised,
) -> None:
    supervised.command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "60"
    process = supervised.start()
    supervised.until_led(1, 1)
    task = supervised.submit("first")
    os.kill(supervised.until_entered("first"), signal.SIGTERM)
    read_until(process, "worker.stopping")

    process.send_signal(signal.SIGINT)
    read_until(process, "waiting for the processes")
    read_until(process, "engine.closed")
    supervised.release("first")

    process.communicate(PATIENCE)
    assert kinds(task.history(), "held") == ["StepEnqueued", "StepStarted", "StepCompleted"]


def test_a_step_that_outlasts_the_grace_is_handed_back(supervised: Supervised) -> None:
    process = supervised.start()
    task = supervised.submit("first")
    supervised.until_entered("first")

    process.send_signal(signal.SIGHUP)

    process.communicate(PATIENCE)
    assert process.returncode == 0
    assert kinds(task.history(), "held")[:3] == ["StepEnqueued", "StepStarted", "StepReleased"]


def test_ctrl_c_says_what_is_waited_for_and_a_second_one_ends_all_at_once(
    supervised: Supervised,
) -> None:
    supervised.command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "600"
    process = supervised.start()
    supervised.submit("first")
    supervised.until_entered("first")

    process.send_signal(signal.SIGINT)

    assert read_until(process, "waiting") == (
        "waiting for the processes, at most 607 s; press Ctrl-C again to end at once\n"
    )
    read_until(process, "worker.stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(PATIENCE)
    assert process.returncode == -signal.SIGINT


def test_after_ctrl_c_the_exit_code_is_that_of_ctrl_c(supervised: Supervised) -> None:
    process = supervised.start()
    supervised.until_led(1, 1)

    process.send_signal(signal.SIGINT)

    process.communicate(PATIENCE)
    assert process.returncode == 130


@pytest.mark.long
def test_a_process_that_does_not_stop_in_its_time_is_killed(supervised: Supervised) -> None:
    supervised.command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "0.1"
    supervised.command.environment["FLOWLEDGER_DATABASE__SHUTDOWN_TIMEOUT_SECONDS"] = "0.1"
    process = supervised.start()
    stopped = next(iter(supervised.until_led(1, 1)))
    os.kill(stopped, signal.SIGSTOP)

    process.terminate()

    process.communicate(PATIENCE)
    assert process.returncode == 0
    assert not psutil.pid_exists(stopped)


def test_none_is_left_where_the_supervisor_is_killed(supervised: Supervised) -> None:
    process = supervised.start()
    ended = [os.pidfd_open(pid) for pid in supervised.until_led(1, 1)]

    process.kill()

    for one in ended:
        try:
            assert select.select([one], [], [], PATIENCE)[0]
        finally:
            end(one)
    process.communicate(PATIENCE)
    assert process.returncode == -signal.SIGKILL


def test_the_number_of_shards_is_raised_and_recorded(supervised: Supervised) -> None:
    supervised.start(processes="3")

    supervised.until_led(1, 1, 1)

    (change,) = supervised.command("history", "--engine", "--json").lines
    assert change["type"] == "ShardsChanged"
    assert (change["data"]["before"], change["data"]["shards"]) == (1, 3)
    assert change["data"]["reason"] == "start --processes 3"
    assert change["actor"] == system_user()


def test_where_facts_are_left_it_is_raised_once_they_are_decided_on(
    supervised: Supervised, harness: EngineHarness
) -> None:
    coordinator = harness.open(roles=["coordinator"])
    harness.until(lambda: harness.value("select epoch from flowledger.shard"))
    coordinator.close()  # who never led would leave no facts to decide on
    task = supervised.submit("first")

    process = supervised.start()

    refused = line_of(process, "program.shards_refused")
    assert refused["level"] == "warning"
    assert "has facts that are not decided on" in refused["error"]
    assert refused["command"] == "flowledger db shards 2 --reason WHY"
    read_until(process, "program.shards_raised")
    supervised.until_led(1, 1)
    supervised.release("first")
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert harness.value(CHANGES) == 1


@pytest.mark.parametrize("configured", [{}, {"FLOWLEDGER_COORDINATOR__SHARDS": "3"}])
def test_more_shards_than_processes_are_left_as_they_are(
    supervised: Supervised, harness: EngineHarness, configured: dict[str, str]
) -> None:
    harness.open(roles=["coordinator"], coordinator={"shards": 3}).close()
    supervised.command.environment |= configured

    supervised.start()

    supervised.until_led(2, 1)
    assert harness.value(CHANGES) == 0


def test_as_many_shards_as_are_configured_are_left_so(supervised: Supervised) -> None:
    supervised.command.environment["FLOWLEDGER_COORDINATOR__SHARDS"] = "1"
    process = supervised.start()
    for _ in range(2):
        read_until(process, '"roles": ["coordinator", "worker"]')

    supervised.until_led(1)

    assert supervised.harness.value(SHARDS) == 1


def test_one_process_plays_the_roles_itself(supervised: Supervised) -> None:
    process = supervised.start(processes="1")

    assert list(supervised.until_led(1)) == [process.pid]
    assert children(process) == set()
    assert supervised.harness.value(SHARDS) == 1


def test_auto_is_a_process_for_each_core_that_may_be_used(supervised: Supervised) -> None:
    cores = len(os.sched_getaffinity(0))
    process = supervised.start(processes="auto")

    leaders = supervised.until_led(*[1] * cores)

    assert set(leaders) == (children(process) if cores > 1 else {process.pid})


@pytest.mark.parametrize("value", ["0", "-1", "many", "10000", "1.5", "", "9" * 5000])
def test_what_is_no_number_of_processes_is_one_error(command: Command, value: str) -> None:
    done = command("start", "shared:flow", f"--processes={value}")

    assert done.code == 2
    assert done.out == ""
    assert done.error.startswith("error: invalid value for '--processes': ")
    assert "a number from 1 to 256, or auto" in done.error or len(value) > 1000
    assert done.error.count("\n") == 1


def with_namespaces(command: Command) -> None:
    command.environment["FLOWLEDGER_WORKER__NAMESPACES"] = "others"


def with_other_shards(command: Command) -> None:
    command.environment["FLOWLEDGER_COORDINATOR__SHARDS"] = "5"


def with_database_away(command: Command) -> None:
    command.environment["FLOWLEDGER_DATABASE__URL"] = "postgresql://ada@127.0.0.1:1/x"


def with_nothing(_: Command) -> None:
    pass


@pytest.mark.parametrize(
    ("options", "given"),
    [
        pytest.param(("nobody:flow",), with_nothing, id="a target that there is not"),
        pytest.param(("--handlers=nobody",), with_nothing, id="handlers that there are not"),
        pytest.param(("--projection=nobody:Flow",), with_nothing, id="a projection"),
        pytest.param((), with_namespaces, id="other namespaces"),
        pytest.param((), with_other_shards, id="another number of shards"),
        pytest.param((), with_database_away, id="a database that is away"),
    ],
)
def test_what_one_process_refuses_is_the_same_one_error(
    command: Command,
    harness: EngineHarness,
    options: tuple[str, ...],
    given: Callable[[Command], None],
) -> None:
    harness.open(roles=["coordinator"]).close()
    command.write("shared.py", MODULE)
    given(command)
    quiet = {"FLOWLEDGER_LOGGING__LEVEL": "error"}
    command.environment |= quiet
    one = command("start", "shared:flow", *options)

    several = command("start", "shared:flow", *options, "--processes", "2")

    assert one.code == 2
    assert one.error.startswith("error: ")
    assert several == one


def test_the_processes_have_the_options_of_the_supervisor(
    supervised: Supervised, command: Command
) -> None:
    command.write(
        "hands.py", "from pathlib import Path\n\n\ndef a() -> None:\n    Path('ran').touch()\n"
    )
    command.write("models.py", PROJECTION)
    name = command.write("-w.yaml", 'namespace: n\nname: w\nversion: "1"\nsteps: [{name: a}]\n')
    process = command.start(
        *("start", "--handlers", "hands", "--projection", "models:Seen", "--time-scale", "0.5"),
        *("--processes", "2", "--wait-for-database=5", "--dev", "--", name),
    )
    read_until(process, "projection.acquired")

    submitted = command("submit", "--handlers", "hands", "--", name)

    assert submitted.code == 0, submitted.error
    supervised.harness.until(lambda: Path(command.folder, "ran").exists())


PROJECTION = """
from flowledger.engine.events import StepEvent
from flowledger.projections import Cursor, Projection, on


class Seen(Projection):
    name, version = "seen", 1
    tables = "create table {schema}.seen (step text primary key)"

    @on(StepEvent)
    def happened(self, event: StepEvent, cursor: Cursor) -> None:
        pass
"""
