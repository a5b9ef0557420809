"""Chaos: real processes on a real Postgres, killed, stopped and restarted at random.

Three workers, two coordinators, two projectors, one server with fsync on. While a few thousand
tasks run, processes are killed and stopped, projections are rebuilt, and the server is shut down as
by a power cut. Then everything must have ended as its template says, with every completion and
every effect once, and every projection must have the rows that the log gives. Prints what was done
and one JSON line; exits 1 where something does not hold.

    python tests/chaos/run.py --tasks 2000 --restarts 3 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from chaos_flows import ENDS, FLOWS
from chaos_projection import Happened
from psycopg.conninfo import make_conninfo

from flowledger.engine import DatabaseUnavailable, Engine, Settings
from flowledger.engine.errors import UnknownProjection
from flowledger.engine.store.embedded import server as embedded

HERE = Path(__file__).parent
PROGRAM = (sys.executable, "-m", "flowledger.engine.cli")
ROLES = (*["worker"] * 3, *["coordinator"] * 2, *["projector"] * 2)
TARGETS = {
    "worker": [f"chaos_flows:{flow.template.name}" for flow in FLOWS],
    "projector": ["chaos_projection:Happened"],
}
REBUILT = ("happened", "flowledger_history", "flowledger_analytics")
KILL, STOP = 0.5, 0.85
"""The lot falls on a kill below the one, on a stop below the other, else on a rebuild."""

SETTINGS = {
    "FLOWLEDGER_WORKER__LEASE_SECONDS": "4",
    "FLOWLEDGER_WORKER__LEASE_MARGIN_SECONDS": "1",
    "FLOWLEDGER_WORKER__CONCURRENCY": "12",
    "FLOWLEDGER_COORDINATOR__LEASE_SECONDS": "3",
    "FLOWLEDGER_COORDINATOR__MAX_LOST_LEASES": "1000",
    "FLOWLEDGER_PROJECTIONS__LEASE_SECONDS": "3",
    "FLOWLEDGER_LOGGING__LEVEL": "warning",
}
TABLES = """
create schema chaos;
create table chaos.execution (key text not null, task_id uuid not null, attempt integer not null);
create table chaos.effect (key text primary key, task_id uuid not null);
create table chaos.transactional (key text not null);
"""
PROGRESS = """
select
    (select count(*) from flowledger.task where ended_at is not null),
    (select count(*) from flowledger.event where topic = 'step.completed')
