"""What an engine asks of its database when there is nothing to do.

For each set of roles: commits a second, and round trips a second, of processes that run and are
given nothing. A run that ends at once is taken off, so that opening and closing do not count.
Beside them, as the reference of the same run, one connection that asks `select 1` once a second:
what is counted there is 1 (on a server of one's own autovacuum counts, too). Prints one line of
JSON.

    python benchmarks/idle.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import harness
import psycopg
import shapes
from ours import workflow

from flowledger.engine import Engine
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.schema.migrate import migrate

SECONDS, QUICK_SECONDS = 30.0, 1.0
REST_SECONDS = 2.0
"""After opening, until what is done once is done."""

QUICK = ("all",)
ROLES: dict[str, list[list[str]]] = {
    "coordinator": [["coordinator"]],
    "worker": [["worker"]],
    "projector": [["projector"]],
    "all": [["coordinator", "worker", "projector"]],
    "all_twice": [["coordinator", "worker", "projector"]] * 2,
}


def _process(child: harness.Child, url: str, roles: list[list[str]], seconds: float) -> None:
    """Run the roles and do nothing, for so long."""
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    asked = _counted()
    with Engine.open(workflows=[workflow(shapes.named("linear"))], roles=roles[child.index]):
        child.stand_by()
        time.sleep(REST_SECONDS)
        before = asked[0]
        time.sleep(seconds)
        child.report(asked[0] - before)


def _reference(child: harness.Child, url: str, seconds: float) -> None:
    """One statement a second, for so long."""
    with psycopg.connect(url, autocommit=True) as connection:
        child.stand_by()
        for _ in range(round(seconds)):
            connection.execute("select 1")
            time.sleep(1.0)
        child.report(round(seconds))


def _counted() -> list[int]:
    """The round trips of all sessions of this process from now on, as they are made."""
    asked, wait = [0], Session.wait

    def counted(self: Session, *arguments: Any, **options: Any) -> Any:
        asked[0] += 1
        return wait(self, *arguments, **options)

    Session.wait = counted  # type: ignore[method-assign]
    return asked


def counted(url: str, crew: harness.Crew) -> tuple[int, int]:
    """The commits of the crew's processes until they have left, and what they report together."""
    with psycopg.connect(url, autocommit=True) as connection:
        before = harness.counters(connection)[0]
        with crew:
            crew.go.set()
            reports = crew.dismiss()
        return harness.settled_counters(connection)[0] - before, sum(reports)


def a_second(url: str, crew_for: Any, seconds: float) -> dict[str, float]:
    """Commits and round trips a second, without what opening and closing cost."""
    still = counted(url, crew_for(0.0))
    run = counted(url, crew_for(seconds))
    return {
        "commits_per_s": round((run[0] - still[0]) / seconds, 2),
        "round_trips_per_s": round((run[1] - still[1]) / seconds, 2),
    }


def be_still(server_url: str) -> None:
    """Nothing commits on the server but who is measured: autovacuum counts, too."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")


def run(server_url: str, names: Iterable[str], seconds: float) -> dict[str, Any]:
    """Everything, as one object."""
    with harness.database(server_url, "flowledger_bench_idle") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        found = {name: a_second(url, partial(_crew, url, ROLES[name]), seconds) for name in names}
        reference = a_second(url, partial(_reference_crew, url), seconds)
    return {"seconds": seconds, **found, "reference": reference}


def _crew(url: str, roles: list[list[str]], seconds: float) -> harness.Crew:
    return harness.Crew(_process, len(roles), (url, roles, seconds))


def _reference_crew(url: str, seconds: float) -> harness.Crew:
    return harness.Crew(_reference, 1, (url, seconds))


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    args = parser.parse_args()
    with harness.postgres(args.database_url) as url:
        if args.database_url is None:
            be_still(url)
        found = run(url, *((QUICK, QUICK_SECONDS) if args.quick else (ROLES, args.seconds)))
        print(json.dumps({**found, **harness.surroundings(url, {})}))


if __name__ == "__main__":
    main()
