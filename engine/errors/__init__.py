"""Every error that the engine raises: named for what happened, its facts as attributes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flowledger.engine.errors.base import EngineError as EngineError
from flowledger.engine.errors.coordination import PositionBehindLog as PositionBehindLog
from flowledger.engine.errors.projections import InvalidProjection as InvalidProjection
from flowledger.engine.errors.projections import ProjectionBehind as ProjectionBehind
from flowledger.engine.errors.projections import ProjectionLeft as ProjectionLeft
from flowledger.engine.errors.projections import ProjectionRefused as ProjectionRefused
from flowledger.engine.errors.projections import UnknownProjection as UnknownProjection
from flowledger.engine.errors.projections import UnknownRebuild as UnknownRebuild
from flowledger.engine.errors.unanswered_requests import RequestUnanswered as RequestUnanswered
from flowledger.engine.errors.unanswered_requests import TaskNotCreated as TaskNotCreated


class DatabaseUnavailable(EngineError):
    """The database cannot be reached or prepared; the sentence says where and why.

    Nothing was stored, but for MaybeStored, and for what has no key and may be asked again without
    harm: registering and pausing templates, what is done to projections but for rebuilds, parked
    tasks, shards, repairs and grants. `sqlstate` is the server's code where it gave one.
    """

    def __init__(self, sentence: str, sqlstate: str | None = None) -> None:
        super().__init__(sentence)
        self.sqlstate = sqlstate


class DatabaseBusy(DatabaseUnavailable):
    """The database answers, and refuses this for now; nothing was stored.

    It is out of space or memory, read-only, or a limit of time or another transaction stood in the
    way. The same may be asked again.
    """


class DatabaseSilent(DatabaseUnavailable, TimeoutError):
    """The database did not answer in time: it is stopped, or nothing comes through to it.

    That is `database.answer_timeout_seconds` for one answer, `database.connect_timeout_seconds` for
    a new connection, or the timeout that the caller gave. Ask again when it answers.
    """


class DatabaseUnfit(DatabaseUnavailable):
    """The database can be reached, and the engine cannot work with it; waiting does not help.

    It is not in UTF-8, its clock is moved to the end of all calendars, or it is reached through a
    pooler that gives each transaction another session. The sentence says what to change.
    """


class DefinitionChanged(EngineError):
    """A template was changed without a new version; nothing was stored.

    `difference` is a unified diff of the two definitions, lines of text; `sentence` says the rest.
    """

    def __init__(self, template: str, difference: str) -> None:
        self.sentence = (
            f"template {template} is already registered with another definition: give the change"
            " a new version, or while it is being written use --dev (Engine.open(dev=True))"
        )
        super().__init__(f"{self.sentence}:\n{difference}")
        self.template = template
        self.difference = difference


class DefinitionInUse(EngineError):
    """In development: a template was changed that live workers run as it was; nothing was stored.

    `users` says which: `process 4711 on host ada`.
    """

    def __init__(self, template: str, users: Sequence[str]) -> None:
        super().__init__(
            f"template {template} was changed, and a worker runs it as it was:"
            f" {', '.join(users)}; stop it, or give the change a new version"
        )
        self.template = template
        self.users = tuple(users)


class DuplicateTask(EngineError):
    """A task with the same identity exists, and the caller asked to be told."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"a task with this identity exists already: {task_id}")
        self.task_id = task_id


class EngineClosed(EngineError):
    """The engine was closed, before it was asked or while it was asked to wait for `task_id`."""

    def __init__(self, task_id: UUID | None = None) -> None:
        before = "" if task_id is None else f" before task {task_id} had ended"
        super().__init__(f"the engine was closed{before}")
        self.task_id = task_id


class EngineForked(EngineError):
    """The engine was opened in another process, which this one was forked from."""

    def __init__(self, opened_in: int, process: int) -> None:
        super().__init__(
            f"this engine was opened in process {opened_in}, and process {process} is a fork of it:"
            " open an engine in each process, after the fork"
        )
        self.opened_in = opened_in
        self.process = process


