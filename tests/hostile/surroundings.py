"""What stands around an engine: the environment, flowledger.yaml, and the database's address."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.invariants import require
from hostile.stage import PATIENCE, ManualCoordinator, ordinary
from psycopg import sql

from flowledger.engine import Engine, EngineError, Settings, load_settings
from support.pooled import relay

SECONDS = ("worker.lease_seconds", "coordinator.poll_seconds", "submit.request_timeout_seconds")
COUNTS = ("worker.concurrency", "database.pool_max_size", "coordinator.batch_size")
OTHERS = ("logging.level", "embedded.home", "worker.namespaces", "projections.builtin")
VALUES: Oddities = {
    "a huge setting": lambda draw: draw.one_of(["1e12", "1e300", "9" * 400]),
    "a setting that is no number": lambda draw: draw.one_of(["nan", "inf", "-inf", "soon", "0x10"]),
    "a negative setting": lambda _: "-1",
    "an empty setting": lambda _: "",
    "a broken list": lambda draw: draw.one_of(
        ["[1", "{", '["a\\u0000"]', "[[[[1]]]]", '{"a":' * 500]
    ),
    "a setting with escapes": lambda _: oddities.ESCAPES,
    "a setting of another line": lambda _: "1\nforged: yes",
    "a long setting": lambda _: "a" * 100_000,
    "digits of another script": lambda _: "١٢",
    "a setting with half of a pair": lambda _: "\udcff",
}
VARIABLES: Oddities = {
    "a service of Kubernetes": lambda _: {
        "FLOWLEDGER_PORT": "tcp://10.0.0.1:5432",
        "FLOWLEDGER_SERVICE_HOST": "10.0.0.1",
        "FLOWLEDGER_DB_SERVICE_HOST": "10.0.0.1",
        "FLOWLEDGER_PORT_5432_TCP_ADDR": "10.0.0.1",
    },
    "a variable that is no setting": lambda _: {"FLOWLEDGER_DATABSE__URL": "x"},
    "a variable of strange letters": lambda _: {"FLOWLEDGER_\x1b[2J": "x"},
    "a section as a variable": lambda _: {"FLOWLEDGER_WORKER": "{}"},
    "a variable in small letters": lambda _: {"flowledger_worker__concurrency": "x"},
    "an environment that there is not": lambda _: {"FLOWLEDGER_ENV": "\x1b"},
    "a file that there is not": lambda draw: {
        "FLOWLEDGER_FILE": draw.one_of(["/nowhere", "/proc/self/mem", "/", "\udcff", "a" * 5_000])
    },
}
PG_VARIABLES: Oddities = {
    "another encoding of the client": lambda _: {"PGCLIENTENCODING": "LATIN1"},
    "an encoding that there is not": lambda _: {"PGCLIENTENCODING": "nope"},
    "options in a variable": lambda _: {
        "PGOPTIONS": "-c datestyle=German -c timezone=Asia/Tokyo -c bytea_output=escape"
    },
    "a strict isolation": lambda _: {"PGOPTIONS": "-c default_transaction_isolation=serializable"},
    "a strange zone": lambda _: {"PGTZ": "Asia/Kathmandu", "PGDATESTYLE": "Postgres"},
    "options that are refused": lambda _: {"PGOPTIONS": "-c nope=\x1b"},
}


@contextmanager
def surrounded(variables: Mapping[str, str]) -> Generator[None]:
    """With these variables in the environment."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def environment(draw: Draw, stage: ManualCoordinator) -> None:
    """Settings in variables."""
    pool, value = draw.odd_of({"values": VALUES, "names": VARIABLES})
    if pool == "values":
        path = draw.one_of([*SECONDS, *COUNTS, *OTHERS])
        name = f"FLOWLEDGER_{path.upper().replace('.', '__')}"
        value = {name: value}
        draw.places = (name, path)
    else:
        draw.places = ("FLOWLEDGER_", "nowhere", "/proc", "flowledger_")
    with surrounded(value):
        settings = load_settings(directory=stage.folder)
    usable(settings, stage)


def usable(settings: Settings, stage: ManualCoordinator) -> None:
    """An engine with the settings does what engines do, and closes."""
    database = settings.database.model_copy(
        update={"url": stage.settings(stage.url).database.url, "pool_max_size": 2}
    )
    given = settings.model_copy(update={"database": database})
    with Engine.open(roles=(), settings=given) as engine:
        engine.submit(ordinary, {"number": 1}).wait(PATIENCE)


FILES: Oddities = {
    "a broken file": lambda draw: draw.one_of(["{", "worker: [", "\t", "a: b: c", "&a *b"]),
    "a file of another shape": lambda draw: draw.one_of(["[1]", "7", "worker: 7", "worker: [1]"]),
    "a section that there is not": lambda _: "wrker: {concurrency: 3}",
    "a key that there is not": lambda _: "worker: {concurency: 3}",
    "a key twice in a file": lambda _: "worker: {concurrency: 3}\nworker: {concurrency: 4}",
    "a file of levels": lambda _: "worker: " + "[" * 3_000,
    "a file that grows": lambda _: "worker: &a [x, x]\nlimits: [*a, *a]",
    "a file with a tag": lambda _: "worker: !!python/object/apply:os.getpid []",
    "a file that is empty": lambda _: "",
    "a password in a broken file": lambda draw: (
        f"database: {{url: 'postgresql://a:{draw.password()}@"
    ),
    "a password of another type": lambda draw: f"database: {{url: [{draw.password()}]}}",
    "environments of another shape": lambda _: "environments: [a]",
    "keys that are no names": lambda _: "{1: {2: 3}, null: x}",
    "an older YAML in the file": lambda _: "worker: {concurrency: 010, poll_seconds: 10:30}",
}


