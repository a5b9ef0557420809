"""The server's clock was ahead for a while and is right again: nothing waits for the hour."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowledger.engine import Engine, TaskState
from flowledger.engine.domain.health_rows_and_report import Finding
from flowledger.handlers import Rate, Retry, Workflow
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness
from support.started_program import StartedProgram, start_program

PROGRAM = """
import sys
from flowledger.engine import Engine, Settings
from flowledger.handlers import Rate, Workflow

flow = Workflow("clock", "back", version="1")

@flow.step(rate=Rate(limit=1000, per_seconds=1))
def only() -> int:
    return 1

settings = Settings.load(**{settings})
with Engine.open(workflows=[flow], roles=sys.argv[1:], settings=settings):
    print("ready", flush=True)
    sys.stdin.read()
"""
LEASES = {
    **SHORT_LEASES,
    "projections": {"lease_seconds": 1.0, "poll_seconds": 0.2},
}
ROLES = ("coordinator", "worker", "projector")

flow = Workflow("clock", "back", version="1")


@flow.step(rate=Rate(limit=1000, per_seconds=1))
def only() -> int:
    return 1


RETRIES = "select count(*) from flowledger.timer where kind = 'retry'"

retried = Workflow("clock", "retried", version="1")


@retried.step(retry=Retry(base_seconds=7_200, cap_seconds=7_200, jitter="none"))
def fails() -> None:
    raise ConnectionError


class Processes:
    """Processes of this test that play all roles."""

    def __init__(self, program: Path, opened: ExitStack) -> None:
        self._program = program
        self._opened = opened

    def start(self) -> StartedProgram:
        program = (str(self._program), *ROLES)
        process = start_program(program, self._program.parent, os.environ, log=False)
        self._opened.callback(self.kill, process)
        assert process.stdout.readline() == "ready\n"
        return process

    @staticmethod
    def kill(process: StartedProgram) -> None:
        process.kill()
        process.communicate()


@pytest.fixture
def processes(harness: EngineHarness, tmp_path: Path) -> Generator[Processes]:
    sections = {**LEASES, "database": {"url": harness.url, "pool_max_size": 4}}
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("{settings}", repr(sections)))
    with ExitStack() as opened:
        yield Processes(program, opened)


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    return harness.open(roles=())


def set_clock(harness: EngineHarness, shift: str) -> None:
    """As somebody sets the server's clock: no process is told."""
    harness.rows("update flowledger.clock_offset set shift = %s::interval", shift)


LEASES_AHEAD = """
    select kind from (
        select 'shard', lease_until from flowledger.shard
        union all select 'coordinator', lease_until from flowledger.coordinator
        union all select 'worker', lease_until from flowledger.worker
        union all select 'projection', lease_until from flowledger.projection
        union all select 'host', lease_until from flowledger.projection_host
    ) as l (kind, lease_until)
    where lease_until > clock_timestamp() + '30 min'
    group by 1 order by 1
"""


def leases_ahead(harness: EngineHarness) -> list[str]:
    return [kind for (kind,) in harness.rows(LEASES_AHEAD)]


def findings(client: Engine) -> dict[str, Finding]:
    return {one.kind: one for one in client.health_report().findings}


def run_ahead(harness: EngineHarness, client: Engine) -> None:
    """Until every lease, and a rate, is of a time that is an hour ahead."""
    client.submit(flow, {}).result(PATIENCE)
    set_clock(harness, "1 hour")
    harness.until(lambda: len(leases_ahead(harness)) == 5)
    client.submit(flow, {}).result(PATIENCE)


def test_who_comes_after_those_that_were_killed_goes_on_at_once(
    harness: EngineHarness, client: Engine, processes: Processes
) -> None:
    killed = processes.start()
    run_ahead(harness, client)
    processes.kill(killed)
    set_clock(harness, "0")

    told = findings(client)
    assert told["shard_unled"].sentence.startswith("nobody leads shard 0")
    assert told["leases_ahead"].sentence.startswith("leases of 1 coordinator, ")
    assert str(told["leases_ahead"].command).startswith("flowledger coordinator")
    processes.start()
    client.submit(flow, {}).result(PATIENCE)
    harness.until(lambda: leases_ahead(harness) == [])
    harness.until(lambda: harness.value("select count(*) from flowledger.coordinator") == 1)
    harness.until(lambda: harness.value("select count(*) from flowledger.projection_host") == 1)
    harness.until(
        lambda: harness.value(
            "select bool_and(standing = 'caught_up') from flowledger.projection_status()"
        )
    )
    assert set(findings(client)) == set()  # no timer is late


def test_a_clock_that_was_put_back_is_told_as_long_as_timers_are_late(
    harness: EngineHarness, client: Engine
) -> None:
    engine = harness.open(flow, retried, roles=("coordinator", "worker"), **SHORT_LEASES)
    engine.submit(flow, {}).result(PATIENCE)
    before = engine.submit(retried, {})
    harness.until(lambda: harness.value(RETRIES) == 1)
    set_clock(harness, "1 hour")
    harness.until(lambda: len(leases_ahead(harness)) == 3)
    late = engine.submit(retried, {})
    harness.until(lambda: harness.value(RETRIES) == 2)
    # Of a worker who is gone: those that live may each renew their own before anybody notices.
    harness.rows("select flowledger.heartbeat_worker(gen_random_uuid(), 'here', 1, 30)")
    set_clock(harness, "0")
    harness.until(lambda: harness.value("select count(*) from flowledger.clock_put_back"))

    told = findings(client)["clock_put_back"]
    assert told.details["timers"] == 1
    assert "1 timer that was set meanwhile" in told.sentence

    assert late.cancel(actor="ann", reason="late")
    harness.until(lambda: harness.value(RETRIES) == 1)
    assert "clock_put_back" not in findings(client)
    assert before.state is TaskState.WAITING


def test_who_lived_through_it_goes_on_at_once(
    harness: EngineHarness, client: Engine, processes: Processes
) -> None:
    processes.start()
    run_ahead(harness, client)
    set_clock(harness, "0")

    for _ in range(3):
        client.submit(flow, {}).result(PATIENCE)
    harness.until(lambda: leases_ahead(harness) == [])
    harness.until(
        lambda: harness.value(
            "select bool_and(standing = 'caught_up') from flowledger.projection_status()"
        )
    )
