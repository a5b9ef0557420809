"""Lists that fit a terminal: cut and wrapped where somebody looks, whole where a program reads.

What a row is called is never cut, as somebody will copy it: where a row is too wide for a line,
it becomes two. Everything else loses its middle first.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.cells import cell_len, chop_cells
from rich.text import Text

from flowledger.engine.display_text import visible

T = TypeVar("T")
GAP = "  "
INDENT = "    "
SHORTEST = 12
"""A cell is cut to no less than this where two lines would show more of it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its head. `second` ones are cut, or go to a second line, where they must."""

    head: str = ""
    second: bool = False


def terminal_width() -> int | None:
    """The columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def rows_that_fit(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[Text]:
    """The rows with their cells below each other, in so many columns of a terminal.

    Where columns have heads, these come first, in bold.
    """
    heads = [column.head for column in columns]
    table = [[visible(cell) for cell in row] for row in rows]
    table = [heads, *table] if any(heads) else table
    late = [number for number, column in enumerate(columns) if column.second]
    wide = [max(map(cell_len, cells)) for cells in zip(*table, strict=True)]
    cut = narrowed(wide, late, width, SHORTEST)
    if width is None or fits(cut, width):
        parts = [("", list(range(len(columns))), cut)]
    else:
        first = [number for number in range(len(columns)) if number not in late]
        parts = [
            ("", first, narrowed(own(wide, first), range(1, len(first)), width, 1)),
            (INDENT, late, narrowed(own(wide, late), range(len(late)), width - len(INDENT), 1)),
        ]
    for row in table:
        for indent, shown, room in parts:
            yield Text(indent + _line(own(row, shown), room), "bold" if row is heads else "")


def wrapped(line: str, width: int | None) -> list[str]:
    """A line, wrapped between words where it is wider than the terminal; no word is cut."""
    seen = visible(line)
    if width is None or cell_len(seen) <= width:
        return [seen]
    return textwrap.wrap(
        seen,
        width,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def own(cells: Sequence[T], shown: Sequence[int]) -> list[T]:
    """The cells of these columns."""
    return [cells[number] for number in shown]


def fits(wide: Sequence[int], width: int) -> bool:
    """Whether columns so wide fit on a line."""
    return sum(wide) + len(GAP) * (len(wide) - 1) <= width


def narrowed(
    wide: Sequence[int], cut: Sequence[int], width: int | None, shortest: int
) -> list[int]:
    """The widths with those columns cut that may be, the widest first, until the row fits."""
    room = list(wide)
    while width is not None and not fits(room, width):
        widest = max(cut, key=lambda number: room[number], default=None)
        if widest is None or room[widest] <= shortest:
            break
        room[widest] -= 1
    return room


def _line(row: Sequence[str], wide: Sequence[int]) -> str:
    fitted = [_middle(cell, room) for cell, room in zip(row, wide, strict=True)]
    padded = [cell + " " * (room - cell_len(cell)) for cell, room in zip(fitted, wide, strict=True)]
    return GAP.join(padded).rstrip()


def _middle(text: str, width: int) -> str:
    """The text in so many cells of a terminal, without its middle where it needs more."""
    if cell_len(text) <= width:
        return text
    head = chop_cells(text, max(1, width // 2))[0]
    tail = _end(text, width - cell_len(head) - 1)
    return f"{head}…{tail}"


def _end(text: str, width: int) -> str:
    tail = ""
    for character in reversed(text):
        if cell_len(character + tail) > width:
            break
        tail = character + tail
    return tail
