"""How commands come to their settings, log lines, workflows and database."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.client.engine import Engine
from flowledger.engine.config import Settings, read_settings
from flowledger.engine.config.admission_rules_from_settings import admission_rules
from flowledger.engine.config.sections import LoggingSettings
from flowledger.engine.display_text import listed
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.templates.template import TemplateSize, validate_template
from flowledger.engine.errors import UnknownTemplate
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.schema.startup_migration import bring_up_to_date
from flowledger.engine.store.task_store import PostgresTaskStore
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.handlers import Registry, import_workflow, load_workflow_file, workflow_names

LEVEL = "logging.level"

IN_MODULE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
DOCUMENTS = (".yaml", ".yml", ".json")


def see_working_directory() -> None:
    """Let users import their own modules, as `python -m` does."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def program_settings(*, quiet: bool, dev: bool = False) -> Settings:
    """The settings; log lines go to standard error from now on, and users' modules are found.

    A quiet command writes only errors, unless a level is configured: what it prints says the rest.
    With `dev`, or where it is configured, in development, where it writes warnings too.
    Raises InvalidConfiguration.
    """
    see_working_directory()
    loaded = read_settings()
    settings = loaded.settings.in_development() if dev else loaded.settings
    if quiet and LEVEL not in loaded.places:
        dev = settings.templates.development
        form = settings.logging.format
        section = LoggingSettings(level="warning" if dev else "error", format=form)
        settings = settings.model_copy(update={"logging": section})
    configure_program_logging(settings.logging)
    return settings


def rules_of(settings: Settings) -> AdmissionRules:
    """What the settings say of limits."""
    return admission_rules(settings.limits, settings.coordinator.priority_ageing_seconds)


@contextmanager
def client() -> Generator[Engine]:
    """An engine that plays no role: it asks, and waits for answers.

    Raises DatabaseUnavailable, InvalidConfiguration.
    """
    with Engine.open(roles=(), settings=program_settings(quiet=True)) as engine:
        yield engine


@contextmanager
def stored_tasks(settings: Settings) -> Generator[PostgresTaskStore]:
    """What is stored, for reading: no role runs, nothing is listened to.

    Raises DatabaseUnavailable.
    """
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with command_sessions(url, settings) as pool:
        yield PostgresTaskStore(pool, EventMapper(), DatabaseClock(), Identifiers())


def limits_of(settings: Settings) -> TemplateSize:
    """How large a template may be here."""
    return TemplateSize(settings.templates.max_steps, settings.templates.max_depth)


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
    target: str, registry: Registry, limits: TemplateSize, time_scale: float
) -> WorkflowLike[Any]:
    if IN_MODULE.fullmatch(target) and not Path(target).exists():
        workflow = import_workflow(target)
        validate_template(workflow.template, limits)
        return workflow
    _refuse_module(target)
    return load_workflow_file(target, registry, time_scale=time_scale, limits=limits)


def _refuse_module(target: str) -> None:
    """Say which workflows there are where a module is named, or its file. Raises UnknownTemplate.

    A module may have several, and none is the one that is meant.
    """
    module = target.removesuffix(".py").replace("/", ".") if target.endswith(".py") else target
    if target.endswith(DOCUMENTS) or not MODULE.fullmatch(module):
        return
    if module == target and Path(target).exists():
        return  # a document without a suffix
    names = workflow_names(module)
    if names is None:
        return
    there = f"it has {listed(names)}" if names else "there is none in it"
    raise UnknownTemplate(
        f"{target} is a module: expected a workflow of it, as module:attribute; {there}"
    )
