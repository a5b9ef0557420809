"""A workflow in Python: functions declared as the steps of a task template."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from types import FrameType, MappingProxyType
from typing import Any, Generic, TypeVar, cast, overload

import orjson
from pydantic import JsonValue, PydanticUserError, TypeAdapter, ValidationError

from flowledger.engine.domain.faults import first_fault
from flowledger.engine.domain.retry import Retry
from flowledger.engine.domain.template import (
    CONTEXT,
    UNLIMITED,
    Identity,
    StepTemplate,
    Template,
    validate_template,
)
from flowledger.engine.errors import InvalidContext, InvalidTemplate
from flowledger.handlers.binding import BoundStep
from flowledger.handlers.locate import MAIN, origin_of
from flowledger.handlers.signature import Place
from flowledger.handlers.values import ONLY_JSON, adapter, described, dumped

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
Dependency = Callable[..., Any] | str


class Workflow(Generic[C]):
    """A named, versioned DAG of steps, each a plain function.

    `context` is the type of a task's input: a pydantic model, a dataclass, a TypedDict,
    `dict[str, Any]` or whatever else pydantic validates. Give every change of steps, edges or
    policies a new `version`. Raises InvalidTemplate where a name or the type cannot be used.
    """

    @overload
    def __init__(
        self: Workflow[dict[str, Any]],
        namespace: str,
        name: str,
        *,
        version: str,
        description: str = "",
        identity: Identity = "always_unique",
    ) -> None: ...

    @overload
    def __init__(
        self,
        namespace: str,
        name: str,
        *,
        version: str,
        context: type[C],
        description: str = "",
        identity: Identity = "always_unique",
    ) -> None: ...

    def __init__(  # noqa: PLR0913 - one keyword for each thing a workflow says of itself
        self,
        namespace: str,
        name: str,
        *,
        version: str,
        context: Any = dict[str, Any],
        description: str = "",
        identity: Identity = "always_unique",
    ) -> None:
        self.key = f"{namespace}/{name}@{version}"
        self._head: dict[str, Any] = {
            "namespace": namespace,
            "name": name,
            "version": version,
            "description": description,
            "identity": identity,
        }
        self._template({"steps": ()})
        self._context_type = context
        self._context = self._context_adapter(context)
        self._steps: dict[str, StepTemplate] = {}
        self._bound: dict[str, BoundStep] = {}
        # By identity, as callables need not be hashable; each is kept, so that its id stays.
        self._functions: dict[int, tuple[Callable[..., Any], list[str]]] = {}
        self._module = _caller_module(inspect.currentframe())

    @overload
    def step(self, function: F, /) -> F: ...

    @overload
    def step(
        self,
        /,
        *,
        after: Iterable[Dependency] = (),
        name: str | None = None,
        retry: Retry | None = None,
        timeout: timedelta | float | None = None,
        config: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> Callable[[F], F]: ...

    def step(  # noqa: PLR0913 - one keyword for each thing a step says of itself
        self,
        function: F | None = None,
        /,
        *,
        after: Iterable[Dependency] = (),
        name: str | None = None,
        retry: Retry | None = None,
        timeout: timedelta | float | None = None,
        config: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> F | Callable[[F], F]:
        """Declare a function, sync or async, as a step; the function itself stays as it is.

        `after` lists the steps it depends on, as functions of this workflow or as names; `name`
        is the function's own by default; `timeout` is a duration or seconds; `config` is handed
        to the handler as `StepContext.configuration`. Raises InvalidTemplate.
        """

        dependencies = self._dependencies(after)

        def declare(declared: F) -> F:
            step = self._step_template(
                name=name or self._name_of(declared),
                dependencies=dependencies,
                retry=retry or Retry(),
                timeout_seconds=_seconds(timeout),
                handler={"initialization": dict(config or {})},
                description=_description(declared) if description is None else description,
            )
            self._add(step, declared, _local_names(inspect.currentframe(), declared))
            return declared

        return declare if function is None else declare(function)

    @property
    def template(self) -> Template:
        """The definition, checked as a whole but for its size; raises InvalidTemplate."""
        return self._checked_template

    @property
    def handlers(self) -> Mapping[str, BoundStep]:
        """The bound function of each step."""
        return MappingProxyType(self._bound)

    @property
    def origin(self) -> str | None:
        """`module:attribute` for other processes; None in `__main__` and inside functions."""
        return origin_of(self, self._module)

    def encode_context(self, context: C) -> JsonValue:
        """A context as JSON; raw JSON of the right shape is taken too. Raises InvalidContext."""
        try:
            return dumped(self._context, self._context_of(context))
        except ValueError as error:
            raise InvalidContext(f"{self.key}: {described(error, CONTEXT)}") from error

    def __repr__(self) -> str:
        return f"<Workflow {self.key}: {len(self._steps)} steps>"

    @cached_property
    def _checked_template(self) -> Template:
        template = self._template(
            {"steps": tuple(self._steps.values()), "context_schema": self._context_schema()}
        )
        validate_template(template, UNLIMITED)
        return template

    def _template(self, parts: Mapping[str, Any]) -> Template:
        try:
            return Template.model_validate({**self._head, **parts})
        except ValidationError as error:
            raise InvalidTemplate(
                f"workflow {self.key}: {first_fault(error, '', values=True)}"
            ) from None

    def _step_template(self, name: str, **fields: Any) -> StepTemplate:
        try:
            return StepTemplate.model_validate({"name": name, **fields})
        except ValidationError as error:
            fault = first_fault(error, "", values=True)
            raise InvalidTemplate(f"{self._where(name)}: {fault}") from None

    def _add(
        self, step: StepTemplate, function: Callable[..., Any], local_names: Mapping[str, Any]
    ) -> None:
        where = self._where(step.name)
        if step.name in self._steps:
            raise InvalidTemplate(f"{where}: duplicate step; give this one another name")
        self._bound[step.name] = BoundStep(
            function,
            Place(
                where=where,
                dependencies=step.dependencies,
                other_steps=self._steps.keys(),
                context_type=self._context_type,
                local_names=local_names,
            ),
        )
        self._steps[step.name] = step
        self._functions.setdefault(id(function), (function, []))[1].append(step.name)
        self.__dict__.pop("_checked_template", None)

    def _name_of(self, function: object) -> str:
        name = getattr(function, "__name__", None)
        if not (callable(function) and isinstance(name, str)):
            raise InvalidTemplate(
                f"workflow {self.key}: a step is a function, or a callable with a `name`;"
                f" got {type(function).__name__}"
            )
        return name

    def _dependencies(self, after: Iterable[Dependency]) -> tuple[str, ...]:
        if isinstance(after, str):
            raise InvalidTemplate(
                f"workflow {self.key}: `after` is a list of steps, got the string {after!r}"
            )
        return tuple(self._dependency(item) for item in after)

    def _dependency(self, item: Dependency) -> str:
        if isinstance(item, str):
            return item
        _, names = self._functions.get(id(item), (item, list[str]()))
        label = getattr(item, "__name__", repr(item))
        if not names:
            raise InvalidTemplate(f"workflow {self.key}: `after` has {label}, no step of it")
        if len(names) > 1:
            raise InvalidTemplate(
                f"workflow {self.key}: `after` has {label}, which is several steps; name one of"
                f" {', '.join(names)}"
            )
        return names[0]

    def _where(self, step: str) -> str:
        return f"workflow {self.key}, step {step!r}"

    def _context_adapter(self, context: Any) -> TypeAdapter[Any]:
        try:
            return adapter(context)
        except TypeError as error:
            raise InvalidTemplate(
                f"workflow {self.key}: context is no type of data: {error}"
            ) from error

    def _context_schema(self) -> dict[str, Any] | None:
        try:
            return self._context.json_schema()
        except PydanticUserError:
            # A type with validators of its own may have no schema; it is still checked by type.
            return None

    def _context_of(self, context: object) -> Any:
        """Plain JSON is read as JSON, where a string may be a date; all else as Python objects."""
        try:
            data = orjson.dumps(context, option=ONLY_JSON)
        except TypeError:
            return self._context.validate_python(context)
        if b"null" in data:
            return self._context.validate_python(context)
        return self._context.validate_json(data)


def _seconds(timeout: timedelta | float | None) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout


def _description(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    return (text or "").partition("\n")[0]


def _caller_module(frame: FrameType | None) -> str:
    caller = frame.f_back if frame else None
    return cast("str", caller.f_globals.get("__name__", MAIN)) if caller else MAIN


def _local_names(frame: FrameType | None, function: Callable[..., Any]) -> dict[str, Any]:
    """Names of the functions around the declared one: annotations may use their local types."""
    module_names = getattr(inspect.unwrap(function), "__globals__", None)
    scopes: list[Mapping[str, Any]] = []
    while frame is not None:
        if frame.f_globals is module_names and frame.f_locals is not module_names:
            scopes.append(frame.f_locals)
        frame = frame.f_back
    return {name: value for scope in reversed(scopes) for name, value in scope.items()}
