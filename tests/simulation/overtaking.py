"""No step that starts in a joint round overtakes one that stands before it in the queue."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from simulation.agenda import Violation
from simulation.database import Database

from flowledger.engine.ports.coordinator import Commit, WorkerPart


class Overtaking:
    """What one coordinator must know to be in the queue: all of its shard, of others what it saw.

    A round that looks at the queue sees what is left in it; what another shard queues later counts
    from the next look on.
    """

    def __init__(self, database: Database, shard: int) -> None:
        self._database = database
        self._shard = shard
        self._seen: Collection[UUID] = ()

    def check(self, commit: Commit, part: WorkerPart) -> None:
        """Before a round is stored. Raises Violation."""
        starts = {start.originator_id for start in commit.starts}
        keys = [row["sort_key"] for row in commit.queued if row["step_id"] in starts]
        if not keys:
            return
        for row in self._database.free_rows(part.templates):
            known = self._database.is_in(self._shard, row.task_id) or row.step_id in self._seen
            if known and self._database.turn(row, part.near) < max(keys):
                raise Violation(f"a start overtakes step {row.step_id}, which is queued")

    def looked(self, part: WorkerPart) -> None:
        """The round is stored, and has looked at what is left."""
        self._seen = {row.step_id for row in self._database.free_rows(part.templates)}
