"""flowledger: an event-sourced workflow engine on Postgres. `Engine.open` is the door."""

from __future__ import annotations

from flowledger.engine.client.async_engine import AsyncEngine
from flowledger.engine.client.async_handles import AsyncTaskHandle
from flowledger.engine.client.engine import Engine
from flowledger.engine.client.task import StepStatus, TaskHandle
from flowledger.engine.config import Settings, load_settings
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.errors import (
    DatabaseUnavailable,
    DefinitionChanged,
    DuplicateTask,
    EngineClosed,
    EngineError,
    InvalidConfiguration,
    InvalidContext,
    InvalidResult,
    InvalidSubmission,
    InvalidTemplate,
    MissingIdempotencyKey,
    TaskNotCompleted,
    TaskUnfinished,
    UnknownHandler,
    UnknownTask,
)
from flowledger.engine.events.base import Recorded

__all__ = [
    "AsyncEngine",
    "AsyncTaskHandle",
    "DatabaseUnavailable",
    "DefinitionChanged",
    "DuplicateTask",
    "Engine",
    "EngineClosed",
    "EngineError",
    "InvalidConfiguration",
    "InvalidContext",
    "InvalidResult",
    "InvalidSubmission",
    "InvalidTemplate",
    "MissingIdempotencyKey",
    "Recorded",
    "Settings",
    "StepState",
    "StepStatus",
    "TaskHandle",
    "TaskNotCompleted",
    "TaskState",
    "TaskUnfinished",
    "UnknownHandler",
    "UnknownTask",
    "load_settings",
]
