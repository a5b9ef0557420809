"""A step's function bound to its inputs: the only code between a worker and a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pydantic import JsonValue

from flowledger.engine.domain.failures.classification import RetryIf
from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.domain.json_values import PLAIN_TYPES
from flowledger.engine.domain.templates.template import CONTEXT
from flowledger.engine.errors import InvalidContext, InvalidResult, InvalidTemplate
from flowledger.handlers.context import StepContext
from flowledger.handlers.signature import Handler, HandlerSite, Signature, is_async, read_signature
from flowledger.handlers.type_codec import OneWay, Reader, Writer, described, reader, writer

T = TypeVar("T")

NONE = "; a step that was skipped or resolved has none: `| None` in the annotation allows that"


class BoundStep:
    """A function that takes a StepCall apart into its parameters and returns JSON."""

    __slots__ = (
        "_context",
        "_cursor",
        "_function",
        "_inputs",
        "_step_context",
        "_write",
        "inputs",
        "is_async",
        "needs_context",
        "needs_results",
        "retry_if",
        "returns",
        "where",
    )

    def __init__(
        self, function: Handler, place: HandlerSite, retry_if: RetryIf | None = None
    ) -> None:
        """Read and check the function's signature; raises InvalidTemplate."""
        signature = read_signature(function, place)
        self._function = function
        self.where = place.where
        self.inputs = signature.dependencies
        self.returns = signature.result
        self._context = _context_reader(signature, place)
        self._step_context = signature.step_context
        self._cursor = signature.cursor
        self._inputs = _input_readers(signature, place)
        self._write = _result_writer(signature, place)
        self.is_async = is_async(function)
        self.needs_context = self._context is not None
        self.needs_results = frozenset(step for _, step, _ in self._inputs)
        self.retry_if = retry_if

    def __call__(self, call: StepCall) -> JsonValue | Coroutine[Any, Any, JsonValue]:
        """Run the step. Raises what the function raises, InvalidResult or InvalidContext."""
        if self.is_async:
            return self._run(call)
        value = self._function(**self._arguments(call))
        if type(value) not in PLAIN_TYPES and inspect.isawaitable(value):
            return self._awaited(value, call)
        return self._result(value)

    async def _run(self, call: StepCall) -> JsonValue:
        return self._result(await self._function(**self._arguments(call)))

    def _awaited(self, value: Awaitable[Any], call: StepCall) -> Coroutine[Any, Any, JsonValue]:
        """What a plain function returned that wraps a coroutine: its result is what is meant."""
        if call.cursor is not None:
            discard(value)
            raise InvalidResult(
                f"{self.where}: a transactional step is a plain function; this one returned a"
                f" {type(value).__name__}"
            )

        async def result() -> JsonValue:
            return self._result(await value)

        return result()

    def _arguments(self, call: StepCall) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if self._context is not None:
            arguments[CONTEXT] = self._read_context(self._context, call.context)
        if self._step_context is not None:
            arguments[self._step_context] = StepContext.of(call)
        if self._cursor is not None:
            arguments[self._cursor] = call.cursor
        for parameter, step, read in self._inputs:
            value = call.results[step]
            try:
                arguments[parameter] = read(value)
            except ValueError as error:
                why = described(error, "result") + (NONE if value is None else "")
                raise InvalidResult(
                    f"{self.where}: parameter {parameter!r}: the result of step {step!r} is not"
                    f" what is annotated: {why}"
                ) from error
        return arguments

    def _read_context(self, read: Reader, value: JsonValue) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise InvalidContext(f"{self.where}: {described(error, CONTEXT)}") from error

    def _result(self, value: Any) -> JsonValue:
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            raise InvalidResult(f"{self.where}: a generator has no result; return one value")
        try:
            return self._write(value)
        except ValueError as error:
            raise InvalidResult(f"{self.where}: {described(error, 'result')}") from error


def discard(value: Awaitable[Any]) -> None:
    """Nobody will await it, and nobody needs to be warned of that."""
    if inspect.iscoroutine(value):
        value.close()


def _context_reader(signature: Signature, place: HandlerSite) -> Reader | None:
    if signature.context is None:
        return None
    (annotation,) = signature.context
    return _of_type(reader, annotation, f"{place.where}: parameter {CONTEXT!r}")


def _input_readers(signature: Signature, place: HandlerSite) -> tuple[tuple[str, str, Reader], ...]:
    return tuple(
        (
            name := wanted.parameter,
            wanted.step,
            _of_type(reader, wanted.annotation, f"{place.where}: parameter {name!r}"),
        )
        for wanted in signature.dependencies
    )


def _result_writer(signature: Signature, place: HandlerSite) -> Writer:
    return _of_type(writer, signature.result, f"{place.where}: its result")


def _of_type(make: Callable[[Any], T], annotation: Any, subject: str) -> T:
    try:
        return make(annotation)
    except OneWay as error:
        raise InvalidTemplate(f"{subject}{error}") from None
    except TypeError as error:
        raise InvalidTemplate(f"{subject} is annotated with no type of data: {error}") from error
