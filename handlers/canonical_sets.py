"""Sets in one order, so that equal values are equal JSON in every process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, JsonValue, RootModel


def in_one_order(value: object, found: JsonValue) -> JsonValue:
    """The JSON `found` of the value, with its sets sorted.

    Where a serializer of the user's own gave the JSON another shape, it is left as it is.
    """
    if isinstance(value, RootModel):
        return in_one_order(cast("Any", value).root, found)
    if isinstance(found, dict):
        inside = _named(value, found)
        return {key: in_one_order(inside.get(key), part) for key, part in found.items()}
    if isinstance(found, list) and isinstance(value, list | tuple | set | frozenset):
        items = list(cast("Iterable[object]", value))
        if len(items) == len(found):
            parts = [in_one_order(*pair) for pair in zip(items, found, strict=True)]
            return sorted(parts, key=_spelled) if isinstance(value, set | frozenset) else parts
    return found


def _named(value: object, found: Mapping[str, JsonValue]) -> Mapping[str, object]:
    """The parts of a value by the keys under which they were written."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {
            field.serialization_alias or field.alias or name: value.__dict__.get(name)
            for name, field in fields
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping) and len(cast("Mapping[object, object]", value)) == len(found):
        parts = cast("Mapping[object, object]", value).values()
        return dict(zip(found, parts, strict=True))
    return {}


def _spelled(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)