class IllegalTransition(EngineError):
    """An event met a task or step in a state that does not allow it."""

    def __init__(self, subject: str, state: str, event: str, allowed: tuple[str, ...]) -> None:
        expected = ", ".join(allowed) or "nothing"
        super().__init__(f"{subject} is {state}: {event} is not allowed, only {expected}")
        self.subject = subject
        self.state = state
        self.event = event
        self.allowed = allowed


class InvalidConfiguration(EngineError, ValueError):
    """A setting is unknown, of the wrong type or contradicts another."""


class InvalidContext(EngineError, ValueError):
    """A task's context is not what its template declares; nothing was stored."""


class InvalidRequest(EngineError, ValueError):
    """What was asked of a task cannot be stored, or the key stands for something else."""


class InvalidResult(EngineError, ValueError):
    """A handler's result is not JSON, too large, or of another type than annotated."""


class InvalidSubmission(EngineError, ValueError):
    """A priority, key, actor or correlation id cannot be stored; nothing was."""


class InvalidTemplate(EngineError, ValueError):
    """A workflow cannot be what it says: a cycle, an unknown name, a wrong type, too large."""


class LeadershipLost(EngineError):
    """Another coordinator leads the shard; what was decided here was not stored."""


class LogCorrupt(EngineError):
    """An event in the log cannot be read, or a row says no state; the sentence names which."""


class MigrationEdited(EngineError):
    """A migration that this database has run is not the one in the package any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was edited after this database ran it: restore the file,"
            " and put the change into a migration with the next number"
        )
        self.name = name


class MaybeStored(DatabaseUnavailable):
    """The connection was lost before the database answered: what was asked may be stored, or not.

    Ask again with the ids or the key of this error, and it is stored once: `task_ids` are for
    `submit(task_id=…)` and `submit_many(task_ids=…)`; `key` is for requests, notes and rebuilds.
    """

    def __init__(
        self, again: str, reason: str, task_ids: tuple[UUID, ...] = (), key: str | None = None
    ) -> None:
        super().__init__(
            f"the connection was lost before the answer, and this may be stored: {again} ({reason})"
        )
        self.task_ids = task_ids
        self.key = key


class MissingIdempotencyKey(EngineError):
    """The template's tasks are told apart by a key of the caller's, and none was given."""

    def __init__(self, template: str) -> None:
        super().__init__(
            f"template {template} has the identity strategy caller_provided:"
            " submit needs an idempotency_key"
        )
        self.template = template


class NothingRecorded(EngineError, ValueError):
    """The task was not there yet at the time or position that was asked about."""

    def __init__(self, task_id: UUID, at: datetime | int) -> None:
        where = f"position {at}" if isinstance(at, int) else at.isoformat()
        super().__init__(f"nothing is recorded of task {task_id} up to {where}")
        self.task_id = task_id
        self.at = at


class RequestDenied(EngineError):
    """The coordinator could not do what was asked; `message` says why and what could be asked."""

    def __init__(self, task_id: UUID, request_id: UUID, message: str) -> None:
        super().__init__(f"task {task_id}: {message}")
        self.task_id = task_id
        self.request_id = request_id
        self.message = message


class SchemaTooNew(EngineError):
    """The database was migrated by a newer release; this one does not touch it."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"the database has {found}, and this release knows the schema up to {known}:"
            " run a release that is at least as new as the database"
        )
        self.found = found
        self.known = known


class SchemaBehind(EngineError):
    """The schema is not that of this release, and this login or setting does not let it change.

    `files` are those that are to be applied.
    """

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__(
            f"the schema is not that of this release ({len(files)} files are to be applied):"
            " run `flowledger db migrate` with the login that owns it"
        )
        self.files = tuple(files)


class MissingExtra(EngineError):
    """An optional dependency is not installed; the sentence names the extra that brings it."""


