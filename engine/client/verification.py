"""Verification for applications: which checks there are, and running them.

A check looks at one task or at all, and yields differences as it finds them. Each task is looked at
in one snapshot, so that engines may run meanwhile: a difference is one at that moment, and not a
matter of looking at one table before another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.domain.verify.non_task_streams import (
    OtherStreams,
    missing_rows,
    verify_apart,
)
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.shard_positions import (
    MovedShard,
    StoredShard,
    moved_shard,
    shard_number,
    standing,
)
from flowledger.engine.domain.verify.task import NOBODY, Onlooker, StoredTask, verify_task
from flowledger.engine.errors import UnknownTask
from flowledger.engine.ports.verification import (
    Check,
    Finding,
    NotCompared,
    VerificationStore,
    VerifyProgress,
)

EVENTS_AT_ONCE = 10_000
"""Events of so many tasks are in memory at once; all those of one task, if it has more."""

TASKS_AT_ONCE = 200
STREAMS_AT_ONCE = 20_000
APART_AT_ONCE = 50
MOST_PLANS = 500
NO_ID = UUID(int=0)


class Verification:
    """One run of all checks: iterate over it for the differences, as they are found.

    `tasks` and `events` count what was looked at so far, `found` the differences; `not_compared`
    says what could not be looked at, and why.
    """

    def __init__(self, checks: Sequence[Check], task: UUID | None) -> None:
        self._checks = checks
        self._task = task
        self.tasks = 0
        self.events = 0
        self.found = 0
        self.not_compared: dict[str, str] = {}

    def __iter__(self) -> Iterator[Difference]:
        for _, found in self.look():
            if isinstance(found, Difference):
                yield found

    def look(self) -> Iterator[tuple[str, Finding]]:
        """The differences, each with the name of its check, and how far it is between them.

        Raises UnknownTask where there is no such task, LogCorrupt, DatabaseUnavailable.
        """
        for check in self._checks:
            for found in check.check(self._task):
                if isinstance(found, VerifyProgress):
                    self.tasks += found.tasks
                    self.events += found.events
                elif isinstance(found, NotCompared):
                    self.not_compared[found.name] = found.why
                else:
                    self.found += 1
                yield check.name, found


def is_of(task: UUID, evidence: StoredTask) -> bool:
    """Whether anything stored is said to be the task's: others may share its range."""
    rows = [row for kind in ("task", "step") for row in evidence.rows.get(kind, ())]
    return any(task in {entry.stream, entry.task_id} for entry in evidence.log) or any(
        row["task_id"] == task for row in rows
    )


def is_without_shard(evidence: StoredTask) -> bool:
    """Whether the row of its shard is gone, so that nobody knows how far its rows have come."""
    return not evidence.rows.get("shard")


