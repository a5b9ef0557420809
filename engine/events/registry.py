"""Old shapes of events, upgraded on reading. The log is never rewritten.

A change of an event's fields raises its `current_version` and adds one row here, from the version
before; upcasts run one after the other until the payload has today's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from flowledger.engine.events.step import EVENTS

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

UPCASTS: Mapping[tuple[str, int], Upcast] = MappingProxyType({})


def upcast(
    topic: str, fields: Fields, upcasts: Mapping[tuple[str, int], Upcast] = UPCASTS
) -> Fields:
    """The fields in today's shape. Raises ValueError for a version that this code does not know."""
    current = EVENTS[topic].current_version
    version = fields.get("schema_version", 1)
    while version < current and (topic, version) in upcasts:
        fields = upcasts[topic, version](dict(fields))
        version += 1
        fields["schema_version"] = version
    if version != current:
        raise ValueError(f"schema version {version} of {topic} is not known; {current} is")
    return fields
