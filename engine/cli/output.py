"""What commands print: the one door to standard output and standard error.

Much of it was written by strangers: names, reasons, results, error messages. So no line holds
anything that a terminal would obey, or that would begin another line, and characters that the
console cannot show are escaped.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

import click
from rich.console import Console
from rich.text import Text

from flowledger.engine.cli.columns import terminal_width, wrapped
from flowledger.engine.display_text import visible


def tell(line: str, *, err: bool = False) -> None:
    """Print one line."""
    click.echo(visible(line), err=err)


def tell_from_signal(line: str) -> None:
    """Print one line to standard error from a signal's handler, whoever is just writing there."""
    with suppress(OSError, ValueError, AttributeError):  # it may be closed, or there may be none
        echoed = "\n" if sys.stderr.isatty() else ""  # the terminal has just shown ^C
        os.write(sys.stderr.fileno(), f"{echoed}{visible(line)}\n".encode())


def tell_json(facts: object, default: Callable[[Any], object] = str) -> None:
    """Print one JSON value on a line: as it is where the console has all characters, else ASCII."""
    ascii_only = not _has_all_characters(sys.stdout)
    text = json.dumps(facts, ensure_ascii=ascii_only, default=default)
    click.echo("".join(map(_json_visible, text)))


def tell_either(facts: object, said: str | Sequence[str], *, as_json: bool) -> None:
    """One JSON value for programs, or a line or some for people."""
    if as_json:
        tell_json(facts)
        return
    for line in [said] if isinstance(said, str) else said:
        tell(line)


def tell_row(facts: object, sentence: str, *, as_json: bool) -> None:
    """One of a list: a JSON value on a line, or a sentence, wrapped where a terminal is narrow."""
    if as_json:
        tell_json(facts)
    else:
        tell_sentence(sentence)


def tell_sentence(sentence: str) -> None:
    """Print a sentence, on more lines than one where a terminal is narrow."""
    for line in wrapped(sentence, terminal_width()):
        tell(line)


def tell_document(text: str, *, err: bool = False) -> None:
    """Print a text of many lines, such as a file, without adding a line break at its end."""
    click.echo("\n".join(map(_document_line, text.split("\n"))), nl=False, err=err)


def say(lines: Iterable[Text]) -> None:
    """Print lines as they are: in colour on a terminal, never wrapped."""
    console = Console(highlight=False)
    for line in map(plain, lines):
        if console.is_terminal:
            console.print(line, soft_wrap=True)
        else:
            click.echo(line.plain)


def plain(line: Text) -> Text:
    """The line, of which everything is seen; one that must be escaped loses its colours."""
    seen = visible(line.plain)
    return line if seen == line.plain else Text(seen, line.style)


def escape_what_the_console_lacks() -> None:
    """Have a console without some characters show them as escapes; it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not _has_all_characters(stream):
            reconfigure(errors="backslashreplace")


def _json_visible(character: str) -> str:
    seen = visible(character)
    return character if seen == character else json.dumps(character)[1:-1]


def _document_line(line: str) -> str:
    return "\t".join(map(visible, line.split("\t")))


def _has_all_characters(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        return codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False
