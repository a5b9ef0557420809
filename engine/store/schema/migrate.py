"""Bring a database to the schema of this code.

The rules that the files of `flowledger.sql` follow:

- `migrations/0001_name.sql` runs once, in the order of the numbers, and is never edited after
  that: an edited one is refused. Tables, types, indexes and removals live here.
- `functions/*/*.sql`, and last what is public, `v1/views/*.sql` and then `v1/functions/*.sql`, are
  applied, in the order of their paths, whenever the content of the file differs from what was
  applied last. So they say `create or replace`.
- `projections/*.sql`, before `v1`, hold the tables of the read models that come with the engine;
  the first line says the version: `-- version: 1`. They are made as any projection's are.
- What `create or replace` refuses (another signature, another column in the middle of a view)
  is dropped first: a line `-- drop: function flowledger.f(uuid, integer)` anywhere in the file
  runs as `drop function if exists flowledger.f(uuid, integer)` before the file does. What leaves
  the package is dropped by a migration.
- Every name is qualified: the search path is `pg_catalog, pg_temp`. A function that runs with its
  owner's rights, or that others call in sessions of their own, sets it for itself, with `pg_temp`
  last: where it is not named, types are looked for there first. Bodies of functions are not
  checked while they are applied, so that functions may call each other in any order.

All of it is one transaction that locks `flowledger.migration` first: of several processes that
start together one migrates and the others find nothing to do. Nothing to do costs one query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeAlias

import psycopg
from psycopg.rows import TupleRow

from flowledger.engine.display_text import on_one_line
from flowledger.engine.errors import (
    DatabaseUnavailable,
    MigrationEdited,
    SchemaTooNew,
    StatementRefused,
)

Connection: TypeAlias = psycopg.Connection[TupleRow]

ATTEMPTS = 5
"""How often a migration begins again, as another process made the schema at that moment."""

FOLDERS = ("migrations", "functions", "projections", "v1/views", "v1/functions")

RACED = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateTable,
)

RIGHTS = b"""
do $$
begin
    if to_regprocedure('flowledger.reapply_role_grants()') is not null then
        perform flowledger.reapply_role_grants();
    end if;
end
$$;
"""
"""What is new is everybody's to call until this ran; it is the last statement of a migration."""

_NUMBERED = re.compile(r"migrations/(\d{4})_[a-z0-9_]+\.sql")
_VERSION = re.compile(rb"-- version: (\d+)\n")
_DROP = re.compile(rb"^-- drop: (.+?);?\s*$", re.MULTILINE)
_KIND = re.compile(rb"(function|procedure|view|trigger) (.+)")

