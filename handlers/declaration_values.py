"""Common parts of declarations in Python: where one stands, and which names it may use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import FrameType
from typing import Any

from flowledger.engine.domain.templates.retry_and_limit_policies import Concurrency, Rate

Limit = Mapping[str, str | float]
"""A limit as a mapping: the fields of `Concurrency` or of `Rate`."""


def seconds(duration: timedelta | float | None) -> float | None:
    """A duration as templates have it."""
    return timedelta.total_seconds(duration) if isinstance(duration, timedelta) else duration


def plain(limit: Concurrency | Rate | Limit | None) -> object:
    """A limit as templates take it: a mapping of any kind as a dictionary."""
    return dict(limit) if isinstance(limit, Mapping) else limit


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
