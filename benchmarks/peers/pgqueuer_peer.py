"""PgQueuer on chains: each job does nothing and enqueues the next, until the chain has its length.

PgQueuer has no joins, so a diamond or a fan-out has no like here. Each process runs one queue
manager, on a connection of its own beside a pool through which jobs enqueue. The latency of a task
runs from the moment at which its first job was enqueued; all first jobs are enqueued at the start.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import harness
import shapes
from pgqueuer import AsyncpgDriver, AsyncpgPoolDriver, Job, PgQueuer, Queries
from shapes import BackgroundLoad

BATCH = 200
"""Jobs that are taken together: of single ones twice to four times as many a second as with ten."""
POOL = 16
ENTRYPOINT = "step"
CHUNK = 1_000
PADDING = shapes.RESULT["r"]


@dataclass(frozen=True, slots=True)
class Options:
    """How jobs are taken, and whether a chain begins only once the one before has ended."""

    batch: int
    one_at_a_time: bool


def _payload(step: int, began: float) -> bytes:
    return json.dumps({"step": step, "began": began, "r": PADDING}).encode()


def install(url: str) -> None:
    """PgQueuer's tables and triggers."""
    asyncio.run(_install(url))


async def _install(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await Queries(AsyncpgDriver(connection)).install()
    finally:
        await connection.close()


@contextmanager
def waiting(url: str) -> Iterator[None]:
    """A manager that waits for jobs as it does by default, for as long as the block runs."""
    stop = threading.Event()
    manager = threading.Thread(target=lambda: asyncio.run(_wait(url, stop)))
    manager.start()
    try:
        yield
    finally:
        stop.set()
        manager.join()


async def _wait(url: str, stop: threading.Event) -> None:
    connection = await asyncpg.connect(url)
    manager = PgQueuer.from_asyncpg_connection(connection)

    @manager.entrypoint(ENTRYPOINT)
    async def step(job: Job) -> None:
        shapes.no_operation()

    work = asyncio.create_task(manager.run())
    await asyncio.to_thread(stop.wait)
    manager.shutdown.set()
    await work
    await connection.close()


async def submit(queries: Queries, tasks: int) -> None:
    """Enqueue the first job of each task, many at a time."""
    for start in range(0, tasks, CHUNK):
        count = min(CHUNK, tasks - start)
        payloads: list[bytes | None] = [_payload(0, time.time())] * count
        await queries.enqueue([ENTRYPOINT] * count, payloads, [0] * count)


async def run_jobs(
    child: harness.Child, url: str, load: BackgroundLoad, options: Options
) -> list[float]:
    """Take jobs until told to stop; latencies, in seconds, of the tasks that ended here."""
    latencies, steps, ended = [], load.dag.steps, asyncio.Event()
    connection = await asyncpg.connect(url)
    async with asyncpg.create_pool(url, min_size=POOL, max_size=POOL) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        manager = PgQueuer.from_asyncpg_connection(connection)

        @manager.entrypoint(ENTRYPOINT)
        async def step(job: Job) -> None:
            shapes.no_operation()
            assert job.payload is not None  # noqa: S101 - each job here is enqueued with one
            told = json.loads(job.payload)
            if (following := told["step"] + 1) < steps:
                await queries.enqueue(ENTRYPOINT, _payload(following, told["began"]))
            else:
                latencies.append(time.time() - told["began"])
                child.end()
                ended.set()

        await asyncio.to_thread(child.stand_by)
        work = asyncio.create_task(
            manager.run(batch_size=options.batch, dequeue_timeout=timedelta(seconds=1))
        )
        share = child.share(load.tasks)
        for tasks in [1] * share if options.one_at_a_time else [share]:
            ended.clear()
            await submit(queries, tasks)
            if options.one_at_a_time:
                await ended.wait()
        await asyncio.to_thread(child.halt.wait)
        manager.shutdown.set()
        await work
    await connection.close()
    return latencies


def _process(child: harness.Child, url: str, load: BackgroundLoad, options: Options) -> None:
    child.report(asyncio.run(run_jobs(child, url, load, options)))


def run(
    server_url: str, load: BackgroundLoad, batch: int = BATCH, *, one_at_a_time: bool = False
) -> harness.Figures | None:
    """Run the load as chains of jobs, on a database of their own; None: the shape is no chain."""
    if not load.dag.is_chain:
        return None
    with harness.database(server_url, "flowledger_bench_pgqueuer") as url:
        install(url)
        arguments = (url, load, Options(batch, one_at_a_time))
        crew = harness.Crew(_process, load.workers, arguments, harness.PEER_STALL_SECONDS)
        return harness.measure(url, crew, load)


def one_at_a_time(server_url: str, load: BackgroundLoad) -> harness.Figures | None:
    """The same, the first job of each chain enqueued once the chain before has ended."""
    return run(server_url, load, one_at_a_time=True)
