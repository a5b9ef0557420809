"""DBOS on the same shapes: a task is a workflow, a step a `@DBOS.step` in the workflow's process.

That is DBOS's quickest way: nothing is queued, the process that began a workflow runs all of it,
and one row is written for each step that has ended. Steps of one wave run at once, by gather;
shapes that are chains may as well run on threads. Each process keeps `concurrency` workflows going.
The latency of a task is that of its workflow, from call to result: it waits in no queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import harness
import shapes
from dbos import DBOS, DBOSConfig, run_dbos_database_migrations
from shapes import BackgroundLoad

CONCURRENCY = 8
WAVES: list[list[str]] = []
"""What a workflow runs. A process runs one shape only, so it is no argument of each workflow."""


@DBOS.step()
async def async_step(name: str) -> dict[str, Any]:
    """A step of an asynchronous workflow."""
    return shapes.no_operation()


@DBOS.workflow()
async def async_task(context: dict[str, Any]) -> dict[str, Any]:
    """All waves, the steps of one at once."""
    result = context
    for wave in WAVES:
        if len(wave) == 1:
            result = await async_step(wave[0])
        else:
            result = (await asyncio.gather(*map(async_step, wave)))[0]
    return result


@DBOS.step()
def step(name: str) -> dict[str, Any]:
    """A step of a workflow on a thread."""
    return shapes.no_operation()


@DBOS.workflow()
def task(context: dict[str, Any]) -> dict[str, Any]:
    """All steps, one after another."""
    result = context
    for wave in WAVES:
        for name in wave:
            result = step(name)
    return result


def _contexts(tasks: int) -> Iterator[dict[str, Any]]:
    return iter([{"number": number} for number in range(tasks)])


async def run_async(child: harness.Child, tasks: int, concurrency: int) -> list[float]:
    """Each of `concurrency` coroutines takes the next task when it has ended one."""
    latencies = []
    remaining = _contexts(tasks)

    async def one_after_another() -> None:
        for context in remaining:
            began = time.perf_counter()
            await async_task(context)
            latencies.append(time.perf_counter() - began)
            child.end()

    await async_task({"number": -1})
    child.stand_by()
    await asyncio.gather(*(one_after_another() for _ in range(concurrency)))
    return latencies


def run_threads(child: harness.Child, tasks: int, concurrency: int) -> list[float]:
    """The same on as many threads."""

    def timed(context: dict[str, Any]) -> float:
        began = time.perf_counter()
        task(context)
        child.end()
        return time.perf_counter() - began

    task({"number": -1})
    with ThreadPoolExecutor(concurrency) as threads:
        child.stand_by()
        return list(threads.map(timed, _contexts(tasks)))


def _configuration(url: str, process: int, concurrency: int) -> DBOSConfig:
    return {
        "name": "bench",
        "system_database_url": url,
        "executor_id": f"bench-{process}",
        "application_version": "1",
        "sys_db_pool_size": concurrency + 4,
        "log_level": "ERROR",
        "run_migrations": False,
    }


def _process(
    child: harness.Child, url: str, load: BackgroundLoad, concurrency: int, way: str
) -> None:
    WAVES.extend(load.dag.waves())
    DBOS(config=_configuration(url, child.index, concurrency))
    DBOS.launch()
    share = child.share(load.tasks)
    if way == "threads":
        latencies = run_threads(child, share, concurrency)
    else:
        latencies = asyncio.run(run_async(child, share, concurrency))
    DBOS.destroy()
    child.report(latencies)


def install(url: str) -> None:
    """DBOS's tables."""
    run_dbos_database_migrations(url)


@contextmanager
def waiting(url: str) -> Iterator[None]:
    """A process that waits for workflows, for as long as the block runs."""
    DBOS(config=_configuration(url, 0, CONCURRENCY))
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


def run(
    server_url: str, load: BackgroundLoad, concurrency: int = CONCURRENCY, way: str | None = None
) -> harness.Figures:
    """Run the load as workflows, on a database of their own; `way`: threads or async."""
    way = way or ("threads" if load.dag.is_chain else "async")
    with harness.database(server_url, "flowledger_bench_dbos") as url:
        install(url)
        arguments = (url, load, concurrency, way)
        crew = harness.Crew(_process, load.workers, arguments, harness.PEER_STALL_SECONDS)
        return harness.measure(url, crew, load)


def one_at_a_time(server_url: str, load: BackgroundLoad) -> harness.Figures:
    """The same, each workflow once the one before has ended, in one process.

    Both ways are measured, and the quicker one is shown.
    """
    found = [run(server_url, load, concurrency=1, way=way) for way in ("threads", "async")]
    return min(found, key=lambda figures: median(figures.latencies))
