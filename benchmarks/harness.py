"""What the benchmarks share: a server of their own, processes that start together, one meter.

Every contestant is measured in the same way: its processes are spawned and set themselves up in a
new database; the meter is read after a checkpoint; all start at once; the clock stops when the last
task has ended; the processes leave, and the meter is read again, so that nothing which they still
had to write is forgotten. Every step notes when it was started: a run counts only where there are
as many notes as steps.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

import psycopg
import shapes
from psycopg import sql
from shapes import BackgroundLoad

from flowledger.engine.cli.commands.start_roles import tune_gc

SPAWN = multiprocessing.get_context("spawn")
POLL_SECONDS = 0.005
READY_SECONDS = 60.0
LEAVE_SECONDS = 3.0
"""What a process has for leaving where the run has failed."""
PEER_STALL_SECONDS = 60.0
"""A peer of which no task has ended for so long has failed."""


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
        try:
            yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(drop)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of one contestant showed."""

    steps: int
    seconds: float
    commits: int | None
    wal_bytes: int | None
    """None for both: it does not store in Postgres."""
    latencies: Sequence[float] = ()
    """Seconds from the start of a task to its end."""
    reports: Sequence[Any] = ()
    """What each process handed over, in the order of the processes."""
    starts: Sequence[float] = ()
    """When steps were started, in order: seconds of the machine's monotonic clock."""

    @property
    def steps_per_s(self) -> float:
        return self.steps / self.seconds

    def line(self) -> dict[str, float | None]:
        """The figures that every contestant has."""
        return {
            "steps_per_s": round(self.steps_per_s, 1),
            "p50_ms": milliseconds(self.latencies, 0.5),
            "p95_ms": milliseconds(self.latencies, 0.95),
            "starts_per_step": _each(len(self.starts), self.steps, 4),
            "commits_per_step": _each(self.commits, self.steps, 4),
            "wal_bytes_per_step": _each(self.wal_bytes, self.steps),
        }


def _each(count: int | None, steps: int, digits: int | None = None) -> float | None:
    return None if count is None else round(count / steps, digits)


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
        del shapes.STARTS[:]  # what was run to warm up
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
        self.reports.put((self.index, value, shapes.STARTS))


class Crashed(RuntimeError):
    """A process of the benchmark ended before it should."""


class Stalled(RuntimeError):
    """Nothing of the benchmark ends any more."""


class Uncounted(RuntimeError):
    """Not as many steps were started as should have been."""


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
    stall_seconds: float = math.inf
    processes: list[Any] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

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

    def __exit__(self, error: object = None, *_: object) -> None:
        self.halt.set()
        self.go.set()
        for process in self.processes:
            process.join(LEAVE_SECONDS if error else READY_SECONDS)
            if process.is_alive():
                process.kill()

    def wait(self, tasks: int) -> None:
        """Until the processes have counted that many tasks as ended.

        Raises Stalled where they count none for longer than `stall_seconds`.
        """
        before, since = 0, time.monotonic()
        while (ended := sum(self.ended)) < tasks:
            if ended > before:
                before, since = ended, time.monotonic()
            elif time.monotonic() - since > self.stall_seconds:
                raise Stalled(f"{ended} of {tasks} tasks have ended, and no more do")
            time.sleep(POLL_SECONDS)
            self.check()

    def check(self) -> None:
        """Raise what a process died of."""
        if any(process.exitcode for process in self.processes):
            self._raise_crash()
            raise Crashed("it was killed")

    def timed(self, tasks: int) -> float:
        """Start, and wait for that many ended tasks: how many seconds it took."""
        started = time.perf_counter()
        self.go.set()
        self.wait(tasks)
        return time.perf_counter() - started

    def dismiss(self) -> list[Any]:
        """Stop the processes; their reports in order."""
        self.halt.set()
        reports = dict(self._next_report() for _ in self.processes)
        self.starts.sort()
        for process in self.processes:
            process.join(READY_SECONDS)
        return [reports[index] for index in range(self.count)]

    def _next_report(self) -> tuple[int, Any]:
        index, value, starts = self.reports.get(timeout=READY_SECONDS)
        if isinstance(value, Crash):
            raise Crashed(value.text)
        self.starts.extend(starts)
        return index, value

    def _raise_crash(self) -> None:
        try:
            while True:
                _, value, _ = self.reports.get(timeout=1)
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


def reported(_: psycopg.Connection | None, reports: Sequence[Sequence[float]]) -> list[float]:
    """Latencies as the processes have measured them."""
    return [latency for report in reports for latency in report]


def measure(
    url: str,
    crew: Crew,
    load: BackgroundLoad,
    latencies: Callable[[psycopg.Connection, Sequence[Any]], list[float]] = reported,
    *,
    runs_steps: bool = True,
) -> Figures:
    """Run the crew once, until its processes have counted that many tasks as ended."""
    with psycopg.connect(url, autocommit=True) as connection, crew:
        connection.execute("checkpoint")
        before = counters(connection)
        seconds = crew.timed(load.tasks)
        reports = crew.dismiss()
        after = settled_counters(connection)
        used = (after[0] - before[0], after[1] - before[1])
        told = latencies(connection, reports)
    figures = Figures(load.steps, seconds, *used, told, reports, crew.starts)
    return _counted(figures) if runs_steps else figures


def measure_elsewhere(crew: Crew, load: BackgroundLoad) -> Figures:
    """The same for an engine that does not store in Postgres: time alone."""
    with crew:
        seconds = crew.timed(load.tasks)
        reports = crew.dismiss()
    told = reported(None, reports)
    return _counted(Figures(load.steps, seconds, None, None, told, reports, crew.starts))


def _counted(figures: Figures) -> Figures:
    """The same. Raises Uncounted where not every step was started."""
    if len(figures.starts) < figures.steps:
        raise Uncounted(f"{len(figures.starts)} steps were started, and there are {figures.steps}")
    return figures


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


def surroundings(url: str, versions: Mapping[str, str | None]) -> dict[str, Any]:
    """Where the figures come from: versions, durability, the machine, and how busy it was."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings"
            " where name in ('server_version', 'fsync', 'synchronous_commit')"
        ).fetchall()
    settings: dict[str, str] = dict(rows)
    own = {"python": platform.python_version(), "postgres": settings["server_version"]}
    return {
        "versions": own | dict(versions),
        "fsync": settings["fsync"],
        "synchronous_commit": settings["synchronous_commit"],
        "cores": os.cpu_count(),
        "processor": _told("/proc/cpuinfo", "model name"),
        "memory": _told("/proc/meminfo", "MemTotal"),
        "load_average": round(os.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _told(path: str, name: str) -> str | None:
    """What a file of the kernel says under that name, first; None where it says nothing."""
    rows = Path(path).read_text("utf-8").splitlines() if Path(path).exists() else []
    return next((row.partition(":")[2].strip() for row in rows if row.startswith(name)), None)
