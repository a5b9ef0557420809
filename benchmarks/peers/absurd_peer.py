"""Absurd on the same shapes: a task is a task of its queue, a step a checkpoint of the task.

Absurd claims a task, and the process that has claimed it runs its steps one after another, each
stored as it ends; branches of a shape have no like of being at once. Its worker asks for tasks
every 250 ms; here each thread claims again as soon as it has run what it had, which is quicker. A
thread has a client with a connection of its own: clients that share one wait for each other. The
latency of a task runs from the moment at which it was spawned; all are spawned at the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import absurdctl
import harness
import psycopg
import shapes
from absurd_sdk import Absurd, TaskContext
from shapes import BackgroundLoad

QUEUE, TASK = "bench", "task"
THREADS = 4
"""Of each process. Tasks of one step have one thread: claims wait for each other's."""
BATCH = 10
"""Most tasks that are claimed together; fewer where each thread would not have so many."""
CHUNK = 250
"""Tasks that are spawned in one transaction."""

Ended = Callable[[list[float]], None]


def install(url: str) -> None:
    """The schema that absurdctl ships, and a queue."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(absurdctl.BUNDLED_SCHEMA_SQL)
        Absurd(connection, queue_name=QUEUE).create_queue()


def client(connection: psycopg.Connection, shape: shapes.Shape, latencies: list[float]) -> Absurd:
    """A client that can run tasks of the shape, and notes how long each took."""
    app = Absurd(connection, queue_name=QUEUE)
    names = [name for wave in shape.waves() for name in wave]

    @app.register_task(name=TASK)
    def task(params: dict[str, Any], context: TaskContext) -> dict[str, Any]:
        result = params
        for name in names:
            result = context.step(name, shapes.no_operation)
        latencies.append(time.time() - params["began"])
        return result

    return app


def spawn(url: str, tasks: int) -> None:
    """Spawn so many tasks, many in a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        app = Absurd(connection, queue_name=QUEUE)
        for start in range(0, tasks, CHUNK):
            with connection.transaction(), connection.pipeline():
                for number in range(start, min(tasks, start + CHUNK)):
                    app.spawn(TASK, {"number": number, "began": time.time()}, queue=QUEUE)


def work(child: harness.Child, url: str, shape: shapes.Shape, ended: Ended, batch: int) -> None:
    """Claim tasks and run them until told to stop."""
    latencies: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        app = client(connection, shape, latencies)
        while not child.halt.is_set():
            app.work_batch(batch_size=batch)
            if latencies:
                ended(latencies)
                latencies.clear()
            else:
                time.sleep(harness.POLL_SECONDS)


def _process(
    child: harness.Child, url: str, load: BackgroundLoad, threads: int, batch: int
) -> None:
    told: list[float] = []
    lock = threading.Lock()

    def ended(latencies: list[float]) -> None:
        with lock:
            told.extend(latencies)
            child.end(len(latencies))

    workers = [
        threading.Thread(target=work, args=(child, url, load.dag, ended, batch))
        for _ in range(threads)
    ]
    child.stand_by()
    for worker in workers:
        worker.start()
    spawn(url, child.share(load.tasks))
    for worker in workers:
        worker.join()
    child.report(told)


@contextmanager
def waiting(url: str) -> Iterator[None]:
    """A worker that waits for tasks as it does by default, for as long as the block runs."""
    with psycopg.connect(url, autocommit=True) as connection:
        app = client(connection, shapes.named("single"), [])
        worker = threading.Thread(target=app.start_worker)
        worker.start()
        try:
            yield
        finally:
            app.stop_worker()
            worker.join()


def run(
    server_url: str, load: BackgroundLoad, threads: int | None = None, batch: int | None = None
) -> harness.Figures:
    """Run the load as tasks, on a database of their own."""
    threads = threads or (1 if load.dag.steps == 1 else THREADS)
    batch = batch or min(BATCH, max(1, load.tasks // (load.workers * threads)))
    with harness.database(server_url, "flowledger_bench_absurd") as url:
        install(url)
        arguments = (url, load, threads, batch)
        crew = harness.Crew(_process, load.workers, arguments, harness.PEER_STALL_SECONDS)
        return harness.measure(url, crew, load)


def _one_at_a_time(child: harness.Child, url: str, load: BackgroundLoad) -> None:
    """Who spawns a task claims it at once: nothing waits until the queue is asked again."""
    latencies: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        app = client(connection, load.dag, [])
        child.stand_by()
        for number in range(load.tasks):
            began = time.perf_counter()
            app.spawn(TASK, {"number": number, "began": time.time()})
            app.work_batch()
            latencies.append(time.perf_counter() - began)
            child.end()
    child.report(latencies)


def one_at_a_time(server_url: str, load: BackgroundLoad) -> harness.Figures:
    """The same, each task once the one before has ended, on one connection of one process."""
    with harness.database(server_url, "flowledger_bench_absurd") as url:
        install(url)
        crew = harness.Crew(_one_at_a_time, 1, (url, load), harness.PEER_STALL_SECONDS)
        return harness.measure(url, crew, load)
