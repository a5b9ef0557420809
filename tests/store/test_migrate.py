"""Migrations: each once, in order, all or nothing; functions and views whenever they change."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.abc import Query
from psycopg.rows import TupleRow

from flowledger.engine.errors import DatabaseUnavailable, MigrationEdited, SchemaTooNew
from flowledger.engine.store.schema.migrate import SqlFile, migrate, packaged, pending, script

Connection = psycopg.Connection[TupleRow]

TABLE = SqlFile("migrations/0001_pot.sql", b"create table flowledger.pot (tea text);")
COLUMN = SqlFile("migrations/0002_cup.sql", b"alter table flowledger.pot add cups int;")
BREW = SqlFile(
    "functions/brew.sql",
    b"create or replace function flowledger.brew() returns text immutable language sql"
    b" return 'green';",
)
FULL = SqlFile("v1/views/full.sql", b"create or replace view flowledger.full_pot as select 1 as a;")
FILES = (TABLE, COLUMN, BREW, FULL)

CATALOG = """
select 'column', c.relname::text, c.relkind::text, a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
    coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace::regnamespace::text in ('flowledger', 'flowledger_v1')
union all
select 'options', c.relname, c.reloptions::text, '', '', '', ''
from pg_catalog.pg_class c
where c.relnamespace::regnamespace::text in ('flowledger', 'flowledger_v1')
union all
select 'index', indexname, indexdef, '', '', '', ''
from pg_catalog.pg_indexes where schemaname in ('flowledger', 'flowledger_v1')
union all
select 'constraint', conname, pg_catalog.pg_get_constraintdef(oid), '', '', '', ''
from pg_catalog.pg_constraint
where connamespace::regnamespace::text in ('flowledger', 'flowledger_v1')
union all
select 'trigger', t.tgname, pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled::text, '', '', ''
from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
where c.relnamespace::regnamespace::text in ('flowledger', 'flowledger_v1') and not t.tgisinternal
union all
select 'function', proname, pg_catalog.pg_get_functiondef(oid), '', '', '', ''
from pg_catalog.pg_proc
where pronamespace::regnamespace::text in ('flowledger', 'flowledger_v1')
    and prokind in ('f', 'p')
union all
select 'view', viewname, definition, '', '', '', ''
from pg_catalog.pg_views where schemaname in ('flowledger', 'flowledger_v1')
order by 1, 2, 3, 4, 5, 6, 7
"""


@pytest.fixture
def bare(empty_database: str) -> Generator[Connection]:
    """A connection to a database that was never migrated."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection


def catalog(connection: Connection) -> list[TupleRow]:
    return connection.execute(CATALOG).fetchall()


def value(connection: Connection, query: bytes) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def paths(*files: SqlFile) -> list[str]:
    return [file.path for file in files]


def test_the_migrations_of_the_package_are_numbered_without_gaps() -> None:
    numbers = [file.number for file in packaged() if file.number is not None]

    assert numbers == list(range(1, len(numbers) + 1))


def test_a_database_becomes_what_the_package_says_and_a_second_run_changes_nothing(
    bare: Connection,
) -> None:
    first = migrate(bare)
    before = catalog(bare)
    applied = bare.execute("select * from flowledger.applied_file order by path").fetchall()

    assert first == paths(*packaged())
    assert pending(bare) == []
    assert migrate(bare) == []
    assert catalog(bare) == before
    assert bare.execute("select * from flowledger.applied_file order by path").fetchall() == applied


def test_a_database_that_is_upgraded_one_migration_at_a_time_is_the_same_as_a_fresh_one(
    bare: Connection, connection: Connection
) -> None:
    numbers = [file.number for file in packaged() if file.number is not None]
    for upto in numbers:
        files = [file for file in packaged() if file.number and file.number <= upto]
        assert migrate(bare, files) == paths(files[-1])

    migrate(bare)

    assert catalog(bare) == catalog(connection)


