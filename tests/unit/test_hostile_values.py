"""Values whose classes raise whatever they are asked get the refusal that any wrong value gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from typing import Any, NoReturn

import pytest

from flowledger.engine.config import load_settings
from flowledger.engine.domain.argument_checks import (
    check_position,
    check_request,
    check_seconds,
    check_submission,
    check_tags,
    task_id_of,
)
from flowledger.engine.errors import (
    InvalidConfiguration,
    InvalidRequest,
    InvalidSubmission,
    InvalidTemplate,
)
from flowledger.handlers import Concurrency, Retry, Workflow


def raises(*_: object) -> NoReturn:
    raise RuntimeError("asked")


COMPARED = dict.fromkeys(["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"], raises)
SAID = dict.fromkeys(["__str__", "__repr__", "__format__"], raises)


def hostile(kind: type[Any], **members: Any) -> type[Any]:
    """A class that raises whatever it is asked."""
    names = {**COMPARED, **SAID, "__hash__": raises, **members}
    return type("Hostile", (kind,), names)


class Shape(Enum):
    ROUND = (1, 2)
    TEXT = "x"
    NOTHING = None


VALUES = {
    "a name for a tuple": Shape.ROUND,
    "a name for a text": Shape.TEXT,
    "a name for nothing": Shape.NOTHING,
    "an integer": hostile(int)(3),
    "a float": hostile(float)(3.0),
    "a text": hostile(str)("3"),
    "a duration": hostile(timedelta, total_seconds=raises)(seconds=3),
    "an object": hostile(object, __int__=raises, __float__=raises, __index__=raises)(),
    "many digits": 10**5_000,
}
CALLS: dict[str, Callable[[Any], object]] = {
    "worker.concurrency": lambda value: load_settings({"worker": {"concurrency": value}}),
    "worker.lease_seconds": lambda value: load_settings({"worker": {"lease_seconds": value}}),
    "two settings": lambda value: load_settings(
        {"database": {"pool_min_size": value, "pool_max_size": 1}}
    ),
    "logging.level": lambda value: load_settings({"logging": {"level": value}}),
    "worker.namespaces": lambda value: load_settings({"worker": {"namespaces": [value]}}),
    "attempts": lambda value: Retry(max_attempts=value),
    "slots": lambda value: Concurrency(limit=value),
    "deadline": lambda value: Workflow("a", "b", version="1", deadline=value),
    "version": lambda value: Workflow("a", "b", version=value).template,
    "timeout": lambda value: Workflow("a", "b", version="1").step(print, timeout=value),
    "step": lambda value: Workflow("a", "b", version="1").step(print, name=value),
    "after": lambda value: Workflow("a", "b", version="1").step(print, after=[value]),
    "seconds": lambda value: check_seconds("timeout", value),
    "position": check_position,
    "priority": lambda value: check_submission("a/b@1", value, "return", {}),
    "on_duplicate": lambda value: check_submission("a/b@1", 0, value, {}),
    "actor": lambda value: check_submission("a/b@1", 0, "return", {"actor": value}),
    "reason": lambda value: check_request("task", {"reason": value}, value),
    "tags": lambda value: check_tags("task", [value], InvalidSubmission),
    "task": task_id_of,
}
REFUSALS = (InvalidConfiguration, InvalidRequest, InvalidSubmission, InvalidTemplate)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", VALUES)
def test_it_is_taken_or_refused_in_the_engines_words(call: str, value: str) -> None:
    with suppress(*REFUSALS):
        CALLS[call](VALUES[value])


@pytest.mark.parametrize("path", ["worker.concurrency", "database.pool_max_size"])
@pytest.mark.parametrize("member", list(Shape))
def test_a_setting_that_cannot_be_compared_is_named(path: str, member: Shape) -> None:
    section, key = path.split(".")

    with pytest.raises(InvalidConfiguration, match=rf"^option {path} is <Shape.* a whole number"):
        load_settings({section: {key: member}, "cli": {"refresh_per_second": 5}})
