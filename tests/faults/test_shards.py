"""Several coordinators over several shards, in processes that are stopped and killed."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom
from threading import Timer
from time import monotonic
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.errors import ShardsDiffer
from flowledger.handlers import Workflow
from support.cli import Command, command
from support.diamond_module import DIAMOND
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions
from support.manual_coordinator import row_differences
from support.started_program import StartedProgram, start_program

__all__ = ["command"]

TASKS = 300
TAKEOVER_SECONDS = 5.0

PROGRAM = """
import os
import signal
import sys
import threading
from sharded_flow import flow
from flowledger.engine import Settings
from flowledger.engine.bootstrap import open_engine

url, shards, stop_at, *roles = sys.argv[1:]
coordinator = {"shards": int(shards)}
if int(stop_at):
    coordinator["pipeline_events"] = 1_000_000  # no commit beside the loop
settings = Settings.load(
    database={"url": url, "pool_max_size": 4}, coordinator=coordinator
)

class StopsItself:
    left = int(stop_at)

    def reached(self, point):
        self.left -= point == "decided"
        if point == "decided" and self.left == 0:
            # For this thread: as the process's, another thread may take it, and this one go on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

with open_engine([flow], roles, settings, StopsItself()):
    print("ready", flush=True)
    sys.stdin.read()
"""

MODULE = f"""
from typing import Any
from flowledger.handlers import Workflow

flow = Workflow("sharded", "diamond", version="1")
{DIAMOND}"""

LED = "select shard, leader from flowledger.shard where lease_until >= flowledger.clock()"
LEADERS = (
    "select c.pid, count(s.shard) from flowledger.coordinator as c"
    " left join flowledger.shard as s"
    " on s.leader = c.coordinator_id and s.lease_until >= flowledger.clock()"
    " where c.lease_until >= flowledger.clock() group by c.pid"
)


class Processes:
    """Coordinators in processes of their own, with the settings of production."""

    def __init__(self, harness: EngineHarness, folder: Path, opened: ExitStack) -> None:
        self._harness = harness
        self._folder = folder
        self._opened = opened

    def start(self, shards: int, *roles: str, stop_at: int = 0) -> StartedProgram:
        """A process; with `stop_at` it stops itself right before so many a commit."""
        program, numbers = self._folder / "program.py", (str(shards), str(stop_at))
        asked = (str(program), self._harness.url, *numbers, *roles)
        process = start_program(asked, self._folder, os.environ, log=bool(stop_at))
        self._opened.callback(self._end, process)
        assert process.stdout.readline() == "ready\n"
        return process

    def led(self) -> dict[int, int]:
        """How many shards each process leads, by its pid."""
        return dict(self._harness.rows(LEADERS))

    def until_shared(self, *counts: int) -> dict[int, int]:
        """Wait until the processes lead so many shards each."""
        self._harness.until(lambda: sorted(self.led().values()) == sorted(counts))
        return self.led()

    @staticmethod
    def deregister(process: StartedProgram) -> None:
        """Stop in order."""
        process.stdin.close()
        assert process.wait(PATIENCE) == 0

    @staticmethod
    def kill(process: StartedProgram) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    @staticmethod
    def _end(process: StartedProgram) -> None:
        process.send_signal(signal.SIGCONT)
        process.kill()
        with process:
            pass


@pytest.fixture
def processes(harness: EngineHarness, tmp_path: Path) -> Generator[Processes]:
    (tmp_path / "sharded_flow.py").write_text(MODULE)
    (tmp_path / "program.py").write_text(PROGRAM)
    with ExitStack() as opened:
        yield Processes(harness, tmp_path, opened)


@pytest.fixture
def flow(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow[Any]:
    """The workflow that the processes run, as they have it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sharded_flow", None)
    from sharded_flow import flow  # type: ignore[import-not-found]  # noqa: PLC0415

    return flow


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    return harness.open(roles=())


def submit(client: Engine, flow: Any, count: int = TASKS) -> list[TaskHandle]:
    return client.submit_many(flow, [{"number": number} for number in range(count)])


def assert_all_complete_once(harness: EngineHarness, flow: Any, tasks: list[TaskHandle]) -> None:
    for number, task in enumerate(tasks):
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert task.result()["join"] == (number + 1) * (number + 2)
    for task in tasks:
        assert_legal_order(task.history(), flow.template)
    counts = completions(harness)
    assert len(counts) == len(tasks) * 4
    assert set(counts.values()) == {1}
    with engine_pool(harness.url, harness.settings()) as pool:
        assert [row_differences(pool, task.id, flow) for task in tasks] == [[]] * len(tasks)


