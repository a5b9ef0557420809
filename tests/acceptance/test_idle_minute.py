"""What the log of a server says of a minute in which an engine has nothing to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from time import sleep

import psycopg
import pytest

from flowledger.engine.store.embedded.temporary import temporary_server
from flowledger.engine.store.schema.migrate import migrate
from support.periodic_questions import functions, periodic_functions

SETTLED_SECONDS, SECONDS = 15.0, 60.0
ALL = "coordinator,worker,projector"
PROGRAM = """
import sys
from flowledger.engine import Engine
from flowledger.handlers import Workflow

flow = Workflow("idle", "flow", version="1")


@flow.step
def only() -> int:
    return 1


with Engine.open(workflows=[flow], roles=sys.argv[1].split(",")):
    print("up", flush=True)
    sys.stdin.read()
"""
LOGGED = re.compile(r"^([0-9]+)\|(\w*)\|LOG:  (?:statement|execute [^:]*): (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def told() -> Generator[tuple[str, Path]]:
    """A database on a server that writes down every statement, and the file."""
    with temporary_server(timeout_seconds=60) as server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute("alter system set autovacuum = off")
            admin.execute("alter system set log_statement = 'all'")
            admin.execute("alter system set log_line_prefix = '%p|%a|'")
            admin.execute("select pg_reload_conf()")
            migrate(admin)
        yield server.url, server.data / "server.log"


@contextmanager
def running(url: str, roles: Sequence[str]) -> Generator[None]:
    """Processes with these roles."""
    environment = {"FLOWLEDGER_DATABASE__URL": url, "PATH": ""}
    with ExitStack() as opened:
        for names in roles:
            process = opened.enter_context(
                subprocess.Popen(  # noqa: S603 - a program of this file
                    [sys.executable, "-c", PROGRAM, names],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        yield


def transactions(logged: str) -> list[str]:
    """The first statement of each transaction that the engine has ended."""
    found = list[str]()
    lines = sorted(LOGGED.findall(logged), key=lambda line: int(line[0]))
    for _, of_session in groupby(lines, key=lambda line: line[0]):
        within = False
        for _, name, statement in of_session:
            said = statement.strip().upper()
            if name == "flowledger" and said not in {"COMMIT", "ROLLBACK"} and not within:
                found.append(statement)
            within = said == "BEGIN" or (within and said not in {"COMMIT", "ROLLBACK"})
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("roles", "a_second"),
    [
        pytest.param(["coordinator"], 1.0, id="a coordinator that leads"),
        pytest.param(["worker"], 0.5, id="a worker"),
        pytest.param(["projector"], 0.5, id="a projector"),
        pytest.param([ALL], 1.0, id="all in one process"),
        pytest.param([ALL, "coordinator"], 1.5, id="and a coordinator that leads nothing"),
        pytest.param([ALL, "worker"], 1.5, id="and a worker"),
        pytest.param([ALL, "projector"], 1.5, id="and a projector"),
    ],
)
def test_an_idle_engine_ends_few_transactions(
    told: tuple[str, Path], roles: Sequence[str], a_second: float
) -> None:
    url, log = told
    with running(url, roles):
        sleep(SETTLED_SECONDS)  # what is done for a while after something happened
        before = log.stat().st_size
        sleep(SECONDS)
        with log.open(encoding="utf-8") as lines:
            lines.seek(before)
            found = transactions(lines.read())

    assert functions(" ".join(found)) <= periodic_functions()
    assert 0 < len(found) <= a_second * SECONDS, json.dumps(sorted(found), indent=1)
