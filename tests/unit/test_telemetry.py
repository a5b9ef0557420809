"""Log lines: every name is documented, every line has its context, nothing is set unasked."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from structlog.contextvars import get_contextvars
from structlog.typing import EventDict

from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.config.sections import LoggingSettings
from flowledger.engine.display_text import redact
from flowledger.engine.telemetry.log import bound, logger
from flowledger.engine.telemetry.log_messages import CATALOGUE, Signal, reference

ROOT = Path(__file__).parents[2]
TASK = UUID("01890000-0000-7000-8000-000000000001")
SECRET = "hunter2"  # noqa: S105
URL = f"postgresql://ada:{SECRET}@db/flow"
LOUD, QUIET = Signal.COORDINATOR_ELECTED, Signal.WORKER_CLAIMED  # info, debug


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Whatever a test configures is gone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def program(form: str = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    settings = LoggingSettings.model_validate({"level": level, "format": form})
    configure_program_logging(settings, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_signal_is_in_the_catalogue() -> None:
    assert list(CATALOGUE) == sorted(Signal)


def test_the_page_lists_every_signal_with_level_and_meaning() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")

    assert reference() in page, f"paste this:\n{reference()}"
    assert page.count("\n| `") == len(Signal)


def test_every_signal_is_written_somewhere() -> None:
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("engine", "handlers", "projections")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "telemetry.py"
    )

    assert [signal.name for signal in Signal if f"Signal.{signal.name}" not in code] == []


def signals_with_their_method(path: Path) -> Iterator[tuple[str, Signal]]:
    """Each `log.<method>(Signal.X, …)` of the module; `exception` writes at level error."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=method),
                args=[ast.Attribute(value=ast.Name(id="Signal"), attr=name), *_],
            ) if method not in {"emit", "hears"}:
                yield "error" if method == "exception" else method, Signal[name]
            case _:
                pass


def test_every_signal_is_written_at_its_level() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {signal} at {method}": CATALOGUE[signal].level
        for folder in ("engine", "handlers", "projections")
        for path in (ROOT / folder).rglob("*.py")
        for method, signal in signals_with_their_method(path)
        if method != CATALOGUE[signal].level
    }

    assert wrong == {}


def test_a_library_prints_and_configures_nothing() -> None:
    code = (
        "import logging, structlog\n"
        "from flowledger.engine.telemetry.log_messages import Signal\n"
        "from flowledger.engine.telemetry.log import logger\n"
        "logger('worker').emit(Signal.ENGINE_OPENED, roles=['worker'])\n"
        "assert not structlog.is_configured()\n"
        "assert not logging.getLogger().handlers\n"
    )

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout + done.stderr == ""


def test_without_structlog_lines_go_to_the_standard_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "flowledger")

    with bound(task_id=TASK, step="ship"):
        logger("worker").emit(LOUD, shard=0)
        logger("worker").emit(QUIET)

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("flowledger.worker", "INFO")
    assert record.getMessage() == (
        f"coordinator.elected task_id={TASK} step=ship component=worker shard=0"
    )
    assert vars(record)["flowledger"]["shard"] == 0


def test_a_line_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = program()
    monkeypatch.setattr("sys.stderr", stream)
    stream.close()

    logger("worker").emit(LOUD, shard=0)


def test_a_percent_sign_in_a_value_is_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flowledger")

    logger("worker").emit(LOUD, note="100 %s")

    assert caplog.records[0].getMessage().endswith("note=100 %s")


def test_an_application_that_configured_structlog_gets_the_lines_there() -> None:
    caught: list[EventDict] = []

    def keep(_: object, __: str, line: EventDict) -> EventDict:
        caught.append(dict(line))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])

    with bound(correlation_id="c-1"):
        logger("worker").emit(QUIET, steps=3)

    assert caught == [
        {
            "event": "worker.claimed",
            "correlation_id": "c-1",
            "component": "worker",
            "steps": 3,
        }
    ]


def test_the_program_writes_json_with_what_identifies_a_line_first() -> None:
    stream = program()

    with bound(correlation_id="c-1", task_id=TASK, step="ship", attempt=2):
        logger("worker", worker="w-1").emit(LOUD, zebra=1, apple=2)

    (line,) = lines(stream)
    assert list(line) == [
        "timestamp",
        "level",
        "event",
        "correlation_id",
        "task_id",
        "step",
        "attempt",
        "component",
        "worker",
        "zebra",
        "apple",
    ]
    assert (line["event"], line["level"], line["task_id"]) == (LOUD, "info", str(TASK))


