"""`flowledger db`: the database that the engine uses, its shards, and the embedded server."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import click
from pydantic import JsonValue

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.command_setup import program_settings
from flowledger.engine.cli.options import json_option, optional_word_options
from flowledger.engine.cli.output import tell, tell_document, tell_either, tell_json, tell_row
from flowledger.engine.config import Settings, load_settings
from flowledger.engine.config.sections import MOST_SHARDS
from flowledger.engine.errors import InvalidConfiguration
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, connect
from flowledger.engine.store.connection.redacted_address import shown_address
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.embedded.server import EmbeddedServer
from flowledger.engine.store.schema.grants import ROLES, grant, grants_of
from flowledger.engine.store.schema.migrate import pending, script
from flowledger.engine.store.schema.migrate_and_record_event import BEHIND, is_recorded, upgrade
from flowledger.engine.store.schema.sql_reference_page import sql_reference
from flowledger.engine.store.schema.startup_migration import bring_up_to_date, require_schema
from flowledger.engine.store.shard_membership_store import PostgresShardStore, ShardRow

NOBODY_LEADS = 1

UP_TO_DATE = "the schema is up to date"


@click.command("shards")
@click.argument("number", type=click.IntRange(1, MOST_SHARDS), required=False)
@optional_word_options
@json_option("Print one JSON object a line.")
def shards(number: int | None, *, as_json: bool, reason: str | None, actor: str) -> None:
    """Show the shards: who leads, how far it has come, and the seconds left of its lease.

    With NUMBER and --reason, change how many there are, at any time when all facts are decided on;
    coordinators that run share them out anew by themselves. Without NUMBER the exit code is 1 where
    a shard is led by nobody.

    \b
    Example: flowledger db shards 4 --reason 'one process is not enough'
    """
    if number is not None and reason is None:
        raise click.UsageError("expected --reason, as the number of shards is to change")
    settings = program_settings(quiet=True)
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with command_sessions(url, settings) as pool:
        roster = PostgresShardStore(pool, DatabaseClock())
        if number is not None:
            roster.resize(number, actor=actor, reason=reason or "")
        rows, missing = roster.shards(), roster.missing()
    for row in rows:
        tell_row(fields(row, len(rows) + len(missing)), sentence(row), as_json=as_json)
    for gone in missing:
        tell(
            f"the row of shard {gone} is gone: nobody can lead it until"
            " `flowledger repair --all --reason WHY` makes it again",
            err=True,
        )
    if missing or (number is None and not all(is_led(row) for row in rows)):
        raise SystemExit(NOBODY_LEADS)


def is_led(row: ShardRow) -> bool:
    """Whether somebody leads the shard, with a lease that stands."""
    return row.leader is not None and row.lease_left is not None and row.lease_left >= 0


def fields(row: ShardRow, shards: int) -> dict[str, object]:
    """A shard as JSON, of so many; seconds are rounded to tenths."""
    return {
        "shard": row.shard,
        "shards": shards,
        "leader": None if row.leader is None else str(row.leader),
        "host": row.host,
        "pid": row.pid,
        "epoch": row.epoch,
        "position": row.position,
        "behind": row.behind,
        "lease_left_seconds": None if row.lease_left is None else round(row.lease_left, 1),
    }


def sentence(row: ShardRow) -> str:
    """A shard in words."""
    facts = "1 fact" if row.behind == 1 else f"{row.behind} facts"
    behind = f"{facts} behind" if row.behind else "nothing behind"
    return f"shard {row.shard}: {_leader(row)}, at position {row.position}, {behind}"


def _leader(row: ShardRow) -> str:
    if row.leader is None or row.lease_left is None:
        return "nobody leads it"
    where = f"process {row.pid} on {row.host}" if row.pid is not None else f"{row.leader}"
    if row.lease_left < 0:
        return f"{where} led it, and its lease ran out {-row.lease_left:.1f} s ago"
    return f"{where} leads it in epoch {row.epoch}, for {row.lease_left:.1f} s more"


@click.group()
def db() -> None:
    """Prepare the database, start and stop the embedded one.

    \b
    Example: flowledger db migrate
    """


@db.command("url")
@click.option("--show-password", is_flag=True, help="Print the password, not ***.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def print_url(*, show_password: bool, as_json: bool) -> None:
    """Print the address of the database; the embedded one is started where none is configured.

    \b
    Example: psql "$(flowledger db url --show-password)"
    """
    url = _url(load_settings())
    shown = url if show_password else shown_address(url)
    tell_either({"url": shown}, shown, as_json=as_json)


@db.command("migrate")
@click.option("--print", "as_script", is_flag=True, help="Print the SQL and change nothing.")
@click.option("--verbose", is_flag=True, help="Name every file that was applied.")
@optional_word_options
@json_option("Print one JSON object.")
def migrate_database(
    *, as_script: bool, verbose: bool, as_json: bool, reason: str | None, actor: str
) -> None:
    """Bring the database to the schema of this release; a second run changes nothing.

    What was done to a schema that was there is recorded. With --print nothing is connected to: the
    output builds the schema in an empty database.

    \b
    Example: flowledger db migrate --print > flowledger.sql
    """
    if as_script:
        sql = script()
        if as_json:
            tell_json({"sql": sql})
        else:
            tell_document(sql)
        return
    settings = load_settings()
    with _connected(settings) as connection:
        applied = upgrade(connection, actor=actor, reason=BEHIND if reason is None else reason)
    lines = [f"applied {path}" for path in applied if verbose]
    lines.append(f"applied {_counted(applied)}" if applied else UP_TO_DATE)
    tell_either({"applied": [*applied]}, lines, as_json=as_json)
    if reason is not None and not is_recorded(applied):
        tell(
            "the reason is not recorded: only what is done to a schema that was there is", err=True
        )


@db.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check_database(*, as_json: bool) -> None:
    """Say whether the schema is that of this release, and change nothing.

    Exit code 1 where it is not.

    \b
    Example: flowledger db check
    """
    with _connected(load_settings()) as connection:
        files = pending(connection)
    text = f"to be applied: {_counted(files)}; run flowledger db migrate" if files else UP_TO_DATE
    tell_either({"pending": [*files]}, text, as_json=as_json)
    if files:
        sys.exit(1)


@db.command("grants")
@click.argument("roles", nargs=-1, type=click.Choice(ROLES), metavar="[ROLE]...")
@click.option("--apply", is_flag=True, help="Make the roles where they are missing, and grant.")
@optional_word_options
@json_option("Print one JSON object a role.")
def grant_rights(
    roles: tuple[str, ...], *, apply: bool, as_json: bool, reason: str | None, actor: str
) -> None:
    """Print the rights of lesser roles, as SQL: of reader, auditor, submitter, operator, worker
    and coordinator, or of those that are named. Their database roles begin with flowledger_. With
    --apply and --reason, make and grant them; it is recorded.

    \b
    Example: flowledger db grants submitter worker --apply --reason 'one login a process'
    """
    if apply and reason is None:
        raise click.UsageError("expected --reason, as rights are to be granted")
    with _connected(load_settings()) as connection:
        for role in roles or ROLES:
            statements = grants_of(connection, role)
            if apply:
                grant(connection, role, statements, actor=actor, reason=reason or "")
            name = f"flowledger_{role}"
            if as_json:
                tell_json({"role": name, "statements": [*statements], "applied": apply})
            elif apply:
                tell(f"granted: {name}")
            else:
                tell_document("".join(f"{statement};\n" for statement in statements))


@db.command("reference")
def print_reference() -> None:
    """Print every public view and function of the database's schema, as Markdown.

    Nothing is applied: the schema must be that of this release, where database.migrate is not
    never.

    \b
    Example: flowledger db reference > sql.md
    """
    settings = load_settings()
    require_schema(_url(settings), settings)
    with _connected(settings) as connection:
        tell_document(sql_reference(connection))


@db.command("start")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def start_server(*, as_json: bool) -> None:
    """Start the embedded database, or say where it runs already.

    \b
    Example: flowledger db start --json
    """
    server = _start(_embedded_only(load_settings()))
    said = "started" if server.started else "is running already"
    facts: dict[str, JsonValue] = {
        "url": server.url,
        "pid": server.pid,
        "data": str(server.data),
        "started": server.started,
    }
    text = f"the embedded database {said}: {server.url} (process {server.pid}, {server.data})"
    tell_either(facts, text, as_json=as_json)


@db.command("stop")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stop_server(*, as_json: bool) -> None:
    """Stop the embedded database; whoever is connected is cut off, and nothing stored is lost.

    \b
    Example: flowledger db stop
    """
    settings = _embedded_only(load_settings()).embedded
    home = embedded.home_of(settings.home)
    stopped = embedded.stop(home, timeout_seconds=settings.start_timeout_seconds)
    text = (
        "the embedded database was stopped" if stopped else "the embedded database was not running"
    )
    tell_either({"stopped": stopped}, text, as_json=as_json)


db.add_command(shards)


@contextmanager
def _connected(settings: Settings) -> Generator[Connection]:
    database = settings.database
    with (
        connect(
            _url(settings),
            application_name=database.application_name,
            connect_timeout_seconds=database.connect_timeout_seconds,
        ) as connection,
        translate_errors(),
    ):
        yield connection


def _counted(paths: Sequence[str]) -> str:
    """How many files there are of each folder, those of the public schema with the others."""
    folders = Counter(path.removeprefix("v1/").partition("/")[0] for path in paths)
    return ", ".join(f"{count} of {folder}" for folder, count in folders.items())


def _url(settings: Settings) -> str:
    configured = settings.database.url
    return _start(settings).url if configured is None else configured.get_secret_value()


def _start(settings: Settings) -> EmbeddedServer:
    return embedded.start(
        embedded.home_of(settings.embedded.home),
        fsync=settings.embedded.fsync,
        timeout_seconds=settings.embedded.start_timeout_seconds,
    )


def _embedded_only(settings: Settings) -> Settings:
    if settings.database.url is not None:
        raise InvalidConfiguration(
            "database.url is set, so the embedded database is not in use:"
            " start and stop the configured one where it runs"
        )
    return settings
