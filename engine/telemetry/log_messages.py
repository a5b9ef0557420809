"""The log lines of the engine: the name of each, how loud it is, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


class Signal(StrEnum):
    """The name of every log event of the engine."""

    CLOCK_STEPPED = "clock.stepped"
    COORDINATOR_BATCH_COMMITTED = "coordinator.batch_committed"
    COORDINATOR_CIRCUIT_CLOSED = "coordinator.circuit_closed"
    COORDINATOR_CIRCUIT_OPENED = "coordinator.circuit_opened"
    COORDINATOR_CONFLICT = "coordinator.conflict"
    COORDINATOR_ELECTED = "coordinator.elected"
    COORDINATOR_LOST = "coordinator.lost"
    COORDINATOR_POSITION_BEHIND = "coordinator.position_behind"
    COORDINATOR_REBALANCED = "coordinator.rebalanced"
    COORDINATOR_RECONCILED = "coordinator.reconciled"
    COORDINATOR_RESIGNED = "coordinator.resigned"
    COORDINATOR_SHARDS_CHANGED = "coordinator.shards_changed"
    COORDINATOR_SHARDS_MISSING = "coordinator.shards_missing"
    COORDINATOR_TASKS_UNPARKED = "coordinator.tasks_unparked"
    COORDINATOR_TASK_PARKED = "coordinator.task_parked"
    COORDINATOR_UNSERVED = "coordinator.unserved"
    DATABASE_BUSY = "database.busy"
    DATABASE_RECOVERED = "database.recovered"
    DATABASE_REFUSED = "database.refused"
    DATABASE_UNREACHABLE = "database.unreachable"
    EMBEDDED_FOUND = "embedded.found"
    EMBEDDED_STARTED = "embedded.started"
    ENGINE_CLOSED = "engine.closed"
    ENGINE_OPENED = "engine.opened"
    HANDLER_WAITS = "handler.waits"
    LISTENER_RECONNECTED = "listener.reconnected"
    LOOP_ABANDONED = "loop.abandoned"
    LOOP_FAILED = "loop.failed"
    MIGRATION_APPLIED = "migration.applied"
    POOL_EXHAUSTED = "pool.exhausted"
    PROGRAM_PROCESS_ENDED = "program.process_ended"
    PROGRAM_RESTARTED = "program.restarted"
    PROGRAM_SHARDS_RAISED = "program.shards_raised"
    PROGRAM_SHARDS_REFUSED = "program.shards_refused"
    PROJECTION_ACQUIRED = "projection.acquired"
    PROJECTION_CODE_CHANGED = "projection.code_changed"
    PROJECTION_EVENT_PARKED = "projection.event_parked"
    PROJECTION_LOST = "projection.lost"
    PROJECTION_RAISED = "projection.raised"
    PROJECTION_REFUSED = "projection.refused"
    PROJECTION_STOPPED = "projection.stopped"
    PROJECTION_SWAPPED = "projection.swapped"
    STEP_COMPLETED = "step.completed"
    TASK_BLOCKED = "task.blocked"
    TASK_CANCELLED = "task.cancelled"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_RESOLVED_MANUALLY = "task.resolved_manually"
    TEMPLATE_CHANGED = "template.changed"
    TEMPLATE_REGISTERED = "template.registered"
    WORKER_CLAIMED = "worker.claimed"
    WORKER_HEARTBEAT_REFUSED = "worker.heartbeat_refused"
    WORKER_ISOLATED = "worker.isolated"
    WORKER_LEASE_LOST = "worker.lease_lost"
    WORKER_LOOP_BLOCKED = "worker.loop_blocked"
    WORKER_LOOP_ESCAPED = "worker.loop_escaped"
    WORKER_RECOVERED = "worker.recovered"
    WORKER_REGISTERED = "worker.registered"
    WORKER_RELEASED = "worker.released"
    WORKER_STEP_FAILED = "worker.step_failed"
    WORKER_STEP_LOST = "worker.step_lost"
    WORKER_STEP_RAISED = "worker.step_raised"
    WORKER_STEP_TIMED_OUT = "worker.step_timed_out"
    WORKER_STOPPING = "worker.stopping"
    WORKER_STUCK = "worker.stuck"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a signal says, and how loud."""

    level: Level
    text: str