class TaskCheck:
    """Every task: its log, and its rows in the built-in read models, the queue and the timers."""

    name = "tasks"

    def __init__(self, stored: VerificationStore) -> None:
        self._stored = stored
        self._plans: dict[UUID, Plan] = {}
        self.moved: dict[int, MovedShard] = {}
        self._missing: Sequence[int] = ()

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`. Raises UnknownTask.

        Where the position of a shard is not the one that the log implies, this is told, and its
        tasks are looked at as they are at the other: `moved` has these shards by their numbers.
        """
        yield from self.missing(task)
        yield from self.positions(task)
        yield from self.tasks(task)

    def tasks(self, task: UUID | None) -> Iterator[Finding]:
        """As `check`, but for the positions of shards."""
        if task is not None:
            yield from self._one(task)
            return
        after = NO_ID
        while chunk := self._stored.tasks_after(after, TASKS_AT_ONCE):
            tasks = fitting(chunk)
            yield from self._verified(self._stored.evidence(tasks))
            after = tasks[-1]

    def missing(self, task: UUID | None) -> Iterator[Finding]:
        """Shards without a row, or the task's. Their tasks are not looked at, and it is said so."""
        self.look_for_missing()
        if self._missing and (task is None or is_without_shard(*self._stored.evidence([task]))):
            yield from missing_rows(self._missing)
            numbers = ", ".join(map(str, self._missing))
            yield NotCompared(f"tasks of shard {numbers}", "its row in flowledger.shard is gone")

    def look_for_missing(self) -> None:
        """Learn of which shards the row is gone, whose tasks `look` finds nothing of."""
        self._missing = self._stored.missing_shards()

    def positions(self, task: UUID | None) -> Iterator[Difference]:
        """Positions of shards, or of the task's, that are not those that the log implies."""
        moved = (self._moved(shard) for shard in self._stored.shards())
        self.moved = {one.shard: one for one in moved if one is not None}
        if self.moved and task is not None:
            its = {shard_number(one) for one in self._stored.evidence([task])}
            self.moved = {shard: one for shard, one in self.moved.items() if shard in its}
        for one in self.moved.values():
            yield one.difference

    def _moved(self, shard: StoredShard) -> MovedShard | None:
        facts = self._stored.facts_seen(shard)
        tasks = [*dict.fromkeys(task for _, task in facts)]
        chunks = (tasks[n : n + TASKS_AT_ONCE] for n in range(0, len(tasks), TASKS_AT_ONCE))
        evidence = (one for chunk in chunks for one in self._stored.evidence(chunk))
        return moved_shard(shard, facts, evidence, self.plan)

    def look(self, evidence: StoredTask, onlooker: Onlooker = NOBODY) -> list[Difference]:
        """What differs in one task, at the position that its shard should have."""
        if self._missing and is_without_shard(evidence):
            return []
        (one,) = standing([evidence], self.moved)
        return verify_task(one, self.plan, onlooker)

    def _one(self, task: UUID) -> Iterator[Finding]:
        found = self._stored.evidence([task])
        if not any(is_of(task, one) for one in found) and not self._stored.known(task):
            raise UnknownTask(task)
        yield from self._verified(found)

    def _verified(self, evidence: Sequence[StoredTask]) -> Iterator[Finding]:
        for one in evidence:
            yield from self.look(one)
        yield VerifyProgress(len(evidence), sum(len(one.log) for one in evidence))

    def plan(self, template_id: UUID) -> Plan:
        """The plan of a definition. Raises UnknownTemplate, LogCorrupt, InvalidTemplate."""
        plan = self._plans.get(template_id)
        if plan is None:
            plan = compile_plan(self._stored.template(template_id))
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[template_id] = plan
        return plan


class StreamCheck:
    """Streams that are no task's, and their rows: templates, circuits, and what is nobody's."""

    name = "streams"

    def __init__(self, stored: VerificationStore) -> None:
        self._stored = stored

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is not None:
            return
        for apart in self.parts():
            yield from verify_apart(apart)
            yield VerifyProgress()

    def parts(self) -> Iterator[OtherStreams]:
        """All streams that are no task's, some at a time; circuits with a row come first."""
        circuits = self._stored.apart(())
        yield circuits
        last: UUID | None = NO_ID
        while last is not None:
            last, apart = self._stored.streams_apart(last, STREAMS_AT_ONCE)
            others = [stream for stream in apart if stream not in circuits.streams]
            for start in range(0, len(others), APART_AT_ONCE):
                yield self._stored.apart(others[start : start + APART_AT_ONCE])


class StoreCheck:
    """Rows that nobody stands behind, and counters."""

    name = "store"

    def __init__(self, stored: VerificationStore) -> None:
        self._stored = stored

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is None:
            yield from self._stored.strays()
            yield from self._stored.miscounts()
            yield from self._stored.guards()


def built_in(stored: VerificationStore) -> tuple[Check, ...]:
    """The checks of what the coordinator and the workers keep beside the log."""
    return (TaskCheck(stored), StreamCheck(stored), StoreCheck(stored))


def fitting(chunk: Sequence[tuple[UUID, int]], events: int = EVENTS_AT_ONCE) -> list[UUID]:
    """As many of the tasks as have so many events together, and at least one."""
    tasks: list[UUID] = []
    for task, count in chunk:
        if tasks and count > events:
            break
        tasks.append(task)
        events -= count
    return tasks
