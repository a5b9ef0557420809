"""Rows made again from the log, for all that verification finds and the log knows better.

First it is looked at without a lock, as `verify` does. Where something differs, it is looked at
again in a transaction in which nobody else changes those rows, and what differs then is stored with
an event that says what, who asked for it, and why. So it may be stopped anywhere, and run beside
coordinators and workers: the coordinator of a repaired task begins anew from what is stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict
from uuid import UUID

from flowledger.engine.client.derived_rows import Made, apart_rows
from flowledger.engine.client.verification import StreamCheck, TaskCheck
from flowledger.engine.domain.argument_checks import check_request
from flowledger.engine.domain.deterministic_ids import request_id
from flowledger.engine.domain.verify.non_task_streams import (
    OtherStreams,
    missing_rows,
    verify_apart,
)
from flowledger.engine.domain.verify.repairable_differences import (
    IDENTITIES,
    ApartRows,
    Left,
    TaskRows,
    told,
    why_left,
)
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.shard_positions import SHARDS, MovedShard
from flowledger.engine.domain.verify.task import StoredTask, created_of
from flowledger.engine.errors import AccessDenied, StatementRefused
from flowledger.engine.events.base import Event
from flowledger.engine.events.engine_actions import EngineRepaired
from flowledger.engine.events.notes import TaskRepaired
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.verification import Check, VerificationStore

BY_ALL = "a position is that of all tasks of the shard: `flowledger repair --all` sets it right"


class Repairing(TypedDict):
    """Who repairs, and why; both are recorded."""

    actor: str
    reason: str


@dataclass(slots=True)
class Repair:
    """What a repair made again, or would, and what it left."""

    dry_run: bool
    repaired: list[Difference] = field(default_factory=list[Difference])
    left: list[Left] = field(default_factory=list[Left])

    def sort(self, differences: Iterable[Difference]) -> list[Difference]:
        """Those that can be mended; the others are left, and said so."""
        mended: list[Difference] = []
        for found in differences:
            why = why_left(found)
            if why is None:
                mended.append(found)
            else:
                self.left.append(Left(found, why))
        return mended

    @contextmanager
    def of(self, differences: Sequence[Difference]) -> Generator[None]:
        """What the database does not take for these is left; what else is mended goes on."""
        try:
            yield
        except AccessDenied:
            raise
        except StatementRefused as error:
            self.left += refused(differences, error)


class Repairs(Protocol):
    """The store of repairs. Each call is one transaction, in which nobody changes those rows."""

    def task(self, task_id: UUID, make: Callable[[StoredTask], TaskRows | None]) -> None:
        """Store what is made of the task's evidence; `make` may be called more than once."""
        ...

    def apart(
        self, streams: Sequence[UUID], make: Callable[[OtherStreams], ApartRows | None]
    ) -> None:
        """Store what is made of these streams, and the rows that belong to them."""
        ...

    def positions(self, moved: Sequence[MovedShard], event: Event) -> None:
        """Put shards where they should stand; those from behind the log look at all anew."""
        ...

    def shards(self, event: Event) -> None:
        """Mend rows of shards, and make those that are gone; their positions are set right then."""
        ...

    def strays(self, event: Event) -> None:
        """Remove rows that nothing in the log stands behind, but templates."""
        ...

    def slots(self, keys: Sequence[str], event: Event) -> None:
        """Count slots in use anew."""
        ...

    def recount(self, event: Event) -> None:
        """Count tasks and steps anew."""
        ...


class Repairer:
    """Repairs one task, or everything."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        *,
        stored: VerificationStore,
        repairs: Repairs,
        clock: Clock,
        new_id: Callable[[], UUID],
        priority_ageing_seconds: float,
        others: Sequence[Check] = (),
    ) -> None:
        """`others` are the checks of what can be found here and not mended."""
        self._stored = stored
        self._repairs = repairs
        self._clock = clock
        self._new_id = new_id
        self._ageing = priority_ageing_seconds
        self._others = others

    def repair(self, task: UUID | None, *, dry_run: bool, actor: str, reason: str) -> Repair:
        """Make rows again. Raises as `Engine.repair`; what was done until then stays."""
        check_request("repair", {"reason": reason, "actor": actor}, None)
        repair, word = Repair(dry_run), Repairing(actor=actor, reason=reason)
        check = TaskCheck(self._stored)
        if task is None:
            # What is repaired first changes these: they are told as they were, as a dry run does.
            strays, miscounts = self._stored.strays(), self._stored.miscounts()
            guards = self._stored.guards()
            self._positions(check, strays, repair, word)
            self._streams(repair, word)
            self._tasks(check, None, repair, word)
            repair.repaired += repair.sort([*strays, *miscounts, *guards])
            if not dry_run:
                self._strays(guards, word)
                self._counters(word)
        else:
            gone = (one for one in check.missing(task) if isinstance(one, Difference))
            repair.left += [Left(one, BY_ALL) for one in (*gone, *check.positions(task))]
            self._tasks(check, task, repair, word)
        for other in self._others:
            repair.sort(one for one in other.check(task) if isinstance(one, Difference))
        return repair

    def _tasks(self, check: TaskCheck, task: UUID | None, repair: Repair, word: Repairing) -> None:
        waiting: dict[UUID, list[Difference]] = defaultdict(list)
        for found in check.tasks(task):
            if isinstance(found, Difference):
                waiting[found.task_id or UUID(int=0)].append(found)
                continue
            for its, differences in waiting.items():
                self._task(check, its, differences, repair, word)
            waiting.clear()

    def _task(
        self,
        check: TaskCheck,
        task: UUID,
        found: Sequence[Difference],
        repair: Repair,
        word: Repairing,
    ) -> None:
        if repair.dry_run or all(map(why_left, found)):
            repair.repaired += repair.sort(found)
            return
        seen: list[Difference] = []
        disputed: list[Left] = []

        def make(evidence: StoredTask) -> TaskRows | None:
            made = Made(evidence, self._ageing)
            seen[:] = check.look(evidence, made)
            disputed[:] = self._disputed(evidence, seen)
            mended = mendable(undisputed(seen, disputed))
            return self._task_rows(evidence, made.rows(mended), mended, word) if mended else None

        with repair.of(seen):
            self._repairs.task(task, make)
            repair.left += disputed
            repair.repaired += repair.sort(undisputed(seen, disputed))

    def _task_rows(
        self,
        evidence: StoredTask,
        rows: dict[str, Any],
        mended: Sequence[Difference],
        word: Repairing,
    ) -> TaskRows:
        created = created_of(evidence)
        if created is None:
            return TaskRows(rows, None)
        event_id = self._new_id()
        event = TaskRepaired(
            originator_id=request_id(created.task_id, str(event_id)),
            originator_version=1,
            event_id=event_id,
            occurred_at=max(self._clock.now(), created.occurred_at),
            correlation_id=created.correlation_id,
            task_id=created.task_id,
            namespace=created.namespace,
            template=created.template,
            **word,
            **told(mended),
        )
        return TaskRows(rows, event)

    def _disputed(self, evidence: StoredTask, found: Iterable[Difference]) -> list[Left]:
        """Identities of which the log says the same of the task that has the row."""
        created = created_of(evidence)
        left: list[Left] = []
        for one in found:
            if one.place != IDENTITIES or one.row is None or created is None:
                continue
            (owner,) = self._stored.evidence([one.row])
            other = created_of(owner)
            if other is not None and other.identity == created.identity:
                left.append(Left(one, f"the log gives it to task {one.row} as well"))
        return left

    def _streams(self, repair: Repair, word: Repairing) -> None:
        for part in StreamCheck(self._stored).parts():
            mended = repair.sort(verify_apart(part))
            if mended and not repair.dry_run:
                self._part(part, mended, repair, word)
            else:
                repair.repaired += mended

    def _part(
        self, part: OtherStreams, found: Sequence[Difference], repair: Repair, word: Repairing
    ) -> None:
        """Store them together, or each alone: what is refused of one stream hinders no other."""

        def make(apart: OtherStreams) -> ApartRows | None:
            seen = mendable(verify_apart(apart))
            return apart_rows(apart, self._event(seen, word)) if seen else None

        alone = [one for one in map(part.alone, part.streams) if mendable(verify_apart(one))]
        try:
            self._repairs.apart(list(part.streams), make)
            repair.repaired += found
        except AccessDenied:
            raise
        except StatementRefused as error:
            if len(alone) == 1:
                repair.left += refused(found, error)
                return
            for one in alone:
                self._part(one, mendable(verify_apart(one)), repair, word)

    def _positions(
        self, check: TaskCheck, strays: Iterable[Difference], repair: Repair, word: Repairing
    ) -> None:
        gone = missing_rows(self._stored.missing_shards())
        repair.repaired += gone
        rows = [*gone, *(one for one in strays if one.place == SHARDS)]
        if rows and not repair.dry_run:
            self._repairs.shards(self._event(rows, word))
        check.look_for_missing()
        found = list(check.positions(None))
        made = {one.subject for one in gone}  # whose positions nobody had stored
        repair.repaired += [one for one in found if one.subject not in made]
        if found and not repair.dry_run:
            self._repairs.positions([*check.moved.values()], self._event(found, word))

    def _strays(self, guards: Sequence[Difference], word: Repairing) -> None:
        found = mendable([*self._stored.strays(), *guards])
        self._store(found, word, self._repairs.strays)

    def _counters(self, word: Repairing) -> None:
        found = mendable(self._stored.miscounts())
        slots = [one for one in found if one.place == "flowledger.slot_count"]
        keys = [one.subject for one in slots]
        self._store(slots, word, lambda event: self._repairs.slots(keys, event))
        counts = [one for one in found if one not in slots]
        self._store(counts, word, self._repairs.recount)

    def _store(
        self, found: Sequence[Difference], word: Repairing, store: Callable[[Event], None]
    ) -> None:
        if found:
            store(self._event(found, word))

    def _event(self, found: Sequence[Difference], word: Repairing) -> EngineRepaired:
        event_id = self._new_id()
        return EngineRepaired(
            originator_id=event_id,
            originator_version=1,
            event_id=event_id,
            occurred_at=self._clock.now(),
            correlation_id=str(event_id),
            **word,
            **told(found),
        )


def refused(found: Iterable[Difference], error: StatementRefused) -> list[Left]:
    """The differences as left, since the database does not take what would mend them."""
    return [Left(one, f"its rows cannot be stored: {error}") for one in found]


def mendable(found: Iterable[Difference]) -> list[Difference]:
    """The differences that the log says how to mend."""
    return [one for one in found if why_left(one) is None]


def undisputed(found: Sequence[Difference], disputed: Sequence[Left]) -> list[Difference]:
    """The differences but those that are disputed."""
    return [one for one in found if all(one is not left.difference for left in disputed)]
