"""What a user names on the command line, as workflows: a file, or `module:attribute`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowledger.engine.cli.session import see_working_directory
from flowledger.engine.config import Settings
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.templates.template import Limits, validate_template
from flowledger.handlers import Registry, import_workflow, load_workflow_file

IN_MODULE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def limits_of(settings: Settings) -> Limits:
    """How large a template may be here."""
    return Limits(settings.templates.max_steps, settings.templates.max_depth)


def registry_of(module: str | None) -> Registry:
    """The handlers of a module, found from the working directory too. Raises UnknownHandler."""
    see_working_directory()
    return Registry.of_module(module) if module else Registry()


def workflows_of(
    targets: Iterable[str], settings: Settings, handlers: str | None, time_scale: float
) -> list[WorkflowLike[Any]]:
    """The workflows that the targets name.

    Raises InvalidTemplate, UnknownTemplate, and UnknownHandler where the module of handlers cannot
    be imported; the handlers of each step are told when they are asked for.
    """
    registry = registry_of(handlers)
    limits = limits_of(settings)
    return [_workflow(target, registry, limits, time_scale) for target in targets]


def _workflow(
    target: str, registry: Registry, limits: Limits, time_scale: float
) -> WorkflowLike[Any]:
    if IN_MODULE.fullmatch(target) and not Path(target).exists():
        workflow = import_workflow(target)
        validate_template(workflow.template, limits)
        return workflow
    return load_workflow_file(target, registry, time_scale=time_scale, limits=limits)
