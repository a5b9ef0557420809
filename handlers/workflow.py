"""A workflow in Python: functions declared as the steps of a task template."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Generic, TypeVar, overload

import orjson
from pydantic import JsonValue, PydanticUserError, TypeAdapter, ValidationError

from flowledger.engine.display_text import short
from flowledger.engine.domain.failures.classification import RetryIf
from flowledger.engine.domain.json_values import ONLY_JSON, TOO_DEEP, as_json, is_nested_too_deeply
from flowledger.engine.domain.templates.retry_and_limit_policies import (
    Concurrency,
    Fairness,
    Rate,
    Retry,
)
from flowledger.engine.domain.templates.template import (
    CONTEXT,
    UNLIMITED,
    Identity,
    OnFailure,
    StepTemplate,
    Template,
    WhenSkipped,
    validate_template,
)
from flowledger.engine.domain.templates.validation_message import first_problem, plain_text
from flowledger.engine.errors import InvalidContext, InvalidTemplate
from flowledger.handlers.canonical_sets import in_one_order
from flowledger.handlers.declaration_values import (
    Limit,
    listed_once,
    local_names,
    plain,
    require_list,
    require_retry_if,
    seconds,
    summary_of,
)
from flowledger.handlers.result_fits_parameter import check_inputs
from flowledger.handlers.round_trip import is_equal
from flowledger.handlers.signature import HandlerSite
from flowledger.handlers.step_function_adapter import BoundStep
from flowledger.handlers.type_codec import OneWay, described, dumped, exact_type, stored_adapter

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
Dependency = Callable[..., Any] | str


class Workflow(Generic[C]):
    """A named, versioned DAG of steps, each a plain function.

    `context` is the type of a task's input: a pydantic model, a dataclass, a TypedDict,
    `dict[str, Any]` or whatever else pydantic validates. With `on_failure="block"` a task that
    cannot go on waits for an operator; it ends in error when it has not ended `deadline` (a
    duration, or seconds) after it was to start. `concurrency` and `rate` bound the steps of all
    tasks, as in `{"key": "customer_id", "limit": 2}`; with `fairness={"key": "customer_id"}` tasks
    of different customers take turns, however many one of them has. Give every change of steps,
    edges or policies a new `version`. Raises InvalidTemplate where a name, the type or a policy
    cannot be used.
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
        on_failure: OnFailure = "fail",
        deadline: timedelta | float | None = None,
        concurrency: Concurrency | Limit | None = None,
        rate: Rate | Limit | None = None,
        fairness: Fairness | Mapping[str, str] | None = None,
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
        on_failure: OnFailure = "fail",
        deadline: timedelta | float | None = None,
        concurrency: Concurrency | Limit | None = None,
        rate: Rate | Limit | None = None,
        fairness: Fairness | Mapping[str, str] | None = None,
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
        on_failure: OnFailure = "fail",
        deadline: timedelta | float | None = None,
        concurrency: Concurrency | Limit | None = None,
        rate: Rate | Limit | None = None,
        fairness: Fairness | Mapping[str, str] | None = None,
    ) -> None:
        self.key = f"{plain_text(namespace)}/{plain_text(name)}@{plain_text(version)}"
        self._head: dict[str, Any] = {
            "namespace": namespace,
            "name": name,
            "version": version,
            "description": description,
            "identity": identity,
            "on_failure": on_failure,
            "deadline_seconds": seconds(deadline),
            "concurrency": plain(concurrency),
            "rate": plain(rate),
            "fairness": plain(fairness),
        }
        self._template({"steps": ()})
        self._context_type = context
        self._context = self._context_adapter(context)
        self._exact_context = exact_type(context)
        self._steps: dict[str, StepTemplate] = {}
        self._bound: dict[str, BoundStep] = {}
        # By identity, as callables need not be hashable; each is kept, so that its id stays.
        self._functions: dict[int, tuple[Callable[..., Any], list[str]]] = {}

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
        retry_if: RetryIf | None = None,
        timeout: timedelta | float | None = None,
        start_timeout: timedelta | float | None = None,
        when_skipped: WhenSkipped = "continue",
        system: str | None = None,
        concurrency: Concurrency | Limit | None = None,
        rate: Rate | Limit | None = None,
        transactional: bool = False,
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
        retry_if: RetryIf | None = None,
        timeout: timedelta | float | None = None,
        start_timeout: timedelta | float | None = None,
        when_skipped: WhenSkipped = "continue",
        system: str | None = None,
        concurrency: Concurrency | Limit | None = None,
        rate: Rate | Limit | None = None,
        transactional: bool = False,
        config: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> F | Callable[[F], F]:
        """Declare a function, sync or async, as a step; the function itself stays as it is.

        `after` lists the steps it depends on, as functions of this workflow or as names; `name`
        is the function's own by default; `retry_if` has the last word on whether an exception may
        be tried again; `timeout` bounds an attempt and `start_timeout` the time in the queue, as a
        duration or in seconds; with `when_skipped="stop"` nothing that depends on a skipped step
        runs; steps that name the same outside `system` share a circuit breaker; `concurrency` and
        `rate` are limits such as `{"limit": 10, "per_seconds": 60}`; rows of a `transactional` step
        are committed with it; `config` is its `StepContext.configuration`. Raises InvalidTemplate.
        """
        steps = listed_once(after)

        def declare(declared: F) -> F:
            step = self._step_template(
                name=self._name_of(declared) if name is None else name,
                after=steps,
                retry=Retry() if retry is None else retry,
                timeout_seconds=seconds(timeout),
                start_timeout_seconds=seconds(start_timeout),
                when_skipped=when_skipped,
                system=system,
                concurrency=plain(concurrency),
                rate=plain(rate),
                transactional=transactional,
                handler={"initialization": {} if config is None else config},
                description=summary_of(declared) if description is None else description,
            )
            self._add(step, declared, local_names(inspect.currentframe(), declared), retry_if)
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

    def encode_context(self, context: C) -> JsonValue:
        """A context as JSON; raw JSON of the right shape is taken too. Raises InvalidContext."""
        try:
            if type(context) is self._exact_context:
                return as_json(context)[0]
            value = self._context_of(context)
            found = dumped(self._context, value)
            # Sets have another order in each process, and would be another task in each.
            return in_one_order(value, found) if self._head["identity"] == "strict" else found
        except ValueError as error:
            raise InvalidContext(f"{self.key}: {described(error, CONTEXT)}") from error
        except PydanticUserError as error:
            fault = error.message.partition("\n")[0]
            raise InvalidTemplate(f"workflow {self.key}: context: {fault}") from error

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
                f"workflow {short(self.key)}: {first_problem(error, '', values=True)}"
            ) from None

    def _step_template(self, name: str, after: object, **fields: Any) -> StepTemplate:
        fields |= {"name": name, "dependencies": self._dependencies(name, after)}
        try:
            return StepTemplate.model_validate(fields)
        except ValidationError as error:
            fault = first_problem(error, "", values=True)
            raise InvalidTemplate(f"{self._where(short(plain_text(name)))}: {fault}") from None

    def _add(
        self,
        step: StepTemplate,
        function: Callable[..., Any],
        local_names: Mapping[str, Any],
        retry_if: RetryIf | None,
    ) -> None:
        where = self._where(step.name)
        require_retry_if(where, retry_if)
        if step.name in self._steps:
            raise InvalidTemplate(f"{where}: duplicate step; give this one another name")
        bound = BoundStep(
            function,
            HandlerSite(
                where=where,
                dependencies=step.dependencies,
                other_steps=self._steps.keys(),
                context_type=self._context_type,
                local_names=local_names,
                transactional=step.transactional,
            ),
            retry_if,
        )
        check_inputs(step.name, bound, self._bound)
        self._bound[step.name] = bound
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

    def _dependencies(self, step: str, after: object) -> tuple[str, ...]:
        where = self._where(short(plain_text(step)))
        return tuple(self._dependency(where, item) for item in require_list(where, after))

    def _dependency(self, where: str, item: Dependency) -> str:
        if isinstance(item, str):
            return item
        _, names = self._functions.get(id(item), (item, list[str]()))
        label = short(plain_text(getattr(item, "__name__", item)))
        if not names:
            raise InvalidTemplate(f"{where}: `after` has {label}, no step of this workflow")
        if len(names) > 1:
            raise InvalidTemplate(
                f"{where}: `after` has {label}, which is several steps; name one of"
                f" {', '.join(names)}"
            )
        return names[0]

    def _where(self, step: str) -> str:
        return f"workflow {self.key}, step {step!r}"

    def _context_adapter(self, context: Any) -> TypeAdapter[Any]:
        try:
            return stored_adapter(context)
        except OneWay as error:
            raise InvalidTemplate(f"workflow {self.key}: context{error}") from None
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
        if is_nested_too_deeply(data, context):
            raise ValueError(f": {TOO_DEEP}")
        # Unequal is what the codec writes as something else: NaN, UUIDs, enumerations.
        if not is_equal(orjson.loads(data), context):
            return self._context.validate_python(context)
        return self._context.validate_json(data)