def config_file(draw: Draw, stage: ManualCoordinator) -> None:
    """Settings in flowledger.yaml."""
    draw.places = ("flowledger.yaml",)
    pool, value = draw.odd_of({"files": FILES, "more files": FILES, "values": VALUES})
    if pool == "values":
        section, _, key = draw.one_of([*SECONDS, *COUNTS, *OTHERS]).partition(".")
        value = f"{section}:\n  {key}: {value}\n"
    with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
        (Path(folder) / "flowledger.yaml").write_bytes(value.encode("utf-8", "surrogateescape"))
        settings = load_settings(directory=Path(folder))
    usable(settings, stage)


def overrides(draw: Draw, stage: ManualCoordinator) -> None:
    """Settings in Python."""
    path = draw.one_of([*SECONDS, *COUNTS, *OTHERS])
    section, _, key = path.partition(".")
    draw.places = (path, section)
    _, value = draw.odd_of(
        {"values": VALUES, "seconds": oddities.SECONDS, "json": oddities.OBJECTS}
    )
    settings = load_settings({section: {key: value}}, directory=stage.folder)
    usable(settings, stage)


def _poor(draw: Draw, stage: ManualCoordinator) -> str:
    """The address of a new database where the role may not create anything."""
    url = stage.other_database(migrated=False)
    name = "hostile_poor"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(b"select pg_advisory_lock(77)")
        if not admin.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone():
            admin.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    return with_user(url, name, draw.password())


def with_user(url: str, user: str, password: str | None = None) -> str:
    """The same address for another user."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    known = quote(user) + (f":{quote(password)}" if password else "")
    return urlunsplit(parts._replace(netloc=f"{known}@{host}"))


def _keywords(url: str, **more: str) -> str:
    parts = {**psycopg.conninfo.conninfo_to_dict(url), **more}
    return " ".join(f"{key}='{value}'" for key, value in parts.items())


ADDRESSES: dict[str, Any] = {
    "a role that may create nothing": _poor,
    "a database in another encoding": lambda _, stage: stage.other_database(
        encoding="LATIN1", migrated=False
    ),
    "a password with a quote and a blank": lambda draw, stage: _keywords(
        stage.url, port="1", host="127.0.0.1", password=f"a \\'b{draw.password()} c"
    ),
    "a password in a broken address": lambda draw, _: f"postgresql://ada:{draw.password()}@[::1/x",
    "a password with an @": lambda draw, _: f"postgresql://ada:{draw.password()}@x@127.0.0.1:1/x",
    "a password as a parameter": lambda draw, _: (
        f"postgresql://127.0.0.1:1/x?password={draw.password()}&nope=1"
    ),
    "a password that is not quoted": lambda draw, _: (
        f"host=127.0.0.1 port=1 password='{draw.password()}"
    ),
    "a database that there is not": lambda draw, stage: stage.url + "_nowhere",
    "a user that there is not": lambda draw, stage: with_user(
        stage.url, "nobody\x1b", draw.password()
    ),
    "a port that nobody listens at": lambda *_: "postgresql://127.0.0.1:1/x",
    "a port beyond all": lambda *_: "postgresql://127.0.0.1:99999999/x",
    "a socket that there is not": lambda *_: "postgresql:///x?host=/nowhere%1b[2J",
    "options in the address": lambda _, stage: _keywords(
        stage.url, options="-c client_encoding=LATIN1"
    ),
    "options that are broken": lambda _, stage: _keywords(stage.url, options="-c nope"),
    "a parameter that there is not": lambda _, stage: _keywords(stage.url, nope="1"),
    "no address": lambda draw, _: draw.one_of(["", " ", "x", "mysql://127.0.0.1/x", "=", "a=b"]),
    "an address with a null character": lambda _, stage: stage.url + "\0",
    "an address with half of a pair": lambda _, stage: stage.url + "\udcff",
    "a pooler that shares sessions": None,
}


def address(draw: Draw, stage: ManualCoordinator) -> None:
    """The address of a database that is none, is another's, or cannot be worked with."""
    found = draw.odd({label: lambda _, made=made: made for label, made in ADDRESSES.items()})
    if found is None:
        with relay(stage.url, by_transaction=True) as url:
            _opened(url, stage, draw)
        return
    _opened(found(draw, stage), stage, draw)


def _opened(url: str, stage: ManualCoordinator, draw: Draw) -> None:
    draw.places = ()
    with Engine.open(roles=(), settings=stage.settings(url)) as engine:
        engine.submit(ordinary, {"number": 1}, correlation_id="☃")


def variables(draw: Draw, stage: ManualCoordinator) -> None:
    """What libpq reads from the environment changes nothing, or is refused."""
    with surrounded(draw.odd(PG_VARIABLES)):
        try:
            with Engine.open(roles=(), settings=stage.settings(stage.url)) as engine:
                task = engine.submit(ordinary, {"number": 1}, correlation_id="☃")
        except EngineError:
            stage.mark()
            raise
    require(stage.engine.task(task.id).wait(PATIENCE), "a task of a strange environment ends")
