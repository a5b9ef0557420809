"""What the public SQL functions cost as the number of tasks grows.

For each size a database of its own is filled with a mix of tasks (see mix.py). Each function is
called in a loop on the server, as its users call it, for tasks drawn by lot; the first round only
warms up. Prints one line of JSON: microseconds a call (median, 95th percentile), shared buffers
touched by one call, how both grow from the smallest size to the largest, and the figures to beat.

    python benchmarks/sql.py
    python benchmarks/sql.py --sizes 5000 50000 --events
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import UUID

import harness
import psycopg
from mix import Mix, workflows

from flowledger.engine import Engine
from flowledger.engine.store.schema.migrate import migrate

SIZES = (5_000, 50_000, 500_000)
QUICK_SIZES = (200, 400)
MOST_WITH_EVENTS = 50_000
CALLS = 500
EXPLAINED = 25

FUNCTIONS = {
    "step_readiness": "select * from flowledger_v1.step_readiness({task})",
    "task_execution_context": "select * from flowledger_v1.task_execution_context({task})",
    "ready_tasks": "select * from flowledger_v1.ready_tasks(5)",
    "system_health": "select * from flowledger_v1.system_health()",
    "analytics": "select * from flowledger_v1.analytics('1 hour')",
}
TO_BEAT = {
    "step_readiness": {"us": [195, 376]},
    "task_execution_context": {"us": [146, 426]},
    "ready_tasks": {"us": {"5000": 4_300, "50000": 42_000}},
    "system_health": {"us": {"5000": 12_000, "50000": 222_000}},
}
LOOP = """
create function pg_temp.timed(p_tasks uuid[]) returns double precision[]
language plpgsql
as $$
declare
    v_task uuid;
    v_start timestamptz;
    v_taken double precision[] := '{{}}';
begin
    foreach v_task in array p_tasks loop
        v_start := clock_timestamp();
        perform {call};
        v_taken := array_append(
            v_taken, extract(epoch from clock_timestamp() - v_start)::float8 * 1000000
        );
    end loop;
    return v_taken;
end
$$
"""
EXISTS = "select to_regproc(%s) is not null"


def measure(url: str, tasks: Sequence[UUID]) -> dict[str, dict[str, Any]]:
    """Every function that there is, called for these tasks."""
    found = {}
    for name, query in FUNCTIONS.items():
        # A session of its own, so that every function meets the same cold plans.
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute(EXISTS, (f"flowledger_v1.{name}",)).fetchone() == (True,):
                found[name] = {
                    **_timed(connection, query, tasks),
                    **_touched(connection, query, tasks),
                }
    return found


def _timed(connection: psycopg.Connection, query: str, tasks: Sequence[UUID]) -> dict[str, Any]:
    call = query.removeprefix("select ").format(task="v_task")
    connection.execute(LOOP.format(call=call).encode())
    for _ in range(2):
        row = connection.execute("select pg_temp.timed(%s)", ([*tasks],)).fetchone()
    ((taken,),) = (row or ((),),)
    ranked = sorted(taken)
    return {"us": round(median(ranked), 1), "p95_us": round(ranked[int(0.95 * len(ranked))], 1)}


def _touched(connection: psycopg.Connection, query: str, tasks: Sequence[UUID]) -> dict[str, Any]:
    asked = "explain (analyze, buffers, format json) " + query.format(task="%s::uuid")
    found = []
    for task in tasks[:EXPLAINED]:
        parameters = (task,) if "{task}" in query else ()
        row = connection.execute(asked.encode(), parameters, prepare=False).fetchone()
        plan = (row or ([{}],))[0][0]["Plan"]
        found.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    # The first calls of a session also read the catalogue.
    return {"buffers": round(median(found[len(found) // 2 :]))}


def run(server_url: str, size: int, *, with_events: bool) -> dict[str, Any]:
    """One size: fill a database, and measure."""
    with harness.database(server_url, "flowledger_bench_sql") as url:
        started = time.perf_counter()
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        mix = Mix(size, with_events=with_events)
        _register(url)
        with psycopg.connect(url, autocommit=True) as connection:
            mix.copy(connection)
            connection.execute("checkpoint")
        filled = round(time.perf_counter() - started, 1)
        drawn = random.Random(11).choices(mix.ids, k=min(CALLS, size))  # noqa: S311 - the same
        return {"with_events": with_events, "fill_s": filled, **measure(url, drawn)}


def _register(url: str) -> None:
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    with Engine.open(workflows=workflows(), roles=[]):
        pass


def growth(found: dict[int, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By how much each function's figures at the largest size exceed those at the smallest."""
    small, large = found[min(found)], found[max(found)]
    return {
        name: {key: round(large[name][key] / small[name][key], 2) for key in ("us", "buffers")}
        for name in FUNCTIONS
        if name in small and small[name]["buffers"]
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of tasks")
    parser.add_argument(
        "--events", action="store_true", help=f"fill the log too, up to {MOST_WITH_EVENTS} tasks"
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


def main() -> None:
    """One line of JSON."""
    args = arguments()
    sizes = QUICK_SIZES if args.quick else args.sizes
    events_wanted = args.events or args.quick
    with harness.postgres(args.database_url) as url:
        found = {
            size: run(url, size, with_events=events_wanted and size <= MOST_WITH_EVENTS)
            for size in sizes
        }
        line = {"sizes": found, "growth": growth(found), "to_beat": TO_BEAT}
        print(json.dumps({**line, **harness.surroundings(url, {"psycopg": psycopg.__version__})}))


if __name__ == "__main__":
    main()
