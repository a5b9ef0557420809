"""Appends the engine's own events in the transactions of what they report, and reads them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from flowledger.engine.domain.submission import check_request
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.engine import ENGINE_TOPICS, EngineAction, EngineEvent
from flowledger.engine.store.connection.arrays import TextArray
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.identifiers import Identifiers
from flowledger.engine.store.connection.pool import Connection, Pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.recorder import event_arrays

APPEND = "select flowledger.append_per_stream(%b, %b, %b, %b, %b, %b, 'engine')"
READ = "select * from flowledger.engine_events(%s, %s, %b)"
PAGE = 1_000


class Act:
    """A change that an operator makes to the engine: a transaction, and the event that tells it."""

    def __init__(self, connection: Connection, record: Callable[..., None]) -> None:
        self._connection = connection
        self.record = record

    def all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return self._connection.execute(query, parameters, binary=True).fetchall()


class EngineLog:
    """What happened to the engine. The mapper must be that of the log."""

    def __init__(
        self, mapper: EventMapper | None = None, new_id: Callable[[], UUID] | None = None
    ) -> None:
        self._mapper = mapper or EventMapper()
        self._new_id = new_id or Identifiers().new

    @contextmanager
    def acting(
        self, pool: Pool, kind: type[EngineAction], *, actor: str, reason: str
    ) -> Generator[Act]:
        """Within the block, a transaction; `record` appends an event of that kind with the word.

        Raises InvalidRequest for a word that says nothing or cannot be stored, before all else;
        DatabaseUnavailable, and what the schema's functions say.
        """
        check_request(kind.topic, {"reason": reason, "actor": actor}, None)
        with translate_errors(), pool.connection() as connection, connection.transaction():
            record = partial(self.append, connection, kind, actor=actor, reason=reason)
            yield Act(connection, record)

    def append(self, connection: Connection, kind: type[EngineEvent], **fields: Any) -> None:
        """Append an event to a stream of its own, at the database's time.

        Within the transaction that makes the change. Raises UnstorableEvent.
        """
        ((now,),) = connection.execute("select flowledger.clock()").fetchall()
        stream = self._new_id()
        event = kind(
            originator_id=stream,
            originator_version=1,
            event_id=self._new_id(),
            occurred_at=cast("datetime", now),
            correlation_id=str(stream),
            **fields,
        )
        arrays = event_arrays([self._mapper.to_stored_event(event)])
        connection.execute(APPEND, arrays)

    def events(self, pool: Pool) -> Iterator[Recorded]:
        """All of them, in the order of the log. Raises DatabaseUnavailable, LogCorrupt."""
        after, rows = 0, [()]
        while rows:
            with translate_errors(), pool.connection() as connection:
                rows = connection.execute(READ, (after, PAGE, TextArray(ENGINE_TOPICS))).fetchall()
            for position, stream, version, topic, state, recorded_at in cast("list[Any]", rows):
                event = self._mapper.event(stream, version, topic, state, None, position)
                if not isinstance(event, EngineEvent):
                    raise LogCorrupt(f"the event at position {position} is not the engine's own")
                after = position
                yield Recorded(position, recorded_at, event)
