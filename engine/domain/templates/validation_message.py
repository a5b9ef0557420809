"""The first problem that pydantic found, as one sentence that names the place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flowledger.engine.display_text import listed, nearest, place

Known = Callable[[tuple[str, ...]], Collection[str]]
"""The keys that a mapping may have, given the names on the way to it."""
MOST_PARTS = 12
LONGEST_VALUE = 60
"""Of a place and of a value, as they are shown in a sentence."""


def first_problem(
    error: ValidationError, root: str, *, known: Known | None = None, values: bool = False
) -> str:
    """The first fault as `place: what was expected`, and how many more there are.

    `root` is the place of a fault in the whole. `values` shows what was found there: for
    definitions, never for contexts and results, which may hold secrets.
    """
    first, *more = error.errors(include_url=False)
    rest = f" (and {len(more)} more)" if more else ""
    where, expected = _shown_place(first["loc"], root), _expected(first, known, values=values)
    # What checked a value as a whole may know the place inside of it.
    gap = "" if not where or expected.startswith((".", "[")) else ": "
    return f"{where}{gap}{expected}{rest}"


def _shown_place(location: Sequence[int | str], root: str) -> str:
    """The place, cut where it is deep inside."""
    more = "…" if len(location) > MOST_PARTS else ""
    return place(location[:MOST_PARTS], root) + more


def _expected(fault: ErrorDetails, known: Known | None, *, values: bool) -> str:
    match fault["type"]:
        case "extra_forbidden":
            *parents, last = fault["loc"]
            names = known(tuple(part for part in parents if isinstance(part, str))) if known else ()
            return f"unknown key{nearest(str(last), names) or f', expected {listed(names)}'}"
        case "missing":
            return "is missing"
        case "model_type" | "dict_type":
            return f"should be a mapping, got {_shown(fault['input'], values=values)}"
        case _:
            return f"{_message(fault)}, got {_shown(fault['input'], values=values)}"


def _message(fault: ErrorDetails) -> str:
    text = fault["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return text[:1].lower() + text[1:]


def shown(value: object) -> str:
    """A value as Python writes it: as text, cut where it is long, whatever it makes of itself."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an object of the user's own raises what it pleases
        return f"a {type(value).__name__}"
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def plain_text(value: object) -> str:
    """A text as it is, whatever its class makes of it; anything else as it is shown."""
    return str.__str__(value) if isinstance(value, str) else shown(value)


def _shown(value: object, *, values: bool) -> str:
    kind = type(value).__name__
    return f"{shown(value)} ({kind})" if values else kind
