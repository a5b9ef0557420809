"""Whether what one step returns can be what another one's parameter takes, by their annotations.

A result goes through JSON: it is written by its own type and read by the parameter's, loosely, so
that a string may become a date and an array a tuple. Two types cannot fit where no kind of JSON
value that the one is written as is read by the other. Whatever is not sure fits: types with
validators or serializers of their own, items of containers and fields of models, unions of which a
part fits. One pair is refused although some values of it could be read: a plain `str` for a number
or a truth value, which is right for some texts only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from pydantic import PydanticUserError

from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers.signature import shown_type
from flowledger.handlers.step_function_adapter import BoundStep
from flowledger.handlers.type_codec import ANYTHING, adapter

Schema = Mapping[str, Any]


class Kind(Enum):
    """A kind of JSON value. A text is any string at all, a formed one has a certain form."""

    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    TEXT = "text"
    FORMED = "formed"
    ARRAY = "array"
    OBJECT = "object"


Kinds = frozenset[Kind]
EVERY: Kinds = frozenset(Kind)
STRING: Kinds = frozenset({Kind.TEXT, Kind.FORMED})
NUMERIC: Kinds = frozenset({Kind.NUMBER, Kind.BOOLEAN, Kind.FORMED})
MOMENT: Kinds = STRING | {Kind.NUMBER}
ARRAY: Kinds = frozenset({Kind.ARRAY})
OBJECT: Kinds = frozenset({Kind.OBJECT})
NULL: Kinds = frozenset({Kind.NULL})

READ: Mapping[str, Kinds] = MappingProxyType(
    {
        "none": NULL,
        "bool": NUMERIC,
        "int": NUMERIC,
        "float": NUMERIC,
        "decimal": MOMENT,
        "str": STRING,
        "uuid": STRING,
        "datetime": MOMENT,
        "date": MOMENT,
        "time": MOMENT,
        "timedelta": MOMENT,
        "list": ARRAY,
        "tuple": ARRAY,
        "set": ARRAY,
        "frozenset": ARRAY,
        "dict": OBJECT,
        "typed-dict": OBJECT,
        "dataclass": OBJECT,
        "model": OBJECT,
    }
)
"""What each of pydantic's types reads from JSON, at most; the others may read everything."""

WRITTEN: Mapping[str, Kinds] = MappingProxyType(
    {
        "none": NULL,
        "bool": frozenset({Kind.BOOLEAN}),
        "int": frozenset({Kind.NUMBER}),
        "float": frozenset({Kind.NUMBER}),
        "decimal": frozenset({Kind.FORMED}),
        "str": frozenset({Kind.TEXT}),
        "uuid": frozenset({Kind.FORMED}),
        "datetime": frozenset({Kind.FORMED}),
        "date": frozenset({Kind.FORMED}),
        "time": frozenset({Kind.FORMED}),
        "list": ARRAY,
        "tuple": ARRAY,
        "set": ARRAY,
        "frozenset": ARRAY,
        "dict": OBJECT,
        "typed-dict": OBJECT,
        "dataclass": OBJECT,
        "model": OBJECT,
    }
)
"""What each of pydantic's types is written as; the others may be written as anything."""

OWN = frozenset({"serialization", "pattern", "coerce_numbers_to_str", "root_model"})
"""A schema with one of these reads or writes in a way of its own."""

FIELDS = MappingProxyType({"model": "model-fields", "dataclass": "dataclass-args"})


def check_inputs(name: str, step: BoundStep, others: Mapping[str, BoundStep]) -> None:
    """Hold a step against those that it depends on, and those that depend on it.

    Raises InvalidTemplate for a parameter that can never take the result, naming both steps.
    """
    for consumer_name, consumer in ((name, step), *others.items()):
        for wanted in consumer.inputs:
            source = step if wanted.step == name else others.get(wanted.step)
            if name not in {consumer_name, wanted.step} or source is None:
                continue
            if never_fits(source.returns, wanted.annotation):
                raise InvalidTemplate(
                    f"{consumer.where}: parameter {wanted.parameter!r} is annotated"
                    f" {shown_type(wanted.annotation)}, but step {wanted.step!r} returns"
                    f" {shown_type(source.returns)}; expected types of which the one is read from"
                    " the other's JSON"
                )


def never_fits(result: Any, parameter: Any) -> bool:
    """Whether no result of a step that returns the one is read by a parameter of the other."""
    if result in ANYTHING or parameter in ANYTHING or result == parameter:
        return False
    return not _kinds(result, WRITTEN) & _kinds(parameter, READ)


def _kinds(annotation: Any, table: Mapping[str, Kinds]) -> Kinds:
    try:
        return _of_schema(adapter(annotation).core_schema, table, {}, 0)
    except (TypeError, KeyError, AttributeError, PydanticUserError):
        return EVERY


MOST_LEVELS = 20


def _of_schema(
    schema: Schema, table: Mapping[str, Kinds], known: Mapping[str, Schema], depth: int
) -> Kinds:
    if depth > MOST_LEVELS:
        return EVERY

    def of(inner: Schema) -> Kinds:
        return _of_schema(inner, table, known, depth + 1)

    kind: str = schema["type"]
    if kind == "definitions":
        named = {one["ref"]: one for one in schema["definitions"]}
        return _of_schema(schema["schema"], table, {**known, **named}, depth + 1)
    if kind == "definition-ref":
        return of(known[schema["schema_ref"]])
    if kind in INNER:
        return frozenset[Kind]().union(*map(of, INNER[kind](schema)))
    return EVERY if _is_own(schema) else table.get(kind, EVERY)


def _is_own(schema: Schema) -> bool:
    """Whether it reads or writes in a way of its own; of a model, what stands around its fields."""
    if any(schema.get(key) for key in OWN):
        return True
    if schema["type"] not in FIELDS:
        return False
    fields: Schema = schema["schema"]
    return fields["type"] not in FIELDS.values() or "serialization" in fields


def _nullable(schema: Schema) -> Iterable[Schema]:
    return ({"type": "none"}, schema["schema"])


def _choices(schema: Schema) -> Iterable[Schema]:
    for choice in schema["choices"]:
        yield choice[0] if isinstance(choice, tuple) else choice


INNER: Mapping[str, Callable[[Schema], Iterable[Schema]]] = MappingProxyType(
    {"nullable": _nullable, "union": _choices}
)
"""The schemas of which one decides."""
