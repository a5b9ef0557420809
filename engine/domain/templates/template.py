"""A task template: the named, versioned definition of a workflow, its checks and its hash.

Two definitions are the same when their canonical form is: names, edges, policies and logical
handler names. Where code lives (`module:attribute`), descriptions and generated context schemas
are left out, so that Python and YAML agree and library upgrades change nothing.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from flowledger.engine.display_text import nearest
from flowledger.engine.domain.json_values import plain
from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.domain.storable_text_check import unstorable
from flowledger.engine.domain.templates.canonical_json import canonical_json
from flowledger.engine.domain.templates.retry_and_limit_policies import (
    Concurrency,
    Fairness,
    Rate,
    Retry,
)
from flowledger.engine.domain.templates.validation_message import first_problem
from flowledger.engine.errors import InvalidTemplate

CONTEXT = "context"
"""The parameter by which handlers take the task's context; hence no step's name."""

HASH_PREFIX = "v1:sha256:"

Identity = Literal["always_unique", "strict", "caller_provided"]
OnFailure = Literal["fail", "block"]
WhenSkipped = Literal["continue", "stop"]


def _step_name(name: str) -> str:
    if not name.isprintable() or name.strip() != name:
        raise ValueError("a step's name is printable, without blanks at its ends")
    if name == CONTEXT:
        raise ValueError(f"{CONTEXT!r} is reserved for the task's context")
    return name


def _canonical(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    found = _storable(value)
    canonical_json(cast("JsonValue", found))
    return found


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", plain(value))


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,32}$")]
StepName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_step_name)]
Configuration = Annotated[dict[str, JsonValue], AfterValidator(_canonical)]
Duration = Annotated[float, Field(strict=True, gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class HandlerRef(BaseModel):
    """Which code runs a step, and the configuration handed to it.

    `callable` is a registered handler's name or `module:attribute`; the latter only says where
    code lives, and the logical name is then the step's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    callable: str = Field(min_length=1, max_length=500)
    initialization: Configuration = {}


class StepTemplate(BaseModel):
    """One step: its code, what it depends on, and its policies. Times are in seconds.

    `timeout_seconds` bounds one attempt, `start_timeout_seconds` the time in the queue before it.
    `when_skipped` says whether what depends on the step goes on without it. `system` names the
    outside system that the step depends on; steps of one system share a circuit breaker. A
    `transactional` step's rows commit with its completion.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StepName
    handler: HandlerRef
    dependencies: tuple[StepName, ...] = ()
    retry: Retry = Retry()
    timeout_seconds: Duration | None = None
    start_timeout_seconds: Duration | None = None
    when_skipped: WhenSkipped = "continue"
    system: Name | None = None
    transactional: bool = Field(default=False, strict=True)
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    description: str = ""

    @model_validator(mode="before")
    @classmethod
    def _name_the_handler(cls, data: Any) -> Any:
        """A handler that is not named has the step's name."""
        if not isinstance(data, dict):
            return cast("object", data)
        step = cast("dict[str, Any]", data)
        handler: object = step.get("handler", {})
        if isinstance(handler, dict) and "callable" not in handler and "name" in step:
            named = {"callable": step["name"], **cast("dict[str, Any]", handler)}
            return {**step, "handler": named}
        return step

    @property
    def logical_handler(self) -> str:
        """The handler's name as the definition knows it, wherever its code lives."""
        return self.name if ":" in self.handler.callable else self.handler.callable


