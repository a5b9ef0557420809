"""Submits tasks in a caller's transaction; a coordinator creates them once that is committed.

The connection is the caller's, with any encoding, row factory or kind of cursor. One to another
database than the engine's is refused: no coordinator there would create the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from flowledger.engine.domain.submitted_again import require_same
from flowledger.engine.errors import DuplicateTask, InvalidSubmission
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.store.connection.arrays import ByteaArray, register_arrays
from flowledger.engine.store.driver_connection import async_connection_of, connection_of
from flowledger.engine.store.log.event_mapper import EventMapper

# The cluster's number, where the role may know it.
WHICH_DATABASE = """
    select
        d.datname::text, d.oid::bigint,
        case when has_function_privilege('pg_catalog.pg_control_system()', 'execute')
            then (select c.system_identifier from pg_catalog.pg_control_system() as c)
        end
    from pg_catalog.pg_database as d
    where d.datname = pg_catalog.current_database()
"""
# The connection is the caller's, with any encoding: what is not ASCII is sent as bytes.
SUBMIT_LATER = (
    "select * from flowledger.submit_in_callers_transaction("
    "(select array_agg(convert_from(i.identity, 'UTF8') order by i.n)"
    " from unnest(%b) with ordinality as i (identity, n)), %b, %b, %b, %b)"
)


class WhichDatabase(NamedTuple):
    """What tells a database from others. `cluster` is None where the role may not know it."""

    name: str
    oid: int
    cluster: int | None


class LaterSubmission:
    """Tasks to store on a caller's connection; `given` are the arguments of
    `submit_in_callers_transaction`.

    With `only_new`, or where the ids are the caller's, some may turn out to be refused when others
    are stored: a savepoint takes these back. Fresh ids need none.
    """

    def __init__(
        self,
        given: tuple[Any, ...],
        created: Sequence[TaskCreated],
        mapper: EventMapper,
        *,
        only_new: bool,
        ids_given: bool,
    ) -> None:
        self._given = given
        self._created = created
        self._mapper = mapper
        self._only_new = only_new
        self._may_be_refused = only_new or ids_given

    def store(self, ours: WhichDatabase, connection: object) -> Sequence[UUID]:
        """The task of each identity.

        Raises DuplicateTask; InvalidSubmission for an id of something else, and for a connection
        that is none of those it knows, is closed or is to another database.
        """
        own = connection_of(connection)
        # A cursor of its own kind: that of the connection may put parameters into the text.
        cursor = psycopg.Cursor(own, row_factory=tuple_row)
        _require_same_database(cursor.execute(WHICH_DATABASE).fetchall(), ours)
        register_arrays(cursor.adapters)
        if self._may_be_refused:
            # It opens the caller's transaction, so that the block is a savepoint and no commit.
            cursor.execute("select")
        with own.transaction() if self._may_be_refused else nullcontext():
            cursor.execute(SUBMIT_LATER, self._given)
            return self._owners(cursor.fetchall())

    async def store_awaited(self, ours: WhichDatabase, connection: object) -> Sequence[UUID]:
        """As `store`, on a connection that is awaited."""
        own = await async_connection_of(connection)
        cursor = psycopg.AsyncCursor(own, row_factory=tuple_row)
        await cursor.execute(WHICH_DATABASE)
        _require_same_database(await cursor.fetchall(), ours)
        register_arrays(cursor.adapters)
        if self._may_be_refused:
            await cursor.execute("select")
        async with own.transaction() if self._may_be_refused else nullcontext():
            await cursor.execute(SUBMIT_LATER, self._given)
            return self._owners(await cursor.fetchall())

    def _owners(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[UUID]:
        for event, (task_id, topic, state) in zip(self._created, rows, strict=True):
            if state is not None:
                # In SQL_ASCII, texts come as bytes.
                name = topic.decode() if isinstance(topic, bytes) else topic
                require_same(event, self._mapper.event(task_id, 1, name, state, task_id))
        return owners_of(self._created, rows, only_new=self._only_new)


def _require_same_database(rows: Sequence[tuple[Any, ...]], ours: WhichDatabase) -> None:
    ((name, oid, cluster),) = rows
    # In SQL_ASCII, texts come as bytes.
    theirs = WhichDatabase(name.decode() if isinstance(name, bytes) else name, oid, cluster)
    if any(None not in {a, b} and a != b for a, b in zip(theirs, ours, strict=True)):
        raise InvalidSubmission(
            f"the connection is to another database ({theirs.name}) than the engine's"
            f" ({ours.name}), where nobody would take the task on; nothing was submitted"
        )


def identities_of(created: Sequence[TaskCreated]) -> ByteaArray:
    """As bytes in UTF-8, whatever the encoding of the connection."""
    identities = (event.identity for event in created)
    return ByteaArray([None if one is None else one.encode() for one in identities])


def owners_of(
    created: Sequence[TaskCreated], rows: Sequence[tuple[Any, ...]], *, only_new: bool
) -> Sequence[UUID]:
    """The task that has each identity. With `only_new` raises DuplicateTask for another one."""
    owners = [row[0] for row in rows]
    for event, owner in zip(created, owners, strict=True):
        if only_new and event.task_id != owner:
            raise DuplicateTask(owner)
    return owners
