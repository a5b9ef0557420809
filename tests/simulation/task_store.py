"""The application's store in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from pydantic import JsonValue
from simulation.coordinator_store import registered
from simulation.database import Database

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.domain.submitted_again import require_same
from flowledger.engine.domain.templates.template import Template, difference
from flowledger.engine.errors import (
    DefinitionChanged,
    DuplicateTask,
    LogCorrupt,
    UnknownTemplate,
)
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered, TemplateResumed
from flowledger.engine.ports.client import Answer, Progress, Snapshot, StepRow, TaskRow


class MemoryTaskStore:
    """Tasks in memory. A caller's own transaction commits at once, whatever `connection` is."""

    def __init__(self, database: Database, new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._new_id = new_id

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        known = self._database.templates.get(template.template_id)
        if known is None:
            self._database.log.append([self._registration(template)])
            self._database.templates[template.template_id] = template
        elif known.definition_hash != template.definition_hash:
            raise DefinitionChanged(template.key, difference(known, template))

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        return registered(self._database, template_id)

    def pause_template(self, template_id: UUID, event: TemplatePaused | TemplateResumed) -> bool:
        """Append it to the template's stream. False where it is so already.

        Raises UnknownTemplate.
        """
        database, pauses = self._database, isinstance(event, TemplatePaused)
        known = template_id in database.templates
        if not known:
            raise UnknownTemplate(f"no template {template_id} is registered")
        if (template_id in database.limits.paused) is pauses:
            return False
        version = database.log.version(template_id) + 1
        database.log.append([event.model_copy(update={"originator_version": version})])
        change = database.limits.paused.add if pauses else database.limits.paused.discard
        change(template_id)
        database.notify("fact")
        return True

    @property
    def sessions(self) -> int:
        return 0

    def submit(
        self,
        created: Sequence[TaskCreated],
        connection: object | None,
        *,
        only_new: bool,
        ids_given: bool = False,
    ) -> Sequence[UUID]:
        """Store tasks in one transaction; in the caller's they are left to the coordinator.

        Returns for each the task that has its identity; with `only_new` raises DuplicateTask
        where that is another one, and stores none. Raises InvalidSubmission for an id of something
        else.
        """
        taken = dict(self._database.identities)
        owners = [
            event.task_id
            if event.identity is None
            else taken.setdefault(event.identity, event.task_id)
            for event in created
        ]
        own = [e for e, owner in zip(created, owners, strict=True) if e.task_id == owner]
        for event, owner in zip(created, owners, strict=True):
            if only_new and event.task_id != owner:
                raise DuplicateTask(owner)
        fresh = [event for event in own if self._is_free(event)]
        if connection is not None:
            self._leave(fresh)
        elif fresh:
            self._database.log.append(fresh)
        self._database.identities.update(taken)
        self._database.notify("fact" if connection is None else "submission")
        return owners

    def _is_free(self, created: TaskCreated) -> bool:
        left = [e for e in self._database.submissions.values() if e.task_id == created.task_id]
        stored = next(iter([*self._database.log.stream(created.task_id), *left]), None)
        if stored is not None:
            require_same(created, stored)
        return stored is None

    def _leave(self, created: Sequence[TaskCreated]) -> None:
        for event in created:
            self._database.submissions[self._database.number()] = event

    def task(self, task_id: UUID) -> TaskRow | None:
        """The task's row; None where the coordinator has not seen it."""
        row = self._database.tasks.get(task_id)
        return None if row is None else _row(TaskRow, row)

    def steps(self, task_id: UUID) -> Sequence[StepRow]:
        """The rows of the task's steps."""
        rows = self._database.steps.items()
        return [_row(StepRow, row) for (task, _), row in rows if task == task_id]

    def templates(self) -> Sequence[tuple[str, str, str, str]]:
        """Namespace, name, version and hash of every registered template."""
        return sorted(
            (one.namespace, one.name, one.version, one.definition_hash)
            for one in self._database.templates.values()
        )

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted, be it seen by the coordinator or not."""
        left = {created.task_id for created in self._database.submissions.values()}
        return bool(self._database.log.stream(task_id)) or task_id in left

    def history(self, task_id: UUID) -> Sequence[Recorded]:
        """Every event of the task, in log order."""
        return self._database.log.of_task(task_id)

    def progress(self, task_id: UUID, names: int) -> Progress:
        """How far the task is, with the names of at most so many running steps."""
        claimed = {
            row.step
            for row in self._database.queue.values()
            if row.task_id == task_id and row.worker_id is not None
        }
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.steps(task_id):
            running = row.state == "enqueued" and row.step in claimed
            found["in_progress" if running else row.state].append(row.step)
        counts = {state: len(steps) for state, steps in found.items()}
        return Progress(counts, sorted(found["in_progress"])[:names])

    def snapshot(self, task_id: UUID) -> Snapshot:
        """Rows, history and position as they stood together."""
        return Snapshot(
            self._database.shards[shard_of(task_id, len(self._database.shards))].position,
            self.task(task_id),
            self.steps(task_id),
            self.history(task_id),
        )

    def ended(self, tasks: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the tasks that have ended."""
        rows = ((task, self._database.tasks.get(task)) for task in tasks)
        return [task for task, row in rows if row is not None and row["ended_at"] is not None]

    def keep_time(self) -> None:
        """Everybody here has the time from elsewhere."""

    def created(self, tasks: Sequence[UUID]) -> Mapping[UUID, TaskCreated]:
        """The first event of those of the tasks that a coordinator can decide about."""
        first = (event for task in tasks for event in self._database.log.stream(task)[:1])
        return {event.task_id: event for event in first if isinstance(event, TaskCreated)}

    def request(self, requests: Sequence[TaskRequest], key: str) -> Sequence[UUID]:
        """Append requests, in one transaction, each to a stream of its own.

        Returns the streams of those that were left out, since another request began the stream.
        """
        left_out = self._database.log.append_per_stream(requests)
        self._database.notify("fact")
        return sorted(left_out)

    def note(self, notes: Sequence[TaskNote], key: str) -> None:
        """Append notes, each to a stream of its own; one whose stream there is already is not."""
        self._database.log.append_per_stream(notes)

    def requested(self, request: UUID) -> TaskRequest:
        """The request in a stream. Raises LogCorrupt where there is none."""
        for event in self._database.log.stream(request)[:1]:
            if isinstance(event, TaskRequest):
                return event
        raise LogCorrupt(f"stream {request} does not begin with a request")

    def answers(self, requests: Sequence[UUID]) -> Mapping[UUID, Answer]:
        """What was answered to those of the requests that were."""
        events = (event for stream in requests for event in self._database.log.stream(stream))
        return {event.request: event for event in events if isinstance(event, Answer)}

    def _registration(self, template: Template) -> TemplateRegistered:
        event_id = self._new_id()
        return TemplateRegistered(
            originator_id=template.template_id,
            originator_version=1,
            event_id=event_id,
            occurred_at=self._database.clock(),
            correlation_id=str(event_id),
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            definition_hash=template.definition_hash,
            definition=cast("dict[str, JsonValue]", template.model_dump(mode="json")),
        )


COLUMNS = {"correlation_id": "correlation"}


def _row(kind: type[Any], row: Mapping[str, Any]) -> Any:
    """A stored row as the port gives it; rows of steps call the stream's version `version`."""
    version = row["stream_version"] if "stream_version" in row else row["version"]
    fields = {name: row.get(COLUMNS.get(name, name)) for name in kind.__slots__}
    if "correlation_id" in fields and fields["correlation_id"] is None:
        fields["correlation_id"] = str(row["task_id"])
    return kind(**{**fields, "state": str(row["state"]), "stream_version": version})
