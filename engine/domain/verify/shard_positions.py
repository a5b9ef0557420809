"""Derives from the log and the rows where the position of a shard must stand.

Facts are decided on in the order of the log, and a decision is stored with its rows and with the
position. So a position before a fact that has a decision is too small. Facts behind the last one
that has a decision tell by the rows of their tasks: these are the fold of the log at the position,
and where they are the fold at another place, that is where the shard stood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.task import PlanOf, StoredTask, verify_task

SHARDS = "flowledger.shard"
BY_DECISIONS = "the decisions in the log"


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A row of flowledger.shard, of which there are `shards` by its own word.

    `end` is the end of the log, `decided` the last fact that the log has a decision on, 0 where
    none is near.
    """

    shard: int
    shards: int
    position: int
    end: int
    decided: int = 0

    @property
    def seen(self) -> tuple[int, int]:
        """The facts behind the first and up to the second position tell where it stands."""
        if self.position < self.decided:
            return self.decided, self.end
        return self.decided, min(self.position, self.end)


@dataclass(frozen=True, slots=True)
class MovedShard:
    """A shard whose position is another than the log implies."""

    shard: int
    position: int
    implied: int
    end: int

    @property
    def difference(self) -> Difference:
        """What verification says of it."""
        subject = f"shard {self.shard}"
        if self.position > self.end:
            return Difference(subject, "position", f"at most {self.implied}", self.position, SHARDS)
        return Difference(subject, "position", self.implied, self.position, SHARDS, BY_DECISIONS)


def moved_shard(
    stored: StoredShard,
    facts: Iterable[tuple[int, UUID]],
    evidence: Iterable[StoredTask],
    plan_of: PlanOf,
) -> MovedShard | None:
    """The shard, where its position is not what the log implies.

    `facts` are those in `stored.seen`, each with its task, and `evidence` is of these tasks.
    """
    by_task: defaultdict[UUID, list[int]] = defaultdict(list)
    for position, task_id in facts:
        by_task[task_id].append(position)
    low, high = stored.decided, stored.end
    for one in evidence:
        if one.rows.get("parked_task") or one.position != stored.position:
            continue  # its facts were passed over, or the shard has moved on
        stood = _stood(one, by_task[one.task_id], stored, plan_of)
        low, high = max(low, stood[0]), min(high, stood[1])
    if low > high:  # rows that were changed contradict each other
        low, high = stored.decided, stored.end
    implied = max(low, min(stored.position, high))
    if implied == stored.position:
        return None
    return MovedShard(stored.shard, stored.position, implied, stored.end)


def _stood(
    evidence: StoredTask, facts: Sequence[int], stored: StoredShard, plan_of: PlanOf
) -> tuple[int, int]:
    """From where to where the shard stood by the rows of a task; anywhere, where none fits."""
    first, last = stored.seen
    if not verify_task(evidence, plan_of):
        return (max(facts) if stored.position >= first else first), stored.end
    places = [first, *sorted(facts)]
    for place, following in zip(places, [*places[1:], last + 1], strict=True):
        if not verify_task(replace(evidence, position=place), plan_of):
            return place, following - 1
    return first, stored.end


def standing(
    evidence: Iterable[StoredTask], moved: Mapping[int, MovedShard]
) -> Iterator[StoredTask]:
    """The tasks with the positions that the log implies, where their shards have others."""
    for one in evidence:
        its = moved.get(shard_number(one)) if moved else None
        if its is not None and one.position == its.position:
            yield replace(one, position=its.implied)
        else:
            yield one


def shard_number(evidence: StoredTask) -> int:
    """The number of the shard that decides on the task; -1 where there is none."""
    return next((int(row["shard"]) for row in evidence.rows.get("shard", ())), -1)
