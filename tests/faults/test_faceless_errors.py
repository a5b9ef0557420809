"""Exceptions that cannot be looked at end their attempt as any other, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.errors import TaskNotCompleted
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, of_kind


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__mro__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class Unnamed(Exception, metaclass=Nameless):
    pass


class Proxied(Exception):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("its target is gone")


class Endless(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> Any:
        return (self,)


class CausedForEver(Exception):
    @property
    def __cause__(self) -> Any:
        return CausedForEver()


class Secretive(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Fixed(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(name)


def deep() -> ExceptionGroup[Any]:
    group = ExceptionGroup("innermost", [ValueError(1)])
    for _ in range(2_000):
        group = ExceptionGroup("around", [group])
    return group


ERRORS: dict[str, Any] = {
    "unnamed": Unnamed,
    "proxied": Proxied,
    "endless": lambda: Endless("group", [ValueError(1)]),
    "caused for ever": CausedForEver,
    "secretive": Secretive,
    "fixed": Fixed,
    "deep": deep,
}
flow = Workflow("errors", "faceless", version="1")


def raise_as_asked(context: dict[str, str]) -> None:
    if context["how"] in ERRORS:
        raise ERRORS[context["how"]]()


@flow.step(retry=Retry(max_attempts=1))
def plain(context: dict[str, str]) -> None:
    raise_as_asked(context)


@flow.step(retry=Retry(max_attempts=1))
async def coroutine(context: dict[str, str]) -> None:
    raise_as_asked(context)


@flow.step(retry=Retry(max_attempts=1), retry_if=lambda error: True)
def asked(context: dict[str, str]) -> None:
    raise_as_asked(context)


@pytest.mark.parametrize("how", ERRORS)
def test_every_attempt_has_failed_and_its_place_is_free(harness: EngineHarness, how: str) -> None:
    engine = harness.open(flow, worker={"concurrency": 1})
    task = engine.submit(flow, {"how": how})

    with pytest.raises(TaskNotCompleted):
        task.result(PATIENCE)

    failed = of_kind(task.history(), StepAttemptFailed)
    assert {one.step for one in failed} == {"plain", "coroutine", "asked"}
    assert {one.error.error_class.split(".")[-1] for one in failed} == {
        type.__dict__["__name__"].__get__(type(ERRORS[how]()))
    }
    assert engine.submit(flow, {"how": "not at all"}).result(PATIENCE)
