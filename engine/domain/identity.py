"""When two submissions are the same task: the identity that a task may have, beside its id."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, cast

from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import MissingIdempotencyKey

BEYOND_INTEGERS = 2.0**64


def identity_of(template: Template, context: Any, idempotency_key: str | None) -> str | None:
    """The task's identity by its template's strategy; None where every submission is a task.

    `strict` is the SHA-256 of the template's namespace, name and version and of the context in
    one spelling: sorted keys, no blanks, equal numbers alike (1 and 1.0, 0.0 and -0.0). A key
    that the caller gives goes before the strategy.
    Raises MissingIdempotencyKey where the strategy asks for one.
    """
    if idempotency_key is not None:
        return _digest("key", template.namespace, template.name, idempotency_key)
    if template.identity == "caller_provided":
        raise MissingIdempotencyKey(template.key)
    if template.identity == "strict":
        return _digest(
            "strict", template.namespace, template.name, template.version, _in_one_spelling(context)
        )
    return None


def _in_one_spelling(value: Any) -> Any:
    """Whole floats as the integers that they equal; beyond 64 bits there are no integers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < BEYOND_INTEGERS else value
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return {key: _in_one_spelling(part) for key, part in parts.items()}
    if isinstance(value, list):
        return [_in_one_spelling(part) for part in cast("Iterable[Any]", value)]
    return value


def _digest(kind: str, *parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}:sha256:{sha256(text.encode()).hexdigest()}"
