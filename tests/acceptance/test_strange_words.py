"""Words of strangers in errors: on one line, as text, short, and refused where they enter."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowledger.engine import (
    AsyncEngine,
    DatabaseUnavailable,
    Engine,
    EngineError,
    InvalidConfiguration,
    InvalidSubmission,
    InvalidTemplate,
    load_settings,
)
from flowledger.engine.errors import InvalidRequest, UnknownProjection, UnknownStep, UnknownTemplate
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import EngineHarness

ASKING: dict[str, Any] = {"reason": "test", "actor": "ada"}
STRANGE = ["a\0\nforged", "\x1b[2J\u202e", "a" * 1_000_000]
LONGEST = 500

words = Workflow("words", "words", version="1")


@words.step
def only() -> None:
    """Done."""


def is_shown_as_text(error: EngineError) -> bool:
    said = str(error)
    return said.isprintable() and len(said) < LONGEST


@pytest.mark.parametrize("word", STRANGE)
def test_names_that_are_refused_are_shown_as_text(word: str) -> None:
    for declare in (
        lambda: Workflow(word, "words", version="1"),
        lambda: words.step(name=f"{word}\0")(only),
        lambda: words.step(name="b", after=word)(only),
    ):
        with pytest.raises(InvalidTemplate) as refused:
            declare()
        assert is_shown_as_text(refused.value)


@pytest.mark.parametrize("config", [[1], "ab", 7, [("a", 1)]])
def test_a_configuration_that_is_no_mapping_is_refused(config: Any) -> None:
    with pytest.raises(
        InvalidTemplate, match=r"step 'configured': handler\.initialization: should"
    ):
        words.step(name="configured", config=config)(only)


def test_a_variable_of_strange_letters_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_\x1b[2J", "1")

    with pytest.raises(InvalidConfiguration, match="is not a setting") as refused:
        load_settings()
    assert is_shown_as_text(refused.value)


def test_an_address_of_strange_letters_is_shown_as_text(harness: EngineHarness) -> None:
    settings = harness.settings()
    url = "postgresql:///x?host=/nowhere%1b[2J"
    database = settings.database.model_validate({"url": url, "connect_timeout_seconds": 1.0})

    with pytest.raises(DatabaseUnavailable) as refused:
        Engine.open(roles=(), settings=settings.model_copy(update={"database": database}))
    assert is_shown_as_text(refused.value)


@pytest.mark.parametrize("key", [*STRANGE, "\x1b/a@1", f"{'a' * 10_000}/a@1", 7, None])
def test_names_of_no_template_are_shown_as_text(harness: EngineHarness, key: Any) -> None:
    engine = harness.open(roles=())

    with pytest.raises(UnknownTemplate) as refused:
        engine.pause_template(key, **ASKING)
    assert is_shown_as_text(refused.value)


def test_a_context_of_a_type_that_there_is_not_is_refused() -> None:
    flow: Any = Workflow("words", "nowhere", version="1", context=list["Nowhere"])  # type: ignore[name-defined] # noqa: F821
    flow.step(only)

    with pytest.raises(InvalidTemplate, match=r"words/nowhere@1: context: .*Nowhere") as refused:
        flow.encode_context([1])
    assert is_shown_as_text(refused.value)


@pytest.mark.parametrize("argument", ["[" * 5_000, "a" * 100_000])
def test_a_command_refuses_in_one_line_that_is_short(argument: str, command: Command) -> None:
    done = command("status", argument)

    assert done.code == 2
    assert done.error.startswith("error: invalid value for 'TASK'")
    assert done.error.rstrip().endswith("(see flowledger status --help)")
    assert len(done.error) < 2_100


def test_names_of_no_projection_are_refused(harness: EngineHarness) -> None:
    projections = harness.open(roles=()).projections

    for name in (*STRANGE, {}, None, 7):
        for ask in (
            projections.status,
            partial(projections.pause, **ASKING),
            partial(projections.rebuild, **ASKING),
            partial(projections.remove, **ASKING),
        ):
            with pytest.raises(UnknownProjection, match="there is no projection") as refused:
                ask(name)  # type: ignore[arg-type]
            assert is_shown_as_text(refused.value)


WAITS: list[Any] = [-1, math.nan, math.inf, 1e300, "soon", timedelta(1), 10**400]


@pytest.mark.parametrize("wait", WAITS)
async def test_a_wait_that_no_clock_can_count_is_refused_before_anything_is_stored(
    harness: EngineHarness, wait: Any
) -> None:
    engine = harness.open(words, roles=("coordinator",))
    task = engine.submit(words, {})
    harness.until(lambda: task.state != "submitted")
    stored = harness.value("select count(*) from flowledger.event")
    awaited = AsyncEngine(engine)

    for ask in (lambda: task.cancel(**ASKING, timeout=wait), lambda: task.wait(wait)):
        with pytest.raises(InvalidRequest, match="should be seconds from 0 to"):
            ask()
    with pytest.raises(InvalidRequest, match="timeout should be seconds"):
        engine.projections.wait_for("nobody", timeout=wait)
    for later in (
        awaited.task(task.id).cancel(**ASKING, timeout=wait),
        awaited.task(task.id).wait(wait),
        awaited.projections.wait_for("nobody", timeout=wait),
    ):
        with pytest.raises(InvalidRequest, match="should be seconds from 0 to"):
            await later

    assert harness.value("select count(*) from flowledger.event") == stored


NO_TASKS: list[Any] = ["outcomes", 3.5, -1, True, b"x", [1], {}, object(), "a\0b", timedelta(1)]


@pytest.mark.parametrize("odd", NO_TASKS, ids=lambda odd: type(odd).__name__)
async def test_what_no_database_could_be_asked_is_refused_before_it_is(
    harness: EngineHarness, odd: Any
) -> None:
    engine = harness.open(words, roles=())
    projections, awaited = engine.projections, AsyncEngine(engine)
    name = "flowledger_history"

    for ask in (
        lambda: projections.rebuild(name, task=odd, **ASKING),
        lambda: projections.retry_parked(name, task=odd, **ASKING),
        lambda: projections.drop_parked(name, task=odd, **ASKING),
        lambda: projections.wait_for(name, [odd], timeout=0.0),  # type: ignore[arg-type]
        lambda: projections.traceback(name, generation=[odd], position=1),  # type: ignore[arg-type]
        lambda: engine.health_report(patience=[odd]),  # type: ignore[arg-type]
        lambda: engine.cancel_many([odd], **ASKING),
    ):
        with pytest.raises(InvalidRequest):
            ask()
    for later in (
        awaited.projections.rebuild(name, task=odd, **ASKING),
        awaited.projections.wait_for(name, [odd], timeout=0.0),  # type: ignore[arg-type]
        awaited.health_report(patience=[odd]),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidRequest):
            await later


@pytest.mark.parametrize("odd", [-1, 10**30, "soon", 1.5, math.nan, True])
def test_a_number_that_is_none_of_its_kind_is_refused(harness: EngineHarness, odd: Any) -> None:
    projections = harness.open(roles=()).projections

    with pytest.raises(InvalidRequest, match="position should be a whole number from 0 to"):
        projections.wait_for("flowledger_history", odd, timeout=0.0)
    with pytest.raises(InvalidRequest, match="generation should be a whole number from 1 to"):
        projections.traceback("flowledger_history", generation=odd, position=1)


def test_a_patience_that_no_clock_can_count_is_refused(harness: EngineHarness) -> None:
    engine = harness.open(roles=())

    for wait in WAITS:
        with pytest.raises(InvalidRequest, match="patience should be seconds from 0 to"):
            engine.health_report(wait)


def test_a_step_that_is_named_by_no_name_is_unknown(harness: EngineHarness) -> None:
    task = harness.open(words, roles=("coordinator",)).submit(words, {})
    harness.until(lambda: task.state != "submitted")
    odd: Any

    for odd in (3.5, True, [1], {}, object(), timedelta(1)):
        for ask in (partial(task.explain, odd), lambda odd=odd: task.step(odd).status):
            with pytest.raises(UnknownStep) as refused:
                ask()
            assert is_shown_as_text(refused.value)


@pytest.mark.parametrize(
    "odd", ["ann", b"ann", 3.5, None, object()], ids=lambda odd: type(odd).__name__
)
def test_tasks_that_are_no_list_are_refused(harness: EngineHarness, odd: Any) -> None:
    engine = harness.open(roles=())

    for ask in (engine.cancel_many, engine.reset_many):
        with pytest.raises(InvalidRequest, match="tasks should be a list of ids"):
            ask(odd, **ASKING)


def test_a_position_beyond_every_log_is_refused_where_it_is_asked_about(
    harness: EngineHarness,
) -> None:
    task = harness.open(words, roles=("coordinator",)).submit(words, {})

    with pytest.raises(InvalidRequest, match="at should be a whole number"):
        task.explain(at=10**30)


MOMENTS: list[Any] = [
    1.5,
    True,
    "now",
    date(2026, 1, 1),
    datetime(2026, 1, 1),  # noqa: DTZ001 - that is the case
    datetime.max.replace(tzinfo=ZoneInfo("America/New_York")),
    datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
]


@pytest.mark.parametrize("at", MOMENTS)
def test_a_time_that_is_none_is_refused_where_it_is_asked_about(
    harness: EngineHarness, at: Any
) -> None:
    task = harness.open(words, roles=("coordinator",)).submit(words, {})

    with pytest.raises(InvalidRequest, match="at should be"):
        task.explain(at=at)


@pytest.mark.parametrize("word", STRANGE)
def test_a_step_that_there_is_not_is_shown_as_text(harness: EngineHarness, word: str) -> None:
    task = harness.open(words, roles=("coordinator",)).submit(words, {})
    harness.until(lambda: task.state != "submitted")

    with pytest.raises(UnknownStep) as refused:
        task.explain(word)
    assert is_shown_as_text(refused.value)


@pytest.mark.parametrize("given", [*STRANGE, 7, None, []])
def test_what_is_no_id_of_a_task_is_refused(harness: EngineHarness, given: Any) -> None:
    engine = harness.open(roles=())

    with pytest.raises(InvalidRequest, match="is not the id of a task, which is a UUID") as refused:
        engine.task(given)
    assert is_shown_as_text(refused.value)


def test_a_value_deep_inside_is_named_briefly() -> None:
    value: Any = "\0"
    for _ in range(1_500):
        value = [value]

    with pytest.raises(InvalidTemplate, match="step 'deep': ") as refused:
        words.step(name="deep", config={"a": value})(only)
    assert is_shown_as_text(refused.value)


def test_a_setting_without_a_text_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match=r"worker\.concurrency") as refused:
        load_settings({"worker": {"concurrency": Raising()}})
    assert is_shown_as_text(refused.value)


def test_an_address_that_is_no_text_in_utf8_is_refused(harness: EngineHarness) -> None:
    settings = harness.settings()
    database = settings.database.model_validate({"url": f"{harness.url}\udcff"})

    with pytest.raises(DatabaseUnavailable, match="is not a connection string"):
        Engine.open(roles=(), settings=settings.model_copy(update={"database": database}))


class Raising:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("given", [Raising(), "a" * 1_000_000, 10**400])
def test_what_is_no_option_of_a_submission_is_shown_briefly(
    harness: EngineHarness, given: Any
) -> None:
    engine = harness.open(words, roles=())

    for name in ("priority", "on_duplicate", "start_at", "tags"):
        with pytest.raises(InvalidSubmission, match="words/words@1: ") as refused:
            engine.submit(words, {}, **{name: given})
        assert is_shown_as_text(refused.value)


def test_a_connection_that_is_closed_is_refused(harness: EngineHarness) -> None:
    engine, own = harness.open(words, roles=()), harness.connect()
    own.close()

    with pytest.raises(InvalidSubmission, match="connection: it is closed"):
        engine.submit(words, {}, connection=own)


def test_what_is_no_connection_is_refused_as_every_submission(harness: EngineHarness) -> None:
    engine = harness.open(words, roles=())

    with pytest.raises(InvalidSubmission, match="connection: expected a connection of psycopg 3"):
        engine.submit(words, {}, connection=object())
