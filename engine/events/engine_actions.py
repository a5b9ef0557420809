"""What happens to the engine itself, and to no task: what operators do to its parts and its schema.

Nothing is decided from these events, and no coordinator reads them. Each is a stream of its own, as
a request is, and is appended in the transaction that makes the change, so that there is neither
without the other; only that of a migration follows it at once, since one that waited for the log
with its tables locked would wait for those who wait for these.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from flowledger.engine.events.base import Event


class EngineEvent(Event):
    """Something happened to the engine."""


class EngineAction(EngineEvent):
    """Somebody did something to the engine. `actor` says who, `reason` why."""

    actor: str = Field(min_length=1)  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    reason: str = Field(min_length=1)


class ProjectionAction(EngineAction):
    """Somebody did something to a projection."""

    projection: str


class ProjectionPaused(ProjectionAction):
    """The projection stands still until it is resumed."""

    topic = "projection.paused"


class ProjectionResumed(ProjectionAction):
    """The projection goes on; one that waited at an event that failed tries it again."""

    topic = "projection.resumed"


class ProjectionRebuildRequested(ProjectionAction):
    """The projection is to be built anew, as a generation beside the one that serves."""

    topic = "projection.rebuild_requested"

    generation: int


class ProjectionTasksRebuildRequested(ProjectionAction):
    """The rows of one task, or of all tasks of a template, are to be made anew in place."""

    topic = "projection.tasks_rebuild_requested"

    rebuild: int
    task: UUID | None = None
    template: str | None = None


class ProjectionRebuildCancelled(ProjectionAction):
    """What was being built of the projection was given up: so many generations and rebuilds."""

    topic = "projection.rebuild_cancelled"

    cancelled: int


class ProjectionRemoved(ProjectionAction):
    """The projection was removed, with its tables and views."""

    topic = "projection.removed"


class ProjectionEventsAction(ProjectionAction):
    """About so many parked `events`: of one task, at one position, or all where neither is said."""

    events: int
    task: UUID | None = None
    position: int | None = None


class ProjectionParkedRetryRequested(ProjectionEventsAction):
    """Events that the projection put aside are to be applied."""

    topic = "projection.parked_retry_requested"


class ProjectionParkedDropRequested(ProjectionEventsAction):
    """Events that the projection put aside are to be forgotten by it; the log keeps them."""

    topic = "projection.parked_drop_requested"


class ProjectionEventSkipped(ProjectionAction):
    """The generation passed over the event at the position, at which it stood because of `failure`.

    `task` is the event's, where it is one of a task.
    """

    topic = "projection.event_skipped"

    generation: int
    position: int
    failure: str
    task: UUID | None = None


class TasksParkedRetryRequested(EngineAction):
    """Tasks that coordinators leave alone are to be tried again."""

    topic = "tasks.parked_retry_requested"

    tasks: tuple[UUID, ...]


class EngineRepaired(EngineAction):
    """Rows that are no task's were made again from the log, for somebody.

    `changes` are the first of what was changed, in words; `more` is how many there were beside.
    """

    topic = "engine.repaired"

    changes: tuple[str, ...]
    more: int = 0


class ShardsChanged(EngineAction):
    """There are so many shards from now on."""

    topic = "shards.changed"

    before: int
    shards: int


class ClockMoved(EngineAction):
    """The engine's time was moved by so many seconds, back where they are negative, for a test.

    From now on it is `ahead_seconds` ahead of the server's. Appended by a trigger of the schema,
    whoever writes the offset.
    """

    topic = "clock.moved"

    by_seconds: float
    ahead_seconds: float


class RightsGranted(EngineAction):
    """A role of the database has the rights now that this release means it to have."""

    topic = "rights.granted"

    role: str


class SchemaMigrated(EngineAction):
    """The schema became that of a release: these files of it were applied.

    Appended as soon as they are. Not for those that make the schema: before them there is no log.
    """

    topic = "schema.migrated"

    release: str
    files: tuple[str, ...]


PROJECTION_ACTIONS: tuple[type[ProjectionAction], ...] = (
    ProjectionPaused,
    ProjectionResumed,
    ProjectionRebuildRequested,
    ProjectionTasksRebuildRequested,
    ProjectionRebuildCancelled,
    ProjectionRemoved,
    ProjectionParkedRetryRequested,
    ProjectionParkedDropRequested,
    ProjectionEventSkipped,
)
ENGINE_ACTIONS: tuple[type[EngineAction], ...] = (
    *PROJECTION_ACTIONS,
    TasksParkedRetryRequested,
    ShardsChanged,
    EngineRepaired,
    ClockMoved,
    RightsGranted,
    SchemaMigrated,
)
ENGINE_EVENTS: tuple[type[EngineEvent], ...] = ENGINE_ACTIONS
ENGINE_TOPICS = tuple(sorted(kind.topic for kind in ENGINE_EVENTS))
