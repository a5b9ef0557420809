"""What the benchmarks share: a server of their own, processes that start together, one meter.

Every contestant is measured in the same way: its processes are spawned and set themselves up in a
new database; the meter is read after a checkpoint; all start at once; the clock stops when the last
task has ended; the processes leave, and the meter is read again, so that nothing which they still
had to write is forgotten.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from shapes import BackgroundLoad

from flowledger.engine.cli.commands.start_roles import tune_gc

SPAWN = multiprocessing.get_context("spawn")
POLL_SECONDS = 0.005
READY_SECONDS = 60.0


@contextmanager
def postgres(database_url: str | None) -> Iterator[str]:
    """The given server, or an embedded one in a temporary folder, with fsync on."""
    if database_url:
        yield database_url
        return
    from flowledger.engine.store.embedded import server as embedded  # noqa: PLC0415 - a given server needs no extra

    home = Path(tempfile.mkdtemp(prefix="flowledger-bench-"))
    home.chmod(0o755)
    try:
        yield embedded.start(home, fsync=True, timeout_seconds=30).url
    finally:
        embedded.stop(home, timeout_seconds=30)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """A new, empty database on that server, dropped afterwards."""
    identifier = sql.Identifier(name)
    drop = sql.SQL("drop database if exists {} with (force)").format(identifier)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("create database {}").format(identifier))
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        connection.execute(drop)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of one contestant showed."""

    steps: int
    seconds: float
    commits: int
    wal_bytes: int
    latencies: Sequence[float] = ()
    """Seconds from the start of a task to its end."""
    reports: Sequence[Any] = ()
    """What each process handed over, in the order of the processes."""

    @property
    def steps_per_s(self) -> float:
        return self.steps / self.seconds

    def line(self) -> dict[str, float | None]:
        """The figures that every contestant has."""
        return {
            "steps_per_s": round(self.steps_per_s, 1),
            "p50_ms": milliseconds(self.latencies, 0.5),
            "p95_ms": milliseconds(self.latencies, 0.95),
            "commits_per_step": round(self.commits / self.steps, 4),
            "wal_bytes_per_step": round(self.wal_bytes / self.steps),
        }


def milliseconds(seconds: Sequence[float], quantile: float) -> float | None:
    """That quantile, in milliseconds; None where nothing was measured."""
    if not seconds:
        return None
    ranked = sorted(seconds)
    return round(1000 * ranked[min(len(ranked) - 1, int(quantile * len(ranked)))], 3)


@dataclass(frozen=True)
class Child:
    """What a spawned process is given to keep in step with the others."""

    index: int
    count: int
    ready: Barrier
    go: Event
    halt: Event
    ended: Any
    reports: Any

    def stand_by(self) -> None:
        """Say that the set-up is done, and wait for the start."""
        tune_gc()  # as the program does; whoever it is compared with has it too
        self.ready.wait(READY_SECONDS)
        self.go.wait()

    def share(self, tasks: int) -> int:
        """How many of the tasks are this process's."""
        return tasks // self.count + (self.index < tasks % self.count)

    def end(self, tasks: int = 1) -> None:
        """Count tasks as ended."""
        self.ended[self.index] += tasks

    def report(self, value: Any) -> None:
        """Hand something over to the parent, once."""
        self.reports.put((self.index, value))


class Crashed(RuntimeError):
    """A process of the benchmark ended before it should."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A child's traceback, on its way to the parent."""

    text: str


@dataclass
class Crew:
    """Processes that run `target(child, *arguments)`."""

    target: Callable[..., None]
    count: int
    arguments: tuple[Any, ...] = ()
    processes: list[Any] = field(default_factory=list)

    def __enter__(self) -> Crew:
        self.ready = SPAWN.Barrier(self.count + 1)
        self.go, self.halt = SPAWN.Event(), SPAWN.Event()
        self.ended = SPAWN.RawArray("q", self.count)
        self.reports = SPAWN.Queue()
        shared = (self.count, self.ready, self.go, self.halt, self.ended, self.reports)
        for index in range(self.count):
            arguments = (self.target, Child(index, *shared), self.arguments)
            self.processes.append(SPAWN.Process(target=_guarded, args=arguments))
        for process in self.processes:
            process.start()
        try:
            self.ready.wait(READY_SECONDS)
        except BaseException:
            self._raise_crash()
            raise
        finally:
            if self.ready.broken:
                self.__exit__()
        return self

    def __exit__(self, *_: object) -> None:
        self.halt.set()
        self.go.set()
        for process in self.processes:
            process.join(READY_SECONDS)
            if process.is_alive():
                process.kill()

    def wait(self, tasks: int) -> None:
        """Until the processes have counted that many tasks as ended."""
        while sum(self.ended) < tasks:
            time.sleep(POLL_SECONDS)
            self.check()

    def check(self) -> None:
        """Raise what a process died of."""
        if any(process.exitcode for process in self.processes):
            self._raise_crash()
            raise Crashed("it was killed")

    def dismiss(self) -> list[Any]:
        """Stop the processes; their reports in order."""
        self.halt.set()
        reports = dict(self._next_report() for _ in self.processes)
        for process in self.processes:
            process.join(READY_SECONDS)
        return [reports[index] for index in range(self.count)]

    def _next_report(self) -> tuple[int, Any]:
        index, value = self.reports.get(timeout=READY_SECONDS)
        if isinstance(value, Crash):
            raise Crashed(value.text)
        return index, value

    def _raise_crash(self) -> None:
        try:
            while True:
                value = self.reports.get(timeout=1)[1]
                if isinstance(value, Crash):
                    raise Crashed(value.text)
        except Empty:
            return


def _guarded(target: Callable[..., None], child: Child, arguments: tuple[Any, ...]) -> None:
    try:
        target(child, *arguments)
    except BaseException:
        child.report(Crash(traceback.format_exc()))
        child.ready.abort()
        raise


def reported(_: psycopg.Connection, reports: Sequence[Sequence[float]]) -> list[float]:
    """Latencies as the processes have measured them."""
    return [latency for report in reports for latency in report]


def measure(
    url: str,
    crew: Crew,
    load: BackgroundLoad,
    latencies: Callable[[psycopg.Connection, Sequence[Any]], list[float]] = reported,
) -> Figures:
    """Run the crew once, until its processes have counted that many tasks as ended."""
    with psycopg.connect(url, autocommit=True) as connection, crew:
        connection.execute("checkpoint")
        before = counters(connection)
        started = time.perf_counter()
        crew.go.set()
        crew.wait(load.tasks)
        seconds = time.perf_counter() - started
        reports = crew.dismiss()
        after = settled_counters(connection)
        used = (after[0] - before[0], after[1] - before[1])
        return Figures(load.steps, seconds, *used, latencies(connection, reports), reports)


def counters(connection: psycopg.Connection) -> tuple[int, int]:
    row = connection.execute(
        "select xact_commit, pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
        " from pg_stat_database where datname = current_database()"
    ).fetchone()
    assert row is not None  # noqa: S101 - a connection's own database is there
    return int(row[0]), int(row[1])


def settled_counters(connection: psycopg.Connection) -> tuple[int, int]:
    """The counters once every other session has left: a session counts its commits as it goes."""
    others = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + READY_SECONDS
    with connection.transaction():
        while (row := connection.execute(others).fetchone()) and row[0]:
            if time.monotonic() > deadline:
                raise RuntimeError("a session of the benchmark did not leave the database")
            time.sleep(POLL_SECONDS)
            connection.execute("select pg_stat_clear_snapshot()")
    return counters(connection)


def peak_rss_mb() -> float | None:
    """This process's largest resident size; None where the system does not say.

    Not `getrusage`: there, a spawned process inherits the peak of its parent.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    peak = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
    return round(int(peak.split()[1]) / 1024, 1)


def surroundings(url: str, packages: Sequence[str]) -> dict[str, Any]:
    """Where the figures come from: versions, durability, cores, and how busy the machine was."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings"
            " where name in ('server_version', 'fsync', 'synchronous_commit')"
        ).fetchall()
    settings = dict(rows)
    versions = {"python": platform.python_version(), "postgres": settings["server_version"]}
    return {
        "versions": versions | {package: version(package) for package in packages},
        "fsync": settings["fsync"],
        "synchronous_commit": settings["synchronous_commit"],
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }
