"""Common parts of declarations in Python: where one stands, and which names it may use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import FrameType
from typing import Any, cast

from flowledger.engine.domain.templates.retry_and_limit_policies import (
    Concurrency,
    Fairness,
    Rate,
)
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import InvalidTemplate

Limit = Mapping[str, str | float]
"""A limit as a mapping: the fields of `Concurrency` or of `Rate`."""


def seconds(duration: timedelta | float | None) -> float | None:
    """A duration as templates have it."""
    return timedelta.total_seconds(duration) if isinstance(duration, timedelta) else duration


def plain(limit: Concurrency | Fairness | Rate | Mapping[str, Any] | None) -> object:
    """A limit as templates take it: a mapping of any kind as a dictionary."""
    return dict(limit) if isinstance(limit, Mapping) else limit


def listed_once(given: object) -> object:
    """A list of any kind as a tuple, for a decorator that is applied more than once."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return given
    return tuple(cast("Iterable[object]", given))


def require_list(where: str, given: object) -> tuple[Any, ...]:
    """The steps that `after` lists. Raises InvalidTemplate where it is no list."""
    if isinstance(given, tuple):
        return tuple(cast("Iterable[Any]", given))
    kind = "string" if isinstance(given, str) else "function" if callable(given) else ""
    name = getattr(given, "__name__", given)
    found = f"the {kind} {shown(name)}" if kind else f"{shown(given)} ({type(given).__name__})"
    raise InvalidTemplate(f"{where}: `after` is a list of steps, got {found}")


def require_retry_if(where: str, given: object) -> None:
    """Raises InvalidTemplate for what is no plain function of an exception.

    A class is one that would take any exception, and so is a coroutine function: its answer is
    true whatever it says.
    """
    if given is None:
        return
    if isinstance(given, type) or not callable(given) or inspect.iscoroutinefunction(given):
        raise InvalidTemplate(
            f"{where}: retry_if should be a plain function that takes the exception and returns"
            f" whether to try again, got {shown(given)} ({type(given).__name__})"
        )


def summary_of(function: Callable[..., Any]) -> str:
    """The first line of a function's docstring; empty where it has none of its own."""
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    return (text or "").partition("\n")[0]


def local_names(frame: FrameType | None, function: Callable[..., Any]) -> dict[str, Any]:
    """Names of the functions around the declared one: annotations may use their local types."""
    module_names = getattr(inspect.unwrap(function), "__globals__", None)
    scopes: list[Mapping[str, Any]] = []
    while frame is not None:
        if frame.f_globals is module_names and frame.f_locals is not module_names:
            scopes.append(frame.f_locals)
        frame = frame.f_back
    return {name: value for scope in reversed(scopes) for name, value in scope.items()}
