"""Words for people: names, places, durations and times, and texts without passwords."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from unicodedata import category

LONGEST = 60
NAMED = 3
OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
UNSEEN = OBEYED | {"Zs", "Mn", "Me"}
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a symbol by their category, of which nothing is drawn."""
JOINERS = "\u200c\u200d"

HIDDEN = "***"

# Greedy up to the last @ of the word: an unescaped @ inside a password must not reveal its rest.
_USER_INFO = re.compile(r"://([^:/@\s]*):[^\s]*@")
_PARAMETER = re.compile(
    r"(password|passwd)(\s*=\s*)('(?:[^'\\]|\\.)*(?:'|$)|(?:\\.|[^\s&\\])+)", re.IGNORECASE
)


def place(location: Sequence[int | str], root: str = "") -> str:
    """A path in a document as one writes it: `steps[2].retry`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return root + path if root else path.removeprefix(".")


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?` for an error about an unknown word, or nothing."""
    matches = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def listed(names: Collection[str], limit: int = 20) -> str:
    """Names for an error, in order; `nothing` where there are none."""
    first = ", ".join(sorted(names)[:limit])
    more = len(names) - limit
    return f"{first} and {more} more" if more > 0 else first or "nothing"


def short(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = on_one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def some_of(names: Iterable[str]) -> str:
    """Some names, and how many more there are: `a, b, c and 7 more`."""
    found = list(names)
    if len(found) <= NAMED + 1:
        return " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    return f"{', '.join(found[:NAMED])} and {len(found) - NAMED} more"


def on_one_line(text: str) -> str:
    """A text without line breaks, and without anything that a terminal would obey."""
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    r"""A text of which everything is seen: what a terminal or a pager would obey is escaped.

    That is control characters, line and paragraph separators, lone surrogates, and formats such as
    those that turn the direction of writing (Unicode's categories Cc, Zl, Zp, Cs, Cf); the joiners
    of emoji and Indic scripts stay.

    >>> visible("\x1b[31mred\n")
    '\\x1b[31mred\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def is_seen(text: str) -> bool:
    r"""Whether anything of the text is seen, where it stands alone.

    >>> is_seen("ada"), is_seen("\u200b\u00a0 ")
    (True, False)
    """
    return any(category(one) not in UNSEEN and one not in BLANKS for one in text)


def _visible(character: str) -> str:
    if category(character) in OBEYED and character not in JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character


def duration(time: timedelta) -> str:
    """A time as people say it, in two units at most: `1.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d`."""
    seconds = abs(time.total_seconds())
    if seconds < 60:
        return f"{seconds:.3g} s"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    left, parts = round(seconds), list[str]()
    for unit, size in units:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def moment(time: datetime) -> str:
    """A time as people read it, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def redact(text: str) -> str:
    """The text with `***` for every password of a URL or connection string in it.

    >>> redact("postgresql://ada:secret@db/flow?sslmode=require")
    'postgresql://ada:***@db/flow?sslmode=require'
    """
    if "://" in text:
        text = _USER_INFO.sub(r"://\1:***@", text)
    if "passw" in text.lower():
        text = _PARAMETER.sub(r"\1\2***", text)
    return text