class ShardsBehind(EngineError):
    """The number of shards cannot be changed while facts are left that are not decided on."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: let a coordinator run, stop what submits and works, and try again"
        )
        self.reason = reason


class ShardsDiffer(EngineError):
    """The database has another number of shards than coordinator.shards says."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"the database has {found} shard(s), and coordinator.shards says {wanted}:"
            " leave the setting out to take what is there,"
            f" or change the database with `flowledger db shards {wanted}`"
        )
        self.found = found
        self.wanted = wanted


class StepStopRequested(EngineError):
    """The step was cancelled while its handler ran, which is asked to stop."""

    def __init__(self, step: str) -> None:
        super().__init__(f"step {step!r} was cancelled")
        self.step = step


class StepLost(EngineError):
    """The step is not this worker's any more; what its handler still does is not recorded."""

    def __init__(self, step: str) -> None:
        super().__init__(f"step {step!r} was taken from this worker")
        self.step = step


class StatementRefused(EngineError):
    """The database refused a statement of the engine's for a reason that waiting does not cure.

    A right is missing, an object of the schema was changed by hand, a trigger or constraint that is
    not the engine's objects, or the engine has a bug. Nothing was stored.
    """

    def __init__(self, sentence: str, sqlstate: str) -> None:
        super().__init__(sentence)
        self.sqlstate = sqlstate


class AccessDenied(StatementRefused):
    """The login lacks a right; `flowledger db grants` tells which roles there are."""

    def __init__(self, said: str, sqlstate: str) -> None:
        super().__init__(
            f"this login may not do that: {said}; `flowledger db grants` prints which role may",
            sqlstate,
        )


class StreamMoved(EngineError):
    """Someone else appended first, and nothing was stored. Reload, decide again, retry."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"someone else appended first: {detail}")
        self.detail = detail


class TaskNotCompleted(EngineError):
    """The task ended without being done: in error, cancelled, or past its deadline.

    `errors` maps each failed step to its last message; `why` says what ended the task beside them.
    """

    def __init__(
        self, task_id: UUID, state: str, errors: dict[str, str], why: str | None = None
    ) -> None:
        failed = (f"{step}: {message}" for step, message in errors.items())
        detail = "; ".join([why, *failed] if why else failed)
        super().__init__(f"task {task_id} ended as {state}{': ' if detail else ''}{detail}")
        self.task_id = task_id
        self.state = state
        self.errors = errors
        self.why = why


class TaskUnfinished(EngineError, TimeoutError):
    """The task had not ended within the time the caller gave it."""

    def __init__(self, task_id: UUID, seconds: float) -> None:
        super().__init__(f"task {task_id} has not ended within {seconds:g} s; explain() says why")
        self.task_id = task_id
        self.seconds = seconds


class TransactionEnded(EngineError):
    """The handler of a transactional step committed or rolled back by itself."""

    def __init__(self, step: str) -> None:
        super().__init__(
            f"the handler of step {step!r} ended the transaction that it was given;"
            " the engine commits it, with the step's completion"
        )
        self.step = step


class TransactionReadOnly(EngineError):
    """The handler of a transactional step forbade its transaction to write."""

    def __init__(self, step: str) -> None:
        super().__init__(
            f"the handler of step {step!r} made the transaction that it was given read-only;"
            " the engine stores the step's completion in it"
        )
        self.step = step


class UnknownHandler(EngineError, LookupError):
    """A step names a handler that is neither registered nor importable."""


class UnknownStep(EngineError, LookupError):
    """The task's template has no step of that name."""

    def __init__(self, task_id: UUID, step: str, hint: str = "") -> None:
        super().__init__(f"task {task_id} has no step {step!r}{hint}")
        self.task_id = task_id
        self.step = step


class UnknownTask(EngineError, LookupError):
    """No task has this id."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"there is no task {task_id}")
        self.task_id = task_id


class UnknownTemplate(EngineError, LookupError):
    """No template is registered under this name."""


class UnstorableEvent(EngineError, ValueError):
    """What an event says cannot be written as JSON, or not as deep as it is; nothing was stored."""