CATALOGUE: Mapping[Signal, Meaning] = MappingProxyType(
    {
        Signal.CLOCK_STEPPED: Meaning(
            "warning",
            "The clock of this host was set, by so many seconds; the engine's time did not step.",
        ),
        Signal.COORDINATOR_BATCH_COMMITTED: Meaning(
            "debug", "Decisions on a batch of events were committed."
        ),
        Signal.COORDINATOR_CIRCUIT_CLOSED: Meaning(
            "info", "An outside system works again; its steps are queued as they come."
        ),
        Signal.COORDINATOR_CIRCUIT_OPENED: Meaning(
            "warning", "An outside system fails; its steps wait until it is tried again."
        ),
        Signal.COORDINATOR_CONFLICT: Meaning(
            "info", "A step or task moved while it was decided on; it is read and decided again."
        ),
        Signal.COORDINATOR_ELECTED: Meaning("info", "This process leads the shard from now on."),
        Signal.COORDINATOR_LOST: Meaning(
            "warning", "Another process leads the shard; what was decided here was not stored."
        ),
        Signal.COORDINATOR_POSITION_BEHIND: Meaning(
            "error", "The position of a shard is before facts that were decided on: see repair."
        ),
        Signal.COORDINATOR_REBALANCED: Meaning(
            "info", "Another process leads fewer shards than its share, so it gets some of these."
        ),
        Signal.COORDINATOR_RECONCILED: Meaning(
            "warning", "Steps that should have been queued were not, and are now."
        ),
        Signal.COORDINATOR_RESIGNED: Meaning(
            "info", "This process gave up the shard: it stops, or another leads too few."
        ),
        Signal.COORDINATOR_SHARDS_CHANGED: Meaning(
            "info", "There is another number of shards; they are shared out anew."
        ),
        Signal.COORDINATOR_SHARDS_MISSING: Meaning(
            "error", "The rows of these shards are gone, so nobody can lead them: see repair."
        ),
        Signal.COORDINATOR_TASK_PARKED: Meaning(
            "error",
            "A task cannot be taken in or decided on; it is left alone, the others go on.",
        ),
        Signal.COORDINATOR_TASKS_UNPARKED: Meaning(
            "info", "Tasks that were parked could be decided on again, and go on."
        ),
        Signal.COORDINATOR_UNSERVED: Meaning(
            "warning", "So many tasks of these templates are open, and no worker has them."
        ),
        Signal.DATABASE_BUSY: Meaning(
            "warning",
            "The database refuses what the loop does for now (space, time, locks, read-only);"
            " it tries again by itself. Once an outage.",
        ),
        Signal.DATABASE_RECOVERED: Meaning(
            "info", "What the loop does succeeds again, after so many attempts and seconds."
        ),
        Signal.DATABASE_REFUSED: Meaning(
            "error",
            "The database refuses what the loop does, and not for now: see the code; the loop"
            " tries again, and says so once an outage.",
        ),
        Signal.DATABASE_UNREACHABLE: Meaning(
            "warning",
            "The database cannot be reached; the loop tries again by itself. Once an outage.",
        ),
        Signal.EMBEDDED_FOUND: Meaning("debug", "The embedded Postgres was running already."),
        Signal.EMBEDDED_STARTED: Meaning(
            "info", "The embedded Postgres was started, or started again after it had died."
        ),
        Signal.ENGINE_CLOSED: Meaning("info", "The engine stopped its roles and connections."),
        Signal.ENGINE_OPENED: Meaning("info", "The engine is ready, with the roles it names."),
        Signal.HANDLER_WAITS: Meaning(
            "warning",
            "A handler waits for a task, and keeps its place in the worker: where every place is"
            " taken so, nothing goes on.",
        ),
        Signal.LISTENER_RECONNECTED: Meaning(
            "info",
            "The connection for wake-ups was lost, and is back; all is looked at.",
        ),
        Signal.LOOP_ABANDONED: Meaning(
            "warning", "A stopping process did not wait any longer for a loop to end."
        ),
        Signal.LOOP_FAILED: Meaning(
            "error", "A loop met an error it does not know; it tries again after a pause."
        ),
        Signal.MIGRATION_APPLIED: Meaning("info", "A migration changed the database's schema."),
        Signal.POOL_EXHAUSTED: Meaning(
            "warning",
            "All connections of the process (database.pool_max_size) are in use, and who needs one"
            " has waited for a second. Once, until one is free at once again.",
        ),
        Signal.PROGRAM_PROCESS_ENDED: Meaning(
            "warning",
            "A process of `flowledger start --processes` ended unasked, with this exit code or of"
            " this signal, or could not be started; another is started after so many seconds.",
        ),
        Signal.PROGRAM_RESTARTED: Meaning(
            "warning", "The program starts itself anew, to be rid of handlers that never end."
        ),
        Signal.PROGRAM_SHARDS_RAISED: Meaning(
            "info", "There are as many shards now as `flowledger start` has processes."
        ),
        Signal.PROGRAM_SHARDS_REFUSED: Meaning(
            "warning",
            "There are fewer shards than `flowledger start` has processes, and more are refused for"
            " now, so some lead none: it tries again by itself, as this command does. Once.",
        ),
        Signal.PROJECTION_ACQUIRED: Meaning(
            "info", "This process runs a generation of a projection."
        ),
        Signal.PROJECTION_CODE_CHANGED: Meaning(
            "warning", "A projection has other code than it was built with, of the same version."
        ),
        Signal.PROJECTION_EVENT_PARKED: Meaning(
            "error", "A projection could not take an event, and put it aside as its policy says."
        ),
        Signal.PROJECTION_LOST: Meaning("warning", "Another process runs the projection now."),
        Signal.PROJECTION_RAISED: Meaning(
            "debug", "Where a projection's method raised, with its traceback."
        ),
        Signal.PROJECTION_REFUSED: Meaning(
            "error", "A projection's tables or views cannot be made as it says; others go on."
        ),
        Signal.PROJECTION_STOPPED: Meaning(
            "error", "A projection could not take an event, and waits there; it tries again."
        ),
        Signal.PROJECTION_SWAPPED: Meaning(
            "info", "A generation of a projection that was built serves now."
        ),
        Signal.STEP_COMPLETED: Meaning(
            "debug",
            "A step's completion is stored, so many seconds after this attempt began.",
        ),
        Signal.TASK_BLOCKED: Meaning(
            "info",
            "Steps of the task failed, and its template leaves to an operator what follows; so many"
            " seconds after its submission.",
        ),
        Signal.TASK_CANCELLED: Meaning(
            "info", "A task was cancelled, so many seconds after its submission."
        ),
        Signal.TASK_COMPLETED: Meaning(
            "info", "A task completed, so many seconds after its submission."
        ),
        Signal.TASK_FAILED: Meaning(
            "info",
            "A task failed, with these steps and for this reason, so many seconds after its"
            " submission.",
        ),
        Signal.TASK_RESOLVED_MANUALLY: Meaning(
            "info", "An operator settled a task elsewhere, so many seconds after its submission."
        ),
        Signal.TEMPLATE_CHANGED: Meaning(
            "warning",
            "In development, a definition that changed under the same version was registered as"
            " a version of its own, which is what is submitted and run here.",
        ),
        Signal.TEMPLATE_REGISTERED: Meaning("debug", "A workflow's definition stands in the log."),
        Signal.WORKER_CLAIMED: Meaning("debug", "Steps were claimed and recorded as started."),
        Signal.WORKER_HEARTBEAT_REFUSED: Meaning(
            "warning", "The database refused the details of a heartbeat; the others are noted."
        ),
        Signal.WORKER_ISOLATED: Meaning(
            "warning", "The worker begins, or ends, to take only steps that are to run alone."
        ),
        Signal.WORKER_LEASE_LOST: Meaning(
            "warning", "The worker was silent for too long; its steps may be run by others."
        ),
        Signal.WORKER_LOOP_BLOCKED: Meaning(
            "error",
            "A coroutine blocks its event loop: it goes on alone, and the others on it are handed"
            " back.",
        ),
        Signal.WORKER_LOOP_ESCAPED: Meaning(
            "error",
            "An exit was raised on the event loop where no step could catch it: the loop runs on,"
            " and the step fails, where it is known.",
        ),
        Signal.WORKER_RECOVERED: Meaning(
            "info", "Abandoned handlers have ended; the worker claims steps again."
        ),
        Signal.WORKER_REGISTERED: Meaning("info", "A worker announced itself, and has a lease."),
        Signal.WORKER_RELEASED: Meaning("info", "A stopping worker handed back unfinished steps."),
        Signal.WORKER_STEP_FAILED: Meaning(
            "warning", "A handler raised, or its result was refused."
        ),
        Signal.WORKER_STEP_LOST: Meaning(
            "warning", "A step was taken from the worker while it ran; its result is not recorded."
        ),
        Signal.WORKER_STEP_RAISED: Meaning("debug", "Where a handler raised, with its traceback."),
        Signal.WORKER_STEP_TIMED_OUT: Meaning("warning", "A handler ran longer than its limit."),
        Signal.WORKER_STOPPING: Meaning(
            "info",
            "A stopping worker waits for so many steps to end, for so many seconds at most.",
        ),
        Signal.WORKER_STUCK: Meaning(
            "error",
            "Abandoned handlers take half of the worker's places: it claims nothing until it is"
            " started anew.",
        ),
    }
)


def reference() -> str:
    """The catalogue as a Markdown table, for docs/telemetry.md."""
    rows = [
        f"| `{signal}` | {meaning.level} | {meaning.text} |"
        for signal, meaning in CATALOGUE.items()
    ]
    return "\n".join(["| name | level | meaning |", "| --- | --- | --- |", *rows, ""])