@pytest.mark.parametrize(("level", "heard"), [("debug", 2), ("info", 1), ("warning", 0)])
def test_the_program_writes_from_its_level_up(level: str, heard: int) -> None:
    stream = program(level=level)

    logger("worker").emit(LOUD)
    logger("worker").emit(QUIET)

    assert len(lines(stream)) == heard


@pytest.mark.parametrize(
    ("level", "heard"), [("debug", (True, True)), ("info", (True, False)), ("error", (False,) * 2)]
)
def test_whoever_writes_much_can_ask_whether_anybody_reads_it(
    level: str, heard: tuple[bool, bool]
) -> None:
    program(level=level)

    log = logger("worker")

    assert (log.hears(LOUD), log.hears(QUIET)) == heard


def test_configuring_the_program_again_replaces_what_was() -> None:
    first = program()
    second = program()

    logger("worker").emit(LOUD)

    assert (len(lines(first)), len(lines(second))) == (0, 1)


def test_the_console_form_is_for_people() -> None:
    stream = program("console")

    with bound(step="ship"):
        logger("worker").emit(LOUD, shard=0)

    text = stream.getvalue()
    assert "coordinator.elected" in text
    assert text.index("step=ship") < text.index("shard=0")


def test_a_users_own_lines_carry_the_context_in_the_program() -> None:
    stream = program()

    with bound(task_id=TASK, step="ship"):
        logging.getLogger("shop").info("standard %s", "line")
        structlog.get_logger().info("structured", order=7)

    standard, structured = lines(stream)
    assert (standard["event"], standard["step"]) == ("standard line", "ship")
    assert (structured["order"], structured["step"]) == (7, "ship")


def test_the_context_ends_where_it_was_bound() -> None:
    with bound(correlation_id="c-1", step="a"):
        with bound(step="b", attempt=None):
            assert get_contextvars() == {"correlation_id": "c-1", "step": "b"}
        assert get_contextvars() == {"correlation_id": "c-1", "step": "a"}

    assert get_contextvars() == {}


async def test_coroutines_on_one_loop_keep_their_own_context() -> None:
    met = asyncio.Barrier(2)

    async def run(step: str) -> dict[str, object]:
        with bound(step=step):
            await met.wait()
            return get_contextvars()

    assert await asyncio.gather(run("a"), run("b")) == [{"step": "a"}, {"step": "b"}]


@pytest.mark.parametrize("form", ["json", "console"])
def test_passwords_never_reach_a_line_of_the_program(form: str) -> None:
    stream = program(form)

    with bound(correlation_id=URL):
        logger("engine").emit(LOUD, url=URL, nested={"urls": [URL]}, error=ValueError(URL))
        logging.getLogger("shop").error("cannot reach %s", URL)
        logger("engine").error("failed", exc_info=ConnectionError(f"no answer from {URL}"))

    assert SECRET not in stream.getvalue()
    assert "postgresql://ada:***@db/flow" in stream.getvalue()
    assert "ConnectionError" in stream.getvalue()


def test_passwords_never_reach_the_standard_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flowledger")

    logger("engine").emit(LOUD, url=URL, exc_info=ConnectionError(f"no answer from {URL}"))

    assert SECRET not in caplog.text
    assert "ConnectionError: no answer from postgresql://ada:***@db/flow" in caplog.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (URL, "postgresql://ada:***@db/flow"),
        ("postgresql://ada:p@ss@db/flow", "postgresql://ada:***@db/flow"),
        ("postgresql://db/flow?password=x&a=b", "postgresql://db/flow?password=***&a=b"),
        ("host=db password='a \\' b' user=ada", "host=db password=*** user=ada"),
        ("host=db PASSWORD = x user=ada", "host=db PASSWORD = *** user=ada"),
        ("postgresql://ada@db/flow", "postgresql://ada@db/flow"),
        ("see http://host:80/path", "see http://host:80/path"),
    ],
)
def test_redaction_takes_the_password_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown
