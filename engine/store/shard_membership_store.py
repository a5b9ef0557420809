"""The rows of shards and coordinator processes: leases, membership, and the number of shards."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg

from flowledger.engine.domain.shard_assignment import Members, ShardLease
from flowledger.engine.errors import ShardsBehind, ShardsDiffer
from flowledger.engine.events.engine_actions import ShardsChanged
from flowledger.engine.events.registry import FACT_TOPICS
from flowledger.engine.store.connection.arrays import TextArray
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import FACTS_LEFT, translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.engine_action_log import EngineLog

HEARTBEAT = "select flowledger.heartbeat_coordinator(%s, %s, %s, %s)"
RENEW = "select flowledger.renew_shard_leases(%s, %s, %s)"
LIVE = "select flowledger.live_coordinators()"
SILENCE = "select flowledger.next_worker_silence()"
LEASES = "select * from flowledger.shard_leases()"
SET_SHARDS = "select flowledger.set_shard_count(%s, %b)"


@dataclass(frozen=True, slots=True)
class ShardRow:
    """A shard as an operator wants to see it.

    `behind` counts the facts that are still to be decided on. `lease_left` is in seconds, and None
    where the shard was never led. `host` and `pid` are None where the leader is not registered.
    """

    shard: int
    leader: UUID | None
    host: str | None
    pid: int | None
    epoch: int
    position: int
    behind: int
    lease_left: float | None


class PostgresShardStore:
    """The rows of coordinator processes and of shards. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Sessions, clock: DatabaseClock) -> None:
        self._pool = pool
        self._clock = clock

    def heartbeat(
        self,
        process: UUID,
        lease_seconds: float,
        led: Sequence[int] = (),
        *,
        there_seconds: float | None = None,
        every: float | None = None,
    ) -> Members:
        """Say that the process is there for so long and leads these shards; see who else is.

        `there_seconds`: for how long it is there, where not for a lease. `every`: so many seconds
        until it asks again, for other roles of the process, which are asked about before.
        """
        there = there_seconds or lease_seconds
        row = (process, socket.gethostname(), os.getpid(), there)

        def ask(connection: Session) -> Members:
            def all_of(query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                return connection.execute(query, parameters, binary=True).fetchall()

            asked = self._clock.asking()
            ((now,),) = all_of(HEARTBEAT, row)
            self._clock.observe(cast("datetime", now), asked)
            if led:
                all_of(RENEW, (process, [*led], lease_seconds))
            ((silent_at,),) = all_of(SILENCE)
            live, leases = all_of(LIVE), all_of(LEASES)
            return Members(
                [process for (process,) in live],
                [ShardLease(*row[:3]) for row in leases],
                max((row[-1] for row in leases), default=0),
                cast("datetime | None", silent_at),
            )

        found, _ = self._pool.pulse.beat(_role(process), ask, every or lease_seconds, rides=False)
        return found

    def deregister(self, process: UUID) -> None:
        """The process takes no share any more."""
        self._pool.pulse.leave(_role(process))
        self._all("select flowledger.deregister_coordinator(%s)", (process,))

    def shards(self) -> Sequence[ShardRow]:
        """The shards, by number."""
        rows = self._all("select * from flowledger.list_shards(%b)", (TextArray(FACT_TOPICS),))
        return [ShardRow(*row) for row in rows]

    def missing(self) -> Sequence[int]:
        """The numbers of shards whose row is gone."""
        return [number for (number,) in self._all("select flowledger.missing_shards()")]

    def resize(self, shards: int, *, actor: str, reason: str) -> None:
        """Change how many shards there are, and record it; nothing where there are as many.

        Raises InvalidRequest, ShardsBehind where facts are left that are not decided on.
        """
        words = {"actor": actor, "reason": reason}
        with _refusals(), EngineLog().acting(self._pool, ShardsChanged, **words) as act:
            ((before,),) = act.all(SET_SHARDS, (shards, TextArray(FACT_TOPICS)))
            if before != shards:
                act.record(before=before, shards=shards)

    def have_at_least(self, shards: int, *, actor: str, reason: str) -> bool:
        """As `resize`, where there are fewer, and never to fewer; whether it changed anything."""
        if self._count() >= shards:
            return False
        words = {"actor": actor, "reason": reason}
        with (
            suppress(_AlreadyMore),
            _refusals(),
            EngineLog().acting(self._pool, ShardsChanged, **words) as act,
        ):
            ((before,),) = act.all(SET_SHARDS, (shards, TextArray(FACT_TOPICS)))
            if before > shards:
                raise _AlreadyMore
            if before != shards:
                act.record(before=before, shards=shards)
                return True
        return False

    def ensure_count(self, shards: int | None) -> None:
        """Make so many where no coordinator has ever led; None takes what is there.

        Raises ShardsDiffer where there are other many.
        """
        if shards is None:
            return
        found = self._all(LEASES)
        count = max((row[-1] for row in found), default=0)
        if count != shards:
            if any(epoch for *_, epoch, _ in found):
                raise ShardsDiffer(count, shards)
            with _refusals():
                self._all(SET_SHARDS, (shards, TextArray(FACT_TOPICS)))

    def _count(self) -> int:
        return max((row[-1] for row in self._all(LEASES)), default=0)

    def _all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


def _role(process: UUID) -> str:
    return f"coordinator {process}"


class _AlreadyMore(Exception):
    """Somebody made more shards meanwhile: what would make them fewer is rolled back."""


@contextmanager
def _refusals() -> Generator[None]:
    """Raise ShardsBehind where the schema's function says that facts are left."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == FACTS_LEFT:
            raise ShardsBehind(str(error.diag.message_primary)) from error
        raise
