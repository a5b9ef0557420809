"""When two submissions are the same task: the identity that a task may have, beside its id."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from flowledger.engine.domain.template import Template
from flowledger.engine.errors import MissingIdempotencyKey


def identity_of(template: Template, context: Any, idempotency_key: str | None) -> str | None:
    """The task's identity by its template's strategy; None where every submission is a task.

    `strict` is the SHA-256 of the template's namespace, name and version and of the context in
    canonical JSON (sorted keys, no blanks). A key that the caller gives goes before the strategy.
    Raises MissingIdempotencyKey where the strategy asks for one.
    """
    if idempotency_key is not None:
        return _digest("key", template.namespace, template.name, idempotency_key)
    if template.identity == "caller_provided":
        raise MissingIdempotencyKey(template.key)
    if template.identity == "strict":
        return _digest("strict", template.namespace, template.name, template.version, context)
    return None


def _digest(kind: str, *parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}:sha256:{sha256(text.encode()).hexdigest()}"
