"""How long one step takes on an idle engine: a chain of eight, one task at a time.

`p50_ms` and `p95_ms` are the times from the start of a step to the start of the next, as the steps
themselves noted them, all seven of each task; `task_p50_ms` and `task_p95_ms` are those of a whole
task, from the call that submits it until the caller has its result. Measured of flowledger with all
roles in one process, and with coordinator and worker in two (`processes`); of each peer in one
process, in its quickest way (see `peers`). Everyone has a turn in each run; shown are the medians
of the runs, and `runs` has each run's `p50_ms`. Prints one line of JSON for each.

    python benchmarks/latency.py --peer all --runs 5
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import contestants
import harness
import psycopg
import shapes
from contestants import OURS, Contestants
from ours import workflow
from shapes import BackgroundLoad

from flowledger.engine import Engine
from flowledger.engine.client.engine import Role
from flowledger.engine.store.schema.migrate import migrate

SHAPE = "linear"
TASKS, QUICK_TASKS, WARM_UP = 200, 5, 5
TIMEOUT_SECONDS = 30.0
PROCESSES: dict[str, list[list[Role]]] = {
    "one": [["coordinator", "worker"]],
    "apart": [["coordinator"], ["worker"]],
}
Line = dict[str, Any]


def _process(child: harness.Child, url: str, tasks: int, roles: list[list[Role]]) -> None:
    """The first process submits, and waits for each result before it submits again."""
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    flow = workflow(shapes.named(SHAPE))
    latencies = []
    with Engine.open(workflows=[flow], roles=roles[child.index]) as engine:
        child.stand_by()
        for number in range(tasks) if child.index == 0 else ():
            began = time.perf_counter()
            engine.submit(flow, {"number": number}).result(timeout=TIMEOUT_SECONDS)
            latencies.append(time.perf_counter() - began)
            child.end()
        child.halt.wait()
    child.report({"latencies": latencies, "peak_rss_mb": harness.peak_rss_mb()})


def ours(server_url: str, tasks: int, roles: list[list[Role]]) -> harness.Figures:
    """One task at a time, in that many processes."""
    with harness.database(server_url, "flowledger_bench_latency") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        crew = harness.Crew(_process, len(roles), (url, tasks, roles))
        load = BackgroundLoad(SHAPE, tasks, len(roles))
        return harness.measure(url, crew, load, lambda _, reports: reports[0]["latencies"])


def between_starts(starts: Sequence[float], steps: int) -> list[float]:
    """Seconds from each step's start to the next one's, within each task of so many steps."""
    tasks = (starts[first : first + steps] for first in range(0, len(starts), steps))
    return [later - sooner for task in tasks for sooner, later in pairwise(task)]


def times(figures: harness.Figures) -> Line:
    """A run's times, without those of the tasks that warm up.

    Raises Uncounted where a step was started twice: nobody knows then which starts make a task.
    """
    steps = shapes.named(SHAPE).steps
    if len(figures.starts) != figures.steps:
        raise harness.Uncounted(f"{len(figures.starts)} starts of {figures.steps} steps")
    gaps = between_starts(figures.starts[WARM_UP * steps :], steps)
    whole = figures.latencies[WARM_UP:]
    return {
        "p50_ms": harness.milliseconds(gaps, 0.5),
        "p95_ms": harness.milliseconds(gaps, 0.95),
        "task_p50_ms": harness.milliseconds(whole, 0.5),
        "task_p95_ms": harness.milliseconds(whole, 0.95),
    }


def runs(url: str, tasks: int, count: int, peers: Contestants) -> dict[tuple[str, str], list[Line]]:
    """Everyone's times in each of so many runs, by name and processes."""
    found: dict[tuple[str, str], list[Line]] = {}
    for _ in range(count):
        for key, told in _run(url, tasks + WARM_UP, peers):
            found.setdefault(key, []).append(told)
    return found


def _run(url: str, tasks: int, peers: Contestants) -> Iterator[tuple[tuple[str, str], Line]]:
    for processes, roles in PROCESSES.items():
        yield (OURS, processes), times(ours(url, tasks, roles))
    load = BackgroundLoad(SHAPE, tasks, 1)
    for name in peers.names:
        if told := peers.measured(name, lambda peer: times(peer.one_at_a_time(url, load))):
            yield (name, "one"), told


def line(name: str, processes: str, tasks: int, found: Sequence[Line]) -> Line:
    """The medians of a contestant's runs."""
    medians = {key: round(median(run[key] for run in found), 3) for key in found[0]}
    return {
        "benchmark": "latency",
        "engine": name,
        "processes": processes,
        "shape": SHAPE,
        "tasks": tasks,
        **medians,
        "runs": [run["p50_ms"] for run in found],
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=TASKS)
    contestants.add_argument(parser)
    parser.add_argument("--runs", type=int, default=1, help="the medians of so many are shown")
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


def main() -> None:
    """One line of JSON for each contestant."""
    args = arguments()
    peers = Contestants(args.peer)
    tasks = QUICK_TASKS if args.quick else args.tasks
    with harness.postgres(args.database_url) as url:
        surroundings = harness.surroundings(url, contestants.versions(peers.names))
        for (name, processes), found in runs(url, tasks, args.runs, peers).items():
            print(json.dumps({**line(name, processes, tasks, found), **surroundings}), flush=True)
    sys.exit(peers.exit_code())


if __name__ == "__main__":
    main()