def test_what_was_made_before_an_action_had_a_subject_gets_one(bare: Connection) -> None:
    before = [
        SqlFile(
            file.path,
            file.text.replace(b"    refusal text,\n    subject text\n", b"    refusal text\n"),
        )
        if file.path == "projections/audit.sql"
        else SqlFile(file.path, file.text.replace(b", a.subject,", b", null::text as subject,"))
        for file in packaged()
        if file.number != 25  # what is applied again at each release needs the later ones
    ]
    assert sum(file not in packaged() for file in before) == 2
    migrate(bare, before)

    migrate(bare)

    assert value(bare, b"select count(subject) from flowledger_v1.operator_actions") == 0
    assert "a.subject" in value(
        bare, b"select pg_get_viewdef('flowledger_v1.operator_actions'::regclass)"
    )


def test_functions_that_an_early_schema_has_left_behind_go(bare: Connection) -> None:
    migrate(bare, [file for file in packaged() if file.number != 31])
    bare.execute("create function flowledger.held_steps(uuid) returns int return 1")

    migrate(bare)

    assert value(bare, b"select to_regprocedure('flowledger.held_steps(uuid)')") is None


def test_the_printed_script_builds_the_same_schema_with_nothing_left_to_do(
    bare: Connection, connection: Connection
) -> None:
    bare.execute(script().encode())

    assert pending(bare) == []
    assert catalog(bare) == catalog(connection)


def test_the_printed_script_stops_before_it_harms_a_database_that_has_the_schema(
    connection: Connection,
) -> None:
    before = catalog(connection)

    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(script().encode())
    connection.execute("rollback")

    assert catalog(connection) == before


def test_with_nothing_to_do_one_query_is_all(connection: Connection) -> None:
    queries: list[Query] = []

    class Counted(psycopg.Cursor[TupleRow]):
        def execute(self, query: Query, *args: Any, **kwargs: Any) -> Counted:
            queries.append(query)
            super().execute(query, *args, **kwargs)
            return self

    connection.cursor_factory = Counted

    assert migrate(connection) == []
    assert len(queries) == 1


def test_of_many_that_migrate_at_once_one_does_and_the_others_find_it_done(
    empty_database: str,
) -> None:
    def run(_: int) -> list[str]:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            return migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        applied = sorted(pool.map(run, range(4)), key=len)

    assert applied == [[], [], [], paths(*packaged())]


def test_only_what_is_new_or_changed_is_applied(bare: Connection) -> None:
    migrate(bare, (TABLE, BREW, FULL))
    black = SqlFile(BREW.path, BREW.text.replace(b"green", b"black"))

    applied = migrate(bare, (TABLE, COLUMN, black, FULL))

    assert applied == paths(COLUMN, black)
    assert value(bare, b"select flowledger.brew()") == "black"


def test_what_ran_is_recorded_with_its_checksum(bare: Connection) -> None:
    migrate(bare, FILES)

    recorded = bare.execute("select number, name, sha256 from flowledger.migration").fetchall()
    assert recorded == [
        (1, "0001_pot.sql", hashlib.sha256(TABLE.text).digest()),
        (2, "0002_cup.sql", hashlib.sha256(COLUMN.text).digest()),
    ]


def test_an_edited_migration_is_refused_and_nothing_is_applied(bare: Connection) -> None:
    migrate(bare, (TABLE,))
    edited = SqlFile(TABLE.path, TABLE.text + b" -- better")

    with pytest.raises(MigrationEdited, match=r"migrations/0001_pot\.sql was edited"):
        migrate(bare, (edited, COLUMN))

    assert migrate(bare, (TABLE, COLUMN)) == paths(COLUMN)


def test_a_renamed_migration_is_refused(bare: Connection) -> None:
    migrate(bare, (TABLE,))

    with pytest.raises(MigrationEdited, match=r"0001_pot\.sql"):
        migrate(bare, (SqlFile("migrations/0001_kettle.sql", TABLE.text), COLUMN))


