from __future__ import annotations

import ast
import io
import json
import sys
from pathlib import Path
from typing import Literal
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from flowledger.engine.cli import output
from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.cli.output import say, tell, tell_document, tell_json
from flowledger.engine.config.sections import LoggingSettings
from flowledger.engine.display_text import on_one_line, visible
from flowledger.engine.domain.event_text import WRITERS, actor_name
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

COMMANDS = Path(output.__file__).parent
OBEYED = (
    *("\x1b]0;title\x07", "a\nb", "a\rb", "\x9b31m", "\u2028", "\u202e", "\ud800"),
    *("\u2066", "\x00"),
)
FORGED = "x]\n   99999  2026-11-28 16:00:00.000  request  2  request granted  [coordinator"
ORDINARY = " \u200c\u200d"
DOORS = {"print", "click.echo", "click.secho"}


def seen(text: str) -> bool:
    return all(category(one)[0] not in "CZ" or one in ORDINARY or unassigned(one) for one in text)


def unassigned(one: str) -> bool:
    return category(one) in {"Cn", "Co", "Zs"}


@given(st.text())
def test_whatever_is_told_is_one_line_that_a_terminal_only_shows(text: str) -> None:
    for shown in (visible(text), on_one_line(text), actor_name(text)):
        assert seen(shown)
        assert len(shown.splitlines()) <= 1


@given(st.text())
def test_json_stays_json(text: str) -> None:
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", shown)
        tell_json({"a": text})

    (line,) = shown.getvalue().splitlines()
    assert json.loads(line) == {"a": text}


@pytest.mark.parametrize("text", OBEYED)
def test_no_door_lets_a_terminal_obey(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(text)
    tell(text, err=True)
    tell_json([text])
    say([Text(text, "red")])
    tell_document(f"{text.replace(chr(10), '')}\n")

    told = capsys.readouterr()
    assert len(told.out.split("\n")) == 5
    assert len(told.err.split("\n")) == 2
    assert all(one.isprintable() for one in (told.out + told.err).replace("\n", ""))


@pytest.mark.parametrize("name", [*sorted(WRITERS), "Coordinator", FORGED, "a b", "", "ada]"])
def test_nobody_can_be_taken_for_a_part_of_the_engine(name: str) -> None:
    shown = actor_name(name)

    assert shown.startswith('"')
    assert "\n" not in shown
    assert json.loads(shown) == name


@pytest.mark.parametrize("name", ["ada", "ada@example.org", "ci-bot", "Renée"])
def test_an_ordinary_name_is_told_as_it_is(name: str) -> None:
    assert actor_name(name) == name


def test_commands_print_through_one_door() -> None:
    files = list(COMMANDS.rglob("*.py"))
    assert COMMANDS / "commands" / "health.py" in files
    assert len(files) > 25
    for path in files:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if path.name != "output.py" and isinstance(call, ast.Call):
                called = ast.unparse(call.func)
                assert called not in DOORS, path
                assert not called.endswith(("console.print", "stdout.write", "stderr.write")), path


@pytest.mark.parametrize("kind", ["console", "json"])
def test_a_line_of_the_log_cannot_be_forged(kind: Literal["console", "json"]) -> None:
    stream = io.StringIO()
    configure_program_logging(LoggingSettings(level="info", format=kind), stream)
    try:
        int("\x1b]0;t\nforged")
    except ValueError:
        logger("worker").emit(Signal.WORKER_STEP_TIMED_OUT, step="\x1b[2J\nforged", exc_info=True)

    lines = stream.getvalue().splitlines()
    assert "worker.step_timed_out" in lines[0]
    assert not any(line.startswith("forged") for line in lines)
    assert "\x1b]0" not in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
