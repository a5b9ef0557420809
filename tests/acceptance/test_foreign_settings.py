"""Settings that a user, a role or a database brings along change nothing of what happens."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from flowledger.engine import Engine, Settings
from flowledger.engine.errors import DatabaseUnfit
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness, harness_on

SNOW = "☃ 雪"
# Each is what some installation has; all of them at once are what the engine must bear.
STRANGE = {
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "5min",
    "lock_timeout": "4min",
    "idle_session_timeout": "3min",
    "search_path": "strange",
    "client_encoding": "LATIN1",
}
ENVIRONMENT = {
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Kathmandu",
    "PGAPPNAME": "somebody else",
    "PGCONNECT_TIMEOUT": "0",
    "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in STRANGE.items()),
}

parcels = Workflow("foreign", "parcel", version="1")


@parcels.step
def weigh(context: dict[str, Any]) -> dict[str, Any]:
    return {"of": context["of"], "grams": 0.1 + 0.2}


@parcels.step(after=[weigh], transactional=True)
def note(context: dict[str, Any], cursor: psycopg.Cursor[Any]) -> str:
    cursor.execute("select %s::text", (context["of"],))
    return str(cursor.fetchone())


def assert_all_works(harness: EngineHarness) -> None:
    """From the submission to the read models, and nothing of it is other than it should be."""
    engine = harness.open(parcels, projections=BUILTIN)
    task = engine.submit(parcels, {"of": SNOW}, correlation_id=SNOW, actor=SNOW)

    assert task.result(PATIENCE) == {
        "weigh": {"of": SNOW, "grams": 0.1 + 0.2},
        "note": str((SNOW,)),
    }
    engine.projections.wait_for("flowledger_history", timeout=PATIENCE)
    assert not list(engine.verify())
    assert {one.event.correlation_id for one in task.history()} == {SNOW}


def test_the_variables_of_libpq_change_nothing(
    harness: EngineHarness, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    harness.url = empty_database

    assert_all_works(harness)

    names = {row[0] for row in sessions(empty_database)}
    assert names == {"flowledger"}


def sessions(url: str) -> list[tuple[Any, ...]]:
    """The names of the other sessions of a database."""
    query = (
        "select application_name from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_the_defaults_of_a_database_change_nothing(harness: EngineHarness) -> None:
    name = harness.value("select current_database()")
    for setting, value in STRANGE.items():
        harness.rows(f"alter database {name} set {setting} = '{value}'")

    assert_all_works(harness)


def test_an_address_that_asks_for_another_encoding_is_overruled(harness: EngineHarness) -> None:
    harness.url += "&client_encoding=LATIN1"

    assert_all_works(harness)


@pytest.mark.parametrize("encoding", ["LATIN1", "SJIS", "SQL_ASCII"])
def test_a_callers_connection_may_have_any_encoding(
    shared_harness: EngineHarness, encoding: str
) -> None:
    engine = shared_harness.open(parcels)
    with shared_harness.connect() as connection:
        connection.execute(f"set client_encoding = '{encoding}'")
        connection.commit()
        task = engine.submit(
            parcels, {"of": SNOW}, idempotency_key=f"{SNOW} {encoding}", connection=connection
        )
        again = engine.submit(
            parcels, {"of": SNOW}, idempotency_key=f"{SNOW} {encoding}", connection=connection
        )
        connection.commit()
        assert connection.info.parameter_status("client_encoding") == encoding

    plain = engine.submit(parcels, {"of": SNOW}, idempotency_key=f"{SNOW} {encoding}")

    assert task.id == again.id == plain.id
    assert task.result(PATIENCE)["weigh"]["of"] == SNOW


@contextmanager
def database_in(server: str, encoding: str) -> Generator[str]:
    """The address of a database with another encoding."""
    name = sql.Identifier(f"flowledger_{encoding.lower()}_{uuid4().hex}")
    with psycopg.connect(server, autocommit=True) as admin:
        create = sql.SQL("create database {} template template0 encoding {} locale 'C'")
        admin.execute(create.format(name, encoding))
        host = conninfo_to_dict(server)
        try:
            yield make_conninfo(**{**host, "dbname": name.as_string(None).strip('"')})
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused_at_open(server: str, encoding: str) -> None:
    with database_in(server, encoding) as url:
        settings = Settings.load(database={"url": url})
        with pytest.raises(DatabaseUnfit, match=rf"encoding {encoding}.*encoding 'UTF8'"):
            Engine.open(roles=(), settings=settings)

        with harness_on(url) as lab:  # a session ends some moments after its connection
            lab.until(lambda: ("flowledger",) not in sessions(url))


def test_an_address_that_says_all_leaves_nothing_to_the_environment(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD"):
        monkeypatch.setenv(name, "nowhere.invalid")
    monkeypatch.setenv("PGPORT", "1")

    with Engine.open(roles=(), settings=Settings.load(database={"url": database})) as engine:
        assert all(health.ok for health in engine.health.values())