def test_a_database_of_a_newer_release_is_left_alone(bare: Connection) -> None:
    migrate(bare, FILES)

    with pytest.raises(SchemaTooNew, match=r"0002_cup\.sql.* up to migrations/0001_pot\.sql"):
        migrate(bare, (TABLE, SqlFile(BREW.path, b"broken")))
    with pytest.raises(SchemaTooNew):
        pending(bare, (TABLE,))


def test_sql_that_the_server_refuses_is_named_and_nothing_of_the_run_stays(
    bare: Connection,
) -> None:
    broken = SqlFile("functions/broken.sql", b"create funktion flowledger.broken();")

    with pytest.raises(DatabaseUnavailable, match=r"functions/broken\.sql was refused.*syntax"):
        migrate(bare, (TABLE, broken))

    assert value(bare, b"select to_regnamespace('flowledger')") is None


def test_a_name_that_is_not_qualified_is_refused(bare: Connection) -> None:
    sloppy = SqlFile("migrations/0001_pot.sql", b"create table pot (tea text);")

    with pytest.raises(DatabaseUnavailable, match=r"0001_pot\.sql"):
        migrate(bare, (sloppy,))


def test_a_signature_changes_when_the_file_says_what_to_drop(bare: Connection) -> None:
    migrate(bare, FILES)
    body = BREW.text.replace(b"returns text", b"returns varchar")

    with pytest.raises(DatabaseUnavailable, match="cannot change return type"):
        migrate(bare, (TABLE, COLUMN, SqlFile(BREW.path, body), FULL))
    dropping = SqlFile(BREW.path, b"-- drop: function flowledger.brew()\n" + body)

    assert migrate(bare, (TABLE, COLUMN, dropping, FULL)) == paths(BREW)
    assert migrate(bare, (TABLE, COLUMN, dropping, FULL)) == []


def test_a_drop_of_what_is_no_function_or_view_is_refused(bare: Connection) -> None:
    greedy = SqlFile("v1/views/full.sql", b"-- drop: table flowledger.pot\nselect 1;")

    with pytest.raises(ValueError, match=r"v1/views/full\.sql.*none of function, procedure, view"):
        migrate(bare, (TABLE, greedy))


def test_functions_may_call_one_another_in_any_order(bare: Connection) -> None:
    caller = SqlFile(
        "functions/a.sql",
        b"create or replace function flowledger.a() returns text language sql"
        b" as $$ select flowledger.brew() $$;",
    )

    migrate(bare, (TABLE, caller, BREW))

    assert value(bare, b"select flowledger.a()") == "green"


def test_a_migration_waits_for_the_one_under_way(bare: Connection, empty_database: str) -> None:
    with (
        psycopg.connect(empty_database) as other,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(empty_database, autocommit=True) as watcher,
    ):
        migrate(bare, FILES[:1])
        other.execute(b"lock table flowledger.migration in share update exclusive mode")
        running = pool.submit(migrate, bare, FILES)
        waiting = b"select exists (select from pg_locks where not granted)"
        while not value(watcher, waiting):
            assert not running.done()
        other.rollback()

        assert running.result(timeout=60) == paths(*FILES[1:])


def test_of_two_that_begin_at_once_in_an_empty_database_one_migrates(
    bare: Connection, empty_database: str
) -> None:
    with (
        psycopg.connect(empty_database) as other,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(empty_database, autocommit=True) as watcher,
    ):
        other.execute(b"create schema flowledger")
        running = pool.submit(migrate, bare, FILES)
        while not value(watcher, b"select exists (select from pg_locks where not granted)"):
            assert not running.done()
        other.commit()

        assert running.result(timeout=60) == paths(*FILES)


def test_a_stranger_who_takes_advisory_locks_stops_no_migration(
    bare: Connection, empty_database: str
) -> None:
    with psycopg.connect(empty_database) as stranger:
        stranger.execute(b"select pg_advisory_lock(%d)" % 0x666C6F776C6564)
        bare.execute(b"set lock_timeout = '5s'")

        assert migrate(bare, FILES) == paths(*FILES)
