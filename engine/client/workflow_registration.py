"""Definitions of workflows on their way into the log: each once, and none twice under one version.

A version stands for one definition, since tasks keep the one that they were submitted with. Who
edits a workflow over and over would need a version for each edit. The development mode makes it:
a definition that changed is registered as `1.0.0+dev.<hash>`, and that is what is submitted and run
from then on. So the log stays true: what a version was is never changed, and a task that was
submitted before the edit keeps its definition, and waits for a worker that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from flowledger.engine.config.sections import TemplateSettings
from flowledger.engine.domain.handler_protocol import StepHandler, WorkflowLike
from flowledger.engine.domain.templates.template import Template, TemplateSize, validate_template
from flowledger.engine.errors import DefinitionChanged, DefinitionInUse
from flowledger.engine.ports.client import Tasks
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

C = TypeVar("C")

LONGEST_VERSION = 32
DIGITS = 8


@dataclass(frozen=True, slots=True)
class DevelopmentWorkflow(Generic[C]):
    """A workflow under the version that its changed definition was given."""

    declared: WorkflowLike[C]
    template: Template

    @property
    def handlers(self) -> Mapping[str, StepHandler]:
        """As declared."""
        return self.declared.handlers

    def encode_context(self, context: C) -> Any:
        """As declared."""
        return self.declared.encode_context(context)


class Definitions:
    """Registers definitions, each once for each database that the process meets."""

    def __init__(self, tasks: Tasks, settings: TemplateSettings) -> None:
        self._tasks = tasks
        self._settings = settings
        self._sessions = tasks.sessions
        self._known: dict[str, Template] = {}
        self._log = logger("engine")

    def register(self, workflow: WorkflowLike[C]) -> WorkflowLike[C]:
        """The workflow as it is registered: itself, or in development perhaps another version.

        Raises InvalidTemplate, DefinitionChanged, DefinitionInUse, DatabaseUnavailable.
        """
        if self._tasks.sessions != self._sessions:
            self._known.clear()
            self._sessions = self._tasks.sessions
        template = workflow.template
        if template.definition_hash not in self._known:
            validate_template(
                template, TemplateSize(self._settings.max_steps, self._settings.max_depth)
            )
            self._known[template.definition_hash] = self._registered(template)
        found = self._known[template.definition_hash]
        if found.version == template.version:
            return workflow
        return cast("WorkflowLike[C]", DevelopmentWorkflow(workflow, found))

    def in_development(self, workflow: WorkflowLike[C]) -> WorkflowLike[C]:
        """As `register` in development; elsewhere the workflow, which nobody is asked about."""
        return self.register(workflow) if self._settings.development else workflow

    def _registered(self, template: Template) -> Template:
        try:
            self._tasks.register(template)
        except DefinitionChanged as changed:
            if not self._settings.development:
                raise
            return self._taken_over(template, changed)
        self._log.emit(Signal.TEMPLATE_REGISTERED, template=template.key)
        return template

    def _taken_over(self, template: Template, changed: DefinitionChanged) -> Template:
        users = self._tasks.served_by(template.template_id)
        if users:
            raise DefinitionInUse(template.key, users)
        renamed = development_version(template)
        self._tasks.register(renamed)
        self._log.emit(
            Signal.TEMPLATE_CHANGED,
            template=template.key,
            registered_as=renamed.key,
            difference=changed.difference,
        )
        return renamed


def development_version(template: Template) -> Template:
    """The definition under a version that names its hash: the same edit has the same version."""
    digest = template.definition_hash.rpartition(":")[2][:DIGITS]
    suffix = f"+dev.{digest}"
    version = template.version[: LONGEST_VERSION - len(suffix)] + suffix
    return template.model_copy(update={"version": version})
