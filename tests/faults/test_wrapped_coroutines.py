"""Plain callables that return coroutines are awaited; generators are refused, or said to be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial, wraps
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine import Engine, TaskState
from flowledger.engine.errors import InvalidTemplate
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, of_kind

ONCE = Retry(max_attempts=1)

flow = Workflow("wrapped", "flow", version="1")
failing = Workflow("wrapped", "failing", version="1")
late = Workflow("wrapped", "late", version="1")


async def doubled(context: dict[str, int]) -> int:
    await asyncio.sleep(0)
    return 2 * context["n"]


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """As decorators are that know nothing of coroutines."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Returns:
    """A callable object."""

    def __call__(self, context: dict[str, int]) -> Any:
        return doubled(context)


class Awaitable:
    """No coroutine, and yet to be awaited."""

    def __init__(self, context: dict[str, int]) -> None:
        self._context = context

    def __await__(self) -> Any:
        return doubled(self._context).__await__()


def returns_an_awaitable(context: dict[str, int]) -> Any:
    return Awaitable(context)


WRAPPED: dict[str, Callable[..., Any]] = {
    "wrapper": logged(doubled),
    "lambda": lambda context: doubled(context),  # noqa: PLW0108
    "partial": partial(doubled),
    "partial-of-a-wrapper": partial(logged(doubled)),
    "object": Returns(),
    "awaitable": returns_an_awaitable,
}
for name, wrapped in WRAPPED.items():
    flow.step(name=name, retry=ONCE)(wrapped)


async def fails() -> None:
    raise OSError("when it is awaited")


failing.step(name="fails", retry=ONCE)(lambda: fails())  # noqa: PLW0108
late.step(name="late", retry=ONCE, timeout=0.2)(lambda: asyncio.sleep(PATIENCE))


@failing.step(retry=ONCE, transactional=True)
def in_a_transaction(cursor: Cursor) -> Any:
    return fails()


@failing.step(retry=ONCE)
def generates() -> Any:
    return (number for number in range(3))


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow, failing, late)


def test_whatever_returns_a_coroutine_is_awaited(engine: Engine) -> None:
    assert engine.submit(flow, {"n": 21}).result(PATIENCE) == dict.fromkeys(WRAPPED, 42)


def test_what_it_raises_is_the_steps_failure(engine: Engine) -> None:
    task = engine.submit(failing, {})

    assert task.wait(PATIENCE) is TaskState.ERROR
    said = {event.step: event.error.message for event in of_kind(task.history(), StepAttemptFailed)}
    assert said["fails"] == "when it is awaited"
    assert "a transactional step is a plain function" in said["in_a_transaction"]
    assert "a generator has no result; return one value" in said["generates"]


def test_its_timeout_holds(engine: Engine) -> None:
    assert engine.submit(late, {}).wait(PATIENCE) is TaskState.ERROR


def numbers() -> Iterator[int]:
    yield 1


async def later_numbers() -> AsyncIterator[int]:
    yield 1


class Generates:
    def __call__(self) -> Iterator[int]:
        yield 1


class GeneratesLater:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


@pytest.mark.parametrize(
    "generator",
    [numbers, later_numbers, partial(numbers), Generates(), GeneratesLater(), Generates().__call__],
)
def test_a_generator_is_refused_when_it_is_declared(generator: Callable[..., Any]) -> None:
    with pytest.raises(InvalidTemplate, match="a generator has no result; return one value"):
        Workflow("wrapped", "generators", version="1").step(name="only")(generator)
