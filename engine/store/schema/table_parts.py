"""What tables are made of, and where that differs from what a release or a projection makes.

The tables of the schema flowledger come from many migrations, so what they amount to is kept in a
file, `tables.txt` of `flowledger.sql`, which `python docs/list_tables.py` writes. An index more
that only helps to find rows is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

PARTS = "select * from flowledger.parts_of_tables(%s)"
TABLE = "table"
ONLY_FINDS = "CREATE INDEX "
SEPARATOR = " | "

Parts = Mapping[tuple[str, str], str]
"""The definition of each part of a table, by the table's name and the part's."""


class OtherPart(NamedTuple):
    """A part of a table that is not as it should be."""

    subject: str
    expected: str
    found: str


def parts_of(rows: Iterable[tuple[str, str, str]]) -> Parts:
    """The rows of PARTS."""
    return {(relation, part): definition for relation, part, definition in rows}


def as_text(parts: Parts) -> str:
    """The parts as lines of a file."""
    return "".join(
        f"{SEPARATOR.join((relation, part, definition))}\n"
        for (relation, part), definition in sorted(parts.items())
    )


@cache
def shipped_parts() -> Parts:
    """Those of the schema flowledger in this release."""
    text = resources.files("flowledger.sql").joinpath("tables.txt").read_text("utf-8")
    lines = (line.split(SEPARATOR, 2) for line in text.splitlines())
    return {(relation, part): definition for relation, part, definition in lines}


def other_parts(made: Parts, stored: Parts) -> Iterator[OtherPart]:
    """Where the stored tables are not as they are made. Of a table that is gone, nothing more."""
    for relation, part in sorted({*made, *stored}):
        expected, found = made.get((relation, part)), stored.get((relation, part))
        if expected == found or (expected is None and str(found).startswith(ONLY_FINDS)):
            continue
        if expected == f"{found} not valid":  # somebody has made sure that no row is against it
            continue
        if part != TABLE and ((relation, TABLE) in made) is not ((relation, TABLE) in stored):
            continue
        name = relation if part == TABLE else f"{part} of {relation}"
        yield OtherPart(f"table {name}" if part == TABLE else name, _told(expected), _told(found))


def _told(definition: str | None) -> str:
    return "none" if definition is None else definition.replace("{schema}.", "")