def test_three_processes_over_four_shards_run_everything_once(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    for _ in range(3):
        processes.start(4, "coordinator", "worker")
    processes.until_shared(2, 1, 1)

    tasks = submit(client, flow)

    assert_all_complete_once(harness, flow, tasks)
    assert Counter(shard_of(task.id, 4) for task in tasks).keys() == set(range(4))
    assert len(harness.rows("select distinct leader from flowledger.shard")) == 3


def test_after_one_of_the_leaders_is_killed_its_shards_are_led_by_others_in_time(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    coordinators = [processes.start(4, "coordinator") for _ in range(3)]
    processes.start(4, "worker")
    led = processes.until_shared(2, 1, 1)
    victim = SystemRandom().choice(coordinators)
    (lost,) = harness.rows(
        "select array_agg(shard) from flowledger.shard join flowledger.coordinator"
        " on leader = coordinator_id where pid = %s",
        victim.pid,
    )
    tasks = submit(client, flow)
    harness.until(lambda: len(completions(harness)) >= 100)

    processes.kill(victim)
    seconds = seconds_until_led_by_others(harness, lost[0])

    assert len(lost[0]) == led[victim.pid]
    assert seconds < TAKEOVER_SECONDS
    print(f"takeover of shards {lost[0]}: {seconds:.2f} s")  # noqa: T201 - shown with pytest -s
    assert_all_complete_once(harness, flow, tasks)
    processes.until_shared(2, 2)


def seconds_until_led_by_others(harness: EngineHarness, shards: list[int]) -> float:
    """Measured from now on, until each of the shards has a new epoch and a lease."""
    since = monotonic()
    before = dict(harness.rows("select shard, leader from flowledger.shard"))
    harness.until(
        lambda: all(
            shard in (led := dict(harness.rows(LED))) and led[shard] != before[shard]
            for shard in shards
        )
    )
    return monotonic() - since


def test_a_leader_that_stops_in_order_hands_over_at_once(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    first = processes.start(4, "coordinator")
    processes.until_shared(4)
    processes.start(4, "coordinator")
    processes.until_shared(2, 2)

    processes.deregister(first)
    since = monotonic()
    processes.until_shared(4)

    assert monotonic() - since < 2.0, "it waited for the leases to run out"
    processes.start(4, "worker")
    assert_all_complete_once(harness, flow, submit(client, flow, 20))


def test_one_that_was_stopped_between_deciding_and_committing_stores_nothing_when_it_wakes_up(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    sleeper = processes.start(1, "coordinator", stop_at=4)
    processes.start(1, "worker")
    tasks = submit(client, flow)
    sleeper.until_stopped(PATIENCE)
    (before,) = harness.rows("select epoch, position from flowledger.shard")
    processes.start(1, "coordinator")
    assert_all_complete_once(harness, flow, tasks)
    (after,) = harness.rows("select epoch, position from flowledger.shard")
    assert (after[0], after[1] > before[1]) == (before[0] + 1, True)
    events = "select count(*), max(notification_id) from flowledger.event"
    stored = harness.rows(events)

    sleeper.send_signal(signal.SIGCONT)

    patience = Timer(PATIENCE, sleeper.kill)
    patience.start()
    assert any("coordinator.lost" in line for line in sleeper.stderr), "it ended in silence"
    patience.cancel()
    assert harness.rows(events) == stored
    assert harness.rows("select epoch, position from flowledger.shard") == [after]
    assert_all_complete_once(harness, flow, tasks)


def test_of_two_processes_over_one_shard_one_leads_and_the_other_does_not_ask(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    processes.start(1, "coordinator", "worker")
    processes.until_shared(1)
    processes.start(1, "coordinator", "worker")
    processes.until_shared(1, 0)

    assert_all_complete_once(harness, flow, submit(client, flow))

    assert harness.value("select epoch from flowledger.shard") == 1


def test_a_new_process_gets_its_share_while_tasks_run(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    processes.start(4, "coordinator", "worker")
    processes.until_shared(4)
    tasks = submit(client, flow)
    harness.until(lambda: len(completions(harness)) >= 50)

    processes.start(4, "coordinator")

    processes.until_shared(2, 2)
    processes.start(4, "coordinator")
    processes.until_shared(2, 1, 1)
    assert_all_complete_once(harness, flow, tasks)


def test_the_number_of_shards_is_changed_while_the_processes_run(
    harness: EngineHarness, client: Engine, flow: Any, command: Command
) -> None:
    engines = [harness.open(flow, roles=roles) for roles in (["coordinator"], ["coordinator"])]
    harness.open(flow, roles=["worker"])
    before = submit(client, flow, 20)
    assert_all_complete_once(harness, flow, before)

    told = resized(harness, command, 3)

    assert [line["shard"] for line in told] == [0, 1, 2]
    harness.until(
        lambda: sorted(Counter(leader for _, leader in harness.rows(LED)).values()) == [1, 2]
    )
    after = submit(client, flow, 20)
    for tasks in (before, after):
        assert [task.wait(PATIENCE) for task in tasks] == [TaskState.COMPLETE] * 20
    assert set(completions(harness).values()) == {1}

    for engine in engines:
        engine.close()
    submit(client, flow, 1)
    refused = command("db", "shards", "2", "--reason", "load")
    assert refused.code == 2
    assert "has facts that are not decided on" in refused.error
    assert [line["shards"] for line in command("db", "shards", "--json").lines] == [3, 3, 3]


def resized(harness: EngineHarness, command: Command, number: int) -> list[Any]:
    """What is printed once the last facts are decided on."""
    harness.until(lambda: command("db", "shards", str(number), "--reason", "load").code == 0)
    return command("db", "shards", "--json").lines


def test_a_process_that_expects_another_number_of_shards_is_refused(
    harness: EngineHarness, flow: Any
) -> None:
    harness.open(flow, coordinator={"shards": 3}).close()
    harness.open(flow, coordinator={"shards": 3}).close()
    harness.open(flow).close()

    with pytest.raises(ShardsDiffer, match=r"has 3 shard.*says 2"):
        harness.open(flow, coordinator={"shards": 2})
