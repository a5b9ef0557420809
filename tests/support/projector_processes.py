"""Projectors as their users run them, `flowledger projector`, in processes to stop and to kill."""

from __future__ import annotations

import importlib
import os
import sys
from random import Random, SystemRandom
from threading import Timer
from typing import Any

import psycopg
import pytest

from support.cli import Command
from support.engines import EngineHarness
from support.started_program import StartedProgram

TALLY = '''
"""How many events each step of each task has: what is counted twice, or lost, shows."""

import os
import signal
import threading

from flowledger.engine.events import StepEvent
from flowledger.projections import Cursor, Projection, on


def stop():
    """Stop this process right here: a signal to the process might reach another thread first."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class Tally(Projection):
    name, version = "tally", 1
    tables = (
        "create table {schema}.steps"
        " (task_id uuid, step text, events bigint not null, primary key (task_id, step))"
    )
    # Places in the log at which the process stops itself, until somebody lets it go on.
    stops_before = int(os.environ.get("STOPS_BEFORE", 0))
    stops_after = int(os.environ.get("STOPS_AFTER", 0))
    # So long each event takes at least: on a fast machine too one can be killed among many.
    seconds = float(os.environ.get("SECONDS_AN_EVENT", 0))

    @on(StepEvent)
    def happened(self, event: StepEvent, cursor: Cursor) -> None:
        if cursor.position == self.stops_before:
            stop()
        if self.seconds:
            cursor.execute("select pg_sleep(%s)", (self.seconds,))
        cursor.execute(
            "insert into steps values (%s, %s, 1)"
            " on conflict (task_id, step) do update set events = steps.events + 1",
            (event.task_id, event.step),
        )
        if cursor.position == self.stops_after:
            cursor.execute("select").fetchall()  # what was written has reached the server
            stop()


class NewTally(Tally):
    version = 2
'''
# What concerns time, so that a second of silence makes a difference.
FAST = {
    "FLOWLEDGER_PROJECTIONS__LEASE_SECONDS": "1",
    "FLOWLEDGER_PROJECTIONS__POLL_SECONDS": "0.2",
    "FLOWLEDGER_PROJECTIONS__LINGER_SECONDS": "0.01",
    "FLOWLEDGER_DATABASE__RECONNECT_INITIAL_SECONDS": "0.01",
    "FLOWLEDGER_LOGGING__LEVEL": "warning",
}
DIFFERENT = """
    with place as (
        select position from flowledger.projection
        where name = 'tally' and generation = {generation}
    ),

    log as (
        select e.task_id, e.step, count(*) as events
        from flowledger_v1.events as e, place as p
        where e.type like 'step.%' and e.position <= p.position
        group by 1, 2
    ),

    stored as (select task_id, step, events from tally__{generation}.steps)

    select * from (
        (select * from log except all select * from stored)
        union all (select * from stored except all select * from log)
    ) as d
"""


class Projectors:
    """Processes that run projections on the database of a lab."""

    def __init__(self, harness: EngineHarness, command: Command, random: Random) -> None:
        self.harness = harness
        self.random = random
        self._command = command
        self._running: list[tuple[str, StartedProgram]] = []

    def start(self, projection: str = "Tally", **environment: str) -> StartedProgram:
        """A process that runs this projection, and those that come with the engine."""
        before = dict(self._command.environment)
        self._command.environment |= {**FAST, **environment}
        process = self._command.start("projector", f"tally:{projection}")
        self._command.environment = before
        self._running.append((projection, process))
        return process

    def kill(self, projection: str) -> None:
        """Kill a process that runs this projection, any of them, within some milliseconds."""
        place = self.random.choice([n for n, (p, _) in enumerate(self._running) if p == projection])
        _, process = self._running.pop(place)
        assert process.poll() is None, "it ended by itself"
        timer = Timer(self.random.uniform(0, 0.05), process.kill)
        timer.start()
        process.communicate()
        timer.join()

    def until(self, generation: int, position: int) -> None:
        """Wait until a generation has come so far."""
        self.harness.until(lambda: self.position(generation) >= position)

    def position(self, generation: int) -> int:
        """How far a generation of the tally is; -1 where there is none."""
        query = "select max(position) from flowledger.projection where name = 'tally'"
        found = self.harness.value(f"{query} and generation = %s", generation)
        return -1 if found is None else int(found)

    def state(self, generation: int) -> Any:
        """Whether it serves or is built."""
        query = "select max(state) from flowledger.projection where name = 'tally'"
        return self.harness.value(f"{query} and generation = %s", generation)

    def different(self, generation: int) -> list[Any]:
        """Rows of a generation that are not those which the public log gives, counted in SQL."""
        with psycopg.connect(self.harness.url) as connection:
            return connection.execute(DIFFERENT.format(generation=generation).encode()).fetchall()


@pytest.fixture
def tally(command: Command, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the projections, which is in the folder of the processes as well."""
    command.write("tally.py", TALLY)
    monkeypatch.syspath_prepend(str(command.folder))
    sys.modules.pop("tally", None)
    return importlib.import_module("tally")


@pytest.fixture
def projectors(harness: EngineHarness, command: Command, tally: Any) -> Projectors:
    """Nothing runs yet."""
    seed = int(os.environ.get("KILLS_SEED") or SystemRandom().randrange(10**6))
    print(f"to tell it again: KILLS_SEED={seed}")  # noqa: T201 - shown where it fails
    return Projectors(harness, command, Random(seed))  # noqa: S311 - to be told again
