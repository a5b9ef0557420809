"""How long ten tasks of one tenant wait behind thousands of another, with turns and without.

Many tasks are submitted for one tenant; when the coordinator has begun with them, ten are for
another. All steps do nothing. Prints one line of JSON: seconds from the second submission until its
ten tasks have ended, for a workflow with a fairness key and for the same one without, each in a new
database of the same Postgres, and the steps a second of each run as a whole.

    python benchmarks/fairness.py --tasks 5000 --workers 2
"""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import closing
from typing import Any

import harness
import psycopg
import shapes

from flowledger.engine import Engine
from flowledger.engine.store.schema.migrate import migrate
from flowledger.handlers import Workflow

TEN = 10
BY_AGE, IN_TURN = "by_age", "in_turn"
MANY, OTHER = {"tenant": "many"}, {"tenant": "other"}
BEGUN = "select exists (select from flowledger.event where topic = 'step.completed')"
ENDED = "select count(*) from flowledger.event where topic = 'task.completed'"
TEN_ENDED = """
select extract(epoch from max(ended.recorded_at) - min(created.recorded_at))::float8
from flowledger.event created
join flowledger.event ended on ended.originator_id = created.originator_id
where created.topic = 'task.created' and ended.topic = 'task.completed'
and created.originator_id = any(%s)
"""
RUN = """
select count(*) filter (where topic = 'step.completed')
    / extract(epoch from max(recorded_at) - min(recorded_at))::float8
from flowledger.event
where topic in ('task.created', 'step.completed', 'task.completed')
"""


def workflow(shape: shapes.Shape, *, fair: bool) -> Workflow[dict[str, Any]]:
    """The shape as a workflow whose steps do nothing."""
    turns = {"key": "tenant"} if fair else None
    made = Workflow(shapes.NAMESPACE, shape.name, version="1", fairness=turns)
    for name in (name for wave in shape.waves() for name in wave):
        made.step(after=shape.parents[name], name=name)(shapes.no_operation)
    return made


def _process(child: harness.Child, url: str, shape: shapes.Shape, tasks: int, turns: str) -> None:
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    flow = workflow(shape, fair=turns == IN_TURN)
    roles: list[Any] = [] if child.index + 1 == child.count else ["worker"]
    with Engine.open(
        workflows=[flow], roles=["coordinator"] if not child.index else roles
    ) as engine:
        child.stand_by()
        if child.index + 1 == child.count:
            engine.submit_many(flow, [MANY] * tasks)
            with closing(psycopg.connect(url, autocommit=True)) as connection:
                while not _value(connection, BEGUN):
                    time.sleep(harness.POLL_SECONDS)
            behind = engine.submit_many(flow, [OTHER] * TEN)
            child.report([str(task.id) for task in behind])
            for task in behind:
                task.wait()
                child.end()
        else:
            child.report(None)
        child.halt.wait()


def _value(connection: psycopg.Connection, query: str, *parameters: Any) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def run(
    server_url: str, shape: shapes.Shape, tasks: int, workers: int, turns: str
) -> dict[str, Any]:
    """The figures of one run."""
    with (
        harness.database(server_url, "flowledger_bench_fairness") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        migrate(connection)
        with harness.Crew(_process, workers + 2, (url, shape, tasks, turns)) as crew:
            crew.go.set()
            crew.wait(TEN)
            while _value(connection, ENDED) < tasks + TEN:
                crew.check()
                time.sleep(0.1)
            behind = crew.dismiss()[-1]
        seconds, rate = _value(connection, TEN_ENDED, behind), _value(connection, RUN)
    return {"ten_ended_after_s": round(seconds, 3), "steps_per_s": round(rate, 1)}


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shape", default="diamond", help=f"{', '.join(shapes.SHAPES)}, or a file")
    parser.add_argument("--tasks", type=int, default=5_000, help="of the tenant with many")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    args = parser.parse_args()
    shape = shapes.named(args.shape)
    with harness.postgres(args.database_url) as url:
        figures = {
            turns: run(url, shape, args.tasks, args.workers, turns) for turns in (BY_AGE, IN_TURN)
        }
        told = {"shape": shape.name, "tasks": args.tasks, "workers": args.workers, **figures}
        print(json.dumps({**told, **harness.surroundings(url, {})}))


if __name__ == "__main__":
    main()