"""
CHECKS = {
    "tasks that have not ended as their template says": """
        select count(*) from flowledger.task as t
        where t.state <> (%(ends)s::jsonb ->> t.template)
    """,
    "steps completed more than once": """
        select count(*) from (
            select originator_id from flowledger.event where topic = 'step.completed'
            group by originator_id having count(*) > 1
        ) as twice
    """,
    "keys executed more often than started": """
        select count(*) from (
            select key, count(*) as n from chaos.execution group by key
        ) as e
        where e.n > (
            select count(*) from flowledger.event as s
            where s.originator_id = e.key::uuid and s.topic = 'step.started'
        )
    """,
    "completed steps whose effect is missing": """
        select count(*) from flowledger.event as c
        join flowledger.task as t on t.task_id = c.task_id
        where c.topic = 'step.completed'
            and not exists (
                select from chaos.effect as e where e.key = c.originator_id::text
                union all
                select from chaos.transactional as x where x.key = c.originator_id::text
            )
    """,
    "transactional rows that are not exactly one": """
        select count(*) from (
            select key from chaos.transactional group by key having count(*) > 1
        ) as twice
    """,
    "transactional rows without their completion": """
        select count(*) from chaos.transactional as x
        where not exists (
            select from flowledger.event as c
            where c.originator_id = x.key::uuid and c.topic = 'step.completed'
        )
    """,
    "steps whose events a projection has not counted once": """
        select count(*) from (
            select stream_id, count(*) as events, max(position) as last from flowledger_v1.events
            where type like 'step.%' and type not like '%_requested'
            group by stream_id
        ) as e
        full join happened.events as h on h.step_id = e.stream_id
        where (h.events, h.last) is distinct from (e.events, e.last)
    """,
    "projections that are behind, or built": "select count(*) from flowledger.projection_status()"
    " where behind > 0 or state = 'building' or failed_position is not null",
    "rows left in the queue": "select count(*) from flowledger.queue",
    "timers left": "select count(*) from flowledger.timer",
}


@dataclass
class Tally:
    """What was done to the processes, and how long it took them to go on, in seconds."""

    done: Counter[str] = field(default_factory=Counter[str])
    recovery: list[float] = field(default_factory=list[float])
    _disturbed_at: float | None = None
    _completed: int = 0

    def disturbed(self, what: str) -> None:
        """A fault was made."""
        self.done[what] += 1
        if self._disturbed_at is None:
            self._disturbed_at = time.monotonic()

    def moved(self, completed: int) -> None:
        """So many steps are complete; the first after a fault says that it was overcome."""
        if completed > self._completed and self._disturbed_at is not None:
            self.recovery.append(time.monotonic() - self._disturbed_at)
            self._disturbed_at = None
        self._completed = max(completed, self._completed)


class Processes:
    """The roles, each in a process that is started again when it is gone."""

    def __init__(self, url: str, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ, **SETTINGS, "FLOWLEDGER_DATABASE__URL": url, "PYTHONPATH": str(HERE),
        }  # fmt: skip
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._stopped: dict[int, float] = {}

    def tend(self) -> None:
        """Start what is missing, and wake what was stopped long enough."""
        for place, role in enumerate(ROLES):
            process = self._running.get(place)
            if process is None or process.poll() is not None:
                self._running[place] = self._start(place, role)
        for place, until in tuple(self._stopped.items()):
            if time.monotonic() >= until:
                self._signal(place, signal.SIGCONT)
                del self._stopped[place]

    def kill(self, place: int) -> None:
        """End it without a word."""
        self._stopped.pop(place, None)
        self._signal(place, signal.SIGKILL)
        self._running[place].wait()

    def stop(self, place: int, seconds: float) -> None:
        """Let it do nothing for a while."""
        self._signal(place, signal.SIGSTOP)
        self._stopped[place] = time.monotonic() + seconds

    def end(self) -> None:
        """Kill all of them."""
        for place in self._running:
            self.kill(place)

    def _start(self, place: int, role: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{role}-{place}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                [*PROGRAM, role, *TARGETS.get(role, ())],
                env=self._environment,
                stderr=log,
                stdout=log,
            )

    def _signal(self, place: int, number: signal.Signals) -> None:
        if self._running[place].poll() is None:
            self._running[place].send_signal(number)


class Chaos:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._arguments = arguments
        self._random = random.Random(arguments.seed)  # noqa: S311 - to be told again
        self._home = folder / "home"
        self._server = embedded.start(self._home, fsync=True, timeout_seconds=60)
        self._url = self._server.url
        self._processes = Processes(self._url, folder)
        self._tally = Tally()
        self._restarts = [
            arguments.tasks * (number + 1) // (arguments.restarts + 2)
            for number in range(arguments.restarts)
        ]

    def run(self) -> dict[str, Any]:
        """Submit, disturb until everything has ended, and count."""
        began = time.monotonic()
        settings = Settings.load(database={"url": self._url})
        with Engine.open(workflows=FLOWS, roles=(), settings=settings) as engine:
            with psycopg.connect(self._url) as connection:
                connection.execute(TABLES)
            self._processes.tend()
            self._submit(engine)
            self._disturb(engine)
            ended_after = time.monotonic() - began
            rebuilt = self._catch_up(engine)
        self._processes.end()
        return {
            "tasks": self._arguments.tasks,
            "seed": self._arguments.seed,
            "seconds": round(ended_after, 1),
            **dict(self._tally.done),
            "rebuilds_done": rebuilt,
            "projections_behind_s": round(time.monotonic() - began - ended_after, 1),
            "recovery_s_max": round(max(self._tally.recovery, default=0.0), 2),
            "recovery_s_median": _median(self._tally.recovery),
            "broken": {**self._broken(), **self._differences(settings)},
        }

    def end(self) -> None:
        """Leave nothing behind."""
        self._processes.end()
        embedded.stop(self._home, timeout_seconds=60)

    def _submit(self, engine: Engine) -> None:
        for number, flow in enumerate(FLOWS):
            share = range(number, self._arguments.tasks, len(FLOWS))
            engine.submit_many(
                flow,
                [{"number": task} for task in share],
                idempotency_keys=[f"{task}" for task in share],
            )

    def _disturb(self, engine: Engine) -> None:
        """One fault after another until nearly all has ended; then only wait."""
        deadline = time.monotonic() + self._arguments.patience
        ended = 0
        while ended < self._arguments.tasks and time.monotonic() < deadline:
            if self._restart_is_due(ended):
                self._restarts.pop(0)
                self._restart_server()
            elif ended < self._arguments.tasks * 0.9:
                self._disturb_once(engine)
            ended = self._wait(ended, self._random.uniform(0.3, self._arguments.pause))
            print(f"{ended} of {self._arguments.tasks} ended, {dict(self._tally.done)}", flush=True)

    def _restart_is_due(self, ended: int) -> bool:
        return bool(self._restarts) and ended >= self._restarts[0]

    def _disturb_once(self, engine: Engine) -> None:
        place, lot = self._random.randrange(len(ROLES)), self._random.random()
        if lot < KILL:
            self._processes.kill(place)
            self._tally.disturbed(f"kills_{ROLES[place]}")
        elif lot < STOP:
            self._processes.stop(place, self._random.uniform(0.5, 7.0))
            self._tally.disturbed(f"stops_{ROLES[place]}")
        else:
            self._rebuild(engine, self._random.choice(REBUILT))

    def _rebuild(self, engine: Engine, projection: str) -> None:
        with suppress(DatabaseUnavailable, UnknownProjection):  # no projector has begun yet
            engine.projections.rebuild(projection, actor="ann", reason="a test")
            self._tally.done["rebuilds_asked"] += 1

    def _catch_up(self, engine: Engine) -> int:
        """Wait until all projections have seen all, and none is built; how many were rebuilt."""
        deadline = time.monotonic() + self._arguments.patience
        while time.monotonic() < deadline:
            self._processes.tend()
            found = [one for one in engine.projections.list() if one.generation]
            if not any(one.behind or one.state == "building" for one in found):
                return sum(one.generation - 1 for one in found)
            time.sleep(0.05)
        return -1

    def _restart_server(self) -> None:
        os.kill(self._server.pid, signal.SIGQUIT)  # which is what `pg_ctl -m immediate` does
        self._server = embedded.start(self._home, fsync=True, timeout_seconds=60)
        self._tally.disturbed("server_restarts")

    def _wait(self, before: int, seconds: float) -> int:
        """How many tasks have ended after so many seconds, or when there is no reason to wait.

        On a fast machine all of them would end within a few pauses, between two restarts.
        """
        until = time.monotonic() + seconds
        ended = before
        while (
            time.monotonic() < until
            and ended < self._arguments.tasks
            and not self._restart_is_due(ended)
        ):
            self._processes.tend()
            ended, completed = self._progress() or (ended, 0)
            self._tally.moved(completed)
            time.sleep(0.02)
        return ended

    def _progress(self) -> tuple[int, int] | None:
        """Tasks that have ended, and steps that are complete; nothing while the server is away."""
        try:
            with psycopg.connect(make_conninfo(self._url, connect_timeout=5)) as connection:
                row = connection.execute(PROGRESS).fetchone()
        except psycopg.Error:
            return None
        return (int(row[0]), int(row[1])) if row else None

    def _broken(self) -> dict[str, int]:
        found: dict[str, int] = {}
        with psycopg.connect(self._url) as connection:
            for name, query in CHECKS.items():
                parameters = {"ends": json.dumps(ENDS)} if "%(ends)s" in query else None
                row = connection.execute(query, parameters).fetchone()  # type: ignore[call-overload]
                found[name] = int(row[0]) if row else -1
            row = connection.execute("select count(*) from flowledger.task").fetchone()
            found["tasks that are missing"] = self._arguments.tasks - (int(row[0]) if row else 0)
        return {name: count for name, count in found.items() if count}

    def _differences(self, settings: Settings) -> dict[str, int]:
        """What verification finds, told one by one."""
        with Engine.open(roles=(), projections=[Happened], settings=settings) as engine:
            run = engine.verify()
            for difference in run:
                print(f"task {difference.task_id}: {difference}", flush=True)
        return {"differences that verify finds": run.found} if run.found else {}


def _median(seconds: list[float]) -> float:
    return round(sorted(seconds)[len(seconds) // 2], 2) if seconds else 0.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--restarts", type=int, default=3, help="of the server, like a power cut")
    parser.add_argument("--pause", type=float, default=3.0, help="most seconds between two faults")
    parser.add_argument("--patience", type=float, default=900, help="seconds for all of it")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    return parser.parse_args()


def main() -> int:
    """Run, print, and say whether everything held."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="flowledger-chaos-") as name, ExitStack() as opened:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as another user where this runs as root
        chaos = Chaos(arguments, folder)
        opened.callback(chaos.end)
        try:
            found = chaos.run()
        except DatabaseUnavailable as error:
            found = {"broken": {str(error): 1}}
        print(json.dumps(found))
        if found["broken"]:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-1500:]}", file=sys.stderr)
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
