"""`flowledger db`: what a user types to see, prepare, start and stop the database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from flowledger.engine.cli.commands.db import db
from flowledger.engine.errors import InvalidConfiguration, SchemaBehind, StatementRefused
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.schema.migrate import packaged, script
from support.memory_folders import new_home

Flowledger = Callable[..., str]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The user's folder for the embedded database, which is stopped and removed after the test."""
    home = new_home()
    monkeypatch.chdir(home)
    monkeypatch.setenv("FLOWLEDGER_HOME", str(home))
    monkeypatch.setenv("FLOWLEDGER_EMBEDDED__FSYNC", "false")
    monkeypatch.delenv("FLOWLEDGER_DATABASE__URL", raising=False)
    yield home
    embedded.stop(home, timeout_seconds=60)
    shutil.rmtree(home)


@pytest.fixture
def flowledger() -> Flowledger:
    """Runs `flowledger db` with these arguments; what it printed."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(db, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_the_embedded_database_is_started_found_and_stopped(
    home: Path, flowledger: Flowledger
) -> None:
    first = json.loads(flowledger("start", "--json"))
    second = json.loads(flowledger("start", "--json"))

    assert first == {**second, "started": True}
    assert (second["started"], second["data"]) == (False, str(home / "postgres"))
    assert f"is running already: {first['url']}" in flowledger("start")
    assert flowledger("url").strip() == first["url"]
    assert json.loads(flowledger("stop", "--json")) == {"stopped": True}
    assert json.loads(flowledger("stop", "--json")) == {"stopped": False}
    assert flowledger("stop") == "the embedded database was not running\n"


def test_the_url_of_the_embedded_database_is_one_that_answers(
    home: Path, flowledger: Flowledger
) -> None:
    assert embedded.running(home) is None
    url = json.loads(flowledger("url", "--json"))["url"]

    with psycopg.connect(url) as connection:
        assert connection.info.dbname == "flowledger"


def test_a_migration_says_what_it_applied_and_then_that_nothing_is_left(
    empty_database: str, flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", empty_database)

    applied = json.loads(flowledger("migrate", "--json"))["applied"]

    assert applied == [file.path for file in packaged()]
    assert json.loads(flowledger("migrate", "--json")) == {"applied": []}
    assert flowledger("migrate") == "the schema is up to date\n"


def test_a_migration_counts_what_it_applied_and_names_it_when_asked(
    database: str, flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", database)
    lose = "delete from flowledger.applied_file where path = any (%s)"
    files = ["functions/log/clock.sql", "v1/views/tasks.sql"]

    said = []
    for arguments in ([], ["--verbose"]):
        with psycopg.connect(database) as connection:
            connection.execute(lose, (files,))
        checked = CliRunner().invoke(db, ["check"])
        assert (checked.exit_code, checked.stdout.partition(";")[0]) == (
            1,
            "to be applied: 1 of functions, 1 of views",
        )
        said.append(flowledger("migrate", *arguments).splitlines())

    assert said == [
        ["applied 1 of functions, 1 of views"],
        [*(f"applied {file}" for file in files), "applied 1 of functions, 1 of views"],
    ]
    assert json.loads(flowledger("check", "--json")) == {"pending": []}


def test_printing_the_reference_applies_nothing(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", empty_database)

    for migrate, error, said in (
        ("auto", SchemaBehind, "run `flowledger db migrate`"),
        ("check", SchemaBehind, "run `flowledger db migrate`"),
        ("never", StatementRefused, 'schema "flowledger" does not exist'),
    ):
        monkeypatch.setenv("FLOWLEDGER_DATABASE__MIGRATE", migrate)
        refused = CliRunner().invoke(db, ["reference"])

        assert (type(refused.exception), refused.stdout) == (error, ""), migrate
        assert said in str(refused.exception)
    with psycopg.connect(empty_database) as connection:
        made = connection.execute("select to_regnamespace('flowledger') is not null").fetchone()
    assert made == (False,)


def test_where_nothing_is_ever_migrated_the_reference_is_of_what_there_is(
    database: str, flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", database)
    lost = "functions/log/clock.sql"
    with psycopg.connect(database) as connection:
        connection.execute("delete from flowledger.applied_file where path = %s", (lost,))

    behind = CliRunner().invoke(db, ["reference"])
    monkeypatch.setenv("FLOWLEDGER_DATABASE__MIGRATE", "never")
    printed = flowledger("reference")

    assert isinstance(behind.exception, SchemaBehind)
    assert printed.startswith("# SQL\n")
    assert json.loads(CliRunner().invoke(db, ["check", "--json"]).stdout) == {"pending": [lost]}


@pytest.mark.parametrize("words", [["grants"], ["reference"]], ids=lambda words: words[0])
def test_where_there_is_no_schema_one_is_told_what_makes_it(
    empty_database: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", empty_database)
    monkeypatch.setenv("FLOWLEDGER_DATABASE__MIGRATE", "never")

    with pytest.raises(StatementRefused, match="`flowledger db migrate` makes what is missing"):
        CliRunner().invoke(db, words, catch_exceptions=False)


def test_grants_are_printed_and_applied(
    database: str, flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", database)

    printed = flowledger("grants", "submitter")
    applied = flowledger("grants", "submitter", "--apply", "--reason", "a login")

    assert printed.startswith("create role flowledger_submitter nologin;\n")
    assert "encoding) on flowledger.event to flowledger_submitter;" in printed
    assert applied == "granted: flowledger_submitter\n"
    asked = "select has_any_column_privilege('flowledger_submitter', 'flowledger.event', 'insert')"
    with psycopg.connect(database) as connection:
        assert connection.execute(asked).fetchone() == (True,)


def test_printing_the_migrations_needs_no_database(
    flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", "postgresql://127.0.0.1:1/nowhere")

    assert flowledger("migrate", "--print") == script()
    assert json.loads(flowledger("migrate", "--print", "--json")) == {"sql": script()}


def test_the_password_is_shown_only_when_asked_for(
    flowledger: Flowledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", "postgresql://ada:s3cr3t@db/flow")

    assert flowledger("url") == "postgresql://ada:***@db/flow\n"
    assert flowledger("url", "--show-password") == "postgresql://ada:s3cr3t@db/flow\n"


@pytest.mark.parametrize("command", ["start", "stop"])
def test_a_configured_database_is_not_ours_to_start_or_stop(
    flowledger: Flowledger, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", "postgresql://db/flow")

    with pytest.raises(InvalidConfiguration, match=r"database\.url is set"):
        flowledger(command)


@pytest.mark.parametrize("command", ["url", "migrate", "start", "stop"])
def test_every_command_has_help_with_an_example(flowledger: Flowledger, command: str) -> None:
    assert "Example: " in flowledger(command, "--help")
