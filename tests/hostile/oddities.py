"""Strange values of every sort that a caller can hand in, by what they are in plain words."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from hostile.draw import Draw, Oddities

ESCAPES = "\x1b]0;title\x07\x1b[2J"
FORGED = "x]\n   99999  2026-11-28 16:00:00.000  request  2  request granted  [coordinator"


class Priority(IntEnum):
    """Numbers with names, one of them beyond what the database holds."""

    HIGH = 5
    BEYOND = 2**40


class Celsius(int):
    """An integer of a class of its own."""


class Share(float):
    """A float of a class of its own, as numpy has one."""


class Colour(StrEnum):
    """Texts with names."""

    RED = "red"


class Shape(Enum):
    """Names for what is no number and no text."""

    ROUND = (1, 2)


class Place(NamedTuple):
    """A tuple with names."""

    x: int
    y: float


class Liar(str):
    """A text that is equal to nothing."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


class Raising:
    """An object that raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = None  # type: ignore[assignment]


class Later(datetime):
    """A datetime of a class of its own, as pandas has one."""


class Lost(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None

    def dst(self, _: datetime | None) -> timedelta | None:
        return None

    def tzname(self, _: datetime | None) -> str | None:
        return "lost"


DEPTHS = (99, 100, 101, 127, 128, 199, 200, 252, 253, 254, 255)
"""Around those where one reader or another gives up."""


def nested(draw: Draw, depths: Sequence[int] = DEPTHS) -> Any:
    """Lists and objects in each other."""
    depth = draw.one_of(depths)
    value: Any = 0
    for _ in range(depth):
        value = {"a": value} if draw.chance(0.5) else [value]
    return value


def circular(_: Draw) -> Any:
    """A list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


def chinese(draw: Draw, letters: int = 1_000) -> str:
    """As many different characters of three bytes: an index row cannot hold them compressed."""
    numbers = draw.random.sample(range(0x4E00, 0x9FA5), letters)
    return "".join(map(chr, numbers))


def garbled(draw: Draw) -> str:
    """Characters of any plane, some of which cannot be stored."""
    alphabet = (
        "a\0\ud800\udfff\x1b\x7f\x85\u2028\u202e\ufeff\ufffe\U0001f600\u0301é'\"\\;%{}$\n\r\t"
    )
    return "".join(draw.one_of(alphabet) for _ in range(draw.random.randrange(1, 40)))


TEXTS: Oddities = {
    "an empty text": lambda _: "",
    "a text of blanks": lambda _: " \t\n",
    "a null character": lambda _: "a\0b",
    "half of a surrogate pair": lambda _: "a\ud800",
    "escape sequences of a terminal": lambda _: f"{ESCAPES}red",
    "a forged line": lambda _: FORGED,
    "the name of an engine's writer": lambda draw: draw.one_of(
        ["coordinator", "Worker", "application"]
    ),
    "a thousand different Chinese characters": chinese,
    "three hundred different Chinese characters": lambda draw: chinese(draw, 300),
    "a text of a million characters": lambda _: "a" * 1_000_000,
    "a text of a thousand and one characters": lambda _: "a" * 1_001,
    "a snowman": lambda _: "☃",
    "writing that turns its direction": lambda _: "a\u202etxt.exe",
    "separators of lines": lambda _: "a\u2028b\u2029c\x85d\x0be",
    "a garbled text": garbled,
    "SQL": lambda _: "'; drop table flowledger.event; --",
    "a format": lambda _: "%s %(a)s {0} {a.__class__} $1",
    "a text with names": lambda _: Colour.RED,
    "a text that is equal to nothing": lambda _: Liar("liar"),
}

NUMBERS: Oddities = {
    "an integer of a class of its own": lambda _: Celsius(-3),
    "an integer with a name": lambda _: Priority.HIGH,
    "an integer with a name beyond the database": lambda _: Priority.BEYOND,
    "an integer beyond 64 bits": lambda draw: draw.one_of([2**64, -(2**63) - 1, 10**400]),
    "an integer beyond 32 bits": lambda draw: draw.one_of([2**31, -(2**31) - 1, 2**63]),
    "a truth": lambda _: True,
    "no number": lambda draw: draw.one_of([math.nan, math.inf, -math.inf]),
    "a float of a class of its own": lambda _: Share(0.5),
    "a tiny or negative zero": lambda draw: draw.one_of([-0.0, 5e-324, 1e308]),
    "a decimal or a fraction": lambda draw: draw.one_of([Decimal("1.10"), Fraction(1, 3), 1j]),
}

