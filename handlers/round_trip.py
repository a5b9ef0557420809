"""Checks that a value comes back from JSON as it was, and names types that never do.

Equal are values of one type with equal parts: the fields of a model or a dataclass (its private
attributes, cached and computed properties are made anew), the items of a container, what `==` says
of everything else. Types that have no `==` of their own, or one that fails, are equal where they
are written alike. Where no type is declared a tuple may come back as a list, and what is of a
subclass of a JSON type as the JSON value that it equals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    WrapSerializer,
)
from pydantic.fields import FieldInfo

from flowledger.engine.domain.json_values import Location, inside

MASKED = (SecretStr, SecretBytes, Secret)
SERIALIZERS = (PlainSerializer, WrapSerializer)
Parts = Iterable[tuple[object, object]]


def is_equal(before: object, after: object) -> bool:
    """Whether two values of one type are equal, by their own `==`."""
    if type(before) is not type(after):
        return False
    try:
        return bool(before == after)
    except Exception:  # noqa: BLE001 - a comparison of the user's own raises what it pleases
        return False


def difference(before: object, after: object, location: Location = ()) -> str | None:
    """Where what came back is unlike what went, as `.items[2]: what`; None where it is not."""
    if not _is_of_its_kind(before, after):
        return f"{inside(location)}: {_kind(before)} comes back as {_kind(after)}"
    parts = _parts(before)
    if parts is None:
        return None if _is_same(before, after) else _another(before, location)
    others = list(_parts(after) or ())
    own = list(parts)
    if [key for key, _ in own] != [key for key, _ in others]:
        return _another(before, location)
    found = (
        difference(part, other, _place_of(key, before, location))
        for (key, part), (_, other) in zip(own, others, strict=True)
    )
    return next((fault for fault in found if fault is not None), None)


def one_way(annotation: Any) -> str | None:
    """Where a type holds what never comes back, as `.token: why`; None where it does not."""
    return next(_one_way(annotation, (), set()), None)


def _place_of(key: object, whole: object, location: Location) -> Location:
    if isinstance(whole, RootModel):
        return location
    return (*location, key if isinstance(key, int) else str(key))


def _is_of_its_kind(before: object, after: object) -> bool:
    if type(before) is type(after):
        return True
    if isinstance(before, bool) or isinstance(after, bool):
        return False
    plain_kinds = (str, int, float, list, tuple, dict)
    if isinstance(before, plain_kinds):
        return type(after) in plain_kinds and (
            isinstance(before, type(after)) or (isinstance(before, tuple) and type(after) is list)
        )
    if isinstance(before, Mapping):
        return type(after) is dict
    return isinstance(before, datetime) and isinstance(after, datetime)


def _parts(value: object) -> Parts | None:
    if isinstance(value, BaseModel):
        extra: Mapping[str, object] = value.__pydantic_extra__ or {}
        fields = ((name, value.__dict__.get(name)) for name in type(value).model_fields)
        return chain(fields, extra.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((f.name, getattr(value, f.name, None)) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).items()
    if isinstance(value, list | tuple):
        return enumerate(cast("list[object] | tuple[object, ...]", value))
    return None


def _is_same(before: object, after: object) -> bool:
    if isinstance(before, datetime) and isinstance(after, datetime):
        # Between zones Python calls ambiguous hours unequal, even if the instant is the same.
        return before.utcoffset() == after.utcoffset() and _wall(before) == _wall(after)
    if type(before).__eq__ is object.__eq__:
        return True
    try:
        return bool(before == after)
    except Exception:  # noqa: BLE001 - a comparison of the user's own raises what it pleases
        return True


def _wall(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None, fold=0)


def _another(value: object, location: Location) -> str:
    return f"{inside(location)}: comes back as another {_kind(value)}"


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _one_way(annotation: Any, location: Location, seen: set[int]) -> Iterator[str]:
    if get_origin(annotation) is Annotated:
        if not any(isinstance(extra, SERIALIZERS) for extra in annotation.__metadata__):
            yield from _one_way(annotation.__origin__, location, seen)
        return
    if annotation in MASKED or get_origin(annotation) in MASKED:
        name = getattr(annotation, "__name__", str(annotation))
        yield f"{inside(location)}: {name} is masked when it is written, and never comes back"
        return
    for inner in get_args(annotation):
        yield from _one_way(inner, location, seen)
    if isinstance(annotation, type) and id(annotation) not in seen:
        seen.add(id(annotation))
        for name, inner in _fields(cast("type[object]", annotation)):
            if isinstance(inner, FieldInfo):
                yield from _one_way_field(inner, (*location, name), seen)
            else:
                yield from _one_way(inner, (*location, name), seen)


def _one_way_field(field: FieldInfo, location: Location, seen: set[int]) -> Iterator[str]:
    if field.exclude:
        yield f"{inside(location)}: is excluded when it is written, and never comes back"
    elif not any(isinstance(extra, SERIALIZERS) for extra in field.metadata):
        yield from _one_way(field.annotation, location, seen)


def _fields(kind: type[object]) -> Iterator[tuple[str, Any]]:
    """The fields of a type that are written in pydantic's own way."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    if decorators is not None and decorators.model_serializers:
        return
    written = {
        name
        for serializer in (decorators.field_serializers.values() if decorators else ())
        for name in serializer.info.fields
    }
    fields = getattr(kind, "__pydantic_fields__", None)
    if fields is None:
        fields = _hints(kind)
    if "*" not in written and not getattr(kind, "model_config", {}).get("json_encoders"):
        yield from ((name, field) for name, field in fields.items() if name not in written)


def _hints(kind: type[object]) -> Mapping[str, Any]:
    """The fields of dataclasses, typed dictionaries and named tuples."""
    has_fields = any(
        hasattr(kind, mark) for mark in ("__dataclass_fields__", "__required_keys__", "_fields")
    )
    if not has_fields:
        return {}
    try:
        return get_type_hints(kind, include_extras=True)
    except Exception:  # noqa: BLE001 - pydantic says better what cannot be resolved
        return {}
