"""Checks and normalises JSON values wherever they enter the engine.

Values of the exact types of JSON go through a codec at full speed. Anything else is looked through
piece by piece: an instance of a subclass becomes the plain value that it equals, and every other
type is refused with its place in the value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import cast

import orjson
from pydantic import JsonValue

from flowledger.engine.display_text import place

Location = tuple[int | str, ...]

MOST_NESTED = 100
"""Lists and objects in each other. Codecs, validators and the stack give up at about 200, and
definitions and events wrap what they are given; so this is what every reader can take."""

MOST_STORED = 254
"""Levels of an event's text: the codec writes no more, so no release ever stored a deeper one. What
is deeper was forged, and would end whoever spells it anew, or reads it with another codec."""

PLAIN_TYPES = frozenset({dict, list, str, int, float, bool, type(None)})
"""What a codec reads JSON as."""

LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**64 - 1
"""What the codec reads as an integer; it would read one beyond as a float."""

TOO_DEEP = f"is nested deeper than {MOST_NESTED} levels, or contains itself"
ONLY_JSON = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
SHOWN_LOCATION = 3


def plain(value: object) -> JsonValue:
    """A copy of a JSON value; raises ValueError naming the place that is none, as `as_json`."""
    return as_json(value)[0]


def as_json(value: object) -> tuple[JsonValue, bytes]:
    """A copy of a JSON value, and its text; raises ValueError naming the place that is none.

    Tuples become lists; what is of a subclass of `str`, `int`, `float`, `dict`, `list` or `tuple`
    becomes what it equals. Refused are numbers that JSON lacks, integers beyond 64 bits, text that
    is no UTF-8, keys that are no strings, and more than 100 lists and objects in each other.
    """
    try:
        data = orjson.dumps(value, option=ONLY_JSON)
    except TypeError:
        return _with_text(_copied(value, ()))
    loaded = orjson.loads(data)
    # Unequal are tuples, and what the codec writes as something else: NaN, UUIDs, enumerations.
    if not _equal(loaded, value) or is_nested_too_deeply(data, loaded):
        return _with_text(_copied(value, ()))
    return cast("JsonValue", loaded), data


def is_nested_too_deeply(data: bytes, value: object, most: int = MOST_NESTED) -> bool:
    """Whether the value, which is `data` as JSON, has too many lists and objects in each other."""
    if len(data) <= 2 * most or data.count(b"[") + data.count(b"{") <= most:
        return False
    level, depth = [value], 0
    while level and depth < most:
        level = [part for item in level for part in _parts(item)]
        depth += 1
    return bool(level)


def fault_of(text: str) -> str | None:
    """Why a string cannot be stored, if it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "str is not valid UTF-8: surrogates not allowed"
    return None


def inside(location: Location) -> str:
    """A place in a value, to be put behind the value's name: `.items[2]`."""
    return place(location, " ")[1:]


def _with_text(value: JsonValue) -> tuple[JsonValue, bytes]:
    return value, orjson.dumps(value)


def _parts(item: object) -> Iterator[object]:
    """The lists and objects right inside of one."""
    parts: Iterable[object] = ()
    if isinstance(item, dict):
        parts = cast("dict[str, object]", item).values()
    elif isinstance(item, list | tuple):
        parts = cast("list[object] | tuple[object, ...]", item)
    return (part for part in parts if _is_nested(part))


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list | tuple)


def _equal(loaded: object, value: object) -> bool:
    try:
        return bool(loaded == value)
    except Exception:  # noqa: BLE001 - a comparison of the user's own raises what it pleases
        return False


class NotJson(ValueError):
    """What is no JSON; it names the place in the value already."""


def _copied(value: object, location: Location) -> JsonValue:
    """The copy of a part; what the code of its class raises is told of the part."""
    try:
        return _copied_by_kind(value, location)
    except NotJson:
        raise
    except Exception as error:
        shown = f"{_class_of(value)} cannot be read, {_class_of(error)} was raised"
        raise NotJson(f"{inside(location)}: {shown}") from error


def _copied_by_kind(value: object, location: Location) -> JsonValue:
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), _deeper(location))
    if isinstance(value, list | tuple):
        items = cast("list[object] | tuple[object, ...]", value)
        _deeper(location)
        return [_copied(item, (*location, index)) for index, item in enumerate(items)]
    return _scalar(value, location)


def _deeper(location: Location) -> Location:
    if len(location) >= MOST_NESTED:
        raise NotJson(f"{inside(location[:SHOWN_LOCATION])}: {TOO_DEEP}")
    return location


def _object(value: dict[object, object], location: Location) -> JsonValue:
    copied: dict[str, JsonValue] = {}
    for key, part in value.items():
        if not isinstance(key, str):
            fault = f"{inside(location)}: the key {key!r} is not a string"
            raise NotJson(fault)
        name = _text(key, location)
        if name in copied:
            raise NotJson(f"{inside(location)}: there are two keys {name!r}")
        copied[name] = _copied(part, (*location, name))
    return copied


def _scalar(value: object, location: Location) -> JsonValue:
    """By the built-in methods: a subclass may say what it likes of itself."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, location)
    if isinstance(value, int):
        return _integer(int.__int__(value), location)
    if isinstance(value, float):
        return _double(float.__float__(value), location)
    raise NotJson(f"{inside(location)}: {_class_of(value)} is not JSON")


def _text(value: str, location: Location) -> str:
    text = str.__str__(value)
    fault = fault_of(text)
    if fault is not None:
        raise NotJson(f"{inside(location)}: {fault}")
    return text


def _integer(value: int, location: Location) -> int:
    # By comparison: a range that is asked for a subclass of int counts through it.
    if not LEAST_INTEGER <= value <= GREATEST_INTEGER:
        raise NotJson(f"{inside(location)}: an integer of more than 64 bits")
    return value


def _double(value: float, location: Location) -> float:
    if not math.isfinite(value):
        raise NotJson(f"{inside(location)}: {value} is not JSON")
    return value


def _class_of(value: object) -> str:
    """The name of its class, whatever that and its own class define."""
    return cast("str", type.__dict__["__name__"].__get__(type(value)))
