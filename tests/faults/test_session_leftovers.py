"""What a transactional step leaves on the session that it was lent is gone for the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import ClientCursor, Cursor
from psycopg.adapt import Dumper, Loader
from psycopg.rows import dict_row

from flowledger.engine import Engine
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("leftovers", "flow", version="1")
kept: list[Any] = []


class ReadsWrongly(Loader):
    def load(self, data: Any) -> Any:
        return "wrong"


class WritesWrongly(Dumper):
    oid = psycopg.adapters.types["int4"].oid

    def dump(self, obj: Any) -> bytes:
        return b"999"


def adapters(cursor: Cursor[Any]) -> None:
    for kind in ("int4", "int8", "text", "bool"):
        cursor.connection.adapters.register_loader(kind, ReadsWrongly)
    cursor.connection.adapters.register_dumper(int, WritesWrongly)


def factories(cursor: Cursor[Any]) -> None:
    cursor.connection.row_factory = dict_row
    cursor.connection.cursor_factory = ClientCursor


def thresholds(cursor: Cursor[Any]) -> None:
    cursor.connection.prepare_threshold = 0
    cursor.connection.prepared_max = 1


def notices(cursor: Cursor[Any]) -> None:
    cursor.connection.add_notice_handler(kept.append)
    cursor.connection.add_notify_handler(kept.append)
    cursor.execute("listen everything")


def attributes(cursor: Cursor[Any]) -> None:
    connection: Any = cursor.connection
    connection.execute = connection.customer = "ann"


def settings(cursor: Cursor[Any]) -> None:
    cursor.execute("set work_mem = '1234kB'")
    cursor.execute("set timezone = 'Asia/Tokyo'")
    cursor.execute("set search_path = pg_catalog")
    cursor.execute("set session characteristics as transaction read only")
    cursor.execute("select set_config('app.customer', 'ann', false)")
    cursor.execute("set client_encoding = 'latin1'")


def role(cursor: Cursor[Any]) -> None:
    cursor.execute("set role pg_monitor")


def user(cursor: Cursor[Any]) -> None:
    cursor.execute("set session authorization pg_monitor")


def objects(cursor: Cursor[Any]) -> None:
    cursor.execute("create temp table left_over (number int)")
    cursor.execute("select pg_advisory_lock(7)")
    cursor.execute("declare kept cursor with hold for select 1")
    cursor.execute("prepare mine as select 1")


LEFT: dict[str, Callable[[Cursor[Any]], None]] = {
    left.__name__: left
    for left in (
        adapters, factories, thresholds, notices, attributes, settings, role, user, objects,
    )
}  # fmt: skip

SESSION = (
    "select current_user, current_setting('work_mem'), current_setting('timezone'),"
    " current_setting('search_path'), current_setting('default_transaction_read_only'),"
    " coalesce(current_setting('app.customer', true), ''), current_setting('client_encoding'),"
    " to_regclass('pg_temp.left_over')::text,"
    " (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'),"
    " (select count(*) from pg_cursors where name = 'kept'),"
    " (select count(*) from pg_prepared_statements where from_sql),"
    " (select count(*) from pg_listening_channels()), %s + 0, true"
)


@flow.step(transactional=True, retry=Retry(max_attempts=1))
def leaves(context: dict[str, str], cursor: Cursor) -> int:
    kept.append(cursor.connection.cursor())
    LEFT.get(context["what"], lambda _: None)(cursor)
    return cursor.connection.info.backend_pid


@flow.step(after=[leaves], transactional=True, retry=Retry(max_attempts=1))
def finds(leaves: int, cursor: Cursor) -> dict[str, Any]:
    connection = cursor.connection
    seen = {
        "same session": connection.info.backend_pid == leaves,
        "session": list(cursor.execute(SESSION, (5,)).fetchone() or ()),
        "factories": [connection.row_factory.__name__, connection.cursor_factory.__name__],
        "thresholds": [connection.prepare_threshold, connection.prepared_max],
        "attributes": sorted({"customer", "execute"} & vars(connection).keys()),
    }
    told = len(kept)
    cursor.execute("do $$ begin raise notice 'hear'; end $$")
    return {**seen, "told": len(kept) - told}


@flow.step(after=[finds], transactional=True, retry=Retry(max_attempts=1))
def keeps(cursor: Cursor) -> None:
    with pytest.raises(psycopg.InterfaceError, match="the step that this cursor was lent to"):
        kept[-1].execute("select 1")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow, worker={"transactional_connections": 1})


@pytest.fixture(scope="module")
def untouched(engine: Engine) -> Any:
    return engine.submit(flow, {"what": "nothing"}).result(PATIENCE)["finds"]


@pytest.mark.parametrize("what", LEFT)
def test_the_next_step_on_the_same_session_finds_it_untouched(
    engine: Engine, untouched: Any, what: str
) -> None:
    found = engine.submit(flow, {"what": what}).result(PATIENCE)["finds"]

    assert found == untouched
    assert found["same session"]
    assert found["told"] == 0