_STATE = b"""
select 'migrations/' || name, sha256 from flowledger.migration
union all
select path, sha256 from flowledger.applied_file
"""


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A file of `flowledger.sql`: its `path` is `folder/name.sql`."""

    path: str
    text: bytes

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.text).digest()

    @property
    def number(self) -> int | None:
        """The number of a migration; None: a function or a view."""
        match = _NUMBERED.fullmatch(self.path)
        return int(match[1]) if match else None

    @property
    def statements(self) -> bytes:
        """What is sent to the server: the drops that the file asks for, and the file."""
        if self.path.startswith("projections/"):
            return _projection(self)
        drops = [_drop(match[1], self.path) for match in _DROP.finditer(self.text)]
        return b"".join(drops) + self.text


@cache
def packaged() -> tuple[SqlFile, ...]:
    """The files of this release, in the order in which they are applied.

    They are read once: every opening of an engine holds them against the database.
    """
    return tuple(file for folder in FOLDERS for file in _folder(folder))


def pending(connection: Connection, files: Sequence[SqlFile] | None = None) -> list[str]:
    """The paths of the files that `migrate` would apply; empty: the schema is up to date.

    Raises MigrationEdited and SchemaTooNew as `migrate` does.
    """
    return [file.path for file in _differing(packaged() if files is None else files, connection)]


def migrate(connection: Connection, files: Sequence[SqlFile] | None = None) -> list[str]:
    """Apply what is pending, all or nothing; the paths of the files that were applied.

    The connection is one in autocommit mode. Another process that migrates is waited for.
    Raises MigrationEdited, SchemaTooNew, and DatabaseUnavailable naming the file whose SQL the
    server refused.
    """
    files = packaged() if files is None else files
    if not _differing(files, connection):
        return []
    for _ in range(ATTEMPTS):
        with suppress(_Raced):
            return [file.path for file in _migrated(files, connection)]
    raise DatabaseUnavailable(
        "others made the schema flowledger, and took it away, again and again"
    )


class _Raced(Exception):
    """Another process made the schema at the same moment."""


def _migrated(files: Sequence[SqlFile], connection: Connection) -> list[SqlFile]:
    with connection.transaction():
        try:
            connection.execute(_preamble(), prepare=False)
        except RACED as error:
            raise _Raced from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise StatementRefused(
                "this role may not create the engine's schema"
                f" ({_reason(error)}): run `flowledger db migrate` as one that may",
                error.sqlstate or "",
            ) from error
        wanted = _differing(files, connection)
        for file in wanted:
            _apply(file, connection)
        connection.execute(RIGHTS, prepare=False)
    return wanted


def script(files: Sequence[SqlFile] | None = None) -> str:
    """The SQL that builds the schema in an empty database, for those who run it by hand."""
    files = packaged() if files is None else files
    applied = b"\n".join(
        b"-- %s\n%s\n%s\n" % (file.path.encode(), _record(file), file.statements.strip())
        for file in files
    )
    return (b"begin;\n%s\n%s\n%s\ncommit;\n" % (_preamble(), applied, RIGHTS)).decode()


def _folder(name: str) -> Iterable[SqlFile]:
    folder = resources.files("flowledger.sql").joinpath(name)
    if not folder.is_dir():
        return  # a folder without files is in no checkout and no wheel
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _folder(path)
        if not path.endswith(".sql"):
            continue
        file = SqlFile(path, _text(path))
        if name == "migrations" and file.number is None:
            raise ValueError(f"{file.path}: a migration is named 0001_what_it_does.sql")
        yield file


def _text(path: str) -> bytes:
    # A checkout may end lines in its own way, and the checksum must not notice.
    return resources.files("flowledger.sql").joinpath(path).read_bytes().replace(b"\r\n", b"\n")


def _drop(what: bytes, path: str) -> bytes:
    match = _KIND.fullmatch(what)
    if match is None:
        raise ValueError(
            f"{path}: `-- drop: {what.decode()}` is none of function, procedure, view, trigger"
        )
    return b"drop %s if exists %s;\n" % (match[1], match[2])


def _projection(file: SqlFile) -> bytes:
    version = _VERSION.match(file.text)
    if version is None:
        raise ValueError(f"{file.path}: expected a first line like `-- version: 1`")
    name = file.path.removeprefix("projections/").removesuffix(".sql").encode()
    create = (
        b"select flowledger.create_generation('flowledger_%s', %s, $sql$%s$sql$, false, false);\n"
    )
    return create % (name, version[1], file.text)


def _preamble() -> bytes:
    return b"".join(
        (
            b"set local transaction isolation level read committed;\n",
            b"set local statement_timeout = 0;\n",
            b"set local check_function_bodies = off;\n",
            b"set local client_min_messages = warning;\n",
            b"set local search_path = pg_catalog, pg_temp;\n",
            _text("bookkeeping.sql"),
        )
    )


def _applied(connection: Connection) -> dict[str, bytes]:
    try:
        with connection.cursor(binary=True) as cursor:
            return dict(cursor.execute(_STATE, prepare=False).fetchall())
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return {}


def _differing(files: Sequence[SqlFile], connection: Connection) -> list[SqlFile]:
    applied = _applied(connection)
    _refuse_unknown(files, applied)
    wanted = [file for file in files if applied.get(file.path) != file.sha256]
    for file in wanted:
        if file.number is not None and file.path in applied:
            raise MigrationEdited(file.path)
    return wanted


def _refuse_unknown(files: Sequence[SqlFile], applied: Mapping[str, bytes]) -> None:
    """A migration that ran and is not in the package came with a newer release, or was renamed."""
    known = sorted(file.path for file in files if file.number is not None)
    for path in sorted(applied):
        if _NUMBERED.fullmatch(path) and path not in known:
            newest = known[-1] if known else ""
            raise SchemaTooNew(path, newest) if path > newest else MigrationEdited(path)


def _apply(file: SqlFile, connection: Connection) -> None:
    try:
        connection.execute(file.statements, prepare=False)
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"{file.path} was refused by the database, nothing was applied: {_reason(error)}"
        ) from error
    connection.execute(_record(file), prepare=False)


def _reason(error: psycopg.Error) -> str:
    return on_one_line(str(error))


def _record(file: SqlFile) -> bytes:
    digest = file.sha256.hex().encode()
    if file.number is not None:
        name = file.path.removeprefix("migrations/").encode()
        return (
            b"insert into flowledger.migration (number, name, sha256) values (%d, '%s', '\\x%s');"
        ) % (file.number, name, digest)
    return (
        b"insert into flowledger.applied_file (path, sha256) values ('%s', '\\x%s')"
        b" on conflict (path) do update set sha256 = excluded.sha256, applied_at = now();"
    ) % (file.path.encode(), digest)
