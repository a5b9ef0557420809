"""Imports objects by name, `module:attribute`, and names objects so."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, cast

from flowledger.engine.display_text import nearest
from flowledger.engine.domain.failures.step_error_from_exception import words_of
from flowledger.engine.domain.failures.untrusted_exception import name_of
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.errors import UnknownTemplate

MAIN = "__main__"
MOST_NAMED = 10


def import_fault(error: BaseException) -> str:
    """What an import raised, in words; a module that ends its process must not end this one."""
    if type(error) is SystemExit:
        return f"it calls sys.exit({error.code!r}) when it is imported"
    return f"{name_of(error)}: {words_of(error)}"


def import_attribute(name: str) -> Any:
    """What `module:attribute` names; raises LookupError with a sentence where it names nothing."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise LookupError(f"{name!r} should be written as module:attribute")
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise LookupError(
            f"module {module_name!r} cannot be imported: {import_fault(error)}"
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            names = [known for known in dir(found) if not known.startswith("_")]
            raise LookupError(f"module {module_name!r} has no {path!r}{nearest(part, names)}")
        found = getattr(found, part)
    return found


def import_workflow(name: str) -> WorkflowLike[Any]:
    """The workflow that another process defined as `module:attribute`; raises UnknownTemplate."""
    if name.partition(":")[0] == MAIN:
        raise UnknownTemplate(
            f"workflow {name!r}: a workflow defined in {MAIN} runs in its own process only;"
            " move it into a module that other processes can import"
        )
    try:
        found = import_attribute(name)
    except LookupError as error:
        raise UnknownTemplate(f"workflow {name!r}: {error}") from error
    if not _is_workflow(found):
        kind = type(cast("object", found)).__name__
        raise UnknownTemplate(f"{name!r} is a {kind}, expected a workflow{_named(name)}")
    return cast("WorkflowLike[Any]", found)


def workflow_names(module_name: str) -> list[str] | None:
    """The workflows of a module as `module:attribute`, in its order; None where there is none.

    The module is imported. Raises UnknownTemplate where that fails.
    """
    try:
        if importlib.util.find_spec(module_name) is None:
            return None
    except (ModuleNotFoundError, ValueError):  # the package in front of it is none, or __main__
        return None
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise UnknownTemplate(
            f"module {module_name!r} cannot be imported: {import_fault(error)}"
        ) from error
    return [f"{module_name}:{name}" for name, value in vars(module).items() if _is_workflow(value)]


def _named(name: str) -> str:
    """The workflows that stand in the same module, for an error."""
    names = workflow_names(name.partition(":")[0])
    return f"; there is {', '.join(names[:MOST_NAMED])}" if names else ""


def _is_workflow(value: object) -> bool:
    kind = type(value)
    return all(hasattr(kind, part) for part in ("template", "handlers", "encode_context"))
