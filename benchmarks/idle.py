"""What an engine asks of its database when there is nothing to do.

For each set of roles: commits and statements a second of processes that run and are given nothing,
and of flowledger the round trips to the server; counting begins when what is done once after
opening is done. Both are counted in the log of the server, `begin` and `commit` among the
statements; of a server that was given only its counters are known, which tell of commits up to ten
seconds late, autovacuum's among them. The peers that store in Postgres wait for work as their
workers do by default. `reference` is one connection that asks `select 1` once a second: what is
counted there is 1. Prints one line of JSON for each.

    python benchmarks/idle.py --seconds 60 --peer all
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import contestants
import harness
import psycopg
import server_log
import shapes
from contestants import OURS, Contestants
from ours import workflow

from flowledger.engine import Engine
from flowledger.engine.client.engine import Role
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.schema.migrate import migrate

SECONDS, QUICK_SECONDS = 30.0, 1.0
REST_SECONDS = 3.0
"""After opening, until what is done once is done."""

DATABASE = "flowledger_bench_idle"
QUICK = ("all",)
NOT_IN_POSTGRES = ("restate",)
COMMITS = "select xact_commit from pg_stat_database where datname = %s"
Line = dict[str, Any]
ROLES: dict[str, list[list[Role]]] = {
    "coordinator": [["coordinator"]],
    "worker": [["worker"]],
    "projector": [["projector"]],
    "all": [["coordinator", "worker", "projector"]],
    "all_twice": [["coordinator", "worker", "projector"]] * 2,
}


def _process(child: harness.Child, url: str, roles: list[list[Role]]) -> None:
    """Run the roles and do nothing until told to stop."""
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    asked = _counted()
    with Engine.open(workflows=[workflow(shapes.named("linear"))], roles=roles[child.index]):
        child.stand_by()
        time.sleep(REST_SECONDS)
        before = asked[0]
        child.halt.wait()
        child.report(asked[0] - before)


def _reference(child: harness.Child, url: str) -> None:
    """One statement a second until told to stop."""
    with psycopg.connect(url, autocommit=True) as connection:
        child.stand_by()
        while not child.halt.wait(1.0):
            connection.execute("select 1")
    child.report(0)


def _counted() -> list[int]:
    """The round trips of all sessions of this process from now on, as they are made."""
    asked, wait = [0], Session.wait

    def counted(self: Session, *arguments: Any, **options: Any) -> Any:
        asked[0] += 1
        return wait(self, *arguments, **options)

    Session.wait = counted  # type: ignore[method-assign]
    return asked


def _peer(child: harness.Child, url: str, name: str) -> None:
    """A peer's worker that waits for work until told to stop."""
    with import_module(f"peers.{name}_peer").waiting(url):
        child.stand_by()
        child.halt.wait()
    child.report(0)


@dataclass(frozen=True, slots=True)
class Meter:
    """What a server counts and logs of the benchmark's database, seen from another one."""

    server_url: str
    log: Path | None

    def read(self) -> tuple[int, int]:
        """Commits, and statements where the log can be read."""
        if self.log:
            return server_log.commits_and_statements(self.log, DATABASE)
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            row = connection.execute(COMMITS, [DATABASE]).fetchone()
        return int(row[0]) if row else 0, 0

    def a_second(self, crew: harness.Crew, seconds: float) -> Line:
        """What the crew's processes ask a second, once they are at rest."""
        with crew:
            crew.go.set()
            time.sleep(REST_SECONDS)
            before, since = self.read(), time.monotonic()
            time.sleep(seconds)
            after, passed = self.read(), time.monotonic() - since
            round_trips = sum(crew.dismiss())
        commits, statements = (later - sooner for sooner, later in zip(before, after, strict=True))
        return {
            "commits_per_s": round(commits / passed, 2),
            "statements_per_s": round(statements / passed, 2) if self.log else None,
            "round_trips_per_s": round(round_trips / passed, 2),
        }


def ours(meter: Meter, args: argparse.Namespace) -> Iterator[tuple[str, str, Line]]:
    """Name, roles and figures of each set of roles, and of the reference."""
    with harness.database(meter.server_url, DATABASE) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        for name in QUICK if args.quick else ROLES:
            crew = harness.Crew(_process, len(ROLES[name]), (url, ROLES[name]))
            yield OURS, name, meter.a_second(crew, args.seconds)
        reference = meter.a_second(harness.Crew(_reference, 1, (url,)), args.seconds)
        yield "reference", "one connection", {**reference, "round_trips_per_s": None}


def peer(meter: Meter, name: str, seconds: float, module: Any) -> Line:
    """Figures of a peer's worker."""
    with harness.database(meter.server_url, DATABASE) as url:
        module.install(url)
        found = meter.a_second(harness.Crew(_peer, 1, (url, name)), seconds)
    return {**found, "round_trips_per_s": None}


def everyone(
    meter: Meter, args: argparse.Namespace, peers: Contestants
) -> Iterator[tuple[str, str, Line]]:
    """Name, roles and figures of everybody who can be counted."""
    yield from ours(meter, args)
    for name in peers.names:
        if name not in NOT_IN_POSTGRES:
            measure = partial(peer, meter, name, args.seconds)
            if found := peers.measured(name, measure):
                yield name, "worker", found


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    contestants.add_argument(parser)
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    args = parser.parse_args()
    args.seconds = QUICK_SECONDS if args.quick else args.seconds
    return args


def main() -> None:
    """One line of JSON for each set of roles, the reference, and each peer."""
    args = arguments()
    peers = Contestants(args.peer)
    with harness.postgres(args.database_url) as url:
        meter = Meter(url, None if args.database_url else server_log.have_everything_logged(url))
        surroundings = harness.surroundings(url, contestants.versions(peers.names))
        for engine, roles, found in everyone(meter, args, peers):
            named = {"benchmark": "idle", "engine": engine, "roles": roles}
            shown = {**named, "seconds": args.seconds, **found, **surroundings}
            print(json.dumps(shown), flush=True)
    sys.exit(peers.exit_code())


if __name__ == "__main__":
    main()
