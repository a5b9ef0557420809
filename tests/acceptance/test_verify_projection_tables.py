"""verify names what is not as a projection makes its tables, and what was put on them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("shop", "compared", version="1")


@flow.step
def only() -> int:
    """Complete."""
    return 1


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


OF_NO_TABLES = "update flowledger.projection set generation = 5 where name = 'flowledger_audit'"
LATER = "drop index flowledger_notes__1.tag_tag"


def test_a_generation_that_is_not_that_of_its_tables_is_named_and_mended(
    harness: EngineHarness, engine: Engine
) -> None:
    harness.rows(OF_NO_TABLES)
    harness.rows(LATER)

    found = [str(one) for one in engine.verify()]
    done = engine.repair(actor="ann", reason="ticket 7")

    words = "flowledger_audit: generation is 5 in flowledger.projection, and 1 by the schemas"
    assert [one.startswith(words) for one in found] == [True, False]
    assert found[1].startswith("flowledger_notes: index tag_tag of tag: definition is none")
    assert [str(one) for one in done.repaired] == found[:1]
    assert [str(one.difference) for one in done.left] == found[1:]
    assert [str(one) for one in engine.verify()] == found[1:]


def test_a_generation_whose_tables_are_gone_is_left_and_the_others_are_compared(
    harness: EngineHarness, engine: Engine
) -> None:
    harness.rows("drop schema flowledger_audit__1 cascade")
    harness.rows(LATER)

    found = [str(one) for one in engine.verify()]
    done = engine.repair(actor="ann", reason="ticket 7")

    words = "flowledger_audit: tables is none (flowledger_audit__1) in the table, and there by"
    assert found[0].startswith(words)
    assert found[-1].startswith("flowledger_notes: index tag_tag of tag: definition is none")
    assert done.repaired == []
    assert {str(one.difference) for one in done.left} == set(found)
    (why,) = {one.why for one in done.left if str(one.difference) == found[0]}
    assert "flowledger projections rebuild" in why


@pytest.mark.parametrize(
    "statement",
    [
        OF_NO_TABLES,
        "drop table flowledger_audit__1.operator_action cascade",
        "alter table flowledger_audit__1.operator_action drop column actor cascade",
        "drop view flowledger_audit.operator_action cascade;"
        "alter table flowledger_audit__1.operator_action alter actor type bytea using null",
    ],
)
def test_rows_that_cannot_be_compared_are_said_not_to_be_and_the_others_are(
    harness: EngineHarness, engine: Engine, statement: str
) -> None:
    task = harness.open(flow).submit(flow, {})
    task.wait(PATIENCE)
    for part in (*statement.split(";"), LATER):
        harness.rows(part)

    every, one = engine.verify(), engine.verify(task.id)

    assert any(str(found).startswith("flowledger_notes: index tag_tag") for found in every)
    assert list(one) == []
    assert every.not_compared.keys() == one.not_compared.keys() == {"flowledger_audit"}
    assert engine.repair(task.id, actor="ann", reason="ticket 7").repaired == []