class Template(BaseModel):
    """A workflow's definition. Field by field valid; `validate_template` checks the whole.

    A task must have ended `deadline_seconds` after it was to start. With `on_failure: block` a task
    that cannot go on waits for an operator. `concurrency` and `rate` bound the steps of all tasks;
    with `fairness` those of different keys take turns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Name
    name: Name
    version: Version
    description: str = ""
    identity: Identity = "always_unique"
    on_failure: OnFailure = "fail"
    deadline_seconds: Duration | None = None
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    fairness: Fairness | None = None
    context_schema: Annotated[dict[str, JsonValue], AfterValidator(_storable)] | None = Field(
        default=None, validation_alias=AliasChoices(CONTEXT, "context_schema")
    )
    steps: tuple[StepTemplate, ...]

    def __copy__(self) -> Self:
        """A copy may be given other fields, to which what was derived from these would not fit."""
        copied = super().__copy__()
        for derived in ("template_id", "canonical", "definition_hash"):
            vars(copied).pop(derived, None)
        return copied

    @property
    def key(self) -> str:
        """`namespace/name@version`."""
        return f"{self.namespace}/{self.name}@{self.version}"

    @cached_property
    def template_id(self) -> UUID:
        """The stream of the template: the same in every process, from the three names."""
        text = "\0".join((self.namespace, self.name, self.version))
        digest = int.from_bytes(sha256(text.encode()).digest()[:16], "big")
        return UUID(int=digest & ~(0xF << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62)

    @cached_property
    def canonical(self) -> bytes:
        """The definition's one spelling, over which it is hashed."""
        return canonical_json(self.definition)

    @cached_property
    def definition_hash(self) -> str:
        """`v1:sha256:` and the digest of `canonical`."""
        return HASH_PREFIX + sha256(self.canonical).hexdigest()

    @property
    def definition(self) -> dict[str, JsonValue]:
        """What makes this definition differ from another, defaults written out, in name order."""
        steps = sorted(self.steps, key=lambda step: step.name)
        return {
            "namespace": self.namespace,
            "name": self.name,
            "version": self.version,
            "identity": self.identity,
            "on_failure": self.on_failure,
            "deadline_seconds": self.deadline_seconds,
            "concurrency": _plain(self.concurrency),
            "rate": _plain(self.rate),
            # A definition without it has the hash that it had before there was any.
            **({} if self.fairness is None else {"fairness": _plain(self.fairness)}),
            "steps": [_definition_of(step) for step in steps],
        }


def _definition_of(step: StepTemplate) -> JsonValue:
    return {
        "name": step.name,
        "handler": {
            "callable": step.logical_handler,
            "initialization": cast("JsonValue", step.handler.initialization),
        },
        "dependencies": cast("JsonValue", sorted(step.dependencies)),
        "retry": step.retry.model_dump(mode="json"),
        "timeout_seconds": step.timeout_seconds,
        "start_timeout_seconds": step.start_timeout_seconds,
        "when_skipped": step.when_skipped,
        "system": step.system,
        "transactional": step.transactional,
        "concurrency": _plain(step.concurrency),
        "rate": _plain(step.rate),
    }


def _plain(policy: BaseModel | None) -> JsonValue:
    return policy.model_dump(mode="json") if policy is not None else None


def difference(old: Template, new: Template) -> str:
    """What changed between two definitions, as a unified diff; empty where nothing did."""
    before, after = (
        json.dumps(template.definition, indent=2, sort_keys=True).splitlines()
        for template in (old, new)
    )
    return "\n".join(
        difflib.unified_diff(before, after, "registered", "submitted", n=3, lineterm="")
    )


@dataclass(frozen=True, slots=True)
class TemplateSize:
    """How large a template may be: steps in all, and steps on its longest path."""

    max_steps: int = 10_000
    max_depth: int = 2_000


DEFAULT_LIMITS = TemplateSize()
UNLIMITED = TemplateSize(max_steps=2**63, max_depth=2**63)
"""For workflows in Python, whose size is checked when they meet an engine's configuration."""


def validate_template(
    template: Template, limits: TemplateSize = DEFAULT_LIMITS, *, source: str | None = None
) -> None:
    """Check the graph: raises InvalidTemplate for duplicates, unknown names, cycles, size.

    And for text anywhere in it that cannot be stored.
    """
    problem = _problem(template.steps, limits) or unstorable(template.model_dump(), "template")
    if problem is not None:
        raise InvalidTemplate(f"{source or template.key}: {problem}")


