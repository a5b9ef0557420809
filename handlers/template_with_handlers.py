"""A workflow that was not written in Python: a template, and handlers found for its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import JsonValue

from flowledger.engine.display_text import place
from flowledger.engine.domain.handler_protocol import StepHandler
from flowledger.engine.domain.json_values import plain
from flowledger.engine.domain.templates.template import CONTEXT, StepTemplate, Template
from flowledger.engine.errors import InvalidContext, InvalidTemplate, MissingExtra
from flowledger.handlers.registry import Registry
from flowledger.handlers.result_fits_parameter import check_inputs
from flowledger.handlers.schema_references import BrokenReference, check_references
from flowledger.handlers.signature import HandlerSite
from flowledger.handlers.step_function_adapter import BoundStep
from flowledger.handlers.type_codec import described

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError as SchemaFault

Bind = Callable[[StepTemplate], StepHandler]


class ContextCheck(Protocol):
    """Raises InvalidContext where a context is not what the template declares."""

    def __call__(self, context: JsonValue) -> None:
        """Check one context."""
        ...


class TemplateWorkflow:
    """A template with a way to find its handlers; they are found when first asked for."""

    def __init__(self, template: Template, bind: Bind) -> None:
        """Raises InvalidTemplate where the context's schema is none that can be followed."""
        self._template = template
        self._bind = bind
        self._check = _context_check(template)

    @property
    def template(self) -> Template:
        """The definition."""
        return self._template

    @property
    def handlers(self) -> Mapping[str, StepHandler]:
        """The handler of each step. Raises UnknownHandler; InvalidTemplate for parameters."""
        return self._handlers

    def encode_context(self, context: Any) -> JsonValue:
        """The context, checked against the template's schema. Raises InvalidContext."""
        try:
            value = plain(context)
        except ValueError as error:
            raise InvalidContext(f"{self._template.key}: {described(error, CONTEXT)}") from error
        self._check(value)
        return value

    def __repr__(self) -> str:
        return f"<TemplateWorkflow {self._template.key}: {len(self._template.steps)} steps>"

    @cached_property
    def _handlers(self) -> Mapping[str, StepHandler]:
        bound: dict[str, StepHandler] = {}
        for step in self._template.steps:
            handler = self._bind(step)
            if isinstance(handler, BoundStep):
                known = {name: one for name, one in bound.items() if isinstance(one, BoundStep)}
                check_inputs(step.name, handler, known)
            bound[step.name] = handler
        return MappingProxyType(bound)


def workflow_from_template(template: Template, registry: Registry) -> TemplateWorkflow:
    """Bind a template's steps to registered or importable functions, by their parameters."""
    Registry.require(registry)

    def bind(step: StepTemplate) -> BoundStep:
        function = registry.resolve(template.key, step)
        names = frozenset(other.name for other in template.steps)
        return BoundStep(
            function,
            HandlerSite(
                where=f"template {template.key}, step {step.name!r}",
                dependencies=step.dependencies,
                other_steps=names,
                transactional=step.transactional,
            ),
        )

    return TemplateWorkflow(template, bind)


def _context_check(template: Template) -> ContextCheck:
    if template.context_schema is None:
        return _accept
    try:
        from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - an extra
        from referencing import Registry as Schemas  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            f"template {template.key} has a context schema, which needs jsonschema:"
            " install flowledger[yaml]"
        ) from error
    try:
        Draft202012Validator.check_schema(template.context_schema)
        check_references(template.context_schema)
    except SchemaError as error:
        where = place(tuple(error.absolute_path), CONTEXT)
        raise InvalidTemplate(f"template {template.key}: {where}: {error.message}") from None
    except BrokenReference as error:
        where = place(error.path, CONTEXT)
        raise InvalidTemplate(f"template {template.key}: {where}: {error}") from None
    except RecursionError:
        fault = f"{CONTEXT}: the schema is nested too deeply"
        raise InvalidTemplate(f"template {template.key}: {fault}") from None
    # An empty registry: a schema must not make the engine fetch another one from somewhere.
    validator = Draft202012Validator(template.context_schema, registry=Schemas())

    def check(context: JsonValue) -> None:
        fault = _first_fault(validator, context, template.key)
        if fault is not None:
            where = place(tuple(fault.absolute_path), CONTEXT)
            raise InvalidContext(f"{template.key}: {where}: {_expected(fault)}")

    return check


def _accept(context: JsonValue) -> None:
    """A template without a schema takes any JSON."""


def _first_fault(
    validator: Draft202012Validator, context: JsonValue, key: str
) -> SchemaFault | None:
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - an extra

    try:
        found: Iterable[SchemaFault] = cast("Any", validator).iter_errors(context)
        faults = sorted(found, key=lambda fault: list(map(str, fault.absolute_path)))
    except Unresolvable as error:
        raise InvalidContext(f"{key}: the context's schema cannot be followed: {error}") from error
    except RecursionError:
        fault = f"{CONTEXT}: is nested too deeply to be checked against the template's schema"
        raise InvalidContext(f"{key}: {fault}") from None
    return faults[0] if faults else None


def _expected(fault: SchemaFault) -> str:
    """What the schema asks for, without the value found, which may be secret."""
    found = type(fault.instance).__name__
    match fault.validator:
        case "type":
            return f"should be of type {fault.validator_value}, got {found}"
        case "required" | "additionalProperties" | "unevaluatedProperties":
            return fault.message
        case _:
            return f"should have {fault.validator} {fault.validator_value!r}, got {found}"
