"""The value at a path of a task's context, by which keyed limits and turns tell tasks apart."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import orjson

from flowledger.engine.domain.argument_checks import BEYOND_INTEGERS
from flowledger.engine.domain.templates.compiled_template import Plan

LONGEST_VALUE = 200


def fairness_key(plan: Plan, context: object) -> str | None:
    """The value by which a task takes turns with others, as JSON; None where its template has none.

    A long value is known by its digest.
    """
    fairness = plan.template.fairness
    return None if fairness is None else value_text(context, fairness.key)


def value_text(context: Any, path: str) -> str:
    """The value at the path as JSON, null where there is none; a long one by its digest."""
    value = context
    for name in path.split("."):
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    if isinstance(value, float) and value.is_integer() and abs(value) < BEYOND_INTEGERS:
        value = int(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if len(text) > LONGEST_VALUE:
        return f"sha256:{sha256(text).hexdigest()}"
    return text.decode()
