"""Appends the engine's own events in the transactions of what they report, and reads them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

from flowledger.engine.domain.argument_checks import check_request
from flowledger.engine.domain.deterministic_ids import action_id
from flowledger.engine.errors import LogCorrupt, StreamMoved
from flowledger.engine.events.base import Event, Recorded
from flowledger.engine.events.engine_actions import ENGINE_TOPICS, EngineAction, EngineEvent
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.engine.store.connection.errors import told_again, translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.engine.store.log.eventsourcing_recorders import event_arrays
from flowledger.engine.store.uuid_generator import Identifiers

APPEND = "select flowledger.append_per_stream(%b, %b, %b, %b, %b, %b, 'engine')"
READ = "select * from flowledger.events_without_task(%s, %s, %b)"
STREAM = "select * from flowledger.read_streams(%b)"
PAGE = 1_000
T = TypeVar("T")


class Act:
    """A change that an operator makes to the engine: a transaction, and the event that tells it.

    `earlier` is the event of the change that was made with the same key already.
    """

    def __init__(
        self, connection: Connection, record: Callable[..., None], earlier: Event | None
    ) -> None:
        self._connection = connection
        self.record = record
        self.earlier = earlier

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
        self, pool: Sessions, kind: type[EngineAction], *, actor: str, reason: str
    ) -> Generator[Act]:
        """Within the block, a transaction; `record` appends an event of that kind with the word.

        Raises InvalidRequest for a word that says nothing or cannot be stored, before all else;
        DatabaseUnavailable, and what the schema's functions say.
        """
        check_request(kind.topic, {"reason": reason, "actor": actor}, None)
        with translate_errors(), pool.connection() as connection, connection.transaction():
            record = partial(self.append, connection, kind, actor=actor, reason=reason)
            yield Act(connection, record, None)

    def once(  # noqa: PLR0913 - what, of what, and who says so
        self,
        pool: Sessions,
        kind: type[EngineAction],
        target: str,
        key: str | None,
        act: Callable[[Act], T],
        *,
        actor: str,
        reason: str,
    ) -> T:
        """Act as within `acting`, but one time for a key and a target, whoever asks how often.

        Raises as `acting` does; MaybeStored, with the key to ask again with.
        """
        check_request(kind.topic, {"reason": reason, "actor": actor}, key)
        key = key or str(self._new_id())
        stream = action_id(kind.topic, target, key)
        word = {"actor": actor, "reason": reason}
        for _ in range(2):  # who loses the stream to another that acts at once finds its event
            with (
                suppress(StreamMoved),
                translate_errors(),
                pool.connection() as connection,
                told_again(f"ask again with key={key!r}", (), key),
                connection.transaction(),
            ):
                record = partial(self.append, connection, kind, stream=stream, **word)
                return act(Act(connection, record, self._event(connection, stream)))
        raise LogCorrupt(f"stream {stream} is taken, and has no event")

    def _event(self, connection: Connection, stream: UUID) -> Event | None:
        rows = connection.execute(STREAM, (UuidArray([stream]),), binary=True).fetchall()
        events = [self._mapper.to_domain_event(StoredLogEvent(*row)) for _, *row in rows]
        return events[0] if events else None

    def append(
        self,
        connection: Connection,
        kind: type[EngineEvent],
        *,
        stream: UUID | None = None,
        **fields: Any,
    ) -> None:
        """Append an event to a stream of its own, at the database's time.

        Within the transaction that makes the change. Raises UnstorableEvent; StreamMoved where the
        stream was given and is there.
        """
        ((now,),) = connection.execute("select flowledger.clock()").fetchall()
        stream = stream or self._new_id()
        event = kind(
            originator_id=stream,
            originator_version=1,
            event_id=self._new_id(),
            occurred_at=cast("datetime", now),
            correlation_id=str(stream),
            **fields,
        )
        arrays = event_arrays([self._mapper.to_stored_event(event)])
        ((refused,),) = connection.execute(APPEND, arrays, binary=True).fetchall()
        if refused:
            raise StreamMoved(f"stream {stream} is there already")

    def events(self, pool: Sessions) -> Iterator[Recorded]:
        """All of them, in the order of the log; one that cannot be read says so in its place.

        Raises DatabaseUnavailable.
        """
        after, rows = 0, [()]
        while rows:
            with translate_errors(), pool.connection() as connection:
                rows = connection.execute(READ, (after, PAGE, TextArray(ENGINE_TOPICS))).fetchall()
            for position, stream, version, topic, state, recorded_at in cast("list[Any]", rows):
                event = self._mapper.readable(recorded_at, stream, version, topic, state)
                after = position
                yield Recorded(position, recorded_at, event)
