"""flowledger on the same shapes: a coordinator process, worker processes, and one that submits.

The clock runs from the first submission, with all processes up and idle, until the log holds the
end of every task. The latency of a task runs from its `task.created` to its end, both as the log
has recorded them: with all tasks submitted at once, it is mostly the time spent waiting in line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import harness
import psycopg
import shapes
from sampling import sampled
from shapes import BackgroundLoad

from flowledger.engine import Engine
from flowledger.engine.store.schema.migrate import migrate
from flowledger.handlers import Workflow

Submit = Callable[[list[dict[str, Any]]], object]
CHUNK = 250
"""Tasks submitted in one transaction."""

LOOKS_AT_THE_END = "-c enable_seqscan=off -c max_parallel_workers_per_gather=0"
"""Whoever follows a log of a million events must not read all of it whenever it looks."""
ENDED = """
select count(*) filter (where topic = any('{task.completed,task.failed}')), max(notification_id)
from flowledger.event where notification_id > %s
"""
NO_READINESS = """
create or replace function flowledger.upsert_steps(p_rows json, p_shard integer default 0)
returns void language plpgsql as 'begin return; end'
"""
LATENCIES = """
select extract(epoch from ended.recorded_at - created.recorded_at)::float8
from flowledger.event created
join flowledger.event ended on ended.originator_id = created.originator_id
where created.topic = 'task.created' and ended.topic = 'task.completed'
"""
SINCE_THE_FIRST = """
select extract(epoch from recorded_at - (
    select min(recorded_at) from flowledger.event where topic = 'task.created'
))::float8
from flowledger.event where topic = 'task.completed'
"""
LEADERS = """
select count(distinct leader) from flowledger.shard_leases() where seconds_left > 0
"""
SHARED_OUT_SECONDS = 60.0
COMPLETED_STEPS = """
select count(*), count(distinct originator_id) from flowledger.event where topic = 'step.completed'
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The roles of each process (the last one submits), and what else can be varied."""

    roles: Sequence[Sequence[Any]]
    open_tasks: int
    profile: bool
    shards: int


def workflow(shape: shapes.Shape) -> Workflow[dict[str, Any]]:
    """The shape as a workflow whose steps do nothing."""
    made = Workflow(shapes.NAMESPACE, shape.name, version="1")
    for name in (name for wave in shape.waves() for name in wave):
        made.step(after=shape.parents[name], name=name)(shapes.no_operation)
    return made


def submit_all(
    child: harness.Child, submit: Submit, load: BackgroundLoad, url: str, open_tasks: int
) -> None:
    """Submit in chunks, never more than `open_tasks` ahead of the ends in the log; see all end."""
    waiting = [{"number": number} for number in range(load.tasks)]
    submitted = ended = 0
    with psycopg.connect(url, options=LOOKS_AT_THE_END) as connection:
        for more in follow_ends(connection):
            child.end(more)
            ended += more
            if ended == load.tasks:
                return
            while submitted < load.tasks and submitted - ended < open_tasks:
                size = min(CHUNK, open_tasks - (submitted - ended))
                submit(waiting[submitted : submitted + size])
                submitted += size


def follow_ends(connection: psycopg.Connection) -> Iterator[int]:
    """How many more tasks have ended, again and again; each event is looked at once.

    In one read-committed transaction, so that looking adds nothing to the commits that are counted.
    """
    position = 0
    while True:
        row = connection.execute(ENDED, [position]).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has a row
        position = row[1] or position
        yield row[0]
        if not row[0]:
            time.sleep(harness.POLL_SECONDS)


def _process(child: harness.Child, url: str, load: BackgroundLoad, options: Options) -> None:
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    os.environ["FLOWLEDGER_COORDINATOR__SHARDS"] = str(options.shards)
    flow = workflow(load.dag)
    with Engine.open(workflows=[flow], roles=options.roles[child.index]) as engine:
        if options.roles[child.index]:
            _see_shards_shared_out(url, options.shards)
        child.stand_by()
        with sampled(wanted=options.profile) as samples:
            if child.index + 1 == child.count:
                submit = partial(engine.submit_many, flow)
                submit_all(child, submit, load, url, options.open_tasks)
            child.halt.wait()
    shares = {"shares": samples.shares()} if options.profile else {}
    child.report({"peak_rss_mb": harness.peak_rss_mb(), **shares})


def _see_shards_shared_out(url: str, shards: int) -> None:
    """Wait until each shard is led by another process. Raises RuntimeError where none come to."""
    deadline = time.monotonic() + SHARED_OUT_SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(LEADERS).fetchone() != (shards,):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{shards} shards are not led by {shards} processes")
            time.sleep(harness.POLL_SECONDS)


def _latencies(connection: psycopg.Connection, steps: int, *, burst: bool) -> list[float]:
    """Seconds that each task took; in a `burst`, from the first creation of all to its end.

    Raises RuntimeError where the log does not hold all of them.
    """
    completed = connection.execute(COMPLETED_STEPS).fetchone()
    if completed != (steps, steps):
        raise RuntimeError(f"{completed} steps are complete (all, distinct), not {steps}")
    query = SINCE_THE_FIRST if burst else LATENCIES
    return [seconds for (seconds,) in connection.execute(query)]


def run(  # noqa: PLR0913 - what can be varied, by name
    server_url: str,
    load: BackgroundLoad,
    *,
    together: bool = False,
    open_tasks: int | None = None,
    profile: bool = False,
    readiness: bool = True,
    burst: bool = False,
) -> harness.Figures:
    """Run the load; with no worker processes, the coordinator's process does all the work.

    `together`: as many processes as workers, each with all roles and a shard to lead.
    Without `readiness` the rows of steps are not written, which shows what they cost. In a `burst`
    the latency of each task counts from the first creation of all.

    The reports are objects with `peak_rss_mb`, and `shares` of time where a profile is asked for:
    of the coordinator, of each worker, of the submitter.
    """
    all_roles = ["coordinator", "worker"]
    apart = [["coordinator"], *[["worker"]] * load.workers, []]
    together = together or not load.workers
    processes = max(1, load.workers)
    roles = [*[all_roles] * processes, []] if together else apart
    with harness.database(server_url, "flowledger_bench_ours") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
            if not readiness:
                connection.execute(NO_READINESS)
        shards = processes if together else 1
        options = Options(roles, open_tasks or load.tasks, profile, shards)
        crew = harness.Crew(_process, len(roles), (url, load, options))
        return harness.measure(
            url,
            crew,
            load,
            lambda connection, _: _latencies(connection, load.steps, burst=burst),
        )
