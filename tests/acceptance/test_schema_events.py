"""Who changes the schema, rights and time of the engine is in the log, and why."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowledger.engine.config import Settings
from flowledger.engine.errors import InvalidRequest
from flowledger.engine.events import ClockMoved, EngineEvent, RightsGranted, SchemaMigrated
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.engine.store.schema.grants import grant, grants_of
from flowledger.engine.store.schema.startup_migration import bring_up_to_date
from flowledger.projections.builtin.audit import Audit
from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts, hosts_on

LOSE = "delete from flowledger.applied_file where path = any(%s)"
FILES = ("functions/log/clock.sql", "v1/views/tasks.sql")
ACTIONS = (
    "select action, subject, actor, reason from flowledger_v1.operator_actions order by position"
)


@pytest.fixture
def hosts(harness: EngineHarness) -> Generator[ProjectionHosts]:
    with hosts_on(harness) as found:
        yield found


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def told(hosts: ProjectionHosts) -> list[EngineEvent]:
    """All that was done to the engine."""
    return [one.event for one in EngineLog().events(hosts.pool())]


def test_who_moves_the_time_is_named_with_how_far(
    hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    harness.rows("select flowledger.advance_test_clock('1 hour', 'ann', 'the end of the month')")
    harness.rows("update flowledger.clock_offset set shift = '-1 min'")
    harness.rows("update flowledger.clock_offset set shift = shift")

    moves = told(hosts)

    login = harness.value("select session_user::text")
    assert all(type(move) is ClockMoved for move in moves)
    fields = ("actor", "reason", "by_seconds", "ahead_seconds")
    assert [tuple(getattr(move, name) for name in fields) for move in moves] == [
        ("ann", "the end of the month", 3600, 3600),
        (login, "clock_offset was written", -3660, -60),
    ]
    first, second = (move.occurred_at for move in moves)
    assert (first - second).total_seconds() == pytest.approx(3660, abs=PATIENCE)


def test_what_a_database_is_made_with_is_no_event_and_what_it_becomes_is(
    empty_database: str, hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    bring_up_to_date(empty_database, Settings.load(database={"url": empty_database}))
    with psycopg.connect(empty_database) as fresh:
        assert fresh.execute("select count(*) from flowledger.event").fetchone() == (0,)
    harness.rows(LOSE, [*FILES])

    for _ in range(2):
        bring_up_to_date(harness.url, harness.settings())

    (event,) = told(hosts)
    assert isinstance(event, SchemaMigrated)
    assert (event.actor, event.release, event.files) == ("engine", version("flowledger"), FILES)
    assert event.reason == "the schema was not that of this release"


def test_the_log_of_an_older_schema_tells_its_migration(
    hosts: ProjectionHosts, command: Command, harness: EngineHarness
) -> None:
    harness.rows(LOSE, [*FILES])

    command("db", "migrate", "--reason", "ticket 7", "--actor", "ann")

    (event,) = told(hosts)
    assert (type(event), event.actor, event.reason) == (SchemaMigrated, "ann", "ticket 7")


def test_who_gives_a_reason_that_is_not_recorded_is_told_so(
    hosts: ProjectionHosts, command: Command, harness: EngineHarness, empty_database: str
) -> None:
    said = "the reason is not recorded: only what is done to a schema that was there is\n"
    nothing = command("db", "migrate", "--reason", "ticket 7")
    command.environment["FLOWLEDGER_DATABASE__URL"] = empty_database
    first = command("db", "migrate", "--reason", "ticket 7", "--json")

    assert (nothing.code, nothing.error) == (0, said)
    assert (first.code, first.error) == (0, said)
    assert first.value["applied"]
    assert told(hosts) == []
    assert command("db", "migrate").error == ""


def test_a_migration_for_no_reason_changes_nothing(
    hosts: ProjectionHosts, command: Command, harness: EngineHarness
) -> None:
    harness.rows(LOSE, [*FILES])

    refused = command("db", "migrate", "--reason", " ")

    assert refused.code != 0
    assert "schema.migrated: reason" in refused.error
    assert command("db", "check").code == 1
    assert told(hosts) == []


def test_rights_are_granted_by_somebody(hosts: ProjectionHosts, command: Command) -> None:
    command("db", "grants", "reader")
    done = command(
        "db", "grants", "reader", "worker", "--apply", "--reason", "logins", "--actor", "ann"
    )

    assert done.code == 0, done.error
    found = told(hosts)
    assert all(isinstance(event, RightsGranted) for event in found)
    assert [(event.actor, event.role) for event in found if isinstance(event, RightsGranted)] == [
        ("ann", "flowledger_reader"),
        ("ann", "flowledger_worker"),
    ]


@pytest.mark.parametrize("word", [{"actor": ""}, {"reason": " "}])
def test_rights_that_nobody_asks_for_are_not_granted(
    hosts: ProjectionHosts, harness: EngineHarness, word: Any
) -> None:
    with psycopg.connect(harness.url, autocommit=True) as connection:
        statements = ["create role x", "create table public.granted ()"]
        with pytest.raises(InvalidRequest, match=r"rights\.granted"):
            grant(connection, "reader", statements, **{**WORD, **word})
        assert grants_of(connection, "reader")

    assert harness.value("select to_regclass('public.granted')") is None
    assert told(hosts) == []


def test_all_of_it_is_told_in_words(
    hosts: ProjectionHosts, command: Command, harness: EngineHarness
) -> None:
    engine = hosts.engine(builtin=True)
    harness.rows("select flowledger.advance_test_clock('90 min', 'ann', 'a test')")
    harness.rows("select flowledger.advance_test_clock('-2 h', 'ann', 'a test')")
    harness.rows("select flowledger.advance_test_clock('30 min', 'ann', 'a test')")
    command("db", "grants", "reader", "--apply", "--reason", "a login", "--actor", "bob")
    harness.rows(LOSE, [*FILES])
    command("db", "migrate", "--actor", "cyd")
    engine.projections.wait_for(Audit.name, timeout=PATIENCE)

    behind = "the schema was not that of this release"
    files = " and ".join(FILES)
    schema = f"schema of release {version('flowledger')}: {files}"
    moved = [
        "forward by 1 h 30 min, so that it is 1 h 30 min ahead",
        "back by 2 h, so that it is 30 min behind",
        "forward by 30 min, so that it is the server's",
    ]
    assert harness.rows(ACTIONS) == [
        *(
            ("clock.move", f"the engine's time moved {how}: a test", "ann", "a test")
            for how in moved
        ),
        ("rights.grant", "rights of flowledger_reader granted: a login", "bob", "a login"),
        ("schema.migrate", f"{schema}: {behind}", "cyd", behind),
    ]
    said = command("history", "--engine").out
    assert "the engine's time moved back by 2 h, so that it is 30 min behind: a test  [ann]" in said
    assert f"{schema}: {behind}  [cyd]" in said
    assert list(engine.verify()) == []
