"""How long one step takes on an idle engine: a chain of eight, one task at a time.

A step's time is the whole task's, from the call of submit to the result, divided by eight. Measured
with all roles in one process, with coordinator and worker in two, and beside DBOS's steps in its
workflow's process (`--peer dbos`; before and after ours). Prints one line of JSON; `p50_ms`,
`p95_ms` and `ratio_to_dbos` (DBOS's p50 divided by ours: above 1, ours is quicker) are those of one
process.

    python benchmarks/latency.py --peer dbos
"""

from __future__ import annotations

import argparse
import json
import os
import time
from importlib import import_module
from typing import Any

import harness
import psycopg
import shapes
from ours import workflow
from shapes import BackgroundLoad

from flowledger.engine import Engine
from flowledger.engine.store.schema.migrate import migrate

SHAPE = "linear"
TASKS, QUICK_TASKS, WARM_UP = 200, 5, 5
TIMEOUT_SECONDS = 30.0
ONE_PROCESS = [["coordinator", "worker"]]
TWO_PROCESSES = [["coordinator"], ["worker"]]


def _process(child: harness.Child, url: str, tasks: int, roles: list[list[str]]) -> None:
    """The first process submits, and waits for each result before it submits again."""
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    flow = workflow(shapes.named(SHAPE))
    latencies = []
    with Engine.open(workflows=[flow], roles=roles[child.index]) as engine:
        child.stand_by()
        for number in range(WARM_UP + tasks) if child.index == 0 else ():
            began = time.perf_counter()
            engine.submit(flow, {"number": number}).result(timeout=TIMEOUT_SECONDS)
            latencies.append(time.perf_counter() - began)
            child.end()
        child.halt.wait()
    child.report({"latencies": latencies[WARM_UP:], "peak_rss_mb": harness.peak_rss_mb()})


def ours(server_url: str, tasks: int, roles: list[list[str]]) -> harness.Figures:
    """One task at a time, in that many processes."""
    with harness.database(server_url, "flowledger_bench_latency") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        crew = harness.Crew(_process, len(roles), (url, tasks, roles))
        load = BackgroundLoad(SHAPE, tasks + WARM_UP, len(roles))
        return harness.measure(url, crew, load, lambda _, reports: reports[0]["latencies"])


def dbos(server_url: str, tasks: int) -> harness.Figures:
    """One workflow at a time, by DBOS's quicker way: asynchronous or on a thread."""
    peer = import_module("peers.dbos_peer")
    found = [
        peer.run(server_url, BackgroundLoad(SHAPE, tasks, 1), 1, way)
        for way in ("threads", "async")
    ]
    return min(found, key=lambda figures: figures.line()["p50_ms"])


def per_step(figures: harness.Figures) -> dict[str, Any]:
    """The figures, with the times of a task divided by its steps."""
    steps = shapes.named(SHAPE).steps
    line = figures.line()
    return {**line, **{key: round(line[key] / steps, 3) for key in ("p50_ms", "p95_ms")}}


def ours_line(server_url: str, tasks: int, roles: list[list[str]]) -> dict[str, Any]:
    """flowledger's figures, in that many processes."""
    figures = ours(server_url, tasks, roles)
    peaks = [report["peak_rss_mb"] for report in figures.reports]
    return {**per_step(figures), "peak_rss_mb": max(peaks)}


def run(url: str, args: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one object."""
    tasks = QUICK_TASKS if args.quick else args.tasks
    peers = [dbos(url, tasks)] if args.peer else []
    one, two = (ours_line(url, tasks, roles) for roles in (ONE_PROCESS, TWO_PROCESSES))
    if args.peer and not args.quick:
        peers.append(dbos(url, tasks))
    lines = [per_step(peer) for peer in peers]
    mean = sum(line["p50_ms"] for line in lines) / len(lines) if lines else None
    ratio = round(mean / one["p50_ms"], 3) if mean else None
    shown = {"shape": SHAPE, "tasks": tasks, **one, "two_processes": two, "ratio_to_dbos": ratio}
    return {**shown, "dbos": lines}


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--peer", choices=("dbos",), action="append", default=[])
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    args = parser.parse_args()
    with harness.postgres(args.database_url) as url:
        surroundings = harness.surroundings(url, args.peer)
        print(json.dumps({**run(url, args), **surroundings}))


if __name__ == "__main__":
    main()
