"""Between JSON and a handler's annotated types, both ways.

Reading is lax as JSON needs it (a string becomes a datetime, an array a tuple); writing is strict,
so that a step never stores another type than it declares. Values of the plain types that JSON
itself has are handed over as they are: validating them again would find nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, cast

import orjson
from pydantic import JsonValue, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
from pydantic import ValidationError as PydanticFault

from flowledger.engine.domain.faults import first_fault, place

Reader = Callable[[JsonValue], Any]
Writer = Callable[[Any], JsonValue]
Location = tuple[int | str, ...]

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
ONLY_JSON = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**64 - 1
DEEPEST = 255


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """Pydantic's adapter of a type; raises TypeError where pydantic cannot handle it."""
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise TypeError(str(error).partition("\n")[0]) from error


def reader(annotation: Any) -> Reader:
    """From JSON to the annotated type; the reader raises ValueError. Raises TypeError."""
    if annotation in ANYTHING:
        return _as_is
    exact = _exact_type(annotation)
    validate = adapter(annotation).validate_json

    def read(value: JsonValue) -> Any:
        return value if type(value) is exact else validate(orjson.dumps(value))

    return read


def writer(annotation: Any) -> Writer:
    """From the annotated type to JSON; the writer raises ValueError. Raises TypeError."""
    if annotation in ANYTHING:
        return plain
    exact = _exact_type(annotation)
    types = adapter(annotation)

    def write(value: Any) -> JsonValue:
        if type(value) is exact:
            try:
                return plain(value)
            except ValueError:
                # What JSON lacks inside, as a datetime, pydantic may still know how to write.
                return dumped(types, value)
        return dumped(types, types.validate_python(value, strict=True))

    return write


def dumped(types: TypeAdapter[Any], value: Any) -> JsonValue:
    """A valid value of the adapter's type as JSON; raises ValueError where it has none."""
    found = _dump(types, value, "json")
    data = _encoded(found)
    # Pydantic writes some NaN as null, and leaves others; what stood there before tells.
    if b"null" in data:
        _refuse(_faults(found))
        _refuse(_lost_numbers(_dump(types, value, "python"), found, ()))
    return cast("JsonValue", orjson.loads(data))


def plain(value: object) -> JsonValue:
    """A copy of a value that is JSON already; raises ValueError naming the place that is not."""
    data = _encoded(value)
    # Only null can stand for a NaN or an infinity, so that most values need no second look.
    if b"null" in data:
        _refuse(_faults(value))
    return cast("JsonValue", orjson.loads(data))


def described(error: ValueError, root: str) -> str:
    """The sentence of a reader's or writer's error, `root` being what was read or written."""
    if isinstance(error, PydanticFault):
        return first_fault(error, root)
    text = str(error)
    return f"{root}{text}" if text.startswith((".", "[", ": ")) else f"{root}: {text}"


def _as_is(value: JsonValue) -> JsonValue:
    return value


def _exact_type(annotation: object) -> type | None:
    return next((exact for plain_type, exact in EXACT if annotation == plain_type), None)


def _encoded(value: object) -> bytes:
    try:
        return orjson.dumps(value, option=ONLY_JSON)
    except TypeError:
        fault = next(_faults(value), ": is nested too deeply, or contains itself")
        raise ValueError(fault) from None


def _refuse(faults: Iterator[str]) -> None:
    fault = next(faults, None)
    if fault is not None:
        raise ValueError(fault)


def _dump(types: TypeAdapter[Any], value: Any, mode: Literal["json", "python"]) -> Any:
    return types.dump_python(value, mode=mode, by_alias=True, round_trip=True, warnings="error")


def _lost_numbers(before: object, after: object, location: Location) -> Iterator[str]:
    if isinstance(before, float) and after is None:
        yield f"{_inside(location)}: {before} is not JSON"
    for (_, old), (key, new) in zip(_children(before), _children(after), strict=False):
        yield from _lost_numbers(old, new, (*location, key))


def _faults(value: object) -> Iterator[str]:
    """Places that are not JSON, in order, as `.items[2]: what is wrong`."""
    stack: list[tuple[Location, object]] = [((), value)]
    while stack:
        location, item = stack.pop()
        fault = _fault_of(item)
        if fault is not None:
            yield f"{_inside(location)}: {fault}"
        elif len(location) < DEEPEST:
            stack.extend(((*location, key), part) for key, part in reversed(_children(item)))


def _children(value: object) -> list[tuple[int | str, object]]:
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return [(str(key), part) for key, part in entries.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(enumerate(cast("Iterable[object]", value)))
    return []


def _fault_of(item: object) -> str | None:
    """What is wrong with a value itself, whatever is inside of it."""
    match item:
        case dict():
            keys = cast("dict[object, object]", item)
            odd = [key for key in keys if not isinstance(key, str)]
            return f"the key {odd[0]!r} is not a string" if odd else None
        case list() | tuple():
            return None
        case float():
            return None if math.isfinite(item) else f"{item} is not JSON"
        case int():
            # By comparison: a range that is asked for a subclass of int counts through it.
            fits = LEAST_INTEGER <= item <= GREATEST_INTEGER
            return None if fits else "an integer of more than 64 bits"
        case _:
            return _leaf_fault(item)


def _leaf_fault(leaf: object) -> str | None:
    try:
        orjson.dumps(leaf, option=ONLY_JSON)
    except TypeError as error:
        return str(error) if isinstance(leaf, str) else f"{type(leaf).__name__} is not JSON"
    return None


def _inside(location: Location) -> str:
    return place(location, " ")[1:]
