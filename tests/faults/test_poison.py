"""Handlers that do their worst: the engine goes on, and so do the steps beside them.

All of it runs in `flowledger worker`, started anew whenever a handler has taken it down, as whoever
supervises processes would. Every step may fail once at most, so that nothing is hidden by a retry.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest
from click.testing import CliRunner

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.cli.commands.task_inspection import history, status
from flowledger.engine.events.step import StepAttemptFailed, StepFailed
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness, completions, kinds, of_kind

NEIGHBOURS = 12
LONG = PATIENCE / 2

MODULE = """
import os
import sys
import threading
from typing import Any

import psycopg
from flowledger.handlers import Retry, StepContext, Workflow

ONCE = Retry(max_attempts=1)
flow = Workflow("poison", "flow", version="1")
beside = Workflow("poison", "beside", version="1")
stuck = Workflow("poison", "stuck", version="1")


class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit("not even this")


def exits():
    os._exit(3)


def asks_to_exit():
    sys.exit("enough")


def interrupts():
    raise KeyboardInterrupt


def exhausts_memory():
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + 64_000_000, hard))
    try:
        hoard = []
        while True:
            hoard.append(bytearray(8_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def returns_too_much():
    return "x" * 50_000_000


def returns_no_json():
    return {"lock": threading.Lock()}


def recurses():
    return recurses()


def is_unspeakable():
    raise Unspeakable


def deletes_its_row():
    with psycopg.connect(os.environ["FLOWLEDGER_DATABASE__URL"], autocommit=True) as own:
        own.execute("delete from flowledger.queue where worker_id is not null")
    return "done"


def closes_its_output():
    sys.stdout.close()
    sys.stderr.close()
    raise ValueError("nobody can read this line")


def starts_threads():
    for _ in range(20):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    raise ValueError("they go on")


@flow.step(retry=ONCE)
def poison(context: dict[str, Any]) -> Any:
    return globals()[context["how"]]()


@beside.step(retry=ONCE)
def works() -> str:
    threading.Event().wait(0.2)
    return "worked"


@stuck.step(retry=ONCE, timeout=0.5)
def blocks() -> None:
    threading.Event().wait()
"""

SETTINGS = {
    "FLOWLEDGER_WORKER__LEASE_SECONDS": "1.5",
    "FLOWLEDGER_WORKER__LEASE_MARGIN_SECONDS": "0.2",
    "FLOWLEDGER_WORKER__POLL_SECONDS": "0.2",
    "FLOWLEDGER_WORKER__HEARTBEAT_SECONDS": "0.2",
    "FLOWLEDGER_WORKER__GRACE_SECONDS": "0.5",
    "FLOWLEDGER_LOGGING__FORMAT": "json",
}
PERMANENT = {"returns_too_much": "worker.max_result_bytes", "returns_no_json": "result.lock"}
TOLD = {
    **PERMANENT,
    "asks_to_exit": "enough",
    "interrupts": "KeyboardInterrupt",
    "exhausts_memory": "MemoryError",
    "recurses": "maximum recursion depth",
    "is_unspeakable": "Unspeakable",
    "closes_its_output": "nobody can read this line",
    "starts_threads": "they go on",
}


class Supervisor:
    """Keeps one `flowledger worker` alive until the end of the test; `lines` is what it logged."""

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        self._folder = folder
        self._environment = {
            **os.environ, **SETTINGS, **settings,
            "FLOWLEDGER_DATABASE__URL": url, "PYTHONPATH": str(folder),
        }  # fmt: skip
        self.codes: list[int] = []
        self.lines: list[dict[str, Any]] = []
        self._ending = Event()
        self._process = self._start()
        self._thread = Thread(target=self._supervise, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process that runs at present."""
        return self._process.pid

    def end(self) -> None:
        self._ending.set()
        self._process.kill()
        self._thread.join(PATIENCE)

    def _start(self) -> subprocess.Popen[str]:
        targets = [f"poison_flow:{name}" for name in ("flow", "beside", "stuck")]
        return subprocess.Popen(  # noqa: S603 - the program under test
            [sys.executable, "-m", "flowledger.engine.cli", "worker", *targets],
            cwd=self._folder,
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _supervise(self) -> None:
        while not self._ending.is_set():
            with self._process as process:
                assert process.stderr
                for line in process.stderr:
                    if line.startswith("{"):
                        self.lines.append(json.loads(line))
                self.codes.append(process.wait())
            if not self._ending.is_set():
                self._process = self._start()


@pytest.fixture
def poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "poison_flow.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("poison_flow", None)
    import poison_flow  # type: ignore[import-not-found]  # noqa: PLC0415

    return poison_flow


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    coordinator = {**SHORT_LEASES["coordinator"], "max_lost_leases": 1}
    return harness.open(roles=["coordinator"], coordinator=coordinator)


@pytest.fixture
def supervised(harness: EngineHarness, poison: Any, tmp_path: Path) -> Generator[Supervisor]:
    with ExitStack() as opened:
        supervisor = Supervisor(tmp_path, harness.url)
        opened.callback(supervisor.end)
        yield supervisor


def said(harness: EngineHarness, task: TaskHandle, step: str) -> tuple[str, str]:
    """What `flowledger status` says of the step, and `flowledger history` of all that happened."""
    environment = {"FLOWLEDGER_DATABASE__URL": harness.url}
    stands, happened = (
        CliRunner().invoke(command, [str(task.id)], env=environment, catch_exceptions=False).output
        for command in (status, history)
    )
    (line,) = [line for line in stands.splitlines() if line.startswith(f"  {step} ")]
    return line, happened


def test_whatever_a_handler_does_to_its_process_it_ends_in_a_clear_error(
    client: Engine, supervised: Supervisor, poison: Any, harness: EngineHarness
) -> None:
    """One process survives all of it, and runs a step as if nothing had happened afterwards.

    The limit of memory is the whole process's, so that handler is alone while it is at it.
    """
    client.submit(poison.beside, {}).result(LONG)
    process = supervised.pid
    exhausts = client.submit(poison.flow, {"how": "exhausts_memory"})
    exhausts.wait(LONG)
    others = [how for how in TOLD if how != "exhausts_memory"]
    tasks = {how: client.submit(poison.flow, {"how": how}) for how in others}
    tasks["exhausts_memory"] = exhausts
    neighbours = client.submit_many(poison.beside, [{}] * NEIGHBOURS)

    for how, task in tasks.items():
        assert task.wait(LONG) is TaskState.ERROR, how
        (failed,) = of_kind(task.history(), StepAttemptFailed)
        error = f"{failed.error.error_class}: {failed.error.message}"
        assert TOLD[how] in error
        stands, happened = said(harness, task, "poison")
        assert "given up (" in stands
        assert TOLD[how] in stands
        assert f"attempt 1 failed: {failed.error.error_class}" in happened
        assert "failed, as these ended in error: poison" in happened
        assert failed.error.retryable is (how not in {*PERMANENT, "recurses", "closes_its_output",
                                                      "starts_threads"})  # fmt: skip
    for task in [*neighbours, client.submit(poison.beside, {})]:
        assert task.result(LONG) == {"works": "worked"}
    assert (supervised.pid, supervised.codes) == (process, [])


def test_a_handler_that_deletes_its_row_in_the_queue_harms_nobody(
    client: Engine, supervised: Supervisor, poison: Any, harness: EngineHarness
) -> None:
    tasks = client.submit_many(poison.flow, [{"how": "deletes_its_row"}] * 3)
    neighbours = client.submit_many(poison.beside, [{}] * NEIGHBOURS)

    for task in tasks:
        assert task.result(LONG) == {"poison": "done"}
        assert "complete" in said(harness, task, "poison")[0]
    for task in neighbours:
        assert task.result(LONG) == {"works": "worked"}
    assert set(completions(harness).values()) == {1}


def test_a_handler_that_kills_its_process_is_found_out_and_nobody_beside_it_is_suspected(
    client: Engine, supervised: Supervisor, poison: Any, harness: EngineHarness
) -> None:
    """Two lost workers condemn a step: the second was lost to the culprit alone."""
    client.submit(poison.beside, {}).result(LONG)
    neighbours = client.submit_many(poison.beside, [{}] * NEIGHBOURS)
    culprit = client.submit(poison.flow, {"how": "exits"})

    assert culprit.wait(LONG) is TaskState.ERROR
    for task in neighbours:
        assert task.result(LONG) == {"works": "worked"}
    (errored,) = of_kind(culprit.history(), StepFailed)
    assert (errored.reason, errored.message) == (
        "lost_leases", "2 workers went silent while they ran it",
    )  # fmt: skip
    assert kinds(culprit.history(), "poison").count("StepLeaseExpired") == 2
    stands, happened = said(harness, culprit, "poison")
    assert "given up (lost leases): 2 workers went silent while they ran it" in stands
    assert happened.count("lost: its worker went silent") == 2
    lost = [kinds(task.history(), "works").count("StepLeaseExpired") for task in neighbours]
    assert max(lost) == 1, "nobody was beside the culprit, which then tells nothing"
    assert supervised.codes == [3, 3]
    assert harness.value("select count(*) from flowledger.queue") == 0


def test_a_worker_that_abandoned_handlers_wear_out_starts_itself_anew(
    client: Engine, harness: EngineHarness, poison: Any, tmp_path: Path
) -> None:
    """Two of four places are taken by handlers that block for ever; the process stays the same."""
    supervisor = Supervisor(tmp_path, harness.url, FLOWLEDGER_WORKER__CONCURRENCY="4")
    try:
        blocked = client.submit_many(poison.stuck, [{}] * 2)
        for task in blocked:
            assert task.wait(LONG) is TaskState.ERROR
            (errored,) = of_kind(task.history(), StepFailed)
            assert errored.message == "failed 1 of 1 times: ran longer than 0.5 s"
            stands, happened = said(harness, task, "blocks")
            assert "given up (exhausted): failed 1 of 1 times: ran longer than 0.5 s" in stands
            assert "attempt 1 ran longer than 0.5 s" in happened
        until_logged(supervisor, "program.restarted")

        for task in client.submit_many(poison.beside, [{}] * NEIGHBOURS):
            assert task.result(LONG) == {"works": "worked"}
        assert supervisor.codes == []
        worn = next(line for line in supervisor.lines if line["event"] == "worker.stuck")
        assert worn["abandoned"] == 2
    finally:
        supervisor.end()


def until_logged(supervisor: Supervisor, event: str) -> None:
    until = monotonic() + LONG
    while not any(line["event"] == event for line in supervisor.lines):
        assert monotonic() < until, f"{event} was never logged"
        Event().wait(0.05)
