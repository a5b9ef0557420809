"""Converts between JSON and the annotated types of handlers.

Reading is lax as JSON needs it (a string becomes a datetime, an array a tuple); writing is strict,
so that a step never stores another type than it declares, and what is written is read back once,
so that whoever needs it gets what went. Values of the plain types that JSON
itself has are handed over as they are: validating them again would find nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, cast

import orjson
from pydantic import JsonValue, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
from pydantic import ValidationError as PydanticFault

from flowledger.engine.domain.json_values import TOO_DEEP, Location, as_json, inside, plain
from flowledger.engine.domain.templates.validation_message import first_problem
from flowledger.handlers.round_trip import difference, is_equal, one_way

Reader = Callable[[JsonValue], Any]
Writer = Callable[[Any], JsonValue]

UNANNOTATED = inspect.Parameter.empty
ANYTHING = (UNANNOTATED, Any, object, JsonValue)
EXACT: tuple[tuple[object, type], ...] = (
    (dict[str, Any], dict),
    (dict, dict),
    (list[Any], list),
    (list, list),
    (str, str),
    (bool, bool),
    (int, int),
    (float, float),
    (None, type(None)),
    (type(None), type(None)),
)


ENDLESS = ("Maximum serialization depth", "Circular reference")
"""How pydantic begins to say that a value is nested too deeply, or contains itself."""


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """Pydantic's adapter of a type; raises TypeError where pydantic cannot handle it."""
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise TypeError(str(error).partition("\n")[0]) from error


class OneWay(TypeError):
    """A type whose values never come back from JSON as they went."""


def stored_adapter(annotation: Any) -> TypeAdapter[Any]:
    """The adapter of a type whose values are stored; raises TypeError, OneWay as `.token: why`."""
    types = adapter(annotation)
    fault = one_way(annotation)
    if fault is not None:
        raise OneWay(fault)
    return types


def reader(annotation: Any) -> Reader:
    """From JSON to the annotated type; the reader raises ValueError. Raises TypeError."""
    if annotation in ANYTHING:
        return _as_is
    exact = exact_type(annotation)
    validate = adapter(annotation).validate_json

    def read(value: JsonValue) -> Any:
        return value if type(value) is exact else validate(orjson.dumps(value))

    return read


def writer(annotation: Any) -> Writer:
    """From the annotated type to JSON; the writer raises ValueError.

    Raises TypeError, and OneWay for a type that never comes back.
    """
    if annotation in ANYTHING:
        return plain
    exact = exact_type(annotation)
    types = stored_adapter(annotation)

    def write(value: Any) -> JsonValue:
        if type(value) is exact:
            return plain(value)
        return dumped(types, types.validate_python(value, strict=True))

    return write


def dumped(types: TypeAdapter[Any], value: Any) -> JsonValue:
    """A valid value of the adapter's type as JSON.

    Raises ValueError where it has none, or one that is not read back as an equal value.
    """
    found, data = as_json(_dump(types, value, "json"))
    fault = _unlike(types, value, found, data)
    if fault is not None:
        # Pydantic writes some NaN as null; what stood there before tells.
        lost = _lost_numbers(_dump(types, value, "python"), found, ())
        raise ValueError(next(lost, fault))
    return found


def _unlike(types: TypeAdapter[Any], value: Any, found: JsonValue, data: bytes) -> str | None:
    """Where the value that is read from the data is unlike the one that was written."""
    try:
        back = types.validate_json(data)
    except PydanticFault as error:
        unread = first_problem(error, "")
        return f"{'' if unread.startswith('[') else '.'}{unread} once it came back"
    if is_equal(value, back):
        return None
    fault = difference(value, back)
    if fault is None and as_json(_dump(types, back, "json"))[0] != found:
        return ": is written in another way once it came back"
    return fault


def described(error: ValueError, root: str) -> str:
    """The sentence of a reader's or writer's error, `root` being what was read or written."""
    if isinstance(error, PydanticFault):
        return first_problem(error, root)
    text = str(error)
    return f"{root}{text}" if text.startswith((".", "[", ": ")) else f"{root}: {text}"


def _as_is(value: JsonValue) -> JsonValue:
    return value


def exact_type(annotation: object) -> type | None:
    """The class of a plain JSON type, whose values need no more than to be JSON."""
    return next((exact for plain_type, exact in EXACT if annotation == plain_type), None)


def _dump(types: TypeAdapter[Any], value: Any, mode: Literal["json", "python"]) -> Any:
    try:
        return types.dump_python(value, mode=mode, by_alias=True, round_trip=True, warnings="error")
    except ValueError as error:
        if str(error).startswith(ENDLESS):
            raise ValueError(f": {TOO_DEEP}") from None
        raise


def _lost_numbers(before: object, after: object, location: Location) -> Iterator[str]:
    if isinstance(before, float) and after is None:
        yield f"{inside(location)}: {before} is not JSON"
    for (_, old), (key, new) in zip(_children(before), _children(after), strict=False):
        yield from _lost_numbers(old, new, (*location, key))


def _children(value: object) -> list[tuple[int | str, object]]:
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return [(str(key), part) for key, part in entries.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(enumerate(cast("Iterable[object]", value)))
    return []
