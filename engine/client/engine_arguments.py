"""Checks what an engine is opened with, and what it is given to submit: a slip is told as such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import Any

from flowledger.engine.config import Settings, read_settings
from flowledger.engine.domain.failures.classification import require_classifier
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import InvalidConfiguration, InvalidRequest, InvalidSubmission


def listed(name: str, given: Iterable[Any], example: str) -> tuple[Any, ...]:
    """All that is given. Raises TypeError where it is no list, but perhaps a member of one."""
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        kind = type(given).__name__
        raise TypeError(f"{name} should be a list, such as [{example}], got one {kind}")
    return tuple(given)


def check_workflows(workflows: Iterable[object]) -> None:
    """Raises TypeError for what is no workflow, such as the name of one."""
    for number, workflow in enumerate(workflows):
        if not is_workflow(workflow):
            raise TypeError(
                f"workflows[{number}] should be a workflow, got {type(workflow).__name__}"
            )


def check_settings(settings: object) -> None:
    """Raises TypeError for what is no settings, and InvalidConfiguration for another database.

    `Settings(...)` reads no source: it would have the embedded database where another one is
    configured, and its tasks would be where nobody looks.
    """
    if settings is None:
        return
    if not isinstance(settings, Settings):
        kind = type(settings).__name__
        raise TypeError(f"settings should be what Settings.load(...) returns, got {kind}")
    if settings.database.url is not None:
        return
    configured = read_settings()
    for path in ("database.url", "embedded.home"):
        if settings.value(path) is None and configured.settings.value(path) is not None:
            raise InvalidConfiguration(
                f"settings says nothing of {path}, which {configured.places[path]} does:"
                " use Settings.load(...), which reads all sources"
            )


def check_opening(*, dev: object, classifier: object) -> None:
    """Raises TypeError for what is no answer, or no classifier."""
    if not isinstance(dev, bool):
        raise TypeError(f"dev should be True or False, got {shown(dev)} ({type(dev).__name__})")
    require_classifier("classifier", classifier)


def check_submitted(workflow: object, contexts: object, **each: object) -> None:
    """Raises InvalidSubmission where that is no workflow, or no list of contexts.

    `each` has what there should be one of for every context, by the option's name. Raises
    ValueError where there are more or fewer.
    """
    if not is_workflow(workflow):
        raise InvalidSubmission(f"workflow should be a workflow, got {type(workflow).__name__}")
    kind = type(contexts).__name__
    if isinstance(contexts, str | bytes | Mapping) or not isinstance(contexts, Sized):
        raise InvalidSubmission(f"contexts should be a list of contexts, got one {kind}")
    count = len(contexts)
    for name, given in each.items():
        if isinstance(given, Sized) and len(given) != count:
            raise ValueError(
                f"{name} should have one for each of the {count} contexts, got {len(given)}"
            )


def task_ids(given: Iterable[Any]) -> Iterable[Any]:
    """What should be ids of tasks, one by one. Raises InvalidRequest where it is no list."""
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        kind = type(given).__name__
        raise InvalidRequest(f"tasks should be a list of ids, got one {kind}")
    return given


def is_workflow(given: object) -> bool:
    """Whether it has a definition, as all that workflows are made with."""
    return isinstance(getattr(given, "template", None), Template)