def _problem(steps: Sequence[StepTemplate], limits: TemplateSize) -> str | None:
    if not steps:
        return "steps: expected at least one step"
    if len(steps) > limits.max_steps:
        return f"steps: {len(steps)} steps are more than the limit of {limits.max_steps}"
    return _duplicate_step(steps) or _bad_dependency(steps) or _bad_shape(steps, limits)


def _duplicate_step(steps: Sequence[StepTemplate]) -> str | None:
    seen: dict[str, int] = {}
    for index, step in enumerate(steps):
        first = seen.setdefault(step.name, index)
        if first != index:
            return f"steps[{index}].name: duplicate step {step.name!r}, first at steps[{first}]"
    return None


def _bad_dependency(steps: Sequence[StepTemplate]) -> str | None:
    names = {step.name for step in steps}
    for index, step in enumerate(steps):
        seen: set[str] = set()
        for place, dependency in enumerate(step.dependencies):
            where = f"steps[{index}].dependencies[{place}]: step {step.name!r}"
            if dependency not in names:
                return f"{where} depends on unknown step {dependency!r}{nearest(dependency, names)}"
            if dependency in seen:
                return f"{where} names {dependency!r} twice"
            seen.add(dependency)
    return None


def _bad_shape(steps: Sequence[StepTemplate], limits: TemplateSize) -> str | None:
    """Peel steps whose dependencies are all peeled; what cannot be peeled holds a cycle."""
    open_edges = {step.name: len(step.dependencies) for step in steps}
    dependents: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for dependency in step.dependencies:
            dependents[dependency].append(step.name)
    layer = [name for name, edges in open_edges.items() if edges == 0]
    peeled, depth = 0, 0
    while layer:
        peeled, depth = peeled + len(layer), depth + 1
        following: list[str] = []
        for name in layer:
            for dependent in dependents[name]:
                open_edges[dependent] -= 1
                if open_edges[dependent] == 0:
                    following.append(dependent)
        layer = following
    if peeled < len(steps):
        left = {step.name: step.dependencies for step in steps if open_edges[step.name]}
        return f"steps: dependencies form a cycle: {' -> '.join(_cycle(left))}"
    if depth > limits.max_depth:
        return f"steps: a path of {depth} steps is deeper than the limit of {limits.max_depth}"
    return None


def _cycle(left: Mapping[str, Sequence[str]]) -> list[str]:
    """A cycle among steps that each depend on another of them, from its least name back to it."""
    name = min(left)
    path: dict[str, int] = {}
    while name not in path:
        path[name] = len(path)
        name = min(dependency for dependency in left[name] if dependency in left)
    cycle = list(path)[path[name] :]
    start = cycle.index(min(cycle))
    return [*cycle[start:], *cycle[:start], cycle[start]]


def parse_template(data: object, source: str, limits: TemplateSize = DEFAULT_LIMITS) -> Template:
    """A template from outside; raises InvalidTemplate naming the source, the place, the fault."""
    try:
        template = Template.model_validate(data)
    except ValidationError as error:
        raise InvalidTemplate(
            f"{source}: {first_problem(error, '', known=_known_keys, values=True)}"
        ) from None
    validate_template(template, limits, source=source)
    return template


_MODELS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Template,
    ("steps",): StepTemplate,
    ("steps", "handler"): HandlerRef,
    ("steps", "retry"): Retry,
    ("steps", "concurrency"): Concurrency,
    ("steps", "rate"): Rate,
    ("concurrency",): Concurrency,
    ("rate",): Rate,
    ("fairness",): Fairness,
}


def _known_keys(parents: tuple[str, ...]) -> set[str]:
    names = set(_MODELS[parents].model_fields) if parents in _MODELS else set[str]()
    return {CONTEXT if name == "context_schema" else name for name in names}
