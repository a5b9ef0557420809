"""verify names what is not as a projection makes its tables, and what was put on them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from support.engines import EngineHarness

GUARD = "execute function flowledger.refuse_log_change()"


@pytest.fixture
def engine(harness: EngineHarness) -> Generator[Engine]:
    """An engine that has the read models that come with it."""
    with open_engine([], (), harness.settings(projections={"builtin": True})) as engine:
        yield engine


def test_tables_that_are_as_they_were_made_are_no_difference(engine: Engine) -> None:
    assert list(engine.verify()) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            f"create trigger swallow before insert on flowledger_notes__1.tag for each row {GUARD}",
            "flowledger_notes: trigger swallow of tag: definition is CREATE TRIGGER swallow",
        ),
        (
            "alter table flowledger_notes__1.tag drop constraint tag_pkey",
            "flowledger_notes: constraint tag_pkey of tag: definition is none in the table, and ",
        ),
        (
            "drop index flowledger_notes__1.tag_tag",
            "flowledger_notes: index tag_tag of tag: definition is none in the table, and CREATE",
        ),
        (
            "alter table flowledger_notes__1.tag alter namespace drop not null",
            "flowledger_notes: column namespace of tag: definition is text in the table, and text",
        ),
    ],
)
def test_what_is_not_as_it_was_made_is_named(
    harness: EngineHarness, engine: Engine, statement: str, words: str
) -> None:
    harness.rows(statement)

    found = [str(one) for one in engine.verify()]

    assert any(one.startswith(words) for one in found), found
    assert all(one.startswith("flowledger_notes: ") for one in found)


def test_an_index_more_is_no_difference(harness: EngineHarness, engine: Engine) -> None:
    harness.rows("create index more on flowledger_notes__1.tag (actor)")

    assert list(engine.verify()) == []