OBJECTS: Oddities = {
    "a status beside null": lambda _: {"status": HTTPStatus.OK, "detail": None},
    "a counter": lambda _: Counter("aab"),
    "a dictionary with a default": lambda _: defaultdict(int, a=1),
    "a dictionary in an order": lambda _: OrderedDict(b=1, a=2),
    "a tuple with names": lambda _: Place(1, 2.5),
    "a set": lambda draw: {0, 8, 16} if draw.chance(0.5) else frozenset({"a", "b"}),
    "bytes": lambda _: b"\xff\0",
    "a day or a time": lambda draw: draw.one_of([date.max, time.min, timedelta.max]),
    "an identifier": lambda _: UUID(int=1),
    "an object": lambda _: object(),
    "an object that raises whatever it is asked": lambda _: Raising(),
    "a class, a module or a function": lambda draw: draw.one_of([int, math, len, lambda: 1]),
    "a member of an enumeration": lambda _: Shape.ROUND,
    "an exception": lambda _: ValueError(ESCAPES),
    "a path": lambda _: Path("/tmp/\x1b"),  # noqa: S108 - no file
    "something like a dictionary": lambda _: UserDict(a=1),
    "a queue": lambda _: deque([1]),
    "a generator": lambda _: (number for number in range(3)),
    "keys that are no texts": lambda draw: {
        draw.one_of([1, None, (1, 2), 1.5, True, Priority.HIGH, b"a"]): 1
    },
    "two keys that become one": lambda _: {Liar("a"): 1, "a": 2},
    "keys with a null character": lambda _: {"a\0": 1},
    "keys with half of a surrogate pair": lambda _: {"\udcff": 1},
    "many levels in each other": nested,
    "more levels than any reader takes": lambda draw: nested(draw, [255, 300, 1_500]),
    "a list that contains itself": circular,
    "a million numbers": lambda _: list(range(1_000_000)),
    "an object of many keys": lambda _: {f"key {number}": number for number in range(5_000)},
    "an empty object": lambda _: {},
    "nothing": lambda _: None,
}


def within(value: Any, draw: Draw) -> Any:
    """The value, perhaps somewhere inside of plain JSON."""
    match draw.random.randrange(4):
        case 0:
            return [value, None]
        case 1:
            return {"a": {"b": [1, value]}}
        case _:
            return value


def json_like(draw: Draw) -> Any:
    """A value for wherever JSON is taken."""
    _, value = draw.odd_of({"texts": TEXTS, "numbers": NUMBERS, "objects": OBJECTS})
    return within(value, draw)


TIMES: Oddities = {
    "the last time, west of Greenwich": lambda _: datetime.max.replace(
        tzinfo=ZoneInfo("America/New_York")
    ),
    "the first time, east of Greenwich": lambda _: datetime.min.replace(
        tzinfo=ZoneInfo("Asia/Tokyo")
    ),
    "the last time": lambda _: datetime.max.replace(tzinfo=UTC),
    "the first time": lambda _: datetime.min.replace(tzinfo=UTC),
    "a time without a zone": lambda _: datetime(2026, 1, 1),  # noqa: DTZ001 - that is the case
    "a time in a zone without an offset": lambda _: datetime(2026, 1, 1, tzinfo=Lost()),
    "an offset with seconds": lambda _: datetime(
        2026, 1, 1, tzinfo=timezone(timedelta(hours=1, seconds=7))
    ),
    "an hour that the clock skips": lambda _: datetime(
        2026, 3, 29, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")
    ),
    "a datetime of a class of its own": lambda _: Later(2026, 1, 1, tzinfo=UTC),
    "a time of long ago": lambda _: datetime(1969, 12, 31, tzinfo=UTC),
    "a date": lambda _: date(2026, 1, 1),
    "a time as text": lambda _: "2026-01-01T00:00:00Z",
    "a time as a number": lambda draw: draw.one_of([0, 1e18, math.nan]),
}

SECONDS: Oddities = {
    "a negative number of seconds": lambda _: -1.0,
    "seconds that are no number": lambda draw: draw.one_of([math.nan, math.inf, -math.inf]),
    "more seconds than there are": lambda draw: draw.one_of([1e12, 1e300, 2**63, 10**30]),
    "seconds as text": lambda draw: draw.one_of(["soon", "10", ""]),
    "a duration beyond all": lambda draw: draw.one_of([timedelta.max, timedelta.min]),
    "seconds that are a truth": lambda _: True,
}

SEVERAL: Oddities = {
    "one text instead of a list": lambda _: "tag",
    "tags that are no texts": lambda draw: draw.one_of([[1], [None], [b"a"], [["a"]], 7, None]),
    "the same tag twice": lambda _: ["a", "a"],
    "ten thousand tags": lambda _: [f"tag {number}" for number in range(10_000)],
    "an endless supply of broken tags": lambda _: (tag for tag in ["a", ""]),
}


def tags(draw: Draw) -> Any:
    """What is given as tags."""
    pool, value = draw.odd_of({"texts": TEXTS, "several": SEVERAL})
    return [value] if pool == "texts" else value


def any_text(draw: Draw) -> Any:
    """A text, or what should have been one."""
    _, value = draw.odd_of({"texts": TEXTS, "more texts": TEXTS, "objects": OBJECTS})
    return value
