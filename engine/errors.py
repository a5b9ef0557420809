"""Every error that the engine raises: named for what happened, its facts as attributes."""

from __future__ import annotations

from uuid import UUID


class EngineError(Exception):
    """Base of all errors raised by the engine."""


class DatabaseUnavailable(EngineError):
    """The database cannot be reached or prepared; the sentence says where and why."""


class DefinitionChanged(EngineError):
    """A template was changed without a new version; nothing was stored."""

    def __init__(self, template: str, difference: str) -> None:
        super().__init__(
            f"template {template} is already registered with another definition;"
            f" give the change a new version:\n{difference}"
        )
        self.template = template
        self.difference = difference


class DuplicateTask(EngineError):
    """A task with the same identity exists, and the caller asked to be told."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"a task with this identity exists already: {task_id}")
        self.task_id = task_id


class EngineClosed(EngineError):
    """The engine was closed by another thread while it was asked to wait."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"the engine was closed before task {task_id} had ended")
        self.task_id = task_id


class IllegalTransition(EngineError):
    """An event met a task or step in a state that does not allow it."""

    def __init__(self, subject: str, state: str, event: str, allowed: tuple[str, ...]) -> None:
        expected = ", ".join(allowed) or "nothing"
        super().__init__(f"{subject} is {state}: {event} is not allowed, only {expected}")
        self.subject = subject
        self.state = state
        self.event = event
        self.allowed = allowed


class InvalidConfiguration(EngineError):
    """A setting is unknown, of the wrong type or contradicts another."""


class InvalidContext(EngineError):
    """A task's context is not what its template declares; nothing was stored."""


class InvalidResult(EngineError):
    """A handler's result is not JSON, too large, or of another type than annotated."""


class InvalidSubmission(EngineError, ValueError):
    """A priority, key, actor or correlation id cannot be stored; nothing was."""


class InvalidTemplate(EngineError):
    """A workflow cannot be what it says: a cycle, an unknown name, a wrong type, too large."""


class LeadershipLost(EngineError):
    """Another coordinator leads the shard; what was decided here was not stored."""


class LogCorrupt(EngineError):
    """An event in the log cannot be read; the sentence names its position."""


class MigrationEdited(EngineError):
    """A migration that this database has run is not the one in the package any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was edited after this database ran it: restore the file,"
            " and put the change into a migration with the next number"
        )
        self.name = name


class MissingIdempotencyKey(EngineError):
    """The template's tasks are told apart by a key of the caller's, and none was given."""

    def __init__(self, template: str) -> None:
        super().__init__(
            f"template {template} has the identity strategy caller_provided:"
            " submit needs an idempotency_key"
        )
        self.template = template


class SchemaTooNew(EngineError):
    """The database was migrated by a newer release; this one does not touch it."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"the database has {found}, and this release knows the schema up to {known}:"
            " run a release that is at least as new as the database"
        )
        self.found = found
        self.known = known


class MissingExtra(EngineError):
    """An optional dependency is not installed; the sentence names the extra that brings it."""


class StreamMoved(EngineError):
    """Someone else appended first, and nothing was stored. Reload, decide again, retry."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"someone else appended first: {detail}")
        self.detail = detail


class TaskFailed(EngineError):
    """The task ended in error; `errors` maps each failed step to its last message."""

    def __init__(self, task_id: UUID, state: str, errors: dict[str, str]) -> None:
        detail = "; ".join(f"{step}: {message}" for step, message in errors.items())
        super().__init__(f"task {task_id} ended as {state}: {detail}")
        self.task_id = task_id
        self.state = state
        self.errors = errors


class TaskUnfinished(EngineError, TimeoutError):
    """The task had not ended within the time the caller gave it."""

    def __init__(self, task_id: UUID, seconds: float) -> None:
        super().__init__(f"task {task_id} has not ended within {seconds:g} s")
        self.task_id = task_id
        self.seconds = seconds


class UnknownHandler(EngineError):
    """A step names a handler that is neither registered nor importable."""


class UnknownTask(EngineError):
    """No task has this id."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"there is no task {task_id}")
        self.task_id = task_id


class UnknownTemplate(EngineError):
    """No template is registered under this name."""
