"""Recorded runs of scientific workflows (WfFormat 1.5), replayed as tasks.

Each recorded task is a step that waits as long as it once ran, scaled. The scale belongs to the
process that runs the steps, not to the definition: the same file is the same template at any scale.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from flowledger.engine.display_text import nearest
from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.domain.templates.template import (
    DEFAULT_LIMITS,
    HandlerRef,
    StepName,
    StepTemplate,
    Template,
    TemplateSize,
    validate_template,
)
from flowledger.engine.domain.templates.validation_message import first_problem
from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers.template_with_handlers import TemplateWorkflow
from flowledger.handlers.yaml_json_parser import read_document

NAMESPACE = "wfformat"
HANDLER = "wfformat.recorded"
RUNTIME = "runtime_seconds"
VERSION_DIGITS = 12
TASKS = "workflow.specification.tasks"


class _Part(BaseModel):
    # The format has many fields that say nothing about the order of steps.
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Task(_Part):
    id: StepName
    parents: tuple[str, ...]
    children: tuple[str, ...]


class _Run(_Part):
    id: str
    seconds: Annotated[float, Field(validation_alias="runtimeInSeconds", ge=0, allow_inf_nan=False)]


class _Specification(_Part):
    tasks: tuple[_Task, ...]


class _Execution(_Part):
    tasks: tuple[_Run, ...]


class _Workflow(_Part):
    specification: _Specification
    execution: _Execution | None = None


class _Document(_Part):
    name: str
    workflow: _Workflow


class RecordedStep:
    """Waits for the recorded runtime of a step, times a scale, and tells the runtime."""

    is_async = True
    needs_context = False
    needs_results: frozenset[str] = frozenset()
    retry_if = None

    def __init__(self, seconds: float, time_scale: float) -> None:
        self._seconds = seconds
        self._wait = seconds * time_scale

    async def __call__(self, call: StepCall) -> JsonValue:
        """Wait, unless there is nothing to wait for."""
        if self._wait > 0:
            await asyncio.sleep(self._wait)
        return {RUNTIME: self._seconds}


def load_wfformat(
    path: str | PathLike[str], time_scale: float, limits: TemplateSize = DEFAULT_LIMITS
) -> TemplateWorkflow:
    """The recorded run in a file. Raises InvalidTemplate, naming the file and the place in it."""
    return wfformat_workflow(read_document(Path(path)), str(path), time_scale, limits)


def is_wfformat(data: object) -> bool:
    """Whether a document is a recorded run rather than a template."""
    return isinstance(data, dict) and "workflow" in data and "steps" not in data


def wfformat_workflow(
    data: object, source: str, time_scale: float, limits: TemplateSize = DEFAULT_LIMITS
) -> TemplateWorkflow:
    """A recorded run as a workflow; `time_scale` 0 waits for nothing. Raises InvalidTemplate."""
    if not (math.isfinite(time_scale) and time_scale >= 0):
        raise ValueError(f"time_scale should be 0 or more, got {time_scale}")
    try:
        document = _Document.model_validate(data)
    except ValidationError as error:
        raise InvalidTemplate(f"{source}: {first_problem(error, '', values=True)}") from None
    seconds = _seconds(document, source)
    template = _template(document, source, seconds)
    validate_template(template, limits, source=source)
    return TemplateWorkflow(
        template, lambda step: RecordedStep(seconds.get(step.name, 0.0), time_scale)
    )


def _template(document: _Document, source: str, seconds: dict[str, float]) -> Template:
    """The version is a digest of the rest, so that two files never claim one definition."""
    tasks = document.workflow.specification.tasks
    dependencies = _dependencies(tasks, source)
    draft = Template(
        namespace=NAMESPACE,
        name=_template_name(document.name),
        version="0",
        steps=tuple(_step(task.id, dependencies[task.id], seconds) for task in tasks),
    )
    digest = draft.definition_hash.rpartition(":")[2][:VERSION_DIGITS]
    return draft.model_copy(update={"version": digest})


def _step(name: str, dependencies: dict[str, None], seconds: dict[str, float]) -> StepTemplate:
    configuration: dict[str, JsonValue] = {RUNTIME: seconds.get(name, 0.0)}
    return StepTemplate(
        name=name,
        handler=HandlerRef(callable=HANDLER, initialization=configuration),
        dependencies=tuple(dependencies),
    )


def _template_name(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name.removesuffix(".json")).lstrip(".-")[:64]
    return plain or "unnamed"


def _dependencies(tasks: Sequence[_Task], source: str) -> dict[str, dict[str, None]]:
    """Edges may be told by either end; they are kept in the order in which they are told."""
    found: dict[str, dict[str, None]] = {task.id: {} for task in tasks}
    for index, task in enumerate(tasks):
        for kind, others in (("parents", task.parents), ("children", task.children)):
            for position, other in enumerate(others):
                if other not in found:
                    where = f"{source}: {TASKS}[{index}].{kind}[{position}]"
                    raise InvalidTemplate(f"{where}: unknown task {other!r}{nearest(other, found)}")
                child, parent = (task.id, other) if kind == "parents" else (other, task.id)
                found[child][parent] = None
    return found


def _seconds(document: _Document, source: str) -> dict[str, float]:
    execution = document.workflow.execution
    known = {task.id for task in document.workflow.specification.tasks}
    runs = execution.tasks if execution else ()
    for index, run in enumerate(runs):
        if run.id not in known:
            where = f"{source}: workflow.execution.tasks[{index}].id"
            raise InvalidTemplate(f"{where}: unknown task {run.id!r}{nearest(run.id, known)}")
    return {run.id: run.seconds for run in runs}
