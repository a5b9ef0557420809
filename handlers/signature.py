"""Reads a handler's inputs from its parameters, when it is declared.

A parameter is one of five: `context`; annotated `StepContext`; annotated `psycopg.Cursor`, in a
transactional step; named as a dependency; annotated `Annotated[T, From("its-name")]` for a
dependency whose name is no identifier.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from psycopg import Cursor

from flowledger.engine.display_text import listed, nearest
from flowledger.engine.domain.templates.template import CONTEXT
from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers.context import StepContext
from flowledger.handlers.type_codec import ANYTHING, UNANNOTATED

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class From:
    """In `Annotated[T, From("step-name")]`: the parameter takes the result of that step."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSite:
    """Where a handler stands: for errors, and for what its parameters may name."""

    where: str
    dependencies: Collection[str]
    other_steps: Collection[str] = ()
    context_type: Any = UNANNOTATED
    local_names: Mapping[str, Any] = field(default_factory=dict[str, Any])
    transactional: bool = False

    def refuse(self, parameter: str, fault: str) -> InvalidTemplate:
        """The error for a parameter."""
        return InvalidTemplate(f"{self.where}: parameter {parameter!r} {fault}")


@dataclass(frozen=True, slots=True)
class Dependency:
    """A parameter that takes a dependency's result."""

    parameter: str
    step: str
    annotation: Any


@dataclass(frozen=True, slots=True)
class Signature:
    """A handler's inputs and result; `context` is None where it does not ask for one."""

    context: tuple[Any] | None
    step_context: str | None
    cursor: str | None
    dependencies: tuple[Dependency, ...]
    result: Any


def read_signature(function: Handler, place: HandlerSite) -> Signature:
    """Raises InvalidTemplate, naming the parameter and what was expected."""
    if _is_generator(function) or _is_generator(getattr(function, "__call__", None)):  # noqa: B004
        raise InvalidTemplate(f"{place.where}: a generator has no result; return one value")
    try:
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise InvalidTemplate(f"{place.where}: its parameters cannot be read: {error}") from error
    result = _resolve("return", signature.return_annotation, function, place)
    return _sorted_out(signature.parameters.values(), function, place, result)


def _sorted_out(
    parameters: Iterable[inspect.Parameter], function: Handler, place: HandlerSite, result: Any
) -> Signature:
    context: tuple[Any] | None = None
    step_context: str | None = None
    cursor: str | None = None
    dependencies: list[Dependency] = []
    for parameter in parameters:
        _check_kind(parameter, place)
        annotation = _resolve(parameter.name, parameter.annotation, function, place)
        if parameter.name == CONTEXT:
            context = (_context_annotation(annotation, place),)
        elif annotation is StepContext:
            step_context = _only_one(parameter.name, step_context, "StepContext", place)
        elif Cursor in {annotation, get_origin(annotation)}:
            cursor = _only_one(parameter.name, cursor, "Cursor", place)
        else:
            dependencies.append(_dependency(parameter.name, annotation, place))
    _check_transaction(cursor, function, place)
    return Signature(context, step_context, cursor, tuple(dependencies), result)


def is_async(function: Handler) -> bool:
    """Whether calling it returns a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    )


def _is_generator(function: object) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _check_transaction(cursor: str | None, function: Handler, place: HandlerSite) -> None:
    if cursor is not None and not place.transactional:
        raise place.refuse(cursor, "is a Cursor; declare the step with transactional=True")
    if not place.transactional:
        return
    if is_async(function):
        raise InvalidTemplate(f"{place.where}: a transactional step is a plain function, not async")
    if cursor is None:
        raise InvalidTemplate(
            f"{place.where}: a transactional step takes its cursor by a parameter annotated"
            " psycopg.Cursor"
        )


def _only_one(name: str, earlier: str | None, kind: str, place: HandlerSite) -> str:
    if earlier is not None:
        raise place.refuse(name, f"is a second {kind} beside {earlier!r}")
    return name


def _check_kind(parameter: inspect.Parameter, place: HandlerSite) -> None:
    match parameter.kind:
        case parameter.POSITIONAL_ONLY:
            raise place.refuse(parameter.name, "is positional-only; inputs come by name")
        case parameter.VAR_POSITIONAL:
            raise place.refuse(f"*{parameter.name}", "takes anything; name each input")
        case parameter.VAR_KEYWORD:
            raise place.refuse(f"**{parameter.name}", "takes anything; name each input")
        case _:
            return


def _resolve(name: str, annotation: Any, function: Handler, place: HandlerSite) -> Any:
    if annotation is UNANNOTATED:
        return annotation
    inner = _innermost(function)
    holder = SimpleNamespace(__annotations__={name: annotation})
    names = getattr(inner, "__globals__", {})
    try:
        return get_type_hints(holder, names, {**place.local_names}, include_extras=True)[name]
    except Exception as error:
        subject = "return annotation" if name == "return" else f"annotation of parameter {name!r}"
        raise InvalidTemplate(
            f"{place.where}: {subject} cannot be resolved: {annotation}: {error}"
        ) from error


def _innermost(function: Handler) -> Any:
    """The function whose module the annotations were written in."""
    inner: Any = inspect.unwrap(function)
    while hasattr(inner, "func"):
        inner = inspect.unwrap(inner.func)
    return inner if hasattr(inner, "__globals__") else type(inner).__call__


def _dependency(name: str, annotation: Any, place: HandlerSite) -> Dependency:
    step, plain_annotation = _source(name, annotation)
    if step in place.dependencies:
        return Dependency(name, step, plain_annotation)
    if step in place.other_steps:
        raise place.refuse(name, f"names the step {step!r}, which is not in its `after`")
    expected = f"expected {CONTEXT!r}, a StepContext, or a dependency: {listed(place.dependencies)}"
    hint = nearest(step, [*place.dependencies, CONTEXT])
    subject = "is none of its inputs" if step == name else f"takes unknown step {step!r}"
    raise place.refuse(name, f"{subject}; {expected}{hint}")


def _source(name: str, annotation: Any) -> tuple[str, Any]:
    if get_origin(annotation) is not Annotated:
        return name, annotation
    for extra in annotation.__metadata__:
        if isinstance(extra, From):
            return extra.step, _without(annotation, extra)
    return name, annotation


def _without(annotation: Any, extra: From) -> Any:
    rest = tuple(item for item in annotation.__metadata__ if item is not extra)
    return Annotated[(annotation.__origin__, *rest)] if rest else annotation.__origin__


def _context_annotation(annotation: Any, place: HandlerSite) -> Any:
    """The type to read the context into: the workflow's own where it has one."""
    declared = place.context_type
    if declared is UNANNOTATED:
        return annotation
    if not _is_supertype(annotation, declared):
        raise place.refuse(
            CONTEXT, f"is annotated {shown_type(annotation)}, expected {shown_type(declared)}"
        )
    return declared


def _is_supertype(annotation: Any, declared: Any) -> bool:
    if annotation in ANYTHING or annotation == declared:
        return True
    if get_origin(annotation) is Annotated:
        return _is_supertype(annotation.__origin__, declared)
    if get_origin(annotation) in {Union, UnionType}:
        return any(_is_supertype(arm, declared) for arm in get_args(annotation))
    upper, lower = get_origin(annotation) or annotation, get_origin(declared) or declared
    # Only TypedDicts have required keys; none but itself is below one, and it cannot be asked.
    if hasattr(upper, "__required_keys__"):
        return False
    return isinstance(upper, type) and isinstance(lower, type) and issubclass(lower, upper)


def shown_type(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
