"""flowledger: an event-sourced workflow engine on Postgres. `Engine.open` is the door.

A name is imported when it is first asked for: the command starts with few of them.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_PLACES = MappingProxyType(
    {
        "AsyncEngine": "client.async_engine",
        "AsyncTaskHandle": "client.async_handles",
        "DatabaseUnavailable": "errors",
        "DefinitionChanged": "errors",
        "DuplicateTask": "errors",
        "Engine": "client.engine",
        "EngineClosed": "errors",
        "EngineError": "errors",
        "InvalidConfiguration": "errors",
        "InvalidContext": "errors",
        "InvalidResult": "errors",
        "InvalidSubmission": "errors",
        "InvalidTemplate": "errors",
        "MissingIdempotencyKey": "errors",
        "Recorded": "events.base",
        "Settings": "config",
        "StepState": "domain.machine.transitions",
        "StepStatus": "client.task",
        "TaskHandle": "client.task",
        "TaskNotCompleted": "errors",
        "TaskState": "domain.machine.transitions",
        "TaskUnfinished": "errors",
        "UnknownHandler": "errors",
        "UnknownTask": "errors",
        "load_settings": "config",
    }
)

if not TYPE_CHECKING:  # type checkers are to know the names above, and no others

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
