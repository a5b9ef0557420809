"""The port of verification: what it reads, and the findings that it yields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.verify.non_task_streams import OtherStreams
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.shard_positions import StoredShard
from flowledger.engine.domain.verify.task import StoredTask


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """So much was looked at since the last word of a check."""

    tasks: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class NotCompared:
    """Something that was made from the log and that nobody here could make again, and why."""

    name: str
    why: str


Finding = Difference | VerifyProgress | NotCompared


class Check(Protocol):
    """One kind of thing to hold against the log."""

    @property
    def name(self) -> str:
        """What it looks at, in a word or two."""
        ...

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """The differences of the task, or of all and of what is no task's; how far it is.

        Also what it could not look at.
        """
        ...


class VerificationStore(Protocol):
    """What is stored, for whoever verifies it. Each call is one snapshot."""

    def tasks_after(self, after: UUID, limit: int) -> Sequence[tuple[UUID, int]]:
        """Tasks behind one, by id, with how many events each has."""
        ...

    def evidence(self, tasks: Sequence[UUID]) -> Sequence[StoredTask]:
        """All that is stored of these tasks, in their order."""
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate, LogCorrupt, InvalidTemplate."""
        ...

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted."""
        ...

    def streams_apart(self, after: UUID, limit: int) -> tuple[UUID | None, Sequence[UUID]]:
        """The last of so many streams behind one, and those of them that are no known task's."""
        ...

    def apart(self, streams: Sequence[UUID]) -> OtherStreams:
        """These streams and the rows that belong to them; all circuits where there are none."""
        ...

    def shards(self) -> Sequence[StoredShard]:
        """Every shard that there is to be and that has a row, in order."""
        ...

    def missing_shards(self) -> Sequence[int]:
        """The numbers of shards whose row is gone."""
        ...

    def facts_seen(self, shard: StoredShard) -> Sequence[tuple[int, UUID]]:
        """The facts about tasks in `shard.seen`, the first of them, each with its task."""
        ...

    def strays(self) -> Sequence[Difference]:
        """Rows that nothing in the log stands behind, and rows of shards that cannot be."""
        ...

    def guards(self) -> Sequence[Difference]:
        """What is wrong with the log as a whole, and with what guards it."""
        ...

    def miscounts(self) -> Sequence[Difference]:
        """Counters that differ from what they count."""
        ...
