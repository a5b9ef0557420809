"""What an engine asks of its database when there is nothing to do.

For each set of roles: commits and statements a second of processes that run and are given nothing,
and of flowledger the round trips to the server. A run that ends at once is taken off, so that
opening and closing do not count. Statements are those in the log of the server, `begin` and
`commit` among them; null where it is not a server of one's own. The peers that store in Postgres
wait for work as their workers do by default. `reference` is one connection that asks `select 1`
once a second: what is counted there is 1 (on a server of one's own autovacuum counts, too). Prints
one line of JSON for each.

    python benchmarks/idle.py --seconds 60 --peer all
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import contestants
import harness
import psycopg
import shapes
from contestants import OURS, Contestants
from ours import workflow

from flowledger.engine import Engine
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.schema.migrate import migrate

SECONDS, QUICK_SECONDS = 30.0, 1.0
REST_SECONDS = 2.0
"""After opening, until what is done once is done."""

DATABASE = "flowledger_bench_idle"
STATEMENT = re.compile(
    rb"^%s LOG:  (?:statement|execute [^:]*): " % DATABASE.encode(), re.MULTILINE
)
QUICK = ("all",)
NOT_IN_POSTGRES = ("restate",)
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


def _peer(child: harness.Child, url: str, name: str, seconds: float) -> None:
    """A peer's worker that waits for work, for so long."""
    with import_module(f"peers.{name}_peer").waiting(url):
        child.stand_by()
        time.sleep(REST_SECONDS + seconds)
    child.report(0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a server in some time."""

    commits: int
    round_trips: int
    statements: int | None

    def a_second(self, still: Asked, seconds: float) -> dict[str, float | None]:
        """More than `still`, in so many seconds."""
        logged = None
        if self.statements is not None and still.statements is not None:
            logged = round((self.statements - still.statements) / seconds, 2)
        return {
            "commits_per_s": round((self.commits - still.commits) / seconds, 2),
            "statements_per_s": logged,
            "round_trips_per_s": round((self.round_trips - still.round_trips) / seconds, 2),
        }


def statements(log: Path | None) -> int | None:
    """How many the server has logged for the database; None where nobody can read its log."""
    return len(STATEMENT.findall(log.read_bytes())) if log else None


def counted(url: str, log: Path | None, crew: harness.Crew) -> Asked:
    """What the crew's processes ask until they have left."""
    with psycopg.connect(url, autocommit=True) as connection:
        before, logged = harness.counters(connection)[0], statements(log)
        with crew:
            crew.go.set()
            reports = crew.dismiss()
        more = None if logged is None else (statements(log) or 0) - logged
        return Asked(harness.settled_counters(connection)[0] - before, sum(reports), more)


def a_second(
    url: str, log: Path | None, crew_for: Callable[[float], harness.Crew], seconds: float
) -> dict[str, float | None]:
    """What is asked a second, without what opening and closing cost."""
    still = counted(url, log, crew_for(0.0))
    return counted(url, log, crew_for(seconds)).a_second(still, seconds)


def be_still(server_url: str) -> Path | None:
    """Nothing commits on the server but who is measured, and it logs each statement: its log."""
    settings = {"autovacuum": "off", "log_statement": "all", "log_line_prefix": "%d "}
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"alter system set {name} = '{value}'")
        connection.execute("select pg_reload_conf()")
        row = connection.execute("show data_directory").fetchone()
    log = Path(row[0]) / "server.log" if row else None
    return log if log and log.exists() else None


def ours(
    server_url: str, log: Path | None, args: argparse.Namespace
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, roles and figures of each set of roles, and of the reference."""
    with harness.database(server_url, DATABASE) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        for name in QUICK if args.quick else ROLES:
            crew_for = partial(_crew, url, ROLES[name])
            yield OURS, name, a_second(url, log, crew_for, args.seconds)
        reference = a_second(url, log, partial(_reference_crew, url), args.seconds)
        yield "reference", "one connection", reference


def peer(server_url: str, log: Path | None, name: str, seconds: float, module: Any) -> Any:
    """Figures of a peer's worker."""
    with harness.database(server_url, DATABASE) as url:
        module.install(url)
        found = a_second(url, log, partial(_peer_crew, url, name), seconds)
    return {**found, "round_trips_per_s": None}


def everyone(
    url: str, log: Path | None, args: argparse.Namespace, peers: Contestants
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, roles and figures of everybody who can be counted."""
    yield from ours(url, log, args)
    for name in peers.names:
        if name not in NOT_IN_POSTGRES:
            measure = partial(peer, url, log, name, args.seconds)
            if found := peers.measured(name, measure):
                yield name, "worker", found


def _crew(url: str, roles: list[list[str]], seconds: float) -> harness.Crew:
    return harness.Crew(_process, len(roles), (url, roles, seconds))


def _reference_crew(url: str, seconds: float) -> harness.Crew:
    return harness.Crew(_reference, 1, (url, seconds))


def _peer_crew(url: str, name: str, seconds: float) -> harness.Crew:
    return harness.Crew(_peer, 1, (url, name, seconds))


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
        log = be_still(url) if args.database_url is None else None
        surroundings = harness.surroundings(url, contestants.versions(peers.names))
        for engine, roles, found in everyone(url, log, args, peers):
            named = {"benchmark": "idle", "engine": engine, "roles": roles}
            shown = {**named, "seconds": args.seconds, **found, **surroundings}
            print(json.dumps(shown), flush=True)
    sys.exit(peers.exit_code())


if __name__ == "__main__":
    main()
